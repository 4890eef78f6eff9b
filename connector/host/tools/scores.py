"""Scores of tools: checked, kept in full, and the activity's own marks handed on to the LMS like any plugin's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from connector.base.i18n import N_, say
from connector.db.tables.launches import activity, launch
from connector.db.tables.launches import result as result_table
from connector.db.tables.tools import tool_link, tool_score, tool_subject
from connector.db.types import canonical
from connector.db.upsert import upsert
from connector.host.rooms import SchoolRoom
from connector.host.runtime import Runtime
from connector.host.tools.columns import Column, column
from connector.host.tools.records import SchoolTool
from connector.host.tools.subjects import account_of
from lti.platform.errors import ServiceRefused
from lti.platform.grades import ActivityProgress, Score
from lti.platform.paging import Page
from plugins.contract import Outcome, Progress, Role

AHEAD = timedelta(minutes=10)
"""How far a tool's clock may be ahead; a score from next year would shut out every later one."""


@dataclass(frozen=True)
class Kept:
    """One score as it is kept, with the name the tool knows the person under."""

    account: str
    subject: str
    given: Decimal | None
    maximum: Decimal | None
    comment: str
    scoring_user: str
    at: datetime


def receive(runtime: Runtime, tool: SchoolTool, context: str, column_id: str, score: Score) -> None:
    """Take one score: the row, the result and its delivery are one transaction.

    Raises:
        ServiceRefused: 400 for a person who is not a pupil of this course or a time ahead of ours, 404 for a column
            that is not the tool's, 409 for a time that is not later than the last one's (AGS 2.0, section 3.4.5).
    """
    now = runtime.clock()
    if score.timestamp > now + AHEAD:
        text = N_("“{field}” lies ahead of our clock.")
        raise ServiceRefused(400, "invalid_request", "from_the_future", say(text, field="timestamp"))
    placed = _placed(runtime, tool, column_id)
    room = SchoolRoom(runtime, tool.school_id, placed.plugin if placed else "")
    with room.write() as db:
        found = column(db, tool, context, column_id, lock=True)
        pupil = _pupil(db, tool, context, score.user_id)
        last = _last(db, tool.school_id, found.id, pupil)
        if last is not None and score.timestamp <= last:
            text = N_("A score of this time or later is there already.")
            raise ServiceRefused(409, "conflict", "old_timestamp", say(text))
        _keep(db, tool.school_id, found.id, pupil, score, now)
        if found.goes_on and placed is not None:
            # What is not final never touches a mark that is; a mark goes only when the tool takes it back.
            outcome = outcome_of(score, _progress(db, tool.school_id, placed.id, pupil), tool.name, now)
            if outcome is not None:
                room.hand_in(db, placed.id, pupil, outcome)


def _placed(runtime: Runtime, tool: SchoolTool, column_id: str) -> Any:
    """Return id and plugin of the activity whose own column this is; the column carries its link's id for ever."""
    ours = (tool_link.c.school_id == activity.c.school_id) & (tool_link.c.activity == activity.c.id)
    query = select(activity.c.id, activity.c.plugin).join(tool_link, ours)
    mine = (tool_link.c.school_id == tool.school_id) & (tool_link.c.tool == tool.id) & (tool_link.c.id == column_id)
    with runtime.database.school(tool.school_id, write=False) as db:
        return db.execute(query.where(mine, activity.c.removed_at.is_(None))).first()


def _pupil(db: Connection, tool: SchoolTool, context: str, subject: str) -> str:
    found = account_of(db, tool, subject)
    seen = select(launch.c.role).where(
        launch.c.school_id == tool.school_id, launch.c.context == context, launch.c.account == found
    )
    roles = set(db.execute(seen.distinct()).scalars()) if found else set()
    if found is None or Role.PUPIL not in roles or Role.TEACHER in roles:
        text = N_("“userId” is no pupil of this course whom this tool was told of.")
        raise ServiceRefused(400, "invalid_request", "no_pupil", say(text))
    return found


def _last(db: Connection, school_id: str, column_id: str, pupil: str) -> datetime | None:
    query = select(tool_score.c.at).where(
        tool_score.c.school_id == school_id, tool_score.c.line_item == column_id, tool_score.c.account == pupil
    )
    return db.execute(query).scalar_one_or_none()


