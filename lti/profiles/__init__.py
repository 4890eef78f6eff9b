"""What each LMS does differently from the specification: data, each with a reason and a source."""

from lti.profiles.profile import Profile, Quirk, ScoreError
from lti.profiles.table import PROFILES, profile_for

__all__ = ["PROFILES", "Profile", "Quirk", "ScoreError", "profile_for"]
