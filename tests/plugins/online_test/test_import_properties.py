from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.online_test.imports.files import read_file
from plugins.online_test.imports.report import Report, Verdict, report_from_json, report_to_json
from plugins.online_test.markup import as_words, losses, show
from plugins.online_test.model import Kind, Option, Pattern, Question, Range, Remarks, Rich, from_json, to_json
from plugins.online_test.numbers import parse_number
from plugins.online_test.scoring import share

ODD = st.text(alphabet="{}=~#%:\\->\n\t /$[]*.,<>!?&;TFabc0159қәі\ue000\u200b", max_size=200)
WORDS = "{ } = ~ # #### %50% %-100% -> :: // \\ \\= T 5 .. : [html] <p> <img> <![CDATA[ қазақ 3,14"
PARTS = st.sampled_from([*WORDS.split(), "\n", "\n\n", " ", "$CATEGORY: x"])
SOUP = st.lists(PARTS, max_size=60).map("".join)


def blocks(text: str) -> int:
    """Count questions the plain way: runs of lines with something but a comment, cut at blanks and categories."""
    count, inside = 0, False
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        bare = line.strip()
        if not bare or bare.startswith("$CATEGORY:"):
            inside = False
        elif not bare.startswith("//"):
            count += not inside
            inside = True
    return count


def check(report: Report) -> None:
    for entry in report.entries:
        assert entry.line >= 1
        assert (entry.question is None) is (entry.verdict is Verdict.REFUSED)
        assert entry.verdict is not Verdict.REFUSED or entry.reasons
    assert report_from_json(json.loads(json.dumps(report_to_json(report)).encode())) == report
    json.dumps(report_to_json(report), ensure_ascii=False).encode()
    for question in report.questions:
        assert share(question, None) == 0
        show(question.text)


@settings(max_examples=400, deadline=None)
@given(ODD | SOUP)
def test_any_text_is_taken_or_reported_question_by_question(text: str):
    report = read_file("x.gift", text.encode())
    check(report)
    if text.strip() and not text.lstrip().lower().startswith(("<?xml", "<quiz", "<html", "<!doctype html")):
        assert len(report.entries) == max(1, blocks(text))


@settings(max_examples=200, deadline=None)
@given(st.lists(SOUP.filter(lambda s: "\n" not in s and "$" not in s), max_size=4), st.integers(0, 4))
def test_a_good_question_is_taken_whatever_stands_around_it(others: list[str], place: int):
    parts = [*others[:place], "::Good:: 2 + 2? {=4 ~5}", *others[place:]]
    report = read_file("x.gift", ("//\n\n" + "\n\n".join(parts)).encode())
    assert any(q.title == "Good" and q.kind is Kind.SINGLE and len(q.options) == 2 for q in report.questions)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda b: b"<quiz>" + b))
def test_any_bytes_end_in_a_report(content: bytes):
    report = read_file("x", content)
    assert report.entries
    check(report)


TAGS = ["<question type='multichoice'>", "</question>", "<answer fraction='100'>", "</answer>", "<text>", "</text>"]
TAGS += [
    "<questiontext>",
    "</questiontext>",
    "x",
    "<single>false</single>",
    "<file name='a'/>",
    "&amp;",
    "<![CDATA[<b>]]>",
]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(TAGS), max_size=30).map("".join))
def test_any_xml_soup_ends_in_a_report(body: str):
    check(read_file("x.xml", f"<quiz>{body}</quiz>".encode()))


@settings(max_examples=300, deadline=None)
@given(ODD | SOUP | st.text(alphabet="<>/!-[]\"'=&;pbrimgscript?x \n", max_size=120))
def test_shown_texts_hold_no_tag_that_is_not_on_the_list(text: str):
    for inline in (False, True):
        shown = str(show(Rich(text, "html"), inline=inline))
        for piece in shown.split("<")[1:]:
            name = piece.split(">", 1)[0].strip("/")
            assert name.isalnum(), shown
            assert name not in ("script", "style", "img", "iframe", "svg", "a", "form", "input")
    losses(Rich(text, "html"))
    assert len(as_words(Rich(text, "html"), 40)) <= 40


def test_scripts_and_attributes_do_not_survive():
    shown = show(Rich('<p onclick="x()">a<script>alert(1)</script><b style="x">b</b><a href="javascript:1">c', "html"))
    assert shown == "<p>a<b>b</b>c</p>"
    assert show(Rich("<script>alert(1)</script>")) == "&lt;script&gt;alert(1)&lt;/script&gt;"


RICH = st.builds(Rich, st.text(max_size=20), st.sampled_from(["plain", "html"]))
SHARE = st.fractions(-1, 1)
QUESTION = st.builds(
    Question,
    st.sampled_from(Kind),
    st.text(max_size=10),
    RICH,
    st.decimals("0.01", 100, places=2),
    st.lists(st.builds(Option, RICH, SHARE, RICH), max_size=3).map(tuple),
    st.lists(st.builds(Range, st.text(), st.none() | SHARE, st.none() | SHARE, SHARE, RICH), max_size=3).map(tuple),
    st.lists(st.builds(Pattern, st.text(), SHARE, RICH), max_size=3).map(tuple),
    st.booleans(),
    st.lists(RICH, max_size=3).map(tuple),
    st.lists(RICH, max_size=3).map(tuple),
    st.lists(st.integers(0, 9), max_size=3).map(tuple),
    st.booleans(),
    st.builds(Remarks, RICH, RICH, RICH, RICH),
    st.text(max_size=10),
)


@given(QUESTION)
def test_a_question_survives_its_json(question: Question):
    assert from_json(json.loads(json.dumps(to_json(question)))) == question


@given(st.decimals(-(10**9), 10**9, places=4))
def test_a_number_is_read_back_exactly_with_comma_or_point(number: Decimal):
    text = format(number, "f")
    assert parse_number(text) == parse_number(text.replace(".", ",")) == Fraction(number)
