"""Take a self-test out of an installation: every row of its school, its registration, keys and tokens."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sqlalchemy import Connection, Table, select

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.base.secrets import fingerprint
from connector.db.schema import OWNED, metadata
from connector.db.tables.registry import access_token, deployment, key_set, registration, school, signing_key
from connector.host.registered import remove_registration
from connector.host.runtime import Runtime
from connector.host.selftest.lms import SelftestLms
from connector.host.tables import import_tables

SCHOOL_PREFIX = "kopir-selftest-"
_CODE = re.compile(SCHOOL_PREFIX + "[0-9a-f]{12}")


def is_selftest(code: str) -> bool:
    """Tell whether a school's code is one that only a self-test makes."""
    return bool(_CODE.fullmatch(code))


def remove(runtime: Runtime, school_id: str, lms: SelftestLms | None = None) -> None:
    """Remove a self-test's school and everything of it; a school of any other name is never touched.

    Args:
        runtime: The installation.
        school_id: The run's school.
        lms: The run's platform, where it still stands: its tokens are removed with it.

    Raises:
        Fatal: The school is no self-test's (``not_a_selftest``).
    """
    found = runtime.registry.school(school_id=school_id)
    if found is None:
        return
    if not is_selftest(found.code):
        raise Fatal(
            "not_a_selftest", say(N_("School {code} is no self-test's, so it is not removed."), code=found.code)
        )
    import_tables()
    registrations = _registrations(runtime, school_id)
    with runtime.database.school(school_id) as db:
        _empty(db, (table for table in metadata.sorted_tables if table.info.get(OWNED)), school_id)
    for registration_id, kid, jwks_url in registrations:
        remove_registration(runtime, registration_id)
        with runtime.database.service() as db:
            db.execute(key_set.delete().where(key_set.c.jwks_url == jwks_url))
            db.execute(signing_key.delete().where(signing_key.c.kid == kid))
    with runtime.database.service() as db:
        shared = (table for table in metadata.sorted_tables if not table.info.get(OWNED) and "school_id" in table.c)
        _empty(db, shared, school_id)
        spent = [fingerprint(token.value) for token in lms.tokens] if lms else []
        db.execute(access_token.delete().where(access_token.c.value_hash.in_(spent)))
        db.execute(school.delete().where(school.c.id == school_id))
    runtime.registry.forget()


def _registrations(runtime: Runtime, school_id: str) -> list[tuple[str, str, str]]:
    query = (
        select(registration.c.id, registration.c.kid, registration.c.jwks_url)
        .join(deployment, deployment.c.registration_id == registration.c.id)
        .where(deployment.c.school_id == school_id)
    )
    with runtime.database.service(write=False) as db:
        return [(row.id, row.kid, row.jwks_url) for row in db.execute(query)]


def _empty(db: Connection, tables: Iterable[Table], school_id: str) -> None:
    for table in reversed(list(tables)):
        db.execute(table.delete().where(table.c.school_id == school_id))
