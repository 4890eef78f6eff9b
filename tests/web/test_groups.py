"""Course Groups 1.0 and roster differences through the host: read by jobs, kept apart, given to plugins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.wrappers import Response

from connector.db.tables.rosters import course_group, group_source, roster
from connector.host.groups import READ_GROUPS, groups_handler
from connector.host.rooms import LaunchVisit
from connector.host.rosters import Rosters
from lti.tool.keys import public_jwk
from lti.tool.nrps import Member
from lti.tool.rosters import KeptRoster
from lti.vocab import FurtherScope
from sync.jobs.runner import Handlers, execute_job
from sync.jobs.runner import Runtime as JobRuntime
from sync.systems.contract import Evidence, Scope
from sync.systems.lti_advantage import Course, LtiAdvantageSystem
from sync.systems.lti_advantage import Platform as AdvantagePlatform
from tests.lti.kit import Platform
from tests.support.databases import Place
from tests.support.kopir_site import Lms, Site, key_pair, open_site, teacher

GROUPS = {"groups": [{"id": "g1", "name": "7А-1", "set_id": "s"}, {"id": "g2", "name": "7А-2"}]}


@pytest.fixture(scope="module")
def blackboard() -> Iterator[Platform]:
    server = Platform()
    server.keys = [public_jwk(key_pair())]
    server.token_scopes.add(FurtherScope.GROUPS_READONLY)
    yield server
    server.close()


@pytest.fixture
def site(sqlite_place: Place, tmp_path: Path, blackboard: Platform) -> Iterator[Site]:
    blackboard.rules.clear()
    blackboard.calls.clear()
    with open_site(sqlite_place, tmp_path) as opened:
        opened.lmss["bb"] = opened.lms(f"{blackboard.base}/certs.php", "lyceum-8", blackboard.base)
        yield opened


@pytest.fixture
def lms(site: Site) -> Lms:
    return site.lmss["bb"]


def claims(lms: Lms, server: Platform) -> dict[str, Any]:
    return {
        "GROUPS": {"context_groups_url": f"{lms.issuer}/groups", "context_group_sets_url": f"{lms.issuer}/sets",
                   "scope": [FurtherScope.GROUPS_READONLY], "service_versions": ["1.0"]},
        "NRPS": {"context_memberships_url": server.roster_url, "service_versions": ["2.0"]},
    }  # fmt: skip


def serve(server: Platform, path: str, answer: Any) -> None:
    def authorised(call: Any) -> Response | None:
        if call.headers.get("Authorization", "").removeprefix("Bearer ") not in server.valid_tokens:
            return None
        value = answer(call) if callable(answer) else answer
        return value if isinstance(value, Response) else Response(json.dumps(value))

    server.rules.append((path, None, authorised))


def work(site: Site) -> None:
    handlers = Handlers()
    handlers.add(READ_GROUPS, groups_handler(site.runtime))
    jobs = JobRuntime(site.runtime.database, handlers)
    while execute_job(jobs):
        pass


def groups_seen(site: Site, lms: Lms) -> dict[str, tuple[str, ...]]:
    """Return what a plugin is told of the course's people."""
    _, session = site.admit(lms, **teacher())
    visit = LaunchVisit(site.runtime, session, "probe", None, lambda path, **_: path)
    return {member.name: member.groups for member in visit.members()}


def stored(site: Site, table: Any) -> list[Any]:
    with site.runtime.database.service(write=False) as db:
        return list(db.execute(select(table)).all())


