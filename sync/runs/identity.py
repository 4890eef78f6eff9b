"""What a person says about who is who: merge two accounts, split them, pin a link, and look at the history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from sync.runs import people as joining
from sync.runs.merging import merge_rows, split_rows
from sync.runs.runtime import SyncRuntime
from sync.store import connections, identity, people, proposals
from sync.store.connections import SyncConnection
from sync.store.identity import Doubt, Event
from sync.store.people import PersonRow, id_type
from sync.store.tables.people import enrolment, identifier


@dataclass(frozen=True)
class IdLine:
    """An id somebody goes or went by; an IIN is never among them.

    Attributes:
        type: ``lti_sub``, ``kundelik_person``, ``idnumber``, ….
        issuer: The system that gave it.
        value: The id.
        first_seen: Since when.
        last_seen: When it was last seen.
        ended_at: When it stopped being theirs; None while it is.
    """

    type: str
    issuer: str
    value: str
    first_seen: datetime
    last_seen: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class Stay:
    """A class somebody is or was in, on one side."""

    group: str
    side: str
    external_id: str
    first_seen: datetime
    last_seen: datetime
    active: bool


@dataclass(frozen=True)
class History:
    """Everything known about who somebody is.

    Attributes:
        person: The person; the name is empty once erased.
        left: The LMS's id whose values are carried, or empty.
        right: The journal's id, or empty.
        pinned: A person fixed the link.
        merged_into: Whose second account this is, or empty.
        second_accounts: People that are second accounts of this one.
        doubt: Why no value is carried, where two sources disagree.
        ids: All ids, ended ones included.
        stays: Classes by side.
        events: Who said what, and when.
    """

    person: PersonRow
    left: str
    right: str
    pinned: bool
    merged_into: str
    second_accounts: tuple[str, ...]
    doubt: Doubt | None
    ids: tuple[IdLine, ...]
    stays: tuple[Stay, ...]
    events: tuple[Event, ...]


def merge(
    runtime: SyncRuntime, school: str, connection_id: str, kept: str, gone: str, *, who: str, note: str = ""
) -> None:
    """Make one person's account the second account of another; see ``merging.merge_rows``.

    Raises:
        Fatal: They cannot be merged.
    """
    connection = runtime.connection(school, connection_id)
    with runtime.writing(school) as db:
        merge_rows(db, school, kept, gone, who=who, now=runtime.clock(), note=note)
        _match_anew(db, connection, runtime.clock())


def split(runtime: SyncRuntime, school: str, connection_id: str, person: str, *, who: str, note: str = "") -> str:
    """Take a person apart again: their merge, else their link to the journal; return ``merge`` or ``link``.

    Raises:
        Fatal: There is nothing to take apart (``nothing_to_split``), it is not clear what
            (``several_accounts``), or it is pinned (``pinned``).
    """
    with runtime.reading(school) as db:
        merges = identity.merges(db, school)
        known = joining.known_links(db, connections.get(db, school, connection_id))
    seconds = [one.person for one in merges.values() if one.kept == person]
    which = person if person in merges else seconds[0] if len(seconds) == 1 else ""
    if len(seconds) > 1:
        text = N_("Several accounts were merged into this person; name one of them: {ids}.")
        raise Fatal("several_accounts", say(text, ids=", ".join(sorted(seconds))))
    if which:
        connection = runtime.connection(school, connection_id)
        with runtime.writing(school) as db:
            split_rows(db, school, which, who=who, now=runtime.clock(), note=note)
            _match_anew(db, connection, runtime.clock())
        return "merge"
    if person not in known:
        raise Fatal("nothing_to_split", say(N_("This person is neither linked nor merged.")))
    joining.part(runtime, school, connection_id, person, who=who, note=note)
    return "link"


def pin(
    runtime: SyncRuntime, school: str, connection_id: str, person: str, *, who: str, note: str = "", right: str = ""
) -> None:
    """Fix a link, so that no file, no IIN and no proposal moves it; with ``right`` make it first.

    Raises:
        Fatal: The person is not linked (``not_linked``), or the journal's id is not in its mapped classes or is
            somebody else's (``not_free``).
    """
    connection = runtime.connection(school, connection_id)
    now = runtime.clock()
    with runtime.writing(school) as db:
        if right:
            _link(db, connection, person, right, who, now, note)
        if person not in joining.known_links(db, connection):
            raise Fatal("not_linked", say(N_("This person is not linked in this connection.")))
        identity.set_pin(db, school, connection.id, person, who, now)
        identity.note(db, school, [Event(person, "pinned", who, now, connection.id, note=note)])
        _match_anew(db, connection, now)


def _link(
    db: Connection, connection: SyncConnection, person: str, right: str, who: str, now: datetime, note: str
) -> None:
    groups = connections.groups(db, connection.school, connection.id)
    there = {line.external_id for link in groups for line in people.roster(db, connection.school, link.id, "right")}
    joined = joining.known_links(db, connection).get(person, ("", ""))[1] == right
    if right not in there or not joining.link_by_hand(db, connection, person, right, who, now, note, known=joined):
        text = N_("The journal's id is not in a mapped class, or one of the two is linked to somebody else.")
        raise Fatal("not_free", say(text))
    proposals.forget_no(db, connection.school, connection.id, person, right)


def unpin(runtime: SyncRuntime, school: str, connection_id: str, person: str, *, who: str, note: str = "") -> None:
    """Let a link be moved again.

    Raises:
        Fatal: It is not pinned (``not_pinned``).
    """
    connection = runtime.connection(school, connection_id)
    now = runtime.clock()
    with runtime.writing(school) as db:
        if person not in identity.pins(db, school, connection.id):
            raise Fatal("not_pinned", say(N_("The link of this person is not pinned.")))
        identity.drop_pin(db, school, connection.id, person)
        identity.note(db, school, [Event(person, "unpinned", who, now, connection.id, note=note)])
        _match_anew(db, connection, now)


def _match_anew(db: Connection, connection: SyncConnection, now: datetime) -> None:
    for link in connections.groups(db, connection.school, connection.id):
        joining.match_and_propose(db, connection, link, now)


def find_person(db: Connection, connection: SyncConnection, wanted: str) -> str:
    """Return whom a person at the command line means: our id, or an id of either system.

    Raises:
        Fatal: Nobody goes by it (``no_such_person``).
    """
    school = connection.school
    for key in (connection.left, connection.right):
        owners = people.by_identifier(db, school, id_type(key), key)
        if wanted in owners:
            return owners[wanted]
    if people.people(db, school, [wanted]):
        return wanted
    raise Fatal("no_such_person", say(N_("The school's record has no such person.")))


def history(db: Connection, connection: SyncConnection, person: str) -> History:
    """Return everything known about who somebody is.

    Raises:
        Fatal: The school's record has nobody of this id (``no_such_person``).
    """
    school = connection.school
    known = people.people(db, school, [person])
    if person not in known:
        raise Fatal("no_such_person", say(N_("The school's record has no such person.")))
    merges = identity.merges(db, school)
    ids = people.identifiers(db, school, [person]).get(person, {})
    return History(
        known[person],
        ids.get((id_type(connection.left), connection.left), ""),
        ids.get((id_type(connection.right), connection.right), ""),
        person in identity.pins(db, school, connection.id),
        merges[person].kept if person in merges else "",
        tuple(sorted(one.person for one in merges.values() if one.kept == person)),
        identity.doubts(db, school, connection.id).get(person),
        _ids(db, school, person),
        _stays(db, connection, person, ids),
        tuple(identity.events(db, school, person)),
    )


def _ids(db: Connection, school: str, person: str) -> tuple[IdLine, ...]:
    table = identifier.c
    where = (table.school_id == school, table.person == person, table.type != joining.IIN[0])
    rows = db.execute(select(identifier).where(*where).order_by(table.first_seen, table.id))
    return tuple(IdLine(r.type, r.issuer, r.value, r.first_seen, r.last_seen, r.ended_at) for r in rows)


def _stays(
    db: Connection, connection: SyncConnection, person: str, ids: dict[tuple[str, str], str]
) -> tuple[Stay, ...]:
    titles = {link.id: link.title for link in connections.groups(db, connection.school, connection.id)}
    table = enrolment.c
    mine = (table.person == person) | (
        (table.side == "right") & (table.external_id == ids.get((id_type(connection.right), connection.right), ""))
    )
    where = (table.school_id == connection.school, table.group_link.in_(list(titles)), mine)
    rows = db.execute(select(enrolment).where(*where).order_by(table.first_seen, table.side))
    return tuple(
        Stay(titles[r.group_link], r.side, r.external_id, r.first_seen, r.last_seen, bool(r.active)) for r in rows
    )
