from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.findings import Finding, errors_in
from mappings.load import MappingError, check, load_mapping

GOOD = """\
version: 1
pair: {left: moodle:gymnasium, right: kundelik:1000001234567}
groups:
  - left: {course: "7А-ALG-2026"}
    right: {edu_group: "2244668800112233445", subject: алгебра}
grades:
  owner: left
  kinds: {"quiz": fo, "assign[idnumber^=SOR]": sor}
  scale: {fo: {from: percent, to: mark10, round: half_up, min: 1}}
  closed_period: refuse
attendance:
  owner: right
  codes: {P: Attend, A: Absent, L: Late, I: Ill, E: {to: Pass, same_as: [Pass, Ill]}}
guard: {max_delete: 0, max_change_pct: 20, freeze: [{from: 2026-10-23, to: 2026-11-01}]}
tests: [{grade: {percent: "84.5"}, becomes: {mark10: "8"}}]
"""


def only(text: str) -> Finding:
    findings = check(text)
    assert len(findings) == 1, [finding.render("en") for finding in findings]
    return findings[0]


def broken(old: str, new: str) -> Finding:
    assert old in GOOD
    return only(GOOD.replace(old, new, 1))


def test_a_good_file_loads() -> None:
    assert check(GOOD) == []
    mapping = load_mapping(GOOD)
    assert mapping.file.groups[0].right.edu_group == "2244668800112233445"
    assert re.fullmatch(r"[0-9a-f]{64}", mapping.hash)


def test_comments_and_layout_do_not_make_another_version() -> None:
    assert load_mapping("# note\n" + GOOD.replace("owner: left", "owner:   'left'")).hash == load_mapping(GOOD).hash


