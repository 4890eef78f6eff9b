"""How far every score is: what the console, the command line and plugins show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, literal, select

from connector.db.tables.launches import account, activity, context, result
from sync.effects.tables import effect
from sync.jobs.tables import job
from sync.scores.tables import DELIVER_SCORES, delivery, score_column
from sync.scores.words import Standing, may_resend, needs_person

_WORDS = {"kept_by_teacher": Standing.KEPT, "refused": Standing.REFUSED, "delivered": Standing.DELIVERED}


@dataclass(frozen=True)
class ScoreLine:
    """One pupil's score in one activity.

    Attributes:
        result_id: The result.
        activity_id: The activity.
        account_id: The pupil.
        name: The pupil's name.
        standing: How far it is.
        reason: A stable code for why.
        given: The score as text, or None when it was taken back.
        maximum: Its maximum.
        seen: What the gradebook last showed, with its maximum.
        finished_at: When the work was done.
        changed_at: When this state was noted, or None.
        next_at: When it is tried next, for one that waits.
        attempts: How often it was sent.
    """

    result_id: str
    activity_id: str
    account_id: str
    name: str
    standing: Standing
    reason: str
    given: str | None
    maximum: str | None
    seen: str | None
    seen_maximum: str | None
    finished_at: datetime
    changed_at: datetime | None
    next_at: datetime | None
    attempts: int

    @property
    def needs_person(self) -> bool:
        """Whether nothing will come of it until somebody acts."""
        return needs_person(self.standing, self.reason)

    @property
    def may_resend(self) -> bool:
        """Whether sending again can change anything."""
        return may_resend(self.standing, self.reason)


@dataclass(frozen=True)
class ActivityScores:
    """The scores of one activity in numbers.

    Attributes:
        activity_id: The activity.
        title: Its title.
        course: The course's name.
        lane: The registration behind which they go.
        counts: How many are in each state.
        attention: How many need a person.
    """

    activity_id: str
    title: str
    course: str
    lane: str
    counts: dict[Standing, int]
    attention: int


_COLUMNS = (
    result.c.progress,
    result.c.revision,
    activity.c.score_maximum.label("column_maximum"),
    delivery.c.revision.label("settled"),
    delivery.c.state.label("word"),
    delivery.c.reason,
    score_column.c.state.label("column_state"),
    score_column.c.reason.label("column_reason"),
)


def _joined(school_id: str) -> Any:
    """Return results with all that tells how far they are, the open or dead job of their activity and link too."""
    link = func.coalesce(result.c.resource_link, "")
    key = result.c.activity + literal(":") + link
    newest = (
        select(job.c.key, func.max(job.c.id).label("id"))
        .where(job.c.school_id == school_id, job.c.kind == DELIVER_SCORES, job.c.state != "done")
        .group_by(job.c.key)
        .subquery("newest")
    )
    return (
        result.join(activity, and_(activity.c.school_id == result.c.school_id, activity.c.id == result.c.activity))
        .join(account, and_(account.c.school_id == result.c.school_id, account.c.id == result.c.account))
        .outerjoin(delivery, and_(delivery.c.school_id == result.c.school_id, delivery.c.result == result.c.id))
        .outerjoin(
            score_column,
            and_(
                score_column.c.school_id == result.c.school_id,
                score_column.c.activity == result.c.activity,
                score_column.c.link == link,
            ),
        )
        .outerjoin(newest, newest.c.key == key)
        .outerjoin(job, and_(job.c.school_id == result.c.school_id, job.c.id == newest.c.id))
    )


def lines(db: Connection, school_id: str, condition: ColumnElement[bool]) -> list[ScoreLine]:
    """Return the scores that fulfil a condition on results, by name."""
    tables = _joined(school_id).outerjoin(
        effect, and_(effect.c.school_id == delivery.c.school_id, effect.c.id == delivery.c.effect)
    )
    query = (
        select(
            result.c.id,
            result.c.activity,
            result.c.account,
            result.c.score_given,
            result.c.score_maximum,
            result.c.finished_at,
            account.c.display_name,
            delivery.c.updated_at,
            effect.c.seen,
            effect.c.seen_maximum,
            effect.c.attempts,
            job.c.state.label("job_state"),
            job.c.last_reason,
            job.c.run_after,
            *_COLUMNS,
        )
        .select_from(tables)
        .where(result.c.school_id == school_id, condition)
        .order_by(account.c.display_name, result.c.id)
    )
    return [_line(row) for row in db.execute(query)]


def _line(row: Any) -> ScoreLine:
    standing, reason = standing_of(row)
    settled = row.settled == row.revision
    return ScoreLine(
        result_id=row.id,
        activity_id=row.activity,
        account_id=row.account,
        name=row.display_name,
        standing=standing,
        reason=reason,
        given=row.score_given if row.progress == "graded" else None,
        maximum=row.score_maximum,
        seen=row.seen if settled else None,
        seen_maximum=row.seen_maximum if settled else None,
        finished_at=row.finished_at,
        changed_at=row.updated_at if settled else None,
        next_at=row.run_after if standing is Standing.WAITING else None,
        attempts=row.attempts or 0,
    )


def standing_of(row: Any) -> tuple[Standing, str]:
    """Return how far a score is and why, from a row with the columns of ``_COLUMNS`` and its job's."""
    if row.progress not in ("graded", "cleared") or row.column_maximum is None:
        return Standing.NONE, ""
    if row.settled == row.revision:
        if row.progress == "cleared" and row.word == "delivered":
            return Standing.NONE, ""
        return _WORDS.get(row.word, Standing.NONE), row.reason
    if row.job_state == "dead":
        return Standing.STOPPED, row.last_reason or ""
    if row.column_state == "missing" and row.job_state is None:
        return Standing.REFUSED, row.column_reason
    return Standing.WAITING, row.last_reason or "" if row.job_state == "ready" else ""


