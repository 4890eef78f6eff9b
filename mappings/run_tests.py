"""Run the examples a mapping carries with it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from connector.base.i18n import N_, Message, say
from mappings.findings import Finding
from mappings.grade_kinds import ItemFacts, Kind
from mappings.rules import Mapping
from mappings.scales import parse_number
from mappings.schema import Example, Side

_NOT_SCALES = frozenset({"of"})


@dataclass(frozen=True)
class ExampleResult:
    """How one example came out.

    Attributes:
        number: Its place under ``tests``, from 1.
        passed: What came out is what the example says.
        expected: What it says, as ``key: value``.
        got: What came out.
        message: Why it failed; None when it passed.
    """

    number: int
    passed: bool
    expected: str
    got: str
    message: Message | None = None


def run_tests(mapping: Mapping) -> list[ExampleResult]:
    """Run every example under ``tests`` through the same rules that reconciliation uses."""
    return [_run(mapping, number, example) for number, example in enumerate(mapping.file.tests, 1)]


def _run(mapping: Mapping, number: int, example: Example) -> ExampleResult:
    expected = ", ".join(f"{key}: {value}" for key, value in example.becomes.items())
    outcome = _outcome(mapping, example)
    if isinstance(outcome, Finding):
        return ExampleResult(number, False, expected, "", outcome.message)
    got = ", ".join(f"{key}: {value}" for key, value in outcome.items())
    if outcome == example.becomes:
        return ExampleResult(number, True, expected, got)
    message = say(N_("Expected {expected}, got {got}."), expected=expected, got=got or "–")
    return ExampleResult(number, False, expected, got, message)


def _outcome(mapping: Mapping, example: Example) -> dict[str, str] | Finding:
    given = [part for part in (example.grade, example.attendance, example.item) if part is not None]
    if len(given) != 1:
        return Finding("bad_example", say(N_("An example takes one of grade, attendance and item.")))
    if example.item is not None:
        facts = dict(example.item)
        kind = mapping.kind_of(ItemFacts(type=facts.pop("type", ""), **{str(k): v for k, v in facts.items()}))
        return {"kind": kind or "ignore"}
    return _grade(mapping, example) if example.grade is not None else _attendance(mapping, example)


def _attendance(mapping: Mapping, example: Example) -> dict[str, str] | Finding:
    [(side, code), *more] = list((example.attendance or {}).items()) or [("left", "")]
    if more or not code:
        return Finding("bad_example", say(N_("An attendance example starts from one side: {left: E}.")))
    other: Side = "right" if side == "left" else "left"
    done = mapping.attendance_to(other, code, register_taken=True)
    return done if isinstance(done, Finding) else {other: done.code or ""}


def _grade(mapping: Mapping, example: Example) -> dict[str, str] | Finding:
    grade = dict(example.grade or {})
    maximum = parse_number(grade.pop("of", "")) if "of" in grade else None
    wanted = {scale: value for scale, value in example.becomes.items() if scale not in _NOT_SCALES}
    other_maximum = parse_number(example.becomes.get("of", ""))
    if len(grade) != 1 or len(wanted) != 1:
        return Finding("bad_example", say(N_('A grade example names one scale on each side: {percent: "84.5"}.')))
    [(source, raw)], [target] = grade.items(), wanted
    kinds = _kinds(mapping, example.kind, source, target)
    if not kinds:
        message = say(N_("No line of grades.scale goes from {source} to {target}."), source=source, target=target)
        return Finding("no_scale", message)
    return _agreed(mapping, kinds, raw, target, (maximum, other_maximum))


def _kinds(mapping: Mapping, named: Kind | None, source: str, target: str) -> list[Kind]:
    known: list[Kind] = (
        [named] if named else [*(mapping.file.grades.scale if mapping.file.grades else ()), "sor", "soch"]
    )
    rules = [(kind, mapping.scale_rule(kind)) for kind in dict.fromkeys(known)]
    return [kind for kind, rule in rules if rule is not None and (rule.from_, rule.to) == (source, target)]


def _agreed(
    mapping: Mapping, kinds: list[Kind], raw: str, target: str, maxima: tuple[Decimal | None, Decimal | None]
) -> dict[str, str] | Finding:
    """Return what all kinds with these scales make of the mark; where they differ the example must name one."""
    texts: dict[str, Kind] = {}
    for kind in kinds:
        done = mapping.grade_to("right", kind, raw, maximum=maxima[0], other_maximum=maxima[1])
        if isinstance(done, Finding):
            return done
        texts.setdefault(done.text, kind)
    if len(texts) > 1:
        message = N_("The kinds {kinds} make different marks of it: say “kind:” in the example.")
        return Finding("bad_example", say(message, kinds=", ".join(texts.values())))
    found = {target: next(iter(texts))}
    return found if maxima[1] is None else {**found, "of": str(maxima[1])}
