"""``kopir init``, ``doctor``, ``lti platforms``, ``console invite``, ``plugin list``: what an administrator types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from connector.app import create_app
from connector.base.config import load_settings
from connector.host.plugins import PluginFailure
from connector.host.runtime import build_runtime
from tests.cli.conftest import Kopir
from tests.support.raw_server import raw_server, reply

KEYS = json.dumps({"keys": [{"kid": "1", "kty": "RSA"}]}).encode()


def add(kopir: Kopir, jwks_url: str = "https://lms.school.kz/certs", **changes: str) -> Any:
    options = {
        "--school": "gymnasium", "--issuer": "https://lms.school.kz", "--client-id": "abc",
        "--auth-url": "https://lms.school.kz/auth", "--token-url": "https://lms.school.kz/token",
        "--jwks-url": jwks_url, "--deployment": "1",
        **{f"--{name.replace('_', '-')}": value for name, value in changes.items()},
    }  # fmt: skip
    return kopir.json("lti", "platforms", "add", *(word for pair in options.items() for word in pair))


def findings(kopir: Kopir, **options: Any) -> dict[str, dict[str, str]]:
    return {row["code"]: row for row in kopir.json("doctor", **options)}


# init


def test_init_asks_nothing_and_can_be_run_again(kopir: Kopir) -> None:
    first, second = kopir.json("init"), kopir.json("init")
    assert (first["keys_written"], second["keys_written"]) == (True, False)
    assert first["revisions"] == second["revisions"] != []
    assert (kopir.folder / "data" / "keys.toml").exists()
    assert "Keys kept" in kopir("init").stdout


def test_command_before_init_is_one_line_that_says_what_to_run(kopir: Kopir) -> None:
    for words in (("doctor",), ("lti", "platforms", "list"), ("serve",), ("worker",)):
        result = kopir(*words, exit_code=1)
        assert "kopir init" in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
        assert result.stdout == ""


@pytest.mark.parametrize(("language", "word"), [("kk", "Баптау"), ("ru", "Настройки"), ("en", "Configuration")])
def test_error_speaks_the_terminal_s_language(language: str, word: str, kopir: Kopir) -> None:
    assert word in kopir("doctor", exit_code=1, KOPIR_LANGUAGE=language).stderr
    kept = {"KOPIR_LANGUAGE": "", "LANGUAGE": "", "LC_ALL": "", "LANG": f"{language}_XX.UTF-8"}
    assert word in kopir("doctor", exit_code=1, **kept).stderr


def test_bad_setting_stops_every_command_by_its_name(kopir: Kopir) -> None:
    kopir("init")
    text = kopir("doctor", exit_code=1, TRUSTED_PROXIES="many").stderr
    assert "TRUSTED_PROXIES" in text
    assert len(text.strip().splitlines()) == 1


# lti platforms


def test_platform_is_added_listed_and_brought_up_to_date(kopir: Kopir) -> None:
    kopir("init")
    assert kopir.json("lti", "platforms", "list") == []
    made = add(kopir)
    assert made["login_url"] == "https://kopir.school.kz/lti/login"
    assert made["launch_url"] == "https://kopir.school.kz/lti/launch"
    assert made["jwks_url"] == "https://kopir.school.kz/lti/jwks.json"
    (row,) = kopir.json("lti", "platforms", "list")
    assert (row["school"], row["issuer"], row["deployment"]) == ("gymnasium", "https://lms.school.kz", "1")
    assert add(kopir, auth_url="https://lms.school.kz/auth2")["registration_id"] == made["registration_id"]
    assert len(kopir.json("lti", "platforms", "list")) == 1
    add(kopir, deployment="2", school="lyceum")
    assert [one["school"] for one in kopir.json("lti", "platforms", "list")] == ["gymnasium", "lyceum"]


def test_platform_s_text_tells_what_to_type_into_the_lms(kopir: Kopir) -> None:
    kopir("init")
    words = ["--school", "g", "--issuer", "https://l.kz", "--client-id", "c", "--deployment", "1"]
    for name in ("auth", "token", "jwks"):
        words += [f"--{name}-url", f"https://l.kz/{name}"]
    text = kopir("lti", "platforms", "add", *words).stdout
    for part in ("/lti/login", "/lti/launch", "/lti/jwks.json"):
        assert f"https://kopir.school.kz{part}" in text


def test_address_that_is_none_is_refused_by_its_option(kopir: Kopir) -> None:
    kopir("init")
    words = ["--school", "g", "--issuer", "lms", "--client-id", "c", "--deployment", "1"]
    for name in ("auth", "token", "jwks"):
        words += [f"--{name}-url", "https://l.kz/"]
    result = kopir("lti", "platforms", "add", *words, exit_code=1)
    assert "--issuer: lms" in result.stderr
    assert kopir.json("lti", "platforms", "list") == []


def test_deployment_of_another_school_is_not_taken_over(kopir: Kopir) -> None:
    kopir("init")
    add(kopir)
    with pytest.raises(AssertionError, match="gymnasium"):
        add(kopir, school="lyceum")
    assert [one["school"] for one in kopir.json("lti", "platforms", "list")] == ["gymnasium"]


# doctor


@contextmanager
def lms_at(kopir: Kopir, answer: Any) -> Iterator[None]:
    """Register an LMS whose keys are at a server that answers so."""
    kopir("init")
    with raw_server(answer) as server:
        add(kopir, f"http://127.0.0.1:{server.port}/certs")
        yield


def now(**offset: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(**offset), usegmt=True)


def test_doctor_of_a_sound_installation_finds_nothing_wrong(kopir: Kopir) -> None:
    with lms_at(kopir, reply(KEYS, Date=now())):
        found = findings(kopir)
        assert {row["level"] for row in found.values()} == {"ok"}
        assert {"database", "platform_keys"} <= set(found)


def test_doctor_without_an_lms_says_how_to_add_one(kopir: Kopir) -> None:
    kopir("init")
    found = findings(kopir)
    assert found["no_platform"]["level"] == "warning"
    assert "kopir lti platforms add" in found["no_platform"]["text"]


@pytest.mark.parametrize(
    ("environ", "code"),
    [
        ({"PUBLIC_URL": "http://kopir.school.kz"}, "http"),
        ({"PUBLIC_URL": "https://kopir.school.kz:8443"}, "blocked_port"),
        ({"PUBLIC_URL": "http://127.0.0.1:8001"}, "blocked_host"),
        ({"PUBLIC_URL": "http://10.0.0.5"}, "blocked_host"),
        ({"TRUSTED_PROXIES": "0"}, "trusted_proxies"),
    ],
)
def test_doctor_names_what_would_stop_the_lms(environ: dict[str, str], code: str, kopir: Kopir) -> None:
    kopir("init")
    found = findings(kopir, **environ)
    assert found[code]["level"] == "warning"
    assert code not in findings(kopir)


@pytest.mark.parametrize("offset", [{"seconds": 90}, {"hours": -5}])
def test_doctor_names_clocks_that_differ(offset: dict[str, float], kopir: Kopir) -> None:
    with lms_at(kopir, reply(KEYS, Date=now(**offset))):
        found = findings(kopir, exit_code=1)
        assert found["clock_skew"]["level"] == "error"
        assert "NTP" in found["clock_skew"]["text"]


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 2026 00:00:00 GMT", "0"])
def test_date_that_is_none_does_not_break_the_doctor(date: str, kopir: Kopir) -> None:
    with lms_at(kopir, reply(KEYS, Date=date)):
        assert "clock_skew" not in findings(kopir)


def test_date_without_a_zone_is_read_as_utc(kopir: Kopir) -> None:
    with lms_at(kopir, reply(KEYS, Date=now().replace("GMT", "-0000"))):
        assert "clock_skew" not in findings(kopir)


@pytest.mark.parametrize(
    "answer",
    [reply(b"<html>", "404 Not Found"), reply(b"<html>Maintenance</html>"), reply(b"{}"), reply(b'{"keys":[]}')],
    ids=["404", "page", "no keys", "empty keys"],
)
def test_doctor_names_keys_that_cannot_be_read(answer: Any, kopir: Kopir) -> None:
    with lms_at(kopir, answer):
        found = findings(kopir, exit_code=1)
        assert found["platform_keys"]["level"] == "error"
        assert "https://lms.school.kz" in found["platform_keys"]["text"]


def test_doctor_names_an_lms_that_cannot_be_reached(kopir: Kopir) -> None:
    with lms_at(kopir, reply()):
        pass
    found = findings(kopir, exit_code=1)
    assert found["platform_keys"]["level"] == "error"
    assert "127.0.0.1" in found["platform_keys"]["text"]


def test_doctor_names_a_database_that_is_not_migrated(kopir: Kopir) -> None:
    kopir("init")
    (kopir.folder / "data" / "kopir.sqlite3").unlink()
    found = findings(kopir, exit_code=1)
    assert found["database"]["level"] == "error"
    assert "kopir init" in found["database"]["text"]


def test_doctor_names_a_database_of_an_older_version(kopir: Kopir) -> None:
    from connector.host.install import migrator

    kopir("init")
    settings = load_settings({}, kopir.folder / "none.toml", data_dir=kopir.folder / "data")
    migrator(settings).downgrade("portfolio@base")
    found = findings(kopir, exit_code=1)
    assert found["database_old"]["level"] == "error"
    assert "kopir upgrade" in found["database_old"]["text"]
    kopir("upgrade")
    assert "database_old" not in findings(kopir)


def test_doctor_names_a_plugin_that_is_off(kopir: Kopir, monkeypatch: pytest.MonkeyPatch) -> None:
    kopir("init")
    failure = (PluginFailure("broken", "ImportError"),)
    monkeypatch.setattr("connector.host.runtime.load_plugins", lambda: ({}, failure))
    assert findings(kopir, exit_code=1)["plugin_off"]["level"] == "error"


@pytest.mark.parametrize("language", ["kk", "ru"])
def test_doctor_speaks_kazakh_and_russian(language: str, kopir: Kopir) -> None:
    kopir("init")
    texts = {row["text"] for row in findings(kopir, PUBLIC_URL="http://10.0.0.5:99").values()}
    spoken = {row["text"] for row in findings(kopir, PUBLIC_URL="http://10.0.0.5:99", KOPIR_LANGUAGE=language).values()}
    assert not texts & spoken


# console and plugins


def test_invitation_lets_one_person_in_once(kopir: Kopir) -> None:
    kopir("init")
    add(kopir)
    url = kopir.json("console", "invite")["url"]
    assert url.startswith("https://kopir.school.kz/console/enter/")
    settings = load_settings({"PUBLIC_URL": "https://kopir.school.kz"}, Path("none.toml"), data_dir=Path("data"))
    runtime = build_runtime(settings)
    client = create_app(runtime).test_client()
    path = urlsplit(url).path
    for _ in range(2):
        assert client.get(path, base_url="https://kopir.school.kz").status_code == 200
    entered = client.post(path, base_url="https://kopir.school.kz")
    assert entered.status_code == 303
    (cookie,) = entered.headers.getlist("Set-Cookie")
    for part in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/console/"):
        assert part in cookie
    assert client.get("/console/", base_url="https://kopir.school.kz").status_code == 200
    again = create_app(runtime).test_client()
    assert again.post(path, base_url="https://kopir.school.kz").status_code == 403
    assert again.get("/console/", base_url="https://kopir.school.kz").status_code == 401
    assert again.post(path[:-1] + "x", base_url="https://kopir.school.kz").status_code == 403
    runtime.database.close()


def test_invitation_needs_to_know_the_school_where_there_are_several(kopir: Kopir) -> None:
    kopir("init")
    assert "--school" in kopir("console", "invite", exit_code=1).stderr
    add(kopir)
    add(kopir, deployment="2", school="lyceum")
    assert "gymnasium, lyceum" in kopir("console", "invite", exit_code=1).stderr
    assert "gymnasium" in kopir("console", "invite", "--school", "none", exit_code=1).stderr
    assert kopir.json("console", "invite", "--school", "lyceum")["url"]


def test_plugins_are_listed_with_those_that_are_off(kopir: Kopir, monkeypatch: pytest.MonkeyPatch) -> None:
    kopir("init")
    rows = {row["id"]: row for row in kopir.json("plugin", "list")}
    assert {"online_test", "virtual_lab", "portfolio"} <= set(rows)
    assert {row["state"] for row in rows.values()} == {"on"}
    failure = (PluginFailure("broken", "ImportError: no module"),)
    monkeypatch.setattr("connector.host.runtime.load_plugins", lambda: ({}, failure))
    assert kopir.json("plugin", "list") == [
        {"id": "broken", "name": "", "version": "", "state": "off", "error": "ImportError: no module"}
    ]


def test_help_names_every_group(kopir: Kopir) -> None:
    text = kopir("--help").stdout
    for name in ("init", "serve", "worker", "doctor", "upgrade", "lti", "console", "plugin", "mapping", "sync", "demo"):
        assert name in text
