"""Letting a launch in: what it names is found or made once, its nonce is spent once, its secret opens it alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from connector.base.ids import new_id
from connector.db.tables.launches import account, activity, context, launch, resource_link
from connector.host.launches import (
    admit,
    choose_language,
    deep_linking_of,
    find_session,
    school_of_launch,
    storable,
)
from connector.host.links import ACTIVITY_PARAMETER, bind_activity
from connector.host.runtime import Runtime
from lti.errors import LaunchRefused
from lti.vocab import Scope
from plugins.contract import Role
from tests.support import factories as make
from tests.support.databases import Place
from tests.support.kopir_site import INSTRUCTOR, LEARNER, Site, deep_linking, open_runtime, teacher

MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"


def rows(site: Site, table: Any, code: str = "lyceum-1") -> list[Any]:
    school = site.runtime.registry.school(code=code)
    assert school is not None
    with site.runtime.database.school(school.id, write=False) as db:
        return list(db.execute(select(table).where(table.c.school_id == school.id)).all())


def one(site: Site, table: Any) -> Any:
    (row,) = rows(site, table)
    return row


def test_launch_stores_account_context_link_and_itself_once(site: Site) -> None:
    main = site.lmss["main"]
    admitted, session = site.admit(main)
    pupil, course, link, stored = (one(site, table) for table in (account, context, resource_link, launch))
    assert (pupil.issuer, pupil.sub, pupil.display_name) == (main.issuer, "5", "Айгерім Әбдірахманова")
    assert (pupil.sourcedid, pupil.family_name, pupil.given_name) == ("2026010001", "Әбдірахманова", "Айгерім")
    assert (course.context_id, course.label, course.title) == ("2", "ALG7", "Алгебра 7А")
    assert course.line_items_url == f"{main.issuer}/lineitems"
    assert course.memberships_url == f"{main.issuer}/members"
    assert (link.link_id, link.context, link.activity) == ("1", course.id, None)
    assert stored.id == admitted.launch_id
    assert (stored.account, stored.context, stored.resource_link) == (pupil.id, course.id, link.id)
    assert (session.account_id, session.role, session.language) == (pupil.id, Role.PUPIL, "kk")
    assert admitted.secret not in str(stored)


def test_same_person_again_makes_no_second_account_course_or_link(site: Site) -> None:
    main = site.lmss["main"]
    _, first = site.admit(main)
    _, second = site.admit(main, name="Айгерім Нұрланқызы", CONTEXT={"id": "2", "title": "Алгебра 7Б"})
    assert first.account_id == second.account_id
    assert one(site, account).display_name == "Айгерім Нұрланқызы"
    assert one(site, context).title == "Алгебра 7Б"
    assert one(site, resource_link)
    assert len(rows(site, launch)) == 2


def test_reregistered_client_keeps_the_accounts(site: Site) -> None:
    main = site.lmss["main"]
    _, first = site.admit(main)
    anew = site.lms(main.jwks_url, client_id="made-anew", deployment_id="9")
    _, second = site.admit(anew)
    assert first.account_id == second.account_id
    assert one(site, account).registration_id == anew.made.registration_id
    assert anew.made.registration_id != main.made.registration_id


def test_same_sub_of_another_lms_is_another_person(site: Site) -> None:
    main = site.lmss["main"]
    other = site.lms(main.jwks_url, issuer="https://second.school.kz", client_id="second")
    site.admit(main)
    site.admit(other)
    assert len(rows(site, account)) == 2
    assert len(rows(site, context)) == 2


def test_same_sub_in_another_school_of_the_same_lms_is_another_person(site: Site) -> None:
    main = site.lmss["main"]
    other = site.lms(main.jwks_url, "lyceum-2", issuer=main.issuer, client_id=main.client_id, deployment_id="2")
    _, mine = site.admit(main)
    _, theirs = site.admit(other)
    assert mine.account_id != theirs.account_id
    assert [len(rows(site, account, code)) for code in ("lyceum-1", "lyceum-2")] == [1, 1]


def test_what_a_later_message_does_not_tell_stays_as_it_was(site: Site) -> None:
    main = site.lmss["main"]
    site.admit(main)
    before = [one(site, table) for table in (account, context, resource_link)]
    quiet = dict.fromkeys(("name", "given_name", "family_name", "LIS", "AGS_ENDPOINT", "NRPS"))
    site.admit(main, **quiet, CONTEXT={"id": "2"}, RESOURCE_LINK={"id": "1"})
    after = [one(site, table) for table in (account, context, resource_link)]
    for old, new in zip(before, after, strict=True):
        assert {**old._mapping, "seen_at": None} == {**new._mapping, "seen_at": None}


def test_deep_linking_request_does_not_take_the_gradebook_away(site: Site) -> None:
    main = site.lmss["main"]
    site.admit(main)
    site.admit(main, **deep_linking(main), AGS_ENDPOINT=None, NRPS=None)
    course = one(site, context)
    assert course.line_items_url == f"{main.issuer}/lineitems"
    assert course.memberships_url == f"{main.issuer}/members"
    assert course.scopes == sorted([Scope.LINEITEM, Scope.SCORE])


def test_gradebook_that_moved_is_brought_up_to_date(site: Site) -> None:
    main = site.lmss["main"]
    site.admit(main)
    moved = {"scope": [Scope.SCORE], "lineitems": f"{main.issuer}/new"}
    site.admit(main, AGS_ENDPOINT=moved)
    assert one(site, context).line_items_url == f"{main.issuer}/new"
    assert one(site, context).scopes == [Scope.SCORE]
    assert one(site, resource_link).line_item_url is None


def test_core_launch_without_a_course_or_a_link_is_let_in_as_far_as_it_goes(site: Site) -> None:
    main = site.lmss["main"]
    _, session = site.admit(main, **{**deep_linking(main), "CONTEXT": None})
    assert session.context is None
    assert session.resource_link is None
    assert rows(site, resource_link) == []


def test_core_link_placed_from_a_course_opens_without_the_course(site: Site) -> None:
    main = site.lmss["main"]
    activity_id = make.make_activity(site.runtime.database, main.made.school_id)
    _, first = site.admit(main, CUSTOM={ACTIVITY_PARAMETER: activity_id})
    _, later = site.admit(main, CONTEXT=None, NRPS=None)
    assert (later.resource_link, later.context) == (first.resource_link, first.context)
    assert later.activity_id == activity_id
    course = one(site, context)
    assert (course.context_id, course.title) == ("2", "Алгебра 7А")
    assert course.memberships_url == f"{main.issuer}/members"


def test_core_link_launched_for_the_first_time_without_its_course_stands_where_its_activity_was_placed(
    site: Site,
) -> None:
    main = site.lmss["main"]
    _, teacher_s = site.admit(main, **deep_linking(main))
    activity_id = make.make_activity(site.runtime.database, main.made.school_id, context_id=teacher_s.context)
    _, session = site.admit(main, CONTEXT=None, CUSTOM={ACTIVITY_PARAMETER: activity_id})
    assert (session.context, session.activity_id) == (teacher_s.context, activity_id)


def test_core_links_that_never_named_a_course_keep_their_people_and_gradebooks_apart(site: Site) -> None:
    main = site.lmss["main"]
    _, first = site.admit(main, CONTEXT=None)
    other = {"scope": [Scope.SCORE], "lineitems": f"{main.issuer}/other"}
    _, second = site.admit(main, CONTEXT=None, RESOURCE_LINK={"id": "2"}, sub="6", AGS_ENDPOINT=other)
    _, again = site.admit(main, CONTEXT=None)
    assert first.context != second.context
    assert again.context == first.context
    assert {row.line_items_url for row in rows(site, context)} == {f"{main.issuer}/lineitems", f"{main.issuer}/other"}
    # Once the course is known, the link is looked for there.
    _, named = site.admit(main)
    _, nameless = site.admit(main, CONTEXT=None)
    assert nameless.context == named.context


def test_core_one_link_id_in_two_courses_is_not_guessed_between(site: Site) -> None:
    main = site.lmss["main"]
    _, first = site.admit(main)
    _, second = site.admit(main, CONTEXT={"id": "3"})
    _, nameless = site.admit(main, CONTEXT=None)
    assert nameless.context not in (first.context, second.context)


@pytest.mark.parametrize(
    ("uris", "role"),
    [
        ([LEARNER], Role.PUPIL),
        ([INSTRUCTOR], Role.TEACHER),
        ([LEARNER, INSTRUCTOR], Role.TEACHER),
        ([f"{MEMBERSHIP}/Instructor#TeachingAssistant"], Role.TEACHER),
        (["http://purl.imsglobal.org/vocab/lis/v2/institution/person#Administrator"], Role.TEACHER),
        ([f"{MEMBERSHIP}#Mentor"], Role.OTHER),
        (["http://purl.imsglobal.org/vocab/lti/system/person#TestUser", LEARNER], Role.PUPIL),
        ([], Role.OTHER),
        (["urn:some:other#Role"], Role.OTHER),
    ],
)
def test_page_role_follows_the_roles_of_the_launch(uris: list[str], role: Role, sqlite_site: Site) -> None:
    _, session = sqlite_site.admit(sqlite_site.lmss["main"], ROLES=uris)
    assert session.role is role


@pytest.mark.parametrize(
    ("locale", "language"), [("ru", "ru"), ("en_US", "en"), ("kk-KZ", "kk"), ("de", "kk"), (None, "kk"), ("", "kk")]
)
def test_language_is_the_launch_s_where_we_speak_it_else_the_school_s(
    locale: str | None, language: str, sqlite_site: Site
) -> None:
    _, session = sqlite_site.admit(sqlite_site.lmss["main"], LAUNCH_PRESENTATION={"locale": locale})
    assert session.language == language


def test_chosen_language_outlives_the_launch_and_an_unknown_one_is_not_kept(site: Site) -> None:
    main = site.lmss["main"]
    _, session = site.admit(main)
    choose_language(site.runtime, session, "en")
    assert site.admit(main)[1].language == "en"
    choose_language(site.runtime, session, "xx")
    assert site.admit(main)[1].language == "en"


# Single use


def test_replayed_launch_is_refused_and_stores_nothing_more(site: Site) -> None:
    main = site.lmss["main"]
    launched = site.validated(main)
    school = site.runtime.registry.school(code="lyceum-1")
    assert school is not None
    admit(site.runtime, launched, school)
    with pytest.raises(LaunchRefused) as caught:
        admit(site.runtime, launched, school)
    assert caught.value.reason == "replayed"
    assert caught.value.registration_id == main.made.registration_id
    assert len(rows(site, launch)) == 1


@pytest.fixture
def two_runtimes(site: Site, database_place: Place, tmp_path: Path) -> Iterator[list[Runtime]]:
    """Two processes' worth of shared parts over one database."""
    opened = [open_runtime(database_place, tmp_path, site.clock) for _ in range(2)]
    yield opened
    for runtime in opened:
        runtime.database.close()


