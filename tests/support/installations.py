"""Places for a whole installation: a data folder with keys, and an empty database on SQLite or PostgreSQL.

On PostgreSQL the owner, the application and the service are three plain logins, as an administrator makes them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from connector.base.config import Settings, load_settings, with_driver
from connector.base.secrets import new_key
from connector.db.security import APP_ROLE, SERVICE_ROLE

_MAKE_GROUP = (
    "DO $$ BEGIN CREATE ROLE {} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
)


@dataclass(frozen=True)
class Installation:
    """An installation that is not migrated yet."""

    folder: Path
    environ: dict[str, str]

    def settings(self, **changes: Any) -> Settings:
        """Read its settings, with some changed."""
        return load_settings(self.environ, self.folder / "none.toml", **changes)


def on_sqlite(folder: Path, **environ: str) -> Installation:
    """Return an installation in a folder, with keys in its environment."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {"DATA_DIR": str(folder), "SECRET_KEY": new_key(), "ENCRYPTION_KEYS": new_key(), **environ}
    return Installation(folder, values)


@contextmanager
def on_postgres(folder: Path, admin_url: str) -> Iterator[Installation]:
    """Make a database with an owner that may make neither roles nor databases; drop all of it at the end."""
    url = make_url(with_driver(admin_url))
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    name = f"kopir_test_{os.getpid()}_{uuid4().hex[:8]}"
    logins = {f"{name}_owner": None, f"{name}_app": APP_ROLE, f"{name}_service": SERVICE_ROLE}
    with _admin(plain) as admin:
        for login, group in logins.items():
            if group:
                admin.execute(sql.SQL(_MAKE_GROUP.format(group)))
            member = sql.SQL("IN ROLE {}").format(sql.Identifier(group)) if group else sql.SQL("")
            admin.execute(sql.SQL("CREATE ROLE {} LOGIN {}").format(sql.Identifier(login), member))
        owner = sql.Identifier(f"{name}_owner")
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(sql.Identifier(name), owner))

    def at(login: str) -> str:
        return url.set(username=f"{name}_{login}", database=name).render_as_string(hide_password=False)

    urls = {"DATABASE_URL": at("app"), "DATABASE_SERVICE_URL": at("service"), "DATABASE_OWNER_URL": at("owner")}
    try:
        yield on_sqlite(folder, **urls)
    finally:
        with _admin(plain) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            for login in logins:
                admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))


@contextmanager
def _admin(plain: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(plain, autocommit=True) as connection:
        # Roles belong to the whole server: test processes make and drop theirs one after another.
        connection.execute("SELECT pg_advisory_lock(720014)")
        yield connection
