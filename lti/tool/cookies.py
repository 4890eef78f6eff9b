"""``Set-Cookie`` values that live inside another site's iframe.

A browser keeps a cross-site cookie only with ``SameSite=None; Secure`` and, where third-party cookies are blocked,
only when it is also ``Partitioned`` (CHIPS, https://developer.mozilla.org/docs/Web/Privacy/Guides/CHIPS).
"""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z0-9_\-]+")
_VALUE = re.compile(r"[A-Za-z0-9_\-.~]*")
_PATH = re.compile(r"/[A-Za-z0-9_\-./~]*")


def set_cookie(name: str, value: str, *, path: str, max_age: int) -> str:
    """Return the header value of a partitioned, secure, script-proof cookie.

    Args:
        name: Letters, digits, ``_`` and ``-``.
        value: URL-safe text, put in as it is.
        path: Only requests under it carry the cookie.
        max_age: Seconds until the browser drops it; 0 drops it now.

    Raises:
        ValueError: A part has a character that could start another attribute.
    """
    if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value) and _PATH.fullmatch(path)):
        raise ValueError("a cookie's name, value or path has a character that is not allowed")
    return f"{name}={value}; Path={path}; Max-Age={max_age:d}; SameSite=None; Secure; HttpOnly; Partitioned"


def clear_cookie(name: str, *, path: str) -> str:
    """Return the header value that makes the browser drop the cookie; the attributes must be the same."""
    return set_cookie(name, "", path=path, max_age=0)
