"""Apply an approved plan: journaled change by change, resumable after a kill at any point, then verified.

Every write names the value the plan saw, so that it is done once or not at all: a second attempt after a kill finds
its own mark there and says so, and a cell somebody changed meanwhile drops out as ``moved``. Nothing is open in our
database while the other side is called.

A journal that takes no marks at all says so at the first one. That one and the rest become an entry sheet, and the
connection remembers it; once a day one mark is tried anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from connector.base.errors import Fatal, Hold, KopirError, Record, Retriable
from connector.base.i18n import N_, say
from sync.effects.records import Origin
from sync.model import LineItem
from sync.reconcile.guard import Approval
from sync.reconcile.types import CellKey, CellKind
from sync.reconcile.verify import verify
from sync.reconcile.works import chunks, wanted_work
from sync.runs import effects, entries
from sync.runs.approving import check
from sync.runs.columns import Column, reports_closed
from sync.runs.compare import Comparison
from sync.runs.planning import RETRY_AFTER, counts_of, guard_rules, probe_due
from sync.runs.progress import Meter
from sync.runs.reading import Reader
from sync.runs.runtime import Sides, SyncRuntime, scope_of
from sync.schedule import asking
from sync.store import audit, cells, connections, people, plans, quarantine
from sync.store.plans import OPEN_STATES, ChangeRow, StoredPlan
from sync.systems.contract import UNWRITABLE, CellWrite, Outcome, System, WriteResult

TRIED = frozenset({"sent", "unknown"})
"""States of a change that may have reached the journal already: it is looked for before anything else."""

STATES: dict[Outcome, str] = {
    Outcome.APPLIED: "written",
    Outcome.ALREADY: "written",
    Outcome.CONFLICT: "moved",
    Outcome.REFUSED: "refused",
    Outcome.RETRY: "retry",
    Outcome.UNKNOWN: "unknown",
}
"""What a write's outcome makes of its change; ``written`` becomes ``applied`` once it is read back."""


def _alone() -> None:
    return


@dataclass(frozen=True)
class ApplyReport:
    """What became of a plan.

    Attributes:
        plan: The plan, as it is stored now.
        counts: Changes by state: ``applied``, ``moved``, ``refused``, ``retry``, ``unknown``, ``lost``, ``entry``,
            ``held``, …
        works: How many works were made in the journal.
    """

    plan: StoredPlan
    counts: dict[str, int]
    works: int = 0

    @property
    def clean(self) -> bool:
        """Tell whether everything that was approved is where it should be, or on the entry sheet."""
        return not any(self.counts.get(state) for state in ("moved", "refused", "retry", "unknown", "lost"))


def apply_plan(
    runtime: SyncRuntime, school: str, plan_id: str, *, actor: str = "system", fence: Callable[[], None] = _alone
) -> ApplyReport:
    """Write what was approved, read it back, and set the base; call it again after a kill and it goes on.

    Args:
        runtime: The application's parts.
        school: The school.
        plan_id: An approved plan, or one whose apply was cut off.
        actor: Who lets it run.
        fence: Called before every remote write; raises when the work belongs to somebody else by now.

    Raises:
        Fatal: The plan is not approved (``plan_not_approved``) or was edited.
        Hold: It is stale, or the mapping freezes today (``freeze``).
        Retriable: Another plan of the pair is being applied (``other_plan``).
        KopirError: A side cannot be opened.
    """
    return _Applying(runtime, school, plan_id, actor, fence).run()


