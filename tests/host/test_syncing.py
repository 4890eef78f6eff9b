"""Which systems stand behind a connection of this installation, and with whose tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.base.clock import utc_now
from connector.base.config import Settings
from connector.base.errors import Fatal
from connector.base.secrets import new_key
from connector.host.runtime import Runtime, build_runtime
from connector.host.syncing import JournalAccount, SystemsByKey, sync_handlers, sync_runtime
from sync.store import connections
from sync.store.connections import SyncConnection
from sync.systems.contract import Evidence, Scope, Writing
from sync.systems.kundelik.signin import Credentials
from sync.twins.kundelik import Journal
from tests.support.databases import Place
from tests.support.factories import (
    ISSUER,
    make_account,
    make_context,
    make_deployment,
    make_launch,
    make_registration,
    make_school,
)
from tests.sync.kit import MAPPING
from tests.twins.kundelik_site import new_journal, served


@contextmanager
def runtime_at(place: Place, folder: Path, clock: Callable[[], Any] = utc_now) -> Iterator[Runtime]:
    settings = Settings(
        data_dir=folder, database_url=place.url, database_service_url=place.service_url, secret_key="s" * 40,
        encryption_keys=(new_key(),), allow_private_networks="on",
    )  # fmt: skip
    made = build_runtime(settings, clock)
    try:
        yield made
    finally:
        made.database.close()


@pytest.fixture
def runtime(sqlite_place: Place, tmp_path: Path) -> Iterator[Runtime]:
    with runtime_at(sqlite_place, tmp_path) as made:
        yield made


def connect(
    runtime: Runtime,
    school: str,
    *,
    left: str = "moodle:gym",
    right: str = "kundelik:1000001234567",
    settings: dict[str, Any] | None = None,
    credentials: dict[str, Any] | None = None,
) -> SyncConnection:
    text = MAPPING.replace("moodle:gym", left).replace("kundelik:1000001234567", right)
    text = text.replace("course:", "group:") if left.startswith("oneroster") else text
    sealed = {"right": {"token": "t"}} if credentials is None else credentials
    with runtime.database.school(school) as db:
        made = connections.add(
            db, school, text, runtime.clock(), settings=settings or {}, credentials=sealed, vault=runtime.vault
        )
        return connections.get(db, school, made)


def school_with_lms(runtime: Runtime, deployment: str = "1", **values: Any) -> tuple[str, str]:
    school = make_school(runtime.database)
    registration = make_registration(runtime.database, **values)
    make_deployment(runtime.database, school, registration, deployment)
    return school, registration


def test_the_only_deployment_of_a_school_needs_no_settings(database_place: Place, tmp_path: Path) -> None:
    with runtime_at(database_place, tmp_path) as runtime:
        school, registration = school_with_lms(runtime)
        make_context(runtime.database, school, registration_id=registration, context_id="2", label="7А-ALG")
        left, right = SystemsByKey(runtime).open(connect(runtime, school))
        assert (left.key, right.key) == ("moodle:gym", "kundelik:1000001234567")
        assert [(group.id, group.label) for group in left.read_groups().records] == [("2", "7А-ALG")]


def test_another_schools_deployment_is_never_opened(runtime: Runtime) -> None:
    _theirs, registration = school_with_lms(runtime)
    mine = make_school(runtime.database)
    named = connect(runtime, mine, settings={"left": {"registration": registration, "deployment": "1"}})
    with pytest.raises(Fatal) as refused:
        SystemsByKey(runtime).open(named)
    assert refused.value.reason == "no_such_platform"


def test_of_two_deployments_one_must_be_named(runtime: Runtime) -> None:
    school, registration = school_with_lms(runtime)
    make_deployment(runtime.database, school, registration, "2")
    make_context(runtime.database, school, registration_id=registration, deployment_id="2", context_id="second")
    systems = SystemsByKey(runtime)
    with pytest.raises(Fatal) as refused:
        systems.open(connect(runtime, school))
    assert refused.value.reason == "no_such_platform"
    left, _right = systems.open(connect(runtime, school, settings={"left": {"deployment": "2"}}))
    assert [group.id for group in left.read_groups().records] == ["second"]


def test_whoever_launched_as_a_teacher_is_staff_and_pupils_are_not(runtime: Runtime) -> None:
    school, registration = school_with_lms(runtime)
    for sub, role in (("t1", "teacher"), ("u1", "pupil")):
        account = make_account(runtime.database, school, registration_id=registration, sub=sub)
        make_launch(runtime.database, school, registration_id=registration, account_id=account, role=role)
    left, _right = SystemsByKey(runtime).open(connect(runtime, school))
    assert left._staff() == {"t1"}  # type: ignore[attr-defined]
    assert left.issuer == ISSUER  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"left": "oneroster:x"}, "no_such_system"),
        ({"credentials": {}}, "no_journal_account"),
        ({"settings": {"right": {"calls_per_second": "many"}}}, "bad_setting"),
        ({"settings": {"right": {"calls_per_second": "0"}}}, "bad_setting"),
    ],
)
def test_what_cannot_be_opened_says_why(runtime: Runtime, changes: dict[str, Any], reason: str) -> None:
    school, _registration = school_with_lms(runtime)
    with pytest.raises(Fatal) as refused:
        SystemsByKey(runtime).open(connect(runtime, school, **changes))
    assert refused.value.reason == reason


def test_marks_are_written_only_to_a_journal_whose_vendor_opened_it(runtime: Runtime) -> None:
    school, _registration = school_with_lms(runtime)
    systems = SystemsByKey(runtime)
    gated = systems.open(connect(runtime, school))[1].capabilities.results.write
    opened = systems.open(connect(runtime, school, settings={"right": {"contracted": True}}))[1]
    assert (gated, opened.capabilities.results.write) == (Writing.VENDOR_GATED, Writing.YES)


def test_attendance_of_an_lms_without_one_lands_in_kopirs_register(runtime: Runtime) -> None:
    school, _registration = school_with_lms(runtime)
    sides = sync_runtime(runtime).sides(connect(runtime, school))
    assert sides.own_register
    assert sides.register.key == f"kopir:{school}"


def test_every_kind_of_the_syncs_jobs_has_a_handler(runtime: Runtime) -> None:
    assert set(sync_handlers(runtime)) >= {"sync_plan", "sync_apply"}


def test_the_bell_rings_whatever_doorbell_the_process_has_by_then(runtime: Runtime) -> None:
    dispatcher = sync_runtime(runtime).dispatcher
    rings: list[str] = []

    class Loud:
        def ring(self) -> None:
            rings.append("ring")

    runtime.doorbell = Loud()
    dispatcher.ring("job")
    assert rings == ["ring"]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with served(new_journal(tmp_path)) as made:
        yield made


def login(journal: Journal, password: str = "") -> dict[str, str]:
    return {
        "client_id": journal.client_id, "client_secret": journal.client_secret,
        "username": journal.login, "password": password or journal.password,
    }  # fmt: skip


def test_a_login_signs_in_when_first_needed_and_one_process_signs_in_once(runtime: Runtime, journal: Journal) -> None:
    school, _registration = school_with_lms(runtime)
    connection = connect(
        runtime, school, right=f"kundelik:{journal.school_id}",
        settings={"right": {"base_url": journal.api_url, "calls_per_second": "500"}},
        credentials={"right": login(journal)},
    )  # fmt: skip
    systems = SystemsByKey(runtime)
    first, second = systems.open(connection)[1], systems.open(connection)[1]
    assert first.read_people(Scope(journal.group_id)).evidence is Evidence.COMPLETE
    assert second.client.wire._token() == first.client.wire._token()  # type: ignore[attr-defined]


def test_a_changed_password_signs_in_anew(runtime: Runtime, journal: Journal) -> None:
    school, _registration = school_with_lms(runtime)
    settings = {"right": {"base_url": journal.api_url, "calls_per_second": "500"}}
    key = f"kundelik:{journal.school_id}"
    systems = SystemsByKey(runtime)
    good = connect(runtime, school, right=key, settings=settings, credentials={"right": login(journal)})
    assert systems.open(good)[1].read_groups().records
    bad = connect(runtime, school, right=key, settings=settings, credentials={"right": login(journal, "wrong")})
    assert bad.id == good.id
    assert systems.open(bad)[1].read_groups().evidence is Evidence.UNAUTHORISED


def test_a_token_is_renewed_before_it_ends(runtime: Runtime, journal: Journal) -> None:
    ahead = [timedelta(0)]
    names = login(journal)
    account = JournalAccount(
        runtime.outbound, journal.api_url, Credentials(*names.values()), lambda: utc_now() + ahead[0]
    )
    first = account.token()
    assert account.token() == first
    grant = account._grant
    assert grant is not None
    ahead[0] = grant.ends_at - utc_now() - timedelta(seconds=60)
    assert account.token() != first
