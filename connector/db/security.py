"""Row-level security: the second lock that keeps schools apart on PostgreSQL.

Statements are idempotent, so that an upgrade runs them over every table, a plugin's too. On SQLite, where one
process owns the file, the first lock (every statement names its school) stands alone.
"""

from __future__ import annotations

from sqlalchemy import Connection, MetaData, Table, text

from connector.db.schema import OWNED, SERVICE

APP_ROLE = "kopir_app"
SERVICE_ROLE = "kopir_service"


def secure(connection: Connection, tables: MetaData) -> None:
    """Force row-level security on every school-owned table and grant the two roles what they need.

    The roles are groups: the login of ``DATABASE_URL`` is a member of ``kopir_app``, the login of
    ``DATABASE_SERVICE_URL`` of ``kopir_service``. Neither owns a table, neither bypasses the policies.
    """
    if connection.dialect.name != "postgresql":
        return
    for role in (APP_ROLE, SERVICE_ROLE):
        _make_role(connection, role)
        connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {role}"))
    if "alembic_version" in connection.dialect.get_table_names(connection):
        # The doctor tells with the application's role whether the tables are of this version.
        connection.execute(text(f"GRANT SELECT ON alembic_version TO {APP_ROLE}, {SERVICE_ROLE}"))
    for table in tables.sorted_tables:
        if table.info.get(OWNED):
            _own(connection, table)
        else:
            _share(connection, table)


def _make_role(connection: Connection, role: str) -> None:
    # An owner that may not make roles finds them made by the administrator. Two installations on one server may
    # upgrade at the same time; the loser of the race finds the role made, too.
    if connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}):
        return
    connection.execute(
        text(
            f"DO $$ BEGIN CREATE ROLE {role} NOLOGIN; "
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        )
    )


def _own(connection: Connection, table: Table) -> None:
    name = table.name
    mine = "school_id = current_setting('kopir.school', true)"
    service = str(table.info.get(SERVICE, ""))
    statements = [
        f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY",
        f"DROP POLICY IF EXISTS school ON {name}",
        f"CREATE POLICY school ON {name} TO {APP_ROLE} USING ({mine}) WITH CHECK ({mine})",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO {APP_ROLE}",
        f"DROP POLICY IF EXISTS service ON {name}",
        f"REVOKE ALL ON {name} FROM {SERVICE_ROLE}",
    ]
    if service:
        statements += [
            f"CREATE POLICY service ON {name} TO {SERVICE_ROLE} USING (true) WITH CHECK (true)",
            f"GRANT {service} ON {name} TO {SERVICE_ROLE}",
        ]
    for statement in statements:
        connection.execute(text(statement))


def _share(connection: Connection, table: Table) -> None:
    app = str(table.info.get("app_access", "SELECT"))
    connection.execute(text(f"REVOKE ALL ON {table.name} FROM {APP_ROLE}, {SERVICE_ROLE}"))
    connection.execute(text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table.name} TO {SERVICE_ROLE}"))
    if app:
        connection.execute(text(f"GRANT {app} ON {table.name} TO {APP_ROLE}"))
