"""The tools that are driven: Kopir as it is shipped, and PyLTI1p3's README application."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.engine import make_url

from benchmarks.processes import ROOT, BenchmarkFailed, free_port, run, server
from connector.base.secrets import new_key

CLIENT = "bench-client"
ISSUERS = {name: f"https://{name}.lms.example" for name in ("keys", "slow", "many")}
LTIJS = ROOT / "benchmarks" / "peers" / "ltijs"
KOPIR = (sys.executable, "-c", "from connector.cli.main import main; main()")


@dataclass(frozen=True)
class Lms:
    """The running LMS: its port and its private key."""

    port: int
    key_file: Path

    def key_set(self, name: str) -> str:
        """Return the address of one of its key sets."""
        return f"http://127.0.0.1:{self.port}/{name}"


@contextlib.contextmanager
def running_lms(folder: Path) -> Iterator[Lms]:
    """Run the LMS's key server."""
    lms = Lms(free_port(), folder / "lms.pem")
    command = [sys.executable, "-m", "benchmarks.lms", str(lms.port), str(lms.key_file)]
    with server(command, lms.port, folder / "lms.log"):
        yield lms


@dataclass(frozen=True)
class Tool:
    """A running tool.

    Attributes:
        name: As the figures call it.
        login_url: Where logins go.
        launch_url: Where launches go, and the target link.
        pid: Its first process.
        environ: The settings of an installation of Kopir, to look into its database.
        database_url: The PostgreSQL whose processes work for the tool; empty without one.
    """

    name: str
    login_url: str
    launch_url: str
    pid: int
    environ: Mapping[str, str] = field(default_factory=dict)
    database_url: str = ""


def granian(application: str, port: int, *, factory: bool) -> list[str]:
    """Return the command that serves an application as ``kopir serve`` does."""
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    extra = ["--factory"] if factory else []
    return [*command, "--workers", "1", "--blocking-threads", "4", "--no-access-log", *extra, application]


def gunicorn(application: str, port: int) -> list[str]:
    """Return the command of one gunicorn worker with four threads."""
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "1", "--threads", "4"]
    return [*command, "--log-level", "warning", application]


def kopir_serve(port: int) -> list[str]:
    """Return the shipped command."""
    return [*KOPIR, "serve", "--port", str(port)]


@contextlib.contextmanager
def running_kopir(
    name: str, folder: Path, lms: Lms, *, shipped: bool = True, urls: Mapping[str, str] | None = None
) -> Iterator[Tool]:
    """Install Kopir in a folder, register the LMS as an administrator would, and serve it.

    Args:
        name: As the figures call it.
        folder: A new data folder.
        lms: The LMS to register, once per key set.
        shipped: Serve by ``kopir serve``; else by gunicorn.
        urls: ``DATABASE_URL`` and the others of a PostgreSQL; SQLite in the folder without.
    """
    folder.mkdir()
    port = free_port()
    here = f"http://127.0.0.1:{port}"
    environ = {"DATA_DIR": str(folder), "PUBLIC_URL": here, "SECRET_KEY": new_key(), "ENCRYPTION_KEYS": new_key(),
               "LOG_LEVEL": "INFO", **(urls or {})}  # fmt: skip
    run([*KOPIR, "init"], environ)
    for key_set, issuer in ISSUERS.items():
        run(
            [*KOPIR, "lti", "platforms", "add", "--school", "bench", "--issuer", issuer, "--client-id", CLIENT,
             "--auth-url", f"{issuer}/mod/lti/auth.php", "--token-url", lms.key_set("token"),
             "--jwks-url", lms.key_set(key_set), "--deployment", "1"],
            environ,
        )  # fmt: skip
    command = kopir_serve(port) if shipped else gunicorn("connector.app:wsgi()", port)
    with server(command, port, folder / "server.log", environ) as pid:
        yield Tool(
            name, f"{here}/lti/login", f"{here}/lti/launch", pid, environ, environ.get("DATABASE_URL", "")
        )  # fmt: skip


