"""A plan as a person reads it: marks by work and lesson, holds by reason, conflicts side by side, what was missed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from connector.base.i18n import N_, Message, say
from connector.web.console import words
from connector.web.console.names import Names, Place
from sync.reconcile.guard import RELEASABLE, WAITS_FOR_A_YES
from sync.reconcile.types import CellKey, CellKind
from sync.store import cells, conflicts, plans
from sync.store.plans import ChangeRow, RunRow, StoredPlan
from sync.store.tables.cells import base

SHOWN_AT_ONCE = 1_500
"""Lines that a page holds at most; longer lists are opened one by one."""


@dataclass(frozen=True)
class Line:
    """One change of one cell.

    Attributes:
        key: The cell.
        person: The pupil's name.
        source: What the other side holds.
        before: What the written side holds.
        after: What it will hold; None takes the value out.
        agreed: What both last agreed on, on the written side; None with ``first`` for never.
        first: They never agreed before.
        rule: Why, in words.
        lossy: Detail is lost on the way.
        state: The change's state.
        note: What stood in the way, or an empty text.
    """

    key: str
    person: str
    source: str | None
    before: str | None
    after: str | None
    agreed: str | None
    first: bool
    rule: Message | str
    lossy: bool
    state: str
    note: Message | str


@dataclass
class Block:
    """The lines of one work or lesson on one side.

    Attributes:
        id: ``kind|group|item|side``.
        kind: ``grade`` or ``attendance``.
        side: The side that is written, or ``none``.
        place: Where it is.
        count: How many lines there are.
        lines: The lines, as far as this page holds them.
        register: It is written to Kopir's own register, not to the LMS.
    """

    id: str
    kind: str
    side: str
    place: Place
    count: int = 0
    lines: list[Line] = field(default_factory=list)
    register: bool = False

    @property
    def whole(self) -> bool:
        """Tell whether every line is on the page."""
        return len(self.lines) == self.count


@dataclass(frozen=True)
class HoldView:
    """What one reason holds."""

    code: str
    reason: Message
    remedy: Message | str
    releasable: bool
    count: int
    blocks: list[Block]


@dataclass(frozen=True)
class ConflictView:
    """One cell that two people changed apart."""

    id: str
    key: str
    person: str
    place: Place
    kind: str
    left: str | None
    right: str | None
    base_left: str | None
    base_right: str | None
    reason: Message | str


@dataclass(frozen=True)
class Missed:
    """A read that proved nothing."""

    title: str
    side: str
    kind: Message | str
    reason: Message


@dataclass
class PlanView:
    """Everything a plan's page shows of the plan.

    Attributes:
        plan: The plan.
        run: The run that made it.
        to_write: Blocks that a plain yes writes.
        holds: What waits for more than a yes.
        reported: Blocks that are shown and never written.
        unsure: Blocks whose cells were not compared.
        results: Blocks by outcome, once the plan was approved.
        works: Works that would be made.
        emptied: For an undo: works the run made, which will hold no mark any more.
        agreed: Cells both systems agree on already.
        settled: Cells this plan found equal and noted silently.
    """

    plan: StoredPlan
    run: RunRow
    to_write: list[Block] = field(default_factory=list)
    holds: list[HoldView] = field(default_factory=list)
    reported: list[Block] = field(default_factory=list)
    unsure: list[Block] = field(default_factory=list)
    results: list[tuple[str, int, list[Block]]] = field(default_factory=list)
    works: list[Place] = field(default_factory=list)
    emptied: list[Place] = field(default_factory=list)
    agreed: int = 0
    settled: int = 0

    @property
    def waits(self) -> bool:
        """Tell whether it waits for a person's yes."""
        return self.plan.state == "planned" and bool(self.to_write or self.holds)

    @property
    def marks(self) -> int:
        """How many values a plain yes writes."""
        return sum(block.count for block in self.to_write)

    @property
    def held(self) -> int:
        """How many values wait for more than a plain yes."""
        return sum(hold.count for hold in self.holds)


def block_of(row: ChangeRow) -> str:
    """Return the id of the block a change is shown in."""
    return f"{row.kind}|{row.group_link}|{row.item}|{row.side}"


def view_plan(db: Connection, names: Names, plan: StoredPlan, wanted: str = "") -> PlanView:
    """Lay out a plan.

    Args:
        db: A transaction.
        names: The connection's names.
        plan: The plan.
        wanted: The block that is shown whole, whatever its length.
    """
    school = names.connection.school
    rows = plans.changes(db, school, plan.id)
    silent = sum(row.side == "none" and row.change.state.value == "silent" for row in rows)
    rows = [row for row in rows if row.change.state.value != "silent"]
    names.load_people(row.person for row in rows)
    view = PlanView(plan, plans.get_run(db, school, plan.run), settled=silent)
    layout = _Layout(names, wanted)
    if plan.state in ("planned", "stale", "discarded", "empty"):
        _waiting(view, rows, layout)
    else:
        view.results = [
            (state, sum(row.state == state for row in rows), layout.blocks(row for row in rows if row.state == state))
            for state in words.STATES
            if any(row.state == state and row.side != "none" for row in rows)
        ]
    view.reported = layout.blocks(row for row in rows if row.state == "reported")
    view.unsure = layout.blocks(row for row in rows if row.state == "not_compared")
    if plan.kind == "undo":
        view.emptied = [_work(names, work) for work in plan.works if work.get("left") == "empty"]
    else:
        view.works = [_work(names, work) for work in plan.works]
    view.agreed = _agreed(db, names, view.run, {row.key for row in rows})
    return view


