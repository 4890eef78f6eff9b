"""Deployments that launch before anybody said whose they are: they wait, and are never taken in silently."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.db.tables.registry import (
    deployment,
    deployment_request,
    dynamic_registration,
    registration,
    school,
)
from connector.db.upsert import upsert
from connector.host.registered import deploy
from connector.host.runtime import Runtime

MOST_WAITING = 50


@dataclass(frozen=True)
class Waiting:
    """A deployment that waits.

    Attributes:
        registration_id: Our id of the registration it came by.
        issuer: The LMS.
        client_id: What the LMS calls us.
        deployment_id: The deployment.
        school_code: The school whose invitation brought the registration, empty when there was none.
        school_id: Its id, or None.
        launches: How often somebody tried.
        last_at: The last time.
    """

    registration_id: str
    issuer: str
    client_id: str
    deployment_id: str
    school_code: str
    school_id: str | None
    launches: int
    last_at: datetime


def note_deployment(runtime: Runtime, registration_id: str, deployment_id: str) -> None:
    """Write down that a deployment launched which belongs to no school; call it for signed launches only."""
    now = runtime.clock()
    with runtime.database.service() as db:
        place = (deployment_request.c.registration_id == registration_id) & (
            deployment_request.c.deployment_id == deployment_id
        )
        again = {"launches": deployment_request.c.launches + 1, "last_at": now}
        if db.execute(deployment_request.update().where(place).values(again)).rowcount:
            return
        mine = deployment_request.c.registration_id == registration_id
        if (db.scalar(select(func.count()).where(mine)) or 0) >= MOST_WAITING:
            return
        values = {
            "registration_id": registration_id, "deployment_id": deployment_id,
            "school_id": _likely_school(db, registration_id), "launches": 1, "first_at": now, "last_at": now,
        }  # fmt: skip
        upsert(db, deployment_request, values, ("registration_id", "deployment_id"), keep=("launches", "first_at"))


def _likely_school(db: Connection, registration_id: str) -> str | None:
    """Return the school that was invited, or the only one the registration serves; a guess a person confirms."""
    invited = select(dynamic_registration.c.school_id).where(dynamic_registration.c.registration_id == registration_id)
    found = db.execute(invited).scalar_one_or_none()
    if found is not None:
        return str(found)
    served = select(deployment.c.school_id).where(deployment.c.registration_id == registration_id).distinct()
    schools = list(db.execute(served).scalars())
    return str(schools[0]) if len(schools) == 1 else None


def waiting_deployments(runtime: Runtime, school_id: str | None = None) -> list[Waiting]:
    """Return what waits, of one school or of all, the latest first."""
    query = (
        select(deployment_request, registration.c.issuer, registration.c.client_id, school.c.code)
        .join(registration, registration.c.id == deployment_request.c.registration_id)
        .outerjoin(school, school.c.id == deployment_request.c.school_id)
        .order_by(deployment_request.c.last_at.desc(), deployment_request.c.deployment_id)
    )
    if school_id is not None:
        query = query.where(deployment_request.c.school_id == school_id)
    with runtime.database.service(write=False) as db:
        return [_waiting(row) for row in db.execute(query)]


def _waiting(row: Any) -> Waiting:
    return Waiting(
        registration_id=row.registration_id,
        issuer=row.issuer,
        client_id=row.client_id,
        deployment_id=row.deployment_id,
        school_code=row.code or "",
        school_id=row.school_id,
        launches=row.launches,
        last_at=row.last_at,
    )


def approve_deployment(
    runtime: Runtime, deployment_id: str, *, school_id: str | None = None, registration_id: str | None = None
) -> Waiting:
    """Give a waiting deployment to a school: the one named, else the one whose invitation brought the registration.

    Raises:
        Fatal: Nothing like it waits (``not_waiting``), several do (``which_deployment``), its school is not known
            (``which_school``), or it is another school's (``deployment_taken``).
    """
    found = [
        one
        for one in waiting_deployments(runtime)
        if one.deployment_id == deployment_id and registration_id in (None, one.registration_id)
    ]
    if not found:
        text = N_("No deployment {deployment} waits. Open an activity from the LMS once, then look again.")
        raise Fatal("not_waiting", say(text, deployment=deployment_id))
    if len(found) > 1:
        ids = ", ".join(one.registration_id for one in found)
        text = N_("Several registrations have a deployment {deployment}; name one with --registration: {ids}.")
        raise Fatal("which_deployment", say(text, deployment=deployment_id, ids=ids))
    owner = school_id or found[0].school_id
    if owner is None:
        text = N_("No invitation tells whose deployment {deployment} is; name the school with --school.")
        raise Fatal("which_school", say(text, deployment=deployment_id))
    deploy(runtime, found[0].registration_id, deployment_id, owner)
    return found[0]


def refuse_deployment(runtime: Runtime, registration_id: str, deployment_id: str) -> bool:
    """Drop a waiting deployment; it waits again when it launches again."""
    place = (deployment_request.c.registration_id == registration_id) & (
        deployment_request.c.deployment_id == deployment_id
    )
    with runtime.database.service() as db:
        return db.execute(deployment_request.delete().where(place)).rowcount == 1