class _Applying:
    """One pass over the open changes of one plan."""

    def __init__(self, runtime: SyncRuntime, school: str, plan_id: str, actor: str, fence: Callable[[], None]) -> None:
        self._runtime = runtime
        self._school = school
        self._fence = fence
        self._actor = actor
        with runtime.reading(school) as db:
            self._plan = plans.get(db, school, plan_id)
            self._links = {link.id: link for link in connections.groups(db, school, self._plan.connection)}
        self._connection = runtime.connection(school, self._plan.connection)
        self._made: dict[str, str] = {}
        self._failed: dict[str, tuple[str, str]] = {}
        self._shut: dict[CellKind, str] = {}
        self._unsure = False
        self._given_back: list[ChangeRow] = []
        self._cancelled = False
        self._meter = Meter(runtime, school, self._plan.run)

    def run(self) -> ApplyReport:
        """Go from the yes to the last receipt."""
        if self._plan.state == "applied":
            return self._report()
        self._begin()
        sides = self._runtime.sides(self._connection)
        with self._runtime.reading(self._school) as db:
            rows = plans.changes(db, self._school, self._plan.id, OPEN_STATES)
        rows = [row for row in rows if row.state != "written"]
        self._read_sessions(rows, sides)
        comparison = Comparison(self._runtime, self._connection, sides)
        rows = self._hold_closed(rows, comparison)
        probe = self._probe(rows, comparison)
        if probe is not None:
            self._write_chunk(CellKind.GRADE, [probe], sides, comparison)
            comparison = Comparison(self._runtime, self._connection, sides)
            rows.remove(probe)
        typed = [row for row in rows if self._typed_by_hand(row, comparison)]
        self._look_for([row for row in typed if row.state in TRIED])
        self._sheet([row for row in typed if row.state not in TRIED], comparison)
        by_hand = {row.seq for row in typed}
        self._meter.begin("write", len(rows) - len(by_hand))
        for row_kind, chunk in chunks(row for row in rows if row.seq not in by_hand):
            if self._cancelled:
                break
            self._fence()
            self._write_chunk(row_kind, chunk, sides, comparison)
        self._sheet(self._given_back, comparison)
        self._runtime.step("apply.written")
        self._fence()
        # Compared anew: the works that were just made are columns now.
        comparison = Comparison(self._runtime, self._connection, sides)
        verify(self._runtime, self._connection, self._plan, sides, comparison, self._actor)
        return self._end()

    def _begin(self) -> None:
        if self._plan.state not in ("approved", "applying"):
            text = N_("This plan is not approved: it is {state}.")
            raise Fatal("plan_not_approved", say(text, state=self._plan.state))
        today = self._runtime.today(self._school)
        if any(window.first <= today <= window.last for window in guard_rules(self._connection).freeze):
            raise Hold("freeze", say(N_("Nothing is written on these days, as the mapping says.")))
        with self._runtime.reading(self._school) as db:
            rows = plans.changes(db, self._school, self._plan.id)
        approval = Approval(self._plan.hash, self._plan.approved_by or "")
        checked = self._connection
        if self._plan.state == "applying" or self._begun():
            checked = replace(checked, first=self._plan.header.first)
        check(self._runtime, checked, self._plan, rows, approval)
        self._take()

    def _begun(self) -> bool:
        """Tell whether this plan was begun and cancelled: approving it made the pair no longer new."""
        with self._runtime.reading(self._school) as db:
            return plans.get_run(db, self._school, self._plan.run).state == "cancelled"

    def _take(self) -> None:
        now = self._runtime.clock()
        try:
            with self._runtime.writing(self._school) as db:
                plans.update_plan(db, self._school, self._plan.id, states=("approved",), state="applying")
                plans.update_run(db, self._school, self._plan.run, state="applying", finished_at=None)
                if self._plan.approved_by != "policy":
                    connections.note_first_approval(db, self._school, self._connection.id, now)
        except IntegrityError as error:
            message = say(N_("Another plan of this pair is being applied; wait until it is done."))
            raise Retriable("other_plan", message, RETRY_AFTER) from error
        self._runtime.step("apply.taken")

    def _read_sessions(self, rows: Sequence[ChangeRow], sides: Sides) -> None:
        """Ask the journal anew which periods are closed: one may have been closed since the plan was made."""
        reader = Reader(self._runtime, self._connection, sides)
        for link in sorted({row.group_link for row in rows if row.side == "right"}):
            self._fence()
            reader.sessions(self._links[link])

    def _hold_closed(self, rows: Sequence[ChangeRow], comparison: Comparison) -> list[ChangeRow]:
        """Hold what lies in a closed period, or may; return the rest. What may be there already is looked for."""
        stopped: dict[tuple[str, str], list[int]] = {}
        for row in rows:
            code = comparison.closing(CellKey.parse(row.key)) if row.side == "right" else ""
            if code and row.state not in TRIED:
                shown = code == "closed_period" and reports_closed(self._connection)
                stopped.setdefault(("reported" if shown else "held", code), []).append(row.seq)
            elif code:
                stopped.setdefault(("written", ""), []).append(row.seq)
        with self._runtime.writing(self._school) as db:
            for (state, code), seqs in stopped.items():
                plans.set_changes(db, self._school, self._plan.id, seqs, state=state, held_by=code)
        self._unsure = any(code == "sessions_unknown" for _, code in stopped)
        gone = {seq for seqs in stopped.values() for seq in seqs}
        return [row for row in rows if row.seq not in gone]

    def _typed_by_hand(self, row: ChangeRow, comparison: Comparison) -> bool:
        if row.kind != CellKind.GRADE or row.side != "right":
            return False
        return not comparison.writes_marks or _not_asked(row, comparison)

    def _probe(self, rows: Sequence[ChangeRow], comparison: Comparison) -> ChangeRow | None:
        """Return the mark with which a journal that refused to be written is tried anew, when it is time for that."""
        if not probe_due(self._connection, comparison, self._runtime.clock()):
            return None
        fit = (row for row in rows if self._typed_by_hand(row, comparison) and row.external_item)
        return next((row for row in fit if row.state not in TRIED), None)

    def _look_for(self, rows: Sequence[ChangeRow]) -> None:
        """Let the verification say whether marks that left before the journal was closed to us have arrived."""
        if rows:
            with self._runtime.writing(self._school) as db:
                plans.set_changes(db, self._school, self._plan.id, [row.seq for row in rows], state="written")

    def _sheet(self, rows: Sequence[ChangeRow], comparison: Comparison) -> None:
        known = []
        for row in rows:
            group = comparison.groups[row.group_link]
            if row.item in group.columns and row.person in group.pairs:
                known.append(row)
            elif self._stopped(row.person):
                self._keep(row, "skipped", "person_stopped")
            else:
                self._keep(row, "moved", "not_on_both_sides")
        now = self._runtime.clock()
        with self._runtime.writing(self._school) as db:
            entries.write_down(db, self._connection, known, comparison, now)
            if known:
                lines = [_entered(row) for row in known]
                where = (self._school, self._connection.id)
                audit.append(db, *where, "entry_sheet", self._actor, lines, now, run=self._plan.run)

    def _write_chunk(self, kind: CellKind, rows: Sequence[ChangeRow], sides: Sides, comparison: Comparison) -> None:
        """Journal a few changes as sent, write them one by one, and keep each outcome as it comes."""
        ready = self._places(kind, rows, sides, comparison)
        sent = self._journal(kind, ready, sides)
        self._runtime.step("apply.sent")
        for place, (row, item) in enumerate(ready):
            if self._is_shut(kind, row):
                continue
            stopped = self._stopped(row.person)
            if self._cancelled:
                self._call_off([one for one, _ in ready[place:] if one.seq in sent and one.state not in TRIED])
                return
            if stopped:
                self._close(row, "skipped", WriteResult(Outcome.REFUSED, "person_stopped"))
            elif row.seq not in sent:
                self._keep(row, "retry", "other_write_under_way")
            else:
                self._fence()
                result = self._write(kind, replace(row, stamp=sent[row.seq]), item, sides)
                self._settle(kind, row, result, [one for one, _ in ready[place + 1 :]])
            self._meter.step()

    def _call_off(self, rows: Sequence[ChangeRow]) -> None:
        """Put back what was to follow when somebody cancelled: it never left, so it waits as it did before."""
        with self._runtime.writing(self._school) as db:
            for row in rows:
                plans.set_change(db, self._school, self._plan.id, row.seq, state="approved")
                effects.call_off(db, self._school, row)

    def _places(
        self, kind: CellKind, rows: Sequence[ChangeRow], sides: Sides, comparison: Comparison
    ) -> list[tuple[ChangeRow, str]]:
        """Return the changes that can be written, each with its work or lesson; the others end here."""
        ready: list[tuple[ChangeRow, str]] = []
        for row in rows:
            if self._is_shut(kind, row):
                continue
            item = row.external_item or self._work(row, sides, comparison)
            if item:
                ready.append((row, item))
            elif self._failed[row.item][1] in UNWRITABLE:
                self._give_back(kind, self._failed[row.item][1], [row])
            else:
                self._keep(row, *self._failed[row.item])
        shut = [row for row in rows if self._is_shut(kind, row) and row not in self._given_back]
        if shut:
            self._give_back(kind, self._shut[kind], shut)
        return [(row, item) for row, item in ready if not self._is_shut(kind, row)]

    def _settle(self, kind: CellKind, row: ChangeRow, result: WriteResult, later: Sequence[ChangeRow]) -> None:
        """Keep the outcome of a write; where the journal takes none at all, give back what was to follow."""
        if row.side == "right" and _unwritable(result):
            waiting = [one for one in later if one.side == "right" and one.state not in TRIED]
            self._give_back(kind, result.reason, [row, *waiting])
        else:
            self._close(row, STATES[result.outcome], result)

    def _journal(self, kind: CellKind, rows: Sequence[tuple[ChangeRow, str]], sides: Sides) -> dict[int, datetime]:
        """Commit, before anything leaves, that these writes are under way; return the stamp of each."""
        now = self._runtime.clock()
        origin = Origin.UNDO if self._plan.kind == "undo" else Origin.SYNC
        stamps: dict[int, datetime] = {}
        with self._runtime.writing(self._school) as db:
            for row, item in rows:
                system = self._target(kind, row, sides)[0]
                if effects.is_remote(system):
                    effect = effects.send(db, self._school, system, row, item, origin, now)
                    if effect is None:
                        continue
                    stamps[row.seq] = effect.stamp
                else:
                    stamps[row.seq] = row.stamp
            plans.set_changes(db, self._school, self._plan.id, list(stamps), state="sent")
        return stamps

    def _is_shut(self, kind: CellKind, row: ChangeRow) -> bool:
        """Tell whether the journal refused to be written in this pass, and nothing of this change can be there."""
        return row.side == "right" and kind in self._shut and row.state not in TRIED

    def _give_back(self, kind: CellKind, reason: str, rows: Sequence[ChangeRow]) -> None:
        """Remember at once that the journal takes no writes of a kind and that these changes are not there.

        Marks wait for the entry sheet; a register entry has no other way and ends here.
        """
        now, news = self._runtime.clock(), kind not in self._shut
        state, result = "approved" if kind is CellKind.GRADE else "refused", WriteResult(Outcome.REFUSED, reason)
        with self._runtime.writing(self._school) as db:
            for row in rows:
                plans.set_change(db, self._school, self._plan.id, row.seq, state=state, reason=reason)
                effects.note(db, self._school, row, result, now)
            if news:
                where = (db, self._school, self._connection.id)
                self._connection = connections.note_refusal(*where, kind.value, reason, now)
                audit.append(*where, f"writes_refused:{kind.value}:{reason}", self._actor, [], now, run=self._plan.run)
        self._shut[kind] = reason
        if kind is CellKind.GRADE:
            self._given_back += rows
        self._runtime.step("apply.shut")

    def _stopped(self, person: str) -> bool:
        """Tell whether the person was blocked or erased since: their writes stop here. Notice the word to stop, too."""
        with self._runtime.reading(self._school) as db:
            self._cancelled = self._cancelled or self._meter.cancelled(db)
            found = people.people(db, self._school, [person]).get(person)
        return found is None or found.blocked or found.erased

    def _write(self, kind: CellKind, row: ChangeRow, item: str, sides: Sides) -> WriteResult:
        system, group, subject = self._target(kind, row, sides)
        write = CellWrite(
            item,
            row.external_person or "",
            row.change.after,
            row.change.before,
            row.stamp,
            row.read_at,
            row.maximum,
        )
        send = system.write_attendance if kind is CellKind.ATTENDANCE else system.write_result
        self._runtime.step("apply.before_write")
        try:
            result = send(scope_of(group, subject), write)
        except KopirError as error:
            result = WriteResult(_outcome_of(error), error.reason)
        self._runtime.step("apply.after_write")
        return result

    def _target(self, kind: CellKind, row: ChangeRow, sides: Sides) -> tuple[System, str, str]:
        """Return the written system, and the group and subject the cell is in there."""
        link = self._links[row.group_link]
        if row.side == "right":
            return sides.right, link.right_group, link.right_subject
        if kind is CellKind.ATTENDANCE and sides.own_register:
            return sides.register, link.right_group, link.right_subject
        return sides.left, link.left_group, ""

    def _work(self, row: ChangeRow, sides: Sides, comparison: Comparison) -> str:
        """Return the journal's work for a change, making it once; empty when it could not be made."""
        if row.item in self._made or row.item in self._failed:
            return self._made.get(row.item, "")
        group = comparison.groups[row.group_link]
        column = group.columns.get(row.item)
        if column is None:
            self._failed[row.item] = ("moved", "column_gone")
            return ""
        if column.right is not None:
            return self._made.setdefault(row.item, column.right.id)
        self._runtime.step("apply.before_work")
        self._fence()
        try:
            scope = scope_of(group.link.right_group, group.link.right_subject)
            made = sides.right.create_line_item(scope, wanted_work(column, self._connection))
        except KopirError as error:
            self._failed[row.item] = (STATES[_outcome_of(error)], error.reason)
            return ""
        self._runtime.step("apply.after_work")
        self._note_work(row, column, made)
        return self._made.setdefault(row.item, made.id)

    def _note_work(self, row: ChangeRow, column: Column, made: LineItem) -> None:
        now = self._runtime.clock()
        with self._runtime.writing(self._school) as db:
            link = replace(column.link, right_item=made.id, how="placed")
            connections.save_item_link(db, self._school, link, now)
            cells.put(db, self._school, self._connection.id, "right", row.group_link, [made], now)
            plans.set_external_item(db, self._school, self._plan.id, row.item, made.id)

    def _keep(self, row: ChangeRow, state: str, reason: str) -> None:
        """Keep the outcome of a change nothing was sent for."""
        with self._runtime.writing(self._school) as db:
            plans.set_change(db, self._school, self._plan.id, row.seq, state=state, reason=reason)
            quarantine.settle(db, self._school, self._connection.id, row, state, reason, self._runtime.clock())

    def _close(self, row: ChangeRow, state: str, result: WriteResult) -> None:
        """Keep the outcome of a write, in the plan and in the ledger at once."""
        seen = result.seen if result.seen_known else None
        with self._runtime.writing(self._school) as db:
            where = (db, self._school, self._plan.id, row.seq)
            plans.set_change(*where, state=state, reason=result.reason, written=seen)
            effects.note(db, self._school, row, result, self._runtime.clock())
            quarantine.settle(db, self._school, self._connection.id, row, state, result.reason, self._runtime.clock())
            if row.side == "right" and row.kind in self._connection.refusals and result.outcome is Outcome.APPLIED:
                self._lift(db, row.kind)
        self._runtime.step("apply.kept")

    def _lift(self, db: Connection, kind: str) -> None:
        """Forget that the journal refused to be written: it has just taken a write."""
        where = (db, self._school, self._connection.id)
        self._connection = connections.lift_refusal(*where, kind)
        audit.append(*where, f"writes_taken:{kind}", self._actor, [], self._runtime.clock(), run=self._plan.run)

    def _end(self) -> ApplyReport:
        now = self._runtime.clock()
        with self._runtime.writing(self._school) as db:
            entries.withdraw_written(db, self._connection, self._plan.id)
            counts = counts_of(db, self._school, self._plan.id)
            handed_back = self._cancelled and self._hand_back(db, counts, now)
            if not handed_back:
                self._done(db, counts, now)
        self._runtime.dispatcher.ring()
        return self._report()

    def _done(self, db: Connection, counts: dict[str, int], now: datetime) -> None:
        """End a whole pass."""
        plans.update_plan(db, self._school, self._plan.id, state="applied", applied_at=now, counts=counts)
        unsettled = any(counts.get(state) for state in ("moved", "retry", "unknown", "lost", "written"))
        state = "partial" if unsettled or counts.get("refused") else "done"
        plans.update_run(db, self._school, self._plan.run, state=state, counts=counts, finished_at=now)
        good = now if state == "done" else None
        connections.note_run(db, self._school, self._connection.id, self._plan.run, good_at=good)
        if unsettled or self._unsure:
            asking.ask(db, self._connection, now + timedelta(minutes=1), "retry")

    def _hand_back(self, db: Connection, counts: dict[str, int], now: datetime) -> bool:
        """End a cancelled pass: what was written is settled, the rest waits in the plan for somebody to say go on."""
        if not counts.get("approved"):
            return False
        plans.update_plan(db, self._school, self._plan.id, state="approved", counts=counts)
        plans.update_run(
            db, self._school, self._plan.run, state="cancelled", reason="cancelled", counts=counts, finished_at=now
        )
        connections.note_run(db, self._school, self._connection.id, self._plan.run, good_at=None)
        return True

    def _report(self) -> ApplyReport:
        with self._runtime.reading(self._school) as db:
            plan = plans.get(db, self._school, self._plan.id)
            return ApplyReport(plan, counts_of(db, self._school, plan.id), len(self._made))


def _not_asked(row: ChangeRow, comparison: Comparison) -> bool:
    """Tell whether writing a mark would make a work nobody was asked about: the plan was made for typing."""
    column = comparison.groups[row.group_link].columns.get(row.item)
    if row.external_item or column is None or column.right is not None:
        return False
    return column.hold in ("create_work", "no_new_work") and column.hold != row.change.held_by


def _unwritable(result: WriteResult) -> bool:
    return result.outcome is Outcome.REFUSED and result.reason in UNWRITABLE


def _entered(row: ChangeRow) -> audit.Entry:
    change = row.change
    return audit.Entry(row.key, "entered", (change.left, change.right), (change.left, change.after), change.rule)


def _outcome_of(error: KopirError) -> Outcome:
    """Return what a raised error means for a write: nobody knows, or nobody need try again."""
    if isinstance(error, Retriable):
        return Outcome.UNKNOWN
    return Outcome.REFUSED if isinstance(error, Fatal | Record | Hold) else Outcome.CONFLICT
