"""Who is who: rosters kept, people joined by a file or by accepted proposals; names alone never join anybody."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, update

from connector.base.errors import Fatal, Record
from connector.base.i18n import N_, say
from connector.db.tables.launches import account
from connector.db.types import dump_json
from mappings.iin import Iin, iin_hash, parse_iin
from mappings.names import fold_name, is_damaged
from sync.model import Person, Role
from sync.reconcile.match import Link, MatchResult, match_people
from sync.runs.merging import forget_bases, merge_rows
from sync.runs.runtime import SyncRuntime
from sync.store import audit, cells, connections, identity, people, proposals
from sync.store.connections import GroupLink, SyncConnection
from sync.store.identity import Doubt, Event
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
        how = _renaming(kept[whom], family, given, one.patronymic)
        people.rename(db, school, whom, family, given, one.patronymic)
        identity.note(db, school, [Event(whom, "renamed", "system", now, how=how)])
    people.give_identifier(db, school, whom, id_type(key), key, one.id, "linked", now)
    for kind, value in one.identifiers.items():
        if kind in (IIN[0], "idnumber"):
            place = IIN if kind == IIN[0] else (kind, key)
            changed = people.follow_identifier(db, school, whom, *place, value, "proven", now)
            identity.note(db, school, [Event(whom, "id_changed", "system", now, how=kind)] if changed else [])
    return whom


def _renaming(known: people.PersonRow, *name: str) -> str:
    """Tell another spelling from another name, without keeping either in the history."""
    return "spelling" if fold_name(known.name) == fold_name(" ".join(name)) else "name"


def note_accounts(db: Connection, connection: SyncConnection, issuer: str) -> None:
    """Tell launch accounts which synced person stands behind them, so that an erasure reaches both."""
    key = connection.left
    for sub, whom in people.by_identifier(db, connection.school, id_type(key), key).items():
        where = (account.c.school_id == connection.school, account.c.issuer == issuer, account.c.sub == sub)
        db.execute(update(account).where(*where, account.c.person_id.is_distinct_from(whom)).values(person_id=whom))


def links(db: Connection, connection: SyncConnection) -> dict[str, tuple[str, str]]:
    """Return the joined people whose values may be carried: internal id → (left id, right id).

    Second accounts, and people whom two sources link differently, are not among them.
    """
    doubted = identity.doubts(db, connection.school, connection.id)
    return {whom: pair for whom, pair in known_links(db, connection).items() if whom not in doubted}


def known_links(db: Connection, connection: SyncConnection) -> dict[str, tuple[str, str]]:
    """Return every joined person but second accounts, those in doubt included."""
    lefts = people.by_identifier(db, connection.school, id_type(connection.left), connection.left)
    rights = people.by_identifier(db, connection.school, id_type(connection.right), connection.right)
    by_person = {whom: value for value, whom in rights.items()}
    second = identity.merges(db, connection.school)
    return {whom: (value, by_person[whom]) for value, whom in lefts.items() if whom in by_person and whom not in second}


def identity_hash(db: Connection, connection: SyncConnection) -> str:
    """Return a digest of who is who: a plan made under another one is stale."""
    digest, mark = hashlib.sha256(b"["), b""
    left, right = ((id_type(key), key) for key in (connection.left, connection.right))
    apart = {*identity.merges(db, connection.school), *identity.doubts(db, connection.school, connection.id)}
    found = (row for row in people.joined(db, connection.school, left, right) if row[0] not in apart)
    for batch in batches(found, IDENTITIES):
        digest.update(mark + dump_json([(whom, (mine, theirs)) for whom, mine, theirs in batch])[1:-1].encode())
        mark = b","
    digest.update(b"]")
    return digest.hexdigest()


def match_group(db: Connection, connection: SyncConnection, link: GroupLink) -> MatchResult:
    """Match both kept rosters of a group by everything that is known; second accounts are nobody of their own."""
    school = connection.school
    lefts = people.by_identifier(db, school, id_type(connection.left), connection.left)
    second = identity.merges(db, school)
    left = [
        person
        for person in cells.people(db, school, connection.id, "left", link.id)
        if lefts.get(person.id) not in second
    ]
    right = cells.people(db, school, connection.id, "right", link.id)
    known = known_links(db, connection)
    fixed = identity.pins(db, school, connection.id)
    pinned = [Link(*pair) for whom, pair in known.items() if whom in fixed]
    return match_people(pupils(left), pupils(right), [Link(*pair) for pair in known.values()], pinned=pinned)


def pupils(found: Iterable[Person]) -> list[Person]:
    """Return the pupils among people."""
    return [person for person in found if person.role is Role.PUPIL]


def match_and_propose(db: Connection, connection: SyncConnection, link: GroupLink, now: datetime) -> MatchResult:
    """Link what is certain, put what names suggest before a person, and stop whoever two sources link differently."""
    school = connection.school
    found = match_group(db, connection, link)
    lefts = people.by_identifier(db, school, id_type(connection.left), connection.left)
    rules = connection.mapping.file.identity
    parted = proposals.rejected(db, school, connection.id)
    proven = [(lefts[pair.left], pair.right) for pair in found.linked if pair.rule == IIN[0] and "iin" in rules.join]
    made = [
        (whom, IIN[0])
        for whom, right in proven
        if (whom, right) not in parted and join(db, connection, whom, right, "proven", now)
    ]
    note_joins(db, connection, "people_joined", "system", made, now)
    proposals.replace(db, school, connection.id, link.id, _proposals(link, found, lefts) if rules.propose else [], now)
    doubted = [
        Doubt(lefts[apart.id], link.id, apart.reason, apart.candidates, now)
        for apart in found.conflicts
        if apart.id in lefts
    ]
    seen = (*found.linked, *found.proposed, *found.conflicts, *found.left_only, *found.ambiguous)
    here = [
        lefts[left] for left in (getattr(one, "left", "") or getattr(one, "id", "") for one in seen) if left in lefts
    ]
    identity.save_doubts(db, school, connection.id, link.id, here, doubted)
    return found


def _proposals(link: GroupLink, found: MatchResult, lefts: dict[str, str]) -> list[Proposal]:
    sure = [Proposal("", link.id, lefts[one.left], one.right, one.rule, "", "proposed") for one in found.proposed]
    return sure + [
        Proposal("", link.id, lefts[apart.id], right, "name+class", apart.reason, "waiting")
        for apart in found.ambiguous
        for right in apart.candidates
    ]


def join(db: Connection, connection: SyncConnection, whom: str, right: str, confidence: str, now: datetime) -> bool:
    """Let a person go by a right-side id; False when either is taken."""
    school, key = connection.school, connection.right
    if not people.give_identifier(db, school, whom, id_type(key), key, right, confidence, now):
        return False
    groups = [link.id for link in connections.groups(db, school, connection.id)]
    people.set_enrolled_person(db, school, groups, right, whom)
    return True


def link_by_hand(
    db: Connection,
    connection: SyncConnection,
    whom: str,
    right: str,
    who: str,
    now: datetime,
    note: str,
    *,
    known: bool,
) -> bool:
    """Join two whom a person named; False when either is taken. ``known``: they are joined so already."""
    if known:
        return True
    if not join(db, connection, whom, right, "linked", now):
        return False
    note_joins(db, connection, "people_joined", who, [(whom, "person")], now, note)
    return True


def note_joins(
    db: Connection,
    connection: SyncConnection,
    action: str,
    who: str,
    joined: Sequence[tuple[str, str]],
    now: datetime,
    note: str = "",
) -> None:
    """Write joins or partings into the audit and into each person's history."""
    entries = [
        audit.Entry(f"person|||{person}", "joined" if action != "people_parted" else "parted", (None, None),
                    (None, None), how)
        for person, how in joined
    ]  # fmt: skip
    if entries:
        audit.append(db, connection.school, connection.id, action, who, entries, now)
        known = people.identifiers(db, connection.school, [entry.key.rpartition("|")[2] for entry in entries])
        place = (id_type(connection.right), connection.right)
        identity.note(
            db,
            connection.school,
            [
                Event(
                    person,
                    "parted" if action == "people_parted" else "joined",
                    who,
                    now,
                    connection.id,
                    external_id=known.get(person, {}).get(place, ""),
                    how=how,
                    note=note,
                )
                for person, how in joined
            ],
        )


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
        joined = [one for one in chosen if _take(db, connection, one, who, now)]
        proposals.decide(db, school, connection_id, [one.id for one in joined], "accepted", who, now)
        note_joins(db, connection, "people_joined", who, [(one.person, one.how) for one in joined], now)
        for link in connections.groups(db, school, connection.id):
            match_and_propose(db, connection, link, now)
    done = {one.id for one in joined}
    return Accepted(tuple(sorted(done)), tuple(one.id for one in chosen if one.id not in done))


