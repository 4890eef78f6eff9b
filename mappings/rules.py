"""A mapping, ready to be asked: values in, values out. This is what reconciliation codes against.

Every answer is either a value or a ``Finding``: a value that cannot be carried for certain is never guessed, and its
finding says why and what to do. Nothing here raises for a bad value, reads a file, a clock or a database.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from connector.base.errors import Record
from connector.base.i18n import N_, say
from mappings import scales
from mappings.attendance import WORDS, Attendance
from mappings.findings import Finding, from_record
from mappings.grade_kinds import IGNORE, ItemFacts, Kind, Selector, parse_selector
from mappings.scales import Agreement, Converted
from mappings.schema import GroupPair, GroupRef, MappingFile, ScaleRule, Side

POINTS_AS_THEY_ARE = ScaleRule.model_validate({"from": "points", "to": "points"})
"""Unit and term summatives are kept in points of their own maximum (order №125), so they need no rule."""


@dataclass(frozen=True)
class AttendanceConverted:
    """An attendance code on the other side.

    Attributes:
        code: The other system's code; None for a blank.
        meaning: What it says, where the system's word is known.
        raw: What it was made from; None for a blank.
    """

    code: str | None
    meaning: Attendance | None
    raw: str | None


def mapping_hash(file: MappingFile) -> str:
    """Return the mapping's version: SHA-256 (hexadecimal) over its canonical JSON.

    Comments, layout, order of keys, defaults written out, ``tests`` and ``schedule`` (when to compare, never what to
    write) do not change it; the order of ``kinds`` does, because the first selector that fits decides.
    """
    data = file.model_dump(mode="json", by_alias=True, exclude={"tests", "schedule"})
    if file.grades is not None:
        data["grades"]["kinds"] = list(file.grades.kinds.items())
    text = json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Mapping:
    """A checked mapping file and its version; made by ``mappings.load.load_mapping``.

    Attributes:
        file: What the file says, typed, with defaults filled in.
        hash: Its version, to be kept with every base value and plan.
    """

    file: MappingFile
    hash: str

    @classmethod
    def of(cls, file: MappingFile) -> Mapping:
        """Make a mapping from a file that was checked already."""
        return cls(file, mapping_hash(file))

    def system(self, side: Side) -> str:
        """Return the system on a side: ``kundelik``."""
        return self._address(side).partition(":")[0]

    def account(self, side: Side) -> str:
        """Return the school's key within the system on a side: ``1000001234567``."""
        return self._address(side).partition(":")[2]

    def _address(self, side: Side) -> str:
        return self.file.pair.left if side == "left" else self.file.pair.right

    def groups_with(self, side: Side, ref: GroupRef) -> list[GroupPair]:
        """Return the group pairs a group of one side belongs to; a key the pair leaves out fits any value."""
        wanted = ref.model_dump(exclude_none=True)
        pairs = []
        for pair in self.file.groups:
            known = (pair.left if side == "left" else pair.right).model_dump(exclude_none=True)
            if all(wanted.get(key) == value for key, value in known.items()):
                pairs.append(pair)
        return pairs

    @cached_property
    def _selectors(self) -> list[tuple[Selector, str]]:
        kinds = self.file.grades.kinds if self.file.grades else {}
        return [(parse_selector(text), kind) for text, kind in kinds.items()]

    def kind_of(self, facts: ItemFacts) -> Kind | None:
        """Return the kind of a line item, or None when it is not carried; the first selector that fits decides."""
        for selector, kind in self._selectors:
            if selector.matches(facts):
                return None if kind == IGNORE else kind  # type: ignore[return-value]
        return None

    def scale_rule(self, kind: Kind) -> ScaleRule | None:
        """Return the scale rule of a kind; СОР and СОЧ without one keep their points."""
        found = self.file.grades.scale.get(kind) if self.file.grades else None
        return POINTS_AS_THEY_ARE if found is None and kind in ("sor", "soch") else found

    def grade_to(
        self,
        side: Side,
        kind: Kind,
        raw: str,
        *,
        maximum: Decimal | None = None,
        other_maximum: Decimal | None = None,
    ) -> Converted | Finding:
        """Return the mark expected on a side, given the other side's raw mark.

        Args:
            side: The side the mark goes **to**.
            kind: The work's kind.
            raw: The other side's mark, as it stands there.
            maximum: Maximum of the work on the side the mark comes from (points and percent scales).
            other_maximum: Maximum of the work on the side it goes to; the same when not given.

        Returns:
            The converted mark, whose ``text`` may be written; or a finding: ``no_scale`` (the kind has no rule),
            ``finer_scale`` (the target is finer, so nothing is written), or what ``scales.convert`` refuses
            (``not_on_scale``, ``empty_mark``, ``word_mark``, ``no_maximum``, ``no_bands``, ``below_scale``).
        """
        rule = self.scale_rule(kind)
        if rule is None:
            return _no_scale(kind)
        target_maximum = maximum if other_maximum is None else other_maximum
        pair = (maximum, target_maximum) if side == "right" else (target_maximum, maximum)
        try:
            left, right = _scales(rule, *pair)
            source, target = (left, right) if side == "right" else (right, left)
            minimum = rule.min if side == "right" else None
            done = scales.convert(raw, source, target, rounding=rule.round, minimum=minimum, bands=rule.bands)
        except Record as error:
            return from_record(error)
        return _finer(source, target) if done.widened else done

    def grades_agree(
        self,
        kind: Kind,
        left_raw: str,
        right_raw: str,
        *,
        left_maximum: Decimal | None = None,
        right_maximum: Decimal | None = None,
    ) -> Agreement | Finding:
        """Tell whether two marks say the same, compared in the coarser scale, and which side may be written.

        Args:
            kind: The work's kind.
            left_raw: The left side's mark, as it stands there.
            right_raw: The right side's mark, as it stands there.
            left_maximum: Maximum of the work on the left (points and percent scales).
            right_maximum: Maximum on the right; the left one when not given.

        Returns:
            The agreement, or a finding as ``grade_to`` gives.
        """
        rule = self.scale_rule(kind)
        if rule is None:
            return _no_scale(kind)
        try:
            left, right = _scales(rule, left_maximum, left_maximum if right_maximum is None else right_maximum)
            return scales.agree(
                left_raw, left, right_raw, right, rounding=rule.round, minimum=rule.min, bands=rule.bands
            )
        except Record as error:
            return from_record(error)

    def attendance_to(
        self, side: Side, raw: str | None, *, register_taken: bool = False
    ) -> AttendanceConverted | Finding:
        """Return the attendance code expected on a side, given the other side's code.

        Args:
            side: The side the code goes **to**.
            raw: The other side's code; None or empty for a blank cell or a missing row.
            register_taken: There is evidence that the register of this lesson was taken (any row or mark in it).
                Only then does ``blank_is: present`` make a blank mean present.

        Returns:
            The code, None in it for a blank that says nothing; or a finding: ``no_attendance`` (the mapping carries
            none), ``unmapped_attendance``, ``ambiguous_attendance``.
        """
        rules = self.file.attendance
        if rules is None:
            return Finding("no_attendance", say(N_("The mapping carries no attendance.")))
        if raw is None or not raw.strip():
            if rules.blank_is == "not_recorded" or not register_taken:
                return AttendanceConverted(None, Attendance.NOT_RECORDED, None)
            return self._present(side)
        if side == "right":
            rule = rules.codes.get(raw)
            return _unmapped(raw, self.system("left")) if rule is None else self._code("right", rule.to, raw)
        lefts = self._left_codes(raw)
        if len(lefts) == 1:
            return self._code("left", lefts[0], raw)
        return _ambiguous(raw, lefts) if lefts else _unmapped(raw, self.system("right"))

    def _left_codes(self, raw: str) -> list[str]:
        codes = self.file.attendance.codes if self.file.attendance else {}
        direct = [left for left, rule in codes.items() if rule.to == raw]
        return direct or [left for left, rule in codes.items() if raw in rule.same_as]

    def _code(self, side: Side, code: str, raw: str | None) -> AttendanceConverted:
        return AttendanceConverted(code, WORDS.get(self.system(side), {}).get(code), raw)

    def _present(self, side: Side) -> AttendanceConverted | Finding:
        """Return the side's word for present, found through whichever side's words are known."""
        codes = self.file.attendance.codes if self.file.attendance else {}
        for left, rule in codes.items():
            meanings = (self._code("left", left, None).meaning, self._code("right", rule.to, None).meaning)
            if Attendance.PRESENT in meanings:
                return self._code(side, left if side == "left" else rule.to, None)
        return _unmapped("present", self.system("left"))

    def attendance_agrees(self, left_raw: str | None, right_raw: str | None) -> Agreement | Finding:
        """Tell whether two attendance codes say the same, ``same_as`` included.

        A blank agrees with a blank only. Both sides may always be written; where several right codes count as the
        same, agreement keeps the one that stands.
        """
        rules = self.file.attendance
        if rules is None:
            return Finding("no_attendance", say(N_("The mapping carries no attendance.")))
        left, right = (left_raw or "").strip(), (right_raw or "").strip()
        both: frozenset[Side] = frozenset({"left", "right"})
        if not left or not right:
            return Agreement(left == right, "attendance", both, left, right)
        rule = rules.codes.get(left)
        if rule is None:
            return _unmapped(left, self.system("left"))
        if not self._left_codes(right):
            return _unmapped(right, self.system("right"))
        return Agreement(right == rule.to or right in rule.same_as, "attendance", both, rule.to, right)


