"""Make an installation ready: keys in the data folder, tables in the database."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.base.config import Settings, data_folder, load_settings, written_settings
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


def install(folder: Path | None = None, environ: Mapping[str, str] | None = None) -> Installed:
    """Write missing keys, readable by the owner only, and make or upgrade the tables; may be run again.

    Args:
        folder: The data folder; the settings' by default.
        environ: The environment.
    """
    environ = os.environ if environ is None else environ
    given = written_settings(environ)
    folder = folder or data_folder(given)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "keys.toml"
    written = _write_keys(file, given)
    settings = load_settings(environ, data_dir=folder)
    return Installed(str(file), written, tuple(migrate(settings)))


def _write_keys(file: Path, given: Mapping[str, Any]) -> bool:
    """Write the keys that neither the settings nor an earlier run gave; tell whether there were any."""
    if file.exists() or not {"secret_key", "encryption_keys"} - given.keys():
        return False
    made = {"secret_key": f'"{new_key()}"', "encryption_keys": f'["{new_key()}"]'}
    lines = [f"{name} = {value}\n" for name, value in made.items() if name not in given]
    return _write_private(file, "".join(lines))


def _write_private(file: Path, text: str) -> bool:
    """Put a file in place whole, or not at all; of two that try at once, one succeeds."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".keys-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.link(name, file)
    except FileExistsError:
        return False
    finally:
        Path(name).unlink()
    return True


def migrate(settings: Settings) -> list[str]:
    """Bring the database of these settings to this version; return the revisions in force."""
    import_tables()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return migrator(settings).upgrade()


def migrator(settings: Settings) -> Migrator:
    """Return the migrator of these settings, with every plugin's branch."""
    plugins, _ = load_plugins()
    return Migrator(settings.owner_url, {name: plugin.manifest.package for name, plugin in plugins.items()})
