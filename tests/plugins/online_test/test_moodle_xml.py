from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from plugins.online_test import plugin
from plugins.online_test.imports.files import read_file
from plugins.online_test.imports.report import Entry, Report, Verdict
from plugins.online_test.model import Kind, Question, Rich
from tests.plugins.online_test.kit import reasons

F = Fraction


def xml(body: str, head: str = '<?xml version="1.0" encoding="UTF-8"?>\n') -> Report:
    return read_file("export.xml", f"{head}<quiz>\n{body}\n</quiz>".encode())


def text(name: str, value: str, more: str = "") -> str:
    return f'<{name} format="html"><text><![CDATA[{value}]]></text>{more}</{name}>'


def answer(value: str, fraction: str = "0", more: str = "") -> str:
    return f'<answer fraction="{fraction}" format="html"><text><![CDATA[{value}]]></text>{more}</answer>'


def item(kind: str, body: str, stem: str = "<p>Stem</p>", files: str = "") -> str:
    head = f"<name><text>Name</text></name>{text('questiontext', stem, files)}"
    return f'<question type="{kind}">{head}<defaultgrade>2.0000000</defaultgrade>{body}</question>'


def only(found: Report) -> Entry:
    (entry,) = found.entries
    return entry


def asked(body: str) -> Question:
    entry = only(xml(body))
    assert entry.question is not None, reasons(entry)
    return entry.question


def test_multichoice_with_feedback_and_points():
    body = item(
        "multichoice",
        "<single>false</single><shuffleanswers>false</shuffleanswers>"
        + answer("<p>a</p>", "33.33333", text("feedback", "good"))
        + answer("b", "33.33333")
        + answer("c", "33.33333")
        + answer("d", "-100")
        + text("correctfeedback", "All right")
        + text("partiallycorrectfeedback", "Partly")
        + text("incorrectfeedback", "No")
        + text("generalfeedback", "In general"),
    )
    found = asked(body)
    assert (found.kind, found.points, found.keep_order) == (Kind.MULTIPLE, Decimal(2), True)
    assert [o.fraction for o in found.options] == [F(1, 3)] * 3 + [F(-1)]
    assert found.options[0].text == Rich("<p>a</p>", "html")
    assert found.options[0].feedback.text == "good"
    remarks = found.remarks
    assert [remarks.right.text, remarks.partly.text, remarks.wrong.text, remarks.general.text] == [
        "All right",
        "Partly",
        "No",
        "In general",
    ]


def test_true_false_in_either_order():
    found = asked(item("truefalse", answer("false", "100", text("feedback", "yes")) + answer("true", "0")))
    assert [(o.text.text, o.fraction) for o in found.options] == [("True", F(0)), ("False", F(1))]


def test_numerical_with_tolerance_and_any_other():
    body = answer("3.14", "100", "<tolerance>0.01</tolerance>") + answer("*", "0", text("feedback", "no"))
    found = asked(item("numerical", body))
    assert [(r.low, r.high) for r in found.ranges] == [(F(313, 100), F(315, 100)), (None, None)]


def test_short_answer_with_its_case_option():
    assert asked(item("shortanswer", "<usecase>1</usecase>" + answer("NaCl", "100"))).case_sensitive
    assert not asked(item("shortanswer", "<usecase>0</usecase>" + answer("NaCl", "100"))).case_sensitive


def test_matching_with_a_spare_choice():
    pair = '<subquestion format="html"><text>{}</text><answer><text>{}</text></answer></subquestion>'
    found = asked(item("matching", pair.format("a", "1") + pair.format("b", "2") + pair.format("", "3")))
    assert ([s.text for s in found.stems], [c.text for c in found.choices], found.key) == (
        ["a", "b"],
        ["1", "2", "3"],
        (0, 1),
    )


def test_categories_are_kept_and_are_no_questions():
    category = '<question type="category"><category><text>$course$/top/Алгебра</text></category></question>'
    assert asked(category + item("shortanswer", answer("x", "100"))).category == "$course$/top/Алгебра"


def test_pictures_are_refused_by_name_not_lost():
    files = '<file name="graph 1.png" path="/" encoding="base64">iVBORw0KGgo=</file>'
    stem = '<p><img src="@@PLUGINFILE@@/graph%201.png" alt="graph"></p>'
    entry = only(xml(item("shortanswer", answer("x", "100"), stem, files)))
    assert entry.verdict is Verdict.REFUSED
    assert "graph 1.png" in reasons(entry)[0][1]


