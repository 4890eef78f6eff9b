from __future__ import annotations

from datetime import date
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.model import Lesson, LineItem, Person, Role
from sync.reconcile.match import (
    MATCH_REASONS,
    IdentityRow,
    Link,
    MatchResult,
    Pair,
    match_people,
)
from sync.reconcile.match_items import Place, match_items, place_item
from sync.twins.sample_school import pupils


def person(id: str, name: str = "", *, born: date | None = None, role: Role = Role.PUPIL, **identifiers: str) -> Person:
    family, given, *rest = [*name.split(), "", ""][:3] if name else ("", "", "")
    return Person(id, family, given, rest[0] if rest else "", name, role, born, identifiers)


def pairs(found: tuple[Pair, ...]) -> list[tuple[str, str, str]]:
    return [tuple(pair) for pair in found]


BORN, LATER = date(2013, 2, 8), date(2013, 3, 1)


def test_a_link_holds_whatever_the_names_say():
    found = match_people([person("l1", "Ахметов Али")], [person("r1", "Другой Человек")], [Link("l1", "r1")])
    assert pairs(found.linked) == [("l1", "r1", "linked_id")]
    assert not found.left_only
    assert not found.right_only


def test_the_identity_file_joins_by_number_and_by_keyed_iin():
    left = [person("l1", idnumber="20260001"), person("l2", iin_hmac="abc")]
    rows = [IdentityRow("idnumber", "20260001", "r1"), IdentityRow("iin_hmac", "abc", "r2")]
    found = match_people(left, [person("r1"), person("r2")], identity=rows)
    assert pairs(found.linked) == [("l1", "r1", "idnumber"), ("l2", "r2", "iin_hmac")]


def test_an_iin_both_systems_give_joins_without_a_file():
    found = match_people([person("l1", iin_hmac="abc")], [person("r1", iin_hmac="abc")])
    assert pairs(found.linked) == [("l1", "r1", "iin_hmac")]


def test_an_empty_identifier_joins_nobody():
    found = match_people(
        [person("l1", iin_hmac="")], [person("r1", iin_hmac="")], identity=[IdentityRow("x", "", "r1")]
    )
    assert not found.linked


@pytest.mark.parametrize(
    ("links", "rows"),
    [
        ([Link("l1", "r1"), Link("l1", "r2")], []),
        ([Link("l1", "r1"), Link("l2", "r1")], []),
        ([Link("l1", "r1")], [IdentityRow("idnumber", "1", "r2")]),
        ([Link("l2", "r2")], [IdentityRow("idnumber", "1", "r2")]),
        ([], [IdentityRow("idnumber", "1", "r1"), IdentityRow("idnumber", "1", "r2")]),
        ([Link("l1", "elsewhere")], [IdentityRow("idnumber", "1", "r1")]),
    ],
)
def test_links_that_contradict_each_other_carry_nothing(links, rows):
    left = [person("l1", "Ахметов Али", idnumber="1"), person("l2", "Серік Дана")]
    right = [person("r1", "Ахметов Али"), person("r2", "Серік Дана")]
    found = match_people(left, right, links, rows)
    assert "l1" in {apart.id for apart in found.conflicts}
    assert "l1" not in {pair.left for pair in (*found.linked, *found.proposed)}


def test_one_iin_on_two_accounts_is_a_conflict_for_both():
    left = [person("l1", iin_hmac="abc"), person("l2", iin_hmac="abc")]
    found = match_people(left, [person("r1", iin_hmac="abc")])
    assert [apart.id for apart in found.conflicts] == ["l1", "l2"]
    assert [(apart.id, apart.reason) for apart in found.right_only] == [("r1", "contradicting_links")]


def test_a_counterpart_in_another_class_is_not_replaced_by_a_namesake():
    found = match_people([person("l1", "Ахметов Али")], [person("r1", "Ахметов Али")], [Link("l1", "r9")])
    assert not found.proposed
    assert [(apart.id, apart.reason) for apart in found.left_only] == [("l1", "counterpart_not_here")]