@contextlib.contextmanager
def running_pylti(name: str, folder: Path, lms: Lms, *, on_granian: bool = False) -> Iterator[Tool]:
    """Serve PyLTI1p3's README application."""
    folder.mkdir()
    port = free_port()
    here = f"http://127.0.0.1:{port}"
    environ = {"PEER_CONFIG": str(_pylti_config(folder, lms)), "PEER_SECRET": new_key()}
    application = "benchmarks.peers.pylti_app:app"
    command = granian(application, port, factory=False) if on_granian else gunicorn(application, port)
    with server(command, port, folder / "server.log", environ) as pid:
        yield Tool(name, f"{here}/login", f"{here}/launch", pid)


@contextlib.contextmanager
def running_bare(name: str, folder: Path) -> Iterator[Tool]:
    """Serve the floor: an application that checks and stores nothing."""
    folder.mkdir()
    port = free_port()
    here = f"http://127.0.0.1:{port}"
    with server(granian("benchmarks.peers.bare_app:app", port, factory=False), port, folder / "server.log") as pid:
        yield Tool(name, f"{here}/login", f"{here}/launch", pid)


@contextlib.contextmanager
def running_fftoolkit(name: str, folder: Path, lms: Lms) -> Iterator[Tool]:
    """Serve ff-ltitoolkit's FastAPI adapter by uvicorn, one process."""
    folder.mkdir()
    port = free_port()
    here = f"http://127.0.0.1:{port}"
    environ = {"PEER_CONFIG": str(_pylti_config(folder, lms)), "PEER_SECRET": new_key()}
    command = [sys.executable, "-m", "uvicorn", "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
    with server([*command, "benchmarks.peers.fftoolkit_app:app"], port, folder / "server.log", environ) as pid:
        yield Tool(name, f"{here}/login", f"{here}/launch", pid)


def ltijs_is_here() -> bool:
    """Tell whether ltijs can run: node, and its packages beside the peer's program."""
    return shutil.which("node") is not None and (LTIJS / "node_modules" / "ltijs").is_dir()


@contextlib.contextmanager
def running_ltijs(name: str, folder: Path, lms: Lms, database_url: str) -> Iterator[Tool]:
    """Serve ltijs with its SQL plugin over an empty PostgreSQL database, one node process.

    Raises:
        BenchmarkFailed: It did not register the platforms in time.
    """
    folder.mkdir()
    port, url = free_port(), make_url(database_url)
    here = f"http://127.0.0.1:{port}"
    platforms = [
        {"issuer": issuer, "client_id": CLIENT, "auth_url": f"{issuer}/mod/lti/auth.php",
         "token_url": lms.key_set("token"), "jwks_url": lms.key_set(key_set)}
        for key_set, issuer in ISSUERS.items()
    ]  # fmt: skip
    database = {"host": url.host, "port": url.port, "database": url.database, "user": url.username}
    config = json.dumps({"port": port, "database": database, "platforms": platforms})
    log = folder / "server.log"
    with server(["node", str(LTIJS / "app.js")], port, log, {"PEER_CONFIG": config, "PEER_SECRET": new_key()}) as pid:
        until = time.monotonic() + 60
        while "registered" not in log.read_text():
            if time.monotonic() > until:
                raise BenchmarkFailed(f"{name}: {log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield Tool(name, f"{here}/login", f"{here}/launch", pid, database_url=database_url)


def _pylti_config(folder: Path, lms: Lms) -> Path:
    key = os.path.relpath(lms.key_file, folder)
    config = {
        issuer: [{
            "default": True, "client_id": CLIENT, "auth_login_url": f"{issuer}/mod/lti/auth.php",
            "auth_token_url": lms.key_set("token"), "key_set_url": lms.key_set(key_set), "key_set": None,
            "private_key_file": key, "public_key_file": key, "deployment_ids": ["1"],
        }]
        for key_set, issuer in ISSUERS.items()
    }  # fmt: skip
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return path
