"""The rehearsal LMS on a real port, with this tool registered in it and what delivery needs to reach it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Request, Response

from connector.base.outbound import NetworkPolicy, Outbound
from lti.tool.keys import from_pem, new_signing_key, public_jwks, to_pem
from lti.tool.ports import Registration, SigningKey
from lti.tool.tokens import TokenSource
from sync.scores.gradebook import LtiGradebooks
from sync.twins.moodle import Column, Lms, Quirks, create_lms
from tests.support.serving import serving


@dataclass(frozen=True)
class Facts:
    """What a process of its own needs to deliver: plain values."""

    registration: dict[str, Any]
    kid: str
    pem: str

    def gradebooks(self, read: float = 5) -> LtiGradebooks:
        """Open gradebooks as the application does; an answer may take ``read`` seconds."""
        key = from_pem(self.kid, self.pem)
        http = Outbound(NetworkPolicy(everything=True), connect=2, read=read, total=8)
        return LtiGradebooks(http, TokenSource(http, _OneKey(key)), _OneRegistration(Registration(**self.registration)))

    def to_json(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class _OneKey:
    key: SigningKey

    def for_registration(self, registration: Registration) -> SigningKey:
        return self.key


@dataclass(frozen=True)
class _OneRegistration:
    registration: Registration

    def find(self, issuer: str, client_id: str | None) -> list[Registration]:
        return [self.registration]

    def get(self, registration_id: str) -> Registration | None:
        return self.registration if registration_id == self.registration.id else None


@cache
def _key() -> SigningKey:
    # Making an RSA key takes a third of a second; one per test process is enough.
    return new_signing_key()


class _Site:
    """The LMS and the tool's public keys on one port, with a count of what was asked."""

    def __init__(self) -> None:
        self.lms: Lms | None = None
        self.jwks = ""
        self.asked: list[tuple[str, str]] = []

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        if request.path == "/tool/jwks.json":
            return Response(self.jwks, content_type="application/json")(environ, start_response)
        assert self.lms is not None
        self.asked.append((request.method, request.path))
        return self.lms.app(environ, start_response)


@dataclass
class Rehearsal:
    """A running LMS.

    Attributes:
        lms: The twin itself, for what a teacher or an administrator does.
        facts: What delivery needs.
        line_items_url: Where the course's columns are.
        deployment_id: The tool's deployment.
        site: Counts requests.
    """

    lms: Lms
    facts: Facts
    line_items_url: str
    deployment_id: str
    site: _Site

    @property
    def pupils(self) -> list[str]:
        return [user.id for user in self.lms.users() if user.role == "pupil"]

    @property
    def staff(self) -> list[str]:
        return [user.id for user in self.lms.users() if user.role != "pupil"]

    def columns(self) -> list[Column]:
        return self.lms.gradebook()

    def marks(self) -> dict[str, Decimal]:
        """Return the marks of the only column."""
        (column,) = self.columns()
        return column.marks()

    def place(self, resource_id: str, maximum: int = 10, title: str = "Бақылау жұмысы") -> str:
        """Place an activity by deep linking, as a teacher does; return its column's address."""
        item = {"title": title, "custom": {}, "lineItem": {"scoreMaximum": maximum, "resourceId": resource_id}}
        self.lms._parts.registry.add_activity(int(self.deployment_id), item)
        column = next(column for column in self.columns() if column.item.resource_id == resource_id)
        return self.column_url(column.item.id)

    def add_column(self, resource_id: str, tag: str = "", link: str | None = None, course: str = "2") -> str:
        """Make a column as a tool does, of no link unless told; return its id."""
        body = {"label": "Баға", "resourceId": resource_id, "tag": tag}
        registry = self.lms._parts.registry
        return registry.add_line_item(int(self.deployment_id), body, Decimal(10), link, course)

    def place_without_column(self, title: str = "Зертхана") -> str:
        """Place an activity that has no column yet; return the LMS's id of the link."""
        registry = self.lms._parts.registry
        placed = registry.activity(cmid=registry.add_activity(int(self.deployment_id), {"title": title, "custom": {}}))
        assert placed is not None
        return placed.id

    def column_url(self, item_id: str) -> str:
        base, _, query = self.line_items_url.partition("?")
        return f"{base}/{item_id}/lineitem?{query}"

    def delete_column(self, item_id: str) -> None:
        self.lms._parts.registry.delete_line_item(item_id)

    def count(self, method: str, ending: str) -> int:
        return sum(1 for asked, path in self.site.asked if asked == method and path.endswith(ending))


@contextmanager
def rehearsal(folder: Path, quirks: Quirks | None = None) -> Iterator[Rehearsal]:
    """Run a rehearsal LMS with Kopir registered."""
    site, key = _Site(), _key()
    site.jwks = json.dumps(public_jwks([key]))
    with serving(site) as base:
        outbound = Outbound(NetworkPolicy(everything=True))
        lms = create_lms(folder / "lms.sqlite3", base, tool_outbound=outbound, quirks=quirks)
        site.lms = lms
        tool = lms.register_tool(
            "Kopir",
            login_url="http://127.0.0.1:9/login",
            redirect_uris=["http://127.0.0.1:9/launch"],
            jwks_url=f"{base}/tool/jwks.json",
            target_link_uri="http://127.0.0.1:9/launch",
        )
        facts = lms.platform_facts()
        registration = {
            "id": "registration",
            "issuer": facts.issuer,
            "client_id": tool.client_id,
            "auth_url": f"{base}/mod/lti/auth.php",
            "token_url": facts.token_url,
            "jwks_url": f"{base}/mod/lti/certs.php",
            "profile": "moodle",
        }
        items = f"{base}/mod/lti/services.php/2/lineitems?type_id={tool.deployment_id}"
        yield Rehearsal(lms, Facts(registration, key.kid, to_pem(key)), items, tool.deployment_id, site)
