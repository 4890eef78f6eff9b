"""Registrations, deployments, key pairs, key sets and tokens: what stands above schools, read by the service role."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.base.ids import new_id
from connector.base.log import get_logger
from connector.base.secrets import Vault, fingerprint, new_key
from connector.db.database import Database
from connector.db.tables.registry import (
    access_token,
    deployment,
    key_set,
    registration,
    school,
)
from connector.db.tables.tools import outside_tool
from connector.db.upsert import upsert
from connector.host.directory import FRESH_SECONDS, Directory, registration_of
from connector.host.directory import School as School
from lti.tool.ports import AccessToken, Registration, StoredKeySet, TokenKey

log = get_logger("host.registry")


@dataclass(frozen=True)
class Platform:
    """What an administrator registers: an LMS and one deployment of it, for one school."""

    issuer: str
    client_id: str
    auth_url: str
    token_url: str
    jwks_url: str
    deployment_id: str
    token_audience: str | None = None
    frame_origins: tuple[str, ...] = ()
    private_hosts: tuple[str, ...] = ()
    profile: str = "generic"


class Registry:
    """Find and keep registrations; implements ``lti.tool.ports.Registrations``."""

    def __init__(self, database: Database) -> None:
        """Read through the service role."""
        self._database = database
        self._directory = Directory(database)
        self._hosts: tuple[float, frozenset[str]] = (0.0, frozenset())

    def find(self, issuer: str, client_id: str | None) -> Sequence[Registration]:
        """Return the registrations of an issuer, of one client when it is named."""
        if "\x00" in issuer or "\x00" in (client_id or ""):
            # Comes from anybody's login; PostgreSQL refuses to be asked.
            return []
        if client_id is not None:
            entry = self._directory.of_client(issuer, client_id)
            return [] if entry is None else [entry.registration]
        query = select(registration).where(registration.c.issuer == issuer)
        with self._database.service(write=False) as db:
            return [registration_of(row) for row in db.execute(query)]

    def get(self, registration_id: str) -> Registration | None:
        """Return a registration by our id."""
        entry = self._directory.of_id(registration_id)
        return None if entry is None else entry.registration

    def remembered(self, registration_id: str) -> Registration | None:
        """Return a registration as this process read it last, without asking the database."""
        entry = self._directory.remembered(registration_id)
        return None if entry is None else entry.registration

    def all(self) -> list[tuple[Registration, str, str]]:
        """Return every registration with each of its deployments and the school's code."""
        query = (
            select(registration, deployment.c.deployment_id, school.c.code)
            .join(deployment, deployment.c.registration_id == registration.c.id)
            .join(school, school.c.id == deployment.c.school_id)
            .order_by(school.c.code, registration.c.issuer, deployment.c.deployment_id)
        )
        with self._database.service(write=False) as db:
            return [(registration_of(row), row.deployment_id, row.code) for row in db.execute(query)]

    def school_of(self, registration_id: str, deployment_id: str) -> School | None:
        """Return the school a deployment belongs to, or None when the deployment is not known."""
        entry = self._directory.of_id(registration_id)
        if entry is None or deployment_id in entry.schools:
            return None if entry is None else entry.schools[deployment_id]
        query = (
            select(school)
            .join(deployment, deployment.c.school_id == school.c.id)
            .where(deployment.c.registration_id == registration_id, deployment.c.deployment_id == deployment_id)
        )
        with self._database.service(write=False) as db:
            row = db.execute(query).first()
        return None if row is None else _school(row)

    def school(self, *, code: str | None = None, school_id: str | None = None) -> School | None:
        """Return a school by its code or id."""
        condition = school.c.code == code if code is not None else school.c.id == school_id
        with self._database.service(write=False) as db:
            row = db.execute(select(school).where(condition)).first()
        return None if row is None else _school(row)

    def schools(self) -> list[School]:
        """Return every school."""
        with self._database.service(write=False) as db:
            return [_school(row) for row in db.execute(select(school).order_by(school.c.code))]

    def frame_origins(self, school_id: str) -> tuple[str, ...]:
        """Return the origins whose pages may frame this school's pages: its platforms', and no others."""
        query = (
            select(registration.c.issuer, registration.c.auth_url, registration.c.frame_origins)
            .join(deployment, deployment.c.registration_id == registration.c.id)
            .where(deployment.c.school_id == school_id)
        )
        with self._database.service(write=False) as db:
            rows = db.execute(query).all()
        return tuple(sorted({origin for row in rows for origin in _origins(row)}))

    def private_hosts(self) -> frozenset[str]:
        """Return the hosts inside private networks that registered platforms and tools may be reached at."""
        at, hosts = self._hosts
        if time.monotonic() - at > FRESH_SECONDS or not at:
            with self._database.service(write=False) as db:
                rows = list(db.execute(select(registration.c.private_hosts)).scalars())
                rows += db.execute(select(outside_tool.c.private_hosts)).scalars()
            hosts = frozenset(host for row in rows for host in row)
            self._hosts = (time.monotonic(), hosts)
        return hosts

    def serve_anonymous(self, registration_id: str, served: bool) -> bool:
        """Serve or refuse an LMS's launches that name nobody; False when there is no such registration."""
        mine = registration.c.id == registration_id
        with self._database.service() as db:
            changed = db.execute(registration.update().where(mine).values(allow_anonymous=int(served))).rowcount
        self.forget()
        return changed == 1

    def forget(self) -> None:
        """Read everything anew at the next call: a platform was registered, changed or removed."""
        self._directory.forget()
        self._hosts = (0.0, frozenset())

    def make_school(self, code: str, name: str, vault: Vault, now: datetime, language: str = "kk") -> School:
        """Make a school, or return the one that has this code."""
        known = self.school(code=code)
        if known is not None:
            return known
        values = {
            "id": new_id(), "code": code, "name": name, "language": language, "time_zone": "Asia/Almaty",
            "sealed_key": vault.seal(new_key()), "created_at": now,
        }  # fmt: skip
        with self._database.service() as db:
            db.execute(school.insert().values(values))
        return School(str(values["id"]), code, name, language, "Asia/Almaty")

    def add_platform(self, platform: Platform, school_id: str, kid: str, now: datetime) -> Registration:
        """Register an LMS and its deployment; again with other values, it is brought up to date.

        Raises:
            Fatal: The deployment is another school's: its pupils would land among strangers.
        """
        values = {
            "id": new_id(), "issuer": platform.issuer, "client_id": platform.client_id,
            "auth_url": platform.auth_url, "token_url": platform.token_url, "jwks_url": platform.jwks_url,
            "token_audience": platform.token_audience, "frame_origins": list(platform.frame_origins),
            "private_hosts": list(platform.private_hosts), "profile": platform.profile, "kid": kid, "created_at": now,
        }  # fmt: skip
        keep = ("id", "kid", "created_at")
        with self._database.service() as db:
            row = upsert(db, registration, values, ("issuer", "client_id"), keep=keep)
            _refuse_taken(db, row.id, platform.deployment_id, school_id)
            place = {"registration_id": row.id, "deployment_id": platform.deployment_id, "school_id": school_id}
            upsert(db, deployment, {**place, "created_at": now}, ("registration_id", "deployment_id"), keep=keep)
        self.forget()
        return registration_of(row)


