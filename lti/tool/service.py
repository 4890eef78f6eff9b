"""One authorised call to an Advantage service, and what its refusals mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connector.base.errors import Fatal, Record, Retriable
from connector.base.i18n import N_, say
from connector.base.outbound import Outbound, Reply
from lti.errors import (
    ServiceForbidden,
    ServiceGone,
    ServiceRejected,
    ServiceUnauthorised,
    ServiceUnavailable,
    ServiceUnreadable,
)
from lti.tool.ports import Registration
from lti.tool.tokens import TokenSource
from lti.tool.wire import from_json

_THROTTLED = "rate limit exceeded"


class ServiceClient:
    """Makes calls for one deployment of one registration, each with its token and exact media types."""

    def __init__(self, http: Outbound, tokens: TokenSource, registration: Registration, deployment_id: str) -> None:
        """Take the outbound session, the token source and for whom the calls are made."""
        self._http = http
        self._tokens = tokens
        self.registration = registration
        self.deployment_id = deployment_id

    def send(
        self,
        method: str,
        url: str,
        scopes: Iterable[str],
        *,
        accept: str | None = None,
        content_type: str | None = None,
        body: str | None = None,
    ) -> Reply:
        """Send one request; after a 401 drop the token and send it once more.

        A 401 comes before a platform acts, so sending again doubles nothing (RFC 6750 §3.1).

        Raises:
            TokenRefused, TokenUnavailable: There is no token.
            Fatal, Retriable: As ``Outbound.request``.
        """
        wanted = tuple(map(str, scopes))
        reply = self._once(method, url, wanted, accept, content_type, body)
        if reply.status == 401:
            reply = self._once(method, url, wanted, accept, content_type, body)
        return reply

    def _once(
        self, method: str, url: str, scopes: tuple[str, ...], accept: str | None, content_type: str | None,
        body: str | None,
    ) -> Reply:  # fmt: skip
        token = self._tokens.bearer(self.registration, self.deployment_id, scopes)
        headers = {"Authorization": f"Bearer {token.value}"}
        if accept:
            headers["Accept"] = accept
        if content_type:
            headers["Content-Type"] = content_type
        reply = self._http.request(method, url, headers=headers, body=body)
        if reply.status == 401:
            self._tokens.drop(self.registration, self.deployment_id, scopes, token)
        return reply

    def read(self, url: str, scopes: Iterable[str], accept: str) -> tuple[Any, Reply]:
        """GET a JSON document and return it with its reply.

        Raises:
            ServiceForbidden, ServiceUnauthorised, ServiceGone, ServiceRejected, ServiceUnavailable: By status.
            ServiceUnreadable: It is not JSON (a maintenance or sign-in page with status 200).
        """
        reply = self.send("GET", url, scopes, accept=accept)
        return parse(demand(reply)), reply


def demand(reply: Reply) -> Reply:
    """Return a successful reply, else raise what its status means."""
    if 200 <= reply.status < 300:
        return reply
    raise explain(reply)


def parse(reply: Reply) -> Any:
    """Return the JSON of a successful reply, numbers exact.

    Raises:
        ServiceUnreadable: It is not JSON.
    """
    try:
        return from_json(reply.body)
    except ValueError as error:
        raise unreadable() from error


def unreadable() -> ServiceUnreadable:
    """Return the error for a 200 that is not what was asked for."""
    return ServiceUnreadable("unreadable_answer", say(N_("The LMS answered with a page instead of data.")))


def is_page(reply: Reply) -> bool:
    """Tell whether the answer is a web page: maintenance, a sign-in proxy, a notice."""
    return reply.media_type == "text/html" and reply.body.lstrip()[:1] == b"<"


def is_throttled(reply: Reply) -> bool:
    """Tell a throttle from a refusal; Canvas throttles with 403 and a text."""
    if reply.status == 429 or (reply.status == 503 and "retry-after" in reply.headers):
        return True
    return reply.status == 403 and _THROTTLED in reply.text[:500].lower()


def explain(reply: Reply) -> Fatal | Retriable | Record:
    """Return the typed error of a failed service call; the answer's text is left out, it may hold a name."""
    status = reply.status
    if is_throttled(reply):
        return ServiceUnavailable("throttled", say(N_("The LMS asks to slow down.")), reply.retry_after)
    if status == 401:
        return ServiceUnauthorised("unauthorised", say(N_("The LMS does not accept its own new token.")))
    if status == 403:
        text = N_("The LMS forbids this: the service is not allowed for this tool, or the column is another tool's.")
        return ServiceForbidden("forbidden", say(text))
    if status in (404, 410):
        return ServiceGone("gone", say(N_("The LMS no longer has this column, link or course.")))
    if 400 <= status < 500:
        return ServiceRejected("rejected", say(N_("The LMS did not take the request (HTTP {status})."), status=status))
    message = say(N_("The LMS cannot answer now (HTTP {status}); it may be in maintenance."), status=status)
    return ServiceUnavailable("unavailable", message, reply.retry_after)