def _waiting(view: PlanView, rows: Sequence[ChangeRow], layout: _Layout) -> None:
    plain = [row for row in rows if row.state == "ready" or (row.state == "held" and row.held_by in WAITS_FOR_A_YES)]
    view.to_write = layout.blocks(plain)
    held = [row for row in rows if row.state == "held" and row.held_by not in WAITS_FOR_A_YES]
    for code in sorted({row.held_by for row in held}):
        mine = [row for row in held if row.held_by == code]
        remedy = words.said(words.REMEDIES, code) if code in words.REMEDIES else ""
        view.holds.append(
            HoldView(code, words.hold_reason(code), remedy, code in RELEASABLE, len(mine), layout.blocks(mine))
        )


class _Layout:
    """Puts changes into blocks, and stops writing lines out when the page is full."""

    def __init__(self, names: Names, wanted: str) -> None:
        self._names = names
        self._wanted = wanted
        self._room = SHOWN_AT_ONCE

    def blocks(self, rows: Iterable[ChangeRow]) -> list[Block]:
        found: dict[str, list[ChangeRow]] = {}
        for row in rows:
            found.setdefault(block_of(row), []).append(row)
        made = [self._block(which, mine) for which, mine in found.items()]
        return sorted(made, key=_in_order)

    def _block(self, which: str, rows: list[ChangeRow]) -> Block:
        key = CellKey.parse(rows[0].key)
        attendance, left = key.kind is CellKind.ATTENDANCE, rows[0].side == "left"
        register = attendance and left and rows[0].external_person == rows[0].person
        block = Block(which, key.kind.value, rows[0].side, self._names.place(key), len(rows), register=register)
        if which == self._wanted or len(rows) <= self._room:
            self._room -= len(rows)
            ordered = sorted(rows, key=lambda row: self._names.by_class_list(row.group_link, row.person))
            block.lines = [self._line(row) for row in ordered]
        return block

    def _line(self, row: ChangeRow) -> Line:
        change = row.change
        agreed = change.base_left if row.side == "left" else change.base_right
        note = _note(row)
        return Line(
            row.key,
            self._names.person(row.person),
            change.other if row.side != "none" else change.left,
            change.before,
            change.after,
            agreed,
            not change.has_base,
            words.rule_words(change.rule),
            change.lossy,
            row.state,
            note,
        )


def _note(row: ChangeRow) -> Message | str:
    """Return what stood in the way, where the rule's own sentence does not say it already."""
    if not row.reason or row.state == "held" or row.reason == "hidden_or_none":
        return ""
    if row.state == "not_compared":
        return say(N_("The system: {reason}."), reason=words.read_reason(row.reason))
    return words.write_reason(row.reason)


def _in_order(block: Block) -> tuple[str, str, str, int, str]:
    lesson = block.place.lesson
    day, number = (lesson.day.isoformat(), lesson.number) if lesson else ("", 0)
    return block.kind, block.place.group, day, number, block.place.title


def _work(names: Names, work: dict[str, str]) -> Place:
    lesson = names.lessons(work["group_link"]).get(work.get("lesson", ""))
    return Place(names.group(work["group_link"]), work.get("title", ""), lesson, made=True)


_READ_FOR: dict[str, tuple[str, ...]] = {"result": ("grade",), "item": ("grade",), "attendance": ("attendance",)}


def _agreed(db: Connection, names: Names, run: RunRow, moving: set[str]) -> int:
    """Count the cells that hold what was last agreed; what the run could not compare is not among them."""
    connection = names.connection
    query = (
        select(base.c.kind, base.c.group_link, func.count())
        .where(base.c.school_id == connection.school, base.c.connection == connection.id)
        .group_by(base.c.kind, base.c.group_link)
    )
    blind = {
        (kind, one["group_link"])
        for one in run.not_compared
        if one["kind"] != "group"
        for kind in _READ_FOR.get(one["kind"], ("grade", "attendance"))
    }
    seen: dict[tuple[str, str], int] = {
        (kind, link): number for kind, link, number in db.execute(query) if (kind, link) not in blind
    }
    known = cells.base_of(db, connection.school, connection.id, moving)
    changed = sum((CellKey.parse(key).kind.value, CellKey.parse(key).group) in seen for key in known)
    return max(0, sum(seen.values()) - changed)


def view_conflicts(db: Connection, names: Names) -> list[ConflictView]:
    """Return the open conflicts, by class, work and pupil."""
    found = conflicts.of(db, names.connection.school, names.connection.id)
    names.load_people(row.person for row in found)
    found.sort(key=lambda row: (row.group_link, row.item, names.by_class_list(row.group_link, row.person)))
    return [
        ConflictView(
            row.id,
            row.key,
            names.person(row.person),
            names.place(CellKey.parse(row.key)),
            row.kind,
            row.left_raw,
            row.right_raw,
            row.base_left,
            row.base_right,
            words.rule_words(row.reason),
        )
        for row in found
    ]


def view_missed(run: RunRow) -> list[Missed]:
    """Return what a run did not compare; one line per side, kind and reason of a group."""
    seen = {(one.get("title", ""), one["side"], one["kind"], one["reason"]): None for one in run.not_compared}
    return [
        Missed(title, side, words.said(words.RECORDS, kind), words.read_reason(reason))
        for title, side, kind, reason in seen
    ]


def chosen_keys(rows: Iterable[ChangeRow], blocks: Iterable[str]) -> list[str]:
    """Return the cells of the blocks a person ticked."""
    ticked = set(blocks)
    return [row.key for row in rows if block_of(row) in ticked]
