"""What a run needs, wired once by the application."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from connector.base.clock import Clock, utc_now
from connector.base.secrets import Vault
from connector.db.database import Database
from connector.db.tables.registry import school as school_table
from sync.jobs.dispatch import Dispatcher, SilentDispatcher
from sync.store import connections
from sync.store.connections import SyncConnection
from sync.systems.contract import Scope, System
from sync.systems.kopir import KopirSystem


@dataclass(frozen=True)
class Sides:
    """The systems of one connection.

    Attributes:
        left: The LMS.
        right: The journal.
        register: Where the left side's attendance lives: the LMS itself, or Kopir's register for an LMS without one.
    """

    left: System
    right: System
    register: System

    @property
    def own_register(self) -> bool:
        """Tell whether attendance lands in Kopir's own register, whose people go by internal ids."""
        return self.register is not self.left


class SystemsFactory(Protocol):
    """Opens the systems of a connection."""

    def open(self, connection: SyncConnection) -> tuple[System, System]:
        """Return the left and the right system.

        Raises:
            KopirError: A side is not set up, or its credentials cannot be opened.
        """


def _nothing(_name: str) -> None:
    return


def _anybody(_db: Connection) -> None:
    return


def _unheard(_progress: object) -> None:
    return


@dataclass(frozen=True)
class SyncRuntime:
    """The application's parts that the sync stands on.

    Attributes:
        database: The database.
        vault: Opens sealed credentials and the school's key.
        systems: Opens both sides of a connection.
        dispatcher: Wakes the workers after a job was put.
        clock: Our clock.
        step: Is told each step's name; progress and fault tests listen here.
        held: Called in every writing transaction; raises when the work belongs to another worker by now.
        tell: Is told how far a run is (``sync.runs.progress.Progress``); a terminal's progress bar listens here.
    """

    database: Database
    vault: Vault
    systems: SystemsFactory
    dispatcher: Dispatcher = field(default_factory=SilentDispatcher)
    clock: Clock = utc_now
    step: Callable[[str], None] = _nothing
    held: Callable[[Connection], None] = _anybody
    tell: Callable[[Any], None] = _unheard

    @contextmanager
    def reading(self, school: str) -> Iterator[Connection]:
        """Open a transaction that only reads one school."""
        with self.database.school(school, write=False) as db:
            yield db

    @contextmanager
    def writing(self, school: str) -> Iterator[Connection]:
        """Open a short writing transaction of one school; no remote call is made inside."""
        with self.database.school(school) as db:
            self.held(db)
            yield db

    def connection(self, school: str, which: str) -> SyncConnection:
        """Return a connection.

        Raises:
            Fatal: This school has none with this id.
        """
        with self.reading(school) as db:
            return connections.get(db, school, which)

    def sides(self, connection: SyncConnection) -> Sides:
        """Open both sides."""
        left, right = self.systems.open(connection)
        own = not left.capabilities.attendance.read
        return Sides(left, right, KopirSystem(self.database, connection.school, self.clock) if own else left)

    def today(self, school: str) -> date:
        """Return the school's civil day."""
        with self.reading(school) as db:
            return self.clock().astimezone(zone_of(db, school)).date()

    def school_key(self, school: str) -> str:
        """Return the school's own key for hashing IINs.

        Raises:
            Fatal: No key of the installation opens it.
        """
        with self.reading(school) as db:
            sealed = db.scalar(select(school_table.c.sealed_key).where(school_table.c.id == school))
        return self.vault.open(str(sealed))


def zone_of(db: Connection, school: str) -> ZoneInfo:
    """Return the school's time zone."""
    return ZoneInfo(db.scalar(select(school_table.c.time_zone).where(school_table.c.id == school)) or "Asia/Almaty")


def scope_of(group: str, subject: str = "", known: tuple[int, int, int] = (0, 0, 0)) -> Scope:
    """Return the scope of a group: all days, with what the last complete reads found of people, items, lessons."""
    return Scope(group, subject, known_people=known[0], known_items=known[1], known_lessons=known[2])
