"""Lessons, and the works that hang on them."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, request

from sync.twins.kundelik import ids, register, shapes
from sync.twins.kundelik.api.core import ApiError, account, blueprint, body, day, id_list, marks_of, one, rows, writing
from sync.twins.kundelik.desk import desk

lessons = blueprint("lessons", "Lessons")
works = blueprint("works", "EduWorks")

_LESSON = """SELECT lesson.*, subject.name AS subject_name, subject.area AS subject_area, subject.teacher
FROM lesson JOIN subject ON subject.id = lesson.subject"""
_WORK = """SELECT work.*, lesson.date, lesson.subject, period.number AS period_number FROM work
JOIN lesson ON lesson.id = work.lesson JOIN period ON lesson.date BETWEEN period.start AND period.finish"""


def _with_works(query: str, *values: object) -> list[dict[str, Any]]:
    found = rows(query, *values)
    keys = [row["id"] for row in found]
    hung: dict[int, list[dict[str, Any]]] = {}
    for row in rows(f"{_WORK} WHERE work.lesson IN ({marks_of(keys)}) ORDER BY work.id", *keys):
        hung.setdefault(row["lesson"], []).append(shapes.work(row))
    return [shapes.lesson(row, hung.get(row["id"], [])) for row in found]


@lessons.get("/lessons/<int:lesson>")
def lesson(lesson: int) -> Response:
    """Return one lesson with its works."""
    found = _with_works(f"{_LESSON} WHERE lesson.id = ?", lesson)
    if not found:
        raise ApiError("apiResourceUnavailable", "Ресурс недоступен")
    return jsonify(found[0])


@lessons.post("/lessons/many")
def many() -> Response:
    """Return the lessons whose ids are in the body."""
    keys = id_list(request.get_json(silent=True))
    return jsonify(_with_works(f"{_LESSON} WHERE lesson.id IN ({marks_of(keys)}) ORDER BY date, lesson.number", *keys))


@lessons.get("/edu-groups/<int:group>/lessons/<first>/<last>")
@lessons.get("/edu-groups/<int:group>/subjects/<int:subject>/lessons/<first>/<last>")
def of_group(group: int, first: str, last: str, subject: int = 0) -> Response:
    """Return the lessons of a class, or of one of its subjects, by date; both days belong."""
    if group != ids.EDU_GROUP:
        raise ApiError("apiResourceUnavailable", "Ресурс недоступен")
    query = f"{_LESSON} WHERE date BETWEEN ? AND ? AND (? = 0 OR lesson.subject = ?) ORDER BY date, lesson.number"
    return jsonify(_with_works(query, day(first), day(last), subject, subject))


@works.get("/works")
@works.get("/lessons/<int:lesson>/works")
def of_lesson(lesson: int = 0) -> Response:
    """Return the works of a lesson."""
    key = lesson or id_list(request.args.get("lesson", ""))[0]
    one("SELECT id FROM lesson WHERE id = ?", key)
    return jsonify([shapes.work(row) for row in rows(f"{_WORK} WHERE work.lesson = ? ORDER BY work.id", key)])


@works.get("/works/<int:work>")
def work(work: int) -> Response:
    """Return one work."""
    return jsonify(shapes.work(one(f"{_WORK} WHERE work.id = ?", work)))


@works.post("/works/many")
def many_works() -> Response:
    """Return the works whose ids are in the body."""
    keys = id_list(request.get_json(silent=True))
    return jsonify([shapes.work(row) for row in rows(f"{_WORK} WHERE work.id IN ({marks_of(keys)})", *keys)])


@works.post("/works")
@writing("authorizationOutOfScope")
def create() -> Response:
    """Add a work to a lesson; ``lesson``, ``workType`` and ``text`` of the body are read."""
    given = body()
    lesson_id, kind = id_list([given.get("lesson", ""), given.get("workType", "")])
    with desk().store.writing() as db:
        made = register.make_work(db, lesson_id, kind, str(given.get("text") or ""), int(account()["person"]))
    return jsonify(shapes.work(one(f"{_WORK} WHERE work.id = ?", made)))
