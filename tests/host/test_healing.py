"""A course or an activity was copied in the LMS: the activity is found again, once, and results never mix."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select

from connector.db.tables.launches import activity, context, context_origin, resource_link, result
from connector.host.copies import Proof
from connector.host.healing import Question, heal, on_context_copy, open_copy, questioned, take_over
from connector.host.launches import Session
from connector.host.links import ACTIVITY_PARAMETER
from connector.host.rooms import SchoolRoom
from plugins.contract import Outcome, Progress
from sync.scores.places import find_place
from tests.support import factories as make
from tests.support.databases import Place
from tests.support.kopir_site import Site, open_site, teacher
from tests.support.probe_plugin import Probe

NO_GRADEBOOK = {"AGS_ENDPOINT": None}


@pytest.fixture
def site(database_place: Place, tmp_path: Path) -> Iterator[Site]:
    with open_site(database_place, tmp_path) as opened:
        opened.runtime.plugins = {"probe": Probe(tmp_path)}
        yield opened


def place(site: Site, course: str = "2", **values: Any) -> str:
    """Place an activity in a course as deep linking does; return its id."""
    lms = site.lmss["main"]
    _, session = site.admit(lms, **teacher(CONTEXT={"id": course, "title": "Алгебра 7А"}, RESOURCE_LINK={"id": "0"}))
    return make.make_activity(
        site.runtime.database, lms.made.school_id, plugin="probe", context_id=session.context,
        settings={"questions": 3}, tag="sor", **values,
    )  # fmt: skip


def come(site: Site, claimed: str | None, link: str = "1", course: str = "2", lms: Any = None, **more: Any) -> Session:
    """Let a pupil in by a link that claims an activity."""
    custom = {**({ACTIVITY_PARAMETER: claimed} if claimed else {}), **more.pop("custom", {})}
    title = more.pop("title", "Бақылау жұмысы")
    _, session = site.admit(
        lms or site.lmss["main"], CUSTOM=custom, CONTEXT={"id": course, "title": f"Курс {course}"},
        RESOURCE_LINK={"id": link, "title": title}, **{**NO_GRADEBOOK, **more},
    )  # fmt: skip
    return session


def opened(site: Site, session: Session) -> str:
    """Return what a pupil's link opens, healing it when it opens nothing."""
    found = session.activity_id or heal(site.runtime, session)
    assert isinstance(found, str), found
    return found


def rows(site: Site, table: Any) -> dict[str, Any]:
    school = site.lmss["main"].made.school_id
    with site.runtime.database.school(school, write=False) as db:
        return {row.id: row for row in db.execute(select(table).where(table.c.school_id == school))}


def test_link_of_the_course_it_was_placed_in_opens_the_original(site: Site) -> None:
    made = place(site)
    assert come(site, made).activity_id == made
    assert come(site, made).activity_id == made
    assert list(rows(site, activity)) == [made]


def test_copied_course_gets_its_own_copy_with_content_and_without_results(site: Site) -> None:
    made = place(site)
    original = come(site, made)
    room = SchoolRoom(site.runtime, original.school_id, "probe")
    with room.write() as db:
        room.hand_in(db, made, original.account_id or "", Outcome(Progress.GRADED, Decimal(8), Decimal(10), room.now()))
    pupil = come(site, made, link="7", course="9")
    assert pupil.activity_id is None
    copy = opened(site, pupil)
    assert copy != made
    row = rows(site, activity)[copy]
    assert (row.copied_from, row.root, row.tag, row.score_maximum, row.plugin) == (made, made, "sor", "10", "probe")
    assert row.settings == {"questions": 3, "copied": made}
    assert row.context == pupil.context
    assert [one.activity for one in rows(site, result).values()] == [made]
    again = come(site, made, link="7", course="9")
    assert again.activity_id == copy
    assert come(site, made).activity_id == made


