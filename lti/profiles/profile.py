"""The form of a profile: flags the code asks, and the quirks behind them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True)
class Quirk:
    """One difference: which flag it explains, why, and where that can be read."""

    flag: str
    reason: str
    source: str


@dataclass(frozen=True)
class Profile:
    """How one product behaves.

    Attributes:
        key: Our name of it, stored with the registration.
        title: The product's own name.
        family_codes: ``tool_platform.product_family_code`` values it sends.
        timestamp_resolution: Two scores of one pupil and column must differ by this much at least.
        equal_timestamp_refused: A repeat of the same score is answered as older.
        orders_by_grade_time: A score older than the *grade*, teacher's edit included, is refused; else only one
            older than the tool's own last score, and a teacher's edit is overwritten.
        future_timestamp_blocks: A score timed ahead makes later ones refused until then.
        results_pageable: ``limit`` may be asked for on results.
        zero_omitted_in_results: A grade of zero may come back without a score.
        score_clipped: A score above the maximum is cut to it.
        pending_clears_grade: A score that is not FullyGraded, or has no mark, clears the grade.
        accepted_may_be_overridden: 200 does not mean that the grade changed.
        results_have_timestamp: Results carry the grade's time.
        roster_limit: Largest page of the roster, None when not known.
        roster_hides_inactive: Suspended people are left out, so that absence is not departure.
        assistants_are_learners_in_roster: Non-editing teachers come as Learner.
        platform_storage: Platform storage (postMessage) is offered.
        token_media_type: What the token answer is labelled as.
        deep_linking_takes_label: ``lineItem.label`` of a placed item becomes the column's name.
        key_set_blocked_by_default: The LMS's own network guard may keep it from reading our keys.
        quirks: Why, and where to read it.
    """

    key: str
    title: str
    family_codes: tuple[str, ...] = ()
    timestamp_resolution: timedelta = timedelta(milliseconds=1)
    equal_timestamp_refused: bool = False
    orders_by_grade_time: bool = False
    future_timestamp_blocks: bool = False
    results_pageable: bool = True
    zero_omitted_in_results: bool = False
    score_clipped: bool = False
    pending_clears_grade: bool = False
    accepted_may_be_overridden: bool = False
    results_have_timestamp: bool = False
    roster_limit: int | None = None
    roster_hides_inactive: bool = False
    assistants_are_learners_in_roster: bool = False
    platform_storage: bool = False
    token_media_type: str = "application/json"  # noqa: S105 - a media type, not a secret.
    deep_linking_takes_label: bool = True
    key_set_blocked_by_default: bool = False
    quirks: tuple[Quirk, ...] = field(default=(), repr=False)

    def why(self, flag: str) -> Quirk | None:
        """Return the reason behind a flag, or None when it is as the specification says."""
        return next((quirk for quirk in self.quirks if quirk.flag == flag), None)
