"""The audit: append-only, chained by hashes, replayable to the base.

Every entry carries its values beside a random salt, and the chain runs over the salted hashes only. When a person is
erased, values and salt go and the hashes stay: the chain still verifies, and a replay still names the same cells.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.db.types import dump_json
from sync.reconcile.types import CellKey
from sync.store.tables.audit import audit
from sync.store.tables.connections import connection as connection_table

FIRST = "0" * 64
"""What the first link names as the one before it."""


@dataclass(frozen=True)
class Entry:
    """What happened to one cell.

    Attributes:
        key: The cell.
        what: ``set`` or ``forget`` the base; ``written``, ``entered``, ``resolved``, … for what led to it.
        before: Left's and right's raw value before.
        after: Left's and right's raw value after.
        why: The rule or reason.
        mapping_version: Version of the mapping that decided.
    """

    key: str
    what: str
    before: tuple[str | None, str | None]
    after: tuple[str | None, str | None]
    why: str = ""
    mapping_version: str = ""


@dataclass(frozen=True)
class Link:
    """One link of the chain, as it is stored."""

    seq: int
    previous: str
    hash: str
    action: str
    actor: str
    run: str | None
    at: datetime
    entries: list[dict[str, Any]]


def append(
    db: Connection,
    school: str,
    connection: str,
    action: str,
    actor: str,
    entries: Sequence[Entry],
    now: datetime,
    *,
    run: str | None = None,
) -> str:
    """Add one link for this transaction and return its hash; two transactions of one chain wait for each other."""
    table = audit
    row = (connection_table.c.school_id == school, connection_table.c.id == connection)
    db.execute(select(connection_table.c.id).where(*row).with_for_update())
    where = (table.c.school_id == school, table.c.connection == connection)
    last = db.execute(select(table.c.seq, table.c.hash).where(*where).order_by(table.c.seq.desc()).limit(1)).first()
    seq, previous = (1, FIRST) if last is None else (last.seq + 1, last.hash)
    stored = [_store(entry) for entry in entries]
    digest = _digest(seq, previous, action, actor, run, now, stored)
    db.execute(
        insert(table).values(
            school_id=school,
            connection=connection,
            seq=seq,
            previous=previous,
            hash=digest,
            action=action,
            actor=actor,
            run=run,
            entries=stored,
            at=now,
        )
    )
    return digest


def _store(entry: Entry) -> dict[str, Any]:
    return {
        "key": entry.key,
        "what": entry.what,
        "before": list(entry.before),
        "after": list(entry.after),
        "why": entry.why,
        "mapping_version": entry.mapping_version,
        "salt": secrets.token_hex(16),
    }


def _sealed(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry as the chain sees it: values only as salted hashes."""
    if "salt" not in entry:
        return dict(entry)
    plain = {name: value for name, value in entry.items() if name != "salt"}
    for name in ("before", "after"):
        plain[name] = [_commit(entry["salt"], name, index, value) for index, value in enumerate(entry[name])]
    return plain


def _commit(salt: str, name: str, index: int, value: str | None) -> str | None:
    if value is None:
        return None
    return hashlib.sha256(f"{salt}|{name}|{index}|{value}".encode()).hexdigest()


def _digest(
    seq: int,
    previous: str,
    action: str,
    actor: str,
    run: str | None,
    at: datetime,
    entries: Iterable[Mapping[str, Any]],
) -> str:
    text = dump_json(
        [seq, previous, action, actor, run, at.astimezone(UTC).isoformat(timespec="microseconds")]
        + [_sealed(entry) for entry in entries]
    )
    return hashlib.sha256(text.encode()).hexdigest()


def links(db: Connection, school: str, connection: str) -> list[Link]:
    """Return the whole chain of a connection."""
    table = audit
    rows = db.execute(
        select(table).where(table.c.school_id == school, table.c.connection == connection).order_by(table.c.seq)
    )
    return [Link(row.seq, row.previous, row.hash, row.action, row.actor, row.run, row.at, row.entries) for row in rows]


def verify(chain: Sequence[Link]) -> None:
    """Check that no link was changed, left out or put in.

    Raises:
        Fatal: The chain is broken (``audit_broken``); the message names the first bad link.
    """
    previous = FIRST
    for position, link in enumerate(chain, start=1):
        wanted = _digest(link.seq, previous, link.action, link.actor, link.run, link.at, link.entries)
        if (link.seq, link.previous, link.hash) != (position, previous, wanted):
            message = say(N_("The audit is broken at link {seq}: it was changed after it was written."), seq=position)
            raise Fatal("audit_broken", message)
        previous = link.hash


def replay(chain: Iterable[Link]) -> dict[str, tuple[str | None, str | None, str]]:
    """Return the base that the audit amounts to: key → (left, right, mapping version)."""
    base: dict[str, tuple[str | None, str | None, str]] = {}
    for link in chain:
        for entry in link.entries:
            if entry["what"] == "set":
                left, right = entry["after"]
                base[entry["key"]] = (left, right, entry["mapping_version"])
            elif entry["what"] == "forget":
                base.pop(entry["key"], None)
    return base


def erase(db: Connection, school: str, connection: str, person: str) -> int:
    """Replace an erased person's values by their salted hashes; return how many entries that were."""
    count = 0
    for link in links(db, school, connection):
        changed = [_sealed(entry) if CellKey.parse(entry["key"]).person == person else entry for entry in link.entries]
        count += sum(old is not new for old, new in zip(link.entries, changed, strict=True))
        if changed != link.entries:
            where = (audit.c.school_id == school, audit.c.connection == connection, audit.c.seq == link.seq)
            db.execute(update(audit).where(*where).values(entries=changed))
    return count
