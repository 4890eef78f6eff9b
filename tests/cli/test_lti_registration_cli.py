"""``kopir lti invite``, ``platforms show|remove|approve`` and ``keys`` as scripts use them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connector.cli.main import main
from connector.host.deployments import note_deployment
from connector.host.runtime import Runtime, build_runtime
from tests.support.databases import Place
from tests.support.registering import Kopir, connect, running_kopir, running_vendor


@pytest.fixture
def kopir(sqlite_place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kopir]:
    """A running server, and an environment in which commands reach its database."""
    with running_kopir(sqlite_place, tmp_path) as running:
        settings = running.runtime.settings
        monkeypatch.chdir(tmp_path)
        for name, value in {
            "DATABASE_URL": settings.database_url,
            "SECRET_KEY": settings.secret_key,
            "ENCRYPTION_KEYS": ",".join(settings.encryption_keys),
            "PUBLIC_URL": settings.public_url,
            "ALLOW_PRIVATE_NETWORKS": "on",
            "KOPIR_LANGUAGE": "en",
        }.items():
            monkeypatch.setenv(name, value)
        yield running


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["lti", *words])


def said(*words: str):
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def platform(kopir: Kopir):
    with running_vendor() as lms:
        assert connect(kopir, lms, said("invite", "--school", "gymnasium")["url"]).status == 200
    (one,) = said("platforms", "list")
    return one


def test_an_invitation_is_printed_listed_used_and_not_printed_again(kopir):
    made = said("invite", "--school", "gymnasium", "--days", "3")
    assert made["url"].startswith(f"{kopir.url}/lti/register?invitation=")
    secret = made["url"].rpartition("=")[2]
    listed = run("invite", "--list", "--json").stdout
    assert secret not in listed
    assert json.loads(listed)[0]["state"] == "open"
    with running_vendor() as lms:
        assert connect(kopir, lms, made["url"]).status == 200
    (row,) = said("invite", "--list")
    assert (row["state"], row["school"]) == ("used", "gymnasium")
    assert row["registration"]


def test_inviting_for_a_new_school_makes_it(kopir):
    said("invite", "--school", "lyceum", "--name", "Лицей")
    school = kopir.runtime.registry.school(code="lyceum")
    assert school is not None
    assert school.name == "Лицей"


def test_an_invitation_is_taken_back_once(kopir):
    made = said("invite", "--school", "gymnasium")
    assert said("invite", "--revoke", made["id"]) == {"revoked": made["id"]}
    again = run("invite", "--revoke", made["id"])
    assert again.exit_code == 1
    assert "no invitation" in again.stderr


@pytest.mark.parametrize("host", ["http://10.0.0.1", "10.0.0.0/8", " "])
def test_only_a_single_host_can_be_allowed(kopir, host):
    result = run("invite", "--school", "gymnasium", "--allow-host", host)
    assert result.exit_code == 1
    assert "--allow-host" in result.stderr


def test_a_registration_is_shown_and_removed(platform):
    shown = said("platforms", "show", platform["id"])
    assert shown["deployments"] == [{"deployment": "7", "school": "gymnasium"}]
    assert [key["state"] for key in shown["keys"]] == ["signing"]
    asked = CliRunner().invoke(main, ["lti", "platforms", "remove", platform["id"]], input="n\n")
    assert asked.exit_code == 1
    assert said("platforms", "remove", platform["id"], "--yes") == {"removed": platform["id"]}
    assert run("platforms", "show", platform["id"]).exit_code == 1
    assert said("platforms", "list") == []


def test_a_waiting_deployment_is_listed_and_approved(kopir, platform):
    here: Runtime = build_runtime(kopir.runtime.settings)
    note_deployment(here, platform["id"], "acc-1")
    here.database.close()
    (waiting,) = said("platforms", "approve")
    assert (waiting["deployment"], waiting["school"]) == ("acc-1", "gymnasium")
    assert said("platforms", "approve", "acc-1")["school"] == "gymnasium"
    assert said("platforms", "approve") == []
    assert {one["deployment"] for one in said("platforms", "list")} == {"7", "acc-1"}


def test_keys_rotate_step_by_step(kopir, platform):
    (before,) = said("keys", "list")
    (began,) = said("keys", "rotate", "--wait-hours", "0")
    # Without a wait the new key signs at once; the old one stays for what it signed last.
    assert began["signing"] != before["kid"]
    assert began["retiring"] == before["kid"]
    assert {one["state"] for one in said("keys")} == {"signing", "retiring"}
    assert set(kopir.jwks()) == {began["signing"], before["kid"]}


def test_a_rotation_with_a_wait_keeps_the_old_key_signing(platform):
    (before,) = said("keys")
    (began,) = said("keys", "rotate", "--registration", platform["id"])
    assert (began["signing"], bool(began["published"])) == (before["kid"], True)
    (again,) = said("keys", "rotate")
    assert (again["began"], again["published"]) == ("no", began["published"])


def test_a_key_is_revoked_at_once(kopir, platform):
    (before,) = said("keys")
    made = said("keys", "revoke", "--yes")
    assert set(kopir.jwks()) == {made["kid"]}
    assert before["kid"] != made["kid"]


def test_an_unknown_registration_is_one_line_on_stderr(platform):
    for words in (("keys", "rotate"), ("keys", "revoke", "--yes")):
        result = run(*words, "--registration", "nobody")
        assert result.exit_code == 1
        assert result.stderr.count("\n") == 1
