"""Tests and uploads in the database. Nothing here changes a question once it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, update

from plugins.contract import Room, new_id
from plugins.online_test import tables as t
from plugins.online_test.imports.report import Report, report_from_json, report_to_json
from plugins.online_test.model import Question, from_json, to_json
from plugins.online_test.scoring import maximum

KEEP_UPLOAD = timedelta(days=1)


@dataclass(frozen=True)
class Test:
    """An imported set of questions; a change is a new version with the same series."""

    __test__ = False

    id: str
    series: str
    version: int
    title: str
    source: str
    questions: int
    points: Decimal
    created_at: datetime


def tests(db: Connection, school_id: str) -> Sequence[Test]:
    """Return the newest version of every test of the school, newest first."""
    newest = (
        select(t.test.c.series, func.max(t.test.c.version).label("version"))
        .where(t.test.c.school_id == school_id)
        .group_by(t.test.c.series)
        .subquery()
    )
    match = and_(t.test.c.series == newest.c.series, t.test.c.version == newest.c.version)
    rows = db.execute(
        select(t.test).join(newest, match).where(t.test.c.school_id == school_id).order_by(t.test.c.created_at.desc())
    )
    return [_test(row) for row in rows]


def find_test(db: Connection, school_id: str, test_id: str) -> Test | None:
    """Return a test of the school."""
    row = db.execute(select(t.test).where(t.test.c.school_id == school_id, t.test.c.id == test_id)).one_or_none()
    return None if row is None else _test(row)


def questions_of(db: Connection, school_id: str, test_id: str) -> dict[str, Question]:
    """Return a test's questions by id, in the file's order."""
    q = t.question.c
    rows = db.execute(
        select(q.id, q.content).where(q.school_id == school_id, q.test_id == test_id).order_by(q.position)
    )
    return {row.id: from_json(row.content) for row in rows}


def find_question(db: Connection, school_id: str, question_id: str) -> Question | None:
    """Return one question of the school."""
    q = t.question.c
    content = db.execute(select(q.content).where(q.school_id == school_id, q.id == question_id)).scalar()
    return None if content is None else from_json(content)


def keep_upload(room: Room, account_id: str, report: Report) -> str:
    """Keep what was read from a file until its sender confirms it; it is forgotten after a day."""
    upload_id, now = new_id(), room.now()
    with room.write() as db:
        db.execute(
            insert(t.upload).values(
                school_id=room.school_id,
                id=upload_id,
                account_id=account_id,
                filename=report.source,
                report=report_to_json(report),
                created_at=now,
            )
        )
        room.schedule(db, "forget_upload", f"upload:{upload_id}", {"upload": upload_id}, now + KEEP_UPLOAD)
    return upload_id


def find_upload(db: Connection, school_id: str, upload_id: str, account_id: str) -> tuple[Report, str | None] | None:
    """Return a report and the test made of it, to its sender only."""
    u = t.upload.c
    mine = (u.school_id == school_id, u.id == upload_id, u.account_id == account_id)
    row = db.execute(select(u.report, u.test_id).where(*mine)).one_or_none()
    return None if row is None else (report_from_json(row.report), row.test_id)


def forget_upload(db: Connection, school_id: str, upload_id: str) -> None:
    """Delete an upload."""
    db.execute(delete(t.upload).where(t.upload.c.school_id == school_id, t.upload.c.id == upload_id))


def take_upload(room: Room, upload_id: str, account_id: str, title: str, series: str = "") -> str | None:
    """Make a test of an upload's questions, once: a second call returns the same test.

    Args:
        room: Where.
        upload_id: A report that was confirmed.
        account_id: Its sender.
        title: The test's title.
        series: Of an older version of this test, or "".
    """
    with room.write() as db:
        # The row is locked first, so that a double click finds the test made.
        lock = update(t.upload).where(t.upload.c.school_id == room.school_id, t.upload.c.id == upload_id)
        db.execute(lock.values(created_at=t.upload.c.created_at))
        found = find_upload(db, room.school_id, upload_id, account_id)
        if found is None or not found[0].questions:
            return None
        report, made = found
        if made is None:
            made = add_test(room, db, account_id, title, report, series)
            db.execute(lock.values(test_id=made))
        return made


def add_test(room: Room, db: Connection, account_id: str, title: str, report: Report, series: str = "") -> str:
    """Write a test and its questions; return its id."""
    school_id, test_id = room.school_id, new_id()
    in_series = (t.test.c.school_id == school_id, t.test.c.series == series)
    older = db.execute(select(func.max(t.test.c.version)).where(*in_series)).scalar() if series else None
    values = {
        "school_id": school_id,
        "id": test_id,
        "series": series if older else new_id(),
        "version": (older or 0) + 1,
        "title": title,
        "source": report.source,
        "questions": len(report.questions),
        "points": maximum(report.questions),
        "created_by": account_id,
        "created_at": room.now(),
    }
    db.execute(insert(t.test).values(values))
    rows = [
        {
            "school_id": school_id,
            "id": new_id(),
            "test_id": test_id,
            "position": position,
            "kind": question.kind.value,
            "content": to_json(question),
        }
        for position, question in enumerate(report.questions, start=1)
    ]
    db.execute(insert(t.question), rows)
    return test_id


def _test(row: Row[tuple[object, ...]]) -> Test:
    return Test(row.id, row.series, row.version, row.title, row.source, row.questions, row.points, row.created_at)