def test_groups_of_the_course_come_with_its_people_after_a_teachers_launch(
    site: Site, lms: Lms, blackboard: Platform
) -> None:
    serve(blackboard, "/groups", GROUPS)
    serve(blackboard, "/sets", {"sets": [{"id": "s", "name": "Зертхана"}]})
    member = {"user_id": "5", "roles": ["Learner"], "group_enrollments": [{"group_id": "g2"}, {"group_id": "gone"}]}
    serve(blackboard, "/memberships", {"members": [member]})
    site.enter(site.client(), lms, **claims(lms, blackboard))
    assert blackboard.count("/groups") == 0, "a pupil's launch asks for nothing"
    site.enter(site.client(), lms, **teacher(**claims(lms, blackboard)))
    work(site)
    assert groups_seen(site, lms) == {"Айгерім Әбдірахманова": ("7А-2",), "Нұрлан Сейітқали": ()}
    assert {(row.name, row.set_name) for row in stored(site, course_group)} == {("7А-1", "Зертхана"), ("7А-2", "")}
    asked = blackboard.count("/groups")
    site.enter(site.client(), lms, **teacher(**claims(lms, blackboard)))
    work(site)
    assert blackboard.count("/groups") == asked, "not at every launch"


def test_groups_are_asked_for_person_by_person_where_the_roster_does_not_tell(
    site: Site, lms: Lms, blackboard: Platform
) -> None:
    mine = {"groups": GROUPS["groups"][:1]}

    def answer(call: Any) -> Any:
        return mine if "user_id=5" in call.query else {"groups": []} if call.query else GROUPS

    serve(blackboard, "/groups", answer)
    serve(blackboard, "/sets", {"sets": []})
    serve(blackboard, "/memberships", {"members": [{"user_id": "5", "roles": ["Learner"]}]})
    site.enter(site.client(), lms, **claims(lms, blackboard))
    site.enter(site.client(), lms, **teacher(**claims(lms, blackboard)))
    work(site)
    assert groups_seen(site, lms)["Айгерім Әбдірахманова"] == ("7А-1",)


def test_groups_that_an_lms_does_not_give_leave_the_course_as_it_was(
    site: Site, lms: Lms, blackboard: Platform
) -> None:
    serve(blackboard, "/sets", lambda call: Response("", 403))
    site.enter(site.client(), lms, **teacher(**claims(lms, blackboard)))
    work(site)
    assert [(row.state, row.reason) for row in stored(site, group_source)] == [("refused", "forbidden")]
    assert groups_seen(site, lms) == {"Нұрлан Сейітқали": ()}


def test_nrps_rosters_are_kept_sealed_and_followed_by_differences_in_a_sync(
    site: Site, lms: Lms, blackboard: Platform
) -> None:
    def answer(call: Any) -> Response:
        everyone = [{"user_id": str(n), "name": f"Оқушы {n}", "roles": ["Learner"]} for n in (5, 6)]
        left = [{"user_id": "6", "status": "Deleted", "roles": []}]
        link = {"Link": f'<{blackboard.roster_url}?since=1>; rel="differences"'}
        return Response(json.dumps({"members": left if "since" in call.query else everyone}), headers=link)

    serve(blackboard, "/memberships", answer)
    store = Rosters(site.runtime, lms.made.school_id)
    url = blackboard.roster_url
    kept = KeptRoster(None, (Member("5", frozenset()),), f"{url}?since=0", site.clock())
    store.save(url, kept)
    assert store.load(url) == kept
    registration = site.runtime.registry.get(lms.made.registration_id)
    assert registration is not None
    course = Course("2", memberships_url=url)
    system = LtiAdvantageSystem(
        "moodle:x", site.runtime.outbound, site.runtime.token_source,
        AdvantagePlatform(registration, lms.deployment, [course]), rosters=store, clock=site.clock,
    )  # fmt: skip
    store.drop(url)
    assert [one.id for one in system.read_people(Scope("2")).records] == ["5", "6"]
    later = system.read_people(Scope("2"))
    assert ([one.id for one in later.records], later.evidence) == (["5"], Evidence.COMPLETE)
    assert [call.query for call in blackboard.seen("/memberships") if call.query] == ["since=1"]
    (row,) = stored(site, roster)
    assert "since" not in row.sealed
    assert "Оқушы" not in row.sealed
    assert Rosters(site.runtime, site.lmss["main"].made.school_id).load(url) is None
    store.forget_all()
    assert store.load(url) is None
