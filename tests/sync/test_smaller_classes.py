"""A class that was really halved: doubted by every read until a person accepts its new size."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from joserfc.jwk import RSAKey

from connector.base.errors import Fatal
from connector.db.database import Database
from sync.runs import accepting
from sync.store import audit, plans
from sync.twins.kundelik import Journal
from sync.twins.sample_school import pupils
from tests.sync.test_over_twins import apply, class_test, join, plan
from tests.sync.twins import Twins, twins
from tests.twins.moodle_kit import new_key


@pytest.fixture(scope="module")
def key() -> RSAKey:
    return new_key()


@pytest.fixture
def both(sqlite_database: Database, tmp_path: Path, key: RSAKey) -> Iterator[Twins]:
    with twins(sqlite_database, tmp_path, key) as made:
        yield made


def move_half_away(journal: Journal) -> None:
    """Take sixteen pupils off the class list, as a school that splits a class does."""
    with closing(sqlite3.connect(journal.store_path)) as db, db:
        db.execute("DELETE FROM person WHERE number > 14")


def doubted(both: Twins) -> list[accepting.Doubted]:
    return accepting.doubted(both.runtime, both.school, both.connection)


def missed(both: Twins, made: plans.StoredPlan) -> set[tuple[str, str, str]]:
    with both.runtime.reading(both.school) as db:
        run = plans.get_run(db, both.school, made.run)
    return {(one["side"], one["kind"], one["reason"]) for one in run.not_compared}


def test_a_class_that_was_halved_is_compared_again_once_a_person_accepts_it(both: Twins) -> None:
    item, _expected = class_test(both)
    plan(both)
    join(both)
    apply(both, plan(both))
    before = both.journal.marks()
    assert doubted(both) == []
    move_half_away(both.journal)
    for _ in range(2):
        assert ("right", "person", "half_list") in missed(both, plan(both))
    [one] = doubted(both)
    assert (one.side, one.kind, one.known, one.found) == ("right", "person", 30, 14)
    with pytest.raises(Fatal, match="14"):
        accepting.accept(both.runtime, both.school, both.connection, one.group_link, "right", "person", 15, who="p1")
    accepting.accept(both.runtime, both.school, both.connection, one.title, "right", "person", 14, who="p1")
    made = plan(both)
    assert (missed(both, made), doubted(both), made.pending) == (set(), [], 0)
    assert both.journal.marks() == before
    with both.runtime.reading(both.school) as db:
        chain = audit.links(db, both.school, both.connection)
    audit.verify(chain)
    [link] = [link for link in chain if link.action.startswith("read_accepted")]
    assert (link.actor, link.action) == ("p1", f"read_accepted:right:person:{one.group_link}:30:14")
    both.score(item, both.pupils()[pupils()[0].idnumber], "40")
    assert plan(both).pending == 1


def test_a_small_class_with_many_teachers_is_no_half_list(both: Twins) -> None:
    """Every subject teacher of a class is listed with it; they are no floor for its pupils."""
    move_half_away(both.journal)
    with closing(sqlite3.connect(both.journal.store_path)) as db, db:
        db.execute("DELETE FROM person WHERE number > 5")
    both.test_of({})
    for _ in range(2):
        assert not {one for one in missed(both, plan(both)) if one[1] == "person"}
    assert doubted(both) == []


def test_what_was_not_doubted_cannot_be_accepted(both: Twins) -> None:
    class_test(both)
    plan(both)
    with both.runtime.reading(both.school) as db:
        from sync.store import connections

        [link] = connections.groups(db, both.school, both.connection)
    with pytest.raises(Fatal) as refused:
        accepting.accept(both.runtime, both.school, both.connection, link.id, "right", "person", 30, who="p1")
    assert refused.value.reason == "nothing_to_accept"


def test_a_class_without_anybody_is_never_accepted(both: Twins) -> None:
    class_test(both)
    plan(both)
    both.journal.set_fault("empty_list", 1000, path="students|persons")
    plan(both)
    [one] = doubted(both)
    assert (one.known, one.found, one.reason) == (30, 0, "empty_list")
    with pytest.raises(Fatal) as refused:
        accepting.accept(both.runtime, both.school, both.connection, one.group_link, "right", "person", 0, who="p1")
    assert refused.value.reason == "nobody_there"
