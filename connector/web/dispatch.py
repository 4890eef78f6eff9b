"""Call a plugin's handler with values, and nothing of the web framework."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from flask import request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from plugins.contract import Plugin, Request, Response, Route, Upload, Visit

MAX_UPLOAD_BYTES = 8 * 1024 * 1024


class Routes:
    """A plugin's routes, matched the way Werkzeug matches."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        """Build the map once per plugin."""
        rules = [Rule(f"/{route.pattern}", endpoint=route, methods=list(route.methods)) for route in routes]
        self._map = Map(rules, strict_slashes=False, redirect_defaults=False)

    def match(self, path: str, method: str) -> tuple[Route | None, Mapping[str, str]]:
        """Return the route of a path and what its pattern caught, or None."""
        try:
            route, args = self._map.bind("plugin").match(f"/{path}", method)
        except HTTPException:
            return None, {}
        return route, args


@lru_cache(maxsize=64)
def _routes(routes: tuple[Route, ...]) -> Routes:
    return Routes(routes)


def routes_of(plugin: Plugin) -> Routes:
    """Return the routes of a plugin."""
    return _routes(tuple(plugin.routes()))


# Query and form fields of the host's own, which a plugin never sees.
_OWN = "kopir_"


def to_request(path: str, args: Mapping[str, str], method: str) -> Request:
    """Return the present request as values; files are read whole, within the application's size limit.

    Args:
        path: The plugin's own path.
        args: What the route caught.
        method: GET also where a form only opened an address; then the form was the host's.
    """
    if method == "GET":
        return Request(
            method, path, args={name: str(value) for name, value in args.items()}, query=_fields(request.args)
        )
    files = {
        name: Upload(file.filename or "", file.stream.read())
        for name, file in request.files.items(multi=False)
        if file.filename
    }
    return Request(
        method=method,
        path=path,
        args={name: str(value) for name, value in args.items()},
        query=_fields(request.args),
        form=_fields(request.form),
        json=request.get_json(silent=True) if request.is_json else None,
        files=files,
    )


def _fields(sent: MultiDict[str, str]) -> dict[str, list[str]]:
    return {name: values for name, values in sent.to_dict(flat=False).items() if not name.startswith(_OWN)}


def call(route: Route, visit: Visit, asked: Request) -> Response:
    """Let the plugin answer."""
    return route.handler(visit, asked)
