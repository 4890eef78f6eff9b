"""The journal's own pages: the grid, one lesson, the list of changes, the switch of the API."""

from __future__ import annotations

import hmac
import secrets
import sqlite3
from datetime import date
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    jsonify,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from werkzeug.wrappers import Response as BaseResponse

from connector.base.i18n import LANGUAGES, N_, Message, say, translate
from sync.twins.kundelik import grid, ids, register, seed, shapes
from sync.twins.kundelik.desk import desk

pages = Blueprint("pages", __name__)

_CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_VIA = {"api": N_("through the API"), "page": N_("on this page"), "test": N_("by the rehearsal")}
_MONTHS = (
    N_("January"), N_("February"), N_("March"), N_("April"), N_("May"), N_("June"), N_("July"), N_("August"),
    N_("September"), N_("October"), N_("November"), N_("December"),
)  # fmt: skip


def register_pages(app: Flask, today: date) -> None:
    """Hang the pages on an application."""
    app.config["JOURNAL_TODAY"] = today
    app.register_blueprint(pages)


def _today() -> date:
    day: date = current_app.config["JOURNAL_TODAY"]
    return day


def language() -> str:
    """Return the visitor's language."""
    chosen = session.get("language")
    return chosen if chosen in LANGUAGES else desk().language


def _say(text: str | Message, **values: object) -> str:
    return translate(say(text, **values) if isinstance(text, str) and values else text, language())


@pages.app_context_processor
def _helpers() -> dict[str, Any]:
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe(24)
    return {
        "_": _say,
        "language": language(),
        "languages": {"kk": "Қазақша", "ru": "Русский", "en": "English"},
        "csrf": session["csrf"],
        "months": _MONTHS,
        "via": _VIA,
        "school": shapes.SCHOOL_NAME,
        "today": _today(),
        "writable": desk().writable,
    }


@pages.before_app_request
def _check_csrf() -> None:
    if request.method == "GET" or request.blueprint != pages.name:
        return
    given = request.headers.get("X-CSRF-Token") or request.form.get("csrf", "")
    if not hmac.compare_digest(given.encode(), str(session.get("csrf", "")).encode()) or not given:
        abort(400)


