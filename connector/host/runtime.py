"""Everything one process of Kopir shares: settings, database, secrets, outbound calls, clock and plugins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from connector.base.clock import Clock, utc_now
from connector.base.config import Settings
from connector.base.i18n import catalogue
from connector.base.outbound import NetworkPolicy, Outbound
from connector.base.secrets import Signer, Vault
from connector.db.database import Database
from connector.host.keys import Keys
from connector.host.plugins import PluginFailure, load_plugins
from connector.host.registry import KeySetTable, Registry, Tokens
from lti.tool.jwks import KeySets
from lti.tool.tokens import TokenSource
from plugins.contract import Plugin

ROOT = Path(__file__).resolve().parents[2]


class Doorbell(Protocol):
    """Tells workers that there may be work; losing a ring costs seconds, nothing else."""

    def ring(self) -> None:
        """Wake a worker, if one sleeps."""


class Silent:
    """Rings nothing: the sweeper finds the work."""

    def ring(self) -> None:
        """Do nothing."""


@dataclass
class Runtime:
    """One process's shared parts; made once per process, after any fork."""

    settings: Settings
    database: Database
    vault: Vault
    outbound: Outbound
    registry: Registry
    keys: Keys
    key_sets: KeySets
    token_source: TokenSource
    plugins: Mapping[str, Plugin]
    plugin_failures: tuple[PluginFailure, ...] = ()
    clock: Clock = utc_now
    doorbell: Doorbell = field(default_factory=Silent)
    _signers: dict[str, Signer] = field(default_factory=dict, init=False, repr=False)

    def signer(self, purpose: str) -> Signer:
        """Return a signer for one purpose."""
        found = self._signers.get(purpose)
        if found is None:
            found = self._signers[purpose] = Signer(self.settings.secret_key, purpose)
        return found

    @property
    def launch_url(self) -> str:
        """The one redirect URI and target link URI that platforms register."""
        return f"{self.settings.public_url}/lti/launch"


def build_runtime(settings: Settings, clock: Clock = utc_now) -> Runtime:
    """Open what a process needs; touches no table, so that it also serves an installation not yet migrated."""
    for room in ("connector", "lti", "mappings", "sync"):
        catalogue.add(ROOT / room / "i18n")
    database = Database(settings.sqlalchemy_url, settings.service_url)
    vault = Vault(settings.encryption_keys)
    registry = Registry(database)
    keys = Keys(database, vault)
    policy = NetworkPolicy.from_setting(settings.allow_private_networks, registry.private_hosts, settings.ca_file)
    outbound = Outbound(policy)
    plugins, failures = load_plugins()
    return Runtime(
        settings=settings,
        database=database,
        vault=vault,
        outbound=outbound,
        registry=registry,
        keys=keys,
        key_sets=KeySets(outbound, KeySetTable(database), clock),
        token_source=TokenSource(outbound, keys, Tokens(database, vault), clock),
        plugins=plugins,
        plugin_failures=failures,
        clock=clock,
    )
