"""An independent tool behind Kopir, Kopir behind the LMS: launches, choosing, marks and rosters over real HTTP."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
import requests

from connector.demo.hands import SignedIn, add_activity, open_activity, save, sign_in
from connector.demo.person import Person, Sheet
from connector.demo.world import World, open_world
from connector.host.tools.records import Change, SchoolTool, State, Told, add_tool, change_tool
from lti.platform.records import RegisteredTool
from lti.vocab import Claim, Scope
from tests.support.peer_tool import PeerTool, running_peer

TEACHER, AIGERIM, YERASYL = "3", "5", "6"
CHOSEN = "Тізбек №7"


@dataclass
class Stage:
    """The LMS, Kopir and the peer, known to one another; one activity chosen inside the peer."""

    world: World
    peer: PeerTool
    tool: SchoolTool

    def change(self, **what: Any) -> None:
        change_tool(self.world.runtime, self.world.school_id, self.tool.id, Change(**what))

    def open(self, user: str, title: str = CHOSEN) -> tuple[SignedIn, Sheet]:
        who = sign_in(self.world.lms_url, user)
        return who, open_activity(who, title)

    def marks(self) -> dict[str, Decimal]:
        return next(one.marks() for one in self.world.lms.gradebook() if one.item.label == CHOSEN)


def registered(peer: PeerTool) -> RegisteredTool:
    return RegisteredTool(
        client_id="", deployment_id="1", name="Зертхана", login_url=f"{peer.url}/login",
        redirect_uris=(f"{peer.url}/launch",), target_link_uri=f"{peer.url}/launch",
        deep_linking_url=f"{peer.url}/launch", jwks_url=f"{peer.url}/jwks.json", scopes=frozenset(Scope),
    )  # fmt: skip


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running_peer() as peer:
        world = open_world(tmp_path_factory.mktemp("world"), {"lms": 0, "kopir": 0, "journal": 0})
        tool = add_tool(world.runtime, world.school_id, registered(peer), state=State.ON)
        peer.know(world.kopir_url, tool.client_id)
        made = Stage(world, peer, tool)
        place(made)
        yield made
        world.stop()


def picked(stage: Stage) -> tuple[SignedIn, Sheet, str]:
    """Go as a teacher from the LMS through Kopir's picker into the tool's, and choose there."""
    teacher = sign_in(stage.world.lms_url, TEACHER)
    picker = add_activity(teacher, "external_tool")
    page = teacher.person.open(picker.link("/pick/choose/"))
    inside = teacher.person.follow(page)
    assert "Circuit 7" in inside.text
    answered = teacher.person.follow(teacher.person.submit(inside.form("choose")))
    chosen = re.search(r'data-chosen="([^"]+)"', answered.html)
    assert chosen, answered.text
    return teacher, page, chosen[1]


def place(stage: Stage) -> None:
    teacher, page, chosen = picked(stage)
    save(teacher.person, teacher.person.follow(teacher.person.submit(page.form("pick/chosen"), {"chosen": chosen})))


def wait_for(seen: Any, wanted: Any) -> None:
    deadline = time.monotonic() + 20
    while seen() != wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    assert seen() == wanted


def launch_id(sheet: Sheet) -> str:
    """Return PyLTI1p3's own id of the launch a page of the tool came from."""
    return sheet.form("finish").action.partition("id=")[2]


def asked(stage: Stage, path: str, sheet: Sheet) -> Any:
    answer = requests.get(f"{stage.peer.url}/{path}", params={"id": launch_id(sheet)}, timeout=20)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_pupil_is_launched_and_graded_and_the_mark_stands_in_the_lms(stage: Stage) -> None:
    who, inside = stage.open(AIGERIM)
    assert stage.peer.refused == []
    claims = stage.peer.launches[-1]
    assert claims[Claim.MESSAGE_TYPE] == "LtiResourceLinkRequest"
    assert claims[Claim.CUSTOM] == {"circuit": "7"}
    assert "sent" in who.person.submit(inside.form("finish")).text
    wait_for(lambda: stage.marks().get(AIGERIM), Decimal(8))
    # Its own view of the result is by the name it knows the pupil under.
    (own,) = [one for one in asked(stage, "grades", inside) if one["userId"] == claims["sub"]]
    assert (own["resultScore"], own["resultMaximum"]) == (8, 10)


def test_nothing_of_the_person_reaches_the_tool_but_a_name_of_its_own(stage: Stage) -> None:
    stage.open(AIGERIM)
    first = stage.peer.launches[-1]
    stage.open(AIGERIM)
    again = stage.peer.launches[-1]
    stage.open(YERASYL)
    other = stage.peer.launches[-1]
    assert first["sub"] == again["sub"] != other["sub"]
    assert not {"name", "given_name", "family_name", "email", str(Claim.LIS)} & set(first)
    told = json.dumps(first, ensure_ascii=False)
    assert "Айгерім" not in told
    assert "2026010001" not in told
    assert first[Claim.ROLES] == ["http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"]


