"""Holds as a table: a row per change, words in the reader's language, and no text a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from openpyxl import load_workbook

from connector.base.i18n import translate
from connector.db.database import Database
from sync.runs import hold_files
from sync.runs.view import held_lines
from tests.sync.kit import joined


@pytest.mark.parametrize(
    "text", ["=1+1", "+7", "-3", "@SUM(A1)", " =1", "\t=1", "＝1", "-2+3", "--", "=cmd|'/C calc'!A0"]
)
def test_a_formula_is_put_down_as_text_and_a_number_stays_a_number(text: str) -> None:
    number = text in ("+7", "-3")
    assert hold_files.neutral(text) == (text if number else "'" + text)


@pytest.mark.parametrize("text", ["8", "4-", "7А", "", "Әсел", "н/а", "5+"])
def test_ordinary_words_and_marks_stay_as_they_are(text: str) -> None:
    assert hold_files.neutral(text) == text


def test_everything_that_waits_is_in_both_files(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    made.left.people[0] = replace(made.left.people[0], family='=HYPERLINK("http://x","y")')
    plan = made.plan()
    lines = held_lines(made.runtime, made.school, made.connection)
    assert len(lines) == plan.pending == 5
    rows = hold_files.hold_rows(lines, lambda message: translate(message, "ru"))
    table = list(csv.reader(io.StringIO(hold_files.as_csv(rows).decode("utf-8-sig")), delimiter=";"))
    assert table[0][2] == "Ученик"
    assert len(table) == 6
    assert any(row[2].startswith("'=HYPERLINK") for row in table)
    sheet = load_workbook(io.BytesIO(hold_files.as_xlsx(rows))).worksheets[0]
    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s"}
    assert sum(str(cell.value).startswith("=HYPERLINK") for cell in cells) >= 1
