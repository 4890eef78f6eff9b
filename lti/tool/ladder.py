"""The launch ladder: the ways in which a browser can prove that it is the one a login began in.

Pure: what was learnt of a platform and what the browser said go in, the order of rungs to try comes out. The rungs
are platform storage (1EdTech "LTI Platform Storage" and "LTI OIDC Login with LTI Client Side postMessages"), a
partitioned cookie (CHIPS), the Storage Access API, and a window of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from lti.tool.ports import Registration

CAREFUL_FOR = timedelta(days=30)
_TOLD_AGAIN = timedelta(days=1)


class Rung(StrEnum):
    """One way; the values stand in states, in the database and on screens."""

    STORAGE = "storage"
    COOKIE = "cookie"
    ACCESS = "storage_access"
    WINDOW = "window"


# Where browsers of a platform were seen to keep no cookie: from there on each browser is asked first.
_CAREFUL = frozenset({Rung.ACCESS, Rung.WINDOW})


@dataclass(frozen=True)
class Place:
    """Where the browser says a login opens (Fetch Metadata, ``Sec-Fetch-Dest``); neither when it does not say."""

    framed: bool = False
    on_top: bool = False


def place_of(destination: str | None) -> Place:
    """Read ``Sec-Fetch-Dest``."""
    return Place(destination in ("iframe", "frame", "embed", "object"), destination == "document")


def remembered(registration: Registration, now: datetime) -> Rung | None:
    """Return the rung that logins of this platform begin at; caution ends after thirty days without a reason."""
    if not registration.rung:
        return None
    rung = Rung(registration.rung)
    since = registration.rung_at
    return None if rung in _CAREFUL and (since is None or now - since > CAREFUL_FOR) else rung


def rungs_to_try(known: Rung | None, *, offered: bool, place: Place) -> tuple[Rung, ...]:
    """Return the rungs to try, in order; ``(COOKIE,)`` alone is a plain redirect without a page of ours.

    Args:
        known: What is remembered of the platform.
        offered: The login carried ``lti_storage_target``.
        place: Where the login opens; a page of its own needs no ladder.
    """
    if place.on_top:
        return (Rung.COOKIE,)
    stored = (Rung.STORAGE,) if offered else ()
    if offered and known in (None, Rung.STORAGE):
        return (*stored, Rung.COOKIE, Rung.ACCESS, Rung.WINDOW)
    if place.framed and (known is None or known in _CAREFUL):
        return (Rung.COOKIE, *stored, Rung.ACCESS, Rung.WINDOW)
    return (Rung.COOKIE,)


def learn(known: Rung | None, since: datetime | None, way: Rung | None, now: datetime) -> Rung | None:
    """Return what to remember after a launch came in, or None when nothing is to be written.

    A rung is only ever exchanged for a more careful one, so that browsers of two kinds at one platform do not take
    turns at rewriting it.

    Args:
        known: What is remembered.
        since: Since when.
        way: How the ladder's page sent this launch; None for a plain redirect, which teaches nothing.
        now: The present.
    """
    if way in _CAREFUL:
        fresh = known in _CAREFUL and since is not None and now - since < _TOLD_AGAIN
        return None if fresh else way
    if way is Rung.COOKIE:
        return Rung.COOKIE if known in (None, Rung.STORAGE) else None
    return Rung.STORAGE if way is Rung.STORAGE and known is None else None


def origins_of(registration: Registration) -> tuple[str, ...]:
    """Return the origins that platform storage may answer from: the authorisation endpoint's and the issuer's."""
    found = [_origin(registration.auth_url), _origin(registration.issuer)]
    return tuple(dict.fromkeys(origin for origin in found if origin))


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    plain = {"http": ":80", "https": ":443"}[parts.scheme]
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{'' if port == plain else port}"
