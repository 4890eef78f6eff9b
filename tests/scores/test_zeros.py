"""A zero of ours that the LMS does not show is known from the ledger, and from nothing less."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from connector.db.database import Database
from lti.tool.ports import Registration
from sync.effects.records import lms_cell
from sync.effects.zeros import KnownZero, hidden_zeros
from sync.model import LineItem
from sync.systems.contract import Scope
from sync.systems.lti_advantage import LtiAdvantageSystem, Platform
from sync.twins.moodle import Quirks
from tests.scores.kit import Course
from tests.support.lms import Rehearsal, rehearsal


@pytest.fixture(scope="module", params=[False, True], ids=["zeros hidden", "zeros shown"])
def either(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    with rehearsal(tmp_path_factory.mktemp("lms"), Quirks(zero_in_results=request.param)) as running:
        yield running


@pytest.fixture
def course(sqlite_database: Database, either: Rehearsal) -> Iterator[Course]:
    made = Course.of(sqlite_database, either)
    yield made
    for column in either.columns():
        either.delete_column(str(column.item.id))


def zeros(course: Course, item: str) -> dict[str, KnownZero]:
    with course.database.school(course.school_id, write=False) as db:
        found = hidden_zeros(db, course.school_id, lms_cell(course.lms.lms.base_url, item, "").system, [item])
    return {person: zero for (_, person), zero in found.items()}


def read(course: Course) -> dict[str, str]:
    """Read the column as the sync does."""
    books = course.lms.facts.gradebooks()
    platform = Platform(Registration(**course.lms.facts.registration), course.lms.deployment_id, [])
    system = LtiAdvantageSystem(
        "moodle:gym", books._http, books._tokens, platform, zeros=lambda item: zeros(course, item)
    )
    item = LineItem(course.lms.column_url(course.column_id), "Тест", Decimal(10))
    found = system.read_results(Scope("2"), [item])
    assert found.complete
    return {one.person_id: one.raw for one in found.records}


def test_our_zero_is_read_whether_the_lms_shows_it_or_not(course: Course) -> None:
    one, two, three = course.lms.pupils[:3]
    course.hand_in(one, "0")
    course.hand_in(two, "5")
    course.deliver()
    course.lms.lms.override_grade(course.column_id, three, Decimal(7))
    assert read(course) == {one: "0", two: "5", three: "7"}


def test_mark_a_teacher_gives_instead_of_our_zero_is_read(course: Course) -> None:
    (sub,) = course.lms.pupils[:1]
    course.hand_in(sub, "0")
    course.deliver()
    course.lms.lms.override_grade(course.column_id, sub, Decimal(6))
    assert read(course) == {sub: "6"}


def test_zero_of_a_teacher_stays_as_unknown_as_the_lms_leaves_it(course: Course) -> None:
    (sub,) = course.lms.pupils[:1]
    course.lms.lms.override_grade(course.column_id, sub, Decimal(0))
    shown = course.lms.lms._parts.quirks.zero_in_results
    assert read(course) == ({sub: "0"} if shown else {})


def test_zero_taken_back_or_not_read_back_yet_is_no_mark(course: Course) -> None:
    one, two = course.lms.pupils[:2]
    course.hand_in(one, "0")
    course.deliver()
    course.hand_in(one, None)
    course.deliver()
    course.clock.ahead += timedelta(seconds=5)
    course.hand_in(two, "0")
    course.lms.lms.set_fault("error", path="/scores")
    course.deliver()
    course.lms.lms.set_fault("none")
    assert read(course) == {}


def test_zero_is_unknown_once_something_newer_of_ours_was_sent(course: Course) -> None:
    (sub,) = course.lms.pupils[:1]
    course.hand_in(sub, "0")
    course.deliver()
    course.hand_in(sub, "8", finished_at=course.clock())
    course.lms.lms.set_fault("error", path="/scores")
    course.deliver()
    course.lms.lms.set_fault("none")
    shown = course.lms.lms._parts.quirks.zero_in_results
    assert read(course) == ({sub: "0"} if shown else {})
    course.clock.ahead += timedelta(minutes=1)
    course.deliver_fully()
    assert read(course) == {sub: "8"}


def test_blank_cell_with_a_later_time_is_not_our_zero() -> None:
    stamp = datetime(2026, 11, 20, 9, 0, 30, 250_000, tzinfo=UTC)
    zero, refused = KnownZero(stamp, "10", accepted=True), KnownZero(stamp, "10", accepted=False)
    assert zero.explains(None)
    assert zero.explains(stamp.replace(microsecond=0))
    assert not zero.explains(stamp + timedelta(seconds=2))
    assert refused.explains(stamp.replace(microsecond=0))
    assert not refused.explains(None)
