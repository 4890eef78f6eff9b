"""Key rotation in two phases: a new key is published, and signs only when every platform can have read it.

published ── wait ──> signing ── wait ──> the old key is gone. A platform may hold a copy of our key set for a day, so
a key that signed at once would be refused until that copy is over. In an emergency that is the smaller harm:
``revoke`` signs with a new key at once and takes the old one out of the key set.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, select

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.base.log import get_logger
from connector.db.tables.registry import deployment, dynamic_registration, key_rotation, registration, signing_key
from connector.host.runtime import Runtime
from sync.jobs import queue
from sync.jobs.runner import Handler, JobContext

ROTATE_KEYS = "rotate_keys"
PLATFORM_CACHE = timedelta(hours=24)
# Assertions and deep-linking answers live five minutes; clocks differ, and answers are slow.
LONGEST_SIGNATURE = timedelta(minutes=15)
# A registration that came about by itself has its key changed once a year without anybody's doing.
KEY_LIFETIME = timedelta(days=365)
log = get_logger("host.rotation")


class Phase(StrEnum):
    """What comes next for a registration's key."""

    REST = "rest"
    PUBLISH = "publish"
    SIGN = "sign"
    RETIRE = "retire"


@dataclass(frozen=True)
class Rotation:
    """A rotation under way.

    Attributes:
        registration_id: Whose key it is.
        new_kid: The key that is to sign.
        old_kid: The key that signed before.
        wait: How long platforms may keep our key set.
        sign_at: When the new key signs.
        signed_at: When it began to, or None.
        retire_at: Until when the old key stays published, or None before the new one signs.
    """

    registration_id: str
    new_kid: str
    old_kid: str
    wait: timedelta
    sign_at: datetime
    signed_at: datetime | None
    retire_at: datetime | None


@dataclass(frozen=True)
class KeyState:
    """One key, for lists: its state is ``published``, ``signing``, ``retiring`` or ``retired``."""

    kid: str
    registration_id: str
    issuer: str
    state: str
    created_at: datetime
    until: datetime | None


def next_phase(now: datetime, rotation: Rotation | None, key_made_at: datetime, lifetime: timedelta | None) -> Phase:
    """Return what is due now; pure.

    Args:
        now: The present instant.
        rotation: The rotation under way, or None.
        key_made_at: When the signing key was made.
        lifetime: After which a key is changed unasked; None for never.
    """
    if rotation is None:
        due = lifetime is not None and now >= key_made_at + lifetime
        return Phase.PUBLISH if due else Phase.REST
    if rotation.signed_at is None:
        return Phase.SIGN if now >= rotation.sign_at else Phase.REST
    return Phase.RETIRE if rotation.retire_at is not None and now >= rotation.retire_at else Phase.REST


def next_due(rotation: Rotation | None, key_made_at: datetime, lifetime: timedelta | None) -> datetime | None:
    """Return when something will be due next, None when nothing ever is; pure."""
    if rotation is None:
        return None if lifetime is None else key_made_at + lifetime
    return rotation.sign_at if rotation.signed_at is None else rotation.retire_at


def publish(runtime: Runtime, registration_id: str, wait: timedelta = PLATFORM_CACHE) -> Rotation:
    """Begin a rotation: a new key is published, and signs when ``wait`` is over.

    Raises:
        Fatal: There is no such registration, or a rotation is under way (``rotating``).
    """
    now = runtime.clock()
    key = runtime.keys.new_row(now, state="published")
    with runtime.database.service() as db:
        old = _signing(db, registration_id)
        if _open(db, registration_id) is not None:
            text = N_("A rotation of this key is under way; `kopir lti keys list` shows when it ends.")
            raise Fatal("rotating", say(text))
        db.execute(signing_key.insert().values(key))
        values = {
            "registration_id": registration_id, "new_kid": key["kid"], "old_kid": old.kid,
            "wait_seconds": int(wait.total_seconds()), "published_at": now, "sign_at": now + wait,
        }  # fmt: skip
        db.execute(key_rotation.insert().values(values))
        rotation = _open(db, registration_id)
    if rotation is None:
        raise AssertionError("a rotation that was just begun is not there")
    log.info("key_published", registration=registration_id, kid=rotation.new_kid)
    return rotation


