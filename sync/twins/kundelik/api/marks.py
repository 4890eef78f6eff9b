"""Marks: every way to read them, the vendor-gated write, scales, quarter marks, criteria sections.

The write's body and its update and delete verbs are published nowhere. The twin's assumption: POST
``{"value": "8"}`` puts a mark into an empty cell, PUT with the same body changes one, DELETE clears it; all three
at ``persons/{p}/works/{w}/mark``, with ``number`` in the query for the second mark of a pair.
"""

from __future__ import annotations

from typing import Any

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

marks = blueprint("marks", "marks")

_MARK = """SELECT mark.*, work.mark_type, work.work_type, work.lesson FROM mark JOIN work ON work.id = mark.work
JOIN lesson ON lesson.id = work.lesson"""
_CELL = "/persons/<int:person>/works/<int:work>/mark"


def _found(where: str, *values: object) -> Response:
    query = f"{_MARK} WHERE {where} ORDER BY mark.person, mark.work, mark.number"
    return jsonify([shapes.mark(row) for row in rows(query, *values)])


@marks.get("/marks/<int:mark>")
def mark(mark: int) -> Response:
    """Return one mark."""
    return jsonify(shapes.mark(one(f"{_MARK} WHERE mark.id = ?", mark)))


@marks.get("/works/<int:work>/marks")
def of_work(work: int) -> Response:
    """Return the marks of a work; a work that is not there is an error, not an empty list."""
    one("SELECT id FROM work WHERE id = ?", work)
    return _found("mark.work = ?", work)


@marks.get("/lessons/<int:lesson>/marks")
def of_lesson(lesson: int) -> Response:
    """Return the marks of a lesson."""
    one("SELECT id FROM lesson WHERE id = ?", lesson)
    return _found("work.lesson = ?", lesson)


@marks.post("/lessons/marks")
def of_lessons() -> Response:
    """Return the marks of the lessons whose ids are in the body."""
    keys = id_list(request.get_json(silent=True))
    return _found(f"work.lesson IN ({marks_of(keys)})", *keys)


@marks.get("/edu-groups/<int:group>/marks/<first>/<last>")
@marks.get("/edu-groups/<int:group>/subjects/<int:subject>/marks/<first>/<last>")
def of_group(group: int, first: str, last: str, subject: int = 0) -> Response:
    """Return the marks of a class by lesson date; both days belong."""
    if group != ids.EDU_GROUP:
        raise ApiError("apiResourceUnavailable", "Ресурс недоступен")
    where = "lesson.date BETWEEN ? AND ? AND (? = 0 OR lesson.subject = ?)"
    return _found(where, day(first), day(last), subject, subject)


@marks.get("/persons/<int:person>/schools/<int:place>/marks/<first>/<last>")
@marks.get("/persons/<int:person>/edu-groups/<int:place>/marks/<first>/<last>")
def of_person(person: int, place: int, first: str, last: str) -> Response:
    """Return a pupil's marks in a school or class by lesson date."""
    if place not in (ids.SCHOOL, ids.EDU_GROUP):
        raise ApiError("apiResourceUnavailable", "Ресурс недоступен")
    return _found("mark.person = ? AND lesson.date BETWEEN ? AND ?", person, day(first), day(last))


@marks.get("/persons/<int:person>/subjects/<int:subject>/marks/<first>/<last>")
def of_subject(person: int, subject: int, first: str, last: str) -> Response:
    """Return a pupil's marks in a subject by lesson date."""
    where = "mark.person = ? AND lesson.subject = ? AND lesson.date BETWEEN ? AND ?"
    return _found(where, person, subject, day(first), day(last))


@marks.get("/persons/<int:person>/lessons/<int:lesson>/marks")
def of_person_lesson(person: int, lesson: int) -> Response:
    """Return a pupil's marks in a lesson."""
    return _found("mark.person = ? AND work.lesson = ?", person, lesson)


@marks.get("/persons/<int:person>/works/<int:work>/marks")
def of_person_work(person: int, work: int) -> Response:
    """Return a pupil's marks for a work."""
    return _found("mark.person = ? AND mark.work = ?", person, work)


@marks.get("/persons/<int:person>/marks/<put>")
def by_put_date(person: int, put: str) -> Response:
    """Return a pupil's marks by the date they were put, which is how a late mark is found."""
    return _found("mark.person = ? AND substr(mark.put_at, 1, 10) = ?", person, day(put))