def test_of_sixteen_simultaneous_copies_exactly_one_is_let_in(site: Site, two_runtimes: list[Runtime]) -> None:
    launched = site.validated(site.lmss["main"])
    school = site.runtime.registry.school(code="lyceum-1")
    assert school is not None
    gate = threading.Barrier(16)

    def try_in(number: int) -> str:
        gate.wait()
        try:
            admit(two_runtimes[number % 2], launched, school)
        except LaunchRefused as refused:
            return refused.reason
        return "in"

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(try_in, range(16)))
    assert sorted(outcomes) == ["in"] + ["replayed"] * 15
    assert [len(rows(site, table)) for table in (launch, account, context, resource_link)] == [1, 1, 1, 1]


def test_thirty_pupils_at_once_all_get_in(site: Site, two_runtimes: list[Runtime]) -> None:
    main = site.lmss["main"]
    launches = [site.validated(main, sub=str(number)) for number in range(30)]
    school = site.runtime.registry.school(code="lyceum-1")
    assert school is not None
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda pair: admit(two_runtimes[pair[0] % 2], pair[1], school), enumerate(launches)))
    assert [len(rows(site, table)) for table in (launch, account, context, resource_link)] == [30, 30, 1, 1]


# The session


def test_secret_opens_its_own_launch_and_no_other(site: Site) -> None:
    main = site.lmss["main"]
    first, _ = site.admit(main)
    second, _ = site.admit(main, sub="6")
    mine = f"{first.school_id}.{first.secret}"
    opened = find_session(site.runtime, first.launch_id, mine)
    assert opened is not None
    assert opened.launch_id == first.launch_id
    assert find_session(site.runtime, second.launch_id, mine) is None
    other_school = make.make_school(site.runtime.database)
    for cookie in (
        "", ".", first.secret, f".{first.secret}", f"{first.school_id}.", f"{first.school_id}.{first.secret}x",
        f"{first.school_id}.{second.secret}", f"{other_school}.{first.secret}", f"{new_id()}.{first.secret}",
        f"{first.school_id}.\udcff", "\x00.\x00", f"{first.school_id.upper()}.{first.secret}",
    ):  # fmt: skip
        assert find_session(site.runtime, first.launch_id, cookie) is None
    for launch_id in ("", "x", new_id(), "\x00" * 32):
        assert find_session(site.runtime, launch_id, mine) is None


