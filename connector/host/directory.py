"""Registrations with their schools, as one process has read them within the last seconds.

A launch asks for its registration twice and for its school twice; under load that is one statement every few seconds
instead of four per launch. What is not found is never remembered: a new registration or deployment works at once,
and a changed or removed one is noticed by every process within ``FRESH_SECONDS``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, select

from connector.db.database import Database
from connector.db.tables.registry import deployment, registration, school
from lti.tool.ports import Registration

FRESH_SECONDS = 5.0
# A registration with more deployments (one Canvas for a whole region) has the others asked for one by one.
_MOST_DEPLOYMENTS = 100


@dataclass(frozen=True)
class School:
    """A school as the application needs it."""

    id: str
    code: str
    name: str
    language: str
    time_zone: str


@dataclass(frozen=True)
class Entry:
    """One registration, the schools of its deployments, and until when that is taken for the present state."""

    registration: Registration
    schools: Mapping[str, School]
    until: float


_BY_DEPLOYMENT = (
    select(
        registration,
        deployment.c.deployment_id,
        *(column.label(f"school_{column.name}") for column in school.c if column.name != "sealed_key"),
    )
    .select_from(registration)
    .outerjoin(deployment, deployment.c.registration_id == registration.c.id)
    .outerjoin(school, school.c.id == deployment.c.school_id)
    .limit(_MOST_DEPLOYMENTS)
)


class Directory:
    """Keep entries for a few seconds; safe to share between threads, since entries are replaced as a whole."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        """Read through the service role."""
        self._database = database
        self._clock = clock
        self._by_id: dict[str, Entry] = {}
        self._by_client: dict[tuple[str, str], str] = {}

    def of_client(self, issuer: str, client_id: str) -> Entry | None:
        """Return the registration of an issuer's client."""
        entry = self._fresh(self._by_client.get((issuer, client_id), ""))
        if entry is not None and (entry.registration.issuer, entry.registration.client_id) == (issuer, client_id):
            return entry
        return self._read((registration.c.issuer == issuer) & (registration.c.client_id == client_id))

    def of_id(self, registration_id: str) -> Entry | None:
        """Return the registration with our id."""
        return self._fresh(registration_id) or self._read(registration.c.id == registration_id)

    def remembered(self, registration_id: str) -> Entry | None:
        """Return what was read of a registration last, however long ago, without asking the database."""
        return self._by_id.get(registration_id)

    def forget(self) -> None:
        """Read everything anew: this process changed a registration."""
        self._by_client, self._by_id = {}, {}

    def _fresh(self, registration_id: str) -> Entry | None:
        entry = self._by_id.get(registration_id)
        return entry if entry is not None and self._clock() < entry.until else None

    def _read(self, condition: ColumnElement[bool]) -> Entry | None:
        # Taken before the statement: what another process changes while it runs is noticed in time, too.
        until = self._clock() + FRESH_SECONDS
        by_id, by_client = self._by_id, self._by_client
        with self._database.service(write=False) as db:
            rows = db.execute(_BY_DEPLOYMENT.where(condition)).all()
        if not rows:
            return None
        found = registration_of(rows[0])
        schools = {row.deployment_id: _school(row) for row in rows if row.school_id is not None}
        entry = Entry(found, schools, until)
        # Into the tables as they were at the start: what was forgotten meanwhile stays forgotten.
        by_id[found.id] = entry
        by_client[found.issuer, found.client_id] = found.id
        return entry


def registration_of(row: Any) -> Registration:
    """Return a row of the table as the protocol's rooms know it."""
    return Registration(
        id=row.id,
        issuer=row.issuer,
        client_id=row.client_id,
        auth_url=row.auth_url,
        token_url=row.token_url,
        jwks_url=row.jwks_url,
        token_audience=row.token_audience,
        profile=row.profile,
        allow_anonymous=bool(row.allow_anonymous),
        rung=row.rung,
        rung_at=row.rung_at,
    )


def _school(row: Row[Any]) -> School:
    return School(row.school_id, row.school_code, row.school_name, row.school_language, row.school_time_zone)
