"""A database of its own on a PostgreSQL server, where there is one, with the roles an administrator makes."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from connector.db.security import APP_ROLE, SERVICE_ROLE

_GROUP = "DO $$ BEGIN CREATE ROLE {} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
_LOGINS = {"owner": None, "app": APP_ROLE, "service": SERVICE_ROLE}
# Every program that makes throw-away roles on a server takes this lock, so that none trips over another's.
_LOCK = "SELECT pg_advisory_lock(720014)"


def admin_url() -> str | None:
    """Return the URL of a superuser, or None where no server listens."""
    url = os.environ.get("POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
    parts = urlsplit(url)
    with socket.socket() as probe:
        probe.settimeout(2)
        return url if probe.connect_ex((parts.hostname or "127.0.0.1", parts.port or 5432)) == 0 else None


@contextmanager
def fresh_database() -> Iterator[dict[str, str]]:
    """Make an empty database and its three logins; yield Kopir's settings for it, or nothing without a server."""
    admin = admin_url()
    if admin is None:
        yield {}
        return
    name = f"kopir_bench_{uuid4().hex[:10]}"
    url = make_url(admin)

    def at(login: str) -> str:
        made = url.set(drivername="postgresql", username=f"{name}_{login}", database=name)
        return made.render_as_string(hide_password=False)

    _make(admin, name)
    try:
        yield {"DATABASE_URL": at("app"), "DATABASE_SERVICE_URL": at("service"), "DATABASE_OWNER_URL": at("owner")}
    finally:
        _drop(admin, name)


def _make(admin: str, name: str) -> None:
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(_LOCK)
        for login, group in _LOGINS.items():
            member = sql.SQL("")
            if group:
                connection.execute(sql.SQL(_GROUP).format(sql.Identifier(group)))
                member = sql.SQL("IN ROLE {}").format(sql.Identifier(group))
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN {}").format(sql.Identifier(f"{name}_{login}"), member))
        parts = (sql.Identifier(name), sql.Identifier(f"{name}_owner"))
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(*parts))


def _drop(admin: str, name: str) -> None:
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(_LOCK)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        for login in _LOGINS:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(f"{name}_{login}")))


def postgres_pids(database_url: str) -> list[int]:
    """Return the server's processes that serve one database now."""
    admin = admin_url()
    if admin is None:
        return []
    with psycopg.connect(admin, autocommit=True) as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE datname = %s"
        return [row[0] for row in connection.execute(query, (make_url(database_url).database,))]
