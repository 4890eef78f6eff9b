"""Looking for matters and telling them: claimed rows, one message per open matter, a ledger row per message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, insert, select, update

from connector.base.errors import Fatal, KopirError, Retriable
from connector.base.i18n import N_, say
from connector.base.ids import new_id
from connector.base.log import get_logger
from connector.db.tables.registry import school as school_table
from connector.db.tables.telling import recipient, telling
from connector.host.runtime import Runtime
from connector.host.telling import recipients
from connector.host.telling.matters import Matter, open_matters
from connector.host.telling.message import write
from connector.host.telling.recipients import Recipient, next_digest
from connector.host.telling.send import call_webhook, send_mail
from sync.jobs import queue
from sync.jobs.runner import Handler, JobContext
from sync.runs.runtime import zone_of

TELL = "tell"
LOOK_EVERY = timedelta(minutes=5)
FORGET_AFTER = timedelta(hours=24)
"""A matter that closed and opens again within this time is the same matter: nobody is told twice."""
COPIES = 2
"""How often a message may leave when nobody knows whether it arrived: a crash sends one copy too many at most."""
GIVE_UP = timedelta(days=3)

log = get_logger("telling")


def look(runtime: Runtime) -> int:
    """Look at the matters of every recipient whose time has come; return how many messages were put."""
    now = runtime.clock()
    query = select(recipient.c.school_id, recipient.c.id).where(recipient.c.look_at <= now).limit(500)
    with runtime.database.service(write=False) as db:
        due = db.execute(query).all()
    put = 0
    for row in due:
        try:
            with runtime.database.school(row.school_id) as db:
                put += _look_for(db, runtime, row.school_id, row.id, now)
        except KopirError as error:
            log.warning("recipient not looked at", recipient=row.id, reason=error.reason)
    if put:
        runtime.doorbell.ring()
    return put


def _look_for(db: Connection, runtime: Runtime, school: str, which: str, now: datetime) -> int:
    """Claim one recipient's look and put what it is to be told, in one transaction."""
    claimed = (recipient.c.school_id == school, recipient.c.id == which, recipient.c.look_at <= now)
    if db.execute(update(recipient).where(*claimed).values(look_at=now + LOOK_EVERY)).rowcount != 1:
        return 0
    whom, zone = recipients.get(db, runtime.vault, school, which), zone_of(db, school)
    matters = open_matters(db, school, now, whom.stale_days)
    new = [one for one in matters if one.key not in whom.known]
    db.execute(update(recipient).where(*_is(school, which)).values(known=_seen(whom.known, matters, now)))
    put = 0
    if new and whom.at_once:
        put += _put(db, school, which, "notice", new, now)
    if whom.digest_at is not None and whom.digest_at <= now:
        put += _put(db, school, which, "digest", matters, now)
        db.execute(
            update(recipient).where(*_is(school, which)).values(digest_at=next_digest(whom.digest_day, zone, now))
        )
    return put


