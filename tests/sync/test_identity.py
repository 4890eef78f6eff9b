"""What a person says about who is who holds: merges, splits and pins, with who, when and why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.base.errors import Fatal
from connector.db.database import Database
from sync.model import Person
from sync.runs import identity
from sync.runs import people as joining
from sync.runs.identity_file import join_by_file
from sync.store import audit, connections, proposals
from sync.store import identity as said
from sync.store import people as record
from sync.twins.sample_school import pupils
from tests.sync.kit import Bench, bench, joined
from tests.sync.memory import journal, lms

WHO = {"who": "person-1"}


def links(made: Bench) -> dict[str, str]:
    with made.database.school(made.school, write=False) as db:
        return dict(joining.links(db, made.runtime.connection(made.school, made.connection)).values())


def whom(made: Bench, left: str) -> str:
    with made.database.school(made.school, write=False) as db:
        return record.by_identifier(db, made.school, "lti_sub", "moodle:gym")[left]


def told(made: Bench, person: str) -> identity.History:
    with made.database.school(made.school, write=False) as db:
        return identity.history(db, connections.get(db, made.school, made.connection), person)


def second_account(database: Database) -> Bench:
    """A synced class in which pupil 1 goes by a new account from now on."""
    made = joined(database)
    made.sync()
    made.left.people[0] = replace(made.left.people[0], id="u1new", identifiers={"lti_sub": "u1new"})
    made.left.marks[("li-1", "u1new")] = made.left.marks.pop(("li-1", "u1"))
    made.plan()
    return made


def merge(made: Bench, kept: str, gone: str) -> None:
    identity.merge(
        made.runtime, made.school, made.connection, whom(made, kept), whom(made, gone), note="жаңа логин", **WHO
    )


def test_a_new_account_of_a_linked_pupil_is_proposed_and_takes_over_when_accepted(database: Database) -> None:
    made = second_account(database)
    with database.school(made.school, write=False) as db:
        [one] = proposals.of(db, made.school, made.connection)
    assert (one.how, one.right_id, one.state) == ("new_account", "90000000000000001", "proposed")
    done = joining.accept(made.runtime, made.school, made.connection, None, **WHO)
    assert done.joined == (one.id,)
    assert links(made)["u1new"] == "90000000000000001"
    # The mark is there already; only the register of the new account has to be filled.
    assert {row.kind for row in made.changes(made.plan(), "ready", "held")} == {"attendance"}
    assert len(made.right.marks) == 3


def test_merged_accounts_stay_merged_when_both_are_read_again(sqlite_database: Database) -> None:
    made = second_account(sqlite_database)
    made.left.people.append(Person("u1", "Тегі1", "Аты1"))
    merge(made, "u1new", "u1")
    for _ in range(2):
        made.plan()
    assert links(made)["u1new"] == "90000000000000001"
    assert "u1" not in links(made)
    with sqlite_database.school(made.school, write=False) as db:
        assert proposals.of(db, made.school, made.connection) == []


def test_what_was_agreed_for_one_account_is_not_held_against_another(database: Database) -> None:
    made = second_account(database)
    made.left.marks[("li-1", "u1new")] = "20"
    merge(made, "u1new", "u1")
    plan = made.plan()
    assert {row.kind for row in made.changes(plan, "ready", "held")} == {"attendance"}
    assert [row.change.rule for row in made.changes(plan, "conflict")] == ["first_contact"]
    audit.verify(made.audit())
    assert audit.replay(made.audit()) == made.base()


def test_a_merge_is_split_again_and_both_are_as_before(sqlite_database: Database) -> None:
    made = second_account(sqlite_database)
    kept, gone = whom(made, "u1new"), whom(made, "u1")
    merge(made, "u1new", "u1")
    made.left.people.append(Person("u1", "Тегі1", "Аты1"))
    assert identity.split(made.runtime, made.school, made.connection, kept, **WHO) == "merge"
    made.plan()
    assert links(made)["u1"] == "90000000000000001"
    assert "u1new" not in links(made)
    events = [(event.action, event.other, event.who, event.note) for event in told(made, gone).events]
    assert events[-2:] == [("merged", kept, "person-1", "жаңа логин"), ("split", kept, "person-1", "")]


@pytest.mark.parametrize("pair", [("u1new", "u1new"), ("u1new", "nobody")])
def test_nobody_is_merged_with_themselves_or_with_nobody(sqlite_database: Database, pair: tuple[str, str]) -> None:
    made = second_account(sqlite_database)
    gone = whom(made, pair[1]) if pair[1] != "nobody" else pair[1]
    with pytest.raises(Fatal):
        identity.merge(made.runtime, made.school, made.connection, whom(made, pair[0]), gone, **WHO)


def test_a_parted_pupil_is_not_joined_again_by_the_iin_that_joined_them(sqlite_database: Database) -> None:
    made = with_iins(sqlite_database, {"u1": 0}, {"90000000000000001": 0})
    assert links(made) == {"u1": "90000000000000001"}
    person = whom(made, "u1")
    assert identity.split(made.runtime, made.school, made.connection, person, note="басқа бала", **WHO) == "link"
    made.plan()
    assert links(made) == {}
    identity.pin(made.runtime, made.school, made.connection, person, right="90000000000000001", **WHO)
    assert links(made) == {"u1": "90000000000000001"}
    assert [event.action for event in told(made, person).events] == ["joined", "parted", "joined", "pinned"]


def with_iins(database: Database, left: dict[str, int], right: dict[str, int], **options: object) -> Bench:
    mine, theirs = lms(), journal()
    for side, whose in ((mine, left), (theirs, right)):
        side.people = [
            replace(one, identifiers={**one.identifiers, "iin": pupils()[whose[one.id]].iin})
            if one.id in whose
            else one
            for one in side.people
        ]
    made = bench(database, left=mine, right=theirs, **options)  # type: ignore[arg-type]
    made.plan()
    return made


def test_marks_of_swapped_accounts_stop_until_a_person_pins_them(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    for side, order in ((made.left, ("u1", "u2")), (made.right, ("90000000000000002", "90000000000000001"))):
        numbers = {one: pupils()[n].iin for n, one in enumerate(order)}
        side.people = [
            replace(one, identifiers={**one.identifiers, "iin": numbers.get(one.id, "")}) for one in side.people
        ]
    plan = made.plan()
    assert set(links(made)) == {"u3", "u4"}
    assert {row.person for row in made.changes(plan)} <= {whom(made, "u3"), whom(made, "u4")}
    assert told(made, whom(made, "u1")).doubt.reason == "contradicting_links"
    for left in ("u1", "u2"):
        identity.pin(made.runtime, made.school, made.connection, whom(made, left), note="тексерілді", **WHO)
    made.plan()
    assert set(links(made)) == {"u1", "u2", "u3", "u4"}


def test_a_pinned_link_is_moved_by_nothing_until_it_is_unpinned(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    person = whom(made, "u1")
    identity.pin(made.runtime, made.school, made.connection, person, **WHO)
    with pytest.raises(Fatal, match="pinned"):
        joining.part(made.runtime, made.school, made.connection, person, **WHO)
    with pytest.raises(Fatal, match="pinned"):
        identity.merge(made.runtime, made.school, made.connection, whom(made, "u2"), person, **WHO)
    identity.unpin(made.runtime, made.school, made.connection, person, **WHO)
    joining.part(made.runtime, made.school, made.connection, person, **WHO)
    assert "u1" not in links(made)


def test_an_iin_on_two_accounts_of_the_lms_joins_neither_by_file(sqlite_database: Database) -> None:
    made = with_iins(sqlite_database, {"u1": 0, "u2": 0}, {})
    text = f"iin;kundelik\n{pupils()[0].iin};90000000000000001\n"
    preview = join_by_file(made.runtime, made.school, made.connection, text.encode(), apply=True, **WHO)
    assert not preview.applied
    assert [finding.reason for finding in preview.findings] == ["shared_iin"]
    assert links(made) == {}


def test_a_number_that_was_mended_in_the_lms_is_followed(sqlite_database: Database) -> None:
    made = with_iins(sqlite_database, {"u1": 0}, {"90000000000000001": 1})
    assert links(made) == {}
    made.left.people[0] = replace(
        made.left.people[0], identifiers={"lti_sub": "u1", "idnumber": "N1", "iin": pupils()[1].iin}
    )
    made.plan()
    assert links(made) == {"u1": "90000000000000001"}
    assert ("id_changed", "iin_hmac") in {(event.action, event.how) for event in told(made, whom(made, "u1")).events}


@pytest.mark.parametrize(
    ("family", "how"), [("Тегі1ова", "name"), ("Теги1", "spelling")], ids=["after a wedding", "another spelling"]
)
def test_a_changed_name_is_the_same_pupil(sqlite_database: Database, family: str, how: str) -> None:
    made = joined(sqlite_database)
    made.sync()
    person = whom(made, "u1")
    made.left.people[0] = replace(made.left.people[0], family=family)
    plan = made.plan()
    found = told(made, person)
    assert (plan.pending, found.person.family, found.left) == (0, family, "u1")
    assert [(event.action, event.how) for event in found.events][-1] == ("renamed", how)
    assert "Тегі1" not in repr(found.events)


def test_the_history_names_ids_classes_and_words_but_no_iin(database: Database) -> None:
    made = with_iins(database, {"u1": 0}, {})
    found = told(made, whom(made, "u1"))
    assert {(one.type, one.value) for one in found.ids} >= {("lti_sub", "u1"), ("idnumber", "N1")}
    assert not any(one.type.startswith("iin") for one in found.ids)
    assert [(stay.side, stay.external_id, stay.active) for stay in found.stays] == [("left", "u1", True)]


def test_a_person_is_found_by_our_id_or_by_either_systems_own(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    with sqlite_database.school(made.school, write=False) as db:
        connection = connections.get(db, made.school, made.connection)
        found = {identity.find_person(db, connection, one) for one in ("u1", "90000000000000001", whom(made, "u1"))}
        assert found == {whom(made, "u1")}
        with pytest.raises(Fatal, match="no such person"):
            identity.find_person(db, connection, "u77")


def test_schools_keep_their_doubts_apart(sqlite_database: Database) -> None:
    made, other = joined(sqlite_database), joined(sqlite_database)
    identity.pin(made.runtime, made.school, made.connection, whom(made, "u1"), **WHO)
    with sqlite_database.school(other.school, write=False) as db:
        assert said.pins(db, other.school, other.connection) == frozenset()
        assert said.events(db, other.school, whom(made, "u1")) == []
