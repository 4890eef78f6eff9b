"""What an apply makes of its rows: short runs in the order of the kinds, and the work a column needs in the journal."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from sync.model import GradeKind, LineItem
from sync.reconcile.types import KIND_ORDER, CellKind
from sync.runs.columns import Column
from sync.store.connections import SyncConnection
from sync.store.plans import ChangeRow

CHUNK = 25
"""Writes between two looks at the lease."""


def wanted_work(column: Column, connection: SyncConnection) -> LineItem:
    """Return the work to make in the journal for a column: the kind's scale, the lesson it was placed on."""
    rule = connection.mapping.scale_rule(column.link.kind)  # type: ignore[arg-type]
    kinds = {kind.value: kind for kind in GradeKind}
    return LineItem(
        "",
        column.title,
        column.left.maximum,
        scale=rule.to if rule is not None else "points",
        kind=kinds.get(column.link.kind, GradeKind.OTHER),
        tag=column.left.tag,
        resource_id=column.left.resource_id or column.link.id,
        due=column.left.due,
        lesson_id=column.link.right_lesson,
    )


def chunks(rows: Iterable[ChangeRow]) -> Iterable[tuple[CellKind, list[ChangeRow]]]:
    """Cut changes into short runs of one kind, in the order kinds depend on one another."""
    ordered = sorted(rows, key=lambda row: (KIND_ORDER.index(CellKind(row.kind)), row.seq))
    for kind, group in groupby(ordered, key=lambda row: CellKind(row.kind)):
        found = list(group)
        for start in range(0, len(found), CHUNK):
            yield kind, found[start : start + CHUNK]
