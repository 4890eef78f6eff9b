"""Response headers: a strict content security policy, and framing by a school's own platforms only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from flask import Flask, Response, g, request

SELF = "'self'"
# What stands in a policy comes from registrations and from launches: nothing in it may end a directive.
_SOURCE = re.compile(r"https?://(\*\.)?[a-z0-9.\-\[\]:]+")
_BASE: dict[str, str] = {
    "default-src": "'none'",
    "script-src": SELF,
    "style-src": SELF,
    "img-src": "'self' data:",
    "font-src": SELF,
    "connect-src": SELF,
    "form-action": SELF,
    "frame-src": SELF,
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def allow_framing(origins: Iterable[str]) -> None:
    """Let these origins frame the response being made."""
    listed = {origin for origin in origins if _SOURCE.fullmatch(origin)}
    _policy()["frame-ancestors"] = " ".join([SELF, *sorted(listed)])


def allow_framing_by_anyone() -> None:
    """Let any page frame the response: only for a refusal, which holds no data, no form and no session.

    A launch from a platform that is not registered fails inside that platform's frame; its teacher must be able to
    read why.
    """
    _policy()["frame-ancestors"] = "*"


def allow_form_to(url: str) -> None:
    """Let forms of the response being made post to another site (the way back to the platform)."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()
    _policy()["form-action"] = f"{SELF} {origin}" if _SOURCE.fullmatch(origin) else SELF


def allow_tool(origins: Iterable[str]) -> None:
    """Let the response being made hold a third-party tool in a frame, and post the form that opens it."""
    listed = sorted(origin for origin in origins if _SOURCE.fullmatch(origin))
    _policy()["frame-src"] = " ".join([SELF, *listed])
    _policy()["form-action"] = " ".join([SELF, *listed])


def sandbox(nonce: str) -> None:
    """Turn the response into a document with an opaque origin, its own inline code and no network at all.

    Who may frame it stays as it was: the directive judges every ancestor, and the LMS is one.
    """
    g.csp = {
        "sandbox": "allow-scripts",
        "default-src": "'none'",
        "script-src": f"'nonce-{nonce}'",
        "style-src": f"'nonce-{nonce}'",
        "img-src": "data:",
        "connect-src": "'none'",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": _policy()["frame-ancestors"],
    }


def inert() -> None:
    """Turn the response into a document in which nothing runs and which loads nothing."""
    g.csp = {"sandbox": "", "default-src": "'none'", "style-src": "'unsafe-inline'", "frame-ancestors": "'none'"}


def _policy() -> dict[str, str]:
    if "csp" not in g:
        g.csp = dict(_BASE)
    policy: dict[str, str] = g.csp
    return policy


def protect(app: Flask) -> None:
    """Put the headers on every response of the application."""

    @app.after_request
    def add_headers(response: Response) -> Response:
        headers = response.headers
        headers["Content-Security-Policy"] = "; ".join(f"{name} {value}" for name, value in _policy().items())
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "same-origin"
        headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=(), payment=()"
        if request.is_secure:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        if not request.path.startswith("/static/"):
            headers.setdefault("Cache-Control", "no-store")
        return response
