from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.base.errors import Fatal
from sync.reconcile.decide import decide
from sync.reconcile.plan import Planner, explain, hash_changes
from sync.reconcile.types import (
    Action,
    Base,
    BaseState,
    Cell,
    CellKey,
    CellKind,
    CellState,
    Change,
    Coverage,
    First,
    Operation,
    PlanHeader,
    Removal,
    Rules,
    SideRules,
    State,
    canonical_json,
)
from sync.systems.contract import Evidence
from tests.reconcile.kit import SAME, SCOPE, SameScale, bases, both_ways, cell, cells, covered, rules_for

CLEARS = both_ways(removal=Removal.CLEAR)
HEADER = PlanHeader.of("school", "pair", [SCOPE], {"mapping": "m1", "identity": "i1"})


def plan(left, right, base, *, policy=CLEARS, coverage=None, header=HEADER, translate=SAME, canaries=frozenset()):
    planner = Planner(header, rules_for(policy, translate), coverage or covered(), canaries)
    return planner, list(planner.changes(left, right, base))


def key(person: str, item: str = "quiz", group: str = "7A", kind: CellKind = CellKind.GRADE) -> str:
    return CellKey(kind, group, item, person).text


def test_a_plan_holds_what_differs_and_counts_what_does_not():
    planner, changes = plan(
        cells({"a": "5", "b": "7", "c": "8"}),
        cells({"a": "5", "b": "5", "d": "9"}),
        bases({"a": ("5", "5"), "b": ("5", "5"), "c": ("8", "8")}),
    )
    assert [(CellKey.parse(c.key).person, c.action) for c in changes] == [
        ("b", Action.WRITE_RIGHT),
        ("c", Action.CLEAR_LEFT),
        ("d", Action.CREATE_LEFT),
    ]
    counts = planner.summary.kind(CellKind.GRADE)
    assert (counts.known, counts.same) == (3, 1)
    assert counts.operations == {Operation.UPDATE: 1, Operation.CLEAR: 1, Operation.CREATE: 1}
    assert (planner.summary.same, planner.summary.to_send, planner.summary.needs_person) == (1, 3, 0)
    assert planner.summary.to_dict()["grade"]["operation_update"] == 1


def test_a_change_shows_before_after_base_and_the_rule():
    _, (change,) = plan(cells({"b": "7"}), cells({"b": "5"}), bases({"b": ("5", "5")}))
    assert (change.before, change.after, change.other) == ("5", "7", "7")
    assert (change.base_left, change.base_right, change.rule, change.state) == ("5", "5", "left_changed", State.READY)


def test_a_conflict_is_counted_as_needing_a_person_and_not_as_to_send():
    planner, (change,) = plan(cells({"b": "7"}), cells({"b": "8"}), [])
    assert (change.state, change.after) == (State.CONFLICT, None)
    assert (planner.summary.to_send, planner.summary.needs_person) == (0, 1)


@pytest.mark.parametrize("evidence", [e for e in Evidence if e is not Evidence.COMPLETE])
def test_a_read_that_is_not_complete_never_deletes(evidence):
    _, changes = plan([], cells({"a": "5"}), bases({"a": ("5", "5")}), coverage=covered(left=evidence))
    assert [c.action for c in changes] == [Action.NOT_COMPARED]


def test_a_scope_nobody_read_is_not_compared():
    _, changes = plan([], cells({"a": "5"}), bases({"a": ("5", "5")}), coverage=Coverage({}, {}))
    assert [(c.action, c.reason) for c in changes] == [(Action.NOT_COMPARED, "read_unknown")]


def test_what_a_partial_read_did_give_is_still_compared():
    _, changes = plan(
        cells({"a": "7"}), cells({"a": "5"}), bases({"a": ("5", "5")}), coverage=covered(left=Evidence.PARTIAL)
    )
    assert [c.action for c in changes] == [Action.WRITE_RIGHT]


def test_what_a_suspicious_read_gave_is_not_believed():
    _, changes = plan(
        cells({"a": "7"}), cells({"a": "5"}), bases({"a": ("5", "5")}), coverage=covered(left=Evidence.SUSPICIOUS)
    )
    assert [c.action for c in changes] == [Action.NOT_COMPARED]


