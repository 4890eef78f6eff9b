"""People and links that an LMS launched over LTI 1.1, known again by ids that the old secret signed.

An id is remembered with the account and the link of the first launch that proves it. When a later launch proves the
same id under a new ``sub`` or link id (the LMS was moved, or its tool made anew), it is the same person and the same
link: account and link get the new id and keep their works. Ids that nothing proves are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from connector.base.log import get_logger
from connector.base.secrets import Vault
from connector.db.database import Database
from connector.db.tables.launches import account, context, resource_link
from connector.db.tables.legacy import legacy_account, legacy_link, legacy_secret
from connector.db.upsert import upsert
from connector.host.runtime import Runtime
from lti.errors import Check
from lti.tool.launch import Launch
from lti.tool.legacy import LegacyIds, legacy_ids
from lti.vocab import Claim

log = get_logger("host.legacy")


class LegacyKeys:
    """The LTI 1.1 keys and secrets of registrations, sealed at rest."""

    def __init__(self, database: Database, vault: Vault) -> None:
        """Read and write through the service role."""
        self._database = database
        self._vault = vault

    def keep(self, registration_id: str, consumer_key: str, secret: str, now: datetime) -> None:
        """Keep a key with its secret; again, the secret is replaced."""
        values = {
            "registration_id": registration_id, "consumer_key": consumer_key,
            "sealed_secret": self._vault.seal(secret), "created_at": now,
        }  # fmt: skip
        with self._database.service() as db:
            upsert(db, legacy_secret, values, ("registration_id", "consumer_key"), keep=("created_at",))

    def drop(self, registration_id: str, consumer_key: str) -> bool:
        """Forget a key; False when it was not there."""
        with self._database.service() as db:
            return db.execute(legacy_secret.delete().where(_is(registration_id, consumer_key))).rowcount == 1

    def secret(self, registration_id: str, consumer_key: str) -> str | None:
        """Return the secret of a key, or None."""
        query = select(legacy_secret.c.sealed_secret).where(_is(registration_id, consumer_key))
        with self._database.service(write=False) as db:
            sealed = db.execute(query).scalar_one_or_none()
        return None if sealed is None else self._vault.open(sealed)

    def keys(self, registration_id: str) -> list[tuple[str, datetime]]:
        """Return a registration's keys with the time each was entered; never a secret."""
        query = (
            select(legacy_secret.c.consumer_key, legacy_secret.c.created_at)
            .where(legacy_secret.c.registration_id == registration_id)
            .order_by(legacy_secret.c.consumer_key)
        )
        with self._database.service(write=False) as db:
            return [(row.consumer_key, row.created_at) for row in db.execute(query)]


def _is(registration_id: str, consumer_key: str) -> Any:
    return (legacy_secret.c.registration_id == registration_id) & (legacy_secret.c.consumer_key == consumer_key)


def proven(runtime: Runtime, launched: Launch) -> tuple[LegacyIds | None, tuple[Check, ...]]:
    """Return the LTI 1.1 ids a launch proves, and what its trace says of them; nothing where it brings none."""
    if Claim.LTI1P1 not in launched.raw:
        return None, ()
    keys = LegacyKeys(runtime.database, runtime.vault)
    registration = launched.registration
    found, check = legacy_ids(launched.raw, registration, lambda key: keys.secret(registration.id, key))
    return found, (check,)


def adopt(db: Connection, school_id: str, launched: Launch, ids: LegacyIds) -> None:
    """Give the account and the link that an LTI 1.1 id was proven for the ids this launch has."""
    issuer, subject, link = launched.registration.issuer, launched.subject, launched.resource_link
    if ids.user_id is not None and subject is not None:
        known = _known(db, legacy_account, school_id, issuer, ids, user_id=ids.user_id)
        taken = (account.c.school_id == school_id) & (account.c.issuer == issuer) & (account.c.sub == subject)
        if known is not None and db.execute(select(account.c.id).where(taken)).first() is None:
            mine = (account.c.school_id == school_id) & (account.c.id == known.account)
            db.execute(account.update().where(mine).values(sub=subject))
            log.info("account_adopted", account=known.account, school=school_id)
    if ids.resource_link_id is not None and link is not None:
        known = _known(db, legacy_link, school_id, issuer, ids, link_id=ids.resource_link_id)
        if known is not None:
            _adopt_link(db, school_id, launched, known.resource_link, link.id)


def _adopt_link(db: Connection, school_id: str, launched: Launch, row_id: str, link_id: str) -> None:
    """Give a link its new id, within the course it stands in and only where that id is free."""
    there = (
        select(context.c.id)
        .join(
            resource_link,
            (resource_link.c.school_id == context.c.school_id) & (resource_link.c.context == context.c.id),
        )
        .where(resource_link.c.school_id == school_id, resource_link.c.id == row_id)
    )
    if launched.context is not None:
        there = there.where(context.c.context_id == launched.context.id)
    course = db.execute(there).scalar_one_or_none()
    if course is None:
        return
    same = (resource_link.c.school_id == school_id) & (resource_link.c.context == course)
    if db.execute(select(resource_link.c.id).where(same, resource_link.c.link_id == link_id)).first() is None:
        db.execute(resource_link.update().where(same, resource_link.c.id == row_id).values(link_id=link_id))
        log.info("link_adopted", link=row_id, school=school_id)


def _known(db: Connection, table: Any, school_id: str, issuer: str, ids: LegacyIds, **named: str) -> Any:
    ((name, value),) = named.items()
    query = select(table).where(
        table.c.school_id == school_id, table.c.issuer == issuer, table.c.consumer_key == ids.consumer_key,
        table.c[name] == value,
    )  # fmt: skip
    return db.execute(query).one_or_none()


def remember(
    db: Connection,
    launched: Launch,
    ids: LegacyIds,
    values: Mapping[str, Any],
) -> None:
    """Note for whom and which link the ids were proven; what an id was first proven for, it stays with.

    Args:
        db: A writing transaction of the school.
        launched: The launch.
        ids: What it proved.
        values: The launch's row.
    """
    common = {
        "school_id": values["school_id"], "issuer": launched.registration.issuer, "consumer_key": ids.consumer_key,
        "seen_at": values["created_at"],
    }  # fmt: skip
    key = ("school_id", "issuer", "consumer_key")
    if values["account"] is not None and ids.user_id is not None:
        row = {**common, "user_id": ids.user_id, "account": values["account"]}
        upsert(db, legacy_account, row, (*key, "user_id"), keep=("account",))
    if values["resource_link"] is not None and ids.resource_link_id is not None:
        row = {**common, "link_id": ids.resource_link_id, "resource_link": values["resource_link"]}
        upsert(db, legacy_link, row, (*key, "link_id"), keep=("resource_link",))
