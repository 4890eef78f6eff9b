"""The console's plan page over a real database: see, approve exactly that, and see what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from connector.host.operators import invite
from sync.model import LineItem
from sync.store import connections, plans
from sync.systems.contract import CellWrite, Evidence, Outcome, WriteResult, Writing
from tests.support.databases import Place
from tests.support.factories import make_school
from tests.sync.kit import MAPPING
from tests.sync.memory import DAY, journal
from tests.web.console_kit import BASE, Console, cell, console, plain

TWO_MARKS = {("1", "8"), ("2", "5"), ("3", "10")}


@pytest.fixture
def made(sqlite_place: Place, tmp_path: Path) -> Iterator[Console]:
    with console(sqlite_place, tmp_path) as found:
        yield found


def planned(made: Console) -> Console:
    made.compare()
    made.join()
    made.compare()
    return made


def in_journal(made: Console) -> set[tuple[str, str]]:
    return {(person[-1], mark) for (_item, person), mark in made.bench.right.marks.items()}


def newest(made: Console) -> plans.StoredPlan:
    with made.runtime.database.school(made.bench.school, write=False) as db:
        found = plans.latest(db, made.bench.school, made.bench.connection)
    assert found is not None
    return found


def test_a_plan_is_seen_approved_written_and_empty_afterwards(database_place: Place, tmp_path: Path) -> None:
    with console(database_place, tmp_path) as made:
        planned(made)
        before = made.text()
        assert "To write 5" in before
        assert "Тегі1 Аты1 84.5 nothing → becomes 8 rounded never yet" in before
        assert "Бақылау тесті · 23.11.2026, lesson 2" in before
        assert in_journal(made) == set()
        assert made.approve().status_code == 303
        assert made.get("progress").json["doing"] == "writing"
        made.work()
        assert in_journal(made) == TWO_MARKS
        after = made.text()
        assert "Written and found there when read back 5" in after
        assert "Approved by Әсел." in after
        made.compare()
        again = made.text()
        assert "There is nothing to write: both systems hold the same." in again
        assert "Nothing to do 5" in again


def test_a_mark_the_lms_does_not_show_is_said_to_be_not_known(made: Console) -> None:
    planned(made)
    made.approve()
    made.work()
    left = made.bench.left
    left.capabilities = replace(left.capabilities, results=replace(left.capabilities.results, hides=frozenset({"0"})))
    left.marks[next(one for one in left.marks if one[1] == "u1")] = "0"
    made.compare()
    assert "Тегі1 Аты1 not known no change" in made.text()


def test_a_mark_that_was_not_found_again_is_not_called_the_same(made: Console) -> None:
    planned(made)
    made.approve()
    made.work()
    del made.bench.left.marks["li-1", "u1"]
    made.compare()
    text = made.text()
    assert "There is nothing to write among what could be compared." in text
    assert "both systems hold the same" not in text
    assert "The system: a value was not found this time, so further complete reads must confirm it." in text
    assert "awaits_second_read" not in text


def test_nothing_is_written_before_somebody_approves(made: Console) -> None:
    planned(made)
    made.text()
    made.work()
    assert made.bench.right.writes == []


def test_a_second_click_on_approve_writes_nothing_twice(made: Console) -> None:
    planned(made)
    form = made.plan_form()
    first, second = made.post("approve", **form), made.post("approve", **form)
    assert (first.status_code, second.status_code) == (303, 303)
    made.work()
    assert made.post("approve", **form).status_code == 303
    made.work()
    assert in_journal(made) == TWO_MARKS
    assert len(made.bench.right.writes) == 3


def test_a_plan_that_is_no_longer_the_newest_is_shown_again_and_not_written(made: Console) -> None:
    planned(made)
    old = made.plan_form()
    made.bench.left.marks["li-1", "u1"] = "20"
    made.compare()
    answer = made.post("approve", **old)
    assert answer.status_code == 409
    assert "Nothing was written: this is no longer the plan you looked at." in plain(answer.text)
    assert newest(made).hash[:8] in answer.text
    assert old["hash"] != newest(made).hash
    made.work()
    assert made.bench.right.writes == []


def test_a_wrong_hash_approves_nothing(made: Console) -> None:
    planned(made)
    answer = made.approve(hash="0" * 64)
    assert answer.status_code == 409
    assert newest(made).state == "planned"


def test_people_linked_since_make_the_plan_stale_and_a_new_one_is_made(made: Console) -> None:
    made.compare()
    proposals = made.get().text.count('name="proposal"')
    assert proposals == 4
    made.join()
    made.compare()
    form = made.plan_form()
    made.post("people/part", person=made.bench.person("u1"))
    answer = made.post("approve", **form)
    assert answer.status_code == 409
    assert "list of matched people changed" in plain(answer.text)
    assert made.work() >= 1
    assert "Тегі1 Аты1 84.5" not in made.text()
    assert made.bench.right.writes == []


def test_an_unticked_work_stays_out_until_it_is_ticked(sqlite_place: Place, tmp_path: Path) -> None:
    mapping = MAPPING + "approve: {create: ask, update: ask}\n"
    with console(sqlite_place, tmp_path, mapping=mapping) as made:
        planned(made)
        blocks = made.plan_form()["block"]
        attendance = [block for block in blocks if block.startswith("attendance|")]
        assert len(blocks) == 2
        made.approve(block=attendance)
        made.work()
        assert in_journal(made) == set()
        assert len(made.bench.register()) == 2
        made.compare()
        assert made.plan_form()["block"] == []
        assert "A person left it out of an earlier plan" in made.text()
        made.approve(block=[], release=["left_out"])
        made.work()
        assert in_journal(made) != set()


def test_the_page_says_that_what_is_left_out_waits(made: Console) -> None:
    planned(made)
    assert "it waits, and no later plan writes it, until somebody ticks it" in made.text()


def test_approving_with_nothing_ticked_does_nothing(made: Console) -> None:
    planned(made)
    answer = made.approve(block=[])
    assert "note=nothing_chosen" in answer.headers["Location"]
    assert newest(made).state == "planned"


def test_a_new_work_waits_until_its_hold_is_ticked(sqlite_place: Place, tmp_path: Path) -> None:
    mapping = MAPPING.replace("create_work: auto", "create_work: ask")
    with console(sqlite_place, tmp_path, mapping=mapping) as made:
        planned(made)
        page = made.get().text
        assert "A new column in the journal waits" in page
        assert 'name="release" value="create_work"' in page
        made.approve()
        made.work()
        assert in_journal(made) == set()
        made.compare()
        made.approve(release=["create_work"])
        made.work()
        assert in_journal(made) == TWO_MARKS


def test_a_mark_somebody_changed_meanwhile_is_left_alone_and_named(made: Console) -> None:
    planned(made)

    def typed_just_before(write: CellWrite) -> None:
        if write.person_id.endswith("1"):
            made.bench.right.marks[write.item_id, write.person_id] = "3"

    made.bench.right.before_write = typed_just_before
    made.approve()
    made.work()
    text = made.text(f"plans/{newest(made).id}")
    assert ("1", "3") in in_journal(made)
    assert "Changed by somebody meanwhile, left alone 1" in text
    assert "Somebody changed it after the comparison, so it was left alone." in text


def test_a_conflict_is_shown_with_three_values_and_settled_by_a_person(made: Console) -> None:
    planned(made)
    made.approve()
    made.work()
    work = next(item for item, person in made.bench.right.marks if person.endswith("1"))
    made.bench.left.marks["li-1", "u1"] = "30"
    made.bench.right.marks[work, "90000000000000001"] = "9"
    made.bench.clock.now += timedelta(minutes=5)
    made.compare()
    text = made.text()
    assert "Conflicts 1" in text
    assert "Moodle 30 Kundelik 9 Last agreed 84.5 / 8" in text
    made.work()
    assert ("1", "9") in in_journal(made)
    conflict = made.bench.conflicts()[0]
    made.post(f"conflicts/{conflict.id}", side="left")
    made.work()
    if newest(made).state == "planned":
        made.approve()
        made.work()
    assert ("1", "3") in in_journal(made)
    assert made.bench.conflicts() == []


def test_a_maintenance_page_is_told_and_nothing_is_concluded(made: Console) -> None:
    planned(made)
    made.approve()
    made.work()
    made.bench.right.spoiled["result"] = (Evidence.UNKNOWN, "html_page")
    made.compare()
    text = made.text()
    assert "Kundelik, marks: it answered with a maintenance page." in text
    assert "Tried again at" in text
    assert "it answered with a maintenance page" in made.text("/console/")
    assert "Nothing to do 2" in text
    assert in_journal(made) == TWO_MARKS


def test_what_stopped_an_approved_plan_is_told_and_it_can_be_started_again(made: Console) -> None:
    planned(made)
    mapping = MAPPING + "guard: {freeze: [{from: 2026-11-23, to: 2026-11-24}]}\n"
    form = made.plan_form()
    with made.runtime.database.school(made.bench.school) as db:
        connections.change_mapping(db, made.bench.school, made.bench.connection, mapping, made.bench.clock())
    assert made.post("approve", **form).status_code == 409
    made.work()
    text = made.text()
    assert "Nothing is written on these days, as the mapping says." in text
    assert made.bench.right.writes == []


def test_a_run_is_taken_back_by_a_plan_of_its_own(made: Console) -> None:
    planned(made)
    made.approve()
    made.work()
    run = newest(made).run
    answer = made.post(f"runs/{run}/undo")
    assert answer.status_code == 303
    page = made.get(answer.headers["Location"].removeprefix(BASE))
    assert "Plan that takes a run back" in plain(page.text)
    assert in_journal(made) == TWO_MARKS
    made.approve()
    made.work()
    assert in_journal(made) == set()
    assert made.bench.register() == {}


def test_why_tells_the_rule_of_one_mark(made: Console) -> None:
    planned(made)
    key = next(row.key for row in made.bench.changes(newest(made)) if row.change.after == "8")
    text = made.text(cell(key))
    assert "The journal gets: 8 One system has a value and the other has none yet." in text
    made.approve()
    made.work()
    assert "Nobody changed it since both systems last agreed." in made.text(cell(key))


@pytest.mark.parametrize(
    "asked", ["why?cell=nonsense", "why?cell=grade%7Cx%7Cy%7Cz", "why?item=grade:x&person=y&group=z"]
)
def test_why_answers_a_made_up_cell_calmly(made: Console, asked: str) -> None:
    planned(made)
    assert made.get(asked).status_code == 200


def test_the_audit_names_people_for_the_school_and_checks_its_chain(made: Console) -> None:
    planned(made)
    made.approve()
    made.work()
    text = made.text("audit?check=1")
    assert "The chain is whole" in text
    assert "Тегі1 Аты1 Бақылау тесті · 23.11.2026, lesson 2" in text
    assert made.bench.person("u1") not in "".join(made.bench.audit()[0].actor)


def test_runs_tell_what_was_done(made: Console) -> None:
    planned(made)
    made.approve()
    made.work()
    assert "By hand Done 5 0 –" in made.text("runs/")
    assert "Written and found there when read back 5" in made.text(f"runs/{newest(made).run}")


def test_a_long_list_is_opened_one_block_at_a_time(made: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.web.console.plan_view.SHOWN_AT_ONCE", 2)
    planned(made)
    page = made.get().text
    assert "Open this list of 3" in page
    assert "Тегі3 Аты3 100 nothing" not in plain(page)
    wanted = next(block for block in made.plan_form()["block"] if block.startswith("grade|"))
    assert "Тегі3 Аты3 100 nothing → becomes 10" in plain(made.get("?block=" + wanted.replace("|", "%7C")).text)


def test_a_paused_connection_says_so_and_is_not_compared(made: Console) -> None:
    made.post("writing", wish="paused")
    assert "The connection is paused." in made.text("/console/")
    made.post("compare")
    made.work()
    assert made.bench.left.reads == []
    made.post("writing", wish="resumed")
    made.compare()
    assert made.bench.left.reads


def test_another_school_sees_nothing_of_a_connection(made: Console) -> None:
    planned(made)
    run, plan, form = newest(made).run, newest(made).id, made.plan_form()
    other = make_school(made.runtime.database)
    stranger = made.app.test_client()
    made.sign_in(other, "Бөтен", stranger)
    made.client = stranger
    assert "moodle:gym" not in made.text("/console/")
    for path in ("", "entry-sheet", "runs/", f"runs/{run}", f"plans/{plan}", "audit", "why", "progress"):
        assert made.get(path).status_code == 404, path
    for path in ("compare", "people/accept", "writing", f"runs/{run}/undo", f"plans/{plan}/again"):
        assert made.post(path).status_code == 404, path
    assert made.post("approve", **form).status_code == 404
    assert newest_of(made, plan) == "planned"


def newest_of(made: Console, plan: str) -> str:
    with made.runtime.database.school(made.bench.school, write=False) as db:
        return plans.get(db, made.bench.school, plan).state


def test_a_plan_of_another_connection_is_not_shown(made: Console) -> None:
    planned(made)
    mapping = MAPPING.replace("moodle:gym", "moodle:other")
    with made.runtime.database.school(made.bench.school) as db:
        vault = made.bench.vault
        other = connections.add(
            db, made.bench.school, mapping, made.bench.clock(), settings={}, credentials={}, vault=vault
        )
    assert made.get(f"/console/connections/{other}/plans/{newest(made).id}").status_code == 404
    assert made.get(f"/console/connections/{other}/runs/{newest(made).run}").status_code == 404


@pytest.mark.parametrize("token", ["", "rubbish", "a.b"])
def test_a_form_without_the_sessions_token_is_refused(made: Console, token: str) -> None:
    planned(made)
    form = made.plan_form()
    made.token = token
    assert made.post("approve", **form).status_code == 403
    assert made.post("compare").status_code == 403
    made.work()
    assert made.bench.right.writes == []


def test_another_sessions_token_is_refused(made: Console) -> None:
    planned(made)
    form, mine = made.plan_form(), made.token
    other = made.app.test_client()
    made.sign_in(client=other)
    assert made.token != mine
    assert made.post("approve", **form).status_code == 403


def test_nobody_gets_in_without_a_session_and_an_invitation_works_once(made: Console) -> None:
    stranger = made.app.test_client()
    answer = stranger.get(made.home, base_url=BASE, headers={"Accept-Language": "en"})
    assert answer.status_code == 401
    assert "kopir console invite" in answer.text
    path = invite(made.runtime, made.bench.school, "x").removeprefix(BASE)
    assert "Sign in" in stranger.get(path, base_url=BASE, headers={"Accept-Language": "en"}).text
    assert stranger.post(path, base_url=BASE).status_code == 303
    spent = stranger.post(path, base_url=BASE, headers={"Accept-Language": "en"})
    assert spent.status_code == 403
    assert "This invitation does not work any more" in spent.text
    assert stranger.get(made.home, base_url=BASE).status_code == 200


def test_signing_out_ends_the_session_for_good(made: Console) -> None:
    cookie = made.client.get_cookie("kopir_console", domain="kopir.test", path="/console/")
    assert cookie is not None
    assert made.post("/console/leave").status_code == 303
    again = made.app.test_client()
    again.set_cookie("kopir_console", cookie.value, domain="kopir.test", path="/console/", secure=True)
    assert again.get(made.home, base_url=BASE).status_code == 401


def test_a_language_is_chosen_once_and_kept(made: Console) -> None:
    answer = made.post("/console/language", language="kk", back=made.home)
    assert answer.headers["Location"] == made.home
    assert "Қазір салыстыру" in made.get().text
    assert made.post("/console/language", language="ru", back="//evil.example").headers["Location"] == "/console/"
    assert "Сравнить сейчас" in made.get().text


def test_marks_of_a_gated_journal_come_out_as_an_entry_sheet_and_are_ticked_off(
    sqlite_place: Place, tmp_path: Path
) -> None:
    with console(sqlite_place, tmp_path, right=journal(write=Writing.VENDOR_GATED)) as made:
        planned(made)
        assert "approved marks come out as an entry sheet" in made.text()
        made.approve()
        made.work()
        assert in_journal(made) == set()
        sheet = made.text("entry-sheet")
        assert "To type: 3. Found typed: 0." in sheet
        assert sheet.index("Тегі3 Аты3") < sheet.index("Тегі1 Аты1") < sheet.index("Тегі2 Аты2")
        assert made.bench.right.items == []
        type_in(made, "1", "8")
        made.compare()
        ticked = made.text("entry-sheet")
        assert "To type: 2. Found typed: 1." in ticked
        assert "2 Тегі1 Аты1 8 ☑ typed" in ticked
        assert "☐ missed" in ticked
        type_in(made, "2", "4")
        made.compare()
        assert "☐ there stands 4" in made.text("entry-sheet")


def type_in(made: Console, pupil: str, mark: str) -> None:
    """Put a mark in by hand, making the work if it is not there, as a teacher does."""
    items = made.bench.right.items
    if not items:
        items.append(LineItem("hand", "Бақылау тесті", scale="mark10", due=DAY, lesson_id="L1"))
    made.bench.right.marks[items[0].id, f"9000000000000000{pupil}"] = mark


def test_a_refused_write_is_told_with_its_reason(made: Console) -> None:
    planned(made)
    made.bench.right.outcome = lambda _write: WriteResult(Outcome.REFUSED, "request_refused")
    made.approve()
    made.work()
    text = made.text(f"plans/{newest(made).id}")
    assert "Refused by the system 3" in text
    assert "The system refused it as wrong." in text


def test_the_page_holds_no_inline_script_or_style(made: Console) -> None:
    planned(made)
    for path in ("/console/", "", "entry-sheet", "runs/", "audit", "why"):
        page = made.get(path).text
        assert "<style" not in page
        assert " style=" not in page
        assert " on" + "click=" not in page
        assert page.count("<script") == page.count('<script src="/static/') + page.count(
            '<script type="module" src="/static/'
        )
