"""Bring a database's tables to this version: one Alembic environment, and a labelled branch per plugin.

Core revisions live beside this module, a plugin's in its own package under ``migrations/``. A plugin that is
switched off keeps its tables and data; its branch is simply not asked to move.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, create_engine, event

from connector.db.database import prepare_sqlite
from connector.db.schema import metadata
from connector.db.security import secure

CORE = Path(__file__).parent / "migrations"


def plugin_prefix(plugin_id: str) -> str:
    """Return what a plugin's table names start with."""
    return f"p_{plugin_id}_"


class Migrator:
    """Upgrade one database; made for the owner's URL, which no server process needs."""

    def __init__(self, url: str, plugins: Mapping[str, Path]) -> None:
        """Take the owner's URL and the plugins' package folders by plugin id."""
        self._url = url
        self._plugins = {name: folder for name, folder in plugins.items() if (folder / "migrations").is_dir()}

    def upgrade(self) -> list[str]:
        """Apply what is missing and set the policies anew; return the revisions that are in force."""
        return self._run(lambda config, connection: command.upgrade(config, "heads"), policies=True)

    def downgrade(self, revision: str) -> list[str]:
        """Go back to a revision (``base``, or ``<plugin>@base`` for one plugin's tables)."""
        return self._run(lambda config, connection: command.downgrade(config, revision))

    def pending(self) -> bool:
        """Tell whether an upgrade has something to do."""
        with self._connect() as connection:
            current = set(MigrationContext.configure(connection).get_current_heads())
        return current != set(ScriptDirectory.from_config(self._config()).get_heads())

    def write_revision(self, message: str, revision: str, plugin_id: str = "") -> None:
        """Write a revision from the difference between tables and code (for developers)."""

        def make(config: Config, connection: Connection) -> None:
            folder = self._plugins[plugin_id] / "migrations" if plugin_id else CORE / "versions"
            known = ScriptDirectory.from_config(config)
            first = plugin_id and plugin_id not in {
                label for item in known.walk_revisions() for label in item.branch_labels
            }
            head = "base" if first else f"{plugin_id}@head" if plugin_id else "core@head"
            if not plugin_id and not known.get_heads():
                head, first = "base", True
            command.revision(
                config,
                message,
                autogenerate=True,
                rev_id=revision,
                head=head,
                branch_label=(plugin_id or "core") if first else None,
                depends_on="core" if first and plugin_id else None,
                version_path=str(folder),
            )

        self._run(make, include_name=_mine(plugin_id))

    def _config(self) -> Config:
        config = Config()
        config.set_main_option("script_location", str(CORE))
        folders = [CORE / "versions", *(folder / "migrations" for folder in self._plugins.values())]
        config.set_main_option("version_locations", ";".join(map(str, folders)))
        config.set_main_option("path_separator", ";")
        return config

    def _connect(self) -> Any:
        engine = create_engine(self._url)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", prepare_sqlite)
        return engine.connect()

    def _run(
        self, step: Callable[[Config, Connection], object], *, policies: bool = False, **attributes: Any
    ) -> list[str]:
        config = self._config()
        with self._connect() as connection:
            config.attributes.update(connection=connection, metadata=metadata, **attributes)
            step(config, connection)
            if policies:
                secure(connection, _existing(connection))
            connection.commit()
            heads = list(MigrationContext.configure(connection).get_current_heads())
        connection.engine.dispose()
        return heads


def _existing(connection: Connection) -> MetaData:
    """Return the metadata; a plugin's tables that were never made are left out."""
    names = set(connection.dialect.get_table_names(connection))
    found = MetaData()
    for table in metadata.sorted_tables:
        if table.name in names:
            table.to_metadata(found)
    return found


def _mine(plugin_id: str) -> Callable[[str | None, str, object], bool]:
    prefix = plugin_prefix(plugin_id)

    def include(name: str | None, kind: str, _parents: object) -> bool:
        if kind != "table" or name is None:
            return True
        return name.startswith(prefix) if plugin_id else not name.startswith("p_")

    return include
