"""Call a plugin's handler with values, and nothing of the web framework."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from flask import request
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


def to_request(path: str, args: Mapping[str, str]) -> Request:
    """Return the present request as values; files are read whole, within the application's size limit."""
    files = {
        name: Upload(file.filename or "", file.stream.read())
        for name, file in request.files.items(multi=False)
        if file.filename
    }
    return Request(
        method=request.method,
        path=path,
        args={name: str(value) for name, value in args.items()},
        query=request.args.to_dict(flat=False),
        form=request.form.to_dict(flat=False),
        json=request.get_json(silent=True) if request.is_json else None,
        files=files,
    )


def call(route: Route, visit: Visit, asked: Request) -> Response:
    """Let the plugin answer."""
    return route.handler(visit, asked)
