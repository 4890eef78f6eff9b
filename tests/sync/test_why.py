"""Why is this not changing? Every state a value can be in has an answer in three languages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import update

from connector.base.i18n import catalogue, translate
from connector.db.database import Database
from connector.host.runtime import ROOT
from sync.reconcile.decide import RULE_IDS, explain_rule
from sync.reconcile.guard import HOLD_CODES, explain_hold
from sync.reconcile.types import CellKey, CellKind
from sync.runs import identity, view, why
from sync.store import connections
from sync.store.tables.people import person
from sync.systems.contract import Evidence
from tests.sync.kit import MAPPING, Bench, joined

FROZEN = MAPPING + "guard: {freeze: [{from: 2026-11-01, to: 2026-12-31}]}\n"


def cell(made: Bench, *, left: str = "u1", item: str = "", kind: CellKind = CellKind.GRADE) -> str:
    with made.database.school(made.school, write=False) as db:
        [link] = connections.groups(db, made.school, made.connection)
        [work] = connections.item_links(db, made.school, link.id)[:1]
        whom = identity.find_person(db, connections.get(db, made.school, made.connection), left)
    return CellKey(kind, link.id, item or work.id, whom).text


def told(made: Bench, key: str) -> view.Explained:
    return view.explain(made.runtime, made.school, made.connection, key)


def mark(made: Bench, value: str = "20") -> None:
    made.left.marks[("li-1", "u1")] = value


def clash(made: Bench) -> None:
    mark(made)
    for at in [at for at in made.right.marks if at[1] == "90000000000000001"]:
        made.right.marks[at] = "3"


def unmapped(made: Bench) -> None:
    with made.database.school(made.school) as db:
        text = MAPPING.replace('{"*": fo}', '{"*": ignore}').replace(
            "scale: {fo: {from: percent, to: mark10, round: half_up, min: 1}}", "scale: {}"
        )
        connections.change_mapping(db, made.school, made.connection, text, made.clock())


def block(made: Bench, column: str) -> None:
    whom = CellKey.parse(cell(made)).person
    with made.database.school(made.school) as db:
        db.execute(update(person).where(person.c.id == whom).values({column: made.clock()}))


def take_back(made: Bench) -> None:
    whom = CellKey.parse(cell(made)).person
    identity.split(made.runtime, made.school, made.connection, whom, who="person-1")


def second(made: Bench) -> None:
    place = (made.runtime, made.school, made.connection)
    identity.merge(*place, CellKey.parse(cell(made, left="u2")).person, CellKey.parse(cell(made)).person, who="p")


STATES: dict[str, tuple[Callable[[Bench], object], str, str]] = {
    "both hold the same": (lambda made: None, "unchanged", ""),
    "it would be written": (mark, "left_changed", ""),
    "both changed it": (clash, "both_changed", ""),
    "the read failed": (
        lambda made: made.right.spoiled.update(result=(Evidence.UNKNOWN, "http_503")), "unknown", "http_503"),
    "the class came back empty": (
        lambda made: made.right.spoiled.update(person=(Evidence.SUSPICIOUS, "empty_list")), "unknown", "empty_list"),
    "it was not found once": (lambda made: made.right.marks.clear(), "unknown", "awaits_second_read"),
    "the mapping ignores the work": (unmapped, "not_mapped", ""),
    "the pupil is not linked": (take_back, "not_linked", ""),
    "it is a second account": (second, "second_account", ""),
    "the pupil left the course": (lambda made: made.left.people.pop(0), "left_lms_class", ""),
    "the pupil left the class": (lambda made: made.right.people.pop(1), "left_journal_class", ""),
    "the work is gone": (lambda made: made.left.items.clear(), "work_gone", ""),
    "the pupil was erased": (lambda made: block(made, "erased_at"), "person_erased", ""),
    "the pupil's data is blocked": (lambda made: block(made, "blocked_at"), "person_blocked", ""),
}  # fmt: skip


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_every_state_has_its_reason(
    sqlite_database: Database, state: tuple[Callable[[Bench], object], str, str]
) -> None:
    change, rule, reason = state
    made = joined(sqlite_database)
    made.sync()
    key = cell(made)
    change(made)
    made.plan()
    found = told(made, key)
    assert (found.rule, found.reason) == (rule, reason)


@pytest.mark.parametrize(
    ("mapping", "code"),
    [(FROZEN, "freeze"), (MAPPING, "first_plan"),
     (MAPPING + 'guard: {canaries: [{side: left, person: "u77"}]}\n', "canary"),
     (MAPPING + "guard: {limits: {grade: {create: {count: 1}}}}\n", "over_count")],
)  # fmt: skip
def test_what_the_guard_holds_is_explained_by_its_hold(sqlite_database: Database, mapping: str, code: str) -> None:
    made = joined(sqlite_database, mapping=mapping)
    made.plan()
    found = told(made, cell(made))
    assert (found.state, found.held_by) == ("held", code)
    assert found.waits == explain_hold(code)


@pytest.mark.parametrize("language", ["kk", "ru"])
def test_every_reason_has_words_in_every_language(language: str) -> None:
    catalogue.add(ROOT / "sync" / "i18n")
    said = [explain_rule(code) for code in RULE_IDS] + [explain_hold(code) for code in HOLD_CODES]
    said += [why.explain_apart(code) for code in why.APART]
    assert [message for message in said if translate(message, language) == translate(message, "en")] == []
