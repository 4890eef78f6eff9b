"""Signing in, the school, the class and its people, reporting periods."""

from __future__ import annotations

import secrets
from typing import Any

from flask import Response, jsonify, request

from sync.twins.kundelik import ids, shapes
from sync.twins.kundelik.api.core import ApiError, account, blueprint, body, id_list, one, rows
from sync.twins.kundelik.desk import desk
from sync.twins.kundelik.seed import CLIENT_ID, CLIENT_SECRET, PASSWORD

sign_in = blueprint("sign_in", "")
people = blueprint("people", "EduGroups")

_PUPILS = "SELECT * FROM person WHERE role = 'EduStudent' ORDER BY place"


@sign_in.post("/authorizations/bycredentials")
def by_credentials() -> Response:
    """Give a token for a staff member's login and password."""
    given = body()
    known = rows("SELECT * FROM person WHERE login = ?", given.get("username"))
    client = (given.get("client_id"), given.get("client_secret"))
    if client != (CLIENT_ID, CLIENT_SECRET) or not known or given.get("password") != PASSWORD:
        raise ApiError("authorizationFailed", "Неверный логин или пароль")
    return _grant(int(known[0]["user_id"]), str(given.get("scope", "")))


@sign_in.post("/authorizations")
def refresh() -> Response:
    """Give a new token for a refresh token."""
    given = body()
    if given.get("grant_type") != "RefreshToken" or given.get("client_id") != CLIENT_ID:
        raise ApiError("invalidRequest", "Неверный запрос")
    known = rows("SELECT * FROM token WHERE refresh = ?", given.get("refreshToken"))
    if not known:
        raise ApiError("authorizationFailed", "Неверный код")
    return _grant(int(known[0]["user_id"]), str(known[0]["scope"]))


def _grant(user: int, scope: str) -> Response:
    token, renew = secrets.token_hex(16), secrets.token_hex(16)
    with desk().store.writing() as db:
        db.execute("INSERT INTO token VALUES (?, ?, ?, ?)", (token, renew, user, scope))
    lasting = {"expiresIn": 2_592_000, "expiresIn_str": "2592000"}
    owner = {"user": user, "user_str": str(user)}
    return jsonify({"accessToken": token, **lasting, "refreshToken": renew, "scope": scope, **owner})


@people.get("/users/me")
def me() -> Response:
    """Return the signed-in user."""
    return jsonify(shapes.user(one("SELECT * FROM person WHERE user_id = ?", account()["user_id"])))


@people.get("/users/me/context")
def context() -> Response:
    """Return the signed-in user's schools and classes."""
    row = one("SELECT * FROM person WHERE user_id = ?", account()["user_id"])
    group = {"id": ids.EDU_GROUP, "id_str": str(ids.EDU_GROUP), "name": "7 «А»"}
    known = {"userId": row["user_id"], "personId": row["id"], "personId_str": str(row["id"])}
    return jsonify({**known, "schools": [shapes.school()], "eduGroups": [group], "roles": [row["role"]]})


@people.get("/users/me/schools")
@people.get("/schools/person-schools")
def my_schools() -> Response:
    """Return the signed-in user's schools."""
    return jsonify([shapes.school()])


@people.get("/users/me/edu-groups")
def my_groups() -> Response:
    """Return the signed-in user's classes."""
    return jsonify([_group()])


@people.get("/schools")
def schools() -> Response:
    """Return the schools asked for by id."""
    return jsonify([shapes.school()] if ids.SCHOOL in id_list(request.args.get("schools", "")) else [])


@people.get("/schools/<int:school>")
def school(school: int) -> Response:
    """Return one school."""
    _only(school, ids.SCHOOL)
    return jsonify(shapes.school())


@people.get("/schools/<int:school>/edu-groups")
def school_groups(school: int) -> Response:
    """Return the school's classes."""
    _only(school, ids.SCHOOL)
    return jsonify([_group()])


@people.get("/schools/<int:school>/subjects")
def school_subjects(school: int) -> Response:
    """Return the school's subjects."""
    _only(school, ids.SCHOOL)
    return jsonify(_subjects())


@people.get("/schools/<int:school>/teachers")
def school_teachers(school: int) -> Response:
    """Return the school's teachers."""
    _only(school, ids.SCHOOL)
    return jsonify([shapes.teacher(row) for row in rows("SELECT * FROM person WHERE role = 'EduStaff' ORDER BY id")])


