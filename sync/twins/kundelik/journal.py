"""The rehearsal journal: one school, its API and its pages over one SQLite file."""

from __future__ import annotations

import secrets
from datetime import date
from pathlib import Path

from flask import Flask, Response, jsonify, request

from connector.base.clock import Clock, utc_now
from connector.base.i18n import catalogue
from sync.twins.kundelik import calendar, ids, pages, register
from sync.twins.kundelik.api import attendance, lessons, marks, people
from sync.twins.kundelik.api.core import PREFIXES
from sync.twins.kundelik.desk import Desk, keep, setting
from sync.twins.kundelik.faults import FaultyWsgi
from sync.twins.kundelik.seed import CLIENT_ID, CLIENT_SECRET, LOGIN, PASSWORD, TOKEN, seed
from sync.twins.kundelik.seed_marks import seed_marks
from sync.twins.kundelik.store import Store

_BLUEPRINTS = (
    people.sign_in,
    people.people,
    lessons.lessons,
    lessons.works,
    marks.marks,
    attendance.attendance,
)


class Journal:
    """One rehearsal journal; serve ``app`` with any threaded WSGI server.

    Attributes:
        app: The Flask application: API under ``/v2.0`` and ``/v2``, pages under ``/``.
        base_url: Where it is served, without a slash at the end.
        today: The school's day of this rehearsal.
        token: An access token of the algebra teacher that does not end.
        client_id, client_secret, login, password: What ``authorizations/bycredentials`` takes.
        school_id, group_id, subject_id, other_subject_id: Ids of the school, of 7 «А», of algebra (marks of 1 to 10)
            and of informatics (1 to 5).
    """

    token = TOKEN
    client_id, client_secret, login, password = CLIENT_ID, CLIENT_SECRET, LOGIN, PASSWORD
    school_id, group_id = str(ids.SCHOOL), str(ids.EDU_GROUP)
    subject_id, other_subject_id = str(ids.ALGEBRA), str(ids.INFORMATICS)

    def __init__(self, desk: Desk, base_url: str, today: date) -> None:
        """Wire the application to a filled store."""
        self._desk = desk
        self.base_url = base_url.rstrip("/")
        self.today = today
        self.app = _application(desk, today)

    @property
    def api_url(self) -> str:
        """The base address an adapter is given: ``…/v2.0``."""
        return f"{self.base_url}{PREFIXES[0]}"

    @property
    def store_path(self) -> Path:
        """The SQLite file; marks are in table ``mark`` (person, work, number, value)."""
        return self._desk.store.path

    @property
    def writable(self) -> bool:
        """Whether the API takes writes; the pages always do."""
        return self._desk.writable

    def set_writable(self, value: bool) -> None:
        """Let the API take writes, or make it read-only as it is for a school without the vendor's contract."""
        self._desk.writable = value

    def set_fault(self, kind: str, times: int = 1, *, path: str = "", seconds: float = 1.0) -> None:
        """Order a fault for the next ``times`` API requests it fits; see ``faults.FaultPlan.set`` for the kinds."""
        self._desk.faults.set(kind, times, path, seconds)

    def clear_faults(self) -> None:
        """Remove the faults that have not struck."""
        self._desk.faults.clear()

    def person_ids(self) -> dict[int, str]:
        """Return the pupils' person ids by their number in the class list."""
        with self._desk.store.reading() as db:
            return {row["number"]: str(row["id"]) for row in db.execute("SELECT * FROM person WHERE number > 0")}

    def lessons(self, subject: str = subject_id) -> list[tuple[str, date, str]]:
        """Return (lesson id, day, id of its first work) of a subject's whole year, by time."""
        query = """SELECT lesson.id, lesson.date, MIN(work.id) AS work FROM lesson JOIN work ON work.lesson = lesson.id
        WHERE subject = ? GROUP BY lesson.id ORDER BY lesson.date, lesson.number"""
        with self._desk.store.reading() as db:
            found = db.execute(query, (int(subject),)).fetchall()
        return [(str(row["id"]), date.fromisoformat(row["date"]), str(row["work"])) for row in found]

    def marks(self) -> dict[tuple[str, str], str]:
        """Return the marks by (person id, work id); a pair in one cell is parted by a slash: ``4/5``."""
        found: dict[tuple[str, str], str] = {}
        with self._desk.store.reading() as db:
            for row in db.execute("SELECT * FROM mark ORDER BY person, work, number"):
                key = (str(row["person"]), str(row["work"]))
                found[key] = f"{found[key]}/{row['value']}" if key in found else row["value"]
        return found

    def set_mark(self, person: str, work: str, value: str) -> None:
        """Write a mark as a teacher would on the page, whatever stands there.

        Raises:
            RefusedError: No such cell, or a value its scale lacks.
        """
        with self._desk.store.writing() as db:
            register.write_mark(db, register.Cell(int(person), int(work)), value, self._desk.author("—", "test"))

    def delete_mark(self, person: str, work: str) -> None:
        """Clear a cell as a teacher would on the page.

        Raises:
            RefusedError: No such cell, or no mark in it.
        """
        with self._desk.store.writing() as db:
            register.clear_mark(db, register.Cell(int(person), int(work)), self._desk.author("—", "test"))

    def attendance(self) -> dict[tuple[str, str], str]:
        """Return the register's statuses by (person id, lesson id)."""
        with self._desk.store.reading() as db:
            found = db.execute("SELECT * FROM log_entry").fetchall()
        return {(str(row["person"]), str(row["lesson"])): row["status"] for row in found}

    def set_attendance(self, person: str, lesson: str, status: str | None) -> None:
        """Write or, with None, blank an entry of the register as a teacher would.

        Raises:
            RefusedError: No such cell or status, or nothing to blank.
        """
        place, author = (int(lesson), int(person)), self._desk.author("—", "test")
        with self._desk.store.writing() as db:
            if status is None:
                register.clear_status(db, place, author)
            else:
                register.write_status(db, place, status, author)


