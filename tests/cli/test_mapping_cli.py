from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

from connector.cli.mapping import mapping

LIBRARY = Path(__file__).parents[2] / "mappings" / "library" / "lti-kundelik.yaml"


def run(*args: str) -> Result:
    return CliRunner().invoke(mapping, args, env={"KOPIR_LANGUAGE": "en"}, catch_exceptions=False)


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    file = tmp_path / "school.yaml"
    file.write_text(LIBRARY.read_text("utf-8").replace("  owner: left", "  ownr: left"), "utf-8")
    return file


def test_a_sound_file_is_said_to_be_sound() -> None:
    result = run("validate", str(LIBRARY))
    assert result.exit_code == 0
    assert result.output == f"{LIBRARY}: The mapping can be used.\n"


def test_a_fault_is_told_by_file_line_and_column(faulty: Path) -> None:
    result = run("validate", str(faulty))
    line = next(n for n, text in enumerate(faulty.read_text("utf-8").splitlines(), 1) if "ownr" in text)
    assert result.exit_code == 1
    assert result.output.startswith(f"{faulty}:{line}:3: grades.ownr: ")
    assert "Did you mean “owner”?" in result.output


def test_validate_speaks_the_language_asked_for(faulty: Path) -> None:
    assert "Может быть, «owner»?" in run("validate", str(faulty), "--language", "ru").output
    assert "деп жазғыңыз келді ме?" in run("validate", str(faulty), "--language", "kk").output


def test_validate_gives_json_for_every_file(faulty: Path) -> None:
    result = run("validate", str(LIBRARY), str(faulty), "--json")
    good, bad = json.loads(result.output)
    assert result.exit_code == 1
    assert (good["valid"], good["findings"], len(good["version"])) == (True, [], 64)
    assert (bad["valid"], bad["version"]) == (False, None)
    assert [(f["reason"], f["nearest"]) for f in bad["findings"]] == [("unknown_key", "owner")]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    result = run("validate", str(tmp_path / "none.yaml"))
    assert result.exit_code == 1
    assert "cannot be read" in result.output


def test_schema_prints_a_valid_schema() -> None:
    for args in ((), ("--json",)):
        schema: dict[str, Any] = json.loads(run("schema", *args).output)
        jsonschema.Draft202012Validator.check_schema(schema)
        assert "grades" in schema["properties"]


def test_examples_that_pass_leave_with_zero() -> None:
    result = run("test", str(LIBRARY))
    assert result.exit_code == 0
    assert "Examples passed: 11 of 11." in result.output


def test_an_example_that_fails_leaves_with_one(tmp_path: Path) -> None:
    file = tmp_path / "school.yaml"
    file.write_text(LIBRARY.read_text("utf-8").replace('{mark10: "9"}', '{mark10: "10"}'), "utf-8")
    result = run("test", str(file), "--json")
    report = json.loads(result.output)
    assert result.exit_code == 1
    assert (report["passed"], report["failed"]) == (10, 1)
    assert [row["got"] for row in report["examples"] if not row["passed"]] == ["mark10: 9"]
    assert "✗ 2  Expected mark10: 10, got mark10: 9." in run("test", str(file)).output


def test_a_file_without_examples_proves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "school.yaml"
    file.write_text(LIBRARY.read_text("utf-8").partition("\ntests:")[0], "utf-8")
    assert run("test", str(file)).exit_code == 1


def test_examples_of_a_faulty_file_are_not_run(faulty: Path) -> None:
    result = run("test", str(faulty))
    assert result.exit_code == 1
    assert "grades.ownr" in result.output
    assert json.loads(run("test", str(faulty), "--json").output)["findings"][0]["reason"] == "unknown_key"
