"""The table base: one metadata, and a helper that sets every school-owned table apart.

Tables above schools (registrations, keys, the job queue) are plain. Every other table leads its primary key with
the school, and every reference between such tables leads with it too, so that a row of one school cannot even
point at a row of another.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, MetaData, PrimaryKeyConstraint, Table
from sqlalchemy.schema import SchemaItem

from connector.db.types import Key

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

OWNED = "school_owned"
SERVICE = "service_access"


def school_table(name: str, *items: SchemaItem, key: tuple[str, ...] = ("id",), service: str = "") -> Table:
    """Make a school-owned table: ``school_id`` comes first and the primary key is (school_id, *key).

    Args:
        name: Table name; a plugin's start with ``p_<plugin id>_``.
        items: Columns and constraints; an ``id`` column is added when ``key`` is ("id",).
        key: The rest of the primary key.
        service: What the cross-school service role may do here: "", "SELECT" or "SELECT, UPDATE, …".
    """
    own: list[SchemaItem] = [Column("school_id", Key, ForeignKey("school.id"), nullable=False)]
    if key == ("id",):
        own.append(Column("id", Key, nullable=False))
    info = {OWNED: True, SERVICE: service}
    return Table(name, metadata, *own, *items, PrimaryKeyConstraint("school_id", *key), info=info)


def ref(column: str, table: str, **options: Any) -> ForeignKeyConstraint:
    """Refer from ``column`` to another school-owned table's id, within the same school."""
    return ForeignKeyConstraint(["school_id", column], [f"{table}.school_id", f"{table}.id"], **options)
