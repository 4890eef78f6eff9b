"""The plugin: its name, its pages, its jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from plugins.contract import (
    N_,
    PUPILS,
    TEACHERS,
    Activity,
    Health,
    JobHandler,
    Manifest,
    Role,
    Room,
    Route,
    say,
)
from plugins.online_test import person, store
from plugins.online_test.attempts import CLOSE_JOB, close_job
from plugins.online_test.pages import pick, sit, teacher
from plugins.online_test.tables import ID, attempt

OVERDUE = timedelta(minutes=5)
PEOPLE = frozenset({Role.TEACHER, Role.PUPIL})


def _forget_upload(room: Room, payload: Mapping[str, str]) -> None:
    with room.write() as db:
        store.forget_upload(db, room.school_id, payload["upload"])


class OnlineTest:
    """Online tests from question files; implements ``plugins.contract.Plugin``."""

    manifest = Manifest(
        ID,
        N_("Online test"),
        N_("Questions from a GIFT or Moodle XML file, scored at once, with the score in the gradebook."),
        "0.1.0",
        Path(__file__).parent,
    )

    def routes(self) -> Sequence[Route]:
        """Return the pages: picker, launch view, sitting, teacher's list and review."""
        return _ROUTES

    def jobs(self) -> Mapping[str, JobHandler]:
        """Return the jobs: close an attempt at its deadline, forget a file nobody confirmed."""
        return {CLOSE_JOB: close_job, "forget_upload": _forget_upload}

    def copy_activity(self, room: Room, db: Connection, source: Activity, copy_id: str) -> Mapping[str, Any]:
        """Return the settings alone: questions never change once they are written, so a copy asks the same test's."""
        return dict(source.settings)

    def export_person(self, db: Connection, school_id: str, account_id: str) -> Mapping[str, Any]:
        """Return everything held about a person."""
        return person.export_person(db, school_id, account_id)

    def erase_person(self, db: Connection, school_id: str, account_id: str) -> int:
        """Make a person's work nameless; return how many rows were touched."""
        return person.erase_person(db, school_id, account_id)

    def health(self, db: Connection, school_id: str) -> Health:
        """Tell whether attempts are closed in time, which needs a running worker."""
        a = attempt.c
        late = (a.school_id == school_id, a.state == "open", a.deadline_at < datetime.now(UTC) - OVERDUE)
        count = db.execute(select(func.count()).select_from(attempt).where(*late)).scalar() or 0
        if count:
            return Health(
                False,
                say(N_("Sittings past their deadline and not closed: {count}. Is a worker running?"), count=count),
            )
        return Health(True)


_ROUTES = (
    Route("pick", pick.pick, roles=TEACHERS, in_picker=True),
    Route("pick/upload", pick.upload, ("POST",), TEACHERS, in_picker=True),
    Route("pick/report/<upload_id>", pick.report, roles=TEACHERS, in_picker=True),
    Route("pick/report/<upload_id>/take", pick.take, ("POST",), TEACHERS, in_picker=True),
    Route("pick/settings/<test_id>", pick.settings, ("GET", "POST"), TEACHERS, in_picker=True),
    Route("", teacher.home),
    Route("start", sit.start, ("POST",), PUPILS),
    Route("sit", sit.sit, ("GET",), PUPILS),
    Route("sit", sit.submit, ("POST",), PUPILS),
    Route("answer", sit.answer, ("POST",), PUPILS),
    Route("attempt/<attempt_id>", teacher.attempt, roles=PEOPLE),
    Route("list", teacher.overview, roles=TEACHERS),
    Route("preview", teacher.preview, roles=TEACHERS),
    Route("release", teacher.release, ("POST",), TEACHERS),
)

plugin = OnlineTest()