def test_a_name_proposes_and_never_links():
    found = match_people([person("l1", "Ахметов Али")], [person("r1", "ахметов  АЛИ")])
    assert not found.linked
    assert pairs(found.proposed) == [("l1", "r1", "name+class")]


@pytest.mark.parametrize(
    ("mine", "theirs", "rule"),
    [
        ("Өтеген Расул Еркінұлы", "Отеген Расул Еркинулы", "folded_name+class"),
        ("Расул Өтеген", "Өтеген Расул", "name+class"),
        ("Өтеген Расул", "Өтеген Расул Еркінұлы", "short_name+class"),
        ("Өтеген Расул", "Отеген Расул Еркинулы", "short_folded_name+class"),
    ],
)
def test_spelling_order_and_patronymic_still_propose(mine, theirs, rule):
    found = match_people([person("l1", mine)], [person("r1", theirs)])
    assert pairs(found.proposed) == [("l1", "r1", rule)]


def test_birth_dates_strengthen_a_proposal_and_forbid_it_when_they_differ():
    mine = person("l1", "Ахметов Али", born=BORN)
    assert match_people([mine], [person("r1", "Ахметов Али", born=BORN)]).proposed[0].rule == "name+class+birth"
    apart = match_people([mine], [person("r1", "Ахметов Али", born=LATER)])
    assert not apart.proposed
    assert apart.left_only[0].reason == "no_candidate"


def test_namesakes_wait_with_their_candidates():
    left = [person("l1", "Ахметов Али"), person("l2", "Ахметов Али")]
    right = [person("r1", "Ахметов Али"), person("r2", "Ахметов Али")]
    found = match_people(left, right)
    assert not found.proposed
    assert [tuple(apart) for apart in found.ambiguous] == [
        ("l1", "namesakes", ("r1", "r2")),
        ("l2", "namesakes", ("r1", "r2")),
    ]


def test_one_pupil_with_two_namesakes_opposite_waits_too():
    found = match_people([person("l1", "Ахметов Али")], [person("r1", "Ахметов Али"), person("r2", "Ахметов Али")])
    assert not found.proposed
    assert found.ambiguous[0].candidates == ("r1", "r2")


@pytest.mark.parametrize("lefts", [("Серікбай Алихан",), ("Серікбай Алихан", "Серікбай Алихан")])
def test_spelling_in_one_system_does_not_choose_between_namesakes(lefts):
    left = [person(f"l{number}", name) for number, name in enumerate(lefts, 1)]
    right = [person("r1", "Серікбай Алихан Нұрланұлы"), person("r2", "Серикбай Алихан Нурланулы")]
    found = match_people(left, right)
    assert not found.proposed
    assert [apart.candidates for apart in found.ambiguous] == [("r1", "r2")] * len(lefts)


@pytest.mark.parametrize("rights", [("Ахметов Али", "Ахметов Али Ерланұлы"), ("Ахметов Али Ерланұлы", "Ахметов Али")])
def test_a_name_without_patronymic_does_not_choose_between_namesakes(rights):
    right = [person(f"r{number}", name) for number, name in enumerate(rights, 1)]
    found = match_people([person("l1", "Ахметов Али")], right)
    assert not found.proposed
    assert [apart.candidates for apart in found.ambiguous] == [("r1", "r2")]


def test_full_names_on_both_sides_tell_namesakes_apart():
    left = [person("l1", "Ахметов Али"), person("l2", "Ахметов Әли Ерланұлы")]
    right = [person("r1", "Ахметов Али"), person("r2", "Ахметов Али Ерланулы")]
    found = match_people(left, right)
    assert sorted(pairs(found.proposed)) == [("l1", "r1", "name+class"), ("l2", "r2", "folded_name+class")]


def test_birth_dates_tell_namesakes_apart():
    left = [person("l1", "Ахметов Али", born=BORN), person("l2", "Ахметов Али", born=LATER)]
    right = [person("r2", "Ахметов Али", born=LATER), person("r1", "Ахметов Али", born=BORN)]
    assert pairs(match_people(left, right).proposed) == [
        ("l1", "r1", "name+class+birth"),
        ("l2", "r2", "name+class+birth"),
    ]


