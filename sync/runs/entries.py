"""Keep an entry sheet: write it down when a plan is applied, and tick it off when a complete read finds the marks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from sync.entry_sheet import EntryLine, EntrySheet, EntryWork
from sync.model import Lesson
from sync.reconcile.types import Action, CellKey, CellState, Side
from sync.runs.compare import Comparison
from sync.runs.places import free_work
from sync.store import cells, connections, people, plans
from sync.store.connections import SyncConnection
from sync.store.plans import ChangeRow
from sync.store.sql import batches
from sync.store.tables.plans import entry_line
from sync.systems.contract import Evidence

OPEN = ("to_type", "missed", "different")


def write_down(
    db: Connection, connection: SyncConnection, rows: Sequence[ChangeRow], comparison: Comparison, now: datetime
) -> None:
    """Put the marks of these changes on the sheet; a newer mark for a cell takes the older one's place.

    A mark that is on the sheet already stays what reads found it to be: missed once, it is not a new one.
    """
    keys = [row.key for row in rows]
    mine = (entry_line.c.school_id == connection.school, entry_line.c.connection == connection.id)
    known = {line.key: line for line in _open_lines(db, connection)}
    db.execute(
        update(entry_line)
        .where(*mine, entry_line.c.key.in_(keys), entry_line.c.state.in_(OPEN))
        .values(state="withdrawn", checked_at=now)
    )
    places = {link: _places(db, connection, link) for link in {row.group_link for row in rows}}
    first_of = {row.item: row for row in reversed(rows)}
    works = {item: _work(db, connection, comparison, row, now) for item, row in first_of.items()}
    values = [
        {
            **_line(connection, row, works[row.item], places[row.group_link], now),
            **_found_so_far(known.get(row.key), row),
        }
        for row in rows
    ]
    if values:
        db.execute(insert(entry_line), values)
    for which in {row.plan for row in rows}:
        seqs = [row.seq for row in rows if row.plan == which]
        plans.set_changes(db, connection.school, which, seqs, state="entry", applied_at=now)


def waiting_to_be_typed(db: Connection, connection: SyncConnection, rows: Iterable[ChangeRow]) -> list[ChangeRow]:
    """Return the changes whose very mark stands on the sheet already: a person is asked to type it once."""
    lines = {line.key: (line.mark, line.before) for line in _open_lines(db, connection)}
    return [
        row for row in rows if row.side == "right" and lines.get(row.key, ()) == (row.change.after, row.change.right)
    ]


def withdraw_written(db: Connection, connection: SyncConnection, which: str) -> None:
    """Take off the sheet what a plan has written after all: nobody need type it any more."""
    done = plans.changes(db, connection.school, which, ("written", "applied"))
    keys = [row.key for row in done if row.side == "right"]
    for batch in batches(keys):
        where = (
            entry_line.c.school_id == connection.school,
            entry_line.c.connection == connection.id,
            entry_line.c.key.in_(batch),
            entry_line.c.plan != which,
            entry_line.c.state.in_(OPEN),
        )
        db.execute(update(entry_line).where(*where).values(state="withdrawn"))


def _found_so_far(line: Any, row: ChangeRow) -> dict[str, Any]:
    """Return what reads found of the same mark so far; another mark begins anew."""
    if line is None or (line.mark, line.before) != (row.change.after, row.change.right):
        return {"state": "to_type", "seen": None, "checked_at": None}
    return {"state": line.state, "seen": line.seen, "checked_at": line.checked_at}


def _work(
    db: Connection, connection: SyncConnection, comparison: Comparison, row: ChangeRow, now: datetime
) -> tuple[str, str]:
    """Return the lesson and the title of the work a mark is typed into, and remember that work as the column's own.

    A lesson's one empty work is taken; without one the person makes a work with the column's title.
    """
    group = comparison.groups[row.group_link]
    column = group.columns[row.item]
    lesson, work = column.link.right_lesson, column.right
    if work is None:
        work = free_work(db, connection, group.link, column)
        if work is not None:
            link = replace(column.link, right_item=work.id, how="placed")
            connections.save_item_link(db, connection.school, link, now)
    return (work.lesson_id or lesson, work.title) if work is not None else (lesson, column.title)


def _places(db: Connection, connection: SyncConnection, link: str) -> tuple[dict[str, int], dict[str, Lesson]]:
    """Return each pupil's place in the journal's own list, from 1, and the lessons by id."""
    roster = people.roster(db, connection.school, link, "right")
    lessons = {one.id: one for one in cells.lessons(db, connection.school, connection.id, "right", link)}
    return {line.external_id: line.position + 1 for line in roster}, lessons


def _line(
    connection: SyncConnection,
    row: ChangeRow,
    work: tuple[str, str],
    places: tuple[dict[str, int], dict[str, Lesson]],
    now: datetime,
) -> dict[str, Any]:
    positions, lessons = places
    lesson = lessons.get(work[0])
    return {
        "school_id": connection.school,
        "connection": connection.id,
        "plan": row.plan,
        "seq": row.seq,
        "key": row.key,
        "group_link": row.group_link,
        "lesson_day": lesson.day.isoformat() if lesson is not None else "",
        "lesson_number": lesson.number if lesson is not None else 0,
        "lesson": work[0],
        "work": work[1],
        "person": row.person,
        "external_person": row.external_person,
        "position": positions.get(row.external_person or "", 0),
        "mark": row.change.after,
        "left_raw": row.change.left,
        "before": row.change.right,
        "state": "to_type",
        "made_at": now,
    }


def tick(db: Connection, connection: SyncConnection, stored: str, comparison: Comparison, now: datetime) -> None:
    """Look for every open line in what was just read: typed, still missing, or something else typed there."""
    lines = _open_lines(db, connection)
    by_key = {row.key: row for row in plans.changes_of(db, connection.school, stored, [line.key for line in lines])}
    for line in lines:
        key = CellKey.parse(line.key)
        group = comparison.groups.get(key.group)
        if group is None or key.item not in group.columns or key.person not in group.pairs:
            continue
        if group.evidence(key.kind, Side.RIGHT)[0] is not Evidence.COMPLETE:
            continue
        cell = comparison.find(key)[1]
        if cell is not None and cell.state is CellState.UNKNOWN:
            continue
        seen = None if cell is None else cell.raw
        state = _state(line, by_key.get(line.key), seen)
        where = (
            entry_line.c.school_id == connection.school,
            entry_line.c.plan == line.plan,
            entry_line.c.seq == line.seq,
        )
        db.execute(update(entry_line).where(*where).values(state=state, seen=seen, checked_at=now))
        if state == "typed":
            plans.set_change(db, connection.school, line.plan, line.seq, state="applied", written=seen)


def _state(line: Any, row: ChangeRow | None, seen: str | None) -> str:
    """Tell what became of a line; what agrees is the planner's to say, so that same_as and scales count."""
    settled = row is None or row.change.action in (Action.ADOPT, Action.NONE, Action.DROP_BASE)
    if seen == line.mark or (settled and seen is not None and line.mark is not None):
        return "typed"
    if row is not None and "closed_period" in (row.change.rule, row.change.held_by):
        return "withdrawn"
    if row is not None and row.side == "right" and row.change.after != line.mark:
        return "withdrawn"
    if settled:
        return "withdrawn"
    return "missed" if seen == line.before else "different"


