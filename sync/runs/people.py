"""Who is who: rosters kept, people joined by a file or by accepted proposals; names alone never join anybody."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, update

from connector.base.errors import Record
from connector.base.i18n import N_, say
from connector.db.tables.launches import account
from connector.db.types import dump_json
from mappings.findings import Finding
from mappings.identity import IdentityRow as FileRow
from mappings.identity import read_identity_file
from mappings.iin import Iin, iin_hash, parse_iin
from mappings.names import is_damaged
from sync.model import Person, Role
from sync.reconcile.match import Link, MatchResult, match_people
from sync.runs.runtime import SyncRuntime
from sync.store import audit, cells, connections, people, proposals
from sync.store.connections import GroupLink, SyncConnection
from sync.store.people import Member, id_type
from sync.store.proposals import Proposal
from sync.store.sql import batches

IIN = ("iin_hmac", "kz")
"""Type and issuer under which a keyed hash of an IIN is an identifier: the state gives it, whatever system says it."""
_TWELVE = re.compile(r"[0-9]{12}")


class HashIin:
    """Turn IINs into their keyed hashes; the school's key is opened when the first one comes."""

    def __init__(self, key: Callable[[], str]) -> None:
        """Take what opens the key."""
        self._open = key
        self._key = ""

    def __call__(self, iin: Iin) -> str:
        """Return the join key of a number."""
        self._key = self._key or self._open()
        return iin_hash(self._key, iin)

    def clean(self, person: Person) -> Person:
        """Return a person whose identifiers hold no IIN in the clear: schools type it into idnumber and logins."""
        kept: dict[str, str] = {}
        for kind, value in person.identifiers.items():
            iin = _iin_in(value)
            if iin is None:
                kept[kind] = value
            else:
                kept["iin_hmac"] = self(iin)
        return replace(person, identifiers=kept)


def _iin_in(value: str) -> Iin | None:
    if not _TWELVE.fullmatch(value.strip()):
        return None
    try:
        return parse_iin(value)
    except Record:
        return None


IDENTITIES = 1_000
"""Joined people that are in memory at a time while all are hashed."""


@dataclass(frozen=True)
class RosterDifference:
    """Who of a group is on one side only; nobody is made anywhere because of it.

    Attributes:
        group_link: The group.
        side: The side that has them: ``left`` (the LMS) or ``right`` (the journal).
        external_id: That side's id.
        name: As that side writes it.
        reason: Why there is no partner (``match.explain_match``).
        candidates: The other side's ids that came into question.
    """

    group_link: str
    side: str
    external_id: str
    name: str
    reason: str
    candidates: tuple[str, ...] = ()


def keep_roster(
    db: Connection, connection: SyncConnection, link: GroupLink, side: str, found: Sequence[Person], now: datetime,
    *, complete: bool,
) -> None:  # fmt: skip
    """Keep a side's roster; people of the left become people of the school's record, those of the right wait."""
    school = connection.school
    key = connection.left if side == "left" else connection.right
    known = people.by_identifier(db, school, id_type(key), key)
    if side == "left":
        kept = people.people(db, school, known.values())
        for one in found:
            known[one.id] = _keep_left(db, school, key, one, known.get(one.id), kept, now)
    members = [Member(one.id, one.role, place, one.active, known.get(one.id)) for place, one in enumerate(found)]
    people.save_roster(db, school, link.id, side, members, now, complete=complete)


def _keep_left(
    db: Connection, school: str, key: str, one: Person, whom: str | None, kept: dict[str, people.PersonRow],
    now: datetime,
) -> str:  # fmt: skip
    family, given = (one.family, one.given) if one.family or one.given else ("", one.full_name)
    if whom is None:
        whom = people.add_person(db, school, family, given, one.patronymic, now)
    elif (
        whom in kept
        and (kept[whom].family, kept[whom].given, kept[whom].patronymic) != (family, given, one.patronymic)
        and not is_damaged(f"{family} {given} {one.patronymic}")
    ):
        people.rename(db, school, whom, family, given, one.patronymic)
    people.give_identifier(db, school, whom, id_type(key), key, one.id, "linked", now)
    for kind, value in one.identifiers.items():
        if kind == IIN[0]:
            people.give_identifier(db, school, whom, *IIN, value, "proven", now)
        elif kind == "idnumber":
            people.give_identifier(db, school, whom, kind, key, value, "proven", now)
    return whom


