"""Bring a database's tables to this version: one Alembic environment, and a labelled branch per plugin.

Core revisions live beside this module, a plugin's in its own package under ``migrations/``. A plugin that is
switched off, or gone, keeps its tables and data: its place in the table of versions is parked while the others move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, NullPool, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.schema import SchemaItem

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.db.database import keep_private, prepare_sqlite
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

        def step(config: Config, connection: Connection) -> None:
            # Plugins' tables point at the core's, so the core moves first.
            command.upgrade(config, "core@head")
            command.upgrade(config, "heads")

        return self._run(step, policies=True)

    def downgrade(self, revision: str) -> list[str]:
        """Go back to a revision (``base``, or ``<plugin>@base`` for one plugin's tables); its data goes with it."""

        def step(config: Config, connection: Connection) -> None:
            if revision == "base":
                for plugin in self._plugins:
                    command.downgrade(config, f"{plugin}@base")
                command.downgrade(config, "core@base")
            else:
                command.downgrade(config, revision)

        return self._run(step)

    def pending(self) -> bool:
        """Tell whether an upgrade has something to do, or the core's tables are of a version this one does not know."""
        script = ScriptDirectory.from_config(self._config())
        with self._connect() as connection:
            current = set(MigrationContext.configure(connection).get_current_heads())
        return not set(script.get_heads()) <= current

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
                version_path=str(folder),
            )

        self._run(make, include_object=_mine(plugin_id))

    def _config(self) -> Config:
        config = Config()
        config.set_main_option("script_location", str(CORE))
        folders = [CORE / "versions", *(folder / "migrations" for folder in self._plugins.values())]
        config.set_main_option("version_locations", ";".join(map(str, folders)))
        config.set_main_option("path_separator", ";")
        return config

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        """Open one connection of the owner, and leave none behind."""
        address = make_url(self._url)
        if address.get_backend_name() == "sqlite":
            keep_private(address.database)
        engine = create_engine(address, poolclass=NullPool)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _prepare_for_migration)
            event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        with engine.connect() as connection:
            yield connection

    def _run(
        self, step: Callable[[Config, Connection], object], *, policies: bool = False, **attributes: Any
    ) -> list[str]:
        """Run a step in one transaction: a revision that fails half-way leaves the tables as they were."""
        config = self._config()
        with self._connect() as connection, connection.begin():
            config.attributes.update(connection=connection, metadata=metadata, **attributes)
            with _parked(connection, ScriptDirectory.from_config(config)):
                step(config, connection)
            _check_references(connection)
            if policies:
                secure(connection, _existing(connection))
            return sorted(MigrationContext.configure(connection).get_current_heads())


@contextmanager
def _parked(connection: Connection, script: ScriptDirectory) -> Iterator[None]:
    """Take the places of plugins that are not here out of the table of versions, and put them back afterwards.

    Raises:
        Fatal: The core's own tables are of a version that this one does not know (``newer_tables``).
    """
    known = {revision.revision: revision for revision in script.walk_revisions()}
    current = MigrationContext.configure(connection).get_current_heads()
    if current and not any("core" in known[one].branch_labels for one in current if one in known):
        raise Fatal(
            "newer_tables",
            say(N_("The tables are of a newer Kopir than this one. Upgrade Kopir, or restore a backup.")),
        )
    places = [{"place": one} for one in current if one not in known]
    if places:
        connection.execute(text("DELETE FROM alembic_version WHERE version_num = :place"), places)
    yield
    if places:
        connection.execute(text("INSERT INTO alembic_version (version_num) VALUES (:place)"), places)


def _prepare_for_migration(dbapi: Any, record: object) -> None:
    """Set a connection up as usual, but let a table be made anew while others point at it."""
    prepare_sqlite(dbapi, record)
    dbapi.execute("PRAGMA foreign_keys=OFF")


def _check_references(connection: Connection) -> None:
    """Refuse to commit rows that point at nothing, since SQLite did not look while the tables changed."""
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if broken:
            tables = ", ".join(sorted({str(row[0]) for row in broken}))
            text = N_("The upgrade would leave rows that point at nothing, in: {tables}. Nothing was changed.")
            raise Fatal("broken_upgrade", say(text, tables=tables))


def _existing(connection: Connection) -> MetaData:
    """Return the metadata; a plugin's tables that were never made are left out."""
    names = set(connection.dialect.get_table_names(connection))
    found = MetaData()
    for table in metadata.sorted_tables:
        if table.name in names:
            table.to_metadata(found)
    return found


def _mine(plugin_id: str) -> Callable[[SchemaItem, str | None, str, bool, object], bool]:
    """Return what tells the tables of one branch from those of the others."""
    prefix = plugin_prefix(plugin_id)

    def include(_item: SchemaItem, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
        if kind != "table" or name is None:
            return True
        return name.startswith(prefix) if plugin_id else not name.startswith("p_")

    return include
