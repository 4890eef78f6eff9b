"""The LMS as a side, over real HTTP: its own clock guards every write, and nothing it hides is taken for absent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from joserfc.jwk import RSAKey

from connector.db.database import Database
from sync.model import LineItem
from sync.systems.contract import CellWrite, Evidence, Outcome, Scope
from sync.systems.lti_advantage import LtiAdvantageSystem
from sync.systems.lti_advantage.evidence import of_count
from tests.sync.twins import Twins, twins
from tests.twins.moodle_kit import new_key

COURSE = Scope("2")


@pytest.fixture(scope="module")
def key() -> RSAKey:
    return new_key()


@pytest.fixture
def both(sqlite_database: Database, tmp_path: Path, key: RSAKey) -> Iterator[Twins]:
    with twins(sqlite_database, tmp_path, key) as made:
        yield made


def system(both: Twins) -> LtiAdvantageSystem:
    left, _right = both.runtime.systems.open(both.runtime.connection(both.school, both.connection))
    assert isinstance(left, LtiAdvantageSystem)
    return left


def pupil(both: Twins) -> str:
    return next(iter(both.pupils().values()))


def column(left: LtiAdvantageSystem) -> LineItem:
    [item] = left.read_line_items(COURSE).records
    return item


def write(both: Twins, item: str, user: str, after: str | None, expect: str | None) -> CellWrite:
    now = both.clock.now.replace(microsecond=0)
    return CellWrite(item, user, after, expect, now, now, "40")


def mark(both: Twins, user: str) -> str | None:
    [found] = both.lms.gradebook()
    value = found.marks().get(user)
    return None if value is None else str(value.normalize())


def test_the_roster_has_pupils_with_their_numbers_and_an_assistant_who_is_none(both: Twins) -> None:
    read = system(both).read_people(COURSE)
    assert read.complete
    roles = {person.id: person.role for person in read.records}
    staff = {user.id for user in both.lms.users() if user.role != "pupil"}
    assert {user for user, role in roles.items() if role != "pupil"} == staff
    assert len(roles) == 32
    assert all(person.identifiers["idnumber"] for person in read.records if person.role == "pupil")


def test_a_mark_is_written_and_an_equal_retry_says_it_is_there(both: Twins) -> None:
    left, user = system(both), pupil(both)
    item = both.test_of({})
    both.clock.now += timedelta(seconds=5)
    wanted = write(both, item, user, "30", None)
    assert left.write_result(COURSE, wanted).outcome is Outcome.APPLIED
    assert left.write_result(COURSE, wanted).outcome is Outcome.ALREADY
    assert mark(both, user) == "3E+1"


def test_a_teachers_later_edit_is_a_conflict_and_stays(both: Twins) -> None:
    left, user = system(both), pupil(both)
    item = both.test_of({user: "20"})
    read = left.read_results(COURSE, [column(left)])
    both.clock.now += timedelta(seconds=30)
    both.score(item, user, "25")
    late = replace(write(both, item, user, "30", "20"), stamp=read.read_at, read_at=read.read_at)
    result = left.write_result(COURSE, late)
    assert (result.outcome, result.seen) == (Outcome.CONFLICT, "25")
    assert mark(both, user) == "25"


def test_only_the_time_in_the_way_is_no_conflict(both: Twins) -> None:
    left, user = system(both), pupil(both)
    item = both.test_of({user: "20"})
    early = write(both, item, user, "30", "20")
    both.clock.now += timedelta(seconds=30)
    result = left.write_result(COURSE, replace(early, stamp=early.stamp - timedelta(seconds=60)))
    assert result.outcome is Outcome.APPLIED
    assert mark(both, user) == "3E+1"


def test_a_zero_is_declared_hidden_and_is_not_a_record(both: Twins) -> None:
    left, user = system(both), pupil(both)
    both.test_of({user: "0"})
    read = left.read_results(COURSE, [column(left)])
    assert read.complete
    assert read.records == ()
    assert left.capabilities.results.hides == {"0"}


def test_an_answer_lost_after_the_lms_did_the_work_is_settled_by_reading(both: Twins) -> None:
    left, user = system(both), pupil(both)
    item = both.test_of({})
    left.read_results(COURSE, [column(left)])
    both.clock.now += timedelta(seconds=5)
    both.lms.set_fault("drop", times=1, path="/scores")
    assert left.write_result(COURSE, write(both, item, user, "30", None)).outcome is Outcome.ALREADY


def test_a_locked_grade_is_refused_with_its_reason(both: Twins) -> None:
    left, user = system(both), pupil(both)
    item = both.test_of({user: "20"})
    [found] = both.lms.gradebook()
    both.lms.lock_grade(str(found.item.id), user)
    both.clock.now += timedelta(seconds=5)
    result = left.write_result(COURSE, write(both, item, user, "30", "20"))
    assert (result.outcome, result.reason) == (Outcome.REFUSED, "grade_locked")


@pytest.mark.parametrize("fault", ["maintenance", "error", "drop"])
def test_an_lms_that_is_down_proves_nothing(both: Twins, fault: str) -> None:
    left, user = system(both), pupil(both)
    both.test_of({user: "20"})
    item = column(left)
    both.lms.set_fault(fault)
    for read in (left.read_people(COURSE), left.read_line_items(COURSE), left.read_results(COURSE, [item])):
        assert read.records == ()
        assert read.evidence is Evidence.UNKNOWN
        assert read.reason


def test_half_a_roster_or_none_is_suspicious(both: Twins) -> None:
    left = system(both)
    assert left.read_people(replace(COURSE, known_people=70)).evidence is Evidence.SUSPICIOUS
    assert of_count(0, 1) == (Evidence.SUSPICIOUS, "empty_list")
    assert of_count(5, 10) == (Evidence.COMPLETE, "")


def test_a_column_is_made_once(both: Twins) -> None:
    left = system(both)
    wanted = LineItem("", "Жаңа", Decimal(10), resource_id="act-9", tag="quiz")
    one, two = left.create_line_item(COURSE, wanted), left.create_line_item(COURSE, wanted)
    assert one.id == two.id
    assert len(both.lms.gradebook()) == 1