def _keep(db: Connection, school_id: str, column_id: str, pupil: str, score: Score, now: datetime) -> None:
    values = {
        "school_id": school_id, "line_item": column_id, "account": pupil, "at": score.timestamp,
        "given": _text(score.given), "maximum": _text(score.maximum), "activity_progress": str(score.activity),
        "grading_progress": str(score.grading), "comment": score.comment, "scoring_user": score.scoring_user,
        "started_at": score.started_at, "submitted_at": score.submitted_at, "received_at": now,
    }  # fmt: skip
    upsert(db, tool_score, values, ("school_id", "line_item", "account"))


def _text(number: Decimal | None) -> str | None:
    return None if number is None else canonical(number)


def _progress(db: Connection, school_id: str, activity_id: str, pupil: str) -> Progress | None:
    query = select(result_table.c.progress).where(
        result_table.c.school_id == school_id, result_table.c.activity == activity_id, result_table.c.account == pupil
    )
    found = db.execute(query).scalar_one_or_none()
    return None if found is None else Progress(found)


def outcome_of(score: Score, before: Progress | None, tool_name: str, now: datetime) -> Outcome | None:
    """Return what a score means for the result, or None when it changes nothing.

    Points above the maximum count as the maximum: LMSs cut them off without a word, and then what was sent is not
    what is there. The tool's own number is kept beside it.
    """
    evidence: dict[str, Any] = {"kind": "outside_tool", "summary": tool_name}
    finished = min(score.timestamp, now)
    if score.is_mark and score.given is not None and score.maximum is not None:
        if score.given > score.maximum:
            evidence["above_maximum"] = canonical(score.given)
        given = min(score.given, score.maximum)
        return Outcome(Progress.GRADED, given, score.maximum, finished, score.comment[:2000], evidence)
    if score.takes_back:
        return Outcome(Progress.CLEARED, None, None, finished, "", evidence) if before is Progress.GRADED else None
    if before in (Progress.GRADED, Progress.CLEARED):
        return None
    done = score.activity in (ActivityProgress.SUBMITTED, ActivityProgress.COMPLETED)
    return Outcome(Progress.SUBMITTED if done else Progress.STARTED, None, None, finished, "", evidence)


def results(db: Connection, tool: SchoolTool, found: Column, page: Page) -> tuple[list[Kept], bool]:
    """Return one page of a column's results, and whether more follow (AGS 2.0, section 3.3)."""
    mine = (tool_score.c.school_id == tool.school_id) & (tool_score.c.line_item == found.id)
    named = (tool_subject.c.school_id == tool_score.c.school_id) & (tool_subject.c.account == tool_score.c.account)
    query = (
        select(tool_score, tool_subject.c.subject)
        .join(tool_subject, named & (tool_subject.c.tool == tool.id))
        .where(mine, tool_score.c.account > page.after, tool_score.c.given.is_not(None))
        .order_by(tool_score.c.account)
        .limit(page.limit + 1)
    )
    if "user_id" in page.filters:
        query = query.where(tool_subject.c.subject == page.filters["user_id"])
    rows = [_kept(row) for row in db.execute(query)]
    return rows[: page.limit], len(rows) > page.limit


def _kept(row: Any) -> Kept:
    given, maximum = (None if text is None else Decimal(text) for text in (row.given, row.maximum))
    return Kept(row.account, row.subject, given, maximum, row.comment, row.scoring_user, row.at)


def erase_person(db: Connection, school_id: str, account_id: str) -> int:
    """Erase what tools said of a person, and the names they know them under; return how many rows went."""
    gone = 0
    for table in (tool_score, tool_subject):
        mine = (table.c.school_id == school_id) & (table.c.account == account_id)
        gone += db.execute(table.delete().where(mine)).rowcount
    return gone


def export_person(db: Connection, school_id: str, account_id: str) -> Mapping[str, Any]:
    """Return what tools said of a person, as JSON values (law 94-V, article 24)."""
    mine = (tool_score.c.school_id == school_id) & (tool_score.c.account == account_id)
    rows = db.execute(select(tool_score).where(mine).order_by(tool_score.c.at)).all()
    known = (tool_subject.c.school_id == school_id) & (tool_subject.c.account == account_id)
    names = db.execute(select(tool_subject.c.tool, tool_subject.c.subject).where(known)).all()
    return {
        "scores": [
            {"line_item": row.line_item, "at": row.at.isoformat(), "given": row.given, "maximum": row.maximum,
             "activity": row.activity_progress, "grading": row.grading_progress, "comment": row.comment}
            for row in rows
        ],
        "known_to_tools_as": [{"tool": row.tool, "subject": row.subject} for row in names],
    }  # fmt: skip