@pytest.mark.parametrize(
    ("old", "new", "reason", "path", "nearest"),
    [
        ("owner: left", "^ownr: left", "unknown_key", "grades.ownr", "owner"),
        ("guard:", "^gard:", "unknown_key", "gard", "guard"),
        ("subject:", "^subjct:", "unknown_key", "groups[0].right.subjct", "subject"),
        ("same_as:", "^sameas:", "unknown_key", "attendance.codes.E.sameas", "same_as"),
        ("{max_delete:", "{^max_deletes: 1, max_delete:", "unknown_key", "guard.max_deletes", "max_delete"),
        ("owner: left", "owner: ^lft", "unknown_word", "grades.owner", "left"),
        ("to: mark10", "to: ^mark_10", "unknown_word", "grades.scale.fo.to", "mark10"),
        ('"quiz": fo', '"quiz": ^foo', "unknown_word", "grades.kinds.quiz", "fo"),
        ('"quiz": fo', '"quiz": ^ignor', "unknown_word", "grades.kinds.quiz", "ignore"),
        ('"2244668800112233445"', "^2244668800112233445", "quote_it", "groups[0].right.edu_group", ""),
        ('"7А-ALG-2026"', "^012", "quote_it", "groups[0].left.course", ""),
        ('"7А-ALG-2026"', "^1_000", "quote_it", "groups[0].left.course", ""),
        ('"7А-ALG-2026"', "^7", "quote_it", "groups[0].left.course", ""),
        ('"7А-ALG-2026"', "^true", "quote_it", "groups[0].left.course", ""),
        ('"84.5"', "^84.5", "quote_it", "tests[0].grade.percent", ""),
        ("max_delete: 0", "max_delete: ^1_000", "bad_number", "guard.max_delete", ""),
        ("max_delete: 0", "max_delete: ^-1", "out_of_range", "guard.max_delete", ""),
        ("max_delete: 0", "max_delete: ^many", "bad_number", "guard.max_delete", ""),
        ("max_change_pct: 20", "max_change_pct: ^101", "out_of_range", "guard.max_change_pct", ""),
        ("min: 1", "min: ^x", "bad_number", "grades.scale.fo.min", ""),
        ("2026-10-23", "^23.10.2026", "bad_day", "guard.freeze[0].from", ""),
        ("to: 2026-11-01", "to: ^2026-10-01", "freeze_backwards", "guard.freeze[0].to", ""),
        ("kundelik:1000001234567", "^kundelik", "bad_side", "pair.right", ""),
        ("kundelik:1000001234567", "^kundelk:1", "unknown_system", "pair.right", "kundelik"),
        ("[Pass, Ill]", "^Pass", "need_list", "attendance.codes.E.same_as", ""),
        ("P: Attend", "P: ^Atend", "unknown_attendance", "attendance.codes.P", "Attend"),
        ("L: Late", "L: ^Attend", "ambiguous_attendance", "attendance.codes.L", ""),
        ("L: Late", "^LATE: Late", "long_acronym", "attendance.codes.LATE", ""),
        ('"assign[idnumber^=SOR]"', '^"assign[idnumber~=SOR]"', "bad_selector",
         'grades.kinds["assign[idnumber~=SOR]"]', ""),
        ('"quiz": fo, "assign', '"*": fo, ^"assign', "unreachable_selector",
         'grades.kinds["assign[idnumber^=SOR]"]', ""),
        ("]\": sor", "]\": ^homework", "no_scale", 'grades.kinds["assign[idnumber^=SOR]"]', ""),
        ("min: 1", "^bands: {x: 1}", "idle_key", "grades.scale.fo.bands", ""),
        ("{from: percent, to: mark10, round: half_up, min: 1}", "^{from: percent, to: letter}", "no_bands",
         "grades.scale.fo", ""),
        ("owner: left", "owner: left\n  ^owner: right", "duplicate_key", "", ""),
        ("version: 1", "version: ^2", "unknown_word", "version", ""),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place_and_the_nearest_right_word(
    old: str, new: str, reason: str, path: str, nearest: str
) -> None:
    assert old in GOOD
    before, _, after = new.partition("^")
    ahead = GOOD[: GOOD.index(old)] + before
    found = only(ahead + after + GOOD[GOOD.index(old) + len(old) :])
    place = (ahead.count("\n") + 1, len(ahead) - ahead.rfind("\n"))
    assert (found.reason, (found.line, found.column), found.path, found.nearest) == (reason, place, path, nearest)


def test_a_value_left_out_is_told() -> None:
    found = broken("closed_period: refuse", "closed_period:")
    assert (found.reason, found.line, found.path) == ("empty_value", 10, "grades.closed_period")


def test_a_missing_key_is_told_where_it_belongs() -> None:
    found = broken("pair: {left: moodle:gymnasium, right: kundelik:1000001234567}", "pair: {left: moodle:gymnasium}")
    assert (found.reason, found.line, found.path) == ("missing_key", 2, "pair.right")


@pytest.mark.parametrize("language", ["kk", "ru", "en"])
def test_a_line_names_file_place_field_and_remedy_in_each_language(language: str, tmp_path: Path) -> None:
    file = tmp_path / "gym.yaml"
    file.write_text(GOOD.replace("owner: left", "ownr: left"), "utf-8")
    line = check(file)[0].render(language)
    assert line.startswith(f"{file}:7:3: grades.ownr: ")
    assert line.count("owner") >= 2


def test_faults_come_in_the_order_of_lines() -> None:
    findings = check(GOOD.replace("max_delete: 0", "max_delete: x").replace("owner: left", "owner: me"))
    assert [finding.line for finding in findings] == [7, 14]


@pytest.mark.parametrize(
    ("second", "overlaps"),
    [
        ('left: {course: "8"}, right: {edu_group: "2244668800112233445", subject: алгебра}', True),
        ('left: {course: "8"}, right: {edu_group: "2244668800112233445"}', True),
        ('left: {course: "7А-ALG-2026"}, right: {edu_group: "2244668800112233445", subject: химия}', True),
        ('left: {course: "8"}, right: {edu_group: "2244668800112233445", subject: химия}', False),
        ('left: {course: "7А-ALG-2026"}, right: {edu_group: "77", subject: алгебра}', False),
    ],
)
def test_groups_that_overlap_are_refused(second: str, overlaps: bool) -> None:
    findings = check(GOOD.replace("grades:\n", f"  - {{{second}}}\ngrades:\n", 1))
    assert [finding.reason for finding in findings] == (["overlapping_groups"] if overlaps else [])


@pytest.mark.parametrize(("system", "keys"), [("kundelik", "course"), ("moodle", "edu_group")])
def test_a_group_takes_the_keys_of_its_system(system: str, keys: str) -> None:
    side = "right" if system == "kundelik" else "left"
    groups = 'groups: [{left: {course: "1"}, right: {edu_group: "2"}}]'.replace(
        'course: "1"' if side == "left" else 'edu_group: "2"', f'{keys}: "3"'
    )
    text = f"version: 1\npair: {{left: moodle:a, right: kundelik:1}}\n{groups}\n"
    assert {finding.reason for finding in check(text)} == {"missing_key", "unknown_key"}


@pytest.mark.parametrize(
    ("text", "reason", "place"),
    [
        ("version: 1\npair:\n\tleft: x\n", "tab", (3, 1)), ("version: 'x", "bad_yaml", (1, 12)),
        ("a: &x 1\nb: *x\n", "yaml_alias", (1, 4)), ("a: *x\n", "yaml_alias", (1, 4)),
        ("a: !!python/object:os.system x", "yaml_tag", (1, 4)), ("a: !env HOME", "yaml_tag", (1, 4)),
        ("[" * 50, "too_deep", (1, 21)), ("", "empty_file", (None, None)), ("- a\n", "bad_shape", (1, 1)),
        ("version: 1\n---\nversion: 1\n", "bad_yaml", (2, 1)), ("a: \x00", "bad_yaml", (None, None)),
        ("? [a]\n: 1\n", "bad_key", (1, 3)), ("#" * 1_100_000, "too_large", (None, None)),
    ],
)  # fmt: skip
def test_what_is_no_plain_yaml_is_refused(text: str, reason: str, place: tuple[int | None, int | None]) -> None:
    found = only(text)
    assert (found.reason, (found.line, found.column)) == (reason, place)


def test_a_key_that_reads_as_a_number_asks_for_quotes() -> None:
    text = GOOD.replace("P: Attend", "5: Attend")
    assert [(f.reason, f.line, f.column) for f in check(text)] == [("quote_key", 13, 11)]


def test_many_aliases_do_not_unfold() -> None:
    bomb = "a: &a [x]\n" + "".join(f"b{n}: &b{n} [*a, *a, *a]\n" for n in range(30))
    assert only(bomb).reason == "yaml_alias"


def test_a_file_that_is_not_there_or_not_utf8_is_a_finding(tmp_path: Path) -> None:
    assert only_of(tmp_path / "none.yaml") == "unreadable"
    file = tmp_path / "old.yaml"
    file.write_bytes("version: 1 # сынып".encode("cp1251"))
    assert only_of(file) == "not_utf8"
    file.write_bytes(b"#" * 2_000_000)
    assert only_of(file) == "too_large"


def only_of(path: Path) -> str:
    [found] = check(path)
    assert found.file == str(path)
    return found.reason


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "gym.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert check(file) == []


def test_loading_a_faulty_file_stops_with_every_finding() -> None:
    with pytest.raises(MappingError) as refused:
        load_mapping(GOOD.replace("owner: left", "ownr: left").replace("max_delete: 0", "max_delete: x"))
    assert [finding.line for finding in refused.value.findings] == [7, 14]
    assert refused.value.reason == "bad_mapping"
    assert "line 7" in str(refused.value)


def test_a_warning_alone_does_not_stop() -> None:
    text = GOOD.replace("scale: {fo:", "scale: {homework: points, fo:")
    assert only(text).severity == "warning"
    assert errors_in(check(text)) == []
    assert load_mapping(text).hash


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(GOOD)), st.integers(0, 6), st.text(alphabet="abx:{}[],'\"-#&*!|> \n\t01", max_size=6))
def test_a_damaged_file_is_told_and_never_crashes(at: int, cut: int, put: str) -> None:
    for finding in check(GOOD[:at] + put + GOOD[at + cut :]):
        assert all(finding.render(language) for language in ("kk", "ru", "en"))


