"""One pupil's page: who they are in both systems, what was said, and saying it; and the holds as a download."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.runs import people as joining
from sync.store import connections, identity
from sync.store import people as record
from tests.support.databases import Place
from tests.web.console_kit import Console, console, plain


@pytest.fixture
def made(sqlite_place: Place, tmp_path: Path) -> Iterator[Console]:
    with console(sqlite_place, tmp_path) as found:
        found.bench.plan()
        found.bench.join()
        found.bench.plan()
        yield found


def whom(made: Console, left: str) -> str:
    with made.runtime.database.school(made.bench.school, write=False) as db:
        return record.by_identifier(db, made.bench.school, "lti_sub", "moodle:gym")[left]


def linked(made: Console) -> dict[str, tuple[str, str]]:
    with made.runtime.database.school(made.bench.school, write=False) as db:
        return joining.links(db, connections.get(db, made.bench.school, made.bench.connection))


def test_a_pupils_page_names_accounts_classes_and_words(made: Console) -> None:
    person = whom(made, "u1")
    assert f"people/{person}" in made.get().text
    text = plain(made.get(f"people/{person}").text)
    assert "Тегі1 Аты1" in text
    assert "90000000000000001" in text
    assert "by the school's own number" in text


def test_a_link_is_fixed_taken_back_and_made_again_on_the_page(made: Console) -> None:
    person = whom(made, "u1")
    made.post(f"people/{person}/say", word="pin", note="<b>сұралды</b>")
    page = made.get(f"people/{person}").text
    assert "&lt;b&gt;сұралды" in page
    assert made.post(f"people/{person}/say", word="split").status_code == 409
    made.post(f"people/{person}/say", word="unpin")
    made.post(f"people/{person}/say", word="split")
    assert person not in linked(made)
    assert "90000000000000001" in made.get(f"people/{person}").text
    made.post(f"people/{person}/say", word="link", right="90000000000000001")
    assert linked(made)[person] == ("u1", "90000000000000001")


def test_two_accounts_are_merged_and_split_on_the_page(made: Console) -> None:
    first, second = whom(made, "u1"), whom(made, "u2")
    made.post(f"people/{first}/say", word="merge", second=second)
    assert second not in linked(made)
    assert "second account" in plain(made.get(f"people/{second}").text)
    made.post(f"people/{second}/say", word="split")
    assert second in linked(made)


@pytest.mark.parametrize("word", ["", "erase", "merge", "link"])
def test_a_word_without_a_choice_does_nothing(made: Console, word: str) -> None:
    assert made.post(f"people/{whom(made, 'u1')}/say", word=word).status_code == 409
    assert len(linked(made)) == 4


def test_an_unknown_person_is_not_there_and_a_forged_post_is_refused(made: Console) -> None:
    assert made.get("people/01999999999999999999999999999999").status_code == 404
    person = whom(made, "u1")
    assert made.post(f"people/{person}/say", kopir_token="forged", word="pin").status_code == 403
    with made.runtime.database.school(made.bench.school, write=False) as db:
        assert identity.pins(db, made.bench.school, made.bench.connection) == frozenset()


@pytest.mark.parametrize(("kind", "starts"), [("csv", b"\xef\xbb\xbf"), ("xlsx", b"PK")])
def test_what_waits_is_downloaded(made: Console, kind: str, starts: bytes) -> None:
    answer = made.get(f"holds.{kind}")
    assert answer.data.startswith(starts)
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert made.get("holds.exe").status_code == 404
