"""Why a mark changes, or does not: the rule that decides one cell, and everything it saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import request
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from connector.base.i18n import Message
from connector.web.console import words
from connector.web.console.common import connection_or_404, page, sync
from connector.web.console.names import Names, Place
from connector.web.console.session import blueprint
from sync.reconcile.plan import explain
from sync.reconcile.types import Base, Cell, CellKey, CellKind
from sync.runs import people as joining
from sync.runs import why as reasons
from sync.runs.compare import Comparison
from sync.store.connections import SyncConnection


@dataclass(frozen=True)
class Why:
    """One cell, and what the next plan would do about it; ``apart`` says why it is not compared at all."""

    person: str
    place: Place
    left: Cell
    right: Cell
    base: Base | None
    action: str
    after: str | None
    rule: Message | str
    held: Message | str
    detail: Message | str
    lossy: bool
    state: str = ""


@blueprint.get("/connections/<connection_id>/why")
def why(connection_id: str) -> Response:
    """Explain one cell: chosen by its key, or by class, work and pupil."""
    connection = connection_or_404(connection_id)
    key = _asked()
    with sync().reading(connection.school) as db:
        names = Names(db, connection)
        group = key.group if key else request.args.get("group", "")
        if group not in names.groups:
            group = next(iter(names.groups), "")
        choices = _choices(db, names, group)
        place = names.place(key) if key else None
        person = names.person(key.person) if key else ""
        apart = _apart(db, connection, key) if key else None
    found = _explain(connection, key, person, place) if key and place and apart is None else None
    values = {
        "apart": apart,
        "apart_person": person,
        "apart_place": place,
        "groups": names.groups.values(),
        "group": group,
        "asked": key,
        "why": found,
        **choices,
    }
    return page("console/why.html", connection=connection, words=words, **values)


def _asked() -> CellKey | None:
    args = request.args
    text = args.get("cell", "")
    try:
        if text:
            return CellKey.parse(text)
        kind, _, item = args.get("item", "").partition(":")
        parts = (args.get("group", ""), item, args.get("person", ""))
        return CellKey(CellKind(kind), *parts) if all(parts) else None
    except ValueError:
        return None


def _choices(db: Connection, names: Names, group: str) -> dict[str, Any]:
    if not group:
        return {"people": [], "items": [], "lessons": []}
    rosters = names.roster("left", group)
    pairs = joining.links(db, names.connection)
    names.load_people(pairs)
    linked = sorted(
        (whom for whom, pair in pairs.items() if pair[0] in rosters), key=lambda whom: names.by_class_list(group, whom)
    )
    people = [(names.person(whom), whom) for whom in linked]
    items = [
        (names.place(CellKey(CellKind.GRADE, group, work, "")).title, f"grade:{work}") for work in names.works(group)
    ]
    lessons = [(lesson, f"attendance:{lesson.id}") for lesson in names.lessons(group).values()]
    return {"people": people, "items": sorted(items, key=_folded), "lessons": lessons}


def _folded(pair: tuple[str, str]) -> str:
    return pair[0].casefold()


def _apart(db: Connection, connection: SyncConnection, key: CellKey) -> Message | None:
    """Return why a cell is not compared at all, in words; None for one that is, or that is no cell of this pair."""
    comparison = Comparison(sync(), connection, sync().sides(connection), only=(key.group,))
    if key.group not in comparison.groups:
        return None
    code = reasons.apart(db, connection, comparison, key)
    return reasons.explain_apart(code) if code else None


def _explain(connection: SyncConnection, key: CellKey, person: str, place: Place) -> Why | None:
    """Decide the cell as a plan made now from the last reads would; None for a cell that is not compared at all."""
    comparison = Comparison(sync(), connection, sync().sides(connection), only=(key.group,))
    group = comparison.groups.get(key.group)
    known = group is not None and key.person in group.pairs
    columns = () if group is None else group.columns if key.kind is CellKind.GRADE else group.lessons
    if not known or key.item not in columns or key.kind not in comparison.kinds:
        return None
    told = explain(key, comparison.find(key), comparison.rules, comparison.coverage(), first=connection.first)
    decision = told.decision
    with sync().reading(connection.school) as db:
        state, held_by = reasons.stands(db, connection, key)
    held = held_by or decision.held_by
    return Why(
        person,
        place,
        told.left,
        told.right,
        told.base,
        decision.action.value,
        decision.after,
        words.rule_words(decision.rule),
        words.hold_reason(held) if held else "",
        words.read_reason(decision.reason) if decision.reason else "",
        decision.lossy,
        state,
    )
