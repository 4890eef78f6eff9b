"""Read mapping files; every fault is told with its line, column, field, what was found and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as MappingOf
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from connector.base.errors import Fatal
from connector.base.i18n import N_, Message, say
from mappings.findings import Finding, errors_in, nearest
from mappings.rules import Mapping
from mappings.schema import MappingFile
from mappings.semantics import Loc, Remark, examine
from mappings.yaml_tree import MAX_BYTES, Node, OddNumber, read_tree


class MappingError(Fatal):
    """A mapping file cannot be used; ``findings`` name every fault and its place."""

    def __init__(self, name: str, findings: list[Finding]) -> None:
        """Keep the findings; the message is the first fault, with the number of the others."""
        errors = errors_in(findings)
        text = N_("{file} cannot be used, {count} to mend; first: line {line}: {first}")
        message = say(text, file=name, count=len(errors), line=errors[0].line or 1, first=errors[0].message)
        super().__init__("bad_mapping", message)
        self.findings = findings


def load_mapping(source: Path | str) -> Mapping:
    """Read a mapping from a file, or from the YAML text itself.

    Raises:
        MappingError: The file cannot be read or holds faults; warnings alone do not raise.
    """
    name = str(source) if isinstance(source, Path) else "mapping"
    file, findings = read_mapping(source)
    if file is None or errors_in(findings):
        raise MappingError(name, findings)
    return Mapping.of(file)


def check(source: Path | str) -> list[Finding]:
    """Return everything that is wrong with a mapping file (a path) or text, in the order of its lines."""
    return read_mapping(source)[1]


def read_mapping(source: Path | str) -> tuple[MappingFile | None, list[Finding]]:
    """Return the typed file, None when its shape is wrong, and all findings, in the order of lines."""
    name = str(source) if isinstance(source, Path) else "mapping"
    text = _read(source) if isinstance(source, Path) else source
    if isinstance(text, Finding):
        return None, [replace(text, file=name)]
    tree, findings = read_tree(text)
    file: MappingFile | None = None
    if tree is not None:
        file, more = _validate(tree)
        findings += more
        if file is not None:
            findings += [_from_remark(remark, tree) for remark in examine(file)]
    findings = [replace(finding, file=name) for finding in findings]
    return file, sorted(findings, key=lambda finding: (finding.line or 0, finding.column or 0))


def _read(path: Path) -> str | Finding:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        return Finding("unreadable", say(N_("The file cannot be read: {problem}."), problem=error.strerror))
    try:
        # One byte over the limit is enough for the tree to refuse the file by its size.
        return data.decode("utf-8-sig") if len(data) <= MAX_BYTES else " " * len(data)
    except UnicodeDecodeError:
        return Finding("not_utf8", say(N_("The file is not UTF-8: save it with the encoding UTF-8.")))


def _validate(tree: Node) -> tuple[MappingFile | None, list[Finding]]:
    if tree.entries is None:
        message = say(N_("A mapping begins with keys such as “version:” and “pair:”."))
        return None, [Finding("bad_shape", message, line=tree.line, column=tree.column)]
    try:
        return MappingFile.model_validate(tree.plain()), []
    except ValidationError as error:
        return None, _distinct([_from_error(detail, tree) for detail in error.errors(include_url=False)])


def _distinct(findings: list[Finding]) -> list[Finding]:
    """Leave one finding per place: a union's branches all complain about the same value."""
    kept: dict[tuple[int | None, int | None], Finding] = {}
    for finding in findings:
        kept.setdefault((finding.line, finding.column), finding)
    return list(kept.values())


def _locate(loc: Loc, tree: Node) -> tuple[Node, Node, list[str | int]]:
    """Return the deepest node a location leads to, its parent, and the steps that led there."""
    node, parent, steps = tree, tree, []
    for step in loc:
        child = node.child(step)
        if child is None:
            break
        node, parent = child, node
        steps.append(step)
    return node, parent, steps


def _path(steps: list[str | int]) -> str:
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        elif re.fullmatch(r"\w+", step):
            text += f".{step}" if text else step
        else:
            text += f'["{step}"]'
    return text


def _from_remark(remark: Remark, tree: Node) -> Finding:
    node, parent, steps = _locate(remark.loc, tree)
    line, column = (
        parent.keys.get(str(steps[-1]), (node.line, node.column)) if remark.on_key else (node.line, node.column)
    )
    found = str(steps[-1]) if remark.on_key else node.text
    message = _with_nearest(remark.message, remark.nearest)
    return Finding(remark.reason, message, remark.severity, "", line, column, _path(steps), found, remark.nearest)


def _with_nearest(message: Message, near: str) -> Message:
    return say(N_("{sentence} Did you mean “{nearest}”?"), sentence=message, nearest=near) if near else message


