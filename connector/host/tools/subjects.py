"""Who a person is to a tool: a pseudonym of that tool's own, the same at every launch, telling nobody anything else."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from connector.base.secrets import keyed_hash
from connector.db.tables.registry import school
from connector.db.tables.tools import tool_subject
from connector.db.upsert import upsert
from connector.host.runtime import Runtime
from connector.host.tools.records import SchoolTool

_PURPOSE = "outside tool subject"


def school_key(runtime: Runtime, school_id: str) -> str:
    """Return the school's own key for hashing."""
    query = select(school.c.sealed_key).where(school.c.id == school_id)
    with runtime.database.service(write=False) as db:
        return runtime.vault.open(db.execute(query).scalar_one())


def subject_of(key: str, tool_id: str, account_id: str) -> str:
    """Return the name a tool knows a person under: a keyed hash, so that two tools cannot compare their pupils."""
    return keyed_hash(key, f"{_PURPOSE}\n{tool_id}\n{account_id}")


def remember(db: Connection, tool: SchoolTool, key: str, accounts: Iterable[str]) -> dict[str, str]:
    """Keep the names of these people, so that what the tool says of them is understood; return them by account."""
    wanted = list(dict.fromkeys(accounts))
    mine = (tool_subject.c.school_id == tool.school_id) & (tool_subject.c.tool == tool.id)
    query = select(tool_subject.c.account, tool_subject.c.subject).where(mine, tool_subject.c.account.in_(wanted))
    found = {row.account: row.subject for row in db.execute(query)}
    for account in wanted:
        if account not in found:
            values = {
                "school_id": tool.school_id, "tool": tool.id, "account": account,
                "subject": subject_of(key, tool.id, account),
            }  # fmt: skip
            found[account] = upsert(
                db, tool_subject, values, ("school_id", "tool", "account"), keep=("subject",)
            ).subject
    return found


def account_of(db: Connection, tool: SchoolTool, subject: str) -> str | None:
    """Return the person a tool means, or None when it was never told of them."""
    query = select(tool_subject.c.account).where(
        tool_subject.c.school_id == tool.school_id, tool_subject.c.tool == tool.id, tool_subject.c.subject == subject
    )
    return db.execute(query).scalar_one_or_none()