def advance(runtime: Runtime, registration_id: str, lifetime: timedelta | None = None) -> datetime | None:
    """Take every step that is due; return when the next one will be, None when none ever is.

    Raises:
        Fatal: There is no such registration.
    """
    for _ in Phase:
        now = runtime.clock()
        with runtime.database.service() as db:
            made_at, rotation = _signing(db, registration_id).created_at, _open(db, registration_id)
            phase = next_phase(now, rotation, made_at, lifetime)
            if phase is Phase.SIGN and rotation is not None:
                _sign(db, rotation, now)
            elif phase is Phase.RETIRE and rotation is not None:
                _retire(db, rotation, now)
        if phase is Phase.REST:
            return next_due(rotation, made_at, lifetime)
        if phase is Phase.PUBLISH:
            publish(runtime, registration_id)
        log.info("key_step", registration=registration_id, phase=str(phase))
    return runtime.clock()


def _sign(db: Connection, rotation: Rotation, now: datetime) -> None:
    """Sign with the new key from now on; the old one stays published as long as a platform's copy of our keys."""
    retire_at = now + max(rotation.wait, LONGEST_SIGNATURE)
    mine = key_rotation.c.new_kid == rotation.new_kid
    db.execute(key_rotation.update().where(mine).values(signed_at=now, retire_at=retire_at))
    _switch(db, rotation.registration_id, rotation.new_kid)
    if not _still_used(db, rotation.old_kid):
        _set_state(db, rotation.old_kid, "retired")


def _switch(db: Connection, registration_id: str, kid: str) -> None:
    db.execute(registration.update().where(registration.c.id == registration_id).values(kid=kid))
    _set_state(db, kid, "signing")


def _set_state(db: Connection, kid: str, state: str, **values: str) -> None:
    db.execute(signing_key.update().where(signing_key.c.kid == kid).values(state=state, **values))


def _retire(db: Connection, rotation: Rotation, now: datetime) -> None:
    db.execute(key_rotation.update().where(key_rotation.c.new_kid == rotation.new_kid).values(retired_at=now))
    # Nobody needs its private half again; without it no copy of the database can sign with it.
    if not _still_used(db, rotation.old_kid):
        _set_state(db, rotation.old_kid, "retired", sealed_pem="")


def _still_used(db: Connection, kid: str) -> bool:
    return db.execute(select(registration.c.id).where(registration.c.kid == kid).limit(1)).first() is not None


def revoke(runtime: Runtime, registration_id: str) -> str:
    """Take a registration's keys out of use at once and sign with a new one; return its kid.

    Also a key that was published and never signed is taken back: it lay in the same place. Platforms that hold a
    copy of our keys refuse us until they read them anew; Moodle does so at the first failure.

    Raises:
        Fatal: There is no such registration.
    """
    now = runtime.clock()
    key = runtime.keys.new_row(now)
    with runtime.database.service() as db:
        bad = {_signing(db, registration_id).kid}
        rotating = (key_rotation.c.registration_id == registration_id) & key_rotation.c.retired_at.is_(None)
        for row in db.execute(select(key_rotation.c.new_kid, key_rotation.c.old_kid).where(rotating)):
            bad |= {row.new_kid, row.old_kid}
        db.execute(key_rotation.update().where(rotating).values(retired_at=now))
        db.execute(signing_key.insert().values(key))
        _switch(db, registration_id, str(key["kid"]))
        for kid in bad:
            if not _still_used(db, kid):
                _set_state(db, kid, "retired", sealed_pem="")
    log.warning("key_revoked", registration=registration_id, kids=sorted(bad))
    return str(key["kid"])


