from __future__ import annotations

import json
from decimal import Decimal

import pytest

from plugins.contract import Member, NotFound, Page, Progress, Redirect, Reply
from plugins.online_test.form import form_to_json
from plugins.testkit import TestRoom
from tests.plugins.online_test.kit import look, place, sit

D = Decimal


def test_a_full_sitting_ends_in_one_graded_outcome(room: TestRoom, pupil: Member):
    activity = place(room, shuffle="yes")
    visit = room.visit(pupil, activity)
    card = visit.html(visit.get())
    assert "Questions: 6" in card
    assert "20 minutes" in card
    sitting = sit(room, activity, pupil)
    sitting.answer_all()
    room.advance(minutes=7)
    assert sitting.submit() == Redirect("")
    (result,) = room.results
    assert (result.progress, result.score_given, result.score_maximum) == (Progress.GRADED, D(6), D(6))
    assert result.finished_at == room.time
    assert result.evidence == {"kind": "test", "summary": "6 / 6", "questions": 6, "right": 6}
    page = visit.html(visit.get())
    assert "6 / 6" in page
    assert "100 %" in page
    assert "on its way to the gradebook" in page


@pytest.mark.parametrize("release", ["submitted", "teacher", "never"])
def test_nothing_answered_is_a_score_of_zero_not_a_missing_one(room: TestRoom, pupil: Member, release: str):
    sitting = sit(room, place(room, release=release), pupil)
    sitting.submit()
    (result,) = room.results
    assert result.score_given == 0
    assert result.score_given is not None
    assert "0 / 6" in sitting.visit.html(sitting.visit.get())


def test_answers_come_back_after_a_reload_in_the_same_form(room: TestRoom, pupil: Member):
    activity = place(room, shuffle="yes")
    first = sit(room, activity, pupil)
    first.answer_all()
    again = look(room.visit(pupil, activity))
    assert [(v.id, [c.words for c in v.choices]) for v in again.views] == [
        (v.id, [c.words for c in v.choices]) for v in first.views
    ]
    assert again.view("Price").typed == "1 822,8"
    assert [c.words for c in again.view("2 + 2").choices if c.chosen] == ["4"]
    assert sorted(c.words for c in again.view("Even numbers").choices if c.chosen) == ["2", "4"]
    chosen = {s.index: s.chosen for s in again.view("Match").stems}
    assert chosen == {str(i): again.place_of("Match", word) for i, word in enumerate(("one", "two", "three"))}
    html = again.visit.html(again.visit.get("sit"))
    assert html.count(" checked") == 4
    assert html.count(" selected") == 3


def test_the_higher_sequence_wins_not_the_later_arrival(room: TestRoom, pupil: Member):
    sitting = sit(room, place(room), pupil)
    assert sitting.send("Price", "5", seq=10).value["saved"] is True
    late = sitting.send("Price", "4", seq=9)
    assert (late.status, late.value["saved"], late.value["state"], late.value["seq"]) == (200, False, "stale", 10)
    assert "another window" in late.value["message"]
    assert look(sitting.visit).view("Price").typed == "5"


def test_the_same_packet_sent_three_times_is_saved_once_and_said_so(room: TestRoom, pupil: Member):
    sitting = sit(room, place(room), pupil)
    assert all(sitting.send("Price", "5", seq=10).value["saved"] for _ in range(3))
    assert look(sitting.visit).view("Price").typed == "5"


def test_an_answer_can_be_taken_back(room: TestRoom, pupil: Member):
    sitting = sit(room, place(room), pupil)
    sitting.answer_all(seq=1)
    sitting.send("Price", "", seq=2)
    sitting.send("Even numbers", [], seq=2)
    sitting.submit()
    assert room.results[0].score_given == 4


def test_the_reply_says_when_it_was_saved_and_that_a_word_is_no_number(room: TestRoom, pupil: Member):
    sitting = sit(room, place(room), pupil)
    reply = sitting.send("Price", "көп", seq=3)
    assert reply.value == {"saved": True, "seq": 3, "at": "09:00", "note": "This is not a number."}
    assert sitting.send("Price", "12", seq=4).value["note"] == ""


GARBAGE = [None, 7, -1, "99", "-1", "٣", {"a": 1}, ["0", "0", "77"], {"9": "0"}, {"0": "99"}, "x" * 1001, True, [[]]]


@pytest.mark.parametrize("value", GARBAGE)
@pytest.mark.parametrize("question", ["2 + 2", "Even numbers", "Zero is even", "Price", "Capital", "Match"])
def test_garbage_is_refused_and_changes_nothing(room: TestRoom, pupil: Member, question: str, value: object):
    sitting = sit(room, place(room), pupil)
    before = [v.was for v in look(sitting.visit).views]
    reply = sitting.send(question, value)
    if reply.status == 200:
        plain_text = question in ("Price", "Capital") and isinstance(value, str) and len(value) <= 1000
        assert plain_text or value is None, reply
    else:
        assert (reply.status, reply.value["saved"]) == (400, False)
        assert [v.was for v in look(sitting.visit).views] == before


