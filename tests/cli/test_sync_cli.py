"""The sync from the command line: a mapping and a file in, marks in the journal out, exit 2 while something waits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from openpyxl import load_workbook

from connector.base.clock import utc_now
from connector.cli.main import main
from connector.demo.world import World, open_world
from lti.tool.ags import AssignmentAndGradeService, LineItem, Score
from sync.twins.sample_school import pupils
from tests.support.factories import make_context

MAPPING = """\
version: 1
pair: {{left: "lti_advantage:gym", right: "kundelik:{school}"}}
identity: {{join: [linked_id, idnumber]}}
groups: [{{left: {{course: "2"}}, right: {{edu_group: "{group}", subject: "{subject}"}}}}]
grades: {{owner: left, kinds: {{"*": fo}}, scale: {{fo: {{from: percent, to: mark10, round: half_up, min: 1}}}}}}
items: {{find: [linked, tag, title+date], place: next_lesson, create_work: ask}}
"""


@dataclass
class Desk:
    """A terminal beside the rehearsal."""

    world: World

    def __call__(self, *arguments: str, exit_code: int = 0, stdin: str = "") -> Any:
        folder = self.world.folder / "kopir"
        env = {
            "DATA_DIR": str(folder),
            "KOPIR_CONFIG": str(folder / "kopir.toml"),
            "ALLOW_PRIVATE_NETWORKS": "on",
            "LOG_LEVEL": "ERROR",
            "KOPIR_LANGUAGE": "en",
        }
        result = CliRunner().invoke(main, [*arguments, "--json"], env=env, input=stdin, catch_exceptions=False)
        assert result.exit_code == exit_code, result.output + result.stderr
        return json.loads(result.stdout) if result.stdout.strip() else result.stderr


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = open_world(tmp_path_factory.mktemp("world"), ports={"lms": 0, "kopir": 0, "journal": 0})
    yield made
    made.stop()


@pytest.fixture(scope="module")
def desk(world: World) -> Desk:
    """A class test is marked in the LMS, and the connection is made from a mapping file."""
    [(registration, deployment, _school)] = world.runtime.registry.all()
    prefix = f"{world.lms_url}/mod/lti/services.php"
    items = f"{prefix}/2/lineitems?type_id={deployment}"
    make_context(
        world.runtime.database,
        world.school_id,
        registration_id=registration.id,
        issuer=registration.issuer,
        deployment_id=deployment,
        context_id="2",
        line_items_url=items,
        memberships_url=f"{prefix}/CourseSection/2/bindings/{deployment}/memberships",
    )
    service = AssignmentAndGradeService(world.runtime.outbound, world.runtime.token_source, registration, deployment)
    column = service.create_line_item(items, LineItem("Бақылау", Decimal(40), resource_id="a1", tag="quiz"))
    ids = {user.idnumber: user.id for user in world.lms.users()}
    for one in pupils():
        when = utc_now() - timedelta(minutes=1)
        assert service.post_score(str(column.id), Score(ids[one.idnumber], when, Decimal(32), Decimal(40))).accepted
    journal = world.journal
    text = MAPPING.format(school=journal.school_id, group=journal.group_id, subject=journal.subject_id)
    mapping = world.folder / "pair.yaml"
    mapping.write_text(text, "utf-8")
    terminal = Desk(world)
    terminal(
        "sync", "add", str(mapping),
        "--set", f"right.base_url={journal.api_url}", "--set", "right.contracted=true",
        "--set", "right.calls_per_second=500",
        stdin=json.dumps({"right": {"token": journal.token}}),
    )  # fmt: skip
    return terminal


def identity_file(world: World) -> Path:
    ids = world.journal.person_ids()
    rows = "".join(f"{one.idnumber};{ids[one.number]}\n" for one in pupils())
    file = world.folder / "people.csv"
    file.write_text(f"idnumber;kundelik\n{rows}", "utf-8")
    return file


def test_a_school_gets_its_marks_across_by_commands_alone(desk: Desk, world: World) -> None:
    before = world.journal.marks()
    assert desk("sync", "plan")["pending"] == 0
    file = identity_file(world)
    shown = desk("people", "import", str(file))
    assert (len(shown["lines"]), shown["applied"]) == (30, False)
    assert desk("people", "import", str(file), "--apply")["applied"]
    plan = desk("sync", "plan", exit_code=2)
    assert (plan["pending"], len(plan["works"])) == (30, 1)
    assert plan["changes"][0]["why"] == "One system has a value and the other has none yet."
    held = desk("sync", "holds", exit_code=2)
    assert {row["held_by"] for row in held} == {"create_work"}
    table = world.folder / "holds.xlsx"
    desk("sync", "holds", "--xlsx", str(table), exit_code=2)
    assert load_workbook(table).worksheets[0].max_row == 31
    why = desk("sync", "explain", plan["changes"][0]["key"])
    assert (why["action"], why["left"], why["right"], why["held_by"]) == ("create_right", "32", None, "create_work")
    refused = desk("sync", "apply", plan["plan"], "--hash", "0" * 64, exit_code=1)
    assert "not the one that was approved" in refused
    assert world.journal.marks() == before
    plan = desk("sync", "plan", exit_code=2)
    report = desk("sync", "apply", plan["plan"], "--hash", plan["hash"], "--release", "create_work")
    assert (report["counts"]["applied"], report["clean"]) == (30, True)
    fresh = {cell: mark for cell, mark in world.journal.marks().items() if cell not in before}
    assert sorted(fresh.values()) == ["8"] * 30
    assert desk("sync", "plan")["pending"] == 0
    assert desk("sync", "conflicts") == []
    status = desk("sync", "status")
    assert (status["joined"], status["conflicts"], status["pending"]) == (30, 0, 0)
    undo = desk("sync", "undo", report["run"], exit_code=2)
    assert undo["pending"] == 30
    assert [work["left"] for work in undo["works"]] == ["empty"]
    assert desk("sync", "apply", undo["plan"], "--hash", undo["hash"])["counts"]["applied"] == 30
    assert world.journal.marks() == before
    say_who_is_who(desk)


def say_who_is_who(desk: Desk) -> None:
    """Fix, take back, make again and merge links by commands, and look at what was said."""
    first, second = desk("people", "list")[:2]
    desk("people", "pin", first["left"], "--why", "asked")
    assert "pinned" in desk("people", "split", first["right"], exit_code=1)
    desk("people", "pin", first["left"], "--off")
    assert desk("people", "split", first["left"]) == {"person": first["person"], "split": "link"}
    assert desk("sync", "plan")["pending"] == 0
    desk("people", "pin", first["person"], "--to", first["right"])
    desk("people", "merge", first["left"], second["left"], "--why", "new login")
    assert desk("people", "history", second["person"])["merged_into"] == first["person"]
    assert desk("people", "split", first["left"])["split"] == "merge"
    told = desk("people", "history", first["left"])
    assert (told["pinned"], told["left"], told["right"]) == (True, first["left"], first["right"])
    words = [(event["action"], event["note"]) for event in told["events"]]
    assert words[1:] == [("pinned", "asked"), ("unpinned", ""), ("parted", ""), ("joined", ""), ("pinned", ""),
                         ("merged", "new login"), ("split", "")]  # fmt: skip


def test_no_token_is_ever_shown(desk: Desk, world: World) -> None:
    for command in (("sync", "list"), ("sync", "status"), ("people", "list")):
        assert world.journal.token not in json.dumps(desk(*command))


def test_credentials_that_are_no_json_are_refused(desk: Desk, world: World) -> None:
    said = desk("sync", "add", str(world.folder / "pair.yaml"), stdin="token=abc", exit_code=1)
    assert "not JSON" in said