@people.get("/schools/<int:school>/timetables")
def school_timetables(school: int) -> Response:
    """Return the school's bells."""
    _only(school, ids.SCHOOL)
    return jsonify([shapes.timetable()])


@people.get("/work-types/<int:school>")
def work_types(school: int) -> Response:
    """Return the kinds of work the school uses."""
    _only(school, ids.SCHOOL)
    return jsonify([shapes.work_type(row) for row in rows("SELECT * FROM work_type ORDER BY id")])


@people.get("/edu-groups")
def groups() -> Response:
    """Return the classes asked for by id."""
    return jsonify([_group()] if ids.EDU_GROUP in id_list(request.args.get("eduGroups", "")) else [])


@people.get("/edu-groups/<int:group>")
def group(group: int) -> Response:
    """Return one class."""
    _only(group, ids.EDU_GROUP)
    return jsonify(_group())


@people.get("/edu-groups/<int:group>/students")
@people.get("/edu-groups/<int:group>/persons")
def students(group: int) -> Response:
    """Return the pupils of a class, in the journal's order."""
    _only(group, ids.EDU_GROUP)
    return jsonify([shapes.person(row) for row in rows(_PUPILS)])


@people.get("/edu-groups/<int:group>/teachers")
def teachers(group: int) -> Response:
    """Return the teachers of a class."""
    _only(group, ids.EDU_GROUP)
    return jsonify([shapes.teacher(row) for row in rows("SELECT * FROM person WHERE role = 'EduStaff' ORDER BY id")])


@people.get("/edu-groups/<int:group>/subjects")
def subjects(group: int) -> Response:
    """Return the subjects of a class."""
    _only(group, ids.EDU_GROUP)
    return jsonify(_subjects())


@people.get("/edu-groups/<int:group>/timetables")
def timetables(group: int) -> Response:
    """Return the bell of a class."""
    _only(group, ids.EDU_GROUP)
    return jsonify(shapes.timetable())


@people.get("/edu-groups/<int:group>/reporting-periods")
def periods(group: int) -> Response:
    """Return the quarters."""
    _only(group, ids.EDU_GROUP)
    return jsonify(_periods())


@people.get("/edu-groups/<int:group>/reporting-period-group")
def period_group(group: int) -> Response:
    """Return the quarters with the breaks between them."""
    _only(group, ids.EDU_GROUP)
    breaks = [
        {
            "id": index,
            "dateStart": shapes.midnight(row["start"]),
            "dateFinish": shapes.midnight(row["finish"]),
            "name": "Каникул",
            "description": None,
        }
        for index, row in enumerate(rows("SELECT * FROM holiday ORDER BY start"), 1)
    ]
    first = ids.number("period", 0) - 1
    return jsonify({"id": first, "id_str": str(first), "reportingPeriods": _periods(), "holidays": breaks})


@people.get("/persons")
def persons() -> Response:
    """Return the pupils of a class given in the query."""
    _only(int(request.args.get("eduGroup", "0") or 0), ids.EDU_GROUP)
    return jsonify([shapes.person(row) for row in rows(_PUPILS)])


@people.get("/persons/<int:person>")
def person(person: int) -> Response:
    """Return one person."""
    return jsonify(shapes.person(one("SELECT * FROM person WHERE id = ?", person)))


@people.get("/persons/<int:person>/edu-groups")
@people.get("/persons/<int:person>/schools/<int:school>/edu-groups")
def person_groups(person: int, school: int = ids.SCHOOL) -> Response:
    """Return the classes of a pupil."""
    _only(school, ids.SCHOOL)
    one("SELECT * FROM person WHERE id = ?", person)
    return jsonify([_group()])


def _only(given: int, known: int) -> None:
    if given != known:
        raise ApiError("apiResourceUnavailable", "Ресурс недоступен")


def _subjects() -> list[dict[str, Any]]:
    return [shapes.subject(row) for row in rows("SELECT * FROM subject ORDER BY id")]


def _periods() -> list[dict[str, Any]]:
    return [shapes.period(row) for row in rows("SELECT * FROM period ORDER BY number")]


def _group() -> dict[str, Any]:
    year = one("SELECT year FROM period ORDER BY number")["year"]
    return shapes.edu_group(_subjects(), int(year))
