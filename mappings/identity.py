"""The identity file: a school's table that says once which person of one system is which of another.

It is read whole: every row that can be used, and a finding for every row that cannot. Names in it are not kept.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from connector.base.errors import Record
from connector.base.i18n import N_, Message, say
from mappings.findings import Finding, from_record
from mappings.iin import Iin, parse_iin

MAX_BYTES = 8_388_608
MAX_ROWS = 20_000

_ROUNDED = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]+")
_ID = re.compile(r"[^\s,;]{1,255}")
_FORMULA = re.compile(r'="?([^"]*)"?')
_NUMERIC_IDS = frozenset({"kundelik"})
_COLUMNS = {
    "iin": "iin", "иин": "iin", "жсн": "iin", "жсн иин": "iin", "иин жсн": "iin",
    "idnumber": "idnumber", "id number": "idnumber", "личный номер": "idnumber", "жеке номері": "idnumber",
    "табельный номер": "idnumber",
    "kundelik": "kundelik", "kundelik id": "kundelik", "kundelik person": "kundelik",
    "kundelik person id": "kundelik", "person id": "kundelik", "personid": "kundelik", "күнделік": "kundelik",
    "күнделік id": "kundelik", "id в kundelik": "kundelik", "id kundelik": "kundelik", "id в күнделік": "kundelik",
    "moodle": "moodle", "moodle id": "moodle", "moodle user": "moodle", "id в moodle": "moodle",
    "lti user id": "lti_advantage", "lti sub": "lti_advantage", "sub": "lti_advantage", "user id": "lti_advantage",
    "bilimclass": "bilimclass", "bilimclass id": "bilimclass", "id в bilimclass": "bilimclass",
    "аты-жөні": "", "аты жөні": "", "тегі": "", "аты": "", "әкесінің аты": "", "тегі аты әкесінің аты": "",
    "фио": "", "ф.и.о.": "", "фамилия": "", "имя": "", "отчество": "", "name": "", "full name": "", "surname": "",
    "first name": "", "last name": "", "класс": "", "сынып": "", "class": "", "№": "", "no": "", "n": "",
}  # fmt: skip
"""What a header says, by its folded text; an empty text is known and not kept (names, class, row number)."""


@dataclass(frozen=True)
class IdentityRow:
    """One person: what the file joins. The IIN stays out of ``repr``.

    Attributes:
        line: Line of the file, counted from 1, the header's being 1.
        iin: The IIN, where the row has one.
        idnumber: The school's own number, where it has one.
        person_ids: Ids by system (``{"kundelik": "1000…"}``), text always.
    """

    line: int
    iin: Iin | None = field(default=None, repr=False)
    idnumber: str | None = None
    person_ids: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class IdentityFile:
    """What was read: usable rows, and findings for the rest; whoever asked decides whether to go on."""

    rows: tuple[IdentityRow, ...]
    findings: tuple[Finding, ...]


def read_identity_file(data: bytes, name: str = "") -> IdentityFile:
    """Read a CSV file (``;``, ``,`` or tab; UTF-8 with or without BOM, UTF-16, cp1251).

    Args:
        data: The file's bytes.
        name: Its name, for findings.
    """
    reader = _Reader(name)
    if len(data) > MAX_BYTES:
        reader.fail(1, "too_large", say(N_("The file has more than {limit} MiB."), limit=MAX_BYTES // 1_048_576))
        return reader.result()
    text = _decode(data)
    if "\x00" in text:
        reader.fail(1, "not_csv", say(N_("This is not a CSV file: save the table as CSV (UTF-8).")))
        return reader.result()
    lines = _lines(text)
    header = next(lines, None)
    if header is None:
        reader.fail(1, "empty_file", say(N_("The file is empty.")))
    elif reader.take_header(header[1], header[0]):
        try:
            reader.take_rows(lines)
        except csv.Error as error:
            reader.fail(1, "not_csv", say(N_("This is not a CSV file: {problem}."), problem=error))
    return reader.result()


def _decode(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1251", "replace")


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells) of every row that is not blank; the header's commonest separator serves all."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(";,\t", key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    while True:
        line = rows.line_num + 1
        row = next(rows, None)
        if row is None:
            return
        if any(cell.strip() for cell in row):
            yield line, row


def _fold(header: str) -> str:
    text = header.replace("\u00a0", " ").replace("_", " ").replace("/", " ").replace("\ufeff", "").casefold()
    return " ".join(text.split()).strip(" \"':")


class _Reader:
    """Collect rows and findings; an id seen twice is told at both places."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._columns: list[str | None] = []
        self._rows: list[IdentityRow] = []
        self._findings: list[Finding] = []
        self._seen: dict[tuple[str, str], int] = {}
        self._bad_lines: set[int] = set()
        self._long: list[tuple[int, bool]] = []

    def result(self) -> IdentityFile:
        rows = tuple(row for row in self._rows if row.line not in self._bad_lines)
        return IdentityFile(rows, tuple(sorted(self._findings, key=lambda finding: finding.line or 0)))

    def fail(self, line: int, reason: str, message: Message, column: int | None = None) -> None:
        self._bad_lines.add(line)
        self._findings.append(Finding(reason, message, "error", self._name, line, column))

    def take_header(self, cells: list[str], line: int) -> bool:
        self._columns = [_COLUMNS.get(_fold(cell)) for cell in cells]
        kept = [column for column in self._columns if column]
        for index, cell in enumerate(cells):
            if self._columns[index] is None and cell.strip():
                said = say(N_("The column “{column}” is not known and is not read."), column=cell.strip()[:60])
                self._findings.append(Finding("unknown_column", said, "warning", self._name, line, index + 1))
        if len(set(kept)) < len(kept):
            self.fail(line, "double_column", say(N_("Two columns of the header say the same.")))
        elif len(kept) < 2:
            message = N_(
                "The header must name two of: IIN, idnumber, Kundelik person id, Moodle id. One joins nothing."
            )
            self.fail(line, "no_columns", say(message))
        else:
            return True
        return False

    def take_rows(self, lines: Iterable[tuple[int, list[str]]]) -> None:
        for count, (line, cells) in enumerate(lines, 1):
            if count > MAX_ROWS:
                self.fail(line, "too_many_rows", say(N_("The file has more than {limit} rows."), limit=MAX_ROWS))
                return
            self._take(line, cells)
        self._refuse_rounded()

    def _refuse_rounded(self) -> None:
        """Refuse long ids that end in zeros when most of them do: a spreadsheet keeps 15 digits and no more."""
        rounded = [line for line, zeros in self._long if zeros]
        if len(rounded) * 2 < len(self._long):
            return
        for line in rounded:
            message = N_("The id ends in zeros as a spreadsheet leaves them after 15 digits: export it again as text.")
            self.fail(line, "rounded_id", say(message))

    def _take(self, line: int, cells: list[str]) -> None:
        if len(cells) > len(self._columns) and any(cell.strip() for cell in cells[len(self._columns) :]):
            self.fail(line, "too_many_cells", say(N_("The row has more cells than the header.")))
            return
        iin: Iin | None = None
        ids: dict[str, str] = {}
        for index, (column, cell) in enumerate(zip(self._columns, cells, strict=False), 1):
            text = _unwrap(cell)
            if not column or not text:
                continue
            try:
                if column == "iin":
                    iin = parse_iin(text)
                    self._findings += [warning.at(self._name, line, index) for warning in iin.warnings]
                else:
                    ids[column] = _read_id(text, column)
                    if column in _NUMERIC_IDS and len(text) > 16:
                        self._long.append((line, not text[15:].strip("0")))
            except Record as error:
                self._findings.append(from_record(error).at(self._name, line, index))
                self._bad_lines.add(line)
        self._keep(line, iin, ids)

    def _keep(self, line: int, iin: Iin | None, ids: dict[str, str]) -> None:
        for key in [*ids.items(), *([("iin", iin.text)] if iin else [])]:
            earlier = self._seen.setdefault(key, line)
            if earlier != line:
                message = N_("The {column} of this row stands in line {other} as well: one number is one person's.")
                self.fail(line, "double_id", say(message, column=key[0], other=earlier))
                self.fail(earlier, "double_id", say(message, column=key[0], other=line))
        if line in self._bad_lines:
            return
        if len(ids) + (iin is not None) < 2:
            self.fail(line, "joins_nothing", say(N_("The row has fewer than two numbers, so it joins nothing.")))
            return
        idnumber = ids.pop("idnumber", None)
        self._rows.append(IdentityRow(line, iin, idnumber, ids))


def _unwrap(cell: str) -> str:
    """Return a cell without the wrapping a spreadsheet keeps texts in (``="012"``, a leading apostrophe)."""
    text = cell.replace("\u00a0", " ").strip().lstrip("'")
    match = _FORMULA.fullmatch(text)
    return (match[1] if match else text).strip()


def _read_id(text: str, column: str) -> str:
    if _ROUNDED.fullmatch(text):
        message = N_("A spreadsheet has rounded the id: set the column's format to text and export again.")
        raise Record("rounded_id", say(message))
    if column in _NUMERIC_IDS and re.fullmatch(r"[1-9][0-9]{0,19}", text) is None:
        message = N_("This is not a {column} id: it takes digits only.")
        raise Record("bad_id", say(message, column=column))
    if _ID.fullmatch(text) is None:
        raise Record("bad_id", say(N_("This is not a {column} id."), column=column))
    return text