@pytest.mark.parametrize(
    "body", [None, [], {}, {"attempt": 5}, {"seq": 0}, {"seq": "1"}, {"seq": True}, {"seq": 2**60}]
)
def test_a_malformed_body_is_refused(room: TestRoom, pupil: Member, body: object):
    sitting = sit(room, place(room), pupil)
    good = {"attempt": sitting.attempt, "question": sitting.views[0].id, "seq": 1, "value": ""}
    sent = good | body if isinstance(body, dict) and body else body
    reply = sitting.visit.post("answer", json=sent)
    assert isinstance(reply, Reply)
    assert reply.status == 400


def test_a_question_of_another_test_is_refused(room: TestRoom, pupil: Member):
    other = sit(room, place(room), pupil).views[0].id
    sitting = sit(room, place(room), pupil)
    body = {"attempt": sitting.attempt, "question": other, "seq": 1, "value": "0"}
    reply = sitting.visit.post("answer", json=body)
    assert isinstance(reply, Reply)
    assert reply.status == 400


def test_another_pupils_attempt_is_never_reachable(room: TestRoom, pupil: Member):
    activity = place(room)
    sitting = sit(room, activity, pupil)
    sitting.answer_all()
    stranger = room.visit(room.person("Бекзат"), activity)
    body = {"attempt": sitting.attempt, "question": sitting.views[0].id, "seq": 99, "value": ""}
    assert stranger.post("answer", json=body) == NotFound()
    assert stranger.post("sit", {"attempt": sitting.attempt, "action": "submit"}) == NotFound()
    assert stranger.get(f"attempt/{sitting.attempt}") == NotFound()
    sitting.submit()
    assert stranger.get(f"attempt/{sitting.attempt}") == NotFound()
    assert [r.account_id for r in room.results] == [pupil.account_id]
    assert room.results[0].score_given == 6


def test_an_attempt_is_reached_through_its_own_activity_only(room: TestRoom, pupil: Member):
    sitting = sit(room, place(room), pupil)
    elsewhere = room.visit(pupil, place(room))
    body = {"attempt": sitting.attempt, "question": sitting.views[0].id, "seq": 99, "value": "0"}
    assert elsewhere.post("answer", json=body) == NotFound()
    assert elsewhere.post("sit", {"attempt": sitting.attempt, "action": "submit"}) == NotFound()
    assert elsewhere.get(f"attempt/{sitting.attempt}") == NotFound()


def test_teachers_do_not_sit_and_pupils_do_not_teach(room: TestRoom, pupil: Member, teacher: Member):
    activity = place(room)
    for path in ("start", "answer", "sit"):
        with pytest.raises(PermissionError):
            room.visit(teacher, activity).post(path)
    for path in ("list", "preview", "pick"):
        with pytest.raises(PermissionError):
            room.visit(pupil, activity).get(path)
    with pytest.raises(PermissionError):
        room.visit(pupil, activity).post("release")


def test_a_second_submit_hands_in_nothing_more(room: TestRoom, pupil: Member):
    sitting = sit(room, place(room), pupil)
    sitting.answer_all()
    sitting.submit()
    before = list(room.results)
    room.advance(minutes=1)
    assert sitting.submit() == Redirect("")
    assert sitting.visit.post("start") == Redirect("")
    assert sitting.visit.get("sit") == Redirect("")
    assert room.results == before


def test_an_answer_after_submitting_is_refused_with_the_reason(room: TestRoom, pupil: Member):
    sitting = sit(room, place(room), pupil)
    sitting.submit()
    reply = sitting.send("Price", "5", seq=50)
    assert (reply.status, reply.value["state"]) == (409, "closed")
    assert reply.value["message"] == "Not saved: the test was submitted already."


def test_what_the_script_had_not_sent_yet_arrives_with_the_submit(room: TestRoom, pupil: Member):
    sitting = sit(room, place(room), pupil)
    sitting.answer_all(seq=5)
    pending = [[sitting.view("Price").id, 9, "1"], [sitting.view("Capital").id, 4, "stale"], ["bad", 1, ""], 7]
    sitting.submit(pending=json.dumps(pending[:2]))
    assert room.results[0].score_given == 5


@pytest.mark.parametrize("pending", ["{", "7", "[[1]]", '[["x",1,2]]', "[" * 5000, '[[null,"a",{}]]'])
def test_broken_pending_answers_do_not_stop_a_submit(room: TestRoom, pupil: Member, pending: str):
    sitting = sit(room, place(room), pupil)
    sitting.answer_all()
    sitting.submit(pending=pending)
    assert room.results[0].score_given == 6


def plain_fields(sitting: object, changes: dict[str, object]) -> dict[str, list[str]]:
    """Fill the form as a browser without scripts would."""
    fields: dict[str, list[str]] = {}
    for view in sitting.views:  # type: ignore[attr-defined]
        fields[f"was-{view.id}"] = [view.was]
        shown = json.loads(view.was)
        value = next((v for text, v in changes.items() if text in str(view.html)), shown)
        if isinstance(value, dict):
            fields |= {f"{view.name}-{stem.index}": [str(value.get(stem.index, ""))] for stem in view.stems}
        elif isinstance(value, list):
            fields[view.name] = value
        else:
            fields[view.name] = [str(value)]
    return fields


