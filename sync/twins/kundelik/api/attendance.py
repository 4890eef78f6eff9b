"""The register: who was absent, ill, late or excused; a blank cell says nothing."""

from __future__ import annotations

from datetime import date

from flask import Response, jsonify, request

from sync.twins.kundelik import ids, register, shapes
from sync.twins.kundelik.api.core import (
    ApiError,
    author,
    blueprint,
    body,
    day,
    id_list,
    marks_of,
    one,
    rows,
    writing,
)
from sync.twins.kundelik.desk import desk

attendance = blueprint("attendance", "Lessons")

_ENTRY = "SELECT log_entry.* FROM log_entry JOIN lesson ON lesson.id = log_entry.lesson"
_MOST_DAYS = 30


def _found(where: str, *values: object) -> dict[str, list[dict[str, object]]]:
    query = f"{_ENTRY} WHERE {where} ORDER BY lesson.date, lesson.number, log_entry.person"
    return {"logEntries": [shapes.log_entry(row) for row in rows(query, *values)]}


def _window(first: str, last: str) -> tuple[str, str]:
    start, finish = day(first), day(last)
    if not 0 <= (date.fromisoformat(finish) - date.fromisoformat(start)).days <= _MOST_DAYS:
        raise ApiError("parameterInvalid", "Период не должен превышать 30 дней")
    return start, finish


@attendance.get("/lesson-log-entries/statuses")
def statuses() -> Response:
    """Return the statuses an entry can have."""
    return jsonify(list(register.STATUSES))


@attendance.get("/lessons/<int:lesson>/log-entries")
def of_lesson(lesson: int) -> Response:
    """Return the entries of a lesson as a bare list."""
    one("SELECT id FROM lesson WHERE id = ?", lesson)
    return jsonify(_found("log_entry.lesson = ?", lesson)["logEntries"])


@attendance.get("/lesson-log-entries")
def of_lessons() -> Response:
    """Return the entries of the lessons in the query."""
    keys = id_list(request.args.get("lessons", ""))
    return jsonify(_found(f"log_entry.lesson IN ({marks_of(keys)})", *keys))


@attendance.get("/lesson-log-entries/lesson/<int:lesson>/person/<int:person>")
def of_cell(lesson: int, person: int) -> Response:
    """Return the entry of one pupil in one lesson."""
    one("SELECT id FROM lesson WHERE id = ?", lesson)
    return jsonify(_found("log_entry.lesson = ? AND log_entry.person = ?", lesson, person))


@attendance.get("/lesson-log-entries/group/<int:group>")
def of_group(group: int) -> Response:
    """Return the entries of a class in a subject; 30 days at most."""
    if group != ids.EDU_GROUP:
        raise ApiError("apiResourceUnavailable", "Ресурс недоступен")
    first, last = _window(request.args.get("from", ""), request.args.get("to", ""))
    subject = id_list(request.args.get("subject", ""))[0]
    return jsonify(_found("lesson.subject = ? AND lesson.date BETWEEN ? AND ?", subject, first, last))


@attendance.get("/persons/<int:person>/lesson-log-entries")
def of_person(person: int) -> Response:
    """Return a pupil's entries; 30 days at most."""
    one("SELECT id FROM person WHERE id = ?", person)
    first, last = _window(request.args.get("startDate", ""), request.args.get("endDate", ""))
    return jsonify(_found("log_entry.person = ? AND lesson.date BETWEEN ? AND ?", person, first, last))


def _given() -> dict[str, str]:
    entry = body().get("lessonLogEntry")
    if not isinstance(entry, dict) or not isinstance(entry.get("status"), str):
        raise ApiError("parameterInvalid", "Ожидалась запись lessonLogEntry")
    return {key: str(entry.get(key) or "") for key in ("person", "status", "comment")}


def _write(lesson: int, person: int, entry: dict[str, str], verb: register.Verb) -> Response:
    place = (lesson, person)
    with desk().store.writing() as db:
        register.write_status(db, place, entry["status"], author(), comment=entry["comment"], verb=verb)
    row = one(f"{_ENTRY} WHERE log_entry.lesson = ? AND log_entry.person = ?", *place)
    return jsonify(shapes.log_entry(row))


@attendance.post("/lessons/<int:lesson>/log-entries")
@writing("authorizationOutOfScope")
def create(lesson: int) -> Response:
    """Write an entry where there is none."""
    entry = _given()
    return _write(lesson, id_list(entry["person"])[0], entry, "put")


@attendance.put("/lessons/<int:lesson>/log-entries")
@writing("authorizationOutOfScope")
def change(lesson: int) -> Response:
    """Change the entry of ``?person=``."""
    return _write(lesson, id_list(request.args.get("person", ""))[0], _given(), "change")


@attendance.delete("/lessons/<int:lesson>/log-entries")
@writing("authorizationOutOfScope")
def delete(lesson: int) -> Response:
    """Blank the entry of ``?person=``."""
    with desk().store.writing() as db:
        register.clear_status(db, (lesson, id_list(request.args.get("person", ""))[0]), author())
    return jsonify({})
