"""What stands around every answer: headers, proxies, health, error pages, static files, and hostile addresses."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from werkzeug.test import TestResponse

from connector.app import create_app
from connector.host.plugins import PluginFailure
from sync.jobs.backoff import Backoff
from sync.jobs.lanes import pause
from sync.jobs.queue import put
from tests.support.kopir_site import PUBLIC, Lms, Site
from tests.support.probe_plugin import Probe

CLOSED = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def get(site: Site, path: str, base: str = PUBLIC, **options: Any) -> TestResponse:
    return site.client().get(path, base_url=base, buffered=True, **options)


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/lti/jwks.json", "/nothing", "/static/kopir.css", "/console/"]
)
def test_page_of_no_school_has_the_closed_policy_and_the_usual_headers(path: str, site: Site) -> None:
    headers = get(site, path).headers
    assert headers["Content-Security-Policy"] == CLOSED
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "Set-Cookie" not in headers


def test_no_header_says_how_the_site_is_made_and_no_page_promises_tls_over_http(site: Site) -> None:
    headers = get(site, "/healthz", "http://127.0.0.1:8001").headers
    assert "Strict-Transport-Security" not in headers
    assert "Server" not in headers
    assert "X-Powered-By" not in headers


def test_pages_are_not_kept_by_a_browser_and_public_ones_say_how_long(site: Site) -> None:
    assert get(site, "/nothing").headers["Cache-Control"] == "no-store"
    assert get(site, "/healthz").headers["Cache-Control"] == "no-store"
    assert "max-age" in get(site, "/lti/jwks.json").headers["Cache-Control"]


@pytest.mark.parametrize("hostile", ["https://x.kz; script-src *", "https://x.kz\nX: y", "javascript:alert(1)", "*"])
def test_registered_origin_cannot_end_a_directive(hostile: str, site: Site, lms: Lms, placed: dict[str, Any]) -> None:
    site.lms(lms.jwks_url, client_id=lms.client_id, frame_origins=(hostile, "https://fine.kz"))
    client = site.client()
    page = client.get(site.enter(client, lms, **placed), base_url=PUBLIC)
    policy = page.headers["Content-Security-Policy"]
    assert policy == CLOSED.removesuffix("'none'") + "'self' https://fine.kz https://lms.school.kz"


# Proxies


def where(app: Flask) -> Any:
    """Add a page that tells what the application thinks of a request."""
    from flask import request

    app.add_url_rule("/where", "where", lambda: {"url": request.url, "from": request.remote_addr})
    return app


FORWARDED = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.kz"}


def test_forwarded_headers_of_anybody_are_ignored(site: Site) -> None:
    where(site.app)
    told = site.client().get("/where", base_url="http://kopir.local", headers=FORWARDED).json
    assert told == {"url": "http://kopir.local/where", "from": "127.0.0.1"}


def test_forwarded_headers_of_as_many_proxies_as_are_trusted_are_believed(site: Site) -> None:
    settings = site.runtime.settings.model_copy(update={"trusted_proxies": 1})
    app = where(create_app(replace(site.runtime, settings=settings)))
    sent = {"X-Forwarded-For": "6.6.6.6, 9.9.9.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "kopir.school.kz"}
    told = app.test_client().get("/where", base_url="http://inside:8001", headers=sent).json
    assert told == {"url": "https://kopir.school.kz/where", "from": "9.9.9.9"}


# Health


def test_health_is_told_while_the_process_lives_and_readiness_only_when_it_can_serve(site: Site) -> None:
    assert get(site, "/").headers["Location"] == "/console/"
    assert (get(site, "/healthz").status_code, get(site, "/healthz").json) == (200, {"status": "ok"})
    ready = get(site, "/readyz")
    assert (ready.status_code, ready.json["status"], ready.json["problems"]) == (200, "ok", [])
    assert (ready.json["warnings"], ready.json["queue"]["ready"]) == ([], 0)


def test_queue_that_stands_still_is_a_warning_and_shuts_nobody_out(site: Site, lms: Lms) -> None:
    database, school = site.runtime.database, lms.made.school_id
    with database.school(school) as db:
        put(db, school, "x", "1", {}, run_after=site.runtime.clock() - timedelta(minutes=30), lane="registration")
    assert get(site, "/readyz").json["warnings"] == ["jobs are due and nobody takes them"]
    pause(database, "registration", site.runtime.clock(), "503", None, Backoff())
    answer = get(site, "/readyz")
    assert (answer.status_code, answer.json["warnings"], answer.json["queue"]["closed_lanes"]) == (200, [], 1)
    metrics = get(site, "/metrics", environ_overrides={"REMOTE_ADDR": "10.0.0.7"}).text
    assert 'kopir_jobs{state="ready"} 1' in metrics
    assert 'kopir_lane_closed{lane="registration"} 1' in metrics
    assert get(site, "/metrics", environ_overrides={"REMOTE_ADDR": "93.184.216.34"}).status_code == 404
    assert get(site, "/metrics", headers={"X-Forwarded-For": "10.0.0.7"}).status_code == 404


def test_plugin_that_failed_makes_the_site_not_ready_by_name(site: Site) -> None:
    site.runtime.plugin_failures = (PluginFailure("broken", "ImportError: secret detail"),)
    answer = get(site, "/readyz")
    assert answer.status_code == 503
    assert answer.json["problems"] == ["plugin broken is off"]


def test_database_that_is_not_migrated_makes_the_site_not_ready(site: Site) -> None:
    with site.runtime.database.service() as db:
        db.execute(text("ALTER TABLE school RENAME TO gone"))
    answer = get(site, "/readyz")
    assert answer.status_code == 503
    assert get(site, "/healthz").status_code == 200


# Errors


@pytest.mark.parametrize(
    ("wanted", "language", "title"),
    [("kk", "kk", None), ("ru-RU", "ru", None), ("en", "en", "There is nothing here"), ("de", "kk", None)],
)
def test_error_page_speaks_the_browser_s_language(wanted: str, language: str, title: str | None, site: Site) -> None:
    page = get(site, "/nothing", headers={"Accept-Language": wanted})
    assert page.status_code == 404
    assert f'<html lang="{language}"' in page.text
    heading = re.search(r"<h1[^>]*>([^<]+)</h1>", page.text)
    assert heading
    assert (heading[1] == "There is nothing here") is (language == "en")
    assert title is None or title == heading[1]


def test_error_is_json_where_json_was_asked_for(site: Site) -> None:
    answer = get(site, "/nothing", headers={"Accept": "application/json", "Accept-Language": "en"})
    assert answer.status_code == 404
    assert answer.json == {
        "error": "There is nothing here",
        "advice": "Go back to your course and open the activity again.",
        "reference": "",
    }


def test_fault_is_a_page_with_a_reference_and_no_inside_view(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> str:
        raise KeyError("Айгерім Әбдірахманова")

    site.app.add_url_rule("/broken", "broken", broken)
    for accept in ("text/html", "application/json"):
        answer = get(site, "/broken", headers={"Accept": accept})
        assert answer.status_code == 500
        reference = re.search(r"[0-9a-f]{8}", answer.text)
        assert reference
        for word in ("KeyError", "Айгерім", "Traceback", "File "):
            assert word not in answer.text
    written = "".join(capsys.readouterr())
    assert "KeyError" in written
    assert "test_headers_and_errors" in written
    assert "Айгерім" not in written


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
def test_method_nobody_takes_is_refused(method: str, site: Site) -> None:
    answer = site.client().open("/lti/launch", method=method, base_url=PUBLIC)
    assert answer.status_code == 405
    assert "<h1" in answer.text


# Static files


def test_static_files_are_served_with_a_tag_so_that_they_are_sent_once(site: Site) -> None:
    first = get(site, "/static/kopir.css")
    assert first.status_code == 200
    assert first.content_type.startswith("text/css")
    again = get(site, "/static/kopir.css", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.data == b""


def test_plugin_s_static_file_may_be_kept_a_day(site: Site) -> None:
    answer = get(site, "/static/p/probe/probe.js?v=1.0")
    assert answer.status_code == 200
    assert "max-age=86400" in answer.headers["Cache-Control"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_nothing_is_loaded_from_elsewhere(site: Site) -> None:
    found: list[str] = []
    for file in Path("connector/templates").rglob("*.html"):
        found += re.findall(r'(?:src|href|action)="(https?:)?//', file.read_text("utf-8"))
        assert not re.search(r"<(script|style)(?![^>]*src)[^>]*>\s*\S", file.read_text("utf-8")), file
        assert not re.search(r'\s(style|on\w+)="', file.read_text("utf-8")), file
    assert found == []


HOSTILE = [
    "/static/../connector/app.py", "/static/..%2f..%2fpyproject.toml", "/static/%2e%2e/%2e%2e/pyproject.toml",
    "/static/p/probe/../templates/page.html", "/static/p/probe/..%2ftemplates%2fpage.html", "/static/p/../../app.py",
    "/static/p/nobody/x.js", "/static/p/probe//etc/passwd", "/static//etc/passwd", "/static/%00", "/%00", "/\\..\\..",
    "/console/../lti/launch/..", "/l/%2e%2e/%2e%2e/", "/%ff%fe", "/" + "a" * 20000, "//evil.kz/nothing", "/lti/launch/",
    "/nothing?lang=%00", "/.env", "/.git/config", "/lti", "/l", "/static/", "/static/p/",
]  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE)
def test_hostile_address_is_not_found_and_shows_nothing(path: str, site: Site) -> None:
    answer = get(site, path)
    assert answer.status_code in (301, 308, 400, 401, 403, 404, 405), answer.status_code
    if answer.status_code in (301, 308):
        assert answer.location.startswith(f"{PUBLIC}/")
    for secret in ("root:", "[project]", "extends", "def create_app"):
        assert secret not in answer.text


@pytest.mark.parametrize("path", HOSTILE)
def test_hostile_address_below_a_launch_is_not_found(path: str, site: Site, lms: Lms, placed: dict[str, Any]) -> None:
    client = site.client()
    base = site.enter(client, lms, **placed)
    for inner in (f"{base}p{path}", f"{base}{path.lstrip('/')}"):
        answer = client.get(inner, base_url=PUBLIC)
        assert answer.status_code in (200, 301, 308, 400, 403, 404, 405)
        assert "root:" not in answer.text
        assert answer.status_code != 200 or "Айгерім" in answer.text


def test_two_plugins_do_not_serve_each_other_s_files(site: Site, tmp_path: Path) -> None:
    other = Probe(tmp_path, "other")
    site.runtime.plugins = {**site.runtime.plugins, "other": other}
    (tmp_path / "other" / "static" / "mine.js").write_text("1")
    assert get(site, "/static/p/other/mine.js").status_code == 200
    assert get(site, "/static/p/probe/mine.js").status_code == 404
