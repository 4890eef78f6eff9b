"""The sync, wired to this installation: which system stands behind each side of a connection, and with whose tokens.

What a connection keeps of a side (``settings`` in the open, ``credentials`` sealed; both by ``left`` and ``right``):

* an LMS (``lti_advantage:…``, ``moodle:…``): ``registration`` (our id) or ``issuer`` and ``client_id``, and
  ``deployment``; nothing at all where the school has one deployment only;
* ``kundelik:<school id>``: ``base_url``, ``contracted`` (the vendor opened writing), ``calls_per_second`` where the
  contract says another number than ours; sealed: ``token``, or ``client_id``, ``client_secret``, ``username`` and
  ``password``;
* ``kopir:…``: nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from connector.base.clock import Clock
from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.base.outbound import Outbound
from connector.db.tables.launches import account, context, launch
from connector.host.nameless import NAMELESS
from connector.host.rosters import Rosters
from connector.host.runtime import Runtime
from lti.tool.ports import Registration
from plugins.contract import Role
from sync.effects.records import lms_cell
from sync.effects.zeros import KnownZero, hidden_zeros
from sync.jobs.runner import Handler, Handlers
from sync.runs.handlers import register_sync_jobs
from sync.runs.runtime import SyncRuntime
from sync.store.connections import SyncConnection
from sync.systems.contract import System
from sync.systems.kopir import KopirSystem
from sync.systems.kundelik import KundelikClient, KundelikSystem
from sync.systems.kundelik.bucket import TokenBucket
from sync.systems.kundelik.quirks import BURST
from sync.systems.kundelik.signin import Credentials, Grant, renew, sign_in
from sync.systems.lti_advantage import Course, LtiAdvantageSystem, Platform

JOURNAL_URL = "https://api.kundelik.kz/v2.0"
_RENEW_BEFORE = timedelta(minutes=2)


def sync_runtime(runtime: Runtime) -> SyncRuntime:
    """Return what the sync needs of this process; make it once per process, for it keeps the journals' tokens."""
    return SyncRuntime(
        runtime.database, runtime.vault, SystemsByKey(runtime), dispatcher=Bell(runtime), clock=runtime.clock
    )


def sync_handlers(runtime: Runtime) -> dict[str, Handler]:
    """Return the sync's job handlers by kind."""
    handlers = Handlers()
    register_sync_jobs(handlers, sync_runtime(runtime))
    found = {kind: handlers.find(kind) for kind in handlers.kinds()}
    return {kind: handler for kind, handler in found.items() if handler is not None}


class Bell:
    """Ring the process's doorbell, whichever it has when it rings: handlers are made before the dispatcher."""

    def __init__(self, runtime: Runtime) -> None:
        """Take the runtime whose doorbell is rung."""
        self._runtime = runtime

    def ring(self, job_id: str | None = None) -> None:
        """Say that a job may be due."""
        self._runtime.doorbell.ring()


@dataclass(frozen=True)
class Wanted:
    """One side of a connection that is to be opened."""

    school: str
    connection: str
    key: str
    settings: Mapping[str, Any]
    credentials: Mapping[str, str]

    @property
    def tenant(self) -> str:
        """What stands after the kind in ``kind:tenant``."""
        return self.key.partition(":")[2]


class SystemsByKey:
    """Opens both sides of a connection by the kind their keys begin with."""

    def __init__(self, runtime: Runtime) -> None:
        """Take the process's shared parts."""
        self._runtime = runtime
        self._journals: dict[tuple[str, str, str], tuple[Mapping[str, str], JournalAccount]] = {}
        self._lock = threading.Lock()
        self._kinds: dict[str, Callable[[Wanted], System]] = {
            "lti_advantage": self._lms,
            "moodle": self._lms,
            "kundelik": self._kundelik,
            "kopir": lambda side: KopirSystem(runtime.database, side.school, runtime.clock),
        }

    def open(self, connection: SyncConnection) -> tuple[System, System]:
        """Return the left and the right system.

        Raises:
            Fatal: There is no system of this kind (``no_such_system``); the LMS is not registered, or is another
                school's (``no_such_platform``); the journal has no account (``no_journal_account``).
        """
        credentials = connection.credentials(self._runtime.vault)
        left, right = (
            self._open(
                Wanted(
                    connection.school,
                    connection.id,
                    key,
                    connection.settings.get(side, {}),
                    credentials.get(side, {}),
                )
            )
            for side, key in (("left", connection.left), ("right", connection.right))
        )
        return left, right

    def _open(self, side: Wanted) -> System:
        kind = side.key.partition(":")[0]
        opens = self._kinds.get(kind)
        if opens is None:
            text = N_("Kopir cannot connect to {system} yet. It can connect to: {known}.")
            raise Fatal("no_such_system", say(text, system=kind, known=", ".join(sorted(self._kinds))))
        return opens(side)

    def _lms(self, side: Wanted) -> System:
        registration, deployment_id = _platform(self._runtime, side)
        known = self._runtime.registry.school(school_id=side.school)
        courses = _courses(self._runtime, side.school, registration.issuer, deployment_id)
        platform = Platform(registration, deployment_id, courses, known.time_zone if known else "Asia/Almaty")
        return LtiAdvantageSystem(
            side.key,
            self._runtime.outbound,
            self._runtime.token_source,
            platform,
            staff=lambda: _staff(self._runtime, side.school, registration.issuer),
            rosters=Rosters(self._runtime, side.school),
            zeros=lambda item: _zeros(self._runtime, side.school, registration.issuer, item),
            clock=self._runtime.clock,
        )

    def _kundelik(self, side: Wanted) -> System:
        url = str(side.settings.get("base_url") or JOURNAL_URL)
        rate = _rate(side.settings.get("calls_per_second"))
        known = self._runtime.registry.school(school_id=side.school)
        client = KundelikClient(
            self._runtime.outbound,
            url,
            self._token(side, url),
            bucket=TokenBucket(rate, max(BURST, int(rate))) if rate else None,
            zone=known.time_zone if known else "Asia/Almaty",
            clock=self._runtime.clock,
        )
        return KundelikSystem(client, side.tenant, contracted=bool(side.settings.get("contracted")))

    def _token(self, side: Wanted, url: str) -> str | Callable[[], str]:
        """Return the token that was entered, or what signs in with the login that was."""
        if side.credentials.get("token"):
            return side.credentials["token"]
        if not side.credentials.get("username"):
            raise Fatal("no_journal_account", say(N_("The connection has no account of the journal to act for.")))
        place = (side.school, side.connection, url)
        with self._lock:
            known = self._journals.get(place)
            if known is None or known[0] != side.credentials:
                names = ("client_id", "client_secret", "username", "password")
                login = Credentials(*(side.credentials.get(name, "") for name in names))
                known = (side.credentials, JournalAccount(self._runtime.outbound, url, login, self._runtime.clock))
                self._journals[place] = known
        return known[1].token


