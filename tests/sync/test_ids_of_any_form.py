"""Ids are the systems' own business: whatever stands in them, each mark is found under its own."""

from __future__ import annotations

from dataclasses import replace
from json.encoder import encode_basestring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.db.database import Database
from sync.model import Result
from sync.store.cells import record_key
from tests.properties.field import BOTH_WAYS
from tests.sync.kit import joined

IDS = ['https://lms/7?a="b"&c=\\d', "ә|b%7C,]", "x\ny\t☃"]


@pytest.mark.parametrize("item", IDS)
def test_marks_of_a_work_with_a_strange_id_are_carried(sqlite_database: Database, item: str) -> None:
    made = joined(sqlite_database, mapping=BOTH_WAYS)
    made.left.items = [replace(made.left.items[0], id=item)]
    made.left.marks = {(item, "u1"): "8", (item, "u2"): "5"}
    found = made.plan()
    assert sorted(str(row.change.after) for row in made.changes(found) if row.kind == "grade") == ["5", "8"]
    made.approve(found)
    made.apply(found)
    assert made.plan().pending == 0


@given(st.text(), st.text())
def test_a_mark_s_key_is_made_of_its_two_ids_as_a_plan_makes_it(item: str, person: str) -> None:
    try:
        (item + person).encode()
    except UnicodeEncodeError:
        return
    assert record_key(Result(item, person, "1")) == f"[{encode_basestring(item)},{encode_basestring(person)}]"