def _scales(rule: ScaleRule, left: Decimal | None, right: Decimal | None) -> tuple[scales.Scale, scales.Scale]:
    return scales.Scale(rule.from_, left), scales.Scale(rule.to, _own(rule, right), rule.decimals)


def _own(rule: ScaleRule, maximum: Decimal | None) -> Decimal | None:
    """Return the right work's maximum; a percent on the right is out of 100 whatever the work's points are."""
    return None if rule.to == "percent" else maximum


def _no_scale(kind: str) -> Finding:
    return Finding("no_scale", say(N_("grades.scale says nothing about the kind “{kind}”."), kind=kind))


def _finer(source: scales.Scale, target: scales.Scale) -> Finding:
    message = N_("{source} is coarser than {target}: writing it there would claim more than was said.")
    return Finding("finer_scale", say(message, source=source.name, target=target.name))


def _unmapped(code: str, system: str) -> Finding:
    message = N_("attendance.codes has no partner for “{code}” of {system}.")
    return Finding("unmapped_attendance", say(message, code=code, system=system), found=code)


def _ambiguous(code: str, lefts: list[str]) -> Finding:
    message = N_("“{code}” could be any of {codes}: attendance.codes must leave one.")
    return Finding("ambiguous_attendance", say(message, code=code, codes=", ".join(lefts)), found=code)
