from __future__ import annotations

import ast
from pathlib import Path

import jsonschema
import pytest
from babel.messages.pofile import read_po

import mappings
from mappings.json_schema import json_schema
from mappings.load import check, load_mapping
from mappings.run_tests import run_tests
from mappings.yaml_tree import read_tree
from tests.mappings.maker import DATA, changed

ROOM = Path(mappings.__file__).parent
LIBRARY = sorted((ROOM / "library").glob("*.yaml"))
SOURCES = [*sorted(ROOM.glob("*.py")), ROOM.parent / "connector" / "cli" / "mapping.py"]


@pytest.mark.parametrize("file", LIBRARY, ids=lambda path: path.stem)
def test_a_library_file_is_sound_and_passes_its_own_examples(file: Path) -> None:
    assert check(file) == []
    results = run_tests(load_mapping(file))
    assert len(results) >= 10
    assert [result for result in results if not result.passed] == []


@pytest.mark.parametrize("file", LIBRARY, ids=lambda path: path.stem)
def test_a_library_file_fits_the_json_schema(file: Path) -> None:
    tree, _ = read_tree(file.read_text("utf-8"))
    assert tree is not None
    jsonschema.Draft202012Validator(json_schema()).validate(tree.plain())


def test_the_json_schema_is_a_valid_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("grades/ownr", "left"), ("grades/owner", "me"), ("groups/0/right/edu_group", 22), ("guard/max_delete", -1),
        ("pair/left", "modle:x"), ("attendance/codes/P", 5), ("grades/scale/fo/to", "mark7"), ("pair", None),
    ],
)  # fmt: skip
def test_an_editor_sees_what_validate_would_refuse(path: str, value: object) -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    assert validator.is_valid(DATA)
    assert not validator.is_valid(changed(path, value))


def test_a_failing_example_says_what_came_out() -> None:
    text = LIBRARY[0].read_text("utf-8").replace('becomes: {mark10: "8"}', 'becomes: {mark10: "9"}', 1)
    failed = [result for result in run_tests(load_mapping(text)) if not result.passed]
    assert [(result.number, result.got, result.expected) for result in failed] == [(1, "mark10: 8", "mark10: 9")]


@pytest.mark.parametrize(
    "example",
    [
        '{grade: {percent: "80"}, becomes: {mark5: "4"}}',
        '{grade: {percent: "80"}, attendance: {left: P}, becomes: {mark10: "8"}}',
        "{becomes: {right: Ill}}",
        '{grade: {percent: "осв"}, becomes: {mark10: "8"}}',
        "{attendance: {left: nobody}, becomes: {right: Ill}}",
        "{attendance: {left: late, right: Ill}, becomes: {right: Ill}}",
        '{grade: {of: "9"}, becomes: {mark10: "8"}}',
        "{item: {type: quiz}, becomes: {kind: sor}}",
    ],
)
def test_an_example_that_cannot_hold_fails_and_says_why(example: str) -> None:
    text = LIBRARY[0].read_text("utf-8").partition("\ntests:")[0] + f"\ntests: [{example}]\n"
    [result] = run_tests(load_mapping(text))
    assert not result.passed
    assert result.message is not None


def _sentences() -> set[str]:
    found = set()
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "N_":
                found.add(ast.literal_eval(node.args[0]))
    return found


@pytest.mark.parametrize("language", ["kk", "ru"])
def test_every_sentence_is_translated_with_its_fields(language: str) -> None:
    with (ROOM / "i18n" / language / "mappings.po").open("rb") as stream:
        texts = {str(entry.id): str(entry.string) for entry in read_po(stream) if entry.id}
    assert set(texts) == _sentences()
    for english, translated in texts.items():
        assert _fields(translated) == _fields(english), english


def _fields(text: str) -> set[str]:
    from string import Formatter

    # A sentence without values is not formatted, so braces in it are only braces.
    names = {"key: value", "left: E", "ключ: значение", "кілт: мән"}
    if any(f"{{{name}}}" in text for name in names) or '{percent: "84.5"}' in text:
        return set()
    return {name for _, name, _, _ in Formatter().parse(text) if name}
