"""The whole path, over real HTTP between three sites."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from click.testing import CliRunner

from connector.base.errors import Fatal
from connector.cli.main import main
from connector.demo.answers import PUPILS, QUESTIONS, mark_of, points_of
from connector.demo.once import Report, rehearse
from connector.demo.world import open_world

PORTS = {"lms": 0, "kopir": 0, "journal": 0}


def test_the_answer_sheet_has_every_number_of_points_from_one_to_all():
    assert {int(points_of(number)) for number in range(1, PUPILS + 1)} == set(range(1, len(QUESTIONS) + 1))


@pytest.mark.parametrize(
    ("points", "mark"), [(8, "10"), (7, "9"), (6, "8"), (5, "6"), (4, "5"), (3, "4"), (2, "3"), (1, "1")]
)
def test_the_answer_sheet_rounds_halves_up(points, mark):
    assert mark_of(Decimal(points)) == mark


def test_the_rehearsal_command_reports_every_mark_in_its_place_and_exits_0():
    outcome = CliRunner().invoke(main, ["demo", "--once", "--json"])
    report = json.loads(outcome.stdout)
    assert report["mismatches"] == 0, report["details"]
    wanted = {"launches": 30, "scores_in_lms": 30, "marks_in_journal": 30, "conflicts": 1, "carried_over": 1}
    assert {name: report[name] for name in wanted} == wanted
    assert report["attendance_read"] > 0
    assert report["joined_by_file"] + report["joined_by_proposal"] == 30
    assert outcome.exit_code == 0


def test_a_mark_taken_out_of_the_journals_store_is_noticed_and_july_is_no_hindrance(tmp_path):
    behind = datetime.now(UTC) - datetime(2027, 7, 3, 9, tzinfo=UTC)
    taken: list[str] = []

    def take_one_out(world) -> None:
        pupil = world.journal.person_ids()[11]
        before = {work for person, work in seeded if person == pupil}
        (work,) = [work for person, work in world.journal.marks() if person == pupil and work not in before]
        world.journal.delete_mark(pupil, work)
        taken.append(work)

    world = open_world(tmp_path, PORTS, lambda: datetime.now(UTC) - behind)
    assert world.runtime.clock().date() == date(2027, 5, 11)
    seeded = set(world.journal.marks())
    try:
        report = rehearse(world, lambda message: None, take_one_out)
    finally:
        world.stop()
    assert taken
    assert report.marks_in_journal == PUPILS - 1
    assert any("pupil 11" in line for line in report.mismatches)
    assert not report.passed


def test_a_report_without_launches_does_not_pass():
    assert not Report().passed


def test_a_rehearsal_opened_again_goes_on_where_it_was_at_the_same_addresses(tmp_path):
    first = open_world(tmp_path, PORTS)
    school, address = first.school_id, first.lms_url
    first.stop()
    second = open_world(tmp_path, PORTS)
    try:
        assert (second.school_id, second.lms_url) == (school, address)
        assert len(second.runtime.registry.all()) == 1
    finally:
        second.stop()


def test_a_second_rehearsal_in_the_same_folder_is_refused_and_breaks_nothing(tmp_path):
    first = open_world(tmp_path, PORTS)
    try:
        with pytest.raises(Fatal) as refused:
            open_world(tmp_path, PORTS)
        assert refused.value.reason == "port_taken"
        assert len(first.runtime.registry.all()) == 1
    finally:
        first.stop()