@pytest.mark.parametrize("side", [0, 1, 2])
@pytest.mark.parametrize("order", [("b", "a"), ("a", "a")])
def test_a_key_out_of_order_or_doubled_stops_the_plan(side, order):
    rows: list[list] = [[], [], []]
    rows[side] = [(key(p), "5", "5", "v1", "ok") if side == 2 else Cell(key(p), "5") for p in order]
    with pytest.raises(Fatal) as caught:
        plan(*rows)
    assert caught.value.reason == "unsorted_input"


def test_a_doubled_key_among_unchanged_cells_stops_the_plan_too():
    same = cells({"a": "5", "b": "5"})
    with pytest.raises(Fatal):
        plan([same[0], same[0], same[1]], same, bases({"a": ("5", "5"), "b": ("5", "5")}))


def test_plain_tuples_from_a_database_serve_as_cells():
    _, changes = plan([(key("a"), "7", "present")], [(key("a"), "5", "present")], [(key("a"), "5", "5", "v1", "ok")])
    assert [c.action for c in changes] == [Action.WRITE_RIGHT]


def test_a_corrupt_base_row_from_a_database_is_seen():
    _, changes = plan([], cells({"a": "5"}), [(key("a"), "5", "5", "v1", "corrupt")])
    assert [(c.action, c.held_by, c.has_base) for c in changes] == [(Action.CREATE_LEFT, "base_corrupt", False)]


def test_a_changed_mapping_is_never_skipped_as_unchanged():
    _, changes = plan(cells({"a": "5"}), cells({"a": "5"}), bases({"a": ("5", "5")}), translate=SameScale("v2"))
    assert [(c.rule, c.state) for c in changes] == [("mapping_same", State.SILENT)]


def test_the_initial_policy_counts_in_the_first_plan_only():
    policy = both_ways(first=First.LEFT)
    first = PlanHeader.of("school", "pair", [SCOPE], first=True)
    _, (change,) = plan(cells({"a": "7"}), cells({"a": "5"}), [], policy=policy, header=first)
    assert change.action is Action.WRITE_RIGHT
    _, (later,) = plan(cells({"a": "7"}), cells({"a": "5"}), [], policy=policy)
    assert later.action is Action.CONFLICT


def test_rules_are_asked_once_per_column():
    asked: list[CellKey] = []

    def rules(address: CellKey) -> Rules:
        asked.append(address)
        return Rules(CLEARS, SAME)

    rows = [Cell(key(p, item), "5") for item in ("q1", "q2") for p in ("a", "b", "c")]
    list(Planner(HEADER, rules, covered()).changes(rows, [], []))
    assert [address.item for address in asked] == ["q1", "q2"]


def test_columns_follow_their_own_rules():
    def rules(address: CellKey) -> Rules:
        return Rules(both_ways(right=SideRules(closed=address.item == "q1")), SAME)

    rows = [Cell(key("a", item), "5") for item in ("q1", "q2")]
    changes = list(Planner(HEADER, rules, covered()).changes(rows, [], []))
    assert [c.rule for c in changes] == ["closed_period", "only_one_side"]


def test_the_hash_is_known_at_the_end_only():
    planner = Planner(HEADER, rules_for(CLEARS), covered())
    stream = planner.changes(cells({"a": "5", "b": "5"}), [], [])
    next(stream)
    with pytest.raises(RuntimeError):
        _ = planner.plan_hash
    list(stream)
    assert len(planner.plan_hash) == 64


def test_the_hash_stands_for_rows_and_inputs():
    planner, changes = plan(cells({"a": "5"}), [], [])
    assert hash_changes(HEADER, changes) == planner.plan_hash
    assert hash_changes(PlanHeader.of("school", "pair", [SCOPE], {"mapping": "m2"}), changes) != planner.plan_hash
    edited, _ = plan(cells({"a": "6"}), [], [])
    assert edited.plan_hash != planner.plan_hash


def test_an_empty_plan_of_other_inputs_has_another_hash():
    other = PlanHeader.of("school2", "pair", [SCOPE])
    assert plan([], [], [])[0].plan_hash != plan([], [], [], header=other)[0].plan_hash


def test_a_change_survives_json():
    _, (change,) = plan(cells({"a": "жақсы | 5%"}), [], [])
    assert change.settles is not None
    assert Change.from_dict(json.loads(canonical_json(change.to_dict()))) == change


