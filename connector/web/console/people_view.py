"""People as a person checks them: who is linked and how, who waits for a word, who is on one side only."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from connector.base.i18n import N_, Message, say
from connector.web.console.names import Names
from sync.model import Role
from sync.reconcile.match import MATCH_REASONS, explain_match
from sync.runs import people as joining
from sync.store import cells, people, proposals
from sync.store.people import id_type
from sync.store.proposals import Proposal
from sync.store.tables.audit import audit

_HOW: dict[str, str] = {
    "idnumber": N_("identity file, by the school's own number"),
    "iin": N_("identity file, by IIN"),
    "iin_hmac": N_("both systems have the same IIN"),
    "moodle": N_("identity file, by the LMS's id"),
    "lti_advantage": N_("identity file, by the LMS's id"),
    "accepted": N_("accepted by a person"),
    "proven": N_("proved by an identifier"),
    "linked": N_("linked before"),
}


@dataclass(frozen=True)
class Linked:
    """A pupil of both sides."""

    person: str
    left: str
    right: str
    how: Message | str


@dataclass(frozen=True)
class Proposed:
    """A pair that waits for a person's word.

    Attributes:
        id: The proposal.
        left: The pupil's name in the school's record.
        left_id: The school's own number of the pupil; the LMS's id where it tells no number.
        right: The name in the journal.
        right_id: The journal's id.
        reason: Why the pair is proposed, or waits.
    """

    id: str
    left: str
    left_id: str
    right: str
    right_id: str
    reason: Message | str


@dataclass(frozen=True)
class Alone:
    """A pupil of one side only; ``person`` is empty for somebody of the journal."""

    name: str
    reason: Message | str
    person: str = ""


@dataclass
class GroupPeople:
    """One class: who is who."""

    id: str
    title: str
    linked: list[Linked] = field(default_factory=list)
    proposed: list[Proposed] = field(default_factory=list)
    waiting: list[Proposed] = field(default_factory=list)
    left_only: list[Alone] = field(default_factory=list)
    right_only: list[Alone] = field(default_factory=list)

    @property
    def open(self) -> int:
        """How many pairs wait for a person."""
        return len(self.proposed) + len(self.waiting)


def view_people(db: Connection, names: Names) -> list[GroupPeople]:
    """Return every mapped class."""
    connection = names.connection
    pairs = joining.links(db, connection)
    how = _how(db, names)
    open_ = proposals.of(db, connection.school, connection.id)
    names.load_people([*pairs, *(one.person for one in open_)])
    numbers = _numbers(db, names, open_)
    return [_group(db, names, link, pairs, how, open_, numbers) for link in names.groups]


def _group(
    db: Connection,
    names: Names,
    link: str,
    pairs: dict[str, tuple[str, str]],
    how: dict[str, Message | str],
    open_: list[Proposal],
    numbers: dict[str, str],
) -> GroupPeople:
    lefts, rights = names.roster("left", link), names.roster("right", link)
    made = GroupPeople(link, names.group(link))
    pupils = _pupils(db, names, link)
    made.linked = [
        Linked(whom, names.person(whom), rights[right], how.get(whom, ""))
        for whom, (left, right) in pairs.items()
        if left in lefts and right in rights and left in pupils
    ]
    made.linked.sort(key=lambda one: names.by_class_list(link, one.person))
    seats = {line.external_id: line.position for line in people.roster(db, names.connection.school, link, "right")}
    for one in sorted(open_, key=lambda one: (seats.get(one.right_id, 0), numbers.get(one.person, ""))):
        if one.group_link == link:
            target = made.proposed if one.state == "proposed" else made.waiting
            right, reason = rights.get(one.right_id, ""), _reason(one.reason or one.how)
            target.append(
                Proposed(one.id, names.person(one.person), numbers.get(one.person, ""), right, one.right_id, reason)
            )
    _differences(db, names, link, made)
    return made


def _pupils(db: Connection, names: Names, link: str) -> set[str]:
    found = cells.people(db, names.connection.school, names.connection.id, "left", link)
    return {person.id for person in found if person.role is Role.PUPIL}


def _numbers(db: Connection, names: Names, open_: list[Proposal]) -> dict[str, str]:
    """Return what tells namesakes of the LMS apart."""
    key = names.connection.left
    known = people.identifiers(db, names.connection.school, {one.person for one in open_})
    return {whom: ids.get(("idnumber", key)) or ids.get((id_type(key), key), "") for whom, ids in known.items()}


def _reason(code: str) -> Message | str:
    return explain_match(code) if code in MATCH_REASONS else code


def _differences(db: Connection, names: Names, link: str, made: GroupPeople) -> None:
    asked = {one.right_id for one in (*made.proposed, *made.waiting)}
    owners = people.by_identifier(db, names.connection.school, id_type(names.connection.left), names.connection.left)
    for apart in joining.differences(db, names.connection, names.groups[link]):
        if apart.side == "right" and apart.external_id in asked:
            continue
        target = made.left_only if apart.side == "left" else made.right_only
        person = owners.get(apart.external_id, "") if apart.side == "left" else ""
        target.append(Alone(apart.name or f"№ {apart.external_id[-6:]}", _reason(apart.reason), person))


def _how(db: Connection, names: Names) -> dict[str, Message | str]:
    """Return how each person was linked: as the audit tells it, else as surely as their id is kept."""
    connection = names.connection
    kind = id_type(connection.right)
    sure = people.confidence_of(db, connection.school, kind, connection.right)
    owners = people.by_identifier(db, connection.school, kind, connection.right)
    found = {whom: _said(sure.get(value, "linked")) for value, whom in owners.items()}
    query = (
        select(audit.c.entries)
        .where(
            audit.c.school_id == connection.school,
            audit.c.connection == connection.id,
            audit.c.action == "people_joined",
        )
        .order_by(audit.c.seq)
    )
    for entries in db.scalars(query):
        for entry in entries:
            whom = str(entry["key"]).rpartition("|")[2]
            if whom in found:
                found[whom] = _said(entry["why"] if entry["why"] in _HOW else "accepted")
    return found


def _said(code: str) -> Message | str:
    return say(_HOW[code]) if code in _HOW else code
