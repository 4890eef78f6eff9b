"""Sign in to the journal as a staff member, and renew the token.

Tokens belong to a user: what the program may do is what that teacher or administrator may do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connector.base.outbound import Outbound
from sync.systems.kundelik import errors
from sync.systems.kundelik.bucket import TokenBucket
from sync.systems.kundelik.shapes import Fields
from sync.systems.kundelik.wire import Answer, Wire

SCOPE = "Schools,EduGroups,Lessons,marks,EduWorks,EducationalInfo,CommonInfo"


@dataclass(frozen=True)
class Credentials:
    """What the vendor gave the program, and the staff account it acts for."""

    client_id: str
    client_secret: str = field(repr=False)
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class Grant:
    """A token, what renews it, the user it is for, and when it ends (aware UTC)."""

    token: str = field(repr=False)
    refresh: str = field(repr=False)
    user_id: str
    scope: str
    ends_at: datetime


def sign_in(outbound: Outbound, base_url: str, credentials: Credentials, bucket: TokenBucket | None = None) -> Grant:
    """Return a token for a login and password.

    Raises:
        Fatal: The journal does not know them (``sign_in_refused``).
        Retriable: The journal failed.
    """
    body = {
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret,
        "username": credentials.username,
        "password": credentials.password,
        "scope": SCOPE,
    }
    return _grant(Wire(outbound, base_url, "", bucket).call("POST", "authorizations/bycredentials", body))


def renew(
    outbound: Outbound, base_url: str, credentials: Credentials, refresh: str, bucket: TokenBucket | None = None
) -> Grant:
    """Return a new token for a refresh token; the grant type is spelled in CamelCase here.

    Raises:
        Fatal: The journal does not know it any more (``sign_in_refused``).
        Retriable: The journal failed.
    """
    body = {
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret,
        "grant_type": "RefreshToken",
        "refreshToken": refresh,
    }
    return _grant(Wire(outbound, base_url, "", bucket).call("POST", "authorizations", body))


def _grant(answer: Answer) -> Grant:
    fields = Fields(answer.value)
    token = fields.text("accessToken")
    if not token:
        raise errors.make(errors.BAD_RECORD)
    seconds = fields.text("expiresIn_str") or fields.text("expiresIn")
    ends_at = answer.at + timedelta(seconds=int(seconds) if seconds.isdigit() else 0)
    return Grant(token, fields.text("refreshToken"), fields.optional_id("user"), fields.text("scope"), ends_at)
