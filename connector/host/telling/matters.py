"""What needs somebody in a school, as counts: what a notice may say about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from connector.base.i18n import N_
from sync.jobs.tables import job
from sync.store import conflicts, connections, plans
from sync.store.connections import SyncConnection
from sync.store.plans import RunRow

CREDENTIAL = frozenset(
    {"token_refused", "sign_in_refused", "token_unavailable", "no_journal_account", "wrong_encryption_key"}
)
"""Reasons of a run that only a person with the account's password can mend."""

WORDS: dict[str, str] = {
    "first_plan": N_("The first plan waits for a person; values in it: {count}"),
    "holds": N_("Values held until a person says yes: {count}"),
    "conflicts": N_("Conflicts between the two systems: {count}"),
    "dead_letters": N_("Jobs that were given up: {count}"),
    "credential": N_("A system no longer lets Kopir in: its account or token must be renewed"),
    "stale": N_("Days without a good comparison: {count}"),
}


@dataclass(frozen=True)
class Matter:
    """One thing that needs somebody.

    Attributes:
        kind: A key of ``WORDS``.
        connection: Whose it is; empty for the school's.
        count: How many.
    """

    kind: str
    connection: str
    count: int

    @property
    def key(self) -> str:
        """What it is known by while it is open, however its count changes."""
        return f"{self.kind}|{self.connection}"

    @property
    def path(self) -> str:
        """Where in the console it is dealt with."""
        if not self.connection:
            return "/console/jobs/"
        anchor = {"conflicts": "#conflicts", "holds": "#holds"}.get(self.kind, "")
        return f"/console/connections/{self.connection}/{anchor}"

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


def open_matters(db: Connection, school: str, now: datetime, stale_days: int) -> list[Matter]:
    """Return what needs somebody in one school now."""
    found = [matter for one in connections.every(db, school) for matter in _of(db, one, now, stale_days)]
    dead = db.scalar(select(func.count()).where(job.c.school_id == school, job.c.state == "dead")) or 0
    return [*found, *([Matter("dead_letters", "", dead)] if dead else [])]


def _of(db: Connection, connection: SyncConnection, now: datetime, stale_days: int) -> Iterator[Matter]:
    if connection.state != "active":
        return
    school, which = connection.school, connection.id
    plan = plans.latest(db, school, which)
    if plan is not None and plan.state == "planned":
        kind = "first_plan" if plan.header.first else "holds"
        count = plan.pending if plan.header.first else plan.counts.get("held", 0)
        if count:
            yield Matter(kind, which, count)
    clashing = len(conflicts.of(db, school, which))
    if clashing:
        yield Matter("conflicts", which, clashing)
    runs = plans.runs(db, school, which, 1)
    if runs and _locked_out(runs[0]):
        yield Matter("credential", which, 1)
    since = connection.last_good_at
    if not connection.first and since is not None and now - since > timedelta(days=stale_days):
        yield Matter("stale", which, (now - since).days)


def _locked_out(run: RunRow) -> bool:
    return run.reason in CREDENTIAL or any(one.get("reason") in CREDENTIAL for one in run.not_compared)
