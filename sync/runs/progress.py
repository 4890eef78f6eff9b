"""How far a run is, and the word to stop: both stand on the run's row, so that any process can read and say them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from connector.base.errors import Hold
from connector.base.i18n import N_, say
from sync.runs.runtime import SyncRuntime
from sync.store import plans
from sync.store.tables.plans import run as run_table

OPEN_RUNS = ("reading", "applying", "verifying")
WRITE_EVERY = 1.0
"""Seconds between two notes of the same phase: progress is for people."""


@dataclass(frozen=True)
class Progress:
    """How far a phase is.

    Attributes:
        phase: ``read``, ``write`` or ``verify``.
        done: Classes read, or records written.
        total: How many there are.
        began_at: When the phase began (aware); None before it did.
    """

    phase: str = ""
    done: int = 0
    total: int = 0
    began_at: datetime | None = None

    @classmethod
    def of(cls, kept: dict[str, Any]) -> Progress:
        """Read a run's column."""
        if not kept:
            return cls()
        return cls(kept["phase"], kept["done"], kept["total"], datetime.fromisoformat(kept["began_at"]))

    def left(self, now: datetime) -> timedelta | None:
        """Return the time that is left at the pace so far; None while too little is done to say."""
        if self.began_at is None or self.done < 1 or self.total < self.done or now <= self.began_at:
            return None
        return (now - self.began_at) / self.done * (self.total - self.done)


class Meter:
    """Counts one phase of one run, tells whoever listens, and notices the word to stop."""

    def __init__(self, runtime: SyncRuntime, school: str, run: str) -> None:
        """Take the run; nothing is written before ``begin``."""
        self._runtime = runtime
        self._where = (school, run)
        self._now = Progress()
        self._noted = float("-inf")

    def begin(self, phase: str, total: int) -> None:
        """Begin a phase of so many records."""
        self._now = Progress(phase, 0, total, self._runtime.clock())
        self._note()

    def step(self, done: int = 1) -> None:
        """Count records that came to an end."""
        now = self._now
        self._now = Progress(now.phase, min(now.done + done, now.total), now.total, now.began_at)
        self._runtime.tell(self._now)
        if time.monotonic() - self._noted >= WRITE_EVERY:
            self._note()

    def _note(self) -> None:
        self._noted = time.monotonic()
        self._runtime.tell(self._now)
        began = self._now.began_at or self._runtime.clock()
        kept = {**vars(self._now), "began_at": began.isoformat()}
        school, run = self._where
        with self._runtime.writing(school) as db:
            plans.update_run(db, school, run, progress=kept)

    def cancelled(self, db: Connection) -> bool:
        """Tell whether somebody asked to stop this run."""
        school, run = self._where
        return bool(db.scalar(select(run_table.c.cancelled_by).where(*_which(school, run))))

    def stop_if_cancelled(self) -> None:
        """Stop here where somebody asked for it.

        Raises:
            Hold: Somebody did (``cancelled``).
        """
        with self._runtime.reading(self._where[0]) as db:
            stop = self.cancelled(db)
        if stop:
            raise cancelled_hold()


def cancelled_hold() -> Hold:
    """Return what a cancelled run ends with."""
    return Hold("cancelled", say(N_("The run was cancelled; nothing more was read or written.")))


def _which(school: str, run: str) -> tuple[Any, Any]:
    return run_table.c.school_id == school, run_table.c.id == run


def cancel(db: Connection, school: str, connection: str, who: str) -> list[str]:
    """Ask whatever runs of a connection are under way to stop at the next record; return those runs.

    A plan that is being written goes back to "approved": it can be let go on, or a new comparison takes its place.
    """
    mine = (
        run_table.c.school_id == school,
        run_table.c.connection == connection,
        run_table.c.state.in_(OPEN_RUNS),
        run_table.c.cancelled_by == "",
    )
    return list(db.scalars(update(run_table).where(*mine).values(cancelled_by=who).returning(run_table.c.id)))


def let_go_on(db: Connection, school: str, run: str) -> None:
    """Take the word to stop back, because somebody asked for the plan to be written after all."""
    plans.update_run(db, school, run, cancelled_by="")
