"""Properties 24 to 30: what is kept, by whom it is written, and what it costs. Each is followed by its planted bug."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from operator import itemgetter
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select, update
from structlog.testing import capture_logs

from connector.base.errors import Fatal
from mappings import scales
from sync.jobs import leases
from sync.jobs.errors import LeaseLost
from sync.jobs.runner import Handlers, JobContext, Runtime, execute_job
from sync.reconcile.apply import apply_plan
from sync.reconcile.plan import Planner
from sync.reconcile.types import Base, Cell, CellKey, CellKind, Change, Coverage, PlanHeader
from sync.runs import handlers as jobs
from sync.runs import people as joining
from sync.runs.columns import GradeWords, _said_of
from sync.store import audit
from sync.store import people as people_store
from sync.store.plans import StoredPlan
from sync.store.tables.audit import audit as audit_table
from sync.systems.contract import CellWrite, Evidence
from tests.properties.field import Fields, World, finds
from tests.reconcile.kit import SAME, both_ways, rules_for
from tests.sync.kit import MAPPING

Patch = pytest.MonkeyPatch


def the_audit_gives_the_base(world: World) -> None:
    world.type("left", 1, "3")
    world.type("right", 2, "9")
    run = world.sync().run
    world.go(world.made.undo(run))
    world.audit_is_the_base()
    chain = world.made.audit()
    assert all(link.actor and link.at for link in chain)
    person = world.made.person("u1")
    with world.made.database.school(world.made.school) as db:
        assert audit.erase(db, world.made.school, world.made.connection, person) > 0
    erased = world.made.audit()
    audit.verify(erased)
    assert audit.replay(erased).keys() == world.made.base().keys()
    with world.made.database.school(world.made.school) as db:
        db.execute(update(audit_table).where(audit_table.c.seq == 3).values(actor="somebody"))
    try:
        audit.verify(world.made.audit())
    except Fatal as error:
        assert error.reason == "audit_broken"
    else:
        raise AssertionError("a changed link was not noticed")


@pytest.mark.property("P24")
def test_p24_replaying_the_audit_gives_the_base_and_a_changed_link_shows(world: World) -> None:
    the_audit_gives_the_base(world)


def test_p24_finds_a_link_that_is_left_out(world: World, monkeypatch: Patch) -> None:
    monkeypatch.setattr("sync.runs.planning.audit.append", lambda *_, **__: "")
    finds(the_audit_gives_the_base, world)


def test_p24_finds_a_chain_that_nobody_checks(world: World, monkeypatch: Patch) -> None:
    monkeypatch.setattr(audit, "verify", lambda _chain: None)
    finds(the_audit_gives_the_base, world)


def who_comes_back_is_the_same(world: World) -> None:
    before, count = world.made.person("u1"), _people(world)
    left, right = world.system("left"), world.system("right")
    kept = list(left.people), list(right.people)
    left.people = [one for one in kept[0] if one.id != "u1"]
    right.people = [one for one in kept[1] if not one.id.endswith("1")]
    marks = dict(right.marks)
    for _ in range(2):
        assert world.sync().pending == 0
    left.people, right.people = kept
    world.sync()
    assert (world.made.person("u1"), _people(world), right.marks) == (before, count, marks)
    world.check()


def _people(world: World) -> int:
    with world.made.database.school(world.made.school, write=False) as db:
        return int(db.scalar(select(func.count()).select_from(people_store.person)) or 0)


@pytest.mark.property("P25")
def test_p25_a_pupil_who_comes_back_is_the_same_person(world: World) -> None:
    who_comes_back_is_the_same(world)


def test_p25_finds_an_identity_that_ends_with_the_enrolment(world: World, monkeypatch: Patch) -> None:
    real = joining.keep_roster

    def forget(db: Any, connection: Any, link: Any, side: str, found: Any, now: Any, *, complete: bool) -> None:
        real(db, connection, link, side, found, now, complete=complete)
        key = connection.left if side == "left" else connection.right
        kind = people_store.id_type(key)
        for value in people_store.by_identifier(db, connection.school, kind, key).keys() - {one.id for one in found}:
            people_store.end_identifier(db, connection.school, kind, key, value, now)

    monkeypatch.setattr(joining, "keep_roster", forget)
    finds(who_comes_back_is_the_same, world)


def taken_over(world: World, plan: StoredPlan, *, fenced: bool = True) -> None:
    """Let a second worker take the job over when the first is about to write, and finish it."""

    def lease(worker: str, later: timedelta) -> JobContext:
        with world.made.runtime.writing(world.made.school) as db:
            where = (world.made.school, jobs.APPLY_JOB, plan.id, {"plan": plan.id})
            job = leases.take(db, *where, worker, world.made.clock() + later)
        assert job is not None
        return JobContext(Runtime(world.made.database, Handlers(), clock=world.made.clock), job)

    def run(context: JobContext) -> None:
        held = replace(world.made.runtime, held=context.hold_in) if fenced else world.made.runtime
        apply_plan(held, world.made.school, plan.id, fence=context.hold if fenced else lambda: None)

    once = iter([True])

    def overtake(name: str) -> None:
        if name == "verify.read" and next(once, False):
            run(lease("second", timedelta(hours=1)))
            world.type("left", 1, "4")
            world.made.step = lambda _name: None
            world.sync(releases=("over_percent",))

    first = lease("first", timedelta())
    world.made.step = overtake
    late = False
    try:
        run(first)
        late = True
    except LeaseLost:
        pass
    assert not late, "a worker that lost its lease went on to the end"
    world.check()
    assert world.value("right", 1) == "4"


@pytest.mark.property("P26")
def test_p26_a_worker_that_lost_its_lease_commits_nothing(fields: Fields) -> None:
    world = fields.world(approved=True)
    taken_over(world, world.waiting())


def test_p26_finds_a_lease_without_a_fence(fields: Fields) -> None:
    world = fields.world(approved=True)
    finds(lambda: taken_over(world, world.waiting(), fenced=False))


def the_same_inputs_give_the_same_bytes(fields: Fields) -> None:
    hashes = set()
    for _ in range(2):
        world = fields.world()
        world.type("left", 1, "3")
        world.type("right", 2, "9")
        hashes.add(world.plan().hash)
    assert len(hashes) == 1


@pytest.mark.property("P27")
def test_p27_the_same_inputs_give_a_plan_of_the_same_bytes(fields: Fields) -> None:
    the_same_inputs_give_the_same_bytes(fields)


def test_p27_finds_chance_in_a_plan(fields: Fields, monkeypatch: Patch) -> None:
    monkeypatch.setattr(Change, "canonical", lambda _self: uuid4().bytes)
    finds(the_same_inputs_give_the_same_bytes, fields)


BORDERS = {"84.5": "8", "85": "9", "45": "5", "44.99": "4", "25": "3", "0": "1", "100": "10"}


def no_mark_is_bent(fields: Fields) -> None:
    world = fields.world(MAPPING)
    mapping = world.made.runtime.connection(world.made.school, world.made.connection).mapping
    _said_of.cache_clear()
    words = GradeWords(mapping, "fo", None, None)
    for percent, mark in BORDERS.items():
        said = words.to_right(percent)
        assert (said.raw, words.agree(percent, mark)) == (mark, True), percent
        assert said.lossy or Decimal(percent) == 10 * Decimal(mark), "a mark that loses detail must say so"
    assert [words.to_left(str(mark)).reason for mark in range(1, 11)] == ["finer_scale"] * 10
    same = GradeWords(fields.world().made.runtime.connection(*_where(fields)).mapping, "fo", None, None)
    for mark in range(1, 11):
        back = same.to_left(same.to_right(str(mark)).raw or "")
        assert (back.raw, back.lossy) == (str(mark), False)


def _where(fields: Fields) -> tuple[str, str]:
    world = fields.world()
    return world.made.school, world.made.connection


@pytest.mark.property("P28")
def test_p28_a_mark_comes_back_the_same_or_its_loss_is_declared(fields: Fields) -> None:
    no_mark_is_bent(fields)


def test_p28_finds_rounding_to_even(fields: Fields, monkeypatch: Patch) -> None:
    fields.world(MAPPING)
    monkeypatch.setattr(scales, "floor", lambda value: round(value - Fraction(1, 2)))
    finds(no_mark_is_bent, fields)
    _said_of.cache_clear()


def nobody_is_named(world: World) -> None:
    made = world.made
    secrets = [word for one in made.left.people for word in (one.family, one.given) if word]

    def explode(_write: CellWrite) -> None:
        raise RuntimeError(f"{secrets[0]} {secrets[1]} got 8")

    made.right.outcome = explode  # type: ignore[assignment]
    world.type("left", 1, "3")
    handlers = Handlers()
    jobs.register_sync_jobs(handlers, made.runtime)
    runtime = Runtime(made.database, handlers, clock=made.clock)
    with capture_logs() as logs:
        made.left.spoiled["person"] = (Evidence.PARTIAL, "half_list")
        jobs.request_plan(made.runtime, made.school, made.connection, trigger="schedule")
        execute_job(runtime)
        made.left.spoiled.clear()
        plan = made.approve(world.plan())
        jobs.request_apply(made.runtime, made.school, plan.id, actor="person-1")
        while execute_job(runtime):
            pass
    assert "job crashed" in {line["event"] for line in logs}, logs
    assert not [line for line in logs for word in secrets if word in repr(line)]


@pytest.mark.property("P29")
def test_p29_no_log_names_a_pupil(world: World) -> None:
    nobody_is_named(world)


def test_p29_finds_an_exceptions_text_in_the_log(world: World, monkeypatch: Patch) -> None:
    monkeypatch.setattr("sync.jobs.runner._where", repr)
    finds(nobody_is_named, world)


def _rows(number: int, changed: int) -> Iterator[tuple[Cell, Cell, Base]]:
    for place in range(number):
        key = CellKey(CellKind.GRADE, "7A", "quiz", f"{place:08}").text
        raw = "9" if place % changed == 0 else "8"
        yield Cell(key, raw), Cell(key, "8"), Base(key, "8", "8", "v1")


def memory_of(number: int) -> int:
    """Return the peak of bytes that a plan of so many cells takes, read as streams."""
    coverage = Coverage({"grade|7A": Evidence.COMPLETE}, {"grade|7A": Evidence.COMPLETE})
    planner = Planner(PlanHeader.of("school", "pair", ["grade|7A"], {}), rules_for(both_ways(), SAME), coverage)
    streams = [map(itemgetter(place), _rows(number, 20)) for place in range(3)]
    tracemalloc.start()
    try:
        found = sum(1 for _ in planner.changes(*streams))
        assert found == (number + 19) // 20
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def memory_is_flat() -> None:
    memory_of(100)
    assert memory_of(20_000) < 2 * memory_of(2_000) + 64 * 1024


@pytest.mark.property("P30")
def test_p30_a_plan_ten_times_as_long_takes_no_more_memory() -> None:
    memory_is_flat()


def test_p30_finds_a_plan_that_holds_all_cells(monkeypatch: Patch) -> None:
    real = Planner.changes

    def hoard(self: Planner, *streams: Iterable[Any]) -> Iterator[Change]:
        return real(self, *(list(stream) for stream in streams))

    monkeypatch.setattr(Planner, "changes", hoard)
    finds(memory_is_flat)
