"""What became of a write: the whole table, and the properties behind it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.effects.judge import Post, Reading, Verdict, after_write, before_write, rescale, snap

A, OLD, R, L, N, U = Post.ACCEPTED, Post.OLDER, Post.REFUSED, Post.LOCKED, Post.NOT_SENT, Post.UNANSWERED

# how the call ended, what is shown, what we wrote, what was agreed, sent before, zeros hidden → verdict, reason.
# "-" is nothing, "?" an unreadable column.
AFTER = [
    (A, "8", "8", "-", False, True, "delivered", ""),
    (A, "8", "8", "5", False, True, "delivered", ""),
    (A, "8", "8", "8", False, True, "delivered", ""),
    (A, "-", "0", "-", False, True, "delivered", "zero_not_shown"),
    (A, "-", "0", "5", False, True, "delivered", "zero_not_shown"),
    (A, "0", "0", "-", False, True, "delivered", ""),
    (A, "-", "0", "-", False, False, "unknown", "accepted_not_shown"),
    (A, "-", "-", "5", False, True, "delivered", ""),
    (A, "-", "8", "-", False, True, "unknown", "accepted_not_shown"),
    (A, "-", "8", "5", False, True, "unknown", "accepted_not_shown"),
    (A, "5", "8", "5", False, True, "kept", "kept_by_teacher"),
    (A, "3", "8", "5", False, True, "kept", "kept_by_teacher"),
    (A, "3", "8", "-", False, False, "kept", "kept_by_teacher"),
    (A, "3", "-", "5", False, True, "kept", "kept_by_teacher"),
    (A, "?", "8", "5", False, True, "unknown", "not_read"),
    (OLD, "8", "8", "-", False, True, "already", ""),
    (OLD, "8", "8", "5", True, True, "already", ""),
    (OLD, "-", "0", "-", True, True, "already", "zero_not_shown"),
    (OLD, "-", "0", "-", False, True, "conflict", "zero_or_none"),
    (OLD, "-", "8", "-", False, True, "conflict", "zero_or_none"),
    (OLD, "-", "8", "-", True, True, "conflict", "zero_or_none"),
    (OLD, "-", "8", "-", False, False, "resend_later", "older_timestamp"),
    (OLD, "-", "8", "0", False, True, "conflict", "zero_or_none"),
    (OLD, "-", "-", "5", False, True, "already", ""),
    (OLD, "5", "8", "5", False, True, "resend_later", "older_timestamp"),
    (OLD, "3", "8", "5", False, True, "conflict", "changed_by_other"),
    (OLD, "3", "8", "-", True, True, "conflict", "changed_by_other"),
    (OLD, "-", "8", "5", False, False, "conflict", "changed_by_other"),
    (OLD, "?", "8", "5", True, True, "unknown", "not_read"),
    (U, "8", "8", "-", True, True, "delivered", ""),
    (U, "8", "8", "8", True, True, "delivered", ""),
    (U, "-", "0", "-", True, True, "resend", "zero_or_none"),
    (U, "-", "-", "5", True, True, "resend", "zero_or_none"),
    (U, "-", "-", "5", True, False, "delivered", ""),
    (U, "-", "8", "-", True, True, "resend", "not_there"),
    (U, "5", "8", "5", True, True, "resend", "not_there"),
    (U, "3", "8", "5", True, True, "conflict", "changed_by_other"),
    (U, "-", "8", "5", True, True, "conflict", "changed_by_other"),
    (U, "?", "8", "5", True, True, "unknown", "not_read"),
    (N, "5", "8", "5", False, True, "resend", "not_there"),
    (N, "3", "8", "5", False, True, "conflict", "changed_by_other"),
    (N, "8", "8", "5", False, True, "delivered", ""),
    (R, "-", "8", "-", False, True, "refused", "refused"),
    (R, "8", "8", "-", True, True, "already", ""),
    (R, "?", "8", "-", False, True, "refused", "refused"),
    (L, "3", "8", "5", False, True, "refused", "locked"),
    (L, "8", "8", "5", True, True, "already", ""),
]  # fmt: skip


def mark(text: str) -> Decimal | None:
    return None if text == "-" else Decimal(text)


def reading(shown: str, hides_zero: bool) -> Reading:
    return Reading(False) if shown == "?" else Reading(True, mark(shown), hides_zero)


@pytest.mark.parametrize(("post", "shown", "wrote", "base", "before", "hides", "verdict", "reason"), AFTER)
def test_write_is_judged_by_what_is_shown(
    post: Post, shown: str, wrote: str, base: str, before: bool, hides: bool, verdict: str, reason: str
) -> None:
    ruling = after_write(post, reading(shown, hides), mark(wrote), mark(base), sent_before=before)
    assert (ruling.verdict.value, ruling.reason) == (verdict, reason)


# what is shown, what is to be written, what was agreed ("none": nothing of ours was ever there), zeros hidden.
BEFORE = [
    ("-", "8", "none", True, "write", ""),
    ("-", "0", "none", True, "write", ""),
    ("8", "8", "none", True, "already", ""),
    ("3", "8", "none", True, "kept", "changed_by_other"),
    ("0", "8", "none", True, "kept", "changed_by_other"),
    ("5", "8", "5", True, "write", ""),
    ("5", "5", "5", True, "write", ""),
    ("3", "8", "5", True, "kept", "changed_by_other"),
    ("8", "8", "5", True, "already", ""),
    ("-", "8", "0", True, "write", ""),
    ("-", "8", "5", True, "kept", "cleared_or_zero"),
    ("-", "8", "5", False, "write", ""),
    ("-", "8", "-", True, "write", ""),
    ("3", "8", "-", True, "kept", "changed_by_other"),
    ("?", "8", "5", True, "unknown", "not_read"),
]


@pytest.mark.parametrize(("shown", "wrote", "base", "hides", "verdict", "reason"), BEFORE)
def test_cell_is_written_only_while_it_shows_what_was_agreed(
    shown: str, wrote: str, base: str, hides: bool, verdict: str, reason: str
) -> None:
    known = base != "none"
    ruling = before_write(reading(shown, hides), mark(wrote), mark(base) if known else None, base_known=known)
    assert (ruling.verdict.value, ruling.reason) == (verdict, reason)


marks = st.none() | st.sampled_from([Decimal(n) for n in (0, 3, 5, 8)])
readings = st.builds(Reading, st.just(True), marks, st.booleans())


@given(st.sampled_from(Post), readings, marks, marks, st.booleans())
def test_nothing_is_called_delivered_that_is_not_shown(
    post: Post, seen: Reading, wrote: Decimal | None, base: Decimal | None, before: bool
) -> None:
    verdict = after_write(post, seen, wrote, base, sent_before=before).verdict
    if verdict in (Verdict.DELIVERED, Verdict.ALREADY):
        assert seen.shows(wrote)


@given(st.sampled_from(Post), readings, marks, marks, st.booleans())
def test_another_persons_mark_is_never_written_over(
    post: Post, seen: Reading, wrote: Decimal | None, base: Decimal | None, before: bool
) -> None:
    if seen.value is None or seen.value in (wrote, base):
        return
    after = after_write(post, seen, wrote, base, sent_before=before).verdict
    assert after not in (Verdict.RESEND, Verdict.RESEND_LATER, Verdict.WRITE)
    assert before_write(seen, wrote, base, base_known=before).verdict is Verdict.KEPT


@given(st.sampled_from(Post), marks, marks, st.booleans())
def test_unread_column_settles_nothing_but_a_refusal(
    post: Post, wrote: Decimal | None, base: Decimal | None, before: bool
) -> None:
    verdict = after_write(post, Reading(False), wrote, base, sent_before=before).verdict
    assert verdict is (Verdict.REFUSED if post in (R, L) else Verdict.UNKNOWN)


@given(
    st.decimals(0, 100, places=2),
    st.sampled_from([Decimal(n) for n in (1, 3, 7, 10, 40, 60, 100)]),
    st.sampled_from([Decimal(n) for n in (1, 3, 7, 10, 40, 60, 100)]),
)
def test_mark_is_known_again_after_the_platform_rescaled_it(given_: Decimal, maximum: Decimal, column: Decimal) -> None:
    shown = rescale(min(given_, maximum), maximum, column)
    as_float = Decimal(repr(float(shown)))
    assert snap(as_float, min(given_, maximum), maximum, column) == as_float


def test_mark_above_the_columns_maximum_is_known_again_after_it_was_cut() -> None:
    assert snap(Decimal(40), Decimal(50), Decimal(40), Decimal(40)) == 40
    assert snap(Decimal(40), Decimal(30), Decimal(40), Decimal(40)) == 30
    assert snap(Decimal("33.33333"), Decimal(1), Decimal(3), Decimal(100)) == Decimal("33.33333")
    assert snap(Decimal("33.4"), Decimal(1), Decimal(3), Decimal(100)) == Decimal("33.33333")
