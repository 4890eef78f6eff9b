"""Columns laid beside each other give the very plan that three sorted streams give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.base.errors import Fatal
from sync.reconcile.plan import Beside, Planner
from sync.reconcile.types import Base, Cell, CellKey, CellKind, PlanHeader, Removal
from tests.reconcile.kit import SAME, SCOPE, both_ways, covered, rules_for

HEADER = PlanHeader.of("school", "pair", [SCOPE])
PEOPLE = ("a", "b", "ә", "я|1")
ITEMS = ("i1", "i2", "i%")
Held = Mapping[tuple[str, str], str]
Agreed = Mapping[tuple[str, str], tuple[str | None, str | None, str]]


def key(cell: tuple[str, str]) -> str:
    return CellKey(CellKind.GRADE, "7A", *cell).text


def streamed(left: Held, right: Held, base: Agreed) -> Planner:
    planner = Planner(HEADER, rules_for(both_ways(removal=Removal.CLEAR), SAME), covered())
    sides = [sorted(Cell(key(cell), raw) for cell, raw in side.items()) for side in (left, right)]
    agreed = sorted(Base(key(cell), *values) for cell, values in base.items())
    list(planner.changes(*sides, agreed))
    return planner


def beside(left: Held, right: Held, base: Agreed) -> Iterator[Beside]:
    def rows(side: Held) -> dict[str, tuple[str, str, str, int, None]]:
        return {key(cell): ("", "", raw, 0, None) for cell, raw in side.items()}

    def objects(where: str, mine: tuple[str, ...], theirs: tuple[str, ...], agreed: tuple[str, ...]):  # type: ignore[no-untyped-def]
        found = [Cell(where, row[2]) if row is not None else None for row in (mine, theirs)]
        return (*found, Base(*agreed) if agreed is not None else None)

    lefts, rights = rows(left), rows(right)
    bases = {key(cell): (key(cell), *values) for cell, values in base.items()}
    addresses = [CellKey(CellKind.GRADE, "7A", item, "") for item in ITEMS]
    for address in sorted(addresses, key=lambda one: one.text):
        keys = sorted(key((address.item, person)) for person in PEOPLE)
        sides = (map(lefts.get, keys), map(rights.get, keys), map(bases.get, keys))
        yield Beside(address, address.text, keys, *sides, objects)


CELLS = st.tuples(st.sampled_from(ITEMS), st.sampled_from(PEOPLE))
MARKS = st.sampled_from(["1", "2"])
SIDES = st.dictionaries(CELLS, MARKS)
BASES = st.dictionaries(
    CELLS, st.tuples(st.none() | MARKS, st.none() | MARKS, st.sampled_from([SAME.version, "another version"]))
)


@settings(max_examples=150)
@given(SIDES, SIDES, BASES)
def test_columns_beside_each_other_make_the_plan_of_three_streams(left: Held, right: Held, base: Agreed) -> None:
    wanted = streamed(left, right, base)
    planner = Planner(HEADER, rules_for(both_ways(removal=Removal.CLEAR), SAME), covered())
    changes = list(planner.compare(beside(left, right, base)))
    assert planner.plan_hash == wanted.plan_hash
    assert planner.summary == wanted.summary
    assert [change.key for change in changes] == sorted(change.key for change in changes)


@pytest.mark.parametrize("order", [(1, 0), (0, 0)])
def test_columns_out_of_order_or_doubled_make_no_plan(order: tuple[int, ...]) -> None:
    columns = list(beside({}, {}, {}))
    planner = Planner(HEADER, rules_for(both_ways(), SAME), covered())
    with pytest.raises(Fatal) as raised:
        list(planner.compare([columns[place] for place in order]))
    assert raised.value.reason == "unsorted_input"


def test_one_cell_is_found_with_what_stands_beside_it() -> None:
    cell = ("i1", "b")
    column = next(one for one in beside({cell: "1"}, {}, {cell: ("2", None, "v")}) if one.address.item == "i1")
    assert column.find(key(cell)) == (Cell(key(cell), "1"), None, Base(key(cell), "2", None, "v"))
