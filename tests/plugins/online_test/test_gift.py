from __future__ import annotations

from fractions import Fraction

import pytest

from plugins.online_test.imports.report import Verdict
from plugins.online_test.model import Kind, Rich
from tests.plugins.online_test.kit import entry, gift, question, reasons

F = Fraction


def test_single_choice_keeps_options_weights_and_feedback():
    found = question("::Q1:: Who? {=Abai#Yes ~%50%Shakarim#Nearly ~Nobody}")
    assert (found.kind, found.title, found.text) == (Kind.SINGLE, "Q1", Rich("Who?"))
    assert [(o.text.text, o.fraction, o.feedback.text) for o in found.options] == [
        ("Abai", F(1), "Yes"),
        ("Shakarim", F(1, 2), "Nearly"),
        ("Nobody", F(0), ""),
    ]


def test_multiple_choice_has_no_equals_sign():
    found = question("Even? {~%50%2 ~%50%4 ~%-50%3}")
    assert found.kind is Kind.MULTIPLE
    assert [o.fraction for o in found.options] == [F(1, 2), F(1, 2), F(-1, 2)]


@pytest.mark.parametrize("weight", ["33.33333", "33.333", "33.33", "33.3", "33,3"])
def test_three_thirds_make_the_whole_however_a_third_is_written(weight: str):
    found = question(f"Pick {{~%{weight}%a ~%{weight}%b ~%{weight}%c ~d}}")
    assert [o.fraction for o in found.options] == [F(1, 3)] * 3 + [F(0)]


@pytest.mark.parametrize(
    ("key", "true_is_right"), [("T", True), ("TRUE", True), ("true", True), ("F", False), ("FALSE", False)]
)
def test_true_false(key: str, true_is_right: bool):
    found = question(f"Sky is blue {{{key}#said when wrong#said when right}}")
    right, wrong = found.options if true_is_right else reversed(found.options)
    assert found.kind is Kind.TRUE_FALSE
    assert (right.fraction, right.feedback.text) == (F(1), "said when right")
    assert (wrong.fraction, wrong.feedback.text) == (F(0), "said when wrong")


@pytest.mark.parametrize(
    ("spec", "low", "high"),
    [
        ("#5", F(5), F(5)),
        ("#3.14:0.01", F(313, 100), F(315, 100)),
        ("#3,14:0,01", F(313, 100), F(315, 100)),
        ("#1..2", F(1), F(2)),
        ("#-2..-1", F(-2), F(-1)),
        ("# =7", F(7), F(7)),
        ("#1e3", F(1000), F(1000)),
    ],
)
def test_numerical_tolerances_and_ranges(spec: str, low: Fraction, high: Fraction):
    (found,) = question(f"How much? {{{spec}}}").ranges
    assert (found.low, found.high, found.fraction) == (low, high, F(1))


def test_numerical_with_several_answers_and_a_remark_for_any_other():
    found = question("When? {# =1822:0#exactly =%50%1822:2#nearly ~#look it up}")
    assert [(r.low, r.fraction, r.feedback.text) for r in found.ranges] == [
        (F(1822), F(1), "exactly"),
        (F(1820), F(1, 2), "nearly"),
        (None, F(0), "look it up"),
    ]


def test_short_answer_with_weights_and_without_a_marker():
    assert [(p.text, p.fraction) for p in question("Capital? {=Astana =%50%Akmola}").patterns] == [
        ("Astana", F(1)),
        ("Akmola", F(1, 2)),
    ]
    assert [p.text for p in question("Two plus two equals {four}").patterns] == ["four"]


def test_matching_keeps_a_spare_choice_and_shares_equal_ones():
    found = question("Match {=cat -> animal =dog -> animal =oak -> tree = -> stone}")
    assert [s.text for s in found.stems] == ["cat", "dog", "oak"]
    assert [c.text for c in found.choices] == ["animal", "tree", "stone"]
    assert found.key == (0, 0, 1)


def test_general_feedback_and_missing_word():
    found = question("The {=sun ~moon ####Look up by day.} shines.")
    assert found.text.text == "The _____ shines."
    assert found.remarks.general.text == "Look up by day."


def test_escapes_give_the_letters_back():
    found = question(r"::A\:B:: Is \{x\} \= 5\~ish \# \\ here?\nNew line {=a\=b#c\#d ~\~x}")
    assert found.title == "A:B"
    assert found.text.text == "Is {x} = 5~ish # \\ here?\nNew line"
    assert [o.text.text for o in found.options] == ["a=b", "~x"]
    assert found.options[0].feedback.text == "c#d"


def test_tex_keeps_its_backslashes():
    assert question(r"Half: \(\frac\{1\}\{2\}\) {=yes ~no}").text.text == r"Half: \(\frac{1}{2}\)"


