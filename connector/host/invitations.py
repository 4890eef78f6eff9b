"""Invitations: one-time registration addresses, each for one school, that expire and can be taken back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import select

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.base.ids import new_id
from connector.base.secrets import fingerprint, new_token
from connector.db.tables.registry import invitation, registration_request, school
from connector.host.runtime import Runtime

LASTING = timedelta(days=7)
KEPT = timedelta(days=30)


@dataclass(frozen=True)
class Invitation:
    """A school's invitation.

    Attributes:
        id: Our id; the secret itself is kept nowhere.
        school_id: Whose LMS may register.
        school_code: The school's code.
        label: The tool's name in the LMS, empty for our own.
        allow_hosts: Hosts inside private networks that this registration may reach.
        expires_at: Until when it holds.
        used_at: When it was spent, or None.
        revoked_at: When it was taken back, or None.
        registration_id: What came of it, or None.
    """

    id: str
    school_id: str
    school_code: str
    label: str
    allow_hosts: tuple[str, ...]
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None
    registration_id: str | None

    def state(self, now: datetime) -> str:
        """Return ``open``, ``used``, ``revoked`` or ``expired``."""
        if self.revoked_at is not None:
            return "revoked"
        if self.used_at is not None:
            return "used"
        return "open" if self.expires_at > now else "expired"


@dataclass(frozen=True)
class Invited:
    """A new invitation, with the one address that holds its secret."""

    id: str
    url: str = field(repr=False)
    expires_at: datetime


def invite_lms(
    runtime: Runtime,
    school_id: str,
    *,
    lasting: timedelta = LASTING,
    allow_hosts: tuple[str, ...] = (),
    label: str = "",
) -> Invited:
    """Make an invitation of a school and return its registration URL.

    Args:
        runtime: The process.
        school_id: Whose LMS may register.
        lasting: How long it holds.
        allow_hosts: ``host`` or ``host:port`` inside private networks, for an LMS that stands there.
        label: The tool's name in the LMS.
    """
    now, token = runtime.clock(), new_token()
    values = {
        "id": new_id(), "hash": fingerprint(token), "school_id": school_id, "label": label,
        "allow_hosts": sorted({host.lower() for host in allow_hosts}), "created_at": now, "expires_at": now + lasting,
    }  # fmt: skip
    with runtime.database.service() as db:
        db.execute(invitation.insert().values(values))
    url = f"{runtime.settings.public_url}/lti/register?{urlencode({'invitation': token})}"
    return Invited(str(values["id"]), url, now + lasting)


def open_invitation(runtime: Runtime, token: str) -> Invitation:
    """Return the invitation of a registration URL.

    Raises:
        Fatal: ``no_invitation``, ``invitation_used``, ``invitation_revoked`` or ``invitation_expired``.
    """
    found = _find(runtime, invitation.c.hash == fingerprint(token))
    if not token or found is None:
        raise Fatal("no_invitation", say(N_("This registration address is not valid: a letter may be missing.")))
    check_open(found, runtime.clock())
    return found


def check_open(found: Invitation, now: datetime) -> None:
    """Refuse an invitation that was spent, taken back or is over."""
    state = found.state(now)
    if state != "open":
        raise Fatal(f"invitation_{state}", say(_CLOSED[state]))


_CLOSED = {
    "used": N_("This registration address was used already; each registers one LMS once. Ask for a new one."),
    "revoked": N_("This registration address was taken back. Ask for a new one."),
    "expired": N_("This registration address is over. Ask for a new one."),
}


def invitation_by_id(runtime: Runtime, invitation_id: str) -> Invitation | None:
    """Return an invitation by our id."""
    return _find(runtime, invitation.c.id == invitation_id)


def _find(runtime: Runtime, condition: Any) -> Invitation | None:
    query = select(invitation, school.c.code).join(school, school.c.id == invitation.c.school_id).where(condition)
    with runtime.database.service(write=False) as db:
        row = db.execute(query).first()
    return None if row is None else _invitation(row)


def _invitation(row: Any) -> Invitation:
    return Invitation(
        id=row.id,
        school_id=row.school_id,
        school_code=row.code,
        label=row.label,
        allow_hosts=tuple(row.allow_hosts),
        expires_at=row.expires_at,
        used_at=row.used_at,
        revoked_at=row.revoked_at,
        registration_id=row.registration_id,
    )


def invitations(runtime: Runtime) -> list[Invitation]:
    """Return every invitation that is kept, the newest first; long-closed ones are forgotten on the way."""
    old = runtime.clock() - KEPT
    with runtime.database.service() as db:
        ids = select(invitation.c.id).where(invitation.c.expires_at < old)
        db.execute(registration_request.delete().where(registration_request.c.invitation_id.in_(ids)))
        db.execute(invitation.delete().where(invitation.c.expires_at < old))
        query = (
            select(invitation, school.c.code)
            .join(school, school.c.id == invitation.c.school_id)
            .order_by(invitation.c.id.desc())
        )
        return [_invitation(row) for row in db.execute(query)]


def revoke_invitation(runtime: Runtime, invitation_id: str) -> bool:
    """Take an invitation back; False when there is none that could still be used."""
    now = runtime.clock()
    usable = (
        (invitation.c.id == invitation_id)
        & invitation.c.used_at.is_(None)
        & invitation.c.revoked_at.is_(None)
        & (invitation.c.expires_at > now)
    )
    with runtime.database.service() as db:
        return db.execute(invitation.update().where(usable).values(revoked_at=now)).rowcount == 1


def spend(runtime: Runtime, found: Invitation) -> None:
    """Spend an invitation, once across processes; ``give_back`` undoes it when nothing came of it.

    Raises:
        Fatal: It is not open any more.
    """
    now = runtime.clock()
    usable = (
        (invitation.c.id == found.id)
        & invitation.c.used_at.is_(None)
        & invitation.c.revoked_at.is_(None)
        & (invitation.c.expires_at > now)
    )
    with runtime.database.service() as db:
        spent = db.execute(invitation.update().where(usable).values(used_at=now)).rowcount == 1
    if not spent:
        current = invitation_by_id(runtime, found.id)
        check_open(current or found, now)
        raise Fatal("invitation_used", say(_CLOSED["used"]))


def give_back(runtime: Runtime, found: Invitation) -> None:
    """Make a spent invitation usable again: the LMS did not take the registration."""
    mine = (invitation.c.id == found.id) & invitation.c.registration_id.is_(None)
    with runtime.database.service() as db:
        db.execute(invitation.update().where(mine).values(used_at=None))
