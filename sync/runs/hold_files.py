"""Held changes as a file for a spreadsheet; whatever a spreadsheet would run as a formula is put down as text."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import cast

from openpyxl import Workbook
from openpyxl.cell.cell import Cell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from connector.base.i18n import N_, Message, say
from sync.runs.view import ChangeLine, why_held

Say = Callable[[Message], str]
CSV_TYPE = "text/csv; charset=utf-8"
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_HEADS = (
    N_("Class"), N_("Work or lesson"), N_("Pupil"), N_("Written to"), N_("Now"), N_("Then"), N_("Other system"),
    N_("Last agreed"), N_("Why it waits"), N_("Code"), N_("Rule"), N_("Cell"),
)  # fmt: skip
_SIDES = {"left": N_("LMS"), "right": N_("journal")}
_WIDTHS = (22, 34, 34, 12, 10, 10, 14, 14, 60, 16, 50, 40)


def neutral(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula (OWASP, CSV injection); a plain number stays one."""
    if not text.lstrip(" ").startswith(_FORMULA):
        return text
    number = text.lstrip("+-").replace(".", "", 1).replace(",", "", 1)
    return text if text[:1] in "+-" and number.isascii() and number.isdigit() else "'" + text


def hold_rows(lines: Sequence[ChangeLine], put: Say) -> list[list[str]]:
    """Return the heads and one row per held change, in the language of ``put``."""
    return [[put(say(head)) for head in _HEADS], *(_row(line, put) for line in lines)]


def _row(line: ChangeLine, put: Say) -> list[str]:
    side = put(say(_SIDES[line.side])) if line.side in _SIDES else ""
    values = (line.before, line.after, line.source, line.base)
    why = (put(why_held(line.held_by)), line.held_by, put(line.why), line.key)
    return [line.group, line.item, line.person, side, *("" if value is None else value for value in values), *why]


def as_csv(rows: Sequence[Sequence[str]]) -> bytes:
    """Return rows as CSV that a spreadsheet opens as it is: UTF-8 with its mark, semicolons, no formula."""
    out = io.StringIO()
    csv.writer(out, delimiter=";", lineterminator="\r\n").writerows([neutral(text) for text in row] for row in rows)
    return ("\ufeff" + out.getvalue()).encode("utf-8")


def as_xlsx(rows: Sequence[Sequence[str]]) -> bytes:
    """Return rows as a workbook whose cells are all text."""
    book = Workbook()
    [sheet] = book.worksheets
    sheet.title = "Kopir"
    sheet.freeze_panes = "A2"
    for place, width in enumerate(_WIDTHS, 1):
        sheet.column_dimensions[get_column_letter(place)].width = width
    for number, row in enumerate(rows, 1):
        for place, text in enumerate(row, 1):
            cell = cast(Cell, sheet.cell(number, place))
            cell.value = "".join(letter for letter in text if letter >= " " or letter in "\t\n")
            # Set as text by hand: a leading "=" would make a formula of it.
            cell.data_type = "s"
            cell.number_format = "@"
            cell.font = Font(bold=number == 1)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
