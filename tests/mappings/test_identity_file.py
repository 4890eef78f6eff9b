from __future__ import annotations

import pytest

from mappings.identity import IdentityFile, read_identity_file

HEADER = "Аты-жөні;ЖСН;Kundelik person id"
FIRST = "Қасымова Айгүл;120901600120;1000000000000000001"
SECOND = "Нұрлан Ерлан;120901600208;1000000000000000002"


def read(*lines: str, encoding: str = "utf-8") -> IdentityFile:
    return read_identity_file("\r\n".join(lines).encode(encoding), "pupils.csv")


def reasons(file: IdentityFile) -> list[tuple[int | None, str]]:
    return [(finding.line, finding.reason) for finding in file.findings]


def test_rows_join_iin_and_person_id_and_drop_names() -> None:
    file = read(HEADER, FIRST, SECOND)
    assert file.findings == ()
    assert [(row.line, row.iin and row.iin.text, row.person_ids) for row in file.rows] == [
        (2, "120901600120", {"kundelik": "1000000000000000001"}),
        (3, "120901600208", {"kundelik": "1000000000000000002"}),
    ]
    assert "Қасымова" not in repr(file)
    assert "120901" not in repr(file)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_encodings_and_separators_are_recognised(encoding: str, separator: str) -> None:
    lines = [line.replace(";", separator) for line in (HEADER, FIRST)]
    assert read(*lines, encoding=encoding).rows[0].person_ids == {"kundelik": "1000000000000000001"}


def test_a_cp1251_file_is_read() -> None:
    file = read("ФИО;ИИН;idnumber", "Иванов Иван;120901600120;П-7", encoding="cp1251")
    assert [(row.idnumber, row.iin and row.iin.text) for row in file.rows] == [("П-7", "120901600120")]


def test_bad_rows_are_named_and_good_rows_stay() -> None:
    file = read(HEADER, FIRST, "x;120901600121;5", "y;120901600309;2.24447E+18", "z;;7", SECOND)
    assert reasons(file) == [(3, "iin_checksum"), (4, "rounded_id"), (5, "joins_nothing")]
    assert [row.line for row in file.rows] == [2, 6]


def test_one_number_in_two_rows_takes_both_out() -> None:
    file = read(HEADER, FIRST, "b;120901600120;5")
    assert reasons(file) == [(2, "double_id"), (3, "double_id")]
    assert file.rows == ()


def test_ids_that_lost_their_last_digits_are_refused() -> None:
    file = read(HEADER, "a;120901600120;1000012345678900000", "b;120901600208;1000012345678910000")
    assert reasons(file) == [(2, "rounded_id"), (3, "rounded_id")]


def test_one_id_that_happens_to_end_in_zeros_is_read() -> None:
    rows = [f"n;;{1000012345678900000 + number};P{number}" for number in (0, 1, 2, 3)]
    assert len(read(HEADER + ";idnumber", *rows).rows) == 4


def test_a_lost_zero_is_put_back_and_told() -> None:
    file = read(HEADER, "a;101500001;5")
    assert reasons(file) == [(2, "iin_padded")]
    assert file.rows[0].iin is not None
    assert file.rows[0].iin.text == "000101500001"


def test_a_spreadsheets_wrapping_is_taken_off() -> None:
    file = read("ИИН,idnumber", '"=""120901600120""",\'0012')
    assert [(row.iin and row.iin.text, row.idnumber) for row in file.rows] == [("120901600120", "0012")]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("",), "empty_file"), (("Фамилия;Имя", "а;б"), "no_columns"), (("ИИН;ЖСН;sub", "1;2;3"), "double_column"),
        (("ИИН", "1"), "no_columns"), (("PK\x03\x04\x00\x00",), "not_csv"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_says_why(lines: tuple[str, ...], reason: str) -> None:
    file = read(*lines)
    assert file.rows == ()
    assert reason in [finding.reason for finding in file.findings]


def test_an_unknown_column_warns_and_is_not_read() -> None:
    file = read("ЖСН;idnumber;Телефон", "120901600120;7;+7701")
    assert [(f.reason, f.severity, f.column) for f in file.findings] == [("unknown_column", "warning", 3)]
    assert len(file.rows) == 1


def test_no_message_repeats_what_a_cell_holds() -> None:
    file = read(HEADER, "a;Қасымова;Айгүл", "b;120901600121;9O1")
    assert len(file.findings) == 4
    assert not [f for f in file.findings for secret in ("Қасымова", "Айгүл", "120901600121", "9O1") if secret in str(f)]


def test_a_huge_file_is_refused_before_it_is_read() -> None:
    file = read_identity_file(b"a" * 9_000_000)
    assert [finding.reason for finding in file.findings] == ["too_large"]


def test_a_row_longer_than_the_header_is_refused() -> None:
    assert reasons(read(HEADER, FIRST + ";left;over", SECOND)) == [(2, "too_many_cells")]
    assert reasons(read(HEADER, FIRST + ";;", SECOND)) == []


def test_a_cell_longer_than_any_id_is_a_finding() -> None:
    assert "not_csv" in [reason for _, reason in reasons(read(HEADER, FIRST, '"' + "a" * 200_000))]


def test_rows_beyond_the_limit_are_told_and_not_silently_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mappings.identity.MAX_ROWS", 1)
    file = read(HEADER, FIRST, SECOND)
    assert reasons(file) == [(3, "too_many_rows")]
    assert [row.line for row in file.rows] == [2]


@pytest.mark.parametrize("cell", ["a b", "x" * 300])
def test_an_id_with_spaces_or_without_end_is_refused(cell: str) -> None:
    assert reasons(read("idnumber;ИИН", f"{cell};120901600120")) == [(2, "bad_id")]
