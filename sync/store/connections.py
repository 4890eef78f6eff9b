"""Pairs of systems as they are stored: their mapping with its versions, their sealed credentials, their groups."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, insert, select, update

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.base.ids import new_id
from connector.base.secrets import Vault
from mappings.load import load_mapping
from mappings.rings import find_rings
from mappings.rules import Mapping
from sync.store.sql import batches, upsert
from sync.store.tables.connections import connection, group_link, item_link, mapping_version, schedule


@dataclass(frozen=True)
class Refusal:
    """The right side was seen to take no writes of one kind of cells.

    Attributes:
        reason: The code of the refusal: ``not_offered``, ``out_of_scope``.
        since: When it was first seen.
        tried_at: When a write was last tried.
    """

    reason: str
    since: datetime
    tried_at: datetime


@dataclass(frozen=True)
class SyncConnection:
    """One pair of systems of one school.

    Attributes:
        school: The school's id.
        id: The connection's id.
        left: Key of the left system: ``moodle:gymnasium``.
        right: Key of the right system: ``kundelik:1000001234567``.
        mapping: The mapping in force.
        mapping_text: Its file, as it was given.
        mapping_version: Rises by one with every change of its meaning.
        settings: By side, what is no secret: addresses, registration, deployment.
        told_read_only: A person said that the right side is not written, whatever it could do.
        refusals: What the right side was seen to take no writes of, by kind of cells (``grade``, ``attendance``).
        state: ``active``, ``paused`` or ``removed``.
        first: No plan of the pair was approved by a person yet.
        last_run: The last run.
        last_good_at: When a run last ended well.
        sealed: Credentials, sealed.
    """

    school: str
    id: str
    left: str
    right: str
    mapping: Mapping
    mapping_text: str
    mapping_version: int
    settings: dict[str, dict[str, Any]]
    told_read_only: bool
    refusals: AnyMapping[str, Refusal]
    state: str
    first: bool
    last_run: str | None
    last_good_at: datetime | None
    sealed: str = field(default="", repr=False)

    @property
    def read_only(self) -> bool:
        """Tell whether marks come out as an entry sheet: a person said so, or the journal refused to be written."""
        return not self.may_write("grade")

    def may_write(self, kind: str) -> bool:
        """Tell whether the right side may be written as far as this connection knows, by kind of cells."""
        return not self.told_read_only and kind not in self.refusals

    def credentials(self, vault: Vault) -> dict[str, dict[str, str]]:
        """Open the credentials, by side.

        Raises:
            Fatal: No key of the installation opens them.
        """
        opened: dict[str, dict[str, str]] = json.loads(vault.open(self.sealed)) if self.sealed else {}
        return opened


@dataclass(frozen=True)
class GroupLink:
    """A group of the left and the group and subject of the right it is taught to; the scope of reads and plans.

    ``touched`` is a new word whenever something was written that a comparison of the group depends on.
    """

    id: str
    connection: str
    left_group: str
    right_group: str
    right_subject: str
    title: str
    touched: str = field(default="", compare=False)


@dataclass(frozen=True)
class ItemLink:
    """A work of the left and what stands for it on the right.

    Attributes:
        id: Internal id, the ``item`` of cell keys.
        group_link: The scope.
        left_item: The left system's id.
        right_item: The right system's id; empty until the work is made.
        right_lesson: The lesson it hangs on, where one was found.
        kind: What its marks count as.
        how: ``linked``, ``tag``, ``title+date``, ``placed`` or ``person``.
    """

    id: str
    group_link: str
    left_item: str
    right_item: str
    right_lesson: str
    kind: str
    how: str


def _refusal(raw: AnyMapping[str, str]) -> Refusal:
    return Refusal(raw["reason"], datetime.fromisoformat(raw["since"]), datetime.fromisoformat(raw["tried_at"]))


@lru_cache(maxsize=256)
def _mapping(text: str) -> Mapping:
    """Read a stored mapping; a run asks for its connection many times, and a mapping never changes."""
    return load_mapping(text)


def _of_row(row: Any) -> SyncConnection:
    return SyncConnection(
        row.school_id,
        row.id,
        row.left_key,
        row.right_key,
        _mapping(row.mapping_text),
        row.mapping_text,
        row.mapping_version,
        row.settings,
        bool(row.read_only),
        {kind: _refusal(one) for kind, one in row.refusals.items()},
        row.state,
        row.first_approved_at is None,
        row.last_run,
        row.last_good_at,
        row.sealed_credentials,
    )


def add(
    db: Connection,
    school: str,
    mapping_text: str,
    now: datetime,
    *,
    settings: AnyMapping[str, Any],
    credentials: AnyMapping[str, Any],
    vault: Vault,
    read_only: bool | None = None,
) -> str:
    """Make a connection from a checked mapping and return its id; the same pair again keeps its id.

    For a pair that is known, whatever is not given stays: each setting by its name (an empty one takes it away), the
    credentials of each side as a whole, whether the journal may be written, and whether the connection is paused.

    Raises:
        MappingError: The mapping cannot be used.
        Fatal: The known credentials cannot be opened to keep a side of them, or values would go round through the
            school's connections (``write_ring``).
    """
    mapping = load_mapping(mapping_text)
    pair = mapping.file.pair
    known = find(db, school, pair.left, pair.right)
    _refuse_ring(db, school, mapping)
    if known is not None:
        state = "active" if known.state == "removed" else known.state
        values: dict[str, Any] = {"settings": _merged(known.settings, settings), "state": state}
        if credentials:
            values["sealed_credentials"] = _sealed({**known.credentials(vault), **credentials}, vault)
        _update(db, school, known.id, values)
        if read_only is not None:
            set_read_only(db, school, known.id, read_only=read_only)
        change_mapping(db, school, known.id, mapping_text, now)
        return known.id
    made = new_id()
    db.execute(
        insert(connection).values(
            school_id=school,
            id=made,
            left_key=pair.left,
            right_key=pair.right,
            mapping_text=mapping_text,
            mapping_hash=mapping.hash,
            mapping_version=1,
            settings=_merged({}, settings),
            sealed_credentials=_sealed(credentials, vault),
            read_only=int(read_only or False),
            state="active",
            created_at=now,
        )
    )
    _add_version(db, school, made, 1, mapping, mapping_text, now)
    _disarm(db, school, made)
    return made


def _merged(known: AnyMapping[str, AnyMapping[str, Any]], given: AnyMapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the settings of both sides, name by name; an empty value takes a setting away."""
    found: dict[str, dict[str, Any]] = {}
    for side in {**known, **given}:
        both = {**known.get(side, {}), **given.get(side, {})}
        found[side] = {name: value for name, value in both.items() if value not in ("", None)}
    return found


