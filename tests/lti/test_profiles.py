"""Profiles of platforms: every flag that differs has its reason and its source."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta

import pytest

from connector.base.outbound import Reply
from lti.profiles import PROFILES, Profile, profile_for
from lti.tool.outcomes import ScoreStatus, classify

NOT_FLAGS = {"key", "title", "family_codes", "quirks"}


@pytest.mark.parametrize(
    ("code", "key"),
    [("moodle", "moodle"), ("Moodle", "moodle"), ("desire2learn", "d2l"), ("d2l", "d2l"), ("canvas", "canvas"),
     ("BlackboardLearn", "blackboard"), ("sakai", "sakai"), ("Open edX", "openedx"),
     ("kopir", "generic"), ("", "generic"), (None, "generic")],
)  # fmt: skip
def test_a_platform_finds_its_profile(code, key):
    assert profile_for(code).key == key


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_every_flag_that_differs_from_the_specification_is_explained(profile):
    plain = Profile(key="", title="")
    differing = {f.name for f in fields(Profile)} - NOT_FLAGS
    differing = {name for name in differing if getattr(profile, name) != getattr(plain, name)}
    assert differing == {quirk.flag for quirk in profile.quirks}
    for quirk in profile.quirks:
        assert quirk.reason.endswith(".")
        assert quirk.source.startswith("https://")
        assert profile.why(quirk.flag) is quirk


def test_a_flag_as_specified_has_no_reason():
    assert PROFILES["moodle"].why("platform_storage") is None


def test_moodles_measured_ways():
    moodle = PROFILES["moodle"]
    assert moodle.timestamp_resolution == timedelta(seconds=1)
    assert not moodle.results_pageable
    assert moodle.zero_omitted_in_results
    assert moodle.score_clipped
    assert moodle.token_media_type == "text/html"


def test_an_unknown_platform_is_treated_with_caution():
    generic = profile_for("unheard-of")
    assert generic.zero_omitted_in_results
    assert generic.timestamp_resolution >= timedelta(seconds=1)
    assert generic.accepted_may_be_overridden


def test_only_brightspace_wants_another_token_audience():
    wanting = {key: profile.token_audience for key, profile in PROFILES.items() if profile.token_audience}
    assert wanting == {"d2l": "https://api.brightspace.com/auth/token"}


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_a_refusal_in_a_products_own_words_has_a_cause_that_exists(profile):
    for error in profile.score_errors:
        assert error.cause in set(ScoreStatus)
        assert error.text == error.text.lower()


@pytest.mark.parametrize(
    ("profile", "reason", "body", "status"),
    [
        ("moodle", "Incorrect score received", b"", ScoreStatus.NOT_GRADABLE),
        ("blackboard", "", b"User could not be found: _123_1", ScoreStatus.NOT_GRADABLE),
        ("canvas", "", b"Provided submission is older than the last updated timestamp", ScoreStatus.OLDER_TIMESTAMP),
        # A platform that was registered under another name is understood all the same.
        ("generic", "Incorrect score received", b"", ScoreStatus.NOT_GRADABLE),
        ("sakai", "", b"no such thing", ScoreStatus.REJECTED),
    ],
)
def test_a_refused_score_is_read_in_the_products_own_words(profile, reason, body, status):
    reply = Reply(400, {"content-type": "text/plain"}, body, "https://lms.kz/scores", reason=reason)
    assert classify(reply, profile).status is status