def _from_error(detail: ErrorDetails, tree: Node) -> Finding:
    loc = tuple(step for step in detail["loc"] if step != "[key]")
    node, parent, steps = _locate(loc, tree)
    on_key = detail["type"] == "extra_forbidden" or "[key]" in detail["loc"]
    found = str(steps[-1]) if on_key else node.text
    reason, message, near = _explain(detail, loc, node, found)
    place = node.line, node.column
    if on_key or reason == "empty_value":
        # YAML places a missing value at whatever comes next, which may be lines further down.
        place = parent.keys.get(str(steps[-1]), place)
    path = list(loc) if detail["type"] == "missing" else steps
    return Finding(reason, _with_nearest(message, near), "error", "", *place, _path(path), found, near)


Explained = tuple[str, Message, str]


def _explain(detail: ErrorDetails, loc: Loc, node: Node, found: str) -> Explained:
    if detail["type"] in ("extra_forbidden", "missing"):
        return _KEYS[detail["type"]](loc)
    if detail["type"] == "string_type" and node.text:
        message = N_('{found} is read as a number or yes/no and would change: put it in quotes, "{found}".')
        return "quote_it", say(message, found=node.text), ""
    if node.value is None and node.entries is None and node.items is None:
        return "empty_value", say(N_("Nothing stands after the colon: write a value or remove the key.")), ""
    maker = _wrong_number if isinstance(node.value, OddNumber) else _VALUES.get(detail["type"])
    if maker is not None:
        return maker(found, detail.get("ctx", {}))
    message = N_("“{found}” does not fit here ({problem}).")
    return "bad_value", say(message, found=found, problem=detail["msg"]), ""


def _unknown_key(loc: Loc) -> Explained:
    key, known = str(loc[-1]), _known_keys(loc[:-1])
    message = say(N_("The key “{key}” is not known here. Known are: {known}."), key=key, known=", ".join(known))
    return "unknown_key", message, nearest(key, known)


def _missing_key(loc: Loc) -> Explained:
    return "missing_key", say(N_("The key “{key}” is missing here."), key=loc[-1]), ""


def _wrong_word(found: str, context: MappingOf[str, Any]) -> Explained:
    allowed = re.findall(r"'([^']*)'", str(context.get("expected", ""))) or [str(context.get("expected", ""))]
    message = say(N_("“{found}” is not a word for this. Choose from: {known}."), found=found, known=", ".join(allowed))
    return "unknown_word", message, nearest(found, allowed)


def _wrong_address(found: str, _: MappingOf[str, Any]) -> Explained:
    message = N_("“{found}” does not name a side. Write system:key, such as kundelik:1000001234567.")
    return "bad_side", say(message, found=found), ""


def _out_of_range(found: str, context: MappingOf[str, Any]) -> Explained:
    limit = next((value for value in context.values()), "")
    return "out_of_range", say(N_("{found} is out of range; the limit is {limit}."), found=found, limit=limit), ""


def _wrong_number(found: str, _: MappingOf[str, Any]) -> Explained:
    return "bad_number", say(N_('“{found}” is not a number such as 20 or "8.5".'), found=found), ""


def _wrong_day(found: str, _: MappingOf[str, Any]) -> Explained:
    return "bad_day", say(N_("“{found}” is not a day. Write it as 2026-10-23."), found=found), ""


def _too_long(found: str, _: MappingOf[str, Any]) -> Explained:
    return "bad_length", say(N_("The text is empty or too long here: “{found}”."), found=found[:40]), ""


def _need_list(_: str, __: MappingOf[str, Any]) -> Explained:
    return "need_list", say(N_("A list is needed here: [first, second].")), ""


def _need_keys(_: str, __: MappingOf[str, Any]) -> Explained:
    return "need_keys", say(N_("Keys with values are needed here: {key: value}.")), ""


def _too_few(_: str, __: MappingOf[str, Any]) -> Explained:
    return "empty_list", say(N_("The list is empty: write at least one entry, or remove the key.")), ""


_KEYS: dict[str, Callable[[Loc], Explained]] = {"extra_forbidden": _unknown_key, "missing": _missing_key}
_VALUES: dict[str, Callable[[str, MappingOf[str, Any]], Explained]] = {
    "literal_error": _wrong_word,
    "string_pattern_mismatch": _wrong_address,
    "string_too_short": _too_long,
    "string_too_long": _too_long,
    "greater_than_equal": _out_of_range,
    "less_than_equal": _out_of_range,
    "number_type": _wrong_number,
    "int_type": _wrong_number,
    "decimal_type": _wrong_number,
    "decimal_parsing": _wrong_number,
    "day_type": _wrong_day,
    "tuple_type": _need_list,
    "too_short": _too_few,
    "dict_type": _need_keys,
    "model_type": _need_keys,
    "string_type": _wrong_number,
}


def _known_keys(loc: Loc) -> list[str]:
    """Return the keys the schema knows at a place of the file."""
    annotation: Any = MappingFile
    for step in loc:
        annotation = _step(annotation, step)
    model = _model_of(annotation)
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def _model_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_of(part)) is not None), None)


def _step(annotation: Any, step: str | int) -> Any:
    model = _model_of(annotation)
    if isinstance(step, int) or get_origin(annotation) is dict or model is None:
        return get_args(annotation)[-1 if get_origin(annotation) is dict else 0] if get_args(annotation) else annotation
    for name, field in model.model_fields.items():
        if step in (field.alias, name):
            return field.annotation
    return model