def _refuse_taken(db: Connection, registration_id: str, deployment_id: str, school_id: str) -> None:
    query = (
        select(school.c.code)
        .join(deployment, deployment.c.school_id == school.c.id)
        .where(
            deployment.c.registration_id == registration_id,
            deployment.c.deployment_id == deployment_id,
            deployment.c.school_id != school_id,
        )
    )
    taken = db.execute(query).scalar_one_or_none()
    if taken is not None:
        text = N_("Deployment {deployment} of this LMS belongs to school {school} already.")
        raise Fatal("deployment_taken", say(text, deployment=deployment_id, school=taken))


def _school(row: Any) -> School:
    return School(row.id, row.code, row.name, row.language, row.time_zone)


def origin_of(url: str) -> str:
    """Return scheme, host and port of an address, as a CSP source."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()


def _origins(row: Any) -> set[str]:
    return {origin_of(row.issuer), origin_of(row.auth_url), *row.frame_origins}


class KeySetTable:
    """The last good key set of each platform; implements ``lti.tool.ports.KeySetStore``.

    It is a copy for bad days: a database that cannot give or take it is logged and costs nobody a launch.
    """

    def __init__(self, database: Database) -> None:
        """Read and write through the service role."""
        self._database = database

    def load(self, jwks_url: str) -> StoredKeySet | None:
        """Return the last good document, or None."""
        row = None
        with _or_log("load"), self._database.service(write=False) as db:
            row = db.execute(select(key_set).where(key_set.c.jwks_url == jwks_url)).first()
        return None if row is None else StoredKeySet(json.dumps(row.document), row.fetched_at)

    def save(self, jwks_url: str, stored: StoredKeySet) -> None:
        """Replace the last good document."""
        values = {"jwks_url": jwks_url, "document": json.loads(stored.document), "fetched_at": stored.fetched_at}
        with _or_log("save"), self._database.service() as db:
            upsert(db, key_set, values, ("jwks_url",))

    def claim(self, jwks_url: str, now: datetime, pause: timedelta) -> timedelta:
        """Return no wait to the one, of all that ask within a pause, who may fetch early; else what is left of it."""
        mine = key_set.c.jwks_url == jwks_url
        # A time ahead of ours is another clock's and would hold everybody up.
        free = key_set.c.forced_at.is_(None) | (key_set.c.forced_at <= now - pause) | (key_set.c.forced_at > now)
        at = None
        with _or_log("claim"), self._database.service() as db:
            if db.execute(key_set.update().where(mine, free).values(forced_at=now)).rowcount == 1:
                return timedelta()
            at = db.execute(select(key_set.c.forced_at).where(mine)).scalar_one_or_none()
        # A set that was never stored is nobody's to wait for; without the database this process keeps its own pace.
        return timedelta() if at is None else max(at + pause - now, timedelta())


@contextmanager
def _or_log(what: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        log.warning("key_set_not_kept", step=what, error=type(error).__name__)


class Tokens:
    """Access tokens shared by processes, sealed at rest; implements ``lti.tool.ports.TokenStore``."""

    def __init__(self, database: Database, vault: Vault) -> None:
        """Read and write through the service role."""
        self._database = database
        self._vault = vault

    def load(self, key: TokenKey) -> AccessToken | None:
        """Return the stored token, or None."""
        with self._database.service(write=False) as db:
            row = db.execute(select(access_token).where(access_token.c.key == _digest(key))).first()
        if row is None:
            return None
        return AccessToken(self._vault.open(row.sealed), frozenset(row.scopes), row.expires_at)

    def save(self, key: TokenKey, token: AccessToken) -> None:
        """Replace the stored token."""
        values = {
            "key": _digest(key), "sealed": self._vault.seal(token.value), "value_hash": fingerprint(token.value),
            "scopes": sorted(token.scopes), "expires_at": token.expires_at,
        }  # fmt: skip
        with self._database.service() as db:
            upsert(db, access_token, values, ("key",))

    def drop(self, key: TokenKey, token: AccessToken) -> None:
        """Forget the token if it is still the stored one."""
        same = (access_token.c.key == _digest(key)) & (access_token.c.value_hash == fingerprint(token.value))
        with self._database.service() as db:
            db.execute(access_token.delete().where(same))


def _digest(key: TokenKey) -> str:
    return fingerprint("\n".join((key.token_url, key.client_id, key.deployment_id, *sorted(key.scopes))))
