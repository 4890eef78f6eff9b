from __future__ import annotations

import codecs

import pytest

from plugins.online_test.imports.files import MAX_BYTES, MAX_QUESTIONS, read_file
from plugins.online_test.imports.report import Verdict
from tests.plugins.online_test.kit import reasons

KAZAKH = "Әліпби қандай? {=қазақ ~орыс}\n"


@pytest.mark.parametrize(
    "content",
    [
        KAZAKH.encode(),
        codecs.BOM_UTF8 + KAZAKH.encode(),
        KAZAKH.encode("utf-16"),
        codecs.BOM_UTF16_BE + KAZAKH.encode("utf-16-be"),
    ],
)
def test_unicode_files_are_read_with_or_without_a_mark(content: bytes):
    (entry,) = read_file("x.txt", content).entries
    assert entry.verdict is Verdict.TAKEN
    assert entry.title.startswith("Әліпби")


def test_a_windows_1251_file_is_refused_with_the_line_and_a_way_out():
    content = b"// first line\n\n" + "Сколько будет? {=два ~три}\n".encode("cp1251")
    (entry,) = read_file("x.txt", content).entries
    assert entry.verdict is Verdict.REFUSED
    ((line, words),) = reasons(entry)
    assert line == 3
    assert "Windows-1251" in words


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b" \n\t ", "empty"),
        (b"PK\x03\x04rest", "Word, Excel or ZIP"),
        (b"\xd0\xcf\x11\xe0rest", "old Word"),
        (b"%PDF-1.7", "PDF"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"// nothing but a comment\n", "no questions"),
        (b"a {T}\x00", "not a text file"),
        (b"\x89\xfe\x81\x90\x8d", "not UTF-8"),
        (b"\xff\xfea", "not UTF-8"),
        (b"x" * (MAX_BYTES + 1), "larger than 4 MB"),
    ],
)
def test_what_is_no_question_file_is_refused_with_a_reason(content: bytes, words: str):
    (entry,) = read_file("x", content).entries
    assert entry.verdict is Verdict.REFUSED
    assert words in reasons(entry)[0][1]


def test_a_file_with_too_many_questions_says_where_it_was_cut():
    found = read_file("x.gift", b"a {T}\n\n" * (MAX_QUESTIONS + 3))
    assert len(found.questions) == MAX_QUESTIONS
    assert reasons(found.entries[-1])[0][0] == 2 * MAX_QUESTIONS + 1
    assert "3 from here on" in reasons(found.entries[-1])[0][1]
