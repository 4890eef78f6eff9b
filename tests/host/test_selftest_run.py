"""The self-test as a whole: on the shipped server, on a live installation, and on ones that are broken on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from werkzeug.wrappers import Response

import plugins.online_test.tables
import plugins.portfolio.tables
import plugins.virtual_lab.tables  # noqa: F401 -- their tables are among those counted.
from connector.app import create_app
from connector.base.clock import utc_now
from connector.base.errors import Fatal
from connector.db.schema import OWNED, metadata
from connector.db.tables.registry import school as school_table
from connector.host.platforms import register_platform
from connector.host.runtime import Runtime
from connector.host.selftest import Report, SelftestLms, Verdict, run_live, run_shipped, services, target
from connector.host.selftest.sweep import SCHOOL_PREFIX, is_selftest, remove
from connector.host.tables import import_tables
from connector.host.work import make_job_runtime
from lti.errors import LaunchReason
from lti.tool import validation
from sync.jobs.dispatch import LocalDispatcher
from tests.support import factories as make
from tests.support.databases import Place
from tests.support.kopir_site import open_runtime
from tests.support.serving import serving


def failed(report: Report) -> dict[str, str]:
    return {
        verdict.case.id: f"{verdict.expected} | {verdict.seen}" for verdict in report.verdicts if not verdict.passed
    }


def nothing(_verdict: Verdict) -> None:
    return


def test_shipped_server_passes_every_case_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    told: list[str] = []
    report = run_shipped(lambda verdict: told.append(verdict.case.id))
    assert failed(report) == {}
    assert report.passed
    assert report.counts()["certification_passed"] == 43
    assert sorted(told) == sorted(verdict.case.id for verdict in report.verdicts)
    assert list(tmp_path.iterdir()) == []


# A live installation


@dataclass
class Live:
    """An installation that serves, and the operator's own process beside it."""

    url: str
    operator: Runtime
    lms: SelftestLms

    def run(self) -> Report:
        return run_live(self.operator, self.url, self.lms, nothing)


@contextmanager
def installation(place: Place, folder: Path, wrap: Callable[[Any], Any] = lambda app: app) -> Iterator[Live]:
    """Serve Kopir as an installation that reaches no private network but what its registrations name."""
    apps: list[Any] = []
    with serving(lambda environ, start: apps[0](environ, start)) as url:
        settings = {"public_url": url, "allow_private_networks": "off"}
        runtimes = [open_runtime(place, folder, utc_now, **settings) for _ in range(2)]
        apps.append(wrap(create_app(runtimes[0])))
        worker = LocalDispatcher(make_job_runtime(runtimes[0]), 1)
        worker.start()
        runtimes[0].doorbell = worker
        lms = SelftestLms()
        try:
            yield Live(url, runtimes[1], lms)
        finally:
            lms.close()
            worker.stop(10)
            for runtime in runtimes:
                runtime.database.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "FRESH_SECONDS", -1.0)
    monkeypatch.setattr(services, "DELIVERY_SECONDS", 20.0)


def every_row(runtime: Runtime, schools: list[str]) -> Mapping[str, int]:
    import_tables()
    counts: dict[str, int] = {}
    for table in metadata.sorted_tables:
        query = select(func.count()).select_from(table)
        if table.info.get(OWNED):
            for school_id in schools:
                with runtime.database.school(school_id, write=False) as db:
                    mine = query.where(table.c.school_id == school_id)
                    counts[table.name] = counts.get(table.name, 0) + db.execute(mine).scalar_one()
        else:
            with runtime.database.service(write=False) as db:
                counts[table.name] = db.execute(query).scalar_one()
    # Lanes stand above schools: a name and how its calls fared.
    counts.pop("job_lane", None)
    return counts


def test_live_installation_passes_and_keeps_no_row_of_it(database_place: Place, tmp_path: Path) -> None:
    with installation(database_place, tmp_path) as here:
        real = make.make_school(here.operator.database, code="lyceum-1")
        make.make_registration(here.operator.database)
        before = every_row(here.operator, [real])
        seen: list[str] = []
        report = run_live(here.operator, here.url, here.lms, lambda verdict: seen.append(run_school(here.operator)))
        assert failed(report) == {}
        assert report.server == "live"
        assert len(set(seen)) == 1
        assert every_row(here.operator, [real, seen[0]]) == before


def run_school(runtime: Runtime) -> str:
    return next(school.id for school in runtime.registry.schools() if is_selftest(school.code))


