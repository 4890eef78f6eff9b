"""Both sides of a connection opened from plain facts, so that a worker process of its own can open them too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from joserfc.jwk import RSAKey

from connector.base.outbound import NetworkPolicy, Outbound
from connector.base.secrets import Vault, new_key
from connector.db.database import Database
from lti.tool.ports import Registration, SigningKey
from lti.tool.tokens import TokenSource
from sync.jobs.runner import Handlers
from sync.runs.handlers import register_sync_jobs
from sync.runs.runtime import SyncRuntime
from sync.systems.kundelik import KundelikClient, KundelikSystem
from sync.systems.kundelik.bucket import TokenBucket
from sync.systems.lti_advantage import Course, LtiAdvantageSystem, Platform
from tests.sync.kit import TwoSystems
from tests.sync.twins import RunningClock


class _OneKey:
    def __init__(self, data: dict[str, Any]) -> None:
        self._key = RSAKey.import_key(data)

    def for_registration(self, registration: Registration) -> SigningKey:
        return SigningKey(self._key.kid or "", self._key)


def open_sides(facts: dict[str, Any]) -> TwoSystems:
    """Open the rehearsal LMS and the rehearsal journal."""
    outbound, clock = Outbound(NetworkPolicy(everything=True)), RunningClock(facts["offset"])
    found = facts["registration"]
    registration = Registration(
        found["id"], found["issuer"], found["client_id"], found["authorization_endpoint"], found["token_endpoint"],
        found["jwks_url"],
    )  # fmt: skip
    tokens = TokenSource(outbound, _OneKey(facts["key"]), clock=clock)
    staff = frozenset(facts["staff"])
    left = LtiAdvantageSystem(
        "lti_advantage:gym", outbound, tokens, Platform(registration, facts["deployment"], [Course(**facts["course"])]),
        staff=lambda: staff, clock=clock,
    )  # fmt: skip
    journal = facts["journal"]
    client = KundelikClient(
        outbound, journal["api_url"], journal["token"], bucket=TokenBucket(5000.0, 5000), clock=clock
    )
    return TwoSystems(left, KundelikSystem(client, journal["school"], contracted=True))


def add_sync_jobs(handlers: Handlers, database: Database, facts: dict[str, Any], step: Callable[[str], None]) -> None:
    """Let a worker make and apply plans."""
    runtime = SyncRuntime(
        database, Vault([new_key()]), open_sides(facts), clock=RunningClock(facts["offset"]), step=step
    )
    register_sync_jobs(handlers, runtime)
