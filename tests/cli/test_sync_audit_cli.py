"""The audit's format is written down, and a script that knows the page alone can check it and replay it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from connector.cli import sync_audit
from connector.cli.main import main
from connector.db.database import Database
from connector.db.types import dump_json
from sync.store import audit
from tests.sync.kit import Bench, joined


def seal(entry: dict[str, Any]) -> dict[str, Any]:
    """As docs/audit.md says, and by nothing of ours."""
    if "salt" not in entry:
        return entry
    salt = entry["salt"]
    sealed = {name: value for name, value in entry.items() if name != "salt"}
    for name in ("before", "after"):
        sealed[name] = [
            None if value is None else hashlib.sha256(f"{salt}|{name}|{index}|{value}".encode()).hexdigest()
            for index, value in enumerate(entry[name])
        ]
    return sealed


def check(links: list[dict[str, Any]]) -> dict[str, tuple[Any, Any, str]]:
    previous, base = "0" * 64, {}
    for number, link in enumerate(links, 1):
        said = [link[name] for name in ("seq", "previous", "action", "actor", "run", "at")]
        text = json.dumps(
            said + [seal(entry) for entry in link["entries"]], sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        assert (link["seq"], link["previous"]) == (number, previous)
        assert hashlib.sha256(text.encode()).hexdigest() == link["hash"]
        previous = link["hash"]
        for entry in link["entries"]:
            if entry["what"] == "set":
                base[entry["key"]] = (*entry["after"], entry["mapping_version"])
            elif entry["what"] == "forget":
                base.pop(entry["key"], None)
    return base


def as_printed(made: Bench) -> list[dict[str, Any]]:
    from datetime import UTC

    rows = [{**vars(link), "at": link.at.astimezone(UTC).isoformat(timespec="microseconds")} for link in made.audit()]
    found: list[dict[str, Any]] = json.loads(dump_json(rows))
    return found


def test_an_outsiders_script_checks_and_replays_the_chain(database: Database) -> None:
    made = joined(database)
    report = made.sync()
    made.left.marks[("li-1", "u4")] = "70"
    made.sync()
    undo = made.undo(report.plan.run)
    made.approve(undo)
    made.apply(undo)
    assert check(as_printed(made)) == made.base()


def test_it_still_does_when_a_person_was_erased(database: Database) -> None:
    made = joined(database)
    made.sync()
    with database.school(made.school) as db:
        assert audit.erase(db, made.school, made.connection, made.person("u1"))
    replayed = check(as_printed(made))
    base = made.base()
    assert replayed.keys() == base.keys()
    assert all(sync_audit._same(replayed[key], base[key]) for key in base)


def test_a_changed_link_is_noticed_by_the_script(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    made.sync()
    links = as_printed(made)
    links[-1]["entries"][0]["after"][1] = "9"
    with pytest.raises(AssertionError):
        check(links)


def test_the_command_has_its_three_parts() -> None:
    group = main.commands["sync"].commands["audit"]  # type: ignore[attr-defined]
    assert set(group.commands) == {"verify", "replay", "links"}