def note_accounts(db: Connection, connection: SyncConnection, issuer: str) -> None:
    """Tell launch accounts which synced person stands behind them, so that an erasure reaches both."""
    key = connection.left
    for sub, whom in people.by_identifier(db, connection.school, id_type(key), key).items():
        where = (account.c.school_id == connection.school, account.c.issuer == issuer, account.c.sub == sub)
        db.execute(update(account).where(*where, account.c.person_id.is_distinct_from(whom)).values(person_id=whom))


def links(db: Connection, connection: SyncConnection) -> dict[str, tuple[str, str]]:
    """Return the joined people: internal id → (left id, right id)."""
    lefts = people.by_identifier(db, connection.school, id_type(connection.left), connection.left)
    rights = people.by_identifier(db, connection.school, id_type(connection.right), connection.right)
    by_person = {whom: value for value, whom in rights.items()}
    return {whom: (value, by_person[whom]) for value, whom in lefts.items() if whom in by_person}


def identity_hash(db: Connection, connection: SyncConnection) -> str:
    """Return a digest of who is who: a plan made under another one is stale."""
    digest, mark = hashlib.sha256(b"["), b""
    left, right = ((id_type(key), key) for key in (connection.left, connection.right))
    for batch in batches(people.joined(db, connection.school, left, right), IDENTITIES):
        digest.update(mark + dump_json([(whom, (mine, theirs)) for whom, mine, theirs in batch])[1:-1].encode())
        mark = b","
    digest.update(b"]")
    return digest.hexdigest()


def match_group(db: Connection, connection: SyncConnection, link: GroupLink) -> MatchResult:
    """Match both kept rosters of a group by everything that is known."""
    school = connection.school
    left = cells.people(db, school, connection.id, "left", link.id)
    right = cells.people(db, school, connection.id, "right", link.id)
    known = [Link(*pair) for pair in links(db, connection).values()]
    return match_people(_pupils(left), _pupils(right), known)


def _pupils(found: Iterable[Person]) -> list[Person]:
    return [person for person in found if person.role is Role.PUPIL]


def match_and_propose(db: Connection, connection: SyncConnection, link: GroupLink, now: datetime) -> MatchResult:
    """Link what is certain, and put what names suggest before a person."""
    school = connection.school
    found = match_group(db, connection, link)
    lefts = people.by_identifier(db, school, id_type(connection.left), connection.left)
    rules = connection.mapping.file.identity
    for pair in found.linked:
        if pair.rule == IIN[0] and "iin" in rules.join:
            _join(db, connection, lefts[pair.left], pair.right, "proven", now)
    wanted: list[Proposal] = []
    if rules.propose:
        wanted += [
            Proposal("", link.id, lefts[pair.left], pair.right, pair.rule, "", "proposed") for pair in found.proposed
        ]
        wanted += [
            Proposal("", link.id, lefts[apart.id], right, "name+class", apart.reason, "waiting")
            for apart in found.ambiguous
            for right in apart.candidates
        ]
    proposals.replace(db, school, connection.id, link.id, wanted, now)
    return found


def _join(db: Connection, connection: SyncConnection, whom: str, right: str, confidence: str, now: datetime) -> bool:
    """Let a person go by a right-side id; False when either is taken."""
    school, key = connection.school, connection.right
    if not people.give_identifier(db, school, whom, id_type(key), key, right, confidence, now):
        return False
    groups = [link.id for link in connections.groups(db, school, connection.id)]
    people.set_enrolled_person(db, school, groups, right, whom)
    return True


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
            _join(db, connection, line.person, line.right_id, "proven", now)
        _audit_joins(db, connection, "people_joined", who, [(line.person, line.how) for line in fresh], now)
    return replace(preview, applied=True)


class _Joining:
    """Judge the rows of a file against the school's record and both rosters."""

    def __init__(self, db: Connection, connection: SyncConnection, hashes: dict[int, str], name: str) -> None:
        school, left, right = connection.school, connection.left, connection.right
        self._hashes, self._name = hashes, name
        self._left_kind, self._right_kind = left.partition(":")[0], right.partition(":")[0]
        self._ways = connection.mapping.file.identity.join
        self._by_iin = people.by_identifier(db, school, *IIN)
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
        if row.line in self._hashes and "iin" in self._ways:
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