def _open_lines(db: Connection, connection: SyncConnection) -> list[Any]:
    where = (
        entry_line.c.school_id == connection.school,
        entry_line.c.connection == connection.id,
        entry_line.c.state.in_(OPEN),
    )
    return list(db.execute(select(entry_line).where(*where)))


def sheet(db: Connection, connection: SyncConnection) -> EntrySheet:
    """Return the sheet: by lesson and work, pupils in the journal's order; what was withdrawn is left out."""
    rows = db.execute(
        select(entry_line)
        .where(
            entry_line.c.school_id == connection.school,
            entry_line.c.connection == connection.id,
            entry_line.c.state != "withdrawn",
        )
        .order_by(
            entry_line.c.lesson_day,
            entry_line.c.lesson_number,
            entry_line.c.group_link,
            entry_line.c.work,
            entry_line.c.position,
            entry_line.c.plan,
        )
    )
    titles = {link.id: link.title for link in connections.groups(db, connection.school, connection.id)}
    names = _names(db, connection, titles)
    works: dict[tuple[str, str, int, str], list[EntryLine]] = {}
    for row in rows:
        where = (row.group_link, row.lesson_day, row.lesson_number, row.work)
        works.setdefault(where, []).append(_of_row(row, names.get((row.group_link, row.external_person), "")))
    return EntrySheet(
        connection.id,
        tuple(
            EntryWork(link, titles.get(link, ""), date.fromisoformat(day) if day else None, number, work, tuple(lines))
            for (link, day, number, work), lines in works.items()
        ),
    )


def _names(db: Connection, connection: SyncConnection, links: Iterable[str]) -> dict[tuple[str, str], str]:
    return {
        (link, one.id): one.full_name or f"{one.family} {one.given}".strip()
        for link in links
        for one in cells.people(db, connection.school, connection.id, "right", link)
    }


def _of_row(row: Any, name: str) -> EntryLine:
    return EntryLine(
        row.plan,
        row.seq,
        row.key,
        row.person,
        name,
        row.position,
        row.mark,
        row.before,
        row.seen,
        row.state,
        row.checked_at,
    )
