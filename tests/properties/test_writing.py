"""Properties 8 to 19: how changes are written, held, taken back and paced. Each is followed by its planted bug."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update

from connector.base.errors import Fatal, Hold, Record
from connector.base.i18n import say
from connector.db.database import Database
from sync.jobs import queue
from sync.jobs.errors import LaneDown
from sync.jobs.runner import Handlers, Runtime, execute_job
from sync.model import LineItem
from sync.reconcile import apply as applying
from sync.reconcile.inverse import invert
from sync.reconcile.types import Cell
from sync.runs import effects
from sync.store import audit, cells, connections
from sync.store.tables.plans import plan_change
from sync.systems.contract import CellWrite, Evidence
from sync.systems.kundelik.bucket import TokenBucket
from tests.properties.field import BOTH_WAYS, Fields, Killed, World, finds
from tests.support.factories import make_school

Patch = pytest.MonkeyPatch
FINAL = {"1": "8", "2": "5", "3": "10"}
MARKS = 3


def steps(fields: Fields) -> int:
    """Count the fault points of one apply that makes a work and writes three marks."""
    world = fields.world(approved=True)
    plan = world.waiting()
    names: list[str] = []
    world.made.step = names.append
    world.made.apply(plan)
    return len(names)


def killed_and_resumed(fields: Fields, *, lose: bool = False, every: int = 1, doubles: bool = False) -> None:
    points = steps(fields)
    assert points > 15
    for point in range(1, points + 1, every):
        world = fields.world(approved=True)
        right = world.system("right")
        if doubles:
            right.create_line_item = lambda scope, item, right=right: _always_new(right, item)  # type: ignore[method-assign]
        plan = world.waiting()
        right.lose_answer = lose
        with world.killed_at(point):
            world.made.apply(plan)
        halves = {person[-1]: mark for (_item, person), mark in right.marks.items()}
        assert halves.items() <= FINAL.items(), (point, halves)
        right.lose_answer = False
        report = world.made.apply(plan)
        if not lose:
            assert (report.clean, report.counts["applied"]) == (True, 5), point
        else:
            world.plan()
        assert {person[-1]: mark for (_item, person), mark in right.marks.items()} == FINAL, point
        assert len(right.writes) == MARKS, point
        assert len(right.items) == 1, point
        by_row = [row.key for row in world.effects()]
        assert len(by_row) == len(set(by_row)) == MARKS, point
        assert world.plan().state == "empty", point
        world.check()
        fields.tidy()


def _always_new(right: Any, item: LineItem) -> LineItem:
    made = replace(item, id=f"work-{len(right.items) + 1}", maximum=None, resource_id="", tag="")
    right.items.append(made)
    return made


@pytest.mark.property("P8")
@pytest.mark.property("P9")
def test_p08_p09_killed_at_every_point_each_mark_is_whole_and_the_rerun_finishes(fields: Fields) -> None:
    killed_and_resumed(fields)


def test_p08_finds_a_work_made_without_looking(fields: Fields) -> None:
    finds(lambda: killed_and_resumed(fields, doubles=True))


def test_p09_finds_a_rerun_that_forgets_what_was_sent(fields: Fields, monkeypatch: Patch) -> None:
    monkeypatch.setattr(applying, "OPEN_STATES", ("approved",))
    finds(killed_and_resumed, fields)


@pytest.mark.property("P10")
def test_p10_an_answer_lost_after_the_commit_gives_one_effect(fields: Fields) -> None:
    killed_and_resumed(fields, lose=True, every=4)


def test_p10_finds_a_key_that_is_new_at_each_try(fields: Fields, monkeypatch: Patch) -> None:
    monkeypatch.setattr(effects, "key_of", lambda _row: uuid4().hex)
    finds(lambda: killed_and_resumed(fields))


def base_and_audit_commit_together(fields: Fields, patch: Patch) -> None:
    for moment in (1, 2):
        world = fields.world(agreed=False)
        plan = world.made.approve(world.plan())
        with patch.context() as dying:
            left = iter(range(moment - 1))
            real = audit.append

            def die(*args: Any, left: Any = left, real: Any = real, **more: Any) -> str:
                if next(left, None) is None:
                    raise Killed
                return str(real(*args, **more))

            dying.setattr(audit, "append", die)
            with pytest.raises(Killed):
                world.made.apply(plan)
        world.audit_is_the_base()
        assert world.made.apply(plan).clean
        world.check()


@pytest.mark.property("P11")
def test_p11_base_audit_and_state_commit_in_one_transaction(fields: Fields, monkeypatch: Patch) -> None:
    base_and_audit_commit_together(fields, monkeypatch)


def test_p11_finds_a_base_that_is_committed_first(fields: Fields, monkeypatch: Patch) -> None:
    real = cells.settle

    def at_once(db: Any, *rest: Any) -> None:
        real(db, *rest)
        db.get_transaction().commit()

    monkeypatch.setattr(cells, "settle", at_once)
    finds(base_and_audit_commit_together, fields, monkeypatch)


def stamps_rise_within_a_second(world: World) -> None:
    for mark in ("3", "4", "6", "7"):
        world.type("left", 1, mark)
        world.sync(releases=("over_percent",))
        world.made.clock.now -= timedelta(minutes=1)
    assert world.value("right", 1) == "7"
    world.stamps_rise()
    known = _known(world)
    world.system("right").spoiled["person"] = (Evidence.PARTIAL, "half_list")
    world.plan()
    assert _known(world) == known


def _known(world: World) -> dict[Any, int]:
    with world.made.database.school(world.made.school, write=False) as db:
        [link] = connections.groups(db, world.made.school, world.made.connection)
        return {place: proof.known for place, proof in cells.proofs(db, world.made.school, link.id).items()}


@pytest.mark.property("P12")
def test_p12_a_cells_stamps_rise_and_a_short_read_lowers_no_floor(world: World) -> None:
    stamps_rise_within_a_second(world)


def test_p12_finds_stamps_that_are_just_the_time(world: World, monkeypatch: Patch) -> None:
    monkeypatch.setattr("sync.effects.ledger.next_stamp", lambda _wanted, now, _last: now.replace(microsecond=0))
    finds(stamps_rise_within_a_second, world)


def _reason(act: Any) -> str:
    try:
        act()
    except (Fatal, Hold) as error:
        return error.reason
    return ""


def a_moved_plan_is_refused(fields: Fields) -> None:
    world = fields.world(agreed=False)
    plan = world.made.approve(world.plan())
    row = world.rows(plan, "approved")[0]
    forged = {**row.change.to_dict(), "after": "1"}
    where = (plan_change.c.plan == plan.id, plan_change.c.seq == row.seq)
    with world.made.database.school(world.made.school) as db:
        db.execute(update(plan_change).where(*where).values(change=forged))
    assert _reason(lambda: world.made.apply(plan)) == "plan_edited"
    other = fields.world(agreed=False)
    plan = other.made.approve(other.plan())
    with other.made.database.school(other.made.school) as db:
        mapping = BOTH_WAYS.replace("create_work: auto", "create_work: ask")
        connections.change_mapping(db, other.made.school, other.made.connection, mapping, other.made.clock())
    assert _reason(lambda: other.made.apply(plan)) == "plan_stale"
    assert world.system("right").writes == other.system("right").writes == []


@pytest.mark.property("P13")
def test_p13_a_plan_that_was_edited_or_overtaken_is_refused_and_says_why(fields: Fields) -> None:
    a_moved_plan_is_refused(fields)


def test_p13_finds_an_approval_that_nobody_checks(fields: Fields, monkeypatch: Patch) -> None:
    monkeypatch.setattr("sync.runs.approving.check_approval", lambda *_: None)
    finds(a_moved_plan_is_refused, fields)


def the_plan_is_what_is_sent(world: World) -> None:
    world.type("left", 1, "3")
    world.type("right", 2, "9")
    world.type("left", 4, "6")
    plan = world.plan()
    wanted = {(row.side, row.external_item, row.external_person, row.change.after) for row in world.rows(plan, "ready")}
    sent: set[tuple[str, str, str, str | None]] = set()
    for side in ("left", "right"):

        def note(write: CellWrite, side: str = side) -> None:
            sent.add((side, write.item_id, write.person_id, write.after))

        world.system(side).before_write = note
    world.go(plan)
    assert sent == wanted
    assert len(wanted) == 3


@pytest.mark.property("P14")
def test_p14_the_calls_of_a_run_are_those_of_its_plan(world: World) -> None:
    the_plan_is_what_is_sent(world)


def test_p14_finds_a_change_that_is_quietly_left(world: World, monkeypatch: Patch) -> None:
    real = applying.chunks
    monkeypatch.setattr(applying, "chunks", lambda rows: real(list(rows)[:-1]))
    finds(the_plan_is_what_is_sent, world)


def undone_is_as_before(world: World) -> None:
    before = dict(world.system("right").marks)
    world.type("left", 1, "3")
    world.type("left", 2, "4")
    run = world.sync().run
    world.type("right", 2, "6")
    world.go(world.made.undo(run))
    assert world.value("right", 1) == before[world.cell("right", 1)]
    assert world.value("right", 2) == "6"
    assert [one.reason for one in world.made.conflicts()] == ["edited_since"]
    world.check()


@pytest.mark.property("P15")
def test_p15_undo_puts_values_back_where_they_still_stand(world: World) -> None:
    undone_is_as_before(world)


def test_p15_finds_an_undo_that_does_not_look(world: World, monkeypatch: Patch) -> None:
    def blindly(applied: Any, _current: Any, **more: Any) -> Any:
        rows = list(applied)
        wrote = {one.change.key: one.written for one in rows}
        return invert(rows, lambda change: Cell(change.key, wrote[change.key]), **more)

    monkeypatch.setattr("sync.reconcile.undo.invert", blindly)
    finds(undone_is_as_before, world)


GUARDED = BOTH_WAYS.replace("max_delete: 100, max_change_pct: 100", "max_delete: 1, max_change_pct: 40, floor: 2")


def the_guard_holds_its_kind_only(fields: Fields) -> None:
    world = fields.world(GUARDED)
    for number in (1, 2):
        world.type("left", number, None)
    world.type("left", 4, "7")
    world.plan()
    plan = world.sync()
    assert {row.held_by for row in world.rows(plan, "held")} == {"over_count"}
    assert [world.value("right", number) for number in (1, 2, 4)] == ["8", "5", "7"]
    world.check()


@pytest.mark.property("P16")
def test_p16_over_the_threshold_only_that_operation_waits(fields: Fields) -> None:
    the_guard_holds_its_kind_only(fields)


def test_p16_finds_a_guard_that_waves_through(fields: Fields, monkeypatch: Patch) -> None:
    fields.world(GUARDED)
    monkeypatch.setattr("sync.reconcile.guard._judge", lambda *_: "")
    finds(the_guard_holds_its_kind_only, fields)


def one_bad_record_stops_nobody(fields: Fields) -> None:
    world = fields.world(agreed=False)

    def refuse(write: CellWrite) -> None:
        if write.person_id.endswith("1"):
            raise Record("value_refused", say("refused"))

    world.system("right").outcome = refuse  # type: ignore[assignment]
    plan = world.plan()
    with suppress(Record):
        world.go(plan)
    assert sorted(world.system("right").marks.values()) == ["10", "5"]
    assert [row.reason for row in world.rows(plan, "refused")] == ["value_refused"]
    world.system("right").outcome = None
    world.sync()
    assert world.value("right", 1) == "8"


@pytest.mark.property("P17")
def test_p17_a_poisoned_record_is_kept_with_its_reason_and_tried_again(fields: Fields) -> None:
    one_bad_record_stops_nobody(fields)


def test_p17_finds_an_apply_that_stops_at_the_first(fields: Fields, monkeypatch: Patch) -> None:
    def stop(error: Exception) -> None:
        raise error

    monkeypatch.setattr(applying, "_outcome_of", stop)
    finds(one_bad_record_stops_nobody, fields)


def a_dead_host_delays_its_own_only(database: Database, lane: str = "") -> None:
    done: list[str] = []

    def work(context: Any) -> None:
        if context.payload["id"] == "dead":
            raise LaneDown("no_answer", say("down"))
        done.append(context.payload["id"])

    handlers = Handlers()
    handlers.add("work", work)
    dead, alive = make_school(database), make_school(database)
    for number in range(20):
        with database.school(dead) as db:
            queue.put(db, dead, "work", f"dead-{number}", {"id": "dead"}, lane=lane or "host-1")
    with database.school(alive) as db:
        queue.put(db, alive, "work", "alive", {"id": "alive"}, lane=lane or "host-2")
    runtime = Runtime(database, handlers)
    for _ in range(3):
        execute_job(runtime)
    assert done == ["alive"]


@pytest.mark.property("P18")
def test_p18_a_host_that_is_down_delays_its_own_jobs_only(sqlite_database: Database) -> None:
    a_dead_host_delays_its_own_only(sqlite_database)


def test_p18_finds_one_queue_for_all_hosts(sqlite_database: Database) -> None:
    finds(lambda: a_dead_host_delays_its_own_only(sqlite_database, "everybody"))


def the_limit_is_kept() -> None:
    now, left = [0.0], []
    bucket = TokenBucket(5.0, 5, now=lambda: now[0], sleep=lambda wait: now.__setitem__(0, now[0] + wait))
    for number in range(60):
        if number == 30:
            bucket.pause(timedelta(seconds=7))
            paused = now[0] + 7
        bucket.take()
        left.append(now[0])
        assert number < 30 or now[0] >= paused
    for first in left:
        assert sum(first <= one < first + 1 - 1e-9 for one in left) <= 10
    assert left[-1] >= (60 - 5) / 5.0


@pytest.mark.property("P19")
def test_p19_the_rate_of_calls_never_passes_the_limit() -> None:
    the_limit_is_kept()


def test_p19_finds_a_bucket_without_a_bottom(monkeypatch: Patch) -> None:
    monkeypatch.setattr(TokenBucket, "_reserve", lambda _self: 0.0)
    finds(the_limit_is_kept)
