"""What is kept of an LMS that registered itself, and how a second registration brings it up to date."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.base.ids import new_id
from connector.db.tables.registry import (
    deployment,
    deployment_request,
    dynamic_registration,
    invitation,
    key_rotation,
    registration,
    signing_key,
)
from connector.db.upsert import upsert
from connector.host.invitations import Invitation
from connector.host.platforms import private_host
from connector.host.runtime import Runtime
from lti.profiles import profile_for
from lti.tool.registration import RegisteredClient
from lti.tool.registration_configuration import PlatformConfiguration

_FIELDS = ("auth_url", "token_url", "jwks_url", "token_audience", "profile")


@dataclass(frozen=True)
class Existing:
    """A registration of the same LMS in the same school."""

    id: str
    client_id: str
    values: dict[str, str | None]


@dataclass(frozen=True)
class Change:
    """One value that the new registration changes; None where there was or will be none."""

    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Stored:
    """What was stored.

    Attributes:
        registration_id: Our id.
        client_id: What the platform calls us.
        deployment_id: The deployment that came with it; None where the first launch's waits for a person.
        kind: ``new``, ``updated`` or ``replaced``.
    """

    registration_id: str
    client_id: str
    deployment_id: str | None
    kind: str


def values_of(configuration: PlatformConfiguration) -> dict[str, str | None]:
    """Return the stored values that a configuration determines."""
    profile = profile_for(configuration.family_code)
    audience = configuration.authorization_server or profile.token_audience
    return {
        "auth_url": configuration.authorization_endpoint,
        "token_url": configuration.token_endpoint,
        "jwks_url": configuration.jwks_uri,
        "token_audience": None if audience == configuration.token_endpoint else audience,
        "profile": profile.key,
    }


def changes_of(existing: Existing, configuration: PlatformConfiguration) -> list[Change]:
    """Return what a configuration changes in a registration."""
    new = values_of(configuration)
    return [
        Change(name, existing.values[name], new[name]) for name in _FIELDS if existing.values[name] != new[name]
    ]  # fmt: skip


def find_existing(runtime: Runtime, school_id: str, issuer: str) -> list[Existing]:
    """Return a school's registrations of an issuer, the newest first."""
    query = (
        select(registration)
        .where(registration.c.issuer == issuer, registration.c.id.in_(_ids_of(school_id)))
        .order_by(registration.c.id.desc())
    )
    with runtime.database.service(write=False) as db:
        rows = db.execute(query).all()
    return [Existing(row.id, row.client_id, {name: getattr(row, name) for name in _FIELDS}) for row in rows]


def _ids_of(school_id: str) -> Any:
    deployed = select(deployment.c.registration_id).where(deployment.c.school_id == school_id)
    invited = select(dynamic_registration.c.registration_id).where(dynamic_registration.c.school_id == school_id)
    return deployed.union(invited)


def platform_of(
    runtime: Runtime, invited: Invitation, configuration: PlatformConfiguration, client: RegisteredClient
) -> dict[str, Any]:
    """Return the registration's row, without its key: only hosts the invitation allowed are kept as private."""
    private = {host for url in (configuration.token_endpoint, configuration.jwks_uri) if (host := private_host(url))}
    allowed = set(invited.allow_hosts)
    kept = {host for host in private if host in allowed or host.rpartition(":")[0] in allowed}
    return {
        "id": new_id(), "issuer": configuration.issuer, "client_id": client.client_id, **values_of(configuration),
        "frame_origins": list(profile_for(configuration.family_code).frame_sources),
        "private_hosts": sorted(kept), "created_at": runtime.clock(),
        "product": f"{configuration.family_code} {configuration.version}".strip(),
    }  # fmt: skip


