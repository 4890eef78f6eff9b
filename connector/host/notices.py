"""Notices of platforms: taken once, answered at once, worked off by a job; and asking platforms to send them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from connector.base.errors import Fatal, Record
from connector.base.ids import new_id
from connector.base.log import get_logger
from connector.db.tables.notices import notice as notice_table
from connector.db.tables.notices import notice_subscription as subscription
from connector.db.upsert import upsert
from connector.host.directory import School
from connector.host.runtime import Runtime
from lti.tool.launch import Launch
from lti.tool.notices import Notice, NoticeHandlersService, Subscription
from lti.vocab import FurtherScope, NoticeType
from sync.jobs import queue
from sync.jobs.runner import Handler, JobContext

TAKE_NOTICE = "lti_notice"
SUBSCRIBE = "subscribe_notices"
WANTED = (NoticeType.HELLO, NoticeType.CONTEXT_COPY)
# A repeated delivery comes within hours; three months are for whoever looks back.
KEPT = timedelta(days=90)
# What was agreed with a platform is looked at again after this long, as somebody may have taken it back there.
AGREED = timedelta(days=7)
_ASK_SECONDS = 3600.0
log = get_logger("host.notices")

ContextCopied = Callable[[Runtime, str, str, str, Sequence[str]], bool]
"""Is told of a copied course: registration id, deployment, the new course, and the courses it was copied from, by the
platform's ids; may be told twice."""


@dataclass(frozen=True)
class Taken:
    """What became of one delivery: notices that are new, and ones that were known."""

    new: int
    repeated: int


def take(runtime: Runtime, school: School, notices: Sequence[Notice]) -> Taken:
    """Keep the notices of one school that are new, each with the job that works it off, in one transaction."""
    now, new = runtime.clock(), 0
    with runtime.database.school(school.id) as db:
        for one in notices:
            new += _keep(db, school.id, one, now)
    if new:
        runtime.doorbell.ring()
    return Taken(new, len(notices) - new)


def _keep(db: Connection, school_id: str, one: Notice, now: datetime) -> bool:
    known = one.type in set(WANTED)
    row_id = new_id()
    values = {
        "school_id": school_id, "id": row_id, "registration_id": one.registration.id,
        "deployment_id": one.deployment_id, "notice_id": one.id, "type": one.type,
        "details": _details(one) if known else {}, "state": "waiting" if known else "passed_over",
        "sent_at": one.sent_at, "received_at": now,
    }  # fmt: skip
    key = ("school_id", "registration_id", "notice_id")
    stored = upsert(db, notice_table, values, key, keep=tuple(name for name in values if name not in key))
    if stored.id != row_id:
        return False
    log.info("notice", kind=one.type[:60], school=school_id, registration=one.registration.id, known=known)
    if known:
        queue.put(db, school_id, TAKE_NOTICE, row_id, {"notice": row_id})
    return True


def _details(one: Notice) -> dict[str, Any]:
    if one.type != NoticeType.CONTEXT_COPY or one.context is None:
        return {}
    return {"context": one.context.id, "origins": list(one.origins)}


def notice_handler(runtime: Runtime, on_context_copy: Sequence[ContextCopied] = ()) -> Handler:
    """Return the handler of ``lti_notice`` jobs.

    Args:
        runtime: The process.
        on_context_copy: Who is told of copied courses.
    """

    def handle(context: JobContext) -> None:
        row = _load(runtime, context.school_id, context.payload["notice"])
        if row is None or row.state != "waiting":
            return
        copied = row.details if row.type == NoticeType.CONTEXT_COPY else {}
        for told in on_context_copy if copied else ():
            told(runtime, row.registration_id, row.deployment_id, copied["context"], copied["origins"])
        _done(runtime, row)

    return handle


def _load(runtime: Runtime, school_id: str, row_id: str) -> Any:
    mine = (notice_table.c.school_id == school_id) & (notice_table.c.id == row_id)
    with runtime.database.school(school_id, write=False) as db:
        return db.execute(select(notice_table).where(mine)).one_or_none()


def _done(runtime: Runtime, row: Any) -> None:
    now = runtime.clock()
    mine = (notice_table.c.school_id == row.school_id) & (notice_table.c.id == row.id)
    old = (notice_table.c.school_id == row.school_id) & (notice_table.c.received_at < now - KEPT)
    heard = _of(row.school_id, row.registration_id, row.deployment_id) & (subscription.c.type == row.type)
    with runtime.database.school(row.school_id) as db:
        db.execute(notice_table.update().where(mine).values(state="done", handled_at=now))
        db.execute(subscription.update().where(heard).values(heard_at=now))
        db.execute(notice_table.delete().where(old))


def _of(school_id: str, registration_id: str, deployment_id: str) -> ColumnElement[bool]:
    return (
        (subscription.c.school_id == school_id)
        & (subscription.c.registration_id == registration_id)
        & (subscription.c.deployment_id == deployment_id)
    )


