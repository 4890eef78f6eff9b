"""``kopir init | serve | worker | upgrade | doctor``: what runs an installation."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from connector.base.config import load_settings
from connector.base.i18n import translate
from connector.base.log import setup_logging
from connector.cli.context import opened_runtime
from connector.cli.output import explained, json_option, show, terminal_language
from connector.host.doctor import Level, examine
from connector.host.install import install, migrate
from connector.host.runtime import build_runtime
from connector.host.work import run_worker


@click.command()
@click.option("--data-dir", type=click.Path(path_type=Path), default=None, help="Where keys and SQLite are kept.")
@json_option
@explained
def init(data_dir: Path | None, as_json: bool) -> None:
    """Write missing keys and make or upgrade the tables; may be run again, asks nothing."""
    done = install(data_dir)
    keys = "Keys written" if done.keys_written else "Keys kept"
    text = f"{keys}: {done.keys_file}\nTables at: {', '.join(done.revisions)}"
    show(done, as_json=as_json, text=text)


@click.command()
@json_option
@explained
def upgrade(as_json: bool) -> None:
    """Bring the tables to this version and set the policies anew."""
    revisions = migrate(load_settings())
    show({"revisions": revisions}, as_json=as_json, text=f"Tables at: {', '.join(revisions)}")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8001, show_default=True, type=int)
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Server processes.")
@explained
def serve(host: str, port: int, workers: int) -> None:
    """Serve the application; without BROKER_URL the jobs run inside it."""
    from granian import Granian
    from granian.constants import Interfaces

    settings = load_settings()
    setup_logging(settings.log_level)
    migrate_if_embedded(settings.database_url == "")
    Granian(
        "connector.app:wsgi",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        factory=True,
        blocking_threads=4,
        workers_kill_timeout=20,
        respawn_failed_workers=True,
        log_access=False,
    ).serve()


def migrate_if_embedded(embedded: bool) -> None:
    """Upgrade the embedded database at start: nobody else does, and one process owns it."""
    if embedded:
        migrate(load_settings())


@click.command()
@click.option("--threads", default=4, show_default=True, type=click.IntRange(1, 64))
@explained
def worker(threads: int) -> None:
    """Run jobs: from the Celery broker when BROKER_URL is set, else by sweeping the queue."""
    settings = load_settings()
    setup_logging(settings.log_level)
    sys.exit(run_worker(build_runtime(settings), threads))


@click.command()
@json_option
@explained
def doctor(as_json: bool) -> None:
    """Look for what would stop a school on Monday; exit 1 when something must be mended."""
    with opened_runtime() as runtime:
        findings = examine(runtime)
    language = terminal_language()
    rows = [
        {"level": str(found.level), "code": found.code, "text": translate(found.message, language)}
        for found in findings
    ]
    show(rows, as_json=as_json, text="\n".join(f"{row['level']:7} {row['text']}" for row in rows))
    if any(found.level is Level.ERROR for found in findings):
        sys.exit(1)


commands = (init, serve, worker, upgrade, doctor)
