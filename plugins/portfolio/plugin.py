"""The portfolio's pages, export and erasure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, update

from plugins.contract import (
    N_,
    PUPILS,
    TEACHERS,
    Activity,
    Health,
    JobHandler,
    Manifest,
    Member,
    NotFound,
    Page,
    Placed,
    Placement,
    Redirect,
    Request,
    Response,
    Role,
    Room,
    Route,
    Visit,
)
from plugins.portfolio.entries import MAX_NOTE, entries_of, find_entry, fingerprint
from plugins.portfolio.tables import note, verification


class Portfolio:
    """The plugin object; implements ``plugins.contract.Plugin``."""

    manifest = Manifest(
        id="portfolio",
        name=N_("Portfolio"),
        summary=N_("Finished tests and lab reports collect here by themselves; pupils add notes, you verify."),
        version="1",
        package=Path(__file__).parent,
    )

    def routes(self) -> Sequence[Route]:
        """Return the pages."""
        return (
            Route("", first_page),
            Route("pick", pick, ("GET", "POST"), TEACHERS, in_picker=True),
            Route("note/<result>", save_note, ("POST",), PUPILS),
            Route("pupil/<account>", pupil_page, roles=TEACHERS),
            Route("pupil/<account>/verify/<result>", verify, ("POST",), TEACHERS),
        )

    def jobs(self) -> Mapping[str, JobHandler]:
        """Return no jobs: entries are read from the host's results, nothing is copied."""
        return {}

    def copy_activity(self, room: Room, db: Connection, source: Activity, copy_id: str) -> Mapping[str, Any]:
        """Return the settings alone: a portfolio shows results and keeps nothing of its own for an activity."""
        return dict(source.settings)

    def export_person(self, db: Connection, school_id: str, account_id: str) -> Mapping[str, Any]:
        """Return a person's notes and verifications."""
        return {
            table.name: [
                {name: str(value) for name, value in row._mapping.items() if name != "school_id"}
                for row in db.execute(
                    select(table).where(table.c.school_id == school_id, table.c.account == account_id)
                )
            ]
            for table in (note, verification)
        }

    def erase_person(self, db: Connection, school_id: str, account_id: str) -> int:
        """Erase a person's notes and verifications, and their name from those they gave as a teacher."""
        touched = sum(_erase(db, table, school_id, account_id) for table in (note, verification))
        given = (verification.c.school_id == school_id) & (verification.c.teacher == account_id)
        return touched + db.execute(update(verification).where(given).values(teacher="")).rowcount

    def health(self, db: Connection, school_id: str) -> Health:
        """Tell that the portfolio works wherever its tables are."""
        db.execute(select(note.c.result).where(note.c.school_id == school_id).limit(1)).all()
        return Health(ok=True)


def _erase(db: Connection, table: Table, school_id: str, account_id: str) -> int:
    mine = (table.c.school_id == school_id) & (table.c.account == account_id)
    return db.execute(delete(table).where(mine)).rowcount


def pick(visit: Visit, request: Request) -> Response:
    """Ask the teacher for a title and place the portfolio; it gives no mark."""
    title = request.value("title").strip()
    if request.method == "POST" and title:
        return Placed((Placement(title[:200], {}),))
    return Page("portfolio/pick.html", {"missing": request.method == "POST"})


def first_page(visit: Visit, request: Request) -> Response:
    """Show a pupil their own portfolio, a teacher the course's pupils."""
    if visit.viewer.role is Role.TEACHER:
        if visit.review_of:
            return Redirect(f"pupil/{visit.review_of}")
        return _course(visit)
    with visit.read() as db:
        entries = entries_of(visit, db, visit.viewer.account_id)
    return Page("portfolio/mine.html", {"entries": entries, "max_note": MAX_NOTE, "saved": request.value("saved")})


def _course(visit: Visit) -> Response:
    pupils = [member for member in visit.members() if member.role is Role.PUPIL]
    with visit.read() as db:
        counts = [(pupil, entries_of(visit, db, pupil.account_id)) for pupil in pupils]
    return Page("portfolio/course.html", {"rows": counts})


def save_note(visit: Visit, request: Request) -> Response:
    """Keep, change or remove the pupil's note to one of their own entries."""
    text = request.value("note").strip()[:MAX_NOTE]
    me, result = visit.viewer.account_id, request.args["result"]
    with visit.write() as db:
        if find_entry(entries_of(visit, db, me), result) is None:
            return NotFound()
        same = (note.c.school_id == visit.school_id) & (note.c.result == result)
        db.execute(delete(note).where(same))
        if text:
            values = {"school_id": visit.school_id, "result": result, "account": me, "body": text}
            db.execute(insert(note).values(**values, edited_at=visit.now()))
    return Redirect("", {"saved": result})


def _pupil(visit: Visit, account_id: str) -> Member | None:
    """Return a pupil of this course; a teacher sees no portfolio of another course's pupil."""
    return next((one for one in visit.members() if one.account_id == account_id and one.role is Role.PUPIL), None)


def pupil_page(visit: Visit, request: Request) -> Response:
    """Show a teacher one pupil's portfolio."""
    pupil = _pupil(visit, request.args["account"])
    if pupil is None:
        return NotFound()
    with visit.read() as db:
        entries = entries_of(visit, db, pupil.account_id)
    return Page("portfolio/pupil.html", {"pupil": pupil, "entries": entries, "fingerprint": fingerprint})


def verify(visit: Visit, request: Request) -> Response:
    """Verify an entry as the teacher saw it, or take the verification back.

    The form carries the fingerprint of what was on the page: a result that changed meanwhile is shown again
    instead of being verified unseen.
    """
    pupil = _pupil(visit, request.args["account"])
    if pupil is None:
        return NotFound()
    result_id = request.args["result"]
    with visit.write() as db:
        entry = find_entry(entries_of(visit, db, pupil.account_id), result_id)
        if entry is None:
            return NotFound()
        same = (verification.c.school_id == visit.school_id) & (verification.c.result == result_id)
        if request.value("undo"):
            db.execute(delete(verification).where(same))
        elif request.value("seen") == fingerprint(entry.result):
            db.execute(delete(verification).where(same))
            values = {
                "school_id": visit.school_id, "result": result_id, "account": pupil.account_id,
                "teacher": visit.viewer.account_id, "fingerprint": fingerprint(entry.result),
            }  # fmt: skip
            db.execute(insert(verification).values(**values, verified_at=visit.now()))
    return Redirect(f"pupil/{pupil.account_id}")