def _sealed(credentials: AnyMapping[str, Any], vault: Vault) -> str:
    return vault.seal(json.dumps(dict(credentials))) if credentials else ""


def _add_version(
    db: Connection, school: str, which: str, version: int, mapping: Mapping, text: str, now: datetime
) -> None:
    own = {"school_id": school, "connection": which, "version": version}
    db.execute(insert(mapping_version).values(**own, hash=mapping.hash, text=text, made_at=now))


def change_mapping(db: Connection, school: str, which: str, text: str, now: datetime) -> None:
    """Put another mapping in force; one that means the same keeps the version.

    Raises:
        MappingError: The mapping cannot be used.
        Fatal: It is another pair's (``other_pair``), or values would go round (``write_ring``).
    """
    mapping = load_mapping(text)
    known = get(db, school, which)
    if (mapping.file.pair.left, mapping.file.pair.right) != (known.left, known.right):
        raise Fatal("other_pair", say(N_("This mapping is for another pair of systems.")))
    _refuse_ring(db, school, mapping)
    version = known.mapping_version
    if mapping.hash != known.mapping.hash:
        version += 1
        _add_version(db, school, which, version, mapping, text, now)
    _update(db, school, which, {"mapping_text": text, "mapping_hash": mapping.hash, "mapping_version": version})
    _disarm(db, school, which)