def post_plain(sitting: object, action: str, changes: dict[str, object]) -> object:
    from plugins.contract import Request

    form = plain_fields(sitting, changes) | {"attempt": [sitting.attempt], "action": [action]}  # type: ignore[attr-defined]
    return sitting.visit._open(Request("POST", "sit", form=form))  # type: ignore[attr-defined]


def test_the_plain_form_saves_and_submits_without_a_script(room: TestRoom, pupil: Member):
    sitting = sit(room, place(room, shuffle="yes"), pupil)
    pairs = {str(i): sitting.place_of("Match", word) for i, word in enumerate(("one", "two", "three"))}
    both = [sitting.place_of("Even numbers", "4"), sitting.place_of("Even numbers", "2")]
    assert post_plain(sitting, "save", {"Price": "1822,731", "Match": pairs}) == Redirect("sit", {"saved": "1"})
    page = sitting.visit.get("sit", saved="1")
    assert "saved 09:00" in sitting.visit.html(page)
    again = look(sitting.visit)
    assert again.view("Price").typed == "1822,731"
    assert post_plain(again, "submit", {"Even numbers": both, "Zero": "0"}) == Redirect("")
    assert room.results[0].score_given == 4


def test_an_old_window_without_a_script_undoes_nothing(room: TestRoom, pupil: Member):
    old = sit(room, place(room), pupil)
    new = look(old.visit)
    new.answer_all(seq=10)
    post_plain(old, "save", {"Zero": "1"})
    kept = look(old.visit)
    assert kept.view("Price").typed == "1 822,8"
    assert [c.words for c in kept.view("Zero").choices if c.chosen] == ["False"]


def test_starting_again_goes_on_with_the_open_attempt(room: TestRoom, pupil: Member):
    activity = place(room)
    assert sit(room, activity, pupil).attempt == sit(room, activity, pupil).attempt
    visit = room.visit(pupil, activity)
    assert "Go on" in visit.html(visit.get())


def test_of_several_attempts_the_best_counts_and_a_worse_one_sends_nothing(room: TestRoom, pupil: Member):
    activity = place(room, attempts="3")
    first = sit(room, activity, pupil)
    first.answer_all()
    first.send("Price", "0", seq=2)
    first.submit()
    assert room.results[0].score_given == 5
    first_sent = list(room.results)
    room.advance(minutes=1)
    second = sit(room, activity, pupil)
    assert second.attempt != first.attempt
    second.submit()
    assert room.results == first_sent
    third = sit(room, activity, pupil)
    third.answer_all()
    third.submit()
    assert [r.score_given for r in room.results] == [D(6)]
    assert third.visit.post("start") == Redirect("")
    page = third.visit.get()
    assert isinstance(page, Page)
    assert page.values["best"].id == third.attempt


def test_pages_of_a_test_that_is_not_in_this_school_say_so(room: TestRoom, pupil: Member, teacher: Member):
    for settings in ({}, {"test": "0" * 32}, dict(place(room).settings) | {"test": "f" * 32}):
        activity = room.place("Gone", settings, D(5))
        for person in (pupil, teacher):
            visit = room.visit(person, activity)
            page = visit.get()
            assert isinstance(page, Page)
            assert page.status == 404
            assert "not here" in visit.html(page)
        assert room.visit(pupil, activity).post("start").status == 404  # type: ignore[union-attr]
        assert room.visit(pupil, activity).get("sit").status == 404  # type: ignore[union-attr]


def test_two_pupils_get_different_orders_and_each_keeps_their_own(room: TestRoom):
    text = "\n\n".join(f"Q{i}? {{=a{i} ~b{i} ~c{i} ~d{i}}}" for i in range(8))
    activity = place(room, text, shuffle="yes")
    forms = set()
    for index in range(4):
        sitting = sit(room, activity, room.person(f"P{index}"))
        forms.add(json.dumps([(v.id, [c.words for c in v.choices]) for v in sitting.views]))
    assert len(forms) == 4


def test_without_shuffling_the_files_order_is_kept_but_pairs_are_mixed(room: TestRoom):
    pairs = " ".join(f"={i} -> right{i}" for i in range(8))
    activity = place(room, f"A? {{=a ~b ~c}}\n\nB? {{T}}\n\nC? {{{pairs}}}")
    orders = set()
    for index in range(3):
        sitting = sit(room, activity, room.person(f"P{index}"))
        assert [str(v.html) for v in sitting.views] == ["A?", "B?", "C?"]
        assert [c.words for c in sitting.views[0].choices] == ["a", "b", "c"]
        orders.add(tuple(c.words for c in sitting.views[2].choices))
    assert len(orders) > 1


def test_a_form_survives_its_json():
    from plugins.online_test.form import Form, Item, form_from_json

    form = Form((Item("a", (2, 0, 1)), Item("b")))
    assert form_from_json(json.loads(json.dumps(form_to_json(form)))) == form
