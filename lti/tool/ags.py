"""The gradebook services: columns, scores and results (Assignment and Grade Services 2.0)."""

from __future__ import annotations

from collections.abc import Iterator

from connector.base.errors import Retriable
from connector.base.i18n import N_, say
from connector.base.outbound import Outbound
from lti.errors import ServiceForbidden, ServiceRejected, TokenUnavailable
from lti.profiles import profile_for
from lti.tool.gradebook import ActivityProgress, GradingProgress, LineItem, Result, Score
from lti.tool.links import below, walk_pages, with_query
from lti.tool.outcomes import ScoreOutcome, ScoreStatus, classify, without_answer
from lti.tool.ports import Registration
from lti.tool.service import ServiceClient, demand, parse, unreadable
from lti.tool.tokens import TokenSource
from lti.vocab import Media, Scope

__all__ = [
    "ActivityProgress",
    "AssignmentAndGradeService",
    "GradingProgress",
    "LineItem",
    "Result",
    "Score",
    "ScoreOutcome",
    "ScoreStatus",
]


class AssignmentAndGradeService:
    """The gradebook of one deployment of one platform.

    Every method may raise ``TokenRefused``, ``TokenUnavailable``, the ``Service…`` errors of ``lti.errors`` and what
    ``Outbound.request`` raises, unless it says otherwise.
    """

    def __init__(self, http: Outbound, tokens: TokenSource, registration: Registration, deployment_id: str) -> None:
        """Take the outbound session, the token source and whose gradebook it is."""
        self._client = ServiceClient(http, tokens, registration, deployment_id)
        self._profile = profile_for(registration.profile)

    def list_line_items(
        self,
        url: str,
        *,
        resource_link_id: str | None = None,
        resource_id: str | None = None,
        tag: str | None = None,
    ) -> list[LineItem]:
        """Return every column this tool has in the course, or those with these marks (AGS 2.0 §3.2).

        The list is whole or an error is raised: a column that was overlooked would be made a second time.
        """
        limit = self._profile.line_items_page_limit
        wanted = {
            "resource_link_id": resource_link_id,
            "resource_id": resource_id,
            "tag": tag,
            "limit": None if limit is None else str(limit),
        }
        found = []
        for value in self._pages(with_query(url, **wanted), Scope.LINEITEM_READONLY, Media.LINE_ITEMS):
            item = LineItem.parse(value)
            if item is None:
                raise unreadable()
            # Some platforms pass over filters they do not know.
            if resource_link_id is not None and item.resource_link_id not in (None, resource_link_id):
                continue
            if (resource_id is None or item.resource_id == resource_id) and (tag is None or item.tag == tag):
                found.append(item)
        return found

    def create_line_item(self, url: str, item: LineItem) -> LineItem:
        """Make a column and return it with its id.

        Platforms do not tell a repeated request from a new one (Moodle makes two columns), so look it up by
        ``resource_id`` and ``tag`` before, and again after any Retriable error.
        """
        body = self._wire(item).to_json()
        reply = self._client.send(
            "POST", url, (Scope.LINEITEM,), accept=Media.LINE_ITEM, content_type=Media.LINE_ITEM, body=body
        )
        return _line_item(parse(demand(reply)))

    def get_line_item(self, url: str) -> LineItem:
        """Return one column."""
        value, _ = self._client.read(url, (Scope.LINEITEM_READONLY,), Media.LINE_ITEM)
        return _line_item(value)

    def update_line_item(self, item: LineItem) -> LineItem:
        """Replace a column's description and return what the platform made of it.

        Raises:
            ValueError: The column has no id yet.
        """
        if item.id is None:
            raise ValueError("a line item without an id cannot be updated")
        sent = self._wire(item)
        reply = self._client.send(
            "PUT", item.id, (Scope.LINEITEM,), accept=Media.LINE_ITEM, content_type=Media.LINE_ITEM, body=sent.to_json()
        )
        demand(reply)
        # A body is required since the errata of 2023 only, so an empty one is taken as an echo.
        return _line_item(parse(reply)) if reply.body.strip() else sent

    def _wire(self, item: LineItem) -> LineItem:
        return item.with_whole_maximum() if self._profile.integer_maximum else item

    def delete_line_item(self, url: str) -> None:
        """Delete a column and every grade in it; one that is gone already raises ServiceGone.

        Raises:
            ServiceForbidden: This product refuses it to every tool (``not_deletable``); nothing was asked.
        """
        if not self._profile.line_items_deletable:
            text = N_("{product} lets no tool delete a column; a teacher can.")
            raise ServiceForbidden("not_deletable", say(text, product=self._profile.title))
        demand(self._client.send("DELETE", url, (Scope.LINEITEM,)))

    def post_score(self, line_item_url: str, score: Score) -> ScoreOutcome:
        """Send one score and return how that ended; broken calls are outcomes too, not errors.

        The request is never repeated here but after a 401.

        Raises:
            TokenRefused, TokenUnavailable: There was no token, so that nothing was sent.
            Fatal: The address is not allowed.
        """
        url, body = below(line_item_url, "scores"), self._written(score).to_json()
        try:
            reply = self._client.send("POST", url, (Scope.SCORE,), content_type=Media.SCORE, body=body)
            return classify(reply, self._client.registration.profile)
        except TokenUnavailable:
            raise
        except Retriable as error:
            return without_answer(error)

    def _written(self, score: Score) -> Score:
        whole = score.with_whole_maximum() if self._profile.integer_maximum else score
        return whole.with_line_breaks(self._profile.comment_line_break)

    def read_results(self, line_item_url: str, user_id: str | None = None) -> list[Result]:
        """Return the grades of a column, or of one pupil in it (AGS 2.0 §3.3).

        No limit is ever asked for, Moodle answers that with 404; pages a platform makes by itself are followed.
        A Result without a score is unknown, not absent.
        """
        # Where the filter would cost the comment, the whole column is read and the one pupil taken from it.
        asked = None if self._profile.results_by_user_drop_comment else user_id
        url = with_query(below(line_item_url, "results"), user_id=asked)
        found = []
        for value in self._pages(url, Scope.RESULT_READONLY, Media.RESULTS):
            result = Result.parse(value)
            if result is None:
                raise unreadable()
            if user_id in (None, result.user_id):
                found.append(result.with_line_breaks(self._profile.comment_line_break))
        return found

    def _pages(self, url: str, scope: Scope, accept: Media) -> Iterator[object]:
        def fetch(address: str) -> tuple[list[object], str | None]:
            value, reply = self._client.read(address, (scope,), accept)
            if not isinstance(value, list):
                raise unreadable()
            return value, reply.headers.get("link")

        for page in walk_pages(url, fetch, repeats=self._profile.link_query_repeated):
            yield from page


def _line_item(value: object) -> LineItem:
    item = LineItem.parse(value)
    if item is None:
        raise unreadable()
    return item


def find_or_none(items: list[LineItem]) -> LineItem | None:
    """Return the one column of a look-up, None when there is none.

    Raises:
        ServiceRejected: There are several; which one holds the marks is a person's to say (``twin_columns``).
    """
    if len(items) > 1:
        raise ServiceRejected("twin_columns", say(N_("The LMS has several columns for this one activity.")))
    return items[0] if items else None