@pytest.mark.parametrize("kind", ["essay", "cloze", "calculated", "ddwtos", "description", ""])
def test_other_kinds_are_refused_by_name_and_line(kind: str):
    good = item("shortanswer", answer("x", "100"))
    found = xml(f"{good}\n{item(kind, '')}\n{good}")
    assert [e.verdict for e in found.entries] == [Verdict.TAKEN, Verdict.REFUSED, Verdict.TAKEN]
    assert reasons(found.entries[1]) == [(4, f"Questions of the type “{kind}” cannot be taken.")]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (item("multichoice", answer("a", "100")), "two answers"),
        (item("multichoice", answer("a", "50") + answer("b")), "50 %"),
        (item("multichoice", answer("a", "x") + answer("b", "100")), "percent"),
        (item("truefalse", answer("yes", "100") + answer("no")), "“true” and “false”"),
        (item("numerical", answer("abc", "100")), "not a number"),
        (item("numerical", ""), "0 %"),
        (item("shortanswer", answer("", "100")), "empty"),
        (item("matching", ""), "two pairs"),
        (item("shortanswer", answer("x", "100"), ""), "no text"),
        (item("shortanswer", answer("x", "100")).replace("2.0000000", "0"), "above zero"),
        (item("shortanswer", answer("x", "100")).replace("2.0000000", "NaN"), "above zero"),
        (item("shortanswer", answer("x", "100")).replace("2.0000000", "1e999"), "above zero"),
        ("<other/>", "not a question"),
    ],
)
def test_what_is_refused_says_why(body: str, words: str):
    entry = only(xml(body))
    assert entry.verdict is Verdict.REFUSED
    assert words in reasons(entry)[0][1]


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("<hidden>1</hidden>", "hidden"),
        ("<units><unit><multiplier>1</multiplier><unit_name>m</unit_name></unit></units>", "Units"),
        ('<hint format="html"><text>think</text></hint>', "Hints"),
    ],
)
def test_what_stays_behind_in_moodle_is_said(extra: str, words: str):
    entry = only(xml(item("numerical", answer("1", "100") + extra)))
    assert entry.verdict is Verdict.REVIEW
    assert words in reasons(entry)[0][1]


BOMB = '<?xml version="1.0"?><!DOCTYPE q [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>\n'
THIEF = '<?xml version="1.0"?><!DOCTYPE q [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n'


@pytest.mark.parametrize(
    "head", [BOMB, THIEF, '<?xml version="1.0"?><!DOCTYPE quiz SYSTEM "http://127.0.0.1:9/x.dtd">\n']
)
def test_document_types_and_entities_are_refused_whole(head: str):
    entry = only(xml(item("shortanswer", answer("x", "100")), head))
    assert entry.verdict is Verdict.REFUSED
    assert "document type" in reasons(entry)[0][1]


def test_xml_that_breaks_off_lists_what_stood_before_and_names_the_line():
    good = item("shortanswer", answer("x", "100"))
    found = read_file("x.xml", f"<quiz>\n{good}\n{good}\n<question>\n</quiz>".encode())
    assert [e.verdict for e in found.entries] == [Verdict.TAKEN, Verdict.TAKEN, Verdict.REFUSED]
    assert reasons(found.entries[2]) == [(5, "The XML breaks off here; what follows was not read.")]


def test_a_deep_tree_is_refused():
    found = read_file("x.xml", b"<quiz>" + b"<a>" * 100 + b"</a>" * 100 + b"</quiz>")
    assert "nested too deep" in reasons(found.entries[-1])[0][1]


def test_xml_of_another_kind_is_refused():
    found = read_file("x.xml", b'<?xml version="1.0"?><rss><channel/></rss>')
    assert "not a Moodle question export" in reasons(only(found))[0][1]


def test_an_unknown_encoding_is_refused():
    found = read_file("x.xml", b'<?xml version="1.0" encoding="klingon"?><quiz></quiz>')
    assert [e.verdict for e in found.entries] == [Verdict.REFUSED]


@pytest.mark.parametrize(("name", "count", "points"), [("algebra-7.gift", 8, "8"), ("algebra-7.xml", 6, "9")])
def test_the_samples_are_taken_whole(name: str, count: int, points: str):
    found = read_file(name, (plugin.manifest.package / "samples" / name).read_bytes())
    assert found.count(Verdict.TAKEN) == len(found.entries) == count
    assert sum(q.points for q in found.questions) == Decimal(points)
    assert {q.kind for q in found.questions} == set(Kind)