@marks.get("/lessons/<held>/persons/<int:person>/marks")
def by_lesson_date(held: str, person: int) -> Response:
    """Return a pupil's marks by the date of their lesson."""
    return _found("mark.person = ? AND lesson.date = ?", person, day(held))


@marks.get("/marks/values")
def values() -> Response:
    """Return every scale with its values."""
    return jsonify({name: list(found) for name, found in register.SCALES.items()})


@marks.get("/marks/values/type/<kind>")
def values_of(kind: str) -> Response:
    """Return the values of one scale."""
    found = register.SCALES.get(kind.lower())
    if found is None:
        raise ApiError("parameterInvalid", "Неизвестный тип оценки")
    return jsonify(list(found))


def _cell(person: int, work: int) -> register.Cell:
    return register.Cell(person, work, id_list(request.args.get("number", "1"))[0])


def _given() -> str:
    value = body().get("value")
    if not isinstance(value, str) or not value.strip():
        raise ApiError("parameterInvalid", "Ожидалось значение оценки")
    return value


def _write(person: int, work: int, verb: register.Verb) -> Response:
    with desk().store.writing() as db:
        made = register.write_mark(db, _cell(person, work), _given(), author(), verb)
    return jsonify(shapes.mark(one(f"{_MARK} WHERE mark.id = ?", made)))


@marks.post(_CELL)
@writing("apiMethodNotSupported")
def put_mark(person: int, work: int) -> Response:
    """Put a mark into an empty cell."""
    return _write(person, work, "put")


@marks.put(_CELL)
@writing("apiMethodNotSupported")
def change_mark(person: int, work: int) -> Response:
    """Change the mark of a cell."""
    return _write(person, work, "change")


@marks.delete(_CELL)
@writing("apiMethodNotSupported")
def delete_mark(person: int, work: int) -> Response:
    """Clear a cell."""
    with desk().store.writing() as db:
        register.clear_mark(db, _cell(person, work), author())
    return jsonify({})


def _finals(where: str, *values: object) -> list[dict[str, Any]]:
    query = f"SELECT * FROM final_mark WHERE {where} ORDER BY subject, period, person"  # noqa: S608 — constants.
    return [shapes.final_mark(row) for row in rows(query, *values)]


@marks.get("/edu-groups/<int:group>/final-marks")
@marks.get("/edu-groups/<int:group>/subjects/<int:subject>/final-marks")
def finals(group: int, subject: int = 0) -> Response:
    """Return the quarter marks of a class."""
    if group != ids.EDU_GROUP:
        raise ApiError("apiResourceUnavailable", "Ресурс недоступен")
    return jsonify(_finals("? = 0 OR subject = ?", subject, subject))


@marks.get("/persons/<int:person>/edu-groups/<int:group>/final-marks")
def finals_of_person(person: int, group: int) -> Response:
    """Return a pupil's quarter marks."""
    return jsonify(_finals("person = ? AND ? = ?", person, group, ids.EDU_GROUP))


@marks.get("/edu-group/<int:group>/subject/<int:subject>/period/<int:period>/criteria-marks-sections")
def sections(group: int, subject: int, period: int) -> Response:
    """Return the СОР themes and the СОЧ of a subject in a quarter; the path says ``edu-group``, not ``edu-groups``."""
    query = "SELECT * FROM section WHERE subject = ? AND period = ? AND ? = ? ORDER BY id"
    return jsonify([shapes.section(row) for row in rows(query, subject, period, group, ids.EDU_GROUP)])


@marks.get("/edu-group/<int:group>/subject/<int:subject>/period/<int:period>/criteria-marks")
def criteria_marks(group: int, subject: int, period: int) -> Response:
    """Return the points of every pupil in the sections of a subject in a quarter."""
    query = """SELECT criteria_mark.* FROM criteria_mark JOIN section ON section.id = criteria_mark.section
    WHERE subject = ? AND period = ? AND ? = ? ORDER BY person, section"""
    pupils: dict[int, list[dict[str, Any]]] = {}
    for row in rows(query, subject, period, group, ids.EDU_GROUP):
        known = {"id": row["id"], "id_str": str(row["id"]), "section": row["section"]}
        pupils.setdefault(row["person"], []).append({**known, "date": row["date"], "value": row["value"]})
    listed = [{"person": key, "person_str": str(key), "criteriamarks": found} for key, found in pupils.items()]
    return jsonify([{"subject": subject, "personmarks": listed}])
