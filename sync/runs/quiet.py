"""Which scopes need no comparison: compared before, found without a change, and nothing they depend on has moved.

What a scope's comparison depends on is the mapping, who is who, whose data may not be processed, what both systems
and the connection allow, the activities behind its works, what the reads proved, and its own rows: marks, people,
works, lessons, periods, links and what was last agreed. Whatever writes one of its rows gives the group a new word
(``connections.touch``); the rest is hashed as it stands. So a digest that is the same means the same plan: none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import select

from connector.db.tables.launches import activity
from connector.db.types import dump_json
from sync.reconcile.plan import ScopeCounts, Summary
from sync.reconcile.types import PlanHeader, scope_text
from sync.runs.compare import Comparison
from sync.runs.runtime import SyncRuntime, zone_of
from sync.store import quiet
from sync.store.quiet import QuietScope, Scope
from sync.store.sql import batches

RULES = 1
"""Raised with every change of what a comparison concludes, so that everything is compared anew."""
BELIEVED = timedelta(days=1)
"""How long a scope is taken as quiet: what was written past the program is noticed then."""


class Quiet:
    """The scopes of one comparison that can be skipped, and those to be remembered after it."""

    def __init__(self, runtime: SyncRuntime, comparison: Comparison, header: PlanHeader, now: datetime) -> None:
        """Look up what was quiet; ``comparison`` has looked at its groups and has not read a cell yet."""
        self._runtime = runtime
        self._comparison = comparison
        self._school, self._which = comparison.connection.school, comparison.connection.id
        self._now = now
        general = self._general(header)
        with runtime.reading(self._school) as db:
            known = quiet.of(db, self._school, self._which, now - BELIEVED)
            sizes = quiet.base_sizes(db, self._school, self._which)
        self._digests = {
            scope: _digest([general, *comparison.state(scope), sizes.get(scope, 0)]) for scope in comparison.scopes()
        }
        self._kept = {scope: facts for scope, facts in known.items() if facts.digest == self._digests.get(scope)}

    def _general(self, header: PlanHeader) -> str:
        """Return a digest of what all scopes depend on."""
        comparison = self._comparison
        connection, sides = comparison.connection, comparison.sides
        table = activity
        with self._runtime.reading(self._school) as db:
            rows = db.execute(
                select(table.c.id, table.c.plugin, table.c.tag, table.c.settings)
                .where(table.c.school_id == self._school)
                .order_by(table.c.id)
            )
            activities = [[row.id, row.plugin, row.tag, row.settings.get("due")] for row in rows]
            zone = str(zone_of(db, self._school))
        return _digest(
            [
                RULES,
                dict(header.inputs),
                header.first,
                [connection.left, connection.right, connection.may_write("grade"), connection.may_write("attendance")],
                [repr(system.capabilities) for system in (sides.left, sides.right, sides.register)],
                sides.own_register,
                sorted(comparison.stopped),
                activities,
                zone,
            ]
        )

    @property
    def scopes(self) -> Collection[Scope]:
        """The scopes that need no comparison."""
        return self._kept.keys()

    def count(self, summary: Summary) -> None:
        """Add the skipped scopes to a plan's counts: a guard's percentages are of all that is known."""
        for (kind, link), facts in self._kept.items():
            if facts.known or facts.same:
                summary.scopes[scope_text(kind, link)] = ScopeCounts(facts.known, facts.same)

    def remember(self, summary: Summary) -> None:
        """Keep the scopes that were compared now and gave no change."""
        found: list[tuple[Scope, QuietScope]] = []
        for (kind, link), digest in self._digests.items():
            counts = summary.scopes.get(scope_text(kind, link)) or ScopeCounts()
            if (kind, link) not in self._kept and not counts.states:
                found.append(((kind, link), QuietScope(digest, counts.known, counts.same)))
        for batch in batches(found):
            with self._runtime.writing(self._school) as db:
                quiet.keep(db, self._school, self._which, batch, self._now)


def _digest(parts: object) -> str:
    return hashlib.sha256(dump_json(parts).encode()).hexdigest()
