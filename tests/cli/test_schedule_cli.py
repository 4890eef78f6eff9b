"""The schedule, notices and what stopped, from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.base.clock import utc_now
from sync.store import connections, plans
from tests.cli.test_sync_settings_cli import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path / "data")
    connection = made.add()
    with made.runtime.database.school(made.school) as db:
        connections.note_first_approval(db, made.school, connection.id, utc_now())
    return made


def read(desk: Desk, *words: str, exit_code: int = 0) -> object:
    import json

    return json.loads(desk(*words, "--json", exit_code=exit_code).stdout)


def test_hours_are_shown_set_paused_resumed_and_reset(desk: Desk) -> None:
    shown = read(desk, "schedule", "show")
    assert isinstance(shown, dict)
    assert shown["hours"] == ["07:00", "14:00", "19:00"]
    assert (shown["zone"], shown["quiet"], shown["after_score"]) == ("Asia/Almaty", "22:00-06:00", 5)
    options = (
        "--hours",
        "08:15",
        "--days",
        "mon-fri,sun",
        "--quiet",
        "none",
        "--after-score",
        "0",
        "--year-end",
        "none",
    )
    changed = read(desk, "schedule", "set", *options)
    assert isinstance(changed, dict)
    assert (changed["hours"], changed["quiet"], changed["year_end"]) == (["08:15"], "none", "none")
    assert changed["days"] == ["mon", "tue", "wed", "thu", "fri", "sun"]
    coming = read(desk, "schedule", "next", "--count", "3")
    assert isinstance(coming, list)
    assert [one["slot"][-5:] for one in coming] == ["08:15"] * 3
    paused = read(desk, "schedule", "pause", "--until", "2199-01-01")
    assert isinstance(paused, dict)
    assert (paused["paused"], paused["still"], paused["next"]) == (True, "paused", None)
    resumed = read(desk, "schedule", "resume")
    assert isinstance(resumed, dict)
    assert resumed["still"] is None
    back = read(desk, "schedule", "set", "--reset")
    assert isinstance(back, dict)
    assert back["set_by_school"] == []


def test_schedule_that_cannot_be_is_refused_with_its_reason(desk: Desk) -> None:
    assert "23:00 lies inside the quiet hours" in desk("schedule", "set", "--hours", "23:00", exit_code=1).stderr
    assert "--hours" in desk("schedule", "set", exit_code=1).stderr


def test_recipient_is_added_listed_tested_and_removed(desk: Desk) -> None:
    made = read(desk, "notices", "add", "https://hooks.school.kz/k", "--language", "ru", "--digest", "none")
    assert isinstance(made, dict)
    assert made["secret"].startswith("whsec_")
    (one,) = read(desk, "notices", "list")  # type: ignore[misc]
    assert (one["address"], one["digest"], one["language"]) == ("https://hooks.school.kz/k", "none", "ru")
    desk("notices", "test", made["recipient"])
    (sent,) = read(desk, "notices", "log")  # type: ignore[misc]
    assert (sent["kind"], sent["state"]) == ("test", "waiting")
    desk("notices", "remove", made["recipient"])
    assert read(desk, "notices", "list") == []
    assert "neither an e-mail" in desk("notices", "add", "nobody", exit_code=1).stderr


def test_run_under_way_is_asked_to_stop_once(desk: Desk) -> None:
    connection = desk.connection()
    with desk.runtime.database.school(desk.school) as db:
        run = plans.start_run(db, desk.school, connection.id, "manual", "x", utc_now())
    assert read(desk, "sync", "cancel") == {"cancelled": [run]}
    assert read(desk, "sync", "cancel") == {"cancelled": []}
    assert read(desk, "sync", "quarantine") == []
    assert "No record with this key" in desk("sync", "quarantine", "--again", "x", exit_code=1).stderr
