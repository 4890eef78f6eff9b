"""Profiles of platforms: every flag that differs has its reason and its source."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta

import pytest

from lti.profiles import PROFILES, Profile, profile_for

NOT_FLAGS = {"key", "title", "family_codes", "quirks"}


@pytest.mark.parametrize(
    ("code", "key"),
    [("moodle", "moodle"), ("Moodle", "moodle"), ("desire2learn", "d2l"), ("d2l", "d2l"), ("canvas", "canvas"),
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
