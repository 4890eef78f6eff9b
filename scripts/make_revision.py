"""Write an Alembic revision from the difference between the code's tables and the last revision.

``python scripts/make_revision.py "Add a column" [--plugin online_test] [--id 0002_a_column]``
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import click

from connector.base.config import load_settings
from connector.db.migrate import CORE
from connector.host.install import migrator
from connector.host.tables import import_tables

ROOT = Path(__file__).parent.parent


@click.command()
@click.argument("message")
@click.option("--plugin", default="", help="The plugin whose branch it is; the core's otherwise.")
@click.option("--id", "revision", default="", help="Revision id; made from the message otherwise.")
def make(message: str, plugin: str, revision: str) -> None:
    """Upgrade a throw-away SQLite database to the heads, compare, and write what differs."""
    import_tables()
    with tempfile.TemporaryDirectory() as folder:
        keys = {"secret_key": "x" * 32, "encryption_keys": ("VGhpcyBrZXkgaXMgdXNlZCBmb3Igbm90aGluZyEhISE=",)}
        settings = load_settings({}, Path(folder) / "none.toml", data_dir=Path(folder), **keys)
        tool = migrator(settings)
        tool.upgrade()
        before = set(revisions(plugin))
        name = revision or re.sub(r"\W+", "_", message.lower()).strip("_")[:40]
        tool.write_revision(message, name, plugin)
    for file in sorted(set(revisions(plugin)) - before):
        file.write_text(tidy(file.read_text("utf-8")), "utf-8")


def revisions(plugin: str) -> list[Path]:
    """Return the revision files of a branch."""
    folder = ROOT / "plugins" / plugin / "migrations" if plugin else CORE / "versions"
    return sorted(folder.glob("*.py"))


def tidy(text: str) -> str:
    """Drop what autogeneration adds and nobody needs: its reminders, and the tables' notes for the policies."""
    text = re.sub(r" *# ### .* ###\n", "", text)
    text = re.sub(r",\n *info=\{[^}]*\}", "", text)
    return re.sub(r'^"""(.*[^.])"""', r'"""\1."""', text)


if __name__ == "__main__":
    make()
