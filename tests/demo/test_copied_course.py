"""A course copied in the LMS, over real HTTP: one column each, and no mark in another course's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from connector.db.tables.launches import activity
from connector.demo.hands import SignedIn, add_simple, launch, sign_in
from connector.demo.person import Sheet
from connector.demo.world import World, open_world
from sync.twins.moodle import Column
from tests.support.probe_plugin import Probe

TEACHER, FIRST, SECOND = "3", "5", "6"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    opened = open_world(folder, {"lms": 0, "kopir": 0, "journal": 0})
    opened.runtime.plugins = {"probe": Probe(folder)}
    yield opened
    opened.stop()


def placed(world: World) -> str:
    """Place a graded activity in the first course; return its cmid there."""
    teacher = sign_in(world.lms_url, TEACHER)
    before = {one.cmid for one in world.lms.activities()}
    add_simple(teacher, "probe")
    (cmid,) = {one.cmid for one in world.lms.activities()} - before
    return cmid


def come(world: World, user: str, cmid: str) -> tuple[SignedIn, Sheet]:
    who = sign_in(world.lms_url, user)
    return who, launch(who, who.person.open(f"{world.lms_url}/mod/lti/view.php?id={cmid}"))


def hand_in(world: World, user: str, cmid: str, score: str) -> None:
    who, page = come(world, user, cmid)
    assert page.status == 200, page.text
    form = page.form("act")
    form.action = form.action.replace("/act", "/hand-in")
    assert who.person.submit(form, {"score": score}).status == 200


def columns(world: World, cmid: str, course: str) -> list[Column]:
    """Return the columns of an activity's link."""
    (link,) = [one.id for one in world.lms.activities(course) if one.cmid == cmid]
    return [one for one in world.lms.gradebook() if one.item.activity == link]


def soon(check: Callable[[], bool]) -> bool:
    until = time.monotonic() + 20
    while not check() and time.monotonic() < until:
        time.sleep(0.05)
    return check()


def mark(world: World, cmid: str, course: str, user: str) -> Decimal | None:
    (only,) = columns(world, cmid, course)
    return only.marks().get(user)


def copies(world: World, course: str) -> dict[str, str]:
    """Return the activities of a copied course by title: cmid."""
    return {one.title: one.cmid for one in world.lms.activities(course)}


def latest(world: World, course: str) -> str:
    return world.lms.activities(course)[-1].cmid


def stored(world: World) -> int:
    with world.runtime.database.school(world.school_id, write=False) as db:
        return len(db.execute(select(activity.c.id)).all())


def test_mark_of_the_copy_lands_in_its_one_column_and_the_original_keeps_its_own(world: World) -> None:
    cmid = placed(world)
    hand_in(world, FIRST, cmid, "9")
    assert soon(lambda: mark(world, cmid, "2", FIRST) == 9)
    course = world.lms.copy_course()
    new = latest(world, course)
    # A pupil comes before any teacher.
    hand_in(world, FIRST, new, "4")
    assert soon(lambda: mark(world, new, course, FIRST) == 4)
    hand_in(world, SECOND, new, "6")
    assert soon(lambda: mark(world, new, course, SECOND) == 6)
    assert mark(world, cmid, "2", FIRST) == 9
    assert mark(world, cmid, "2", SECOND) is None
    per_course = [one.item.resource_id for one in world.lms.gradebook() if one.item.course == course]
    assert len(per_course) == len(world.lms.activities(course))


def test_copy_of_a_copy_has_a_column_of_its_own_too(world: World) -> None:
    cmid = placed(world)
    hand_in(world, FIRST, cmid, "9")
    second = world.lms.copy_course()
    hand_in(world, FIRST, latest(world, second), "5")
    third = world.lms.copy_course(second)
    hand_in(world, FIRST, latest(world, third), "3")
    wanted = {(cmid, "2"): 9, (latest(world, second), second): 5, (latest(world, third), third): 3}
    for (number, course), expected in wanted.items():
        assert soon(lambda n=number, c=course, e=expected: mark(world, n, c, FIRST) == e)  # type: ignore[misc]


def test_duplicate_within_the_course_is_seen_by_its_column_and_gets_its_own_activity(world: World) -> None:
    cmid = placed(world)
    hand_in(world, FIRST, cmid, "9")
    assert soon(lambda: mark(world, cmid, "2", FIRST) == 9)
    before = stored(world)
    twin = world.lms.duplicate_activity(cmid)
    hand_in(world, FIRST, twin, "2")
    assert soon(lambda: mark(world, twin, "2", FIRST) == 2)
    assert mark(world, cmid, "2", FIRST) == 9
    assert stored(world) == before + 1


def test_link_put_back_after_the_former_was_deleted_waits_for_the_teacher_who_keeps_the_work(world: World) -> None:
    cmid = placed(world)
    hand_in(world, FIRST, cmid, "7")
    assert soon(lambda: mark(world, cmid, "2", FIRST) == 7)
    back = world.lms.duplicate_activity(cmid)
    world.lms.delete_activity(cmid)
    before = stored(world)
    _, page = come(world, SECOND, back)
    assert page.status == 404
    teacher, page = come(world, TEACHER, back)
    same = next(value for form in page.forms for _, value in form.buttons if value.startswith("same:"))
    form = next(one for one in page.forms if ("choice", same) in one.buttons)
    after = teacher.person.submit(form, button=same)
    assert after.status == 200
    assert stored(world) == before
    hand_in(world, FIRST, back, "8")
    assert soon(lambda: mark(world, back, "2", FIRST) == 8)


def test_column_the_copied_link_brought_is_used_where_the_launch_names_none(world: World) -> None:
    """Two columns of one link, and Moodle names neither: ours is told by the original's id and its tag."""
    cmid = placed(world)
    hand_in(world, FIRST, cmid, "9")
    assert soon(lambda: mark(world, cmid, "2", FIRST) == 9)
    course = world.lms.copy_course()
    new = latest(world, course)
    (link,) = [one for one in world.lms.activities(course) if one.cmid == new]
    body = {"label": "Қатысу", "resourceId": "attendance", "tag": "x"}
    other = world.lms._parts.registry.add_line_item(1, body, Decimal(10), link.id, course)
    hand_in(world, FIRST, new, "4")
    own = next(one for one in columns(world, new, course) if one.item.id != other)
    assert soon(lambda: _marks(world, own.item.id) == {FIRST: Decimal(4)})
    assert len(columns(world, new, course)) == 2
    assert _marks(world, other) == {}


def _marks(world: World, item: str) -> dict[str, Decimal]:
    return next(one for one in world.lms.gradebook() if one.item.id == item).marks()


def test_copied_course_is_reached_from_the_course_page(world: World) -> None:
    placed(world)
    teacher = sign_in(world.lms_url, TEACHER)
    form = next(one for one in teacher.course.forms if one.action.endswith("/backup/copy.php"))
    page = teacher.person.submit(form)
    course = parse_qs(urlsplit(page.url).query)["id"][0]
    assert course != "2"
    assert len(world.lms.activities(course)) == len(world.lms.activities())
    twin = next(one for one in page.forms if one.action.endswith("/course/mod.php"))
    assert "(copy)" in teacher.person.submit(twin).html
