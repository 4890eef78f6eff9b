"""Make an installation ready: keys in the data folder, tables in the database."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from connector.base.config import Settings, load_settings
from connector.base.secrets import new_key
from connector.db.migrate import Migrator
from connector.host.plugins import load_plugins
from connector.host.tables import import_tables


@dataclass(frozen=True)
class Installed:
    """What ``kopir init`` did."""

    keys_file: str
    keys_written: bool
    revisions: tuple[str, ...]


def install(folder: Path, environ: Mapping[str, str] | None = None) -> Installed:
    """Write missing keys, readable by the owner only, and make or upgrade the tables; may be run again."""
    environ = os.environ if environ is None else environ
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "keys.toml"
    written = not file.exists()
    if written:
        _write_private(file, f'secret_key = "{new_key()}"\nencryption_keys = ["{new_key()}"]\n')
    settings = load_settings(environ, data_dir=folder)
    return Installed(str(file), written, tuple(migrate(settings)))


def _write_private(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)


def migrate(settings: Settings) -> list[str]:
    """Bring the database of these settings to this version; return the revisions in force."""
    import_tables()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return migrator(settings).upgrade()


def migrator(settings: Settings) -> Migrator:
    """Return the migrator of these settings, with every plugin's branch."""
    plugins, _ = load_plugins()
    return Migrator(settings.owner_url, {name: plugin.manifest.package for name, plugin in plugins.items()})