def _signing(db: Connection, registration_id: str) -> Any:
    query = (
        select(signing_key.c.kid, signing_key.c.created_at)
        .join(registration, registration.c.kid == signing_key.c.kid)
        .where(registration.c.id == registration_id)
        .with_for_update(of=registration)
    )
    row = db.execute(query).first()
    if row is None:
        raise Fatal("no_registration", say(N_("There is no registration {id}."), id=registration_id))
    return row


def _open(db: Connection, registration_id: str) -> Rotation | None:
    mine = (key_rotation.c.registration_id == registration_id) & key_rotation.c.retired_at.is_(None)
    row = db.execute(select(key_rotation).where(mine)).first()
    if row is None:
        return None
    wait = timedelta(seconds=row.wait_seconds)
    return Rotation(row.registration_id, row.new_kid, row.old_kid, wait, row.sign_at, row.signed_at, row.retire_at)


def rotation_of(runtime: Runtime, registration_id: str) -> Rotation | None:
    """Return the rotation under way, or None."""
    with runtime.database.service(write=False) as db:
        return _open(db, registration_id)


def key_states(runtime: Runtime) -> list[KeyState]:
    """Return every key that signs, will sign, or is still published, with the registration it is for."""
    query = select(registration.c.id, registration.c.issuer, signing_key.c.kid, signing_key.c.created_at).join(
        signing_key, signing_key.c.kid == registration.c.kid
    )
    rotating = (
        select(key_rotation, registration.c.issuer, signing_key.c.created_at)
        .join(registration, registration.c.id == key_rotation.c.registration_id)
        .join(signing_key, signing_key.c.kid == key_rotation.c.new_kid)
        .where(key_rotation.c.retired_at.is_(None))
    )
    with runtime.database.service(write=False) as db:
        found = [KeyState(row.kid, row.id, row.issuer, "signing", row.created_at, None) for row in db.execute(query)]
        for row in db.execute(rotating):
            waiting = row.signed_at is None
            kid, state = (row.new_kid, "published") if waiting else (row.old_kid, "retiring")
            until = row.sign_at if waiting else row.retire_at
            found.append(KeyState(kid, row.registration_id, row.issuer, state, row.created_at, until))
    return sorted(found, key=lambda one: (one.issuer, one.registration_id, one.state))


def schedule(runtime: Runtime, registration_id: str, due: datetime | None) -> None:
    """Ask for the job that takes the next step; a registration without a school has nobody to run it for."""
    school_id = _school_of(runtime, registration_id)
    if due is None or school_id is None:
        return
    with runtime.database.school(school_id) as db:
        queue.put(db, school_id, ROTATE_KEYS, registration_id, {"registration": registration_id}, run_after=due)
    runtime.doorbell.ring()


def _school_of(runtime: Runtime, registration_id: str) -> str | None:
    invited = select(dynamic_registration.c.school_id).where(dynamic_registration.c.registration_id == registration_id)
    served = (
        select(deployment.c.school_id)
        .where(deployment.c.registration_id == registration_id)
        .order_by(deployment.c.created_at, deployment.c.deployment_id)
        .limit(1)
    )
    with runtime.database.service(write=False) as db:
        return db.execute(invited).scalar_one_or_none() or db.execute(served).scalar_one_or_none()


def lifetime_of(runtime: Runtime, registration_id: str) -> timedelta | None:
    """Return after which time a key is changed unasked: only where the LMS was given our key set's address by us.

    Into a registration made by hand somebody may have pasted the key itself, which no rotation would reach.
    """
    query = select(dynamic_registration.c.registration_id).where(
        dynamic_registration.c.registration_id == registration_id
    )
    with runtime.database.service(write=False) as db:
        return KEY_LIFETIME if db.execute(query).first() is not None else None


def rotation_handler(runtime: Runtime) -> Handler:
    """Return the handler of ``rotate_keys``: takes the step that is due and asks to be called for the next."""

    def handle(context: JobContext) -> None:
        registration_id = context.payload["registration"]
        if runtime.registry.get(registration_id) is None:
            # It was removed, and its keys with it.
            return
        due = advance(runtime, registration_id, lifetime_of(runtime, registration_id))
        schedule(runtime, registration_id, due)

    return handle
