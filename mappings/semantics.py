"""What no single key can know: keys that contradict one another, words of the two systems, lines never reached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from connector.base.errors import Record
from connector.base.i18n import N_, Message, say
from mappings.attendance import CLOSED_VOCABULARIES, WORDS
from mappings.findings import Severity, nearest
from mappings.grade_kinds import IGNORE, Selector, parse_selector
from mappings.scales import ORDER_125_BANDS, Scale
from mappings.schema import (
    SYSTEMS,
    AttendanceRules,
    GroupPair,
    GroupRef,
    MappingFile,
    ScaleRule,
    Schedule,
    Side,
    YearEnd,
)

Loc = tuple[str | int, ...]

_SIDES: tuple[Side, Side] = ("left", "right")
_GROUP_KEYS: dict[str, tuple[str, tuple[str, ...]]] = {
    "lti_advantage": ("course", ()),
    "moodle": ("course", ("group",)),
    "kundelik": ("edu_group", ("subject",)),
}
_OTHER_GROUP_KEYS = ("group", ("subject",))
_NEEDS_BANDS = ("letter", "credit")


@dataclass(frozen=True)
class Remark:
    """A fault of the mapping as a whole, at one place of it; ``on_key``: the key is meant, not its value."""

    loc: Loc
    reason: str
    message: Message
    nearest: str = ""
    severity: Severity = "error"
    on_key: bool = False


def examine(file: MappingFile) -> list[Remark]:
    """Return everything that contradicts itself, the two systems, or can never take effect."""
    return [
        *_systems(file),
        *_groups(file),
        *_kinds(file),
        *_scales(file),
        *(_codes(file, file.attendance) if file.attendance else ()),
        *_freezes(file),
        *_canaries(file),
        *schedule_faults(file.schedule),
    ]


def _system(file: MappingFile, side: Side) -> str:
    return (file.pair.left if side == "left" else file.pair.right).partition(":")[0]


def _systems(file: MappingFile) -> Iterator[Remark]:
    for side in _SIDES:
        system = _system(file, side)
        if system not in SYSTEMS:
            near = nearest(system, SYSTEMS)
            message = say(
                N_("The system “{system}” is not known. Known are: {known}."), system=system, known=_list(SYSTEMS)
            )
            yield Remark(("pair", side), "unknown_system", message, near)
    if file.pair.left == file.pair.right:
        yield Remark(("pair", "right"), "same_sides", say(N_("Both sides are the same system and school.")))


def _groups(file: MappingFile) -> Iterator[Remark]:
    # Groups can only overlap where they name one id alike, so only those are compared: a school has thousands.
    by_id: dict[tuple[Side, str, str], list[int]] = {}
    for index, pair in enumerate(file.groups):
        rivals: set[int] = set()
        for side in _SIDES:
            yield from _group_keys(file, ("groups", index, side), side, _ref(pair, side))
            for key, value in _ids(_ref(pair, side)).items():
                rivals.update(by_id.setdefault((side, key, value), []))
                by_id[side, key, value].append(index)
        first = next((rival for rival in sorted(rivals) if _overlap(file.groups[rival], pair)), None)
        if first is not None:
            message = N_("This group overlaps entry {number} of groups: a mark would have two places.")
            yield Remark(("groups", index), "overlapping_groups", say(message, number=first + 1))


def _ids(ref: GroupRef) -> dict[str, str]:
    return {key: value for key, value in ref.model_dump(exclude_none=True).items() if key != "subject"}


def _ref(pair: GroupPair, side: Side) -> GroupRef:
    return pair.left if side == "left" else pair.right


def _group_keys(file: MappingFile, loc: Loc, side: Side, ref: GroupRef) -> Iterator[Remark]:
    system = _system(file, side)
    if system not in SYSTEMS:
        return
    needed, allowed = _GROUP_KEYS.get(system, _OTHER_GROUP_KEYS)
    given = ref.model_dump(exclude_none=True)
    if needed not in given:
        missing = say(N_("A group of {system} needs the key “{key}”."), system=system, key=needed)
        yield Remark(loc, "missing_key", missing)
    for key in given:
        if key not in (needed, *allowed):
            message = N_("A group of {system} has no key “{key}”. It takes: {known}.")
            said = say(message, system=system, key=key, known=_list((needed, *allowed)))
            yield Remark((*loc, key), "unknown_key", said, nearest(key, (needed, *allowed)), on_key=True)


def _overlap(first: GroupPair, second: GroupPair) -> bool:
    """Tell whether one journal cell could be fed by both, or one LMS mark would land in two subjects of a class."""
    if _covers(first.right, second.right):
        return True
    same_course = _covers(first.left, second.left)
    return same_course and (first.right.edu_group or first.right.group) == (
        second.right.edu_group or second.right.group
    )


def _covers(one: GroupRef, other: GroupRef) -> bool:
    a, b = one.model_dump(exclude_none=True), other.model_dump(exclude_none=True)
    shared = a.keys() & b.keys()
    return bool(shared - {"subject"}) and all(a[key] == b[key] for key in shared)


def _kinds(file: MappingFile) -> Iterator[Remark]:
    if file.grades is None:
        return
    seen: list[tuple[str, Selector]] = []
    for text, kind in file.grades.kinds.items():
        loc = ("grades", "kinds", text)
        try:
            selector = parse_selector(text)
        except Record as error:
            yield Remark(loc, error.reason, error.message, on_key=True)
            continue
        hidden_by = next((other for other, earlier in seen if earlier.covers(selector)), None)
        if hidden_by is not None:
            message = N_("“{selector}” is never reached: “{earlier}” above it takes the same works. Move it up.")
            said = say(message, selector=text, earlier=hidden_by)
            yield Remark(loc, "unreachable_selector", said, on_key=True)
        seen.append((text, selector))
        if kind not in (IGNORE, "sor", "soch") and kind not in file.grades.scale:
            message = N_("The kind “{kind}” has no line under grades.scale, so its marks could not be carried.")
            yield Remark(loc, "no_scale", say(message, kind=kind))


def _scales(file: MappingFile) -> Iterator[Remark]:
    if file.grades is None:
        return
    used = set(file.grades.kinds.values())
    for kind, rule in file.grades.scale.items():
        loc = ("grades", "scale", kind)
        if kind not in used:
            message = N_("No line of grades.kinds leads to “{kind}”, so this scale changes nothing.")
            yield Remark(loc, "unused_scale", say(message, kind=kind), severity="warning", on_key=True)
        yield from _rule(loc, rule)


def _rule(loc: Loc, rule: ScaleRule) -> Iterator[Remark]:
    banded: list[str] = [name for name in (rule.from_, rule.to) if name in (*_NEEDS_BANDS, "mark5", "mark5pm")]
    if "text" in (rule.from_, rule.to) and rule.from_ != rule.to:
        yield Remark(loc, "no_words", say(N_("Words of the scale text pass only to text.")))
    if rule.from_ != rule.to and rule.bands is None and any(name in _NEEDS_BANDS for name in banded):
        message = say(N_("The scale {scale} needs bands: the lowest percent of each of its values."), scale=banded[0])
        yield Remark(loc, "no_bands", message)
    if rule.bands is not None and not banded:
        yield _idle((*loc, "bands"), "bands")
    if rule.decimals and rule.to not in ("points", "percent"):
        yield _idle((*loc, "decimals"), "decimals")
    if rule.min is not None and rule.to in ("letter", "credit", "text"):
        yield _idle((*loc, "min"), "min")
    for word in rule.bands or ():
        yield from _band((*loc, "bands", word), word, banded)


def _idle(loc: Loc, key: str) -> Remark:
    return Remark(loc, "idle_key", say(N_("“{key}” changes nothing on these scales: remove it."), key=key), on_key=True)


def _band(loc: Loc, word: str, banded: list[str]) -> Iterator[Remark]:
    for name in banded[:1]:
        try:
            known = not isinstance(Scale(name).parse(word), str)  # type: ignore[arg-type]
        except Record:
            known = False
        if not known:
            message = say(N_("“{mark}” is not on the scale {scale}."), mark=word, scale=name)
            near = nearest(word, ORDER_125_BANDS) if name == "mark5" else ""
            yield Remark(loc, "not_on_scale", message, near, on_key=True)


def _codes(file: MappingFile, rules: AttendanceRules) -> Iterator[Remark]:
    left, right = _system(file, "left"), _system(file, "right")
    back: dict[str, str] = {}
    for code, rule in rules.codes.items():
        loc = ("attendance", "codes", code)
        yield from _word(loc, left, code, on_key=True)
        yield from _word((*loc, "to"), right, rule.to)
        for index, same in enumerate(rule.same_as):
            yield from _word((*loc, "same_as", index), right, same)
        if left == "moodle" and len(code) > 2:
            message = N_("Moodle keeps at most two letters per attendance status; “{code}” has more.")
            yield Remark(loc, "long_acronym", say(message, code=code), on_key=True)
        if rule.to in back and rules.owner != "left":
            message = N_("“{to}” has two partners, “{first}” and “{second}”: coming back, it could be either.")
            said = say(message, to=rule.to, first=back[rule.to], second=code)
            yield Remark((*loc, "to"), "ambiguous_attendance", said)
        back.setdefault(rule.to, code)
    if rules.blank_is == "present" and not _knows_present(file, rules):
        message = N_("blank_is: present needs a line under attendance.codes for pupils who are present.")
        yield Remark(("attendance", "blank_is"), "no_present_code", say(message))


def _knows_present(file: MappingFile, rules: AttendanceRules) -> bool:
    left, right = WORDS.get(_system(file, "left"), {}), WORDS.get(_system(file, "right"), {})
    return any("present" in (left.get(code), right.get(rule.to)) for code, rule in rules.codes.items())


def _word(loc: Loc, system: str, word: str, on_key: bool = False) -> Iterator[Remark]:
    known = WORDS.get(system, {})
    if system in CLOSED_VOCABULARIES and word not in known:
        message = N_("“{code}” is no attendance code of {system}. Its codes are: {known}.")
        said = say(message, code=word, system=system, known=_list(known))
        yield Remark(loc, "unknown_attendance", said, nearest(word, known), on_key=on_key)


def _freezes(file: MappingFile) -> Iterator[Remark]:
    for index, freeze in enumerate(file.guard.freeze):
        if freeze.from_ > freeze.to:
            message = N_("The freeze ends ({to}) before it begins ({first}): swap the two days.")
            said = say(message, first=freeze.from_.isoformat(), to=freeze.to.isoformat())
            yield Remark(("guard", "freeze", index, "to"), "freeze_backwards", said)


def _canaries(file: MappingFile) -> Iterator[Remark]:
    seen: dict[tuple[str, str | None, str | None], int] = {}
    for index, canary in enumerate(file.guard.canaries):
        loc = ("guard", "canaries", index)
        if canary.person is None and canary.item is None:
            yield Remark(loc, "missing_key", say(N_("A canary names a person, an item, or both (a mark).")))
        if canary.person is not None and canary.item is not None:
            if canary.says is None:
                yield Remark(loc, "missing_key", say(N_("A canary that is a mark needs “says”: the mark itself.")))
            if file.grades is None:
                message = N_("The mapping carries no marks, so this canary would never be read.")
                yield Remark(loc, "idle_canary", say(message))
        elif canary.item is not None and file.grades is None:
            yield Remark(
                loc, "idle_canary", say(N_("The mapping carries no works, so this canary would never be read."))
            )
        first = seen.setdefault((canary.side, canary.person, canary.item), index)
        if first != index:
            yield Remark(loc, "double_canary", say(N_("Entry {number} names the same canary."), number=first + 1))


def _list(words: object) -> str:
    return ", ".join(str(word) for word in words) if isinstance(words, tuple | dict) else str(words)


def schedule_faults(schedule: Schedule) -> Iterator[Remark]:
    """Yield what a schedule says that can never come true: an hour inside the quiet ones, a day no month has."""
    quiet = schedule.quiet
    if quiet != "none":
        if quiet.from_ == quiet.to:
            yield Remark(
                ("schedule", "quiet"),
                "quiet_all_day",
                say(N_("From and to are the same; write none for no quiet hours.")),
            )
        for index, hour in enumerate(schedule.hours):
            if in_quiet(hour, quiet.from_, quiet.to):
                text = N_("{hour} lies inside the quiet hours {start}–{end}, so nothing would begin then.")
                message = say(text, hour=hour, start=quiet.from_, end=quiet.to)
                yield Remark(("schedule", "hours", index), "hour_in_quiet", message)
    if isinstance(schedule.year_end, YearEnd):
        for name, day in (("from", schedule.year_end.from_), ("to", schedule.year_end.to)):
            if day != "last_school_day" and not _is_day(day):
                text = N_("{day} is no day of every year; write month-day, such as 05-26.")
                yield Remark(("schedule", "year_end", name), "no_such_day", say(text, day=day))


def in_quiet(hour: str, start: str, end: str) -> bool:
    """Tell whether an hour lies in a span of the day that may pass midnight; the end is outside."""
    return start <= hour < end if start <= end else hour >= start or hour < end


def _is_day(text: str) -> bool:
    month, _, day = text.partition("-")
    try:
        # A year without a leap day: a pause must begin and end every year.
        date(2026, int(month), int(day))
    except ValueError:
        return False
    return True
