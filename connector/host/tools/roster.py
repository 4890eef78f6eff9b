"""The roster a tool gets: people of the course whom Kopir has seen, as pseudonyms (NRPS 2.0)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select, case, func, select

from connector.db.tables.launches import account, launch
from connector.db.tables.tools import tool_link
from connector.host.runtime import Runtime
from connector.host.tools.columns import check_course, not_found
from connector.host.tools.records import SchoolTool, Told
from connector.host.tools.subjects import remember, school_key
from lti.platform.paging import Page
from lti.vocab import ROLE_INSTRUCTOR, ROLE_LEARNER
from plugins.contract import Role

_RANK = {2: ROLE_INSTRUCTOR, 1: ROLE_LEARNER}


@dataclass(frozen=True)
class Line:
    """One person as a tool sees them; the name is empty unless the school lets names through."""

    account: str
    subject: str
    role: str
    name: str


def roster(runtime: Runtime, tool: SchoolTool, context: str, page: Page) -> tuple[list[Line], bool]:
    """Return one page of a course's people, and whether more follow.

    Raises:
        ServiceRefused: 404, the tool stands nowhere in this course, or ``rlid`` is no link of its there.
    """
    key = school_key(runtime, tool.school_id)
    with runtime.database.school(tool.school_id) as db:
        check_course(db, tool, context)
        if "rlid" in page.filters:
            query = select(tool_link.c.id).where(
                tool_link.c.school_id == tool.school_id, tool_link.c.tool == tool.id,
                tool_link.c.context == context, tool_link.c.id == page.filters["rlid"],
            )  # fmt: skip
            if db.execute(query).first() is None:
                raise not_found()
        rows = db.execute(_people(tool, context, page)).all()
        more, rows = len(rows) > page.limit, rows[: page.limit]
        subjects = remember(db, tool, key, [row.id for row in rows])
    named = Told.NAME in tool.told
    return [Line(row.id, subjects[row.id], _RANK[row.rank], row.display_name if named else "") for row in rows], more


def _people(tool: SchoolTool, context: str, page: Page) -> Select[tuple[str, str, int]]:
    rank = func.max(case((launch.c.role == str(Role.TEACHER), 2), (launch.c.role == str(Role.PUPIL), 1), else_=0))
    wanted = _wanted(page.filters.get("role", ""))
    return (
        select(account.c.id, account.c.display_name, rank.label("rank"))
        .join(launch, (launch.c.school_id == account.c.school_id) & (launch.c.account == account.c.id))
        .where(account.c.school_id == tool.school_id, launch.c.context == context, account.c.id > page.after)
        .group_by(account.c.id, account.c.display_name)
        .having(rank.in_(wanted))
        .order_by(account.c.id)
        .limit(page.limit + 1)
    )


def _wanted(role: str) -> list[int]:
    """Return the ranks a ``role`` filter leaves; it may be a full URI or a short name (NRPS 2.0, section 2.4.1)."""
    if not role:
        return [1, 2]
    return [rank for rank, uri in _RANK.items() if role in (uri, uri.rpartition("#")[2])] or [-1]
