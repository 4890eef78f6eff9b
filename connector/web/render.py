"""Turn a plugin's answer into a response; its templates stand in the host's frame and speak the viewer's language."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import abort, jsonify, make_response, redirect, url_for
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from werkzeug.wrappers import Response as WsgiResponse

from connector.base.i18n import LANGUAGES, say, translate
from connector.host.launches import Session
from connector.host.rooms import LaunchVisit
from connector.web.security import sandbox
from connector.web.state import runtime
from lti.tool.ladder import Rung
from plugins.contract import (
    Download,
    NotFound,
    OpenTool,
    Page,
    Placed,
    Plugin,
    Redirect,
    Reply,
    Response,
    Sandbox,
    Visit,
)

TEMPLATES = Path(__file__).parents[1] / "templates"


@dataclass(frozen=True)
class Frame:
    """What every page of a launch shows around its content; ``alone``: no cookie carries the session."""

    session: Session
    visit: Visit | None
    title: str
    token: str
    language_url: str
    alone: bool = False

    def values(self) -> dict[str, Any]:
        """Return the template's values."""
        language = self.session.language

        def t(msgid: str, **fields: object) -> str:
            return translate(say(msgid, **fields), language)

        offered = [code for code in runtime().settings.languages if code in LANGUAGES]
        return {
            "lang": language,
            "languages": offered,
            "language_url": self.language_url,
            "t": t,
            "token": self.token,
            "space": f"/l/{self.session.launch_id}/",
            "alone": self.alone,
            "windowed": self.session.rung == Rung.WINDOW,
            "form_fields": lambda: Markup('<input type="hidden" name="kopir_token" value="{}">').format(self.token),
            "visit": self.visit,
            "frame_title": self.title,
            "return_url": self.session.details.get("return_url"),
        }


@lru_cache(maxsize=64)
def _environment(package: Path) -> Environment:
    loader = ChoiceLoader([FileSystemLoader(package / "templates"), FileSystemLoader(TEMPLATES)])
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined)


def render(answer: Response, plugin: Plugin, visit: LaunchVisit, frame: Frame) -> WsgiResponse:
    """Return the web response for a plugin's answer."""
    match answer:
        case Page():
            return make_response(_page(answer, plugin, visit, frame), answer.status)
        case Sandbox():
            return _sandbox(answer, plugin, visit, frame)
        case Reply():
            return make_response(jsonify(answer.value), answer.status)
        case Redirect():
            return redirect(visit.link(answer.path, **answer.query), 303)
        case Download():
            return _download(answer)
        case NotFound() | Placed() | OpenTool():
            return abort(404)


def _values(plugin: Plugin, visit: LaunchVisit, frame: Frame) -> dict[str, Any]:
    package, name = plugin.manifest.package, plugin.manifest.id

    def static(file: str) -> str:
        return url_for("plugin_static", plugin_id=name, path=file, v=plugin.manifest.version)

    def host_static(file: str) -> str:
        return url_for("static", filename=file)

    def inline(file: str) -> Markup:
        # The plugin's own static file, shipped with it: as trusted as its code.
        return Markup((package / "static" / file).read_text("utf-8"))  # noqa: S704

    def frame_src(path: str, **query: str) -> Markup:
        address = visit.link(path, **query)
        if not frame.alone:
            return Markup('src="{}"').format(address)
        # Where no cookie lives the page's script opens the frame by its name, with the token in a form.
        return Markup('name="kopir-{}" data-kopir-src="{}"').format(path, address)

    given = {"link": visit.link, "static": static, "host_static": host_static, "inline": inline}
    return {**frame.values(), **given, "frame_src": frame_src}


def _page(page: Page, plugin: Plugin, visit: LaunchVisit, frame: Frame) -> str:
    template = _environment(plugin.manifest.package).get_template(page.template)
    return template.render({**_values(plugin, visit, frame), **page.values})


def _sandbox(document: Sandbox, plugin: Plugin, visit: LaunchVisit, frame: Frame) -> WsgiResponse:
    nonce = secrets.token_urlsafe(16)
    sandbox(nonce)
    template = _environment(plugin.manifest.package).get_template(document.template)
    values: Mapping[str, Any] = {**_values(plugin, visit, frame), **document.values, "nonce": nonce}
    return make_response(template.render(values))


def _download(file: Download) -> WsgiResponse:
    response = make_response(file.content)
    response.headers["Content-Type"] = file.media_type
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(file.filename, safe='')}"
    return response
