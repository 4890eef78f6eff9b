"""A log line names rows and places; a person's data, a secret or an exception's text never gets in."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.base.log import FORBIDDEN, drop_personal, name_exception

NAME = "Айгерім Сейітова"


@dataclass
class Pupil:
    display: str = NAME


def cleaned(**event: Any) -> str:
    return json.dumps(drop_personal(None, "info", name_exception(None, "info", event)), ensure_ascii=False)


@pytest.mark.parametrize("key", sorted(FORBIDDEN))
@pytest.mark.parametrize("spell", [str.lower, str.upper, str.title, lambda key: key.replace("_", "-")])
def test_forbidden_key_is_dropped_in_any_spelling(key: str, spell: Any) -> None:
    line = cleaned(**{spell(key): NAME, "job": "j1"})
    assert NAME not in line
    assert "<str>" in line
    assert "j1" in line


@pytest.mark.parametrize("key", ["viewer_name", "pupil-name", "X-Access-Token", "teacher_email", "user_password"])
def test_key_that_ends_in_a_forbidden_word_is_dropped(key: str) -> None:
    assert NAME not in cleaned(**{key: NAME})


@pytest.mark.parametrize(
    "value",
    [
        {"name": NAME},
        {"a": {"b": {"email": NAME}}},
        [{"name": NAME}],
        ({"rows": [{"iin": NAME}]},),
        {"deep": [[{"x": [{"token": NAME}]}]]},
        Pupil(),
        [Pupil()],
        {"who": Pupil()},
        ValueError(NAME),
        {"why": KeyError(NAME)},
        {Pupil},
        object(),
        b"\xd0\x90" + NAME.encode(),
    ],
)
def test_personal_data_is_dropped_at_any_depth(value: Any) -> None:
    line = cleaned(value=value, event="sent")
    assert NAME not in line
    assert "Сейітова" not in line


_KEYS = st.sampled_from([*sorted(FORBIDDEN), "job", "rows"])


@given(st.recursive(st.just(NAME), lambda inner: st.lists(inner) | st.dictionaries(_KEYS, inner), max_leaves=12))
def test_whatever_lies_under_a_forbidden_key_is_dropped(value: Any) -> None:
    assert NAME not in cleaned(claims=value)


def test_nesting_without_end_is_cut() -> None:
    value: list[Any] = []
    for _ in range(2000):
        value = [value]
    assert "<list>" in cleaned(value=value)


def test_plain_values_stay() -> None:
    line = json.loads(cleaned(job="j1", count=3, ok=True, none=None, share=Decimal("1.50"), rows=[1, "a"]))
    assert line == {"job": "j1", "count": 3, "ok": True, "none": None, "share": "1.50", "rows": [1, "a"]}


def test_exception_gives_types_and_places_and_no_text() -> None:
    try:
        try:
            {}[NAME]
        except KeyError as inner:
            raise ValueError(f"bad pupil {NAME}") from inner
    except ValueError as error:
        for given_info in (True, error, (type(error), error, error.__traceback__)):
            line = json.loads(cleaned(event="crashed", exc_info=given_info))
            assert line["error"] == ["ValueError", "KeyError"]
            assert any("test_log:" in frame for frame in line["frames"])
            assert NAME not in json.dumps(line, ensure_ascii=False)


PROGRAM = f"""
import logging
from connector.base.log import get_logger, setup_logging
setup_logging("INFO")
log = get_logger("room")
log.debug("unseen")
log.info("seen", job="j1", name="{NAME}")
try:
    raise ValueError("{NAME}")
except ValueError:
    log.exception("crashed")
    log.error("crashed again", exc_info=True)
    logging.getLogger("library").exception("%s failed", "{NAME}")
logging.getLogger("library").warning("for {NAME}")
"""


def test_process_writes_one_json_object_per_line_and_no_name_on_any() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert NAME not in done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line.get("event") for line in lines[:3]] == ["seen", "crashed", "crashed again"]
    assert lines[0]["room"] == "room"
    assert lines[1]["error"] == ["ValueError"]
    assert [line["logger"] for line in lines[3:]] == ["library", "library"]
    assert lines[3]["error"] == "ValueError"
