"""The lab, driven through the plugin test kit."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest
from sqlalchemy import select

from plugins.contract import Page, Placed, Progress, Redirect, Reply, Role, Sandbox
from plugins.testkit import make_room
from plugins.virtual_lab import plugin
from plugins.virtual_lab.ohm import MAX_READINGS, MAXIMUM, circuit_of
from plugins.virtual_lab.tables import run


@pytest.fixture
def room(tmp_path):
    room = make_room(plugin, tmp_path)
    yield room
    room.database.close()


@pytest.fixture
def lab(room):
    return room.place("Ом заңы", {"lab": "ohm"}, MAXIMUM)


def circuit(room, account):
    with room.read() as db:
        seed = db.execute(
            select(run.c.seed).where(run.c.school_id == room.school_id, run.c.account == account)
        ).scalar_one()
    return circuit_of(seed)


def good_answers(found):
    current = found.asked_voltage / found.resistance
    return {"resistance": str(found.resistance), "current": f"{current:.4f}", "law": "direct"}


def at_the_bench(room, lab, name="Аружан"):
    pupil = room.person(name)
    visit = room.visit(pupil, lab)
    visit.post("start")
    return pupil, visit


def test_an_honest_pupil_measures_reports_and_the_score_is_handed_in(room, lab):
    pupil, visit = at_the_bench(room, lab)
    for voltage in ("2", "4", "6", "8", "10"):
        reply = visit.post("measure", json={"voltage": voltage})
        assert reply.value["current"] == str(circuit(room, pupil.account_id).current(Decimal(voltage)))
    assert visit.post("report", good_answers(circuit(room, pupil.account_id))) == Redirect("")
    result = room.results[0]
    assert (result.score_given, result.score_maximum, result.progress) == (MAXIMUM, MAXIMUM, Progress.GRADED)
    assert result.evidence["kind"] == "lab_report"
    assert len(result.evidence["report"]["readings"]) == 5


def test_the_resistance_never_leaves_the_server_before_the_report(room, lab):
    pupil, visit = at_the_bench(room, lab)
    secret = f">{circuit(room, pupil.account_id).resistance}<"
    seen = visit.html(visit.get()) + visit.html(visit.get("bench")) + str(visit.post("measure", json={"voltage": "6"}))
    value = str(circuit(room, pupil.account_id).resistance)
    assert secret not in seen
    assert f"resistance: {value}" not in seen
    assert f" {value} Ω" not in seen


def test_the_bench_is_a_sandbox_without_network(room, lab):
    _, visit = at_the_bench(room, lab)
    bench = visit.get("bench")
    assert isinstance(bench, Sandbox)
    source = visit.html(bench)
    assert "src=" not in source
    assert "fetch(" not in source


def test_readings_are_kept_over_a_reload(room, lab):
    _, visit = at_the_bench(room, lab)
    visit.post("measure", json={"voltage": "7.5"})
    assert "7.5" in visit.html(visit.get())


def test_readings_that_a_browser_makes_up_do_not_count(room, lab):
    pupil, visit = at_the_bench(room, lab)
    answers = good_answers(circuit(room, pupil.account_id))
    visit.post("report", {**answers, "readings": "[[1,1],[2,2],[3,3],[4,4],[12,12]]"})
    assert room.results[0].score_given == 8


def test_a_report_with_a_hole_is_asked_for_again_and_nothing_is_lost(room, lab):
    _, visit = at_the_bench(room, lab)
    page = visit.post("report", {"resistance": "47", "current": "", "law": "direct"})
    assert isinstance(page, Page)
    assert page.status == 422
    assert 'value="47"' in visit.html(page)
    assert room.results == []


def test_a_second_report_changes_nothing(room, lab):
    pupil, visit = at_the_bench(room, lab)
    visit.post("report", good_answers(circuit(room, pupil.account_id)))
    first = list(room.results)
    visit.post("report", {"resistance": "1", "current": "1", "law": "none"})
    assert room.results == first


def test_eight_clicks_at_once_hand_in_one_report(room, lab):
    pupil, visit = at_the_bench(room, lab)
    answers, handed = good_answers(circuit(room, pupil.account_id)), []
    real = room.hand_in
    room.hand_in = lambda *args: handed.append(1) or real(*args)
    threads = [threading.Thread(target=visit.post, args=("report", answers)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(handed) == 1


def test_nothing_is_measured_after_the_report(room, lab):
    pupil, visit = at_the_bench(room, lab)
    visit.post("report", good_answers(circuit(room, pupil.account_id)))
    assert visit.post("measure", json={"voltage": "6"}).status == 409


@pytest.mark.parametrize("voltage", ["13", "0", "", None, {"x": 1}, "6.3"])
def test_a_voltage_the_source_does_not_have_is_refused(room, lab, voltage):
    _, visit = at_the_bench(room, lab)
    reply = visit.post("measure", json={"voltage": voltage})
    assert isinstance(reply, Reply)
    assert reply.status == 409


def test_the_bench_ends_after_enough_readings(room, lab):
    _, visit = at_the_bench(room, lab)
    for _ in range(MAX_READINGS):
        assert visit.post("measure", json={"voltage": "6"}).status == 200
    assert visit.post("measure", json={"voltage": "6"}).status == 409


def test_without_scripts_a_form_measures_too(room, lab):
    _, visit = at_the_bench(room, lab)
    assert visit.post("measure", {"voltage": "8"}) == Redirect("")
    assert ">8<" in visit.html(visit.get())


def test_starting_twice_keeps_the_first_circuit(room, lab):
    pupil, visit = at_the_bench(room, lab)
    before = circuit(room, pupil.account_id)
    visit.post("start")
    assert circuit(room, pupil.account_id) == before


def test_a_teacher_sees_the_class_and_opens_a_report(room, lab):
    pupil, visit = at_the_bench(room, lab)
    visit.post("report", good_answers(circuit(room, pupil.account_id)))
    teacher = room.visit(room.person("Нұрлан", Role.TEACHER), lab)
    assert "handed in" in teacher.html(teacher.get())
    page = teacher.html(teacher.get(f"pupil/{pupil.account_id}"))
    assert f"The resistor was {circuit(room, pupil.account_id).resistance}" in page


def test_a_review_from_the_gradebook_opens_that_pupil(room, lab):
    pupil, _ = at_the_bench(room, lab)
    teacher = room.person("Нұрлан", Role.TEACHER)
    assert room.visit(teacher, lab, review_of=pupil.account_id).get() == Redirect(f"pupil/{pupil.account_id}")


def test_a_pupil_opens_no_report_but_their_own(room, lab):
    pupil, _ = at_the_bench(room, lab)
    other = room.visit(room.person("Диас"), lab)
    with pytest.raises(PermissionError):
        other.get(f"pupil/{pupil.account_id}")


def test_the_picker_places_a_lab_of_ten_points_with_its_kind(room):
    placed = room.visit(room.person("Нұрлан", Role.TEACHER)).post("pick", {"title": "Ом заңы", "tag": "sor"})
    assert isinstance(placed, Placed)
    assert (placed.placements[0].score_maximum, placed.placements[0].tag) == (MAXIMUM, "sor")


@pytest.mark.parametrize("language", ["kk", "ru", "en"])
def test_every_page_speaks_three_languages(room, lab, language):
    pupil = room.person("Аружан")
    visit = room.visit(pupil, lab, language)
    word = {"kk": "Бастау", "ru": "Начать", "en": "Start"}[language]
    assert word in visit.html(visit.get())
    visit.post("start")
    word = {"kk": "Есепті тапсыру", "ru": "Сдать отчёт", "en": "Hand in the report"}[language]
    assert word in visit.html(visit.get())


def test_export_and_erasure_reach_runs_and_readings(room, lab):
    pupil, visit = at_the_bench(room, lab)
    visit.post("measure", json={"voltage": "6"})
    with room.read() as db:
        exported = plugin.export_person(db, room.school_id, pupil.account_id)
    assert exported["p_virtual_lab_run"][0]["readings"][0][0] == "6"
    with room.write() as db:
        assert plugin.erase_person(db, room.school_id, pupil.account_id) == 2
        assert plugin.export_person(db, room.school_id, pupil.account_id) == {"p_virtual_lab_run": []}
        assert plugin.health(db, room.school_id).ok