def _audit_joins(
    db: Connection, connection: SyncConnection, action: str, who: str, joined: Iterable[tuple[str, str]], now: datetime
) -> None:
    entries = [
        audit.Entry(f"person|||{person}", "joined" if action != "people_parted" else "parted", (None, None),
                    (None, None), how)
        for person, how in joined
    ]  # fmt: skip
    if entries:
        audit.append(db, connection.school, connection.id, action, who, entries, now)


def propose(runtime: SyncRuntime, school: str, connection_id: str) -> list[Proposal]:
    """Match the kept rosters anew and return the proposals that wait for a person."""
    connection = runtime.connection(school, connection_id)
    now = runtime.clock()
    with runtime.writing(school) as db:
        for link in connections.groups(db, school, connection.id):
            match_and_propose(db, connection, link, now)
        return proposals.of(db, school, connection.id)


@dataclass(frozen=True)
class Accepted:
    """What became of accepted proposals.

    Attributes:
        joined: Proposals whose people are joined now.
        refused: Proposals whose person or journal id was taken meanwhile.
    """

    joined: tuple[str, ...]
    refused: tuple[str, ...]


def accept(runtime: SyncRuntime, school: str, connection_id: str, ids: Sequence[str] | None, *, who: str) -> Accepted:
    """Join the people of these proposals; None means all that are certain enough to be taken in bulk.

    Namesakes are never taken in bulk: a person names each of them.
    """
    connection = runtime.connection(school, connection_id)
    now = runtime.clock()
    with runtime.writing(school) as db:
        waiting = proposals.of(db, school, connection_id)
        chosen = [one for one in waiting if (one.state == "proposed" if ids is None else one.id in set(ids))]
        joined = [one for one in chosen if _join(db, connection, one.person, one.right_id, "linked", now)]
        proposals.decide(db, school, connection_id, [one.id for one in joined], "accepted", who, now)
        _audit_joins(db, connection, "people_joined", who, [(one.person, one.how) for one in joined], now)
        for link in connections.groups(db, school, connection.id):
            match_and_propose(db, connection, link, now)
    done = {one.id for one in joined}
    return Accepted(tuple(sorted(done)), tuple(one.id for one in chosen if one.id not in done))


def reject(runtime: SyncRuntime, school: str, connection_id: str, ids: Sequence[str], *, who: str) -> None:
    """Set proposals aside for good: the same pair is not proposed again."""
    with runtime.writing(school) as db:
        proposals.decide(db, school, connection_id, ids, "rejected", who, runtime.clock())


def part(runtime: SyncRuntime, school: str, connection_id: str, person: str, *, who: str) -> None:
    """Undo a join: the journal's id means nobody any more, and plans made under it are stale."""
    connection = runtime.connection(school, connection_id)
    now = runtime.clock()
    with runtime.writing(school) as db:
        known = people.identifiers(db, school, [person]).get(person, {})
        value = known.get((id_type(connection.right), connection.right))
        if value is None:
            return
        people.end_identifier(db, school, id_type(connection.right), connection.right, value, now)
        groups = [link.id for link in connections.groups(db, school, connection.id)]
        people.set_enrolled_person(db, school, groups, value, None)
        _audit_joins(db, connection, "people_parted", who, [(person, "person")], now)


def differences(db: Connection, connection: SyncConnection, link: GroupLink) -> list[RosterDifference]:
    """Return who of a group is on one side only."""
    school = connection.school
    names = {
        (side, person.id): person.full_name or f"{person.family} {person.given}".strip()
        for side in ("left", "right")
        for person in cells.people(db, school, connection.id, side, link.id)
    }
    found = match_group(db, connection, link)
    lefts = [("left", apart) for apart in (*found.left_only, *found.conflicts)]
    rights = [("right", apart) for apart in found.right_only]
    return [
        RosterDifference(link.id, side, apart.id, names.get((side, apart.id), ""), apart.reason, apart.candidates)
        for side, apart in (*lefts, *rights)
    ]