@pytest.mark.parametrize(
    ("mark", "text", "kind"),
    [
        ("[html]", "<b>x</b>", "html"),
        ("[plain]", "<b>x</b>", "plain"),
        ("", "a<b and c>d", "plain"),
        ("", "<b>x</b>", "html"),
        ("[moodle]", "<p>x</p>", "html"),
    ],
)
def test_formats(mark: str, text: str, kind: str):
    assert question(f"{mark}{text} {{T}}").text == Rich(text, kind)


def test_comments_and_categories_are_no_questions():
    found = gift("// a remark\n$CATEGORY: Algebra/7\n\n// another\nQ? {T}\n\n$CATEGORY: Geometry\nR? {F}\n")
    assert [(e.line, e.question and e.question.category) for e in found.entries] == [(5, "Algebra/7"), (8, "Geometry")]


def test_windows_line_ends_count_as_one():
    found = gift("Q? {T}\r\n\r\nR? {T\r\n\r\nS? {F}\r\n")
    assert [(e.line, e.verdict) for e in found.entries] == [
        (1, Verdict.TAKEN),
        (3, Verdict.REFUSED),
        (5, Verdict.TAKEN),
    ]


def test_an_error_on_line_7_names_line_7_and_lists_the_others():
    text = "::A:: One? {T}\n\n::B:: Two? {F}\n\n// here\n\n::C:: Three? {=yes ~no\n\n::D:: Four? {#4}\n"
    found = gift(text)
    assert [e.title for e in found.entries] == ["A", "B", "C Three?", "D"]
    assert [e.verdict for e in found.entries] == [Verdict.TAKEN, Verdict.TAKEN, Verdict.REFUSED, Verdict.TAKEN]
    assert reasons(found.entries[2]) == [(7, "A { is not closed by } before the next blank line.")]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("No answers here", 1, "no answers in { }"),
        ("Essay {}", 1, "essay"),
        ("Essay\n{\n}", 2, "essay"),
        ("{T}", 1, "no text"),
        ("::title never ends {T}", 1, "title"),
        ("a } b {T}", 1, "has no {"),
        ("a {T} b }", 1, "has no {"),
        ("a {T}\nb {F}", 2, "second {"),
        ("a {=x ~}", 1, "empty"),
        ("a {\n=x\n=}", 3, "empty"),
        ("a {~x}", 1, "two answers"),
        ("a {~%50%x ~y}", 1, "50 %"),
        ("a {~%50%x ~%60%y}", 1, "110 %"),
        ("a {=%50%x =%20%y}", 1, "50 %"),
        ("a {=x =%-50%y}", 1, "cannot take points away"),
        ("a {~%abc%x =y}", 1, "not a number of percent"),
        ("a {~%150%x ~y}", 1, "outside"),
        ("a {~%50 x =y}", 1, "not closed by a second %"),
        ("a {stray ~x =y}", 1, "before the first"),
        ("a {\n=1 -> one\n=2 two}", 3, "A pair must read"),
        ("a {=1 -> one}", 1, "two pairs"),
        ("a {#abc}", 1, "not a number"),
        ("a {#1:x}", 1, "not a number"),
        ("a {#1:-1}", 1, "below zero"),
        ("a {#5..1}", 1, "wrong way round"),
        ("a {#}", 1, "empty"),
        ('[html]<p>See <img src="@@PLUGINFILE@@/my%20graph.png"></p> {T}', 1, "my graph.png"),
        ("a {" + "~x " * 60 + "}", 1, "more than 50"),
        ("a " + "x" * 20_001 + " {T}", 1, "longer than"),
    ],
)
def test_what_is_refused_names_line_and_reason(text: str, line: int, words: str):
    found = entry(text)
    assert found.verdict is Verdict.REFUSED
    ((at, reason),) = reasons(found)
    assert at == line
    assert words in reason


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (r"[html]<p>Root of \(x^2\)</p> {#2}", 1, "Formulas"),
        ('[html]<a href="https://kk.wikipedia.org">see</a> {T}', 1, "https://kk.wikipedia.org"),
        ("[html]<blink>x</blink> {T}", 1, "blink"),
        ("[markdown]**x** {T}", 1, "Markdown"),
        ("a {\n~b\n=x=5}", 3, "inside a word"),
        ("a {=x =y ~z}", 1, "any of them is full marks"),
    ],
)
def test_what_is_taken_with_a_remark(text: str, line: int, words: str):
    found = entry(text)
    assert found.verdict is Verdict.REVIEW
    assert any(at == line and words in reason for at, reason in reasons(found))


def test_a_blank_line_between_two_faults_still_lets_the_third_question_in():
    found = gift("a {=1\n\n~2}\n\nb {T}")
    assert [e.verdict for e in found.entries] == [Verdict.REFUSED, Verdict.REFUSED, Verdict.TAKEN]
