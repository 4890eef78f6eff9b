"""What becomes of a link that names an activity which is not its own."""

from __future__ import annotations

from itertools import product

import pytest

from connector.host.copies import Former, Proof, Source, Verdict, decide


def source(**values):
    return Source("a", "probe", "Бақылау", "Алгебра", **{"proof": Proof.CLAIM, **values})


@pytest.mark.parametrize(
    ("values", "former", "verdict"),
    [
        ({}, Former.UNKNOWN, Verdict.COPY),
        ({"held": False}, Former.UNKNOWN, Verdict.COPY),
        ({"proof": Proof.HISTORY}, Former.UNKNOWN, Verdict.COPY),
        ({"proof": Proof.LIKENESS}, Former.UNKNOWN, Verdict.ASK),
        ({"same_lms": False}, Former.UNKNOWN, Verdict.ASK),
        ({"removed": True}, Former.UNKNOWN, Verdict.ASK),
        ({"copyable": False}, Former.UNKNOWN, Verdict.ASK),
        ({"same_course": True}, Former.THERE, Verdict.COPY),
        ({"same_course": True}, Former.UNKNOWN, Verdict.ASK),
        ({"same_course": True, "held": False}, Former.UNKNOWN, Verdict.SAME),
    ],
)
def test_what_proves_a_copy_is_done_and_what_does_not_is_asked(values, former, verdict):
    assert decide(source(**values), former) is verdict


def test_nothing_makes_two_courses_share_an_activity():
    """Neither by itself nor by a person's word."""
    flags = ("same_lms", "removed", "copyable", "held")
    for proof, former, *values in product(Proof, Former, *[(True, False)] * 4):
        other = source(proof=proof, same_course=False, **dict(zip(flags, values, strict=True)))
        assert decide(other, former) is not Verdict.SAME
        assert not other.may_be_the_same


def test_a_likeness_is_never_acted_on():
    for former, same_course, held in product(Former, (True, False), (True, False)):
        assert decide(source(proof=Proof.LIKENESS, same_course=same_course, held=held), former) is Verdict.ASK
