"""The rehearsal's world: an LMS, Kopir and a journal, each with its own file, made known to one another."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from connector.app import create_app
from connector.base.clock import Clock, utc_now
from connector.base.config import load_settings
from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.base.outbound import NetworkPolicy, Outbound
from connector.demo.clock import rehearsal_clock
from connector.demo.sites import Sites, bind_sites, is_free
from connector.host.install import install
from connector.host.platforms import register_platform
from connector.host.registry import Platform
from connector.host.runtime import Runtime, build_runtime
from connector.host.work import make_job_runtime
from sync.jobs.dispatch import LocalDispatcher
from sync.twins.kundelik import Journal, create_journal
from sync.twins.moodle import Lms, create_lms

SCHOOL_CODE, SCHOOL_NAME = "gymnasium", "№5 мектеп-гимназия"


@dataclass
class World:
    """A rehearsal that runs.

    Attributes:
        folder: Where the files are.
        sites: The three sites.
        lms: The rehearsal LMS.
        journal: The rehearsal journal.
        runtime: Kopir's shared parts.
        school_id: The school.
    """

    folder: Path
    sites: Sites
    lms: Lms
    journal: Journal
    runtime: Runtime
    school_id: str

    @property
    def lms_url(self) -> str:
        """Where the LMS is."""
        return self.sites["lms"].url

    @property
    def kopir_url(self) -> str:
        """Where Kopir is."""
        return self.sites["kopir"].url

    @property
    def journal_url(self) -> str:
        """Where the journal is."""
        return self.sites["journal"].url

    def stop(self) -> None:
        """Stop the sites, then the job threads, then close the database."""
        self.sites.stop()

    def wait(self) -> None:
        """Sleep until the process is interrupted."""
        threading.Event().wait()


def open_world(folder: Path, ports: Mapping[str, int] | None = None, clock: Clock = utc_now) -> World:
    """Open the rehearsal kept in a folder, making what is missing; every site serves when this returns.

    Args:
        folder: One folder per rehearsal; opened again it goes on where it was.
        ports: Wanted ports by site; free ones where they are taken.
        clock: The real present; in the holidays the rehearsal lives on a day of school instead.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clock = rehearsal_clock(folder, clock)
    sites = bind_sites(_ports_of(folder, ports))
    _keep_ports(folder, sites)
    environ = {
        "PUBLIC_URL": sites["kopir"].url,
        "ALLOW_PRIVATE_NETWORKS": "on",
        "DATA_DIR": str(folder / "kopir"),
        "KOPIR_CONFIG": str(folder / "kopir" / "kopir.toml"),
        "LOG_LEVEL": "ERROR",
    }
    # A file of its own, so that a kopir.toml of the working folder has no say in a rehearsal.
    (folder / "kopir").mkdir(exist_ok=True)
    (folder / "kopir" / "kopir.toml").touch()
    install(folder / "kopir", environ)
    runtime = build_runtime(load_settings(environ), clock)
    inside = Outbound(NetworkPolicy(everything=True))
    lms = create_lms(folder / "lms.sqlite3", sites["lms"].url, clock=clock, tool_outbound=inside)
    journal = create_journal(folder / "journal.sqlite3", sites["journal"].url, clock=clock)
    jobs = LocalDispatcher(make_job_runtime(runtime), threads=2, sweep_seconds=0.5)
    runtime.doorbell = jobs
    sites.closing += [runtime.database.close, jobs.stop]
    sites["lms"].start(lms.app)
    sites["journal"].start(journal.app)
    sites["kopir"].start(create_app(runtime))
    jobs.start()
    school_id = _introduce(runtime, lms)
    return World(folder, sites, lms, journal, runtime, school_id)


def _ports_of(folder: Path, wanted: Mapping[str, int] | None) -> dict[str, int] | None:
    """Return the ports of an earlier rehearsal in this folder: an LMS at another address would be another LMS.

    Raises:
        Fatal: One of them is taken, by this rehearsal running already perhaps.
    """
    file = folder / "ports.json"
    if not file.exists():
        return None if wanted is None else dict(wanted)
    ports: dict[str, int] = json.loads(file.read_text("utf-8"))
    taken = [str(port) for port in ports.values() if not is_free(port)]
    if taken:
        text = N_("The rehearsal in {folder} needs port {ports}, which is taken. Stop what uses it, or use --fresh.")
        raise Fatal("port_taken", say(text, folder=folder, ports=", ".join(taken)))
    return ports


def _keep_ports(folder: Path, sites: Sites) -> None:
    ports = {name: site.socket.getsockname()[1] for name, site in sites.by_name.items()}
    (folder / "ports.json").write_text(json.dumps(ports), "utf-8")


def _introduce(runtime: Runtime, lms: Lms) -> str:
    """Register Kopir in the LMS and the LMS in Kopir, unless they know one another from an earlier rehearsal."""
    facts = lms.platform_facts()
    known = [one for one, _, _ in runtime.registry.all() if one.issuer == facts.issuer]
    school = runtime.registry.school(code=SCHOOL_CODE)
    if known and school is not None:
        return school.id
    public = runtime.settings.public_url
    tool = lms.register_tool(
        "Kopir",
        login_url=f"{public}/lti/login",
        redirect_uris=[runtime.launch_url],
        jwks_url=f"{public}/lti/jwks.json",
        target_link_uri=runtime.launch_url,
    )
    platform = Platform(
        issuer=facts.issuer,
        client_id=tool.client_id,
        auth_url=facts.auth_url,
        token_url=facts.token_url,
        jwks_url=facts.jwks_url,
        deployment_id=tool.deployment_id,
        profile="moodle",
    )
    return register_platform(runtime, platform, SCHOOL_CODE, SCHOOL_NAME).school_id