def test_session_ends_after_a_sitting(site: Site) -> None:
    admitted, _ = site.admit(site.lmss["main"])
    cookie = f"{admitted.school_id}.{admitted.secret}"
    site.clock.ahead = admitted.max_age - 60
    assert find_session(site.runtime, admitted.launch_id, cookie) is not None
    site.clock.ahead = admitted.max_age + 1
    assert find_session(site.runtime, admitted.launch_id, cookie) is None


def test_school_of_a_launch_is_told_by_its_id_alone(site: Site) -> None:
    admitted, _ = site.admit(site.lmss["main"])
    assert school_of_launch(site.runtime, admitted.launch_id) == admitted.school_id
    assert school_of_launch(site.runtime, new_id()) is None
    assert school_of_launch(site.runtime, "../etc") is None


# Activities


def test_link_keeps_its_activity_when_a_later_launch_names_none(site: Site) -> None:
    main = site.lmss["main"]
    placed = make.make_activity(site.runtime.database, main.made.school_id)
    _, session = site.admit(main, CUSTOM={ACTIVITY_PARAMETER: placed})
    assert session.activity_id == placed
    assert site.admit(main)[1].activity_id == placed


def test_activity_of_another_school_or_of_none_is_not_opened(site: Site) -> None:
    main = site.lmss["main"]
    foreign = make.make_activity(site.runtime.database, make.make_school(site.runtime.database))
    for wanted in (foreign, new_id(), "nonsense", "", "\x00"):
        assert site.admit(main, CUSTOM={ACTIVITY_PARAMETER: wanted})[1].activity_id is None