def _is(school: str, which: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return recipient.c.school_id == school, recipient.c.id == which


def _seen(known: Mapping[str, str], matters: Iterable[Matter], now: datetime) -> dict[str, str]:
    """Return what is known from now on: what is open, and what closed too short a time ago to be forgotten."""
    recent = {key: seen for key, seen in known.items() if now - datetime.fromisoformat(seen) < FORGET_AFTER}
    return {**recent, **{one.key: now.isoformat() for one in matters}}


def _put(db: Connection, school: str, which: str, kind: str, matters: Iterable[Matter], now: datetime) -> int:
    made = new_id()
    items = [one.to_json() for one in matters]
    db.execute(insert(telling).values(school_id=school, id=made, recipient=which, kind=kind, items=items, made_at=now))
    queue.put(db, school, TELL, made, {"telling": made}, lane=f"tell:{which}", priority=-1, run_after=now)
    return 1


def put_test(runtime: Runtime, school: str, which: str) -> None:
    """Have a test message sent to a recipient."""
    with runtime.database.school(school) as db:
        recipients.get(db, runtime.vault, school, which)
        _put(db, school, which, "test", [], runtime.clock())
    runtime.doorbell.ring()


def tell_handler(runtime: Runtime) -> Handler:
    """Return the handler of ``tell`` jobs."""
    return lambda context: _tell(runtime, context)


@dataclass(frozen=True)
class _Message:
    id: str
    kind: str
    matters: list[Matter]
    whom: Recipient
    school: str


def _tell(runtime: Runtime, context: JobContext) -> None:
    """Send one message; "sending" is committed before it leaves, so that a crash is seen and repeated once at most."""
    message = _begin(runtime, context)
    if message is None:
        return
    try:
        _send(runtime, message)
    except Retriable as error:
        _note(runtime, context, message.id, "waiting", error.reason, back=True)
        raise
    except Fatal as error:
        _note(runtime, context, message.id, "failed", error.reason)
        raise
    context.step("tell.sent")
    _note(runtime, context, message.id, "sent")


def _begin(runtime: Runtime, context: JobContext) -> _Message | None:
    which, school, now = context.payload["telling"], context.school_id, runtime.clock()
    with runtime.database.school(school) as db:
        context.check(db)
        row = db.execute(select(telling).where(telling.c.school_id == school, telling.c.id == which)).first()
        if row is None or row.state in ("sent", "failed"):
            return None
        mine = (telling.c.school_id == school, telling.c.id == which)
        if row.tries >= COPIES or now - row.made_at > GIVE_UP:
            reason = "unsure" if row.tries >= COPIES else "too_old"
            db.execute(update(telling).where(*mine).values(state="failed", reason=reason))
            return None
        whom = recipients.get(db, runtime.vault, school, row.recipient)
        db.execute(update(telling).where(*mine).values(state="sending", tries=row.tries + 1))
        code = db.scalar(select(school_table.c.code).where(school_table.c.id == school)) or ""
    return _Message(which, row.kind, [Matter(**one) for one in row.items], whom, code)


def _send(runtime: Runtime, message: _Message) -> None:
    now, url = runtime.clock(), runtime.settings.public_url
    if message.whom.channel == "webhook":
        place = (message.id, url)
        call_webhook(runtime.outbound, message.whom, message.school, message.kind, message.matters, place, now)
    else:
        words = write(message.kind, message.school, message.matters, message.whom.language, url)
        send_mail(runtime.settings, message.whom, words, message.id, now)


def _note(
    runtime: Runtime, context: JobContext, which: str, state: str, reason: str = "", *, back: bool = False
) -> None:
    """Keep how it ended; what surely did not arrive counts as no copy."""
    values = {"state": state, "reason": reason, "sent_at": runtime.clock() if state == "sent" else None}
    with runtime.database.school(context.school_id) as db:
        statement = update(telling).where(telling.c.school_id == context.school_id, telling.c.id == which)
        db.execute(statement.values(**values, **({"tries": telling.c.tries - 1} if back else {})))


def sent(db: Connection, school: str, limit: int = 20) -> list[dict[str, object]]:
    """Return the newest messages of a school: to whom, what kind, and how each ended."""
    query = select(telling).where(telling.c.school_id == school).order_by(telling.c.id.desc()).limit(limit)
    return [
        {"recipient": row.recipient, "kind": row.kind, "matters": len(row.items), "state": row.state,
         "reason": row.reason, "made_at": row.made_at, "sent_at": row.sent_at}
        for row in db.execute(query)
    ]  # fmt: skip


def school_zone(db: Connection, school: str) -> ZoneInfo:
    """Return the school's time zone."""
    return zone_of(db, school)


def day_of(word: str, words: tuple[str, ...]) -> int:
    """Return a weekday's number, Monday 0; -1 for ``none``.

    Raises:
        Fatal: It is no weekday (``bad_day``).
    """
    if word == "none":
        return -1
    if word not in words:
        raise Fatal("bad_day", say(N_("{day} is not a day."), day=word))
    return words.index(word)