def test_address_of_another_installation_is_refused_and_nothing_is_kept(sqlite_place: Place, tmp_path: Path) -> None:
    with installation(sqlite_place, tmp_path) as here, serving(Response(status=404)) as stranger:
        before = every_row(here.operator, [])
        with pytest.raises(Fatal) as caught:
            run_live(here.operator, stranger, here.lms, nothing)
        assert caught.value.reason == "other_installation"
        assert every_row(here.operator, []) == before


def test_school_of_any_other_name_is_never_removed(sqlite_place: Place, tmp_path: Path) -> None:
    runtime = open_runtime(sqlite_place, tmp_path)
    for code in ("lyceum-1", SCHOOL_PREFIX, f"{SCHOOL_PREFIX}lyceum", f"x{SCHOOL_PREFIX}0123456789ab"):
        school = make.make_school(runtime.database, code=code)
        with pytest.raises(Fatal) as caught:
            remove(runtime, school)
        assert caught.value.reason == "not_a_selftest"
        assert runtime.registry.school(school_id=school) is not None
    runtime.database.close()


def test_what_a_killed_run_left_is_removed_by_the_next_after_an_hour(sqlite_place: Place, tmp_path: Path) -> None:
    with installation(sqlite_place, tmp_path) as here:
        killed = [SelftestLms(), SelftestLms()]
        made = [
            register_platform(here.operator, target.platform_of(lms), target.school_code(lms), "Self-test")
            for lms in killed
        ]
        with here.operator.database.service() as db:
            old = school_table.c.id == made[0].school_id
            db.execute(school_table.update().where(old).values(created_at=utc_now() - timedelta(hours=2)))
        target._sweep_abandoned(here.operator)
        left = [school.id for school in here.operator.registry.schools()]
        assert left == [made[1].school_id]
        assert here.operator.registry.get(made[0].registration_id) is None
        for lms in killed:
            lms.close()


# Installations that are broken on purpose


def test_nonce_that_is_not_checked_is_found(
    sqlite_place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation, "check_nonce", lambda claims, state, trace: str(claims.get("nonce")))
    with installation(sqlite_place, tmp_path) as here:
        wrong = failed(here.run())
    assert {"nonce-missing", "nonce-unbound"} <= set(wrong)
    assert "303 launch" in wrong["nonce-unbound"]


def test_audience_that_is_not_checked_is_found(
    sqlite_place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation, "_meant_for", lambda claims, client_id, trusted: True)
    with installation(sqlite_place, tmp_path) as here:
        wrong = failed(here.run())
    assert set(wrong) == {"audience-other", "audience-extra", "audience-extra-azp", "azp-other"}


def test_refusal_with_the_wrong_code_is_found(
    sqlite_place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def expired(trace: Any) -> Any:
        return trace.fail(LaunchReason.EXPIRED, "version")

    def check(claims: Any, trace: Any) -> Any:
        if claims.get("https://purl.imsglobal.org/spec/lti/claim/version") == "11.3":
            raise expired(trace)
        return real(claims, trace)

    real = validation.check_message
    monkeypatch.setattr(validation, "check_message", check)
    with installation(sqlite_place, tmp_path) as here:
        wrong = failed(here.run())
    assert set(wrong) == {"bad-03"}


class Deaf:
    """Takes the state's cookie from every request, as a proxy or a browser without cookies does."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: Any, start: Any) -> Any:
        if environ["PATH_INFO"] == "/lti/launch":
            environ.pop("HTTP_COOKIE", None)
        return self.app(environ, start)


def test_proxy_that_eats_cookies_fails_every_valid_launch_and_the_run_goes_on(
    sqlite_place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "DELIVERY_SECONDS", 0.5)
    with installation(sqlite_place, tmp_path, Deaf) as here:
        report = here.run()
    wrong = failed(report)
    assert all("400 refusal no_cookie" in wrong[f"teacher-0{number}"] for number in range(1, 10))
    assert {"deep-linking-01", "roster-01", "grades-01", "copies"} <= set(wrong)
    assert not {"keys", "issuer-unknown", "cookie-missing"} & set(wrong)


def test_worker_that_does_not_run_is_found(
    sqlite_place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "DELIVERY_SECONDS", 0.5)
    monkeypatch.setattr(LocalDispatcher, "start", lambda self: None)
    with installation(sqlite_place, tmp_path) as here:
        wrong = failed(here.run())
    assert {"grades-01", "grades-column", "grades-score", "grades-read-back", "grades-scopes"} == set(wrong)
