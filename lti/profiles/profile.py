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
class ScoreError:
    """How one product words a refused score.

    Attributes:
        status: HTTP status.
        text: A part of the reason phrase or the body, in lower case.
        cause: Value of ``lti.tool.outcomes.ScoreStatus``.
    """

    status: int
    text: str
    cause: str


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
        token_audience: ``aud`` of our client assertion where it is neither the token URL nor named by the platform.
        scopes_granted_silently_cut: A token may come with fewer scopes than were asked for.
        line_items_page_limit: Largest page of line items, None when not known.
        link_header_malformed: ``Link`` headers of the gradebook are not RFC 8288.
        link_query_repeated: A next page's address may hold the same parameter twice.
        integer_maximum: ``scoreMaximum`` must be a whole number.
        line_items_deletable: DELETE of a line item is served.
        results_by_user_drop_comment: Results asked for one user come without comments.
        comment_line_break: What a new line in a comment must be written as.
        score_errors: The product's own words for a refused score.
        dynamic_registration: Tools can register themselves.
        registration_token_given: A registration token comes with the registration page's address.
        deployments_come_later: Registering makes no deployment; each school's is made afterwards.
        frame_sources: CSP sources that frame our pages besides the issuer's own origin.
        registration_extras: Further members of the tool configuration, by full name.
        item_variables: Substitution variables it fills in custom parameters of placed links.
        item_types: Content item types it takes, whatever it says; empty when it is believed.
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
    token_audience: str | None = None
    scopes_granted_silently_cut: bool = False
    line_items_page_limit: int | None = None
    link_header_malformed: bool = False
    link_query_repeated: bool = False
    integer_maximum: bool = False
    line_items_deletable: bool = True
    results_by_user_drop_comment: bool = False
    comment_line_break: str = "\n"
    score_errors: tuple[ScoreError, ...] = ()
    dynamic_registration: bool = True
    registration_token_given: bool = True
    deployments_come_later: bool = False
    frame_sources: tuple[str, ...] = ()
    registration_extras: tuple[tuple[str, str], ...] = ()
    item_variables: tuple[str, ...] = ()
    item_types: tuple[str, ...] = ()
    quirks: tuple[Quirk, ...] = field(default=(), repr=False)

    def why(self, flag: str) -> Quirk | None:
        """Return the reason behind a flag, or None when it is as the specification says."""
        return next((quirk for quirk in self.quirks if quirk.flag == flag), None)
