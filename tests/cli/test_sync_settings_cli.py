"""Settings of a connection from the command line: what is not said again stays, and nothing waits for nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from connector.base.config import load_settings
from connector.cli.main import main
from connector.cli.output import show_table
from connector.host.install import install
from connector.host.runtime import Runtime, build_runtime
from sync.store import audit, connections
from sync.store.connections import SyncConnection
from tests.support.factories import make_school
from tests.sync.kit import MAPPING

KOPIR = "from connector.cli.main import main; main()"


class Desk:
    """A terminal beside a fresh installation with one school."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            "DATA_DIR": str(folder),
            "KOPIR_CONFIG": str(folder / "kopir.toml"),
            "LOG_LEVEL": "ERROR",
            "KOPIR_LANGUAGE": "en",
            "KOPIR_SYNC_CREDENTIALS": "",
        }
        folder.mkdir()
        (folder / "kopir.toml").write_text("")
        install(folder, self.env)
        self.runtime: Runtime = build_runtime(load_settings(self.env))
        self.school = make_school(self.runtime.database)
        self.mapping = folder / "pair.yaml"
        self.mapping.write_text(MAPPING, "utf-8")

    def __call__(self, *arguments: str, stdin: str = "", exit_code: int = 0) -> Result:
        result = CliRunner().invoke(main, arguments, env=self.env, input=stdin, catch_exceptions=False)
        assert result.exit_code == exit_code, result.output + result.stderr
        return result

    def add(self, *options: str, account: Mapping[str, Any] | None = None) -> SyncConnection:
        self("sync", "add", str(self.mapping), *options, stdin=json.dumps(account) if account else "")
        return self.connection()

    def connection(self) -> SyncConnection:
        with self.runtime.database.school(self.school, write=False) as db:
            [one] = connections.every(db, self.school)
        return one


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "data")
    yield made
    made.runtime.database.close()


def test_a_connection_added_again_keeps_what_is_not_said_again(desk: Desk) -> None:
    account = {"right": {"token": "t-1"}}
    desk.add("--set", "right.base_url=https://j.example", "--set", "left.deployment=1", "--read-only", account=account)
    again = desk.add("--set", "right.contracted=true")
    assert again.settings == {
        "left": {"deployment": "1"},
        "right": {"base_url": "https://j.example", "contracted": True},
    }
    assert again.credentials(desk.runtime.vault) == account
    assert again.read_only
    changed = desk.add("--set", "left.deployment=", "--writable", account={"left": {"token": "l"}})
    assert changed.settings["left"] == {}
    assert changed.credentials(desk.runtime.vault) == {"left": {"token": "l"}, **account}
    assert not changed.read_only


def test_a_paused_connection_stays_paused_when_its_mapping_changes(desk: Desk) -> None:
    made = desk.add()
    with desk.runtime.database.school(desk.school) as db:
        connections.set_state(db, desk.school, made.id, "paused")
    assert desk.add().state == "paused"


def test_writing_is_switched_by_a_command_that_the_audit_keeps(desk: Desk) -> None:
    made = desk.add()
    assert desk("sync", "set", "--read-only", "--as", "aigul").stdout.strip() == "read_only: True"
    assert desk.connection().told_read_only
    desk("sync", "set", "--writable", "--as", "aigul")
    with desk.runtime.database.school(desk.school) as db:
        now = desk.runtime.clock()
        connections.note_refusal(db, desk.school, made.id, "grade", "not_offered", now)
    said = desk("sync", "status").stdout
    assert "read_only: True" in said
    assert "takes no writes (grade, not_offered)" in said
    desk("sync", "set", "--writable", "--as", "aigul")
    assert not desk.connection().read_only
    with desk.runtime.database.school(desk.school, write=False) as db:
        chain = audit.links(db, desk.school, made.id)
    audit.verify(chain)
    assert [(link.action, link.actor) for link in chain] == [
        ("writing_off", "aigul"), ("writing_on", "aigul"), ("writing_on", "aigul"),
    ]  # fmt: skip
    assert "--writable or --read-only" in desk("sync", "set", exit_code=1).stderr


def test_without_a_doubted_read_there_is_nothing_to_accept(desk: Desk) -> None:
    desk.add()
    assert desk("sync", "accept-read").stdout.strip() == "No read waits to be accepted."
    assert "--size" in desk("sync", "accept-read", "7A", exit_code=1).stderr
    asked = ("sync", "accept-read", "7A", "--side", "right", "--kind", "person", "--size", "14")
    assert "waits there" in desk(*asked, exit_code=1).stderr


def test_a_pipe_in_which_nobody_speaks_is_not_waited_for(desk: Desk) -> None:
    """So cron, systemd and a build server run it: standard input is open and silent."""
    command = [sys.executable, "-c", KOPIR, "sync", "add", str(desk.mapping)]
    reader, writer = os.pipe()
    try:
        done = subprocess.run(
            command, env={**os.environ, **desk.env}, stdin=reader, capture_output=True, timeout=90, check=False
        )
    finally:
        os.close(reader)
        os.close(writer)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().strip() == desk.connection().id


def test_an_account_that_is_piped_or_named_is_taken(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "account.json"
    file.write_text('{"right": {"token": "from-file"}}')
    assert desk.add("--account", str(file)).credentials(desk.runtime.vault)["right"]["token"] == "from-file"
    subprocess.run(
        [sys.executable, "-c", KOPIR, "sync", "add", str(desk.mapping)],
        env={**os.environ, **desk.env},
        input=b'{"right": {"token": "from-pipe"}}',
        capture_output=True,
        timeout=90,
        check=True,
    )
    assert desk.connection().credentials(desk.runtime.vault)["right"]["token"] == "from-pipe"


@pytest.mark.parametrize("columns", ["40", "80"])
def test_a_table_never_cuts_an_id(capsys: pytest.CaptureFixture[str], monkeypatch: Any, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    key = "grade|0199f0a25d1c7e319c558f6f1f0a2b11|0199f0a261b77b0e8a632c9b7f2f5a10|0199f0a27c207d15b0a454d1b3f2c901"
    row = {"id": "0199f0a261b77b0e8a632c9b7f2f5a10", "key": key, "who": "Сейтқали Нұрғиса Әбдірахманұлы", "n": 8}
    show_table([row] * 2, as_json=False, empty="")
    printed = capsys.readouterr().out.splitlines()
    whole = [line for line in printed if key in line and row["id"] in line and row["who"] in line]
    assert len(whole) == 2


def test_in_a_narrow_terminal_words_go_on_in_the_next_line_and_ids_stay_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    row = {"id": "0199f0a261b77b0e8a632c9b7f2f5a10", "why": "One system has a value and the other has none yet. " * 2}
    show_table([row], as_json=False, empty="")
    printed = click.unstyle(capsys.readouterr().out).splitlines()
    assert any(row["id"] in line for line in printed)
    assert len(printed) > 5
    assert max(map(len, printed)) <= 60
