"""``kopir lti selftest`` and ``doctor`` from the terminal: exit status, JSON, evidence, consent, languages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from connector.app import create_app
from connector.base.clock import utc_now
from connector.base.config import load_settings
from connector.cli import lti_selftest
from connector.cli.main import main
from connector.host.install import install
from connector.host.runtime import Runtime, build_runtime
from connector.host.selftest import Report, Verdict, target
from connector.host.selftest.cases import CASES
from connector.host.work import make_job_runtime
from sync.jobs.dispatch import LocalDispatcher
from tests.support.serving import serving


def run(*arguments: str, language: str = "en", **environ: str) -> Result:
    env = {"LOG_LEVEL": "ERROR", "KOPIR_LANGUAGE": language, **environ}
    return CliRunner().invoke(main, ["lti", *arguments], env=env, catch_exceptions=False)


def verdicts(broken: str = "") -> tuple[Verdict, ...]:
    return tuple(
        Verdict(case, "400", "500" if case.id == broken else "400", case.id != broken, messages=({"request": "x"},))
        for case in CASES
    )


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A run that is over at once; what the whole run does is proven elsewhere."""
    broken = {"id": ""}

    def shipped(tell: Any) -> Report:
        found = verdicts(broken["id"])
        for verdict in found:
            tell(verdict)
        return Report("http://127.0.0.1:1", "shipped", "2026-11-21T20:00:00+00:00", 1.5, found)

    monkeypatch.setattr(lti_selftest, "run_shipped", shipped)
    return broken


def test_every_case_passed_is_exit_status_0(fake: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    result = run("selftest", "--json", "--evidence", str(file))
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["passed"], told["certification_cases"], told["certification_passed"]) == (True, 43, 43)
    assert [row["id"] for row in told["results"]] == [case.id for case in CASES]
    assert "messages" not in told["results"][0]
    evidence = json.loads(file.read_text("utf-8"))
    assert all(row["messages"] for row in evidence["results"])


def test_one_case_that_failed_is_exit_status_1_and_shows_what_was_seen(fake: dict[str, str]) -> None:
    fake["id"] = "bad-03"
    result = run("selftest")
    assert result.exit_code == 1
    assert "✗ bad-03" in result.output
    assert "expected: 400; seen: 500; LTI Core 1.3 §5.3.2" in result.output
    assert f"{len(CASES) - 1} of {len(CASES)} cases passed, of the certification's 42 of 43" in result.output
    assert run("selftest", "--json").exit_code == 1


@pytest.mark.parametrize(("language", "words"), [("kk", "LTI нұсқасы қате"), ("ru", "Версия LTI неверна")])
def test_cases_are_told_in_the_terminal_s_language(fake: dict[str, str], language: str, words: str) -> None:
    assert words in run("selftest", language=language).output


def test_place_that_cannot_be_written_is_told_before_anything_runs(tmp_path: Path) -> None:
    result = run("selftest", "--evidence", str(tmp_path / "none" / "report.json"))
    assert result.exit_code == 1
    assert "cannot be written" in result.output


# A live installation


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, dict[str, str], Runtime]]:
    """An installation made by `kopir init`'s own code, and the environment its operator has."""
    monkeypatch.setattr(target, "FRESH_SECONDS", -1.0)
    apps: list[Any] = []
    with serving(lambda environ, start: apps[0](environ, start)) as url:
        env = {"DATA_DIR": str(tmp_path / "data"), "PUBLIC_URL": url, "LOG_LEVEL": "ERROR"}
        install(environ=env)
        runtime = build_runtime(load_settings(env), utc_now)
        worker = LocalDispatcher(make_job_runtime(runtime), 1)
        worker.start()
        runtime.doorbell = worker
        apps.append(create_app(runtime))
        yield url, env, runtime
        worker.stop(10)
        runtime.database.close()


def test_without_consent_it_says_what_would_be_registered_and_does_nothing(
    live: tuple[str, dict[str, str], Runtime],
) -> None:
    url, env, runtime = live
    result = run("selftest", "--url", url, **env)
    assert result.exit_code == 2
    line = result.output.strip().splitlines()[-1]
    assert re.fullmatch(
        r"kopir lti platforms add --school kopir-selftest-\w{12} --issuer http://127\.0\.0\.1:\d+/\w{12} .*",
        line,
    )
    assert "--consent" in result.output
    assert runtime.registry.schools() == []
    told = json.loads(run("selftest", "--url", url, "--json", **env).stdout)
    assert told["needs"] == "consent"
    # The line is a command that exists and is whole: the operator can run it as it stands.
    made = run(*line.split()[2:], "--json", **env)
    assert made.exit_code == 0, made.output
    assert [school.code for school in runtime.registry.schools()] == [line.split()[5]]


def test_with_consent_it_runs_here_and_leaves_nothing(
    live: tuple[str, dict[str, str], Runtime], tmp_path: Path
) -> None:
    url, env, runtime = live
    file = tmp_path / "evidence.json"
    result = run("selftest", "--url", url, "--consent", "--json", "--evidence", str(file), **env)
    told = json.loads(result.stdout)
    assert result.exit_code == 0, [(row["id"], row["seen"]) for row in told["results"] if not row["passed"]]
    assert (told["server"], told["url"]) == ("live", url)
    text = file.read_text("utf-8")
    assert "eyJ" not in text
    assert "example.org" not in text
    assert runtime.registry.schools() == []
    assert runtime.registry.all() == []


def test_doctor_names_an_lms_that_cannot_be_reached_and_ends_with_1(
    live: tuple[str, dict[str, str], Runtime],
) -> None:
    _, env, _ = live
    with serving(lambda environ, start: [start("404 Not Found", [("Content-Length", "0")]), b""][1:]) as lms:
        added = run(
            "platforms", "add", "--school", "lyceum-1", "--issuer", lms, "--client-id", "c1", "--deployment", "1",
            "--auth-url", f"{lms}/auth", "--token-url", f"{lms}/token", "--jwks-url", f"{lms}/jwks", **env,
        )  # fmt: skip
        assert added.exit_code == 0, added.output
        result = run("doctor", "c1", "--json", **env)
        (told,) = json.loads(result.stdout)
        codes = {found["code"]: found["level"] for found in told["findings"]}
        assert result.exit_code == 1
        assert told["well"] is False
        assert codes["our_keys"] == "ok"
        assert codes["platform_keys"] == codes["sign_in"] == codes["token_keys_unreachable"] == "error"
        russian = run("doctor", lms, language="ru", **env)
        assert russian.exit_code == 1
        assert "cURL blocked hosts list" in russian.output
        assert "отвечает 404" in russian.output


def test_doctor_of_an_unknown_lms_is_one_line(live: tuple[str, dict[str, str], Runtime]) -> None:
    _, env, _ = live
    result = run("doctor", "https://nobody.kz", **env)
    assert result.exit_code == 1
    assert result.output.strip() == (
        "No registered LMS has the issuer, the client id or the id https://nobody.kz: kopir lti platforms list."
    )