def _refuse_ring(db: Connection, school: str, mapping: Mapping) -> None:
    """Refuse a mapping through which, with the school's others, values would go round; the others stay in force."""
    others = {f"{one.left} ↔ {one.right}": one.mapping.file for one in every(db, school)}
    pair = mapping.file.pair
    mine = f"{pair.left} ↔ {pair.right}"
    ring = next((one for one in find_rings({**others, mine: mapping.file}) if mine in one.names), None)
    if ring is not None:
        raise Fatal("write_ring", ring.message)


def _disarm(db: Connection, school: str, which: str) -> None:
    """Have the next hour of the schedule worked out anew: its mapping is another one."""
    row: dict[str, Any] = {"school_id": school, "connection": which, "overrides": {}, "slot": "", "next_at": None}
    upsert(db, schedule, [row], keep=("overrides",))


def _update(db: Connection, school: str, which: str, values: AnyMapping[str, Any]) -> None:
    where = (connection.c.school_id == school, connection.c.id == which)
    db.execute(update(connection).where(*where).values(dict(values)))


def set_read_only(db: Connection, school: str, which: str, *, read_only: bool) -> None:
    """Say whether the right side may be written at all; a yes forgets what was refused, so that it is tried anew."""
    _update(db, school, which, {"read_only": int(read_only)} | ({} if read_only else {"refusals": {}}))


def note_refusal(db: Connection, school: str, which: str, kind: str, reason: str, now: datetime) -> SyncConnection:
    """Remember that the right side takes no writes of a kind of cells; return the connection as it is now."""
    known = get(db, school, which).refusals.get(kind)
    since = known.since if known is not None else now
    return _keep_refusals(db, school, which, {kind: Refusal(reason, since, now)})


def lift_refusal(db: Connection, school: str, which: str, kind: str) -> SyncConnection:
    """Forget a refusal: a write of this kind was taken; return the connection as it is now."""
    return _keep_refusals(db, school, which, {kind: None})


def _keep_refusals(db: Connection, school: str, which: str, changed: AnyMapping[str, Refusal | None]) -> SyncConnection:
    found = {**get(db, school, which).refusals, **changed}
    kept = {
        kind: {"reason": one.reason, "since": one.since.isoformat(), "tried_at": one.tried_at.isoformat()}
        for kind, one in found.items()
        if one is not None
    }
    _update(db, school, which, {"refusals": kept})
    return get(db, school, which)


def set_state(db: Connection, school: str, which: str, state: str) -> None:
    """Pause, resume or remove a connection."""
    _update(db, school, which, {"state": state})


def note_run(db: Connection, school: str, which: str, run: str, *, good_at: datetime | None) -> None:
    """Remember the last run, and when one last ended well."""
    _update(db, school, which, {"last_run": run} | ({"last_good_at": good_at} if good_at else {}))


def note_first_approval(db: Connection, school: str, which: str, now: datetime) -> None:
    """Remember that a person approved the pair's first plan."""
    where = (connection.c.school_id == school, connection.c.id == which, connection.c.first_approved_at.is_(None))
    db.execute(update(connection).where(*where).values(first_approved_at=now))


def get(db: Connection, school: str, which: str) -> SyncConnection:
    """Return a connection.

    Raises:
        Fatal: This school has none with this id (``no_such_connection``).
    """
    row = db.execute(select(connection).where(connection.c.school_id == school, connection.c.id == which)).first()
    if row is None:
        raise Fatal("no_such_connection", say(N_("This school has no such connection.")))
    return _of_row(row)


def find(db: Connection, school: str, left: str, right: str) -> SyncConnection | None:
    """Return the connection of a pair, if there is one."""
    where = (
        connection.c.school_id == school,
        connection.c.left_key == left,
        connection.c.right_key == right,
    )
    row = db.execute(select(connection).where(*where)).first()
    return None if row is None else _of_row(row)


