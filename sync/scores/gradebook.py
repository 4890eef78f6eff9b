"""What delivery needs of a gradebook, and the real one over Assignment and Grade Services."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from connector.base.errors import Hold
from connector.base.i18n import N_, say
from connector.base.outbound import Outbound
from lti.profiles import profile_for
from lti.tool.ags import AssignmentAndGradeService
from lti.tool.gradebook import LineItem, Result, Score
from lti.tool.outcomes import ScoreOutcome
from lti.tool.ports import Registrations
from lti.tool.tokens import TokenSource
from sync.scores.places import Place


class Gradebook(Protocol):
    """The gradebook of one course, as far as scores need it.

    Every method may raise the five families of errors; a score's refusal is an outcome, not an error.
    """

    def list_line_items(
        self,
        url: str,
        *,
        resource_link_id: str | None = None,
        resource_id: str | None = None,
        tag: str | None = None,
    ) -> list[LineItem]:
        """Return the whole list of this tool's columns with these marks."""

    def create_line_item(self, url: str, item: LineItem) -> LineItem:
        """Make a column; a second call makes a second one."""

    def post_score(self, line_item_url: str, score: Score) -> ScoreOutcome:
        """Send one score."""

    def read_results(self, line_item_url: str, user_id: str | None = None) -> list[Result]:
        """Return every grade of a column."""


@dataclass(frozen=True)
class Opened:
    """A gradebook and what must be known to read it right.

    Attributes:
        book: The gradebook.
        hides_zero: Its results may show nothing where a zero stands.
    """

    book: Gradebook
    hides_zero: bool = True


class Gradebooks(Protocol):
    """Opens gradebooks; safe to share between threads."""

    def open(self, place: Place) -> Opened:
        """Return the gradebook of a place.

        Raises:
            KopirError: There is none, or it cannot be opened.
        """


class LtiGradebooks:
    """Gradebooks over LTI Advantage."""

    def __init__(self, http: Outbound, tokens: TokenSource, registrations: Registrations) -> None:
        """Take the outbound session, the access tokens and where registrations are found."""
        self._http = http
        self._tokens = tokens
        self._registrations = registrations

    def open(self, place: Place) -> Opened:
        """Return the gradebook of a place.

        Raises:
            Hold: The registration is gone (``no_registration``).
        """
        registration = self._registrations.get(place.registration_id)
        if registration is None:
            raise Hold("no_registration", say(N_("The LMS these scores belong to is not registered any more.")))
        service = AssignmentAndGradeService(self._http, self._tokens, registration, place.deployment_id)
        return Opened(service, profile_for(registration.profile).zero_omitted_in_results)