def of_results(db: Connection, school_id: str, result_ids: Iterable[str]) -> dict[str, ScoreLine]:
    """Return the scores of some results, by result."""
    ids = list(result_ids)
    found: dict[str, ScoreLine] = {}
    for start in range(0, len(ids), 300):
        found |= {one.result_id: one for one in lines(db, school_id, result.c.id.in_(ids[start : start + 300]))}
    return found


def of_activity(db: Connection, school_id: str, activity_id: str) -> list[ScoreLine]:
    """Return the scores of one activity."""
    return lines(db, school_id, result.c.activity == activity_id)


def activities(db: Connection, school_id: str) -> list[ActivityScores]:
    """Return every activity that gives marks and has results, those that need a person first."""
    tables = _joined(school_id)
    settled = case((delivery.c.revision == result.c.revision, 1), else_=0)
    grouped = [result.c.activity, result.c.progress, delivery.c.state, delivery.c.reason, settled]
    grouped += [score_column.c.state, score_column.c.reason, job.c.state, job.c.last_reason]
    query = (
        select(
            result.c.activity,
            result.c.progress,
            literal(1).label("revision"),
            activity.c.score_maximum.label("column_maximum"),
            settled.label("settled"),
            delivery.c.state.label("word"),
            delivery.c.reason,
            score_column.c.state.label("column_state"),
            score_column.c.reason.label("column_reason"),
            job.c.state.label("job_state"),
            job.c.last_reason,
            func.count().label("number"),
        )
        .select_from(tables)
        .where(result.c.school_id == school_id, activity.c.score_maximum.is_not(None))
        .group_by(*grouped, activity.c.score_maximum)
    )
    counts: dict[str, dict[tuple[Standing, str], int]] = {}
    for row in db.execute(query):
        held = counts.setdefault(row.activity, {})
        found = standing_of(row)
        held[found] = held.get(found, 0) + row.number
    made = [_activity(row, counts[row.id]) for row in db.execute(_titles(school_id, list(counts)))]
    return sorted(made, key=lambda one: (-one.attention, one.course, one.title, one.activity_id))


def _titles(school_id: str, ids: list[str]) -> Select[Any]:
    joined = activity.outerjoin(
        context, and_(context.c.school_id == activity.c.school_id, context.c.id == activity.c.context)
    )
    return (
        select(activity.c.id, activity.c.title, context.c.title.label("course"), context.c.label,
               context.c.registration_id)
        .select_from(joined)
        .where(activity.c.school_id == school_id, activity.c.id.in_(ids))
    )  # fmt: skip


def _activity(row: Any, counts: dict[tuple[Standing, str], int]) -> ActivityScores:
    by_standing: dict[Standing, int] = {}
    for (standing, _), number in counts.items():
        by_standing[standing] = by_standing.get(standing, 0) + number
    attention = sum(number for (standing, reason), number in counts.items() if needs_person(standing, reason))
    course = row.label or row.course or ""
    return ActivityScores(row.id, row.title, course, row.registration_id or "", by_standing, attention)
