"""``kopir lti tools``: a tool let in, listed, switched off and on again; a page of the console that does the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner, Result

from connector.app import create_app
from connector.cli.main import main
from connector.host.operators import invite
from connector.host.tools.records import State, tools
from tests.support.databases import Place
from tests.support.registering import running_kopir

ADD = ["add", "--name", "Зертхана", "--login-url", "https://lab.kz/login", "--launch-url", "https://lab.kz/launch",
       "--jwks-url", "https://lab.kz/jwks.json"]  # fmt: skip


@dataclass
class Command:
    """``kopir lti tools``, as typed beside a running installation."""

    def __call__(self, *words: str) -> Any:
        done = self.run(*words, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(main, ["lti", "tools", *words])


@pytest.fixture
def kopir(sqlite_place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    with running_kopir(sqlite_place, tmp_path) as running:
        settings = running.runtime.settings
        monkeypatch.chdir(tmp_path)
        for name, value in {
            "DATABASE_URL": settings.database_url,
            "SECRET_KEY": settings.secret_key,
            "ENCRYPTION_KEYS": ",".join(settings.encryption_keys),
            "PUBLIC_URL": settings.public_url,
            "KOPIR_LANGUAGE": "en",
        }.items():
            monkeypatch.setenv(name, value)
        yield Command()
    structlog.reset_defaults()


def test_tool_is_let_in_shown_switched_off_and_on(kopir: Command) -> None:
    made = kopir(*ADD, "--tell", "name", "--roster")
    assert (made["state"], made["roster"], made["told"]) == ("on", True, "name")
    assert made["vendor"]["Client ID"] == made["client_id"]
    assert [one["id"] for one in kopir("list")] == [made["id"]]
    assert kopir("show", made["id"])["vendor"] == made["vendor"]
    assert kopir("off", made["id"])["state"] == "off"
    again = kopir("approve", made["id"], "--no-roster")
    assert (again["state"], again["roster"], again["grades"]) == ("on", False, True)


def test_address_that_is_none_is_one_clear_line(kopir: Command) -> None:
    words = [*ADD[:4], "javascript:alert(1)", *ADD[5:]]
    done = kopir.run(*words)
    assert done.exit_code == 1
    assert "javascript:alert(1)" in done.stderr
    assert kopir.run("off", "nothing").exit_code == 1


def test_invitation_and_keys_are_printed(kopir: Command) -> None:
    url = kopir("invite", "https://lab.kz/register?x=1")["url"]
    assert url.startswith("https://lab.kz/register?x=1&openid_configuration=")
    (first,) = kopir("keys")
    assert [one["state"] for one in kopir("keys", "--rotate")] == ["signs", "published"]
    (only,) = kopir("keys", "--rotate", "--at-once")
    assert only["kid"] != first["kid"]


def test_console_lets_in_limits_and_stops_a_tool_of_its_own_school_only(sqlite_place: Place, tmp_path: Path) -> None:
    with running_kopir(sqlite_place, tmp_path, private=()) as kopir:
        client, base = create_app(kopir.runtime).test_client(), "https://kopir.test"
        assert client.post(invite(kopir.runtime, kopir.school.id, "Әсел").removeprefix(kopir.url), base_url=base)

        def post(where: str, **fields: Any) -> Any:
            page = client.get("/console/tools/", base_url=base).text
            found = re.search(r'name="kopir_token" value="([^"]+)"', page)
            assert found
            return client.post(f"/console/tools/{where}", data={"kopir_token": found[1], **fields}, base_url=base)

        typed = {"name": "Зертхана", "login_url": "https://lab.kz/login", "target_link_uri": "https://lab.kz/launch",
                 "jwks_url": "https://lab.kz/jwks.json", "may": ["grades", "name"]}  # fmt: skip
        assert post("add", **{**typed, "jwks_url": "http://lab.kz/jwks.json"}).status_code == 400
        assert post("add", **typed).status_code == 303
        (tool,) = tools(kopir.runtime, kopir.school.id)
        assert (tool.state, [str(one) for one in tool.told]) == (State.ON, ["name"])
        assert post("change", tool=tool.id, action="save", may=["grades"]).status_code == 303
        assert post("change", tool=tool.id, action="off").status_code == 303
        (tool,) = tools(kopir.runtime, kopir.school.id)
        assert (tool.state, tool.told) == (State.OFF, frozenset())
        assert post("change", tool="another", action="on").status_code == 404
        shown = post("invite", registration_url="https://lab.kz/register").text
        assert "https://lab.kz/register?openid_configuration=" in shown
        assert post("invite", registration_url="javascript:x").status_code == 400