def test_names_that_meet_only_in_folding_are_not_chosen_between():
    left = [person("l1", "Оспанова Алия")]
    right = [person("r1", "Оспанова Әлия"), person("r2", "Оспанова Алія")]
    found = match_people(left, right)
    assert not found.proposed
    assert [tuple(apart) for apart in found.ambiguous] == [("l1", "namesakes", ("r1", "r2"))]


def test_a_teacher_is_not_proposed_for_a_pupil():
    found = match_people([person("l1", "Ахметов Али", role=Role.TEACHER)], [person("r1", "Ахметов Али")])
    assert not found.proposed


@pytest.mark.parametrize(("name", "reason"), [("", "no_name"), ("?теген Расул", "damaged_name")])
def test_a_missing_or_damaged_name_proposes_nobody(name, reason):
    found = match_people([person("l1", name)], [person("r1", name)])
    assert not found.proposed
    assert found.left_only[0].reason == found.right_only[0].reason == reason


def test_the_sample_class_is_proposed_but_for_its_namesakes():
    left = [Person(f"l{p.number}", p.family, p.given) for p in pupils()]
    right = [Person(f"r{p.number}", *p.journal_name) for p in pupils()]
    found = match_people(left, right)
    assert len(found.proposed) == 28
    assert all(pair.left[1:] == pair.right[1:] for pair in found.proposed)
    assert sorted(apart.id for apart in found.ambiguous) == ["l23", "l24"]


names = st.sampled_from(["", "Ахметов Али", "Ахметов Әли", "Серік Дана", "Серік Дана Ержанқызы"])
people = st.lists(st.tuples(names, st.sampled_from([None, BORN, LATER]), st.sampled_from(["", "1", "2"])), max_size=5)


@given(people, people, st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=4))
def test_everybody_is_somewhere_once_and_a_name_never_links(lefts, rights, linked):
    left = [person(f"l{n}", name, born=born, iin_hmac=iin) for n, (name, born, iin) in enumerate(lefts)]
    right = [person(f"r{n}", name, born=born, iin_hmac=iin) for n, (name, born, iin) in enumerate(rights)]
    links = [Link(f"l{a}", f"r{b}") for a, b in linked]
    found = match_people(left, right, links)
    mine = [p.left for p in (*found.linked, *found.proposed)]
    mine += [a.id for a in (*found.ambiguous, *found.left_only, *found.conflicts)]
    assert sorted(mine) == sorted(p.id for p in left)
    theirs = [p.right for p in (*found.linked, *found.proposed)] + [a.id for a in found.right_only]
    assert sorted(theirs) == sorted(p.id for p in right)
    assert {p.rule for p in found.linked} <= {"linked_id", "iin_hmac"}
    used = {p.rule for p in (*found.linked, *found.proposed)} | {a.reason for a in _apart(found)}
    assert used <= MATCH_REASONS


def _apart(found: MatchResult):
    return (*found.ambiguous, *found.left_only, *found.right_only, *found.conflicts)


def test_the_order_of_a_roster_changes_nothing():
    left = [person("l1", "Ахметов Али"), person("l2", "Серік Дана"), person("l3", "Отеген Расул")]
    right = [person("r1", "Ахметов Али"), person("r2", "Серік Дана"), person("r3", "Өтеген Расул")]
    results = {
        frozenset(match_people(list(a), list(b)).proposed) for a in permutations(left) for b in permutations(right)
    }
    assert len(results) == 1


# columns and places

DUE = date(2026, 11, 12)


def item(id: str, title: str = "Quiz 1", *, due: date | None = DUE, tag: str = "", resource: str = "") -> LineItem:
    return LineItem(id, title, due=due, tag=tag, resource_id=resource)


def lesson(id: str, day: date, number: int = 1) -> Lesson:
    return Lesson(id, "7A", "algebra", day, number)