def test_result_of_the_copy_goes_to_the_copied_link_and_the_original_s_stays(site: Site) -> None:
    made = place(site)
    original = come(site, made)
    pupil = come(site, made, link="7", course="9")
    copy = opened(site, pupil)
    room = SchoolRoom(site.runtime, pupil.school_id, "probe")
    for number, one in ((made, "8"), (copy, "5")):
        with room.write() as db:
            outcome = Outcome(Progress.GRADED, Decimal(one), Decimal(10), room.now())
            room.hand_in(db, number, pupil.account_id or "", outcome)
    kept = {one.activity: (one.resource_link, one.score_given) for one in rows(site, result).values()}
    assert kept == {made: (original.resource_link, "8"), copy: (pupil.resource_link, "5")}
    with site.runtime.database.school(pupil.school_id, write=False) as db:
        target = find_place(db, pupil.school_id, copy, pupil.resource_link or "")
    assert target is not None
    assert (target.platform_link_id, target.lineage) == ("7", (made,))


def test_two_pupils_that_come_first_at_the_same_moment_make_one_copy(site: Site) -> None:
    made = place(site)
    sessions = [come(site, made, link="7", course="9", sub=str(number)) for number in range(4)]
    start = Barrier(len(sessions))

    def enter(session: Session) -> Any:
        start.wait()
        return heal(site.runtime, session)

    with ThreadPoolExecutor(len(sessions)) as pool:
        found = set(pool.map(enter, sessions))
    assert len(found) == 1
    assert len(rows(site, activity)) == 2


def test_launch_that_began_before_the_copy_was_made_does_not_undo_it(site: Site) -> None:
    """Its look at the link is older than the copy; what it writes must not be."""
    made = place(site)
    first = come(site, made, link="7", course="9")
    copy = opened(site, first)
    for _ in range(2):
        assert come(site, made, link="7", course="9").activity_id == copy


def test_copy_of_a_copy_is_made_from_the_copy_and_keeps_the_first_original_in_mind(site: Site) -> None:
    made = place(site)
    come(site, made)
    second = opened(site, come(site, made, link="7", course="9"))
    third = opened(site, come(site, made, link="8", course="10", custom={"context_id_history": "9,2"}))
    row = rows(site, activity)[third]
    assert (row.copied_from, row.root) == (second, made)
    session = come(site, made, link="8", course="10")
    with site.runtime.database.school(session.school_id, write=False) as db:
        target = find_place(db, session.school_id, third, session.resource_link or "")
    assert target is not None
    assert target.lineage == (second, made)


def test_notice_of_a_copied_course_is_as_good_as_its_history(site: Site) -> None:
    made = place(site)
    come(site, made)
    second = opened(site, come(site, made, link="7", course="9"))
    main = site.lmss["main"]
    for _ in range(2):
        assert on_context_copy(site.runtime, main.made.registration_id, main.deployment, "10", ["9"])
    assert on_context_copy(site.runtime, main.made.registration_id, main.deployment, "9", ["2"])
    third = opened(site, come(site, made, link="8", course="10"))
    assert rows(site, activity)[third].copied_from == second
    with site.runtime.database.school(main.made.school_id, write=False) as db:
        assert len(db.execute(select(context_origin)).all()) == 2
    assert not on_context_copy(site.runtime, main.made.registration_id, "nobody's", "10", ["9"])


def test_link_history_finds_a_link_that_was_made_by_hand(site: Site) -> None:
    made = place(site)
    session = come(site, None, link="4")
    with site.runtime.database.school(session.school_id) as db:
        db.execute(resource_link.update().where(resource_link.c.id == session.resource_link).values(activity=made))
    copy = opened(site, come(site, None, link="6", course="9", custom={"resource_link_id_history": "5,4"}))
    assert rows(site, activity)[copy].copied_from == made
    assert (
        heal(site.runtime, come(site, None, link="6b", course="9", custom={"resource_link_id_history": "$X"})) is None
    )


def test_name_alone_in_a_copied_course_is_asked_about(site: Site) -> None:
    made = place(site)
    session = come(site, None, link="4", title="Қолмен")
    with site.runtime.database.school(session.school_id) as db:
        db.execute(resource_link.update().where(resource_link.c.id == session.resource_link).values(activity=made))
    pupil = come(site, None, link="6", course="9", title="Қолмен", custom={"context_id_history": "2"})
    question = heal(site.runtime, pupil)
    assert isinstance(question, Question)
    (likely,) = question.sources
    assert (likely.activity_id, likely.proof, likely.course) == (made, Proof.LIKENESS, "Курс 2")
    assert len(rows(site, activity)) == 1
    stranger = come(site, None, link="6", course="11", title="Басқа", custom={"context_id_history": "2"})
    assert heal(site.runtime, stranger) is None