def every(db: Connection, school: str) -> list[SyncConnection]:
    """Return the school's connections that were not removed, by when they were made."""
    rows = db.execute(
        select(connection)
        .where(connection.c.school_id == school, connection.c.state != "removed")
        .order_by(connection.c.id)
    )
    return [_of_row(row) for row in rows]


def save_groups(db: Connection, school: str, which: str, pairs: Sequence[tuple[str, str, str, str]]) -> list[GroupLink]:
    """Keep the resolved groups (left, right, right subject, title); those no longer mapped become inactive."""
    table = group_link
    known = {(row.left_group, row.right_group, row.right_subject): row for row in _group_rows(db, school, which)}
    mine = (table.c.school_id == school, table.c.connection == which)
    wanted = {pair[:3] for pair in pairs}
    gone = [row.id for key, row in known.items() if row.active and key not in wanted]
    for batch in batches(gone):
        db.execute(update(table).where(*mine, table.c.id.in_(batch)).values(active=0))
    for left, right, subject, title in pairs:
        row = known.get((left, right, subject))
        if row is None:
            own = {"school_id": school, "id": new_id(), "connection": which, "left_group": left, "right_group": right}
            db.execute(insert(table).values(**own, right_subject=subject, title=title, active=1))
        elif not row.active or row.title != title:
            db.execute(update(table).where(*mine, table.c.id == row.id).values(active=1, title=title))
    return groups(db, school, which)


def _group_rows(db: Connection, school: str, which: str) -> list[Any]:
    table = group_link
    where = (table.c.school_id == school, table.c.connection == which)
    return list(db.execute(select(table).where(*where).order_by(table.c.id)))


def groups(db: Connection, school: str, which: str) -> list[GroupLink]:
    """Return the groups that are mapped now, by id."""
    return [
        GroupLink(row.id, row.connection, row.left_group, row.right_group, row.right_subject, row.title, row.touched)
        for row in _group_rows(db, school, which)
        if row.active
    ]


def touch(db: Connection, school: str, links: Collection[str]) -> None:
    """Say that something was written on which comparing these groups depends, so that they are compared anew."""
    where = (group_link.c.school_id == school, group_link.c.id.in_(list(links)))
    db.execute(update(group_link).where(*where).values(touched=new_id()))


def item_links(db: Connection, school: str, link: str) -> list[ItemLink]:
    """Return the works of a scope that were found on both sides, or placed, by id."""
    table = item_link
    rows = db.execute(select(table).where(table.c.school_id == school, table.c.group_link == link).order_by(table.c.id))
    return [item_link_of(row) for row in rows]


def item_link_of(row: Any) -> ItemLink:
    """Return a row of the table as a link."""
    return ItemLink(
        row.id, row.group_link, row.left_item, row.right_item or "", row.right_lesson or "", row.kind, row.how
    )


def save_item_link(db: Connection, school: str, wanted: ItemLink, now: datetime) -> ItemLink:
    """Keep where a work stands on the right; the same left item keeps its internal id."""
    table = item_link
    where = (
        table.c.school_id == school,
        table.c.group_link == wanted.group_link,
        table.c.left_item == wanted.left_item,
    )
    row = db.execute(select(table).where(*where)).first()
    known = new_id() if row is None else row.id
    values = {
        "right_item": wanted.right_item or None,
        "right_lesson": wanted.right_lesson or None,
        "kind": wanted.kind,
        "how": wanted.how,
    }
    if row is None:
        own = {"school_id": school, "id": known, "group_link": wanted.group_link, "left_item": wanted.left_item}
        db.execute(insert(table).values(**own, **values, made_at=now))
        touch(db, school, [wanted.group_link])
    elif any(getattr(row, name) != value for name, value in values.items()):
        db.execute(update(table).where(*where).values(values))
        touch(db, school, [wanted.group_link])
    return ItemLink(
        known, wanted.group_link, wanted.left_item, wanted.right_item, wanted.right_lesson, wanted.kind, wanted.how
    )
