"""What every API address shares: tokens, scopes, errors in the body, ids and dates from the path.

Errors answer HTTP 200 with ``{"type", "description"}``, as the journal's own clients have learnt to expect.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable
from datetime import date
from typing import Any, ParamSpec

from flask import Blueprint, Response, g, jsonify, request

from sync.twins.kundelik.desk import desk
from sync.twins.kundelik.register import Author, RefusedError

P = ParamSpec("P")
PREFIXES = ("/v2.0", "/v2")


class ApiError(Exception):
    """An answer that is an error: its type and the vendor's Russian sentence."""

    def __init__(self, kind: str, description: str) -> None:
        """Keep both."""
        super().__init__(kind)
        self.kind = kind
        self.description = description


_REFUSALS = {"unknown_cell": "apiResourceUnavailable"}


def _typed(error: ApiError) -> Response:
    return jsonify({"type": error.kind, "description": error.description})


def _refused(error: RefusedError) -> Response:
    return _typed(ApiError(_REFUSALS.get(error.code, "parameterInvalid"), f"Недопустимое значение: {error.code}"))


def _too_large(_error: OverflowError) -> Response:
    return _typed(ApiError("parameterInvalid", "Идентификатор вне диапазона"))


def blueprint(name: str, scope: str) -> Blueprint:
    """Return a blueprint whose addresses need a token with a scope (empty: no token)."""
    made = Blueprint(f"api_{name}", __name__)
    if scope:
        made.before_request(functools.partial(_admit, scope))
    made.register_error_handler(ApiError, _typed)
    made.register_error_handler(RefusedError, _refused)
    made.register_error_handler(OverflowError, _too_large)
    return made


def _admit(scope: str) -> None:
    token = request.headers.get("Access-Token") or request.args.get("access_token", "")
    if not token:
        raise ApiError("authorizationTokenRequired", "Требуется токен")
    query = "SELECT token.*, person.id AS person, last_name FROM token JOIN person USING (user_id) WHERE token = ?"
    with desk().store.reading() as db:
        row = db.execute(query, (token,)).fetchone()
    if row is None:
        raise ApiError("authorizationInvalidToken", "Неверный токен")
    if scope not in row["scope"].split(","):
        raise ApiError("authorizationOutOfScope", "Недостаточно прав")
    g.account = row


def account() -> sqlite3.Row:
    """Return the token's row with the person who holds it."""
    row: sqlite3.Row = g.account
    return row


def author() -> Author:
    """Return the token's holder as the author of a change made now."""
    return desk().author(str(account()["last_name"]), "api")


def writing(kind: str) -> Callable[[Callable[P, Any]], Callable[P, Any]]:
    """Refuse a view with an error of this kind while the journal takes no writes."""

    def wrap(view: Callable[P, Any]) -> Callable[P, Any]:
        @functools.wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
            if not desk().writable:
                raise ApiError(kind, "Метод недоступен для этого приложения")
            return view(*args, **kwargs)

        return guarded

    return wrap


def rows(query: str, *values: object) -> list[sqlite3.Row]:
    """Run one reading query."""
    with desk().store.reading() as db:
        return db.execute(query, values).fetchall()


def one(query: str, *values: object) -> sqlite3.Row:
    """Run a query that finds one record.

    Raises:
        ApiError: It finds none.
    """
    found = rows(query, *values)
    if not found:
        raise ApiError("apiResourceUnavailable", "Ресурс недоступен")
    return found[0]


def day(text: str) -> str:
    """Read a date, or the date of a datetime, from a path or query.

    Raises:
        ApiError: It is neither.
    """
    try:
        return date.fromisoformat(text[:10]).isoformat()
    except ValueError as error:
        raise ApiError("parameterInvalid", "Неверная дата") from error


def id_list(values: object) -> list[int]:
    """Read ids given as a JSON list or as text parted by commas.

    Raises:
        ApiError: Something else was given.
    """
    parts = values.split(",") if isinstance(values, str) else values
    if not isinstance(parts, list) or not all(str(part).strip().isdigit() for part in parts):
        raise ApiError("parameterInvalid", "Ожидался список идентификаторов")
    return [int(part) for part in parts]


def body() -> dict[str, Any]:
    """Return the request's JSON object.

    Raises:
        ApiError: The body is not one; a form is not read.
    """
    value = request.get_json(silent=True)
    if not isinstance(value, dict):
        raise ApiError("invalidRequest", "Ожидался объект JSON")
    return value


def marks_of(values: list[int]) -> str:
    """Return the question marks for an IN list."""
    return ", ".join("?" * len(values))