def test_a_district_of_groups_is_checked_without_comparing_each_with_each(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    monkeypatch.setattr("mappings.semantics._overlap", lambda one, other: compared.append((one, other)))
    rows = "".join(f'  - {{left: {{course: "C{n}"}}, right: {{edu_group: "{n}", subject: x}}}}\n' for n in range(300))
    assert check("version: 1\npair: {left: moodle:a, right: kundelik:1}\ngroups:\n" + rows) == []
    assert compared == []


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("kundelik:1000001234567", "moodle:gymnasium", "same_sides"),
        ("to: mark10, round: half_up, min: 1", "to: text", "no_words"),
        ("min: 1", "decimals: 2", "idle_key"),
        ("to: mark10, round: half_up, min: 1", "to: credit, min: 1, bands: {зачёт: 50, незачёт: 0}", "idle_key"),
        ("to: mark10, round: half_up, min: 1", "to: mark5, bands: {x: 1}", "not_on_scale"),
        ("to: mark10, round: half_up, min: 1", 'to: mark5, bands: {"6": 1}', "not_on_scale"),
        ("owner: right", "owner: right\n  blank_is: present", None),
        ("codes: {P: Attend,", "blank_is: present\n  codes: {", "no_present_code"),
        ("I: Ill,", "I: Ill, U: NotSet,", None),
        ("to: mark10, round: half_up, min: 1", "to: credit, bands: {зачёт: 50, незачёт: 0}", None),
    ],
)
def test_a_contradiction_between_keys_is_told(old: str, new: str, reason: str | None) -> None:
    assert old in GOOD
    reasons = {finding.reason for finding in check(GOOD.replace(old, new, 1))}
    assert (reason in reasons) if reason else (reasons == set())
