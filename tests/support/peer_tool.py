"""An independent third-party tool: a small lab on PyLTI1p3, which shares no code with us.

It validates launches, chooses content, reports marks and reads the roster the way that library does, over real HTTP.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from typing import Any

from flask import Flask, Response, jsonify, request
from joserfc.jwk import RSAKey

from tests.support.services import require_package
from tests.support.serving import serving


@dataclass
class Cache:
    """What PyLTI1p3 keeps between requests."""

    values: dict[str, Any] = field(default_factory=dict)

    def get(self, key: str) -> Any:
        return self.values.get(key)

    def set(self, key: str, value: Any, _seconds: int | None = None) -> None:
        self.values[key] = value


@dataclass
class PeerTool:
    """A running peer and what it saw.

    Attributes:
        url: Where it is.
        launches: The claims of every launch it took as genuine.
        refused: What it refused, and why.
    """

    url: str = ""
    pem: str = field(default_factory=lambda: RSAKey.generate_key(2048).as_pem(private=True).decode())
    settings: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    launches: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    cache: Cache = field(default_factory=Cache)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def know(self, kopir_url: str, client_id: str) -> None:
        """Take in what a platform's administrator would type."""
        self.settings.setdefault(kopir_url, []).append(
            {
                "default": not self.settings.get(kopir_url),
                "client_id": client_id,
                "auth_login_url": f"{kopir_url}/platform/auth",
                "auth_token_url": f"{kopir_url}/platform/token",
                "key_set_url": f"{kopir_url}/platform/jwks.json",
                "deployment_ids": ["1"],
            }
        )

    def config(self) -> Any:
        from pylti1p3.tool_config import ToolConfDict

        made = ToolConfDict(self.settings)
        public = RSAKey.import_key(self.pem).as_pem(private=False).decode()
        for issuer, clients in self.settings.items():
            for one in clients:
                made.set_private_key(issuer, self.pem, client_id=one["client_id"])
                made.set_public_key(issuer, public, client_id=one["client_id"])
        return made

    def launch(self, launch_id: str = "") -> Any:
        """Return PyLTI1p3's own object of a launch: of this request, or one kept."""
        from pylti1p3.contrib.flask import FlaskCacheDataStorage, FlaskMessageLaunch, FlaskRequest

        asked, kept = FlaskRequest(request_is_secure=False), FlaskCacheDataStorage(self.cache)
        if launch_id:
            return FlaskMessageLaunch.from_cache(launch_id, asked, self.config(), launch_data_storage=kept)
        return FlaskMessageLaunch(asked, self.config(), cookie_service=_cookies(asked), launch_data_storage=kept)


def _cookies(asked: Any) -> Any:
    """Return its cookie service, with cookies that live in a frame of another site."""
    from pylti1p3.contrib.flask import FlaskCookieService

    class Partitioned(FlaskCookieService):  # type: ignore[misc]
        def update_response(self, response: Response) -> None:
            for key, one in self._cookie_data_to_set.items():
                text = (
                    f"{key}={one['value']}; Path=/; Max-Age={one['exp']}; SameSite=None; Secure; HttpOnly; Partitioned"
                )
                response.headers.add("Set-Cookie", text)

    return Partitioned(asked)


def make_app(peer: PeerTool) -> Flask:
    app = Flask("peer")
    app.secret_key = "peer"

    @app.route("/login", methods=["GET", "POST"])
    def login() -> Any:
        from pylti1p3.contrib.flask import FlaskCacheDataStorage, FlaskOIDCLogin, FlaskRequest

        asked = FlaskRequest(request_is_secure=False)
        begun = FlaskOIDCLogin(
            asked, peer.config(), cookie_service=_cookies(asked), launch_data_storage=FlaskCacheDataStorage(peer.cache)
        )
        return begun.redirect(asked.get_param("target_link_uri"))

    @app.post("/launch")
    def launch() -> Any:
        from pylti1p3.exception import LtiException

        taken = peer.launch()
        try:
            claims = taken.get_launch_data()
        except LtiException as error:
            peer.refused.append(str(error))
            return Response(f"<h1>refused</h1><p>{escape(str(error))}</p>", 403)
        peer.launches.append(dict(claims))
        body = _picker(taken) if taken.is_deep_link_launch() else _bench(taken)
        return f"<!doctype html><meta charset=utf-8><title>Peer</title><h1 id=who>{claims['sub'][:8]}</h1>{body}"

    def _picker(taken: Any) -> str:
        form = f"<form method=post action='/choose?id={taken.get_launch_id()}'>"
        return f"{form}<button id=choose>Circuit 7</button></form>"

    def _bench(taken: Any) -> str:
        form = f"<form method=post action='/finish?id={taken.get_launch_id()}'>"
        return f"{form}<input name=points value=8><button id=finish>Finish</button></form>"

    @app.post("/choose")
    def choose() -> Any:
        from pylti1p3.deep_link_resource import DeepLinkResource
        from pylti1p3.lineitem import LineItem

        item = LineItem()
        item.set_tag("lab").set_score_maximum(10).set_label("Circuit 7").set_resource_id("circuit-7")
        resource = DeepLinkResource()
        resource.set_url(f"{peer.url}/launch").set_title("Тізбек №7").set_custom_params({"circuit": "7"})
        resource.set_lineitem(item)
        return peer.launch(request.args["id"]).get_deep_link().output_response_form([resource])

    @app.post("/finish")
    def finish() -> Any:
        report = {
            "points": request.form["points"],
            "at": request.form.get("at", ""),
            "column": request.form.get("column", ""),
        }
        told = report_mark(peer.launch(request.args["id"]), **report)
        return f"<!doctype html><title>Peer</title><h1 id=done>{told}</h1>"

    @app.get("/members")
    def members() -> Any:
        return jsonify(peer.launch(request.args["id"]).get_nrps().get_members())

    @app.get("/grades")
    def grades() -> Any:
        ags = peer.launch(request.args["id"]).get_ags()
        return jsonify(ags.get_grades())

    @app.get("/columns")
    def columns() -> Any:
        return jsonify(peer.launch(request.args["id"]).get_ags().get_lineitems())

    @app.get("/jwks.json")
    def jwks() -> Any:
        return jsonify(peer.config().get_jwks())

    return app


def report_mark(launch: Any, points: str, at: str = "", column: str = "") -> str:
    """Send a mark the way PyLTI1p3's own example does; into a column of the tool's own when one is named."""
    from datetime import UTC, datetime

    from pylti1p3.grade import Grade
    from pylti1p3.lineitem import LineItem

    grade = Grade()
    when = at or datetime.now(UTC).isoformat()
    grade.set_score_given(float(points)).set_score_maximum(10).set_timestamp(when)
    grade.set_activity_progress("Completed").set_grading_progress("FullyGraded")
    grade.set_user_id(launch.get_launch_data()["sub"])
    ags = launch.get_ags()
    if not column:
        ags.put_grade(grade)
        return "sent"
    item = LineItem()
    item.set_tag(column).set_score_maximum(10).set_label(column)
    ags.put_grade(grade, item)
    return json.dumps(item.get_id())


@contextmanager
def running_peer() -> Iterator[PeerTool]:
    """Serve the peer on a free port; skip by its name where it is not installed."""
    require_package("pylti1p3")
    peer = PeerTool()
    with serving(make_app(peer)) as url:
        peer.url = url
        yield peer
