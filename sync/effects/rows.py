"""The ledger's statements over many rows at once, and its rows as values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Executable, Table, and_, bindparam, update
from sqlalchemy.dialects import postgresql, sqlite

from sync.effects.records import Cell, CellState, Effect, Origin, State
from sync.effects.tables import effect, effect_cell

_AT_ONCE = 300


def chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the values in lists short enough for one statement."""
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]


def lock_cells(db: Connection, school_id: str, wanted: Sequence[Cell]) -> dict[Cell, CellState]:
    """Make the cells' rows where they are missing and hold them, always in the same order."""
    rows = [
        {"school_id": school_id, "system": cell.system, "item": cell.item, "person": cell.person}
        for cell in sorted(set(wanted))
    ]
    if not rows:
        return {}
    # An upsert that changes nothing locks the row, so that two planners of one cell come one after another.
    found = db.execute(_lock_statement(db.dialect.name), rows)
    return {state.cell: state for state in map(cell_state, found.all())}


@cache
def _lock_statement(dialect: str) -> Executable:
    key = ("school_id", "system", "item", "person")
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(effect_cell)
    changed = {"school_id": insert.excluded["school_id"]}
    statement: Executable = insert.on_conflict_do_update(index_elements=list(key), set_=changed).returning(effect_cell)
    return statement


def update_effects(names: tuple[str, ...]) -> Executable:
    """Return the statement that changes these columns of an effect."""
    return _update(effect, ("school_id", "id"), names)


def update_cells(names: tuple[str, ...]) -> Executable:
    """Return the statement that changes these columns of a cell."""
    return _update(effect_cell, ("school_id", "system", "item", "person"), names)


@cache
def _update(table: Table, key: tuple[str, ...], names: tuple[str, ...]) -> Executable:
    """Return the statement that changes some columns of the row with a key; its parameters begin with ``n_``."""
    where = [table.c[name] == bindparam(f"n_{name}") for name in key]
    return update(table).where(*where).values({name: bindparam(f"n_{name}") for name in names})


def cell_key(school_id: str, cell: Cell) -> dict[str, Any]:
    """Return the parameters that name a cell in ``update_cells``."""
    return {"n_school_id": school_id, "n_system": cell.system, "n_item": cell.item, "n_person": cell.person}


def in_cells(table: Table, school_id: str, wanted: Sequence[Cell]) -> Iterator[ColumnElement[bool]]:
    """Yield conditions that together mean these cells; those of one column share theirs."""
    people: dict[tuple[str, str], list[str]] = {}
    for cell in wanted:
        people.setdefault((cell.system, cell.item), []).append(cell.person)
    for (system, item), persons in people.items():
        for some in chunks(persons):
            yield and_(
                table.c.school_id == school_id,
                table.c.system == system,
                table.c.item == item,
                table.c.person.in_(some),
            )


class Batches:
    """Rows to write, grouped by the columns they change: each group is one statement run many times."""

    def __init__(self) -> None:
        """Start with no row."""
        self._rows: dict[tuple[str, ...], list[dict[str, Any]]] = {}

    def add(self, key: dict[str, Any], values: dict[str, Any]) -> None:
        """Add the changes of one row; the key's names carry their prefix already."""
        named = {f"n_{name}": value for name, value in values.items()}
        self._rows.setdefault(tuple(values), []).append(key | named)

    def by_names(self) -> Iterable[tuple[tuple[str, ...], list[dict[str, Any]]]]:
        """Return the groups: the columns changed, and the parameters of each row."""
        return self._rows.items()


def cell_state(row: Any) -> CellState:
    """Return a row of ``effect_cell`` as a value."""
    return CellState(
        Cell(row.system, row.item, row.person),
        row.last_stamp,
        row.agreed,
        row.agreed_maximum,
        row.agreed_at is not None,
    )


def effect_of(row: Any) -> Effect:
    """Return a row of ``effect`` as a value."""
    return Effect(
        id=row.id,
        cell=Cell(row.system, row.item, row.person),
        key=row.key,
        origin=Origin(row.origin),
        after=row.after,
        maximum=row.after_maximum,
        comment=row.comment,
        expect=row.expect,
        expect_maximum=row.expect_maximum,
        stamp=row.stamp,
        state=State(row.state),
        reason=row.reason,
        attempts=row.attempts,
        created_at=row.created_at,
    )