@pytest.mark.parametrize(
    ("mine", "theirs", "rule"),
    [
        (item("l", resource="a1"), item("r", "Other", due=None, resource="a1"), "tag:resource_id"),
        (item("l", tag="t1"), item("r", "Other", due=None, tag="t1"), "tag"),
        (item("l", "Quiz  1"), item("r", "quiz 1"), "title+date"),
    ],
)
def test_a_column_is_found_by_resource_tag_or_title_and_date(mine, theirs, rule):
    assert pairs(match_items([mine], [theirs]).linked) == [("l", "r", rule)]


@pytest.mark.parametrize("theirs", [item("r", due=date(2026, 11, 13)), item("r", due=None), item("r", "Quiz 2")])
def test_a_title_alone_or_a_date_alone_finds_nothing(theirs):
    assert not match_items([item("l")], [theirs]).linked


def test_a_tag_shared_by_two_columns_tells_nothing():
    left = [item("l1", "A", tag="grade"), item("l2", "B", tag="grade")]
    right = [item("r1", "A", tag="grade"), item("r2", "B", tag="grade")]
    assert pairs(match_items(left, right).linked) == [("l1", "r1", "title+date"), ("l2", "r2", "title+date")]


def test_two_columns_of_one_title_and_date_are_ambiguous():
    found = match_items([item("l1")], [item("r1"), item("r2")])
    assert found.ambiguous[0].candidates == ("r1", "r2")


def test_only_the_rules_of_the_mapping_are_used():
    assert not match_items([item("l")], [item("r")], find=("linked", "tag")).linked


def test_a_work_that_is_there_is_used():
    placed = place_item(item("l"), [lesson("s1", DUE)], [item("w1")], Place.LESSON_ON_DUE_DATE)
    assert (placed.work, placed.lesson, placed.hold) == ("w1", "", "")


@pytest.mark.parametrize(
    ("rule", "due", "days", "expected"),
    [
        (Place.LESSON_ON_DUE_DATE, DUE, [(DUE, 2)], ("s0", "")),
        (Place.LESSON_ON_DUE_DATE, DUE, [(date(2026, 11, 13), 2)], ("", "no_lesson")),
        (Place.LESSON_ON_DUE_DATE, DUE, [(DUE, 2), (DUE, 3)], ("", "several_lessons")),
        (Place.LESSON_ON_DUE_DATE, None, [(DUE, 2)], ("", "no_due_date")),
        (Place.NEXT_LESSON, DUE, [(date(2026, 11, 20), 1), (date(2026, 11, 13), 2)], ("s1", "")),
        (Place.NEXT_LESSON, DUE, [(DUE, 3), (DUE, 2)], ("s1", "")),
        (Place.NEXT_LESSON, DUE, [(date(2026, 11, 11), 1)], ("", "no_lesson")),
        (Place.NEXT_LESSON, DUE, [(DUE, 2), (DUE, 2)], ("", "several_lessons")),
        (Place.NEXT_LESSON, None, [(DUE, 2)], ("", "no_due_date")),
        (Place.ASK, DUE, [(DUE, 2)], ("", "ask_place")),
    ],
)
def test_no_certain_place_is_a_hold_and_never_a_guess(rule, due, days, expected):
    lessons = [lesson(f"s{n}", day, number) for n, (day, number) in enumerate(days)]
    placed = place_item(item("l", due=due), lessons, [], rule)
    assert (placed.lesson, placed.hold) == expected
    assert placed.work == ""
    assert not placed.hold or placed.hold in MATCH_REASONS


@pytest.mark.parametrize(
    ("works", "links", "hold"),
    [
        ([item("w1"), item("w2")], [], "several_works"),
        ([item("w1"), item("w2")], [Link("l", "w1"), Link("l", "w2")], "contradicting_links"),
        ([], [Link("l", "w9")], "counterpart_not_here"),
    ],
)
def test_a_doubtful_work_is_a_hold(works, links, hold):
    assert place_item(item("l"), [lesson("s1", DUE)], works, Place.LESSON_ON_DUE_DATE, links).hold == hold
