"""The launch ladder's decisions: where a login begins, what a launch teaches, and whose storage is believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti.tool.ladder import CAREFUL_FOR, Rung, learn, origins_of, place_of, remembered, rungs_to_try
from lti.tool.ports import Registration

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
S, C, A, W = Rung.STORAGE, Rung.COOKIE, Rung.ACCESS, Rung.WINDOW
KNOWN = st.sampled_from([None, *Rung])


def platform(rung: str = "", at: datetime | None = NOW, **more: str) -> Registration:
    values = {"auth_url": "https://lms.kz/auth", "issuer": "https://lms.kz", **more}
    return Registration("r", values["issuer"], "c", values["auth_url"], "t", "j", rung=rung, rung_at=at)


@pytest.mark.parametrize(
    ("known", "offered", "destination", "expected"),
    [
        (None, False, None, (C,)),
        (None, False, "iframe", (C, A, W)),
        (None, True, "iframe", (S, C, A, W)),
        (None, True, None, (S, C, A, W)),
        (S, True, "iframe", (S, C, A, W)),
        (S, False, "iframe", (C,)),
        (C, False, "iframe", (C,)),
        (C, True, "iframe", (C,)),
        (W, False, "iframe", (C, A, W)),
        (A, True, "iframe", (C, S, A, W)),
        (W, False, None, (C,)),
        (W, True, "document", (C,)),
    ],
)
def test_login_begins_at_the_known_rung_and_can_fall_to_every_other(
    known: Rung | None, offered: bool, destination: str | None, expected: tuple[Rung, ...]
) -> None:
    assert rungs_to_try(known, offered=offered, place=place_of(destination)) == expected


@given(KNOWN, st.booleans(), st.sampled_from([None, "iframe", "frame", "document", "empty"]))
def test_page_that_asks_always_ends_in_a_window_and_never_repeats_itself(
    known: Rung | None, offered: bool, destination: str | None
) -> None:
    rungs = rungs_to_try(known, offered=offered, place=place_of(destination))
    assert len(set(rungs)) == len(rungs)
    assert C in rungs
    assert rungs == (C,) or rungs[-2:] == (A, W)
    assert offered or S not in rungs


@given(st.lists(st.sampled_from([None, *Rung]), max_size=40))
def test_launches_of_many_kinds_of_browsers_rewrite_the_memory_a_few_times_only(ways: list[Rung | None]) -> None:
    known, since, written = None, None, 0
    for way in ways:
        told = learn(known, since, way, NOW)
        if told is not None:
            known, since, written = told, NOW, written + 1
    assert written <= 3


def test_caution_ends_after_thirty_days_unless_it_was_needed_again() -> None:
    assert remembered(platform("window"), NOW + CAREFUL_FOR) is W
    assert remembered(platform("window"), NOW + CAREFUL_FOR + timedelta(seconds=1)) is None
    assert remembered(platform("cookie"), NOW + timedelta(days=900)) is C
    assert remembered(platform(), NOW) is None
    assert learn(W, NOW, W, NOW + timedelta(hours=1)) is None
    assert learn(W, NOW, W, NOW + timedelta(days=2)) is W


def test_storage_is_believed_from_the_platform_s_own_origins_alone() -> None:
    canvas = platform(issuer="https://canvas.example", auth_url="https://sso.canvas.example:443/api/lti/authorize")
    assert origins_of(canvas) == ("https://sso.canvas.example", "https://canvas.example")
    assert origins_of(platform(issuer="urn:lms:7", auth_url="http://user:x@LMS.kz:8080/a")) == ("http://lms.kz:8080",)
    assert origins_of(platform(issuer="javascript://x", auth_url="https://[::1]:99999/")) == ()
