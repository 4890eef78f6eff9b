"""A plugin's room: what it hands in is written whole or not at all, and only where it stands."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import pytest
from sqlalchemy import func, select

from connector.base.i18n import say
from connector.db.tables.launches import result
from connector.host.rooms import LaunchVisit, SchoolRoom
from plugins.contract import Outcome, Progress, Role
from sync.jobs.tables import job
from tests.support import factories as make
from tests.support.kopir_site import Site, teacher


@pytest.fixture
def placed(site: Site) -> tuple[str, str, str]:
    """A school, an activity of the plugin ``probe`` that gives a mark, and a pupil."""
    school = site.lmss["main"].made.school_id
    database = site.runtime.database
    context = make.make_context(database, school)
    activity = make.make_activity(database, school, plugin="probe", context_id=context)
    make.make_link(database, school, context, activity_id=activity)
    return school, activity, make.make_account(database, school)


def outcome(site: Site, score: str | None = "8", **values: Any) -> Outcome:
    given = None if score is None else Decimal(score)
    maximum = values.pop("score_maximum", Decimal(10))
    return Outcome(values.pop("progress", Progress.GRADED), given, maximum, values.pop("at", site.clock()), **values)


def stored(site: Site, school: str) -> list[Any]:
    with site.runtime.database.school(school, write=False) as db:
        return list(db.execute(select(result).where(result.c.school_id == school)).all())


def jobs(site: Site) -> int:
    with site.runtime.database.service(write=False) as db:
        return int(db.scalar(select(func.count()).select_from(job)) or 0)


class Bell:
    def __init__(self) -> None:
        self.rung = 0

    def ring(self) -> None:
        self.rung += 1


def test_result_and_its_delivery_are_written_together_and_workers_woken_after(
    site: Site, placed: tuple[str, str, str]
) -> None:
    school, activity, pupil = placed
    bell = site.runtime.doorbell = Bell()
    room = SchoolRoom(site.runtime, school, "probe")
    with room.write() as db:
        room.hand_in(db, activity, pupil, outcome(site, "8.50"))
        assert bell.rung == 0
    (row,) = stored(site, school)
    assert (row.score_given, row.score_maximum, row.progress, row.revision) == ("8.5", "10", "graded", 1)
    assert jobs(site) == 1
    assert bell.rung == 1


def test_plugin_that_fails_after_handing_in_leaves_neither_result_nor_job(
    site: Site, placed: tuple[str, str, str]
) -> None:
    school, activity, pupil = placed
    bell = site.runtime.doorbell = Bell()
    room = SchoolRoom(site.runtime, school, "probe")
    with pytest.raises(RuntimeError, match="later"), room.write() as db:
        room.hand_in(db, activity, pupil, outcome(site))
        raise RuntimeError("later")
    assert stored(site, school) == []
    assert (jobs(site), bell.rung) == (0, 0)


def test_activity_of_another_plugin_or_school_is_refused(site: Site, placed: tuple[str, str, str]) -> None:
    school, activity, pupil = placed
    other = make.make_school(site.runtime.database)
    foreign = make.make_activity(site.runtime.database, other, plugin="probe")
    for room, wanted in (
        (SchoolRoom(site.runtime, school, "other"), activity),
        (SchoolRoom(site.runtime, other, "probe"), activity),
        (SchoolRoom(site.runtime, school, "probe"), foreign),
        (SchoolRoom(site.runtime, school, "probe"), "none"),
    ):
        with pytest.raises(LookupError), room.write() as db:
            assert room.activity_of(db, wanted) is None
            room.hand_in(db, wanted, pupil, outcome(site))
    assert stored(site, school) == []
    assert jobs(site) == 0


def test_removed_activity_takes_no_result(site: Site, placed: tuple[str, str, str]) -> None:
    school, _, pupil = placed
    gone = make.make_activity(site.runtime.database, school, plugin="probe", removed_at=make.NOW)
    room = SchoolRoom(site.runtime, school, "probe")
    with pytest.raises(LookupError), room.write() as db:
        room.hand_in(db, gone, pupil, outcome(site))


@pytest.mark.parametrize(
    "bad",
    [
        {"score": "-1"}, {"score": "NaN"}, {"score": "Infinity"}, {"score": "8", "score_maximum": None},
        {"score": "8", "score_maximum": Decimal(0)}, {"score": "8", "score_maximum": Decimal("Infinity")},
        {"score": "8", "at": datetime(2026, 11, 20)},  # noqa: DTZ001
    ],
    ids=str,
)  # fmt: skip
def test_score_that_is_none_is_refused(bad: dict[str, Any], sqlite_site: Site) -> None:
    school = sqlite_site.lmss["main"].made.school_id
    activity = make.make_activity(sqlite_site.runtime.database, school, plugin="probe")
    pupil = make.make_account(sqlite_site.runtime.database, school)
    room = SchoolRoom(sqlite_site.runtime, school, "probe")
    with pytest.raises((ValueError, InvalidOperation)), room.write() as db:
        room.hand_in(db, activity, pupil, outcome(sqlite_site, **bad))
    assert stored(sqlite_site, school) == []


def test_score_of_zero_is_a_score(site: Site, placed: tuple[str, str, str]) -> None:
    school, activity, pupil = placed
    room = SchoolRoom(site.runtime, school, "probe")
    with room.write() as db:
        room.hand_in(db, activity, pupil, outcome(site, "0"))
        (seen,) = room.results_of(db, pupil)
    assert seen.score_given == Decimal(0)
    assert seen.score_given is not None
    assert stored(site, school)[0].score_given == "0"


def test_result_handed_in_again_replaces_the_old_one_and_counts(site: Site, placed: tuple[str, str, str]) -> None:
    school, activity, pupil = placed
    room = SchoolRoom(site.runtime, school, "probe")
    for score, comment in (("5", "first"), ("9", "")):
        with room.write() as db:
            room.hand_in(db, activity, pupil, outcome(site, score, comment=comment))
    (row,) = stored(site, school)
    assert (row.score_given, row.comment, row.revision) == ("9", "", 2)


def test_results_handed_in_at_once_are_each_counted(site: Site, placed: tuple[str, str, str]) -> None:
    school, activity, pupil = placed
    gate = threading.Barrier(8)

    def hand_in(number: int) -> None:
        room = SchoolRoom(site.runtime, school, "probe")
        gate.wait()
        with room.write() as db:
            room.hand_in(db, activity, pupil, outcome(site, str(number)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hand_in, range(8)))
    (row,) = stored(site, school)
    assert row.revision == 8


def test_work_that_is_only_begun_is_not_sent_and_a_taken_back_score_is(
    site: Site, placed: tuple[str, str, str]
) -> None:
    school, activity, pupil = placed
    room = SchoolRoom(site.runtime, school, "probe")
    for progress, expected in ((Progress.STARTED, 0), (Progress.SUBMITTED, 0), (Progress.CLEARED, 1)):
        with room.write() as db:
            room.hand_in(db, activity, pupil, outcome(site, None, progress=progress))
        assert jobs(site) == expected


def test_activity_without_a_mark_sends_nothing(site: Site, placed: tuple[str, str, str]) -> None:
    school, _, pupil = placed
    unmarked = make.make_activity(site.runtime.database, school, plugin="probe", score_maximum=None)
    room = SchoolRoom(site.runtime, school, "probe")
    with room.write() as db:
        room.hand_in(db, unmarked, pupil, outcome(site))
    assert len(stored(site, school)) == 1
    assert jobs(site) == 0


def test_results_are_seen_newest_first_and_of_this_school_alone(site: Site, placed: tuple[str, str, str]) -> None:
    school, activity, pupil = placed
    later = make.make_activity(site.runtime.database, school, plugin="other")
    make.make_result(site.runtime.database, school, activity, pupil)
    make.make_result(site.runtime.database, school, later, pupil, finished_at=make.NOW + timedelta(hours=1))
    other = make.make_school(site.runtime.database)
    theirs = make.make_activity(site.runtime.database, other, plugin="probe")
    make.make_result(site.runtime.database, other, theirs, make.make_account(site.runtime.database, other))
    room = SchoolRoom(site.runtime, school, "probe")
    with room.read() as db:
        assert [seen.activity_id for seen in room.results_of(db, pupil)] == [later, activity]
        assert [seen.account_id for seen in room.results_in(db, activity)] == [pupil]
        assert list(room.results_in(db, theirs)) == []


def test_reading_room_writes_nothing(site: Site, placed: tuple[str, str, str]) -> None:
    school, activity, pupil = placed
    room = SchoolRoom(site.runtime, school, "probe")
    with pytest.raises(Exception, match=r"(?i)read.?only"), room.read() as db:
        room.hand_in(db, activity, pupil, outcome(site))


def test_job_of_a_plugin_is_put_once_per_key(site: Site, placed: tuple[str, str, str]) -> None:
    school = placed[0]
    room = SchoolRoom(site.runtime, school, "probe")
    for _ in range(2):
        with room.write() as db:
            room.schedule(db, "close", "a1", {"attempt": "a1"}, site.clock())
            room.schedule(db, "close", "a2", {"attempt": "a2"}, site.clock())
    assert jobs(site) == 2


def visit(site: Site, session: Any, plugin: str = "probe") -> LaunchVisit:
    return LaunchVisit(site.runtime, session, plugin, None, lambda path, **query: f"/l/x/p/{path}")


def test_whoever_taught_here_once_is_no_pupil(site: Site) -> None:
    main = site.lmss["main"]
    site.admit(main, sub="9", name="Салтанат Ахметова")
    site.admit(main, sub="9", name="Салтанат Ахметова", ROLES=teacher()["ROLES"])
    site.admit(main, sub="9", name="Салтанат Ахметова")
    _, pupil = site.admit(main, sub="5")
    site.admit(main, sub="6", name="Әлімхан Ерасыл")
    site.admit(main, sub="7", name="Басқа сынып", CONTEXT={"id": "other"})
    people = visit(site, pupil).members()
    assert [(one.name, one.role) for one in people] == [
        ("Айгерім Әбдірахманова", Role.PUPIL), ("Әлімхан Ерасыл", Role.PUPIL), ("Салтанат Ахметова", Role.TEACHER),
    ]  # fmt: skip


def test_visitor_is_who_was_launched_and_the_reviewed_pupil_is_found(site: Site) -> None:
    main = site.lmss["main"]
    _, pupil = site.admit(main)
    asked = {"MESSAGE_TYPE": "LtiSubmissionReviewRequest", "FOR_USER": {"user_id": "5"}}
    _, reviewing = site.admit(main, **teacher(**asked))
    here = visit(site, reviewing)
    assert here.viewer.role is Role.TEACHER
    assert here.viewer.account_id == reviewing.account_id
    assert here.review_of == pupil.account_id
    assert visit(site, pupil).review_of is None
    _, unknown = site.admit(main, **teacher(**{**asked, "FOR_USER": {"user_id": "404"}}))
    assert visit(site, unknown).review_of is None


def test_words_are_said_in_the_viewer_s_language(site: Site) -> None:
    _, session = site.admit(site.lmss["main"], LAUNCH_PRESENTATION={"locale": "ru"})
    here = visit(site, session)
    assert here.t("Back to the course") == "Вернуться в курс"
    assert here.say(say("Back to the course"), "en") == "Back to the course"