def test_a_canary_that_moved_is_named():
    canary = key("canary")
    agreed = bases({"canary": ("5", "5")})
    intact, _ = plan(cells({"canary": "5"}), cells({"canary": "5"}), agreed, canaries=frozenset({canary}))
    assert intact.summary.broken_canaries == []
    for left, right in (({}, {"canary": "5"}), ({"canary": "6"}, {"canary": "5"}), ({}, {})):
        broken, _ = plan(cells(left), cells(right), agreed, canaries=frozenset({canary}))
        assert broken.summary.broken_canaries == [canary]


def test_explain_says_what_the_plan_would_do():
    address = CellKey.parse(key("a"))
    found = (cell("7", key("a")), None, Base(key("a"), "5", "5", "v1"))
    told = explain(address, found, rules_for(both_ways()), covered(right=Evidence.PARTIAL))
    assert (told.decision.rule, told.decision.reason, told.right.state) == (
        "unknown",
        "read_partial",
        CellState.UNKNOWN,
    )


text = st.text(st.characters(exclude_categories=("Cs",)), max_size=6)


@given(st.sampled_from(CellKind), text, text, text)
def test_a_key_survives_its_text_whatever_its_ids(kind, group, item, person):
    address = CellKey(kind, group, item, person)
    assert CellKey.parse(address.text) == address
    assert address.text.startswith(address.scope + "|")
    assert address.text.isprintable() or not any(ord(c) < 32 for c in address.text)


@given(st.lists(st.tuples(text, text), max_size=12))
def test_keys_sort_alike_in_python_and_in_a_database(parts):
    keys = [CellKey(CellKind.GRADE, "g", *pair).text for pair in parts]
    assert sorted(keys) == sorted(keys, key=lambda k: k.encode())


raw = st.sampled_from([None, "1", "2", "3"])
base_row = st.one_of(st.none(), st.tuples(raw, raw, st.sampled_from(["v1", "v0"]), st.sampled_from(list(BaseState))))
address = st.tuples(st.sampled_from(["7A", "7A!", "7B"]), st.sampled_from(["q", "q!", "q|"]), st.sampled_from("abc"))


def _inputs(world):
    lefts, rights, agreed = [], [], []
    for group, item, person in sorted(world, key=lambda a: key(a[2], a[1], a[0])):
        left, right, row = world[group, item, person]
        name = key(person, item, group)
        lefts += [] if left is None else [Cell(name, left)]
        rights += [] if right is None else [Cell(name, right)]
        agreed += [] if row is None else [Base(name, *row)]
    return lefts, rights, agreed


@given(st.dictionaries(address, st.tuples(raw, raw, base_row), max_size=12), st.randoms(use_true_random=False))
def test_the_stream_decides_each_cell_as_decide_does_and_is_byte_identical(world, dice: random.Random):
    coverage = covered("grade|7A", "grade|7A!", "grade|7B")
    lefts, rights, agreed = _inputs(world)
    planner, changes = plan(lefts, rights, agreed, coverage=coverage)
    expected = {}
    for (group, item, person), (left, right, row) in world.items():
        name = key(person, item, group)
        decision = decide(cell(left, name), cell(right, name), None if row is None else Base(name, *row), CLEARS, SAME)
        if decision.action is not Action.NONE:
            expected[name] = (decision.action, decision.rule, decision.after)
    assert {c.key: (c.action, c.rule, c.after) for c in changes} == expected
    assert [c.key for c in changes] == sorted(expected)
    shuffled = list(world.items())
    dice.shuffle(shuffled)
    again, rows = plan(*_inputs(dict(shuffled)), coverage=coverage)
    assert [c.canonical() for c in rows] == [c.canonical() for c in changes]
    assert again.plan_hash == planner.plan_hash
    assert planner.summary.same + len(changes) == sum(1 for v in world.values() if v != (None, None, None))


def test_memory_does_not_grow_with_the_number_of_cells():
    def rows(n: int, build) -> Iterator:
        for item in range(n // 20):
            for person in range(20):
                yield build(f"grade|7A|{item:06d}|{person:02d}")

    def peak(n: int) -> int:
        planner = Planner(HEADER, rules_for(CLEARS), covered())
        tracemalloc.start()
        for _ in planner.changes(
            rows(n, lambda k: (k, "5", "present")),
            rows(n, lambda k: (k, "6" if k.endswith("07") else "5", "present")),
            rows(n, lambda k: (k, "5", "5", "v1", "ok")),
        ):
            pass
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(200)
    assert peak(20_000) < peak(2_000) + 50_000