class Lately:
    """What this process looked at lately, so that a launch costs nothing; safe between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the clock."""
        self._clock = clock
        self._at: dict[tuple[str, ...], float] = {}
        self._lock = threading.Lock()

    def lately(self, *key: str) -> bool:
        """Tell whether it was asked within the hour, and note that it is now."""
        now = self._clock()
        with self._lock:
            before = self._at.get(key)
            if before is not None and now - before < _ASK_SECONDS:
                return True
            if len(self._at) > 10_000:
                self._at.clear()
            self._at[key] = now
            return False


_asked = Lately()


def offer(runtime: Runtime, launched: Launch, school: School) -> None:
    """Ask for a platform's notices where a launch says that it sends any; the asking itself is a job's.

    A launch of a platform without the service costs nothing here, one with it nothing but once an hour.
    """
    offered = launched.notices
    if offered is None or FurtherScope.NOTICE_HANDLERS not in offered.scopes:
        return
    wanted = [kind for kind in WANTED if kind in offered.types]
    registration_id, deployment_id = launched.registration.id, launched.deployment_id
    if not wanted or _asked.lately(school.id, registration_id, deployment_id, offered.url):
        return
    handler, now = handler_url(runtime), runtime.clock()
    with runtime.database.school(school.id) as db:
        agreed = _agreed(db, _of(school.id, registration_id, deployment_id), offered.url, handler, now)
        missing = [kind for kind in wanted if kind not in agreed]
        for kind in missing:
            values = {
                "school_id": school.id, "registration_id": registration_id, "deployment_id": deployment_id,
                "type": str(kind), "service_url": offered.url, "handler": handler, "state": "asked", "reason": "",
                "updated_at": now,
            }  # fmt: skip
            upsert(db, subscription, values, ("school_id", "registration_id", "deployment_id", "type"))
        if missing:
            payload = {"registration": registration_id, "deployment": deployment_id}
            queue.put(db, school.id, SUBSCRIBE, f"{registration_id}:{deployment_id}", payload, lane=registration_id)
    if missing:
        runtime.doorbell.ring()


def _agreed(db: Connection, mine: ColumnElement[bool], url: str, handler: str, now: datetime) -> set[str]:
    """Return the types that were settled with the platform lately, by this very wish."""
    same = (subscription.c.service_url == url) & (subscription.c.handler == handler)
    settled = (subscription.c.state != "asked") & (subscription.c.updated_at > now - AGREED)
    return set(db.execute(select(subscription.c.type).where(mine, same, settled)).scalars())


def handler_url(runtime: Runtime) -> str:
    """Return where platforms send notices."""
    return f"{runtime.settings.public_url}/lti/notices"


def subscribe_handler(runtime: Runtime) -> Handler:
    """Return the handler of ``subscribe_notices`` jobs: asks the platform for what the rows say is wanted."""

    def handle(context: JobContext) -> None:
        registration = runtime.registry.get(context.payload["registration"])
        deployment_id = context.payload["deployment"]
        if registration is None:
            return
        service = NoticeHandlersService(runtime.outbound, runtime.token_source, registration, deployment_id)
        mine = _of(context.school_id, registration.id, deployment_id) & (subscription.c.state == "asked")
        with runtime.database.school(context.school_id, write=False) as db:
            rows = db.execute(select(subscription).where(mine)).all()
        for row in rows:
            state, reason = _ask(service, row)
            _settle(runtime, row, state, reason)

    return handle


def _ask(service: NoticeHandlersService, row: Any) -> tuple[str, str]:
    """Return how the platform took it; what may pass is raised, and the job is tried again."""
    wanted = Subscription(row.type, row.handler)
    try:
        if wanted not in service.read(row.service_url):
            service.subscribe(row.service_url, wanted)
    except (Fatal, Record) as error:
        log.warning("notices_refused", reason=error.reason, registration=row.registration_id)
        return "refused", error.reason
    return "subscribed", ""


def _settle(runtime: Runtime, row: Any, state: str, reason: str) -> None:
    mine = _of(row.school_id, row.registration_id, row.deployment_id) & (subscription.c.type == row.type)
    values = {"state": state, "reason": reason, "updated_at": runtime.clock()}
    with runtime.database.school(row.school_id) as db:
        db.execute(subscription.update().where(mine, subscription.c.state == "asked").values(values))


def subscriptions(runtime: Runtime, school_id: str) -> list[Mapping[str, Any]]:
    """Return what was asked of a school's platforms, and how they took it."""
    query = select(subscription).where(subscription.c.school_id == school_id).order_by(*subscription.primary_key)
    with runtime.database.school(school_id, write=False) as db:
        return [dict(row) for row in db.execute(query).mappings()]


def latest(runtime: Runtime, school_id: str, limit: int) -> list[Mapping[str, Any]]:
    """Return a school's latest notices, newest first."""
    query = (
        select(notice_table)
        .where(notice_table.c.school_id == school_id)
        .order_by(notice_table.c.received_at.desc(), notice_table.c.id.desc())
        .limit(limit)
    )
    with runtime.database.school(school_id, write=False) as db:
        return [dict(row) for row in db.execute(query).mappings()]