@pages.after_app_request
def _headers(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = _CSP
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response


def not_found() -> str:
    """Return the page for an address that is not there."""
    return render_template("missing.html")


def _subjects(db: sqlite3.Connection) -> list[sqlite3.Row]:
    return db.execute("SELECT * FROM subject ORDER BY id").fetchall()


def _quarter(db: sqlite3.Connection) -> int:
    query = "SELECT number FROM period WHERE start <= ? ORDER BY number DESC LIMIT 1"
    row = db.execute(query, (_today().isoformat(),)).fetchone()
    return int(row["number"]) if row else 1


@pages.get("/")
def home() -> BaseResponse:
    """Go to the grid of algebra in this quarter."""
    return redirect(url_for("pages.show_grid"))


@pages.get("/journal")
def show_grid() -> str:
    """Show one subject of 7 «А» in one quarter."""
    with desk().store.reading() as db:
        known = {row["id"]: row for row in _subjects(db)}
        subject = request.args.get("subject", default=ids.ALGEBRA, type=int)
        quarter = request.args.get("quarter", default=_quarter(db), type=int)
        if subject not in known or quarter not in (1, 2, 3, 4):
            abort(404)
        shown = grid.read_grid(db, subject, quarter, language())
    return render_template("grid.html", grid=shown, subjects=known.values(), subject=known[subject], quarter=quarter)


@pages.get("/lessons/<int:lesson>")
def show_lesson(lesson: int) -> str:
    """Show one lesson as a list with a field for every mark: for phones, and without scripts."""
    return _lesson_page(lesson, [])


def _lesson_page(lesson: int, refused: list[str]) -> str:
    with desk().store.reading() as db:
        found = grid.read_lesson(db, lesson)
        if found is None:
            abort(404)
        marks = grid.marks_of(db, [work.id for work in found.works])
        letters = grid.letters_of(db, [lesson], language())
        pupils = grid.pupils(db)
    return render_template(
        "lesson.html", lesson=found, marks=marks, letters=letters, pupils=pupils, refused=refused, signs=_signs()
    )


def _signs() -> list[tuple[str, str]]:
    names = {
        "Absent": N_("absent without reason"),
        "Pass": N_("absent with a reason"),
        "Ill": N_("ill"),
        "Late": N_("late"),
        "Attend": N_("present"),
    }
    return [(register.letter(status, language()), _say(name)) for status, name in names.items()]


@pages.post("/lessons/<int:lesson>")
def save_lesson(lesson: int) -> BaseResponse | str:
    """Save what was typed for one lesson; cells that moved meanwhile are left as they are and named."""
    refused = []
    with desk().store.reading() as db:
        pupils = grid.pupils(db)
    for name, value in request.form.items():
        if not name.startswith("cell-"):
            continue
        kind, place, person = name.removeprefix("cell-").split("-")
        was = request.form.get(f"was-{kind}-{place}-{person}", "")
        try:
            _save(kind, int(place), int(person), value, was)
        except register.RefusedError as error:
            pupil = next((pupil.name for pupil in pupils if pupil.id == int(person)), "?")
            refused.append(f"{pupil}: {_say(error.message)}")
    return _lesson_page(lesson, refused) if refused else redirect(url_for("pages.show_lesson", lesson=lesson))


@pages.post("/cells")
def save_cell() -> Response | tuple[Response, int]:
    """Save one cell of the grid: ``kind`` (mark, letter), ``place`` (work, lesson), ``person``, ``value``, ``was``."""
    form = request.form
    try:
        place, person = int(form["place"]), int(form["person"])
        shown = _save(form["kind"], place, person, form["value"], form["was"])
    except register.RefusedError as error:
        return jsonify({"error": _say(error.message)}), 409 if error.code == "moved" else 422
    return jsonify({"value": shown})


def _save(kind: str, place: int, person: int, value: str, was: str) -> str:
    """Write one cell when its text changed and nobody changed it meanwhile; return its new text."""
    if value.strip() == was.strip():
        return was
    with desk().store.writing() as db:
        author = desk().author(
            str(db.execute("SELECT last_name FROM person WHERE login = ?", (seed.LOGIN,)).fetchone()[0]), "page"
        )
        if kind == "mark":
            return _save_mark(db, place, person, (value, was), author)
        return _save_letter(db, place, person, (value, was), author)


def _moved(found: str) -> register.RefusedError:
    text = N_("The cell now shows “{value}”: somebody changed it meanwhile.")
    return register.RefusedError("moved", say(text, value=found))


def _save_mark(db: sqlite3.Connection, work: int, person: int, texts: tuple[str, str], author: register.Author) -> str:
    value, was = (text.strip() for text in texts)
    found = grid.marks_of(db, [work]).get((person, work), "")
    if found != was:
        raise _moved(found)
    parts, had = value.split("/") if value else [], was.split("/") if was else []
    for number, part in enumerate(parts, 1):
        register.write_mark(db, register.Cell(person, work, number), part, author)
    for number in range(len(parts) + 1, len(had) + 1):
        register.clear_mark(db, register.Cell(person, work, number), author)
    return grid.marks_of(db, [work]).get((person, work), "")


def _save_letter(
    db: sqlite3.Connection, lesson: int, person: int, texts: tuple[str, str], author: register.Author
) -> str:
    value, was = (text.strip() for text in texts)
    found = register.letter(register.status_in(db, lesson, person), language())
    if found != was:
        raise _moved(found)
    if value:
        register.write_status(db, (lesson, person), register.status_of(value, language()), author)
    else:
        register.clear_status(db, (lesson, person), author)
    return register.letter(register.status_in(db, lesson, person), language())


@pages.get("/changes")
def show_changes() -> str:
    """Show the latest changes, whoever made them."""
    with desk().store.reading() as db:
        changes = grid.read_changes(db, language())
    return render_template("changes.html", changes=changes)


@pages.post("/writable")
def switch() -> BaseResponse:
    """Let the API take writes, or not."""
    desk().writable = request.form.get("writable") == "yes"
    return redirect(_back())


@pages.post("/language")
def choose() -> BaseResponse:
    """Choose the language of the pages, and so of the register's letters."""
    wanted = request.form.get("language", "")
    if wanted in LANGUAGES:
        session["language"] = wanted
    return redirect(_back())


def _back() -> str:
    """Return the page the form was on; only a path of this site is taken."""
    path = request.form.get("back", "")
    return path if path.startswith("/") and not path.startswith("//") and "\\" not in path else url_for("pages.home")