def test_link_made_by_hand_is_bound_once(site: Site) -> None:
    main = site.lmss["main"]
    school_id = main.made.school_id
    first, second = (make.make_activity(site.runtime.database, school_id) for _ in range(2))
    _, session = site.admit(main, **teacher())
    assert session.resource_link is not None
    for wanted in (first, second):
        with site.runtime.database.school(school_id) as db:
            bind_activity(db, school_id, session.resource_link, wanted)
    assert one(site, resource_link).activity == first
    assert len(rows(site, activity)) == 2


def test_picker_s_settings_come_back_as_the_platform_sent_them(site: Site) -> None:
    main = site.lmss["main"]
    sent = site.validated(main, **deep_linking(main, data="opaque", title="Тест"))
    school = site.runtime.registry.school(code="lyceum-1")
    assert school is not None
    admitted = admit(site.runtime, sent, school)
    session = find_session(site.runtime, admitted.launch_id, f"{admitted.school_id}.{admitted.secret}")
    assert session is not None
    assert deep_linking_of(session) == sent.deep_linking
    assert session.resource_link is None


@pytest.mark.parametrize(
    ("text", "kept"), [("Айгерім", "Айгерім"), ("a\x00b", "ab"), ("cut \ud83d", "cut "), ("😀", "😀"), ("", "")]
)
def test_text_is_stored_without_what_no_database_keeps(text: str, kept: str) -> None:
    assert storable(text) == kept


def test_name_with_half_a_letter_does_not_keep_a_pupil_out(site: Site) -> None:
    site.admit(site.lmss["main"], name="Айгерім \ud83d\x00")
    assert one(site, account).display_name == "Айгерім "