def test_names_and_course_go_along_only_where_the_school_says_so(stage: Stage) -> None:
    stage.change(told=frozenset({Told.NAME}))
    try:
        _, inside = stage.open(AIGERIM)
        claims = stage.peer.launches[-1]
        assert "Айгерім" in claims["name"]
        assert "title" not in claims[Claim.CONTEXT]
        assert "locale" not in claims[Claim.LAUNCH_PRESENTATION]
        members = asked(stage, "members", inside)
        assert any("Айгерім" in one.get("name", "") for one in members)
    finally:
        stage.change(told=frozenset({Told.COURSE, Told.LANGUAGE}))
    _, inside = stage.open(AIGERIM)
    members = asked(stage, "members", inside)
    mine = stage.peer.launches[-1]["sub"]
    assert [one["roles"] for one in members if one["user_id"] == mine] == [
        ["http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"]
    ]
    assert not any("name" in one for one in members)


def test_a_column_of_the_tools_own_stays_with_us_and_is_shown_to_the_teacher(stage: Stage) -> None:
    who, inside = stage.open(YERASYL)
    before, mark = [one.item.label for one in stage.world.lms.gradebook()], stage.marks().get(YERASYL)
    who.person.submit(inside.form("finish"), {"points": "3", "column": "speed"})
    labels = {one["label"]: one for one in asked(stage, "columns", inside)}
    assert set(labels) >= {CHOSEN, "speed"}
    assert [one.item.label for one in stage.world.lms.gradebook()] == before
    assert stage.marks().get(YERASYL) == mark
    overview = open_activity(sign_in(stage.world.lms_url, TEACHER), CHOSEN)
    assert "speed" in overview.text
    assert "3 / 10" in overview.text


def test_switched_off_tool_gets_no_launch_no_token_and_no_answer_at_once(stage: Stage) -> None:
    who, inside = stage.open(YERASYL)
    stage.change(state=State.OFF)
    try:
        launches = len(stage.peer.launches)
        _, closed = stage.open(AIGERIM)
        assert closed.status == 403
        assert len(stage.peer.launches) == launches
        # A page of the tool that is still open sends its mark in vain: neither its token nor a new one works.
        assert who.person.submit(inside.form("finish")).status == 500
    finally:
        stage.change(state=State.ON)
    assert "sent" in who.person.submit(inside.form("finish"), {"points": "4"}).text
    wait_for(lambda: stage.marks().get(YERASYL), Decimal(4))


def test_choice_from_another_browser_is_not_taken(stage: Stage) -> None:
    teacher = sign_in(stage.world.lms_url, TEACHER)
    page = teacher.person.open(add_activity(teacher, "external_tool").link("/pick/choose/"))
    inside = teacher.person.follow(page)
    form = teacher.person.submit(inside.form("choose")).form("choice")
    stranger = sign_in(stage.world.lms_url, TEACHER)
    refused = stranger.person.submit(form)
    assert refused.status == 400
    assert "data-chosen" not in refused.html


def test_choice_is_taken_once_and_only_by_the_page_that_asked(stage: Stage) -> None:
    teacher, page, chosen = picked(stage)
    other, theirs, _ = picked(stage)
    assert other.person.submit(theirs.form("pick/chosen"), {"chosen": chosen}).status == 400
    assert teacher.person.submit(page.form("pick/chosen"), {"chosen": chosen + "x"}).status == 400
    back = teacher.person.submit(page.form("pick/chosen"), {"chosen": chosen})
    assert "JWT" in back.form("contentitem").fields


def test_teacher_sees_points_delivery_and_the_tools_own_columns(stage: Stage) -> None:
    who, inside = stage.open(AIGERIM)
    who.person.submit(inside.form("finish"), {"points": "12"})
    wait_for(lambda: stage.marks().get(AIGERIM), Decimal(10))
    teacher = sign_in(stage.world.lms_url, TEACHER)
    overview = open_activity(teacher, CHOSEN)
    assert "12 / 10" in overview.text
    assert "Айгерім" in overview.text
    assert teacher.person.follow(teacher.person.open(overview.link("/p/open"))).url.startswith(stage.peer.url)
    assert stage.peer.launches[-1][Claim.ROLES] == ["http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"]


def test_new_window_opens_the_tool_once_without_any_cookie_of_the_frame(stage: Stage) -> None:
    who = sign_in(stage.world.lms_url, AIGERIM)
    lms_page = who.person.open(who.course.link(CHOSEN))
    step = who.person.open(lms_page.frames[0])
    while not any("/platform/open" in url for url, _ in step.links):
        step = who.person.submit(step.forms[0])
    address = step.link("/platform/open")
    window = Person()
    assert window.follow(window.open(address)).url.startswith(stage.peer.url)
    assert Person().open(address).status == 403
