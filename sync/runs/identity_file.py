"""Join people by an uploaded file: shown line by line first, then all of it or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from connector.base.i18n import N_, say
from mappings.findings import Finding
from mappings.identity import IdentityRow as FileRow
from mappings.identity import read_identity_file
from sync.runs.people import IIN, HashIin, join, note_joins
from sync.runs.runtime import SyncRuntime
from sync.store import cells, connections, people, proposals
from sync.store.connections import SyncConnection
from sync.store.people import id_type


@dataclass(frozen=True)
class JoinLine:
    """One line of an identity file, as it would join.

    Attributes:
        line: Line of the file.
        person: The person, by internal id.
        name: Their name in the school's record.
        left_id: The left system's id.
        right_id: The right system's id.
        how: ``idnumber``, ``iin`` or the left system's own id.
        known: They are joined so already.
    """

    line: int
    person: str
    name: str
    left_id: str
    right_id: str
    how: str
    known: bool


@dataclass(frozen=True)
class JoinPreview:
    """What an identity file would do, or did.

    Attributes:
        lines: The joins.
        findings: What is wrong with the file or its rows; an error applies nothing of it.
        applied: The joins were made.
    """

    lines: tuple[JoinLine, ...]
    findings: tuple[Finding, ...]
    applied: bool = False

    @property
    def usable(self) -> bool:
        """Tell whether the file may be applied."""
        return bool(self.lines) and all(finding.severity != "error" for finding in self.findings)


def join_by_file(
    runtime: SyncRuntime, school: str, connection_id: str, data: bytes, *, name: str = "", who: str = "",
    apply: bool = False,
) -> JoinPreview:  # fmt: skip
    """Read an identity file and show whom it joins; with ``apply`` join them, all or nobody.

    Args:
        runtime: The application's parts.
        school: The school.
        connection_id: The connection.
        data: The file: CSV with two or more of IIN, idnumber, the left system's id, the right system's person id.
        name: Its name, for findings.
        who: Who applies it.
        apply: Join; a file with any error joins nobody.
    """
    hasher = HashIin(lambda: runtime.school_key(school))
    connection = runtime.connection(school, connection_id)
    read = read_identity_file(data, name)
    hashes = {row.line: hasher(row.iin) for row in read.rows if row.iin is not None}
    with runtime.writing(school) if apply else runtime.reading(school) as db:
        lines, findings = _Joining(db, connection, hashes, name).judge(read.rows)
        preview = JoinPreview(tuple(lines), (*read.findings, *findings))
        if not apply or not preview.usable:
            return preview
        now = runtime.clock()
        fresh = [line for line in lines if not line.known]
        for line in fresh:
            join(db, connection, line.person, line.right_id, "proven", now)
            proposals.forget_no(db, school, connection_id, line.person, line.right_id)
        note_joins(db, connection, "people_joined", who, [(line.person, line.how) for line in fresh], now)
    return replace(preview, applied=True)


class _Joining:
    """Judge the rows of a file against the school's record and both rosters."""

    def __init__(self, db: Connection, connection: SyncConnection, hashes: dict[int, str], name: str) -> None:
        school, left, right = connection.school, connection.left, connection.right
        self._hashes, self._name = hashes, name
        self._left_kind, self._right_kind = left.partition(":")[0], right.partition(":")[0]
        self._ways = connection.mapping.file.identity.join
        self._by_iin = people.by_identifier(db, school, *IIN)
        self._shared = _shared_iins(db, connection)
        self._by_number = people.by_identifier(db, school, "idnumber", left)
        self._by_left = people.by_identifier(db, school, id_type(left), left)
        self._by_right = people.by_identifier(db, school, id_type(right), right)
        self._left_of = {whom: value for value, whom in self._by_left.items()}
        self._right_of = {whom: value for value, whom in self._by_right.items()}
        groups = [link.id for link in connections.groups(db, school, connection.id)]
        self._journal = {line.external_id for link in groups for line in people.roster(db, school, link, "right")}
        self._people = people.people(db, school, self._by_left.values())

    def judge(self, rows: Sequence[FileRow]) -> tuple[list[JoinLine], list[Finding]]:
        """Return the joins, and why other rows join nobody."""
        lines: list[JoinLine] = []
        findings: list[Finding] = []
        for row in rows:
            outcome = self._one(row)
            if isinstance(outcome, Finding):
                findings.append(outcome)
            else:
                lines.append(outcome)
        return lines, findings + self._doubled(lines)

    def _one(self, row: FileRow) -> JoinLine | Finding:
        right = row.person_ids.get(self._right_kind)
        if right is None:
            return self._say(row, "no_right_id", N_("The row names no person of the journal."), "warning")
        whom, how = self._person(row)
        if whom is None and self._hashes.get(row.line) in self._shared:
            return self._say(
                row, "shared_iin", N_("Two accounts of the LMS have this IIN, so it proves neither."), "warning"
            )
        if whom is None or whom not in self._left_of:
            return self._say(row, "not_in_lms", N_("Nobody in the LMS goes by this row's number."), "warning")
        if right not in self._journal:
            text = N_("The journal's classes that are mapped have nobody with this id.")
            return self._say(row, "not_in_journal", text, "warning")
        if self._by_right.get(right, whom) != whom or self._right_of.get(whom, right) != right:
            return self._say(row, "joined_otherwise", N_("One of the two is joined to somebody else already."), "error")
        name = self._people[whom].name if whom in self._people else ""
        return JoinLine(row.line, whom, name, self._left_of[whom], right, how, known=self._right_of.get(whom) == right)

    def _person(self, row: FileRow) -> tuple[str | None, str]:
        if row.line in self._hashes and "iin" in self._ways and self._hashes[row.line] not in self._shared:
            found = self._by_iin.get(self._hashes[row.line])
            if found is not None:
                return found, "iin"
        if row.idnumber is not None:
            found = self._by_number.get(row.idnumber)
            if found is not None:
                return found, "idnumber"
        for kind in (self._left_kind, "lti_advantage", "moodle"):
            found = self._by_left.get(row.person_ids.get(kind, ""))
            if found is not None:
                return found, kind
        return None, ""

    def _doubled(self, lines: Sequence[JoinLine]) -> list[Finding]:
        seen: dict[str, int] = {}
        findings = []
        for line in lines:
            if seen.setdefault(line.person, line.line) != line.line:
                text = N_("Another row names the same person.")
                findings.append(Finding("double_person", say(text), "error", self._name, line.line))
        return findings

    def _say(self, row: FileRow, reason: str, text: str, severity: str) -> Finding:
        return Finding(reason, say(text), "error" if severity == "error" else "warning", self._name, row.line)


def _shared_iins(db: Connection, connection: SyncConnection) -> frozenset[str]:
    """Return the hashes of IINs that two accounts of the left have: mistyped, a sibling's, or a teacher's own."""
    owners: dict[str, set[str]] = {}
    for link in connections.groups(db, connection.school, connection.id):
        for person in cells.people(db, connection.school, connection.id, "left", link.id):
            owners.setdefault(person.identifiers.get(IIN[0], ""), set()).add(person.id)
    return frozenset(value for value, whose in owners.items() if value and len(whose) > 1)
