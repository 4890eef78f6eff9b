"""Who is who: a file joins for certain, names only propose, and an IIN never lies about in the clear."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from connector.db.database import Database
from sync.model import Person, Role
from sync.runs import people as joining
from sync.runs.identity_file import join_by_file
from sync.store import people as record
from sync.store import proposals
from sync.twins.sample_school import pupils
from tests.sync.kit import FILE, Bench, bench, joined
from tests.sync.memory import journal, lms


def links(made: Bench) -> dict[str, str]:
    with made.database.school(made.school, write=False) as db:
        found = joining.links(db, made.runtime.connection(made.school, made.connection))
    return dict(found.values())


def read(database: Database, **options: object) -> Bench:
    made = bench(database, **options)  # type: ignore[arg-type]
    made.plan()
    return made


def test_a_file_is_shown_before_it_joins_anybody(database: Database) -> None:
    made = read(database)
    preview = join_by_file(made.runtime, made.school, made.connection, FILE.encode())
    assert [(line.left_id, line.right_id, line.how) for line in preview.lines] == [
        (f"u{n}", f"9000000000000000{n}", "idnumber") for n in range(1, 5)
    ]
    assert not preview.applied
    assert links(made) == {}
    assert made.join().applied
    assert links(made) == {f"u{n}": f"9000000000000000{n}" for n in range(1, 5)}


def test_a_file_applied_twice_changes_nothing(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    again = made.join()
    assert again.applied
    assert all(line.known for line in again.lines)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (FILE + "N1;90000000000000004\n", "double_id"),
        (FILE.replace("90000000000000004", "9,00E+16"), "rounded_id"),
        ("name\nАсқар\n", "no_columns"),
    ],
)
def test_a_file_with_an_error_joins_nobody(sqlite_database: Database, broken: str, reason: str) -> None:
    made = read(sqlite_database)
    preview = made.join(broken)
    assert reason in {finding.reason for finding in preview.findings}
    assert not preview.applied
    assert links(made) == {}


def test_a_row_against_an_existing_join_stops_the_file(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    swapped = "idnumber;kundelik\nN1;90000000000000002\nN2;90000000000000001\n"
    preview = made.join(swapped)
    assert not preview.applied
    assert {finding.reason for finding in preview.findings} == {"joined_otherwise"}
    assert links(made)["u1"] == "90000000000000001"


def test_rows_about_people_elsewhere_are_told_and_do_no_harm(sqlite_database: Database) -> None:
    made = read(sqlite_database)
    preview = made.join(FILE + "N77;90000000000000077\nN1x;90000000000000078\n")
    assert preview.applied
    assert len(preview.lines) == 4
    assert {finding.reason for finding in preview.findings} == {"not_in_lms"}


def test_names_propose_and_a_person_accepts_in_bulk(database: Database) -> None:
    made = read(database)
    waiting = joining.propose(made.runtime, made.school, made.connection)
    assert {one.state for one in waiting} == {"proposed"}
    assert links(made) == {}
    accepted = joining.accept(made.runtime, made.school, made.connection, None, who="person-1")
    assert len(accepted.joined) == 4
    assert links(made)["u3"] == "90000000000000003"


def namesakes(database: Database) -> Bench:
    left, right = lms(), journal()
    twin = {"family": "Тегі1", "given": "Аты1"}
    left.people[1] = replace(left.people[1], **twin)
    right.people[3] = replace(right.people[3], full_name="Тегі1 Аты1", **twin)
    return read(database, left=left, right=right)


def test_namesakes_wait_and_are_not_taken_in_bulk(sqlite_database: Database) -> None:
    made = namesakes(sqlite_database)
    joining.accept(made.runtime, made.school, made.connection, None, who="person-1")
    assert set(links(made)) == {"u3", "u4"}
    with sqlite_database.school(made.school, write=False) as db:
        waiting = proposals.of(db, made.school, made.connection)
    assert {one.state for one in waiting} == {"waiting"}
    assert {one.right_id for one in waiting} == {"90000000000000001", "90000000000000002"}


def test_a_person_tells_namesakes_apart_one_by_one(sqlite_database: Database) -> None:
    made = namesakes(sqlite_database)
    with sqlite_database.school(made.school, write=False) as db:
        waiting = proposals.of(db, made.school, made.connection)
        first = record.by_identifier(db, made.school, "lti_sub", "moodle:gym")["u1"]
    chosen = next(one for one in waiting if (one.person, one.right_id) == (first, "90000000000000002"))
    joining.accept(made.runtime, made.school, made.connection, [chosen.id], who="person-1")
    assert links(made) == {"u1": "90000000000000002"}


def test_what_was_rejected_is_not_proposed_again(sqlite_database: Database) -> None:
    made = read(sqlite_database)
    [first, *_] = joining.propose(made.runtime, made.school, made.connection)
    joining.reject(made.runtime, made.school, made.connection, [first.id], who="person-1")
    again = joining.propose(made.runtime, made.school, made.connection)
    assert (first.person, first.right_id) not in {(one.person, one.right_id) for one in again}


def test_an_iin_in_the_idnumber_is_hashed_before_it_is_kept(database: Database) -> None:
    iin = pupils()[0].iin
    left = lms()
    left.people[0] = replace(left.people[0], identifiers={"lti_sub": "u1", "idnumber": iin})
    made = read(database, left=left)
    for table in ("identifier", "snapshot", "person", "audit", "enrolment"):
        with database.school(made.school, write=False) as db:
            rows = db.execute(text(f"SELECT * FROM {table}")).all()
        assert iin not in repr(rows), table
    preview = made.join(f"iin;kundelik\n{iin};90000000000000001\n")
    assert [line.how for line in preview.lines] == ["iin"]
    assert links(made) == {"u1": "90000000000000001"}


def test_a_pupil_of_the_journal_alone_is_reported_and_made_nowhere(sqlite_database: Database) -> None:
    right = journal()
    right.people.append(Person("90000000000000055", "Жаңа", "Оқушы", full_name="Жаңа Оқушы"))
    made = joined(sqlite_database, right=right)
    with sqlite_database.school(made.school, write=False) as db:
        connection = made.runtime.connection(made.school, made.connection)
        [link] = joining.connections.groups(db, made.school, made.connection)
        apart = joining.differences(db, connection, link)
    assert [(one.side, one.external_id, one.name) for one in apart] == [("right", "90000000000000055", "Жаңа Оқушы")]
    assert len(made.left.people) == 5


def test_a_damaged_name_does_not_replace_a_good_one(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    made.left.people[0] = replace(made.left.people[0], family="Т?г?1")
    made.plan()
    with sqlite_database.school(made.school, write=False) as db:
        assert record.people(db, made.school, [made.person("u1")])[made.person("u1")].family == "Тегі1"


def test_a_pupil_who_left_and_came_back_is_the_same_person(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    made.sync()
    whom = made.person("u1")
    gone = made.left.people.pop(0)
    assert made.plan().pending == 0
    assert len(made.right.marks) == 3
    made.left.people.append(gone)
    assert made.plan().pending == 0
    assert made.person("u1") == whom


def test_nobody_is_matched_as_a_pupil_who_teaches(sqlite_database: Database) -> None:
    left = lms()
    left.people[0] = replace(left.people[0], role=Role.TEACHER)
    made = read(sqlite_database, left=left)
    waiting = joining.propose(made.runtime, made.school, made.connection)
    assert len(waiting) == 3


def test_a_changed_mapping_keeps_the_credentials_that_were_entered(sqlite_database: Database) -> None:
    from sync.store import connections
    from tests.sync.kit import MAPPING
    from tests.sync.memory import NOW

    made = bench(sqlite_database)
    changed = MAPPING.replace("half_up", "down")
    with sqlite_database.school(made.school) as db:
        again = connections.add(db, made.school, changed, NOW, settings={}, credentials={}, vault=made.vault)
        kept = connections.get(db, made.school, again)
    assert again == made.connection
    assert kept.mapping_version == 2
    assert kept.credentials(made.vault) == {"right": {"token": "t"}}
    assert "token" not in repr(kept)
