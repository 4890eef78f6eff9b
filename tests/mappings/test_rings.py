"""A value may have one way to each system: a star settles, a ring is refused with its files named."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.base.errors import Fatal
from connector.cli.mapping import mapping
from connector.db.database import Database
from mappings.load import load_mapping
from mappings.rings import find_rings
from sync.store import connections
from tests.sync.kit import bench
from tests.sync.memory import NOW


def text(left: str, right: str, owner: str = "left", group: str = "7A", subject: str = "") -> str:
    names = {"moodle": "course", "kundelik": "edu_group"}
    refs = [
        f'{{{names.get(side.partition(":")[0], "group")}: "{group}"'
        + (f', subject: "{subject}"' if subject and not side.startswith("moodle") else "") + "}"
        for side in (left, right)
    ]  # fmt: skip
    return (
        f'version: 1\npair: {{left: "{left}", right: "{right}"}}\ngroups: [{{left: {refs[0]}, right: {refs[1]}}}]\n'
        f'grades: {{owner: {owner}, kinds: {{"*": sor}}}}\n'
    )


LMS, JOURNAL, STATE = "moodle:gym", "kundelik:1", "oneroster:state"
RINGS = {
    "all three one way": [text(LMS, JOURNAL), text(JOURNAL, STATE), text(STATE, LMS)],
    "all three both ways": [text(LMS, JOURNAL, "manual"), text(JOURNAL, STATE, "newest"), text(LMS, STATE, "max")],
    "two files there and back": [text(LMS, JOURNAL), text(JOURNAL, LMS)],
    "one of them written the other way round": [text(LMS, JOURNAL), text(JOURNAL, STATE), text(LMS, STATE, "right")],
    "one names the whole class": [
        text(JOURNAL, "bilimclass:b", subject="алгебра"), text("bilimclass:b", STATE), text(STATE, JOURNAL)],
}  # fmt: skip
STARS = {
    "one file both ways": [text(LMS, JOURNAL, "manual")],
    "one LMS gives to two": [text(LMS, JOURNAL), text(LMS, STATE)],
    "two give to one": [text(LMS, JOURNAL), text(STATE, JOURNAL)],
    "a star both ways": [text(JOURNAL, LMS, "manual"), text(JOURNAL, STATE, "manual")],
    "two ways to one place": [text(LMS, JOURNAL), text(JOURNAL, STATE), text(LMS, STATE)],
    "other classes": [text(LMS, JOURNAL), text(JOURNAL, STATE), text(STATE, LMS, group="8B")],
    "other subjects": [
        text(JOURNAL, STATE, subject="алгебра"), text(STATE, "bilimclass:b", subject="физика"),
        text("bilimclass:b", JOURNAL, subject="химия")],
}  # fmt: skip


def named(files: list[str]) -> dict[str, object]:
    return {f"{n}.yaml": load_mapping(one).file for n, one in enumerate(files)}


@pytest.mark.parametrize("files", RINGS.values(), ids=RINGS)
def test_a_ring_is_found_and_names_its_files(files: list[str]) -> None:
    [ring] = find_rings(named(files))  # type: ignore[arg-type]
    assert sorted(ring.names) == [f"{n}.yaml" for n in range(len(files))]
    assert ring.systems[0] == ring.systems[-1]


@pytest.mark.parametrize("files", STARS.values(), ids=STARS)
def test_a_star_is_no_ring(files: list[str]) -> None:
    assert find_rings(named(files)) == []  # type: ignore[arg-type]


def test_validate_refuses_the_files_of_a_ring_and_no_other(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.yaml" for n in range(4)]
    for path, one in zip(paths, [*RINGS["all three one way"], text(LMS, "tables:t")], strict=True):
        path.write_text(one, "utf-8")
    result = CliRunner().invoke(mapping, ["validate", *map(str, paths)], env={"KOPIR_LANGUAGE": "en"})
    assert result.exit_code == 1
    assert result.output.count("would go round and come back") == 3
    assert all(result.output.count(str(path)) >= 3 for path in paths[:3])
    assert f"{paths[3]}: The mapping can be used." in result.output


def test_a_school_takes_no_connection_that_closes_a_ring(sqlite_database: Database) -> None:
    made = bench(sqlite_database, mapping=text(LMS, JOURNAL))
    options = {"settings": {}, "credentials": {}, "vault": made.vault}
    with sqlite_database.school(made.school) as db:
        connections.add(db, made.school, text(JOURNAL, STATE), NOW, **options)  # type: ignore[arg-type]
        with pytest.raises(Fatal, match="go round") as refused:
            connections.add(db, made.school, text(STATE, LMS), NOW, **options)  # type: ignore[arg-type]
        assert f"{STATE} ↔ {LMS}" in str(refused.value)
        again = connections.add(db, made.school, text(LMS, STATE), NOW, **options)  # type: ignore[arg-type]
        with pytest.raises(Fatal, match="go round"):
            connections.change_mapping(db, made.school, again, text(LMS, STATE, "right"), NOW)