def _take(db: Connection, connection: SyncConnection, one: Proposal, who: str, now: datetime) -> bool:
    """Join a proposed pair; a new account takes over from the one that is not in the class any more."""
    if one.how == "new_account":
        rights = people.by_identifier(db, connection.school, id_type(connection.right), connection.right)
        owner = rights.get(one.right_id)
        if owner is not None and owner != one.person:
            merge_rows(db, connection.school, one.person, owner, who=who, now=now, how="new_account")
            return True
    return join(db, connection, one.person, one.right_id, "linked", now)


def reject(runtime: SyncRuntime, school: str, connection_id: str, ids: Sequence[str], *, who: str) -> None:
    """Set proposals aside for good: the same pair is not proposed again."""
    with runtime.writing(school) as db:
        proposals.decide(db, school, connection_id, ids, "rejected", who, runtime.clock())


def part(runtime: SyncRuntime, school: str, connection_id: str, person: str, *, who: str, note: str = "") -> None:
    """Undo a join: the journal's id means nobody any more, plans made under it are stale, and it is not joined again.

    What was agreed for the pair is forgotten: it says nothing about the person's next account.

    Raises:
        Fatal: The link is pinned (``pinned``).
    """
    connection = runtime.connection(school, connection_id)
    now = runtime.clock()
    with runtime.writing(school) as db:
        known = people.identifiers(db, school, [person]).get(person, {})
        value = known.get((id_type(connection.right), connection.right))
        if value is None:
            return
        if person in identity.pins(db, school, connection.id):
            raise Fatal("pinned", say(N_("The link of this person is pinned; unpin it first.")))
        note_joins(db, connection, "people_parted", who, [(person, "person")], now, note)
        people.end_identifier(db, school, id_type(connection.right), connection.right, value, now)
        groups = connections.groups(db, school, connection.id)
        people.set_enrolled_person(db, school, [link.id for link in groups], value, None)
        forget_bases(db, school, [person], "people_parted", who, now)
        proposals.say_no(db, connection, person, value, groups, who, now)
        for link in groups:
            match_and_propose(db, connection, link, now)


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
