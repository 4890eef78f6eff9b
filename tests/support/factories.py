"""Rows for tests: each function makes one thing, with sensible values for what the test does not care about.

Every function takes the Database, opens its own short transaction as the role that may write there, and returns
the id of what it made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import insert, select, update

from connector.base.ids import new_id
from connector.db.database import Database
from connector.db.tables.launches import account, activity, context, launch, resource_link, result
from connector.db.tables.registry import deployment, registration, school, signing_key

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
ISSUER = "https://lms.example.kz"
_serial = count(1)


def make_school(database: Database, *, code: str = "", language: str = "kk") -> str:
    school_id = new_id()
    with database.service() as db:
        db.execute(
            insert(school).values(
                id=school_id,
                code=code or f"school-{next(_serial)}",
                name="№5 гимназия",
                language=language,
                sealed_key="sealed",
                created_at=NOW,
            )
        )
    return school_id


def make_registration(
    database: Database,
    *,
    issuer: str = ISSUER,
    base_url: str = "",
    client_id: str = "",
    profile: str = "moodle",
    **values: Any,
) -> str:
    """Make a registration; ``base_url`` is where the platform's endpoints are, the issuer by default."""
    registration_id, base = new_id(), base_url or issuer
    with database.service() as db:
        kid = db.scalar(select(signing_key.c.kid).limit(1))
        if kid is None:
            kid = f"kid-{next(_serial)}"
            db.execute(
                insert(signing_key).values(kid=kid, sealed_pem="sealed", public_jwk={}, state="signing", created_at=NOW)
            )
        row = {
            "id": registration_id,
            "issuer": issuer,
            "client_id": client_id or f"client-{next(_serial)}",
            "auth_url": f"{base}/auth",
            "token_url": f"{base}/token",
            "jwks_url": f"{base}/jwks",
            "frame_origins": [],
            "private_hosts": [],
            "profile": profile,
            "kid": kid,
            "created_at": NOW,
        }
        db.execute(insert(registration).values({**row, **values}))
    return registration_id


def make_deployment(database: Database, school_id: str, registration_id: str, deployment_id: str = "1") -> str:
    with database.service() as db:
        db.execute(
            insert(deployment).values(
                registration_id=registration_id, deployment_id=deployment_id, school_id=school_id, created_at=NOW
            )
        )
    return deployment_id


def make_account(
    database: Database, school_id: str, *, registration_id: str = "", sub: str = "", issuer: str = ISSUER, **values: Any
) -> str:
    number = next(_serial)
    row = {
        "school_id": school_id,
        "id": new_id(),
        "issuer": issuer,
        "sub": sub or str(number),
        "registration_id": registration_id or "registration",
        "display_name": f"Оқушы {number}",
        "seen_at": NOW,
    }
    return _insert(database, school_id, account, {**row, **values})


def make_context(
    database: Database,
    school_id: str,
    *,
    registration_id: str = "",
    line_items_url: str | None = None,
    memberships_url: str | None = None,
    scopes: Sequence[str] = (),
    **values: Any,
) -> str:
    row = {
        "school_id": school_id,
        "id": new_id(),
        "issuer": ISSUER,
        "registration_id": registration_id or "registration",
        "deployment_id": "1",
        "context_id": f"course-{next(_serial)}",
        "title": "Алгебра 7А",
        "line_items_url": line_items_url,
        "memberships_url": memberships_url,
        "scopes": list(scopes),
        "seen_at": NOW,
    }
    return _insert(database, school_id, context, {**row, **values})


def make_link(
    database: Database,
    school_id: str,
    context_id: str,
    *,
    activity_id: str | None = None,
    line_item_url: str | None = None,
    **values: Any,
) -> str:
    row = {
        "school_id": school_id,
        "id": new_id(),
        "context": context_id,
        "link_id": f"link-{next(_serial)}",
        "activity": activity_id,
        "line_item_url": line_item_url,
        "seen_at": NOW,
    }
    return _insert(database, school_id, resource_link, {**row, **values})


def make_activity(
    database: Database,
    school_id: str,
    *,
    plugin: str = "online_test",
    context_id: str | None = None,
    score_maximum: str | None = "10",
    settings: Mapping[str, Any] | None = None,
    **values: Any,
) -> str:
    row = {
        "school_id": school_id,
        "id": new_id(),
        "plugin": plugin,
        "context": context_id,
        "title": "Бақылау жұмысы",
        "settings": dict(settings or {}),
        "score_maximum": score_maximum,
        "created_at": NOW,
    }
    return _insert(database, school_id, activity, {**row, **values})


def make_result(
    database: Database,
    school_id: str,
    activity_id: str,
    account_id: str,
    *,
    score: str | None = "8",
    maximum: str | None = "10",
    progress: str = "graded",
    finished_at: datetime = NOW,
    revision: int = 1,
    **values: Any,
) -> str:
    row = {
        "school_id": school_id,
        "id": new_id(),
        "activity": activity_id,
        "account": account_id,
        "score_given": score,
        "score_maximum": maximum,
        "progress": progress,
        "revision": revision,
        "finished_at": finished_at,
        "evidence": {},
    }
    return _insert(database, school_id, result, {**row, **values})


def revise_result(database: Database, school_id: str, result_id: str, **values: Any) -> None:
    """Hand the same result in anew: a revision later, with other values."""
    with database.school(school_id) as db:
        db.execute(
            update(result)
            .where(result.c.school_id == school_id, result.c.id == result_id)
            .values(revision=result.c.revision + 1, **values)
        )


def make_launch(
    database: Database,
    school_id: str,
    *,
    registration_id: str = "registration",
    account_id: str | None = None,
    context_id: str | None = None,
    link_id: str | None = None,
    role: str = "pupil",
    roles: Sequence[str] = ("http://purl.imsglobal.org/vocab/lis/v2/membership#Learner",),
    created_at: datetime = NOW,
    **values: Any,
) -> str:
    row = {
        "school_id": school_id,
        "id": new_id(),
        "registration_id": registration_id,
        "nonce": new_id(),
        "secret_hash": new_id(),
        "message_type": "LtiResourceLinkRequest",
        "account": account_id,
        "context": context_id,
        "resource_link": link_id,
        "role": role,
        "roles": list(roles),
        "language": "kk",
        "target": "https://kopir.example.kz/lti/launch",
        "details": {},
        "trace": {},
        "created_at": created_at,
        "expires_at": created_at + timedelta(hours=8),
    }
    return _insert(database, school_id, launch, {**row, **values})


def _insert(database: Database, school_id: str, table: Any, row: Mapping[str, Any]) -> str:
    with database.school(school_id) as db:
        db.execute(insert(table).values(row))
    return str(row["id"])