def store(
    runtime: Runtime, invited: Invitation, platform: dict[str, Any], client: RegisteredClient, replace: str
) -> Stored:
    """Keep a registration with a key pair of its own; one that is known is brought up to date and keeps its key.

    Raises:
        Fatal: The client or the deployment is another school's (``registration_taken``, ``deployment_taken``).
    """
    now = runtime.clock()
    product = platform.pop("product")
    # Made before the transaction, since making a key takes longer than a transaction should.
    key = runtime.keys.new_row(now)
    with runtime.database.service() as db:
        found, kind = _find_row(db, invited.school_id, platform, replace)
        registration_id = found.id if found is not None else platform["id"]
        if found is None:
            db.execute(signing_key.insert().values(key))
            db.execute(registration.insert().values({**platform, "kid": key["kid"]}))
        else:
            frames = {**platform, "frame_origins": sorted({*platform["frame_origins"], *found.frame_origins})}
            changed = {name: value for name, value in frames.items() if name not in ("id", "created_at")}
            db.execute(registration.update().where(registration.c.id == registration_id).values(changed))
        if client.deployment_id is not None:
            _deploy(db, registration_id, client.deployment_id, invited.school_id, now)
        facts = {
            "registration_id": registration_id, "school_id": invited.school_id, "product": product,
            "scopes": sorted(client.scopes or ()), "registered_at": now, "updated_at": now,
        }  # fmt: skip
        upsert(db, dynamic_registration, facts, ("registration_id",), keep=("school_id", "registered_at"))
        db.execute(invitation.update().where(invitation.c.id == invited.id).values(registration_id=registration_id))
    runtime.registry.forget()
    return Stored(registration_id, client.client_id, client.deployment_id, kind)


def _find_row(db: Connection, school_id: str, platform: dict[str, Any], replace: str) -> tuple[Any, str]:
    same = (registration.c.issuer == platform["issuer"]) & (registration.c.client_id == platform["client_id"])
    found = db.execute(select(registration).where(same)).first()
    ours = set(db.execute(_ids_of(school_id)).scalars())
    if found is not None:
        if found.id not in ours:
            text = N_("The LMS gave a client id that belongs to another school's registration.")
            raise Fatal("registration_taken", say(text))
        return found, "updated"
    if replace and replace in ours:
        former = (registration.c.id == replace) & (registration.c.issuer == platform["issuer"])
        found = db.execute(select(registration).where(former)).first()
    return found, "new" if found is None else "replaced"


def _deploy(db: Connection, registration_id: str, deployment_id: str, school_id: str, now: Any) -> None:
    same = (deployment.c.registration_id == registration_id) & (deployment.c.deployment_id == deployment_id)
    owner = db.execute(select(deployment.c.school_id).where(same)).scalar_one_or_none()
    if owner is None:
        values = {"registration_id": registration_id, "deployment_id": deployment_id, "school_id": school_id}
        db.execute(deployment.insert().values({**values, "created_at": now}))
    elif owner != school_id:
        text = N_("Deployment {deployment} of this LMS belongs to another school.")
        raise Fatal("deployment_taken", say(text, deployment=deployment_id))
    waiting = (deployment_request.c.registration_id == registration_id) & (
        deployment_request.c.deployment_id == deployment_id
    )
    db.execute(deployment_request.delete().where(waiting))


def deploy(runtime: Runtime, registration_id: str, deployment_id: str, school_id: str) -> None:
    """Give a deployment to a school, by a person's word.

    Raises:
        Fatal: It is another school's (``deployment_taken``).
    """
    with runtime.database.service() as db:
        _deploy(db, registration_id, deployment_id, school_id, runtime.clock())


def remove_registration(runtime: Runtime, registration_id: str) -> bool:
    """Forget an LMS and its keys at once; what its people did stays, under the accounts of its issuer.

    A removed key signs nothing any more, and platforms stop taking it as soon as they read our keys anew.
    """
    with runtime.database.service() as db:
        mine = registration.c.id == registration_id
        row = db.execute(select(registration.c.kid).where(mine)).first()
        if row is None:
            return False
        rotating = key_rotation.c.registration_id == registration_id
        kids = {row.kid, *_kids(db.execute(select(key_rotation.c.new_kid, key_rotation.c.old_kid).where(rotating)))}
        for table in (key_rotation, deployment, deployment_request, dynamic_registration):
            db.execute(table.delete().where(table.c.registration_id == registration_id))
        spent = invitation.c.registration_id == registration_id
        db.execute(invitation.update().where(spent).values(registration_id=None))
        db.execute(registration.delete().where(mine))
        used = select(registration.c.kid)
        orphans = signing_key.c.kid.in_(kids) & signing_key.c.kid.not_in(used)
        db.execute(signing_key.update().where(orphans).values(state="retired", sealed_pem=""))
    runtime.registry.forget()
    return True


def _kids(rows: Iterable[Any]) -> set[str]:
    return {kid for row in rows for kid in row}