def test_second_link_in_the_same_course_waits_for_the_teacher_where_the_lms_proves_nothing(site: Site) -> None:
    made = place(site)
    come(site, made)
    second = come(site, made, link="2")
    assert second.activity_id is None
    question = heal(site.runtime, second)
    assert isinstance(question, Question)
    assert question.sources[0].may_be_the_same
    source = questioned(site.runtime, second, made)
    assert source is not None
    assert take_over(site.runtime, second, source) == made
    assert come(site, made, link="2").activity_id == made
    # The former link opens nothing any more; should it be there after all, a teacher is asked again.
    former = come(site, made)
    assert former.activity_id is None
    assert isinstance(heal(site.runtime, former), Question)


def test_link_put_back_in_a_copied_course_is_asked_about_and_not_copied_anew(site: Site) -> None:
    made = place(site)
    come(site, made)
    copy = opened(site, come(site, made, link="7", course="9"))
    again = heal(site.runtime, come(site, made, link="8", course="9"))
    assert isinstance(again, Question)
    assert again.sources[0].activity_id == copy


def test_two_links_of_one_activity_that_come_first_together_end_with_two_activities(site: Site) -> None:
    made = place(site)
    start = Barrier(2)

    def enter(link: str) -> Session:
        start.wait()
        return come(site, made, link=link, sub=link)

    with ThreadPoolExecutor(2) as pool:
        found = [session.activity_id for session in pool.map(enter, ("1", "2"))]
    assert sorted(found, key=str) == sorted([made, None], key=str)


def test_course_restored_in_another_lms_waits_for_the_teacher(site: Site) -> None:
    made = place(site)
    come(site, made)
    other = site.lms(site.lmss["main"].jwks_url, issuer="https://second.school.kz", client_id="second")
    pupil = come(site, made, link="1", course="2", lms=other)
    question = heal(site.runtime, pupil)
    assert isinstance(question, Question)
    (source,) = question.sources
    assert not source.same_lms
    assert not source.may_be_the_same
    assert take_over(site.runtime, pupil, source) is None
    copy = open_copy(site.runtime, pupil, source)
    assert copy not in (None, made)
    assert come(site, made, link="1", course="2", lms=other).activity_id == copy


def test_removed_original_is_asked_about_and_can_still_be_copied(site: Site) -> None:
    made = place(site, removed_at=make.NOW)
    pupil = come(site, made)
    question = heal(site.runtime, pupil)
    assert isinstance(question, Question)
    assert question.sources[0].removed
    copy = open_copy(site.runtime, pupil, question.sources[0])
    assert copy is not None
    assert rows(site, activity)[copy].removed_at is None


def test_activity_nobody_here_knows_leads_to_the_ordinary_choice(site: Site) -> None:
    foreign = place(site)
    other = site.lms(site.lmss["main"].jwks_url, "lyceum-2", client_id="other", deployment_id="2")
    pupil = come(site, foreign, lms=other)
    assert pupil.activity_id is None
    assert heal(site.runtime, pupil) is None


def test_link_that_names_another_activity_than_before_lets_go_of_the_former(site: Site) -> None:
    first, second = place(site), place(site)
    assert come(site, first).activity_id == first
    assert come(site, second).activity_id == second
    assert come(site, first, link="5").activity_id == first


def test_links_bound_before_copies_were_told_apart_stay_bound(site: Site) -> None:
    made = place(site)
    come(site, made)
    old = come(site, None, link="7", course="9")
    with site.runtime.database.school(old.school_id) as db:
        db.execute(resource_link.update().where(resource_link.c.id == old.resource_link).values(activity=made))
    assert come(site, made, link="7", course="9").activity_id == made
    assert len(rows(site, context)) == 2