def create_journal(
    store: Path,
    base_url: str,
    *,
    clock: Clock = utc_now,
    today: date | None = None,
    language: str = "kk",
) -> Journal:
    """Open the journal kept in a SQLite file, filling the file when it is new.

    Args:
        store: The SQLite file; made with its folder when missing.
        base_url: Where ``app`` will be served, ``http://127.0.0.1:8002``.
        clock: The time marks are put at.
        today: The school's day; by default the clock's, in Asia/Almaty, moved into the school year when it falls
            into the summer (see ``calendar.rehearsal_day``). A store filled in one school year has no lessons of
            the next.
        language: Language of the pages until a visitor chooses another.

    Returns:
        The journal, its application ready to be served.
    """
    catalogue.add(Path(__file__).parent / "i18n")
    desk = Desk(Store(store), clock, language)
    chosen = today or calendar.rehearsal_day(clock().astimezone(calendar.SCHOOL_ZONE).date())
    with desk.store.writing() as db:
        if setting(db, "filled_for", "") == "":
            seed(db, chosen)
            seed_marks(db, chosen)
            db.execute("INSERT INTO setting VALUES ('filled_for', ?)", (chosen.isoformat(),))
    return Journal(desk, base_url, chosen)


def _application(desk: Desk, today: date) -> Flask:
    app = Flask("rehearsal_journal", root_path=str(Path(__file__).parent))
    app.secret_key = secrets.token_bytes(32)
    # Cookies do not know ports: a name of its own keeps it apart from other sites on this host.
    app.config.update(SESSION_COOKIE_NAME="journal_session", SESSION_COOKIE_SAMESITE="Lax", MAX_CONTENT_LENGTH=1 << 20)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    keep(app.extensions, desk)
    for prefix in PREFIXES:
        for blueprint in _BLUEPRINTS:
            app.register_blueprint(blueprint, url_prefix=prefix, name=f"{blueprint.name}{prefix.replace('.', '_')}")
    pages.register_pages(app, today)
    app.register_error_handler(404, _missing)
    app.register_error_handler(405, _wrong_method)
    app.wsgi_app = FaultyWsgi(app.wsgi_app, desk.faults, PREFIXES)  # type: ignore[method-assign]
    return app


def _missing(_error: Exception) -> Response | tuple[str, int]:
    if request.path.startswith(PREFIXES):
        return jsonify({"type": "apiResourceUnavailable", "description": "Ресурс недоступен"})
    return pages.not_found(), 404


def _wrong_method(_error: Exception) -> Response | tuple[str, int]:
    if request.path.startswith(PREFIXES):
        return jsonify({"type": "apiMethodNotSupported", "description": "Метод не поддерживается"})
    return pages.not_found(), 405