class JournalAccount:
    """A login of the journal: signs in when a token is first needed, and renews it before it ends."""

    def __init__(self, outbound: Outbound, base_url: str, login: Credentials, clock: Clock) -> None:
        """Take the login; nothing is sent yet."""
        self._outbound = outbound
        self._url = base_url
        self._login = login
        self._clock = clock
        self._grant: Grant | None = None
        self._lock = threading.Lock()

    def token(self) -> str:
        """Return a token that lives two minutes more at least.

        Raises:
            KopirError: The journal does not let the account in, or is down.
        """
        with self._lock:
            if self._grant is None or self._grant.ends_at - self._clock() < _RENEW_BEFORE:
                self._grant = self._fresh(self._grant)
            return self._grant.token

    def _fresh(self, old: Grant | None) -> Grant:
        if old is not None and old.refresh:
            try:
                return renew(self._outbound, self._url, self._login, old.refresh)
            except Fatal:
                # A refresh token that is no longer known is no fault of the login: sign in anew.
                pass
        return sign_in(self._outbound, self._url, self._login)


def _rate(value: object) -> float | None:
    """Return our limit of calls to a journal, or None for the usual one.

    Raises:
        Fatal: It is no number above zero (``bad_setting``).
    """
    if value is None or value == "":
        return None
    try:
        rate = float(str(value))
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 1000:
        text = N_("calls_per_second must be a number above 0, at most 1000; not {value}.")
        raise Fatal("bad_setting", say(text, value=value))
    return rate


def _platform(runtime: Runtime, side: Wanted) -> tuple[Registration, str]:
    """Return the school's own deployment that the settings name, or its only one."""
    known = runtime.registry.school(school_id=side.school)
    mine = [
        (registration, deployment_id)
        for registration, deployment_id, code in runtime.registry.all()
        if known is not None and code == known.code and _is_meant(side.settings, registration, deployment_id)
    ]
    if len(mine) != 1:
        text = N_("The connection must name one LMS of this school; {count} fit. See `kopir lti platforms list`.")
        raise Fatal("no_such_platform", say(text, count=len(mine)))
    return mine[0]


def _is_meant(settings: Mapping[str, Any], registration: Registration, deployment_id: str) -> bool:
    found = {
        "registration": registration.id,
        "issuer": registration.issuer,
        "client_id": registration.client_id,
        "deployment": deployment_id,
    }
    return all(settings[name] == value for name, value in found.items() if settings.get(name))


def _courses(runtime: Runtime, school: str, issuer: str, deployment_id: str) -> list[Course]:
    table = context.c
    query = (
        select(table.context_id, table.label, table.title, table.memberships_url, table.line_items_url)
        .where(table.school_id == school, table.issuer == issuer, table.deployment_id == deployment_id)
        .order_by(table.context_id)
    )
    with runtime.database.school(school, write=False) as db:
        rows = db.execute(query).all()
    return [
        Course(row.context_id, row.label, row.title, row.memberships_url or "", row.line_items_url or "")
        for row in rows
        # A link launched outside of any course has no roster, and no group of a journal.
        if not row.context_id.startswith(NAMELESS)
    ]


def _zeros(runtime: Runtime, school: str, issuer: str, item: str) -> dict[str, KnownZero]:
    """Return our own zeros that the LMS took and does not show, by user."""
    with runtime.database.school(school, write=False) as db:
        found = hidden_zeros(db, school, lms_cell(issuer, item, "").system, [item])
    return {person: zero for (_, person), zero in found.items()}


def _staff(runtime: Runtime, school: str, issuer: str) -> frozenset[str]:
    """Return who launched as a teacher: Moodle's roster calls an assistant a Learner, the launch does not."""
    query = (
        select(account.c.sub)
        .join(launch, (launch.c.school_id == account.c.school_id) & (launch.c.account == account.c.id))
        .where(account.c.school_id == school, account.c.issuer == issuer, launch.c.role == Role.TEACHER.value)
        .distinct()
    )
    with runtime.database.school(school, write=False) as db:
        return frozenset(db.scalars(query))
