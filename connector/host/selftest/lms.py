"""The platform of a self-test: an LMS in this process that signs launches and judges every call it gets, strictly.

Its people and courses are invented for the run. It asks of a tool what the specifications ask and no more: exact
media types, a token of the right scope for every method, an assertion that is signed, timely and used once.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from connector.host.selftest.jose import BadToken, KeyPair, new_pair, verify
from connector.host.selftest.redact import redacted
from lti.vocab import CLIENT_ASSERTION_TYPE, Claim, Media, Scope

KeySet = Callable[[], list[dict[str, Any]]]
_ITEM = re.compile(r"/lineitems/(\d+)/lineitem(/scores|/results)?")


@dataclass(frozen=True)
class Call:
    """One request that reached the platform."""

    method: str
    path: str
    query: dict[str, str]
    accept: str
    content_type: str
    scopes: frozenset[str]
    body: str = field(repr=False)
    status: int = 0

    def message(self) -> dict[str, Any]:
        """Return it redacted."""
        return {
            "request": f"{self.method} {self.path}", "query": redacted(self.query), "accept": self.accept,
            "content_type": self.content_type, "token_scopes": sorted(self.scopes), "status": self.status,
            "body": redacted(_parsed(self)),
        }  # fmt: skip


def _parsed(call: Call) -> Any:
    if call.content_type.endswith("json"):
        try:
            return json.loads(call.body)
        except ValueError:
            return f"[not JSON, {len(call.body)} characters]"
    return dict(parse_qsl(call.body))


@dataclass
class Issued:
    """An access token the platform gave."""

    value: str = field(repr=False)
    scopes: frozenset[str] = frozenset()


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing: the terminal is for the report."""


class SelftestLms:
    """An LMS on a free port.

    Attributes:
        issuer: Its ``iss``, of this run alone.
        client_id: What it calls the tool.
        deployment: Its one deployment.
        pair: Its key pair.
        calls: What was asked of it, in order.
        tokens: What it issued.
        returned: Deep-linking answers as they arrived: ``JWT`` fields.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        """Bind a free port of this address and serve; the tool's keys are told by ``trust``."""
        self.run = uuid4().hex[:12]
        self.pair: KeyPair = new_pair()
        self.client_id, self.deployment = f"selftest-{self.run}", "1"
        self.calls: list[Call] = []
        self.tokens: list[Issued] = []
        self.returned: list[str] = []
        self.members = [member(number) for number in range(1, 13)]
        self.items: dict[int, dict[str, Any]] = {}
        self.scores: dict[tuple[int, str], list[dict[str, Any]]] = {}
        self._keys: KeySet = list
        self._spent: set[str] = set()
        self._lock = threading.Lock()
        self._server = make_server(host, 0, self, threaded=True, request_handler=_Quiet)
        self.base = f"http://{host}:{self._server.server_port}/{self.run}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="selftest-lms", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()

    def trust(self, keys: KeySet) -> None:
        """Take where the tool's public keys are read."""
        self._keys = keys

    @property
    def issuer(self) -> str:
        """The platform's issuer."""
        return self.base

    def url(self, name: str) -> str:
        """Return the address of an endpoint: ``auth``, ``token``, ``jwks``, ``lineitems``, ``members``, ``return``."""
        return f"{self.base}/{name}"

    def seen(self, path: str, method: str = "", since: int = 0) -> list[Call]:
        """Return the calls whose path matches a regular expression, newer than the first ``since``."""
        wanted = re.compile(path)
        return [call for call in self.calls[since:] if wanted.fullmatch(call.path) and method in ("", call.method)]

    def latest_score(self, resource_id: str, user_id: str) -> dict[str, Any] | None:
        """Return the last score of a person in the column of a resource."""
        with self._lock:
            for number, item in self.items.items():
                if item.get("resourceId") == resource_id and self.scores.get((number, user_id)):
                    return self.scores[number, user_id][-1]
        return None

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Answer one request and write down that it came."""
        request = Request(environ)
        body = request.get_data(as_text=True)
        path = request.path.removeprefix(f"/{self.run}")
        scopes = self._scopes_of(request.headers.get("Authorization", ""))
        with self._lock:
            answer = self._answer(request, path, body, scopes)
            call = Call(
                request.method, path, request.args.to_dict(), request.headers.get("Accept", ""),
                request.headers.get("Content-Type", "").partition(";")[0], scopes or frozenset(), body,
                answer.status_code,
            )  # fmt: skip
            self.calls.append(call)
        return answer(environ, start_response)

    def _scopes_of(self, header: str) -> frozenset[str] | None:
        kind, _, value = header.partition(" ")
        if kind != "Bearer":
            return None
        return next((token.scopes for token in self.tokens if token.value == value), None)

    def _answer(self, request: Request, path: str, body: str, scopes: frozenset[str] | None) -> Response:
        if path == "/jwks":
            return _json({"keys": [self.pair.public_jwk()]}, {"Cache-Control": "max-age=600"})
        if path == "/token":
            return self._token(dict(parse_qsl(body)))
        if path == "/return":
            self.returned.append(dict(parse_qsl(body)).get("JWT", ""))
            return Response("<!doctype html><title>Returned</title>", mimetype="text/html")
        return self._service(request, path, body, scopes)

    def _service(self, request: Request, path: str, body: str, scopes: frozenset[str] | None) -> Response:
        if path not in ("/members", "/lineitems") and not _ITEM.fullmatch(path):
            return _error(404)
        if scopes is None:
            return _error(401)
        return self._members(request, scopes) if path == "/members" else self._gradebook(request, path, body, scopes)

    def _token(self, form: dict[str, str]) -> Response:
        try:
            self._check_assertion(form)
        except BadToken as error:
            return _json({"error": "invalid_client", "error_description": str(error)}, status=400)
        granted = frozenset(form.get("scope", "").split()) & frozenset(map(str, Scope))
        if not granted:
            return _json({"error": "invalid_scope"}, status=400)
        token = Issued(uuid4().hex, granted)
        self.tokens.append(token)
        value = {"access_token": token.value, "token_type": "bearer", "expires_in": 3600,
                 "scope": " ".join(sorted(granted))}  # fmt: skip
        return _json(value)

    def _check_assertion(self, form: dict[str, str]) -> None:
        """Judge the client assertion (Security Framework 1.0 §4.1.1; RFC 7523 §3)."""
        if form.get("grant_type") != "client_credentials" or form.get("client_assertion_type") != CLIENT_ASSERTION_TYPE:
            raise BadToken("grant_type or client_assertion_type")
        claims = verify(form.get("client_assertion", ""), self._keys())
        now = time.time()
        right = {
            "iss": claims.get("iss") == self.client_id,
            "sub": claims.get("sub") == self.client_id,
            "aud": claims.get("aud") in (self.url("token"), [self.url("token")]),
            "iat": claims.get("iat", now + 1) <= now,
            "exp": now < claims.get("exp", 0) <= now + 3600,
            "jti": bool(claims.get("jti")) and claims["jti"] not in self._spent,
            "deployment_id": claims.get(Claim.DEPLOYMENT_ID, self.deployment) == self.deployment,
        }
        wrong = [name for name, good in right.items() if not good]
        if wrong:
            raise BadToken(", ".join(wrong))
        self._spent.add(claims["jti"])

    def _members(self, request: Request, scopes: frozenset[str]) -> Response:
        if Scope.MEMBERSHIP_READONLY not in scopes:
            return _error(403)
        if request.headers.get("Accept") != Media.MEMBERS:
            return _error(406)
        start = int(request.args.get("from", "0"))
        page, after = self.members[start : start + 5], start + 5
        more = {"Link": f'<{self.url("members")}?from={after}>; rel="next"'} if after < len(self.members) else {}
        value = {"id": self.url("members"), "context": {"id": "selftest"}, "members": page}
        return _json(value, more, media=Media.MEMBERS)

    def _gradebook(self, request: Request, path: str, body: str, scopes: frozenset[str]) -> Response:
        if path == "/lineitems":
            return self._list(request, scopes) if request.method == "GET" else self._make(request, body, scopes)
        found = _ITEM.fullmatch(path)
        number = int(found[1]) if found else 0
        if found is None or number not in self.items:
            return _error(404)
        if found[2] == "/scores":
            return self._score(request, number, body, scopes)
        if found[2] == "/results":
            return self._results(request, number, scopes)
        readable = scopes & {Scope.LINEITEM, Scope.LINEITEM_READONLY}
        return _json(self.items[number], media=Media.LINE_ITEM) if readable else _error(403)

    def _list(self, request: Request, scopes: frozenset[str]) -> Response:
        if not scopes & {Scope.LINEITEM, Scope.LINEITEM_READONLY}:
            return _error(403)
        if request.headers.get("Accept") != Media.LINE_ITEMS:
            return _error(406)
        names = {"resource_link_id": "resourceLinkId", "resource_id": "resourceId", "tag": "tag"}
        wanted = {names[name]: value for name, value in request.args.items() if name in names}
        every = list(self.items.values())
        fitting = [item for item in every if all(item.get(key) == value for key, value in wanted.items())]
        return _json(fitting, media=Media.LINE_ITEMS)

    def _make(self, request: Request, body: str, scopes: frozenset[str]) -> Response:
        if Scope.LINEITEM not in scopes:
            return _error(403)
        if request.method != "POST" or request.headers.get("Content-Type", "").partition(";")[0] != Media.LINE_ITEM:
            return _error(415)
        number = len(self.items) + 1
        self.items[number] = {**json.loads(body), "id": self.url(f"lineitems/{number}/lineitem")}
        return _json(self.items[number], media=Media.LINE_ITEM, status=201)

    def _score(self, request: Request, number: int, body: str, scopes: frozenset[str]) -> Response:
        if Scope.SCORE not in scopes:
            return _error(403)
        if request.method != "POST" or request.headers.get("Content-Type", "").partition(";")[0] != Media.SCORE:
            return _error(415)
        score = json.loads(body)
        kept = self.scores.setdefault((number, str(score.get("userId"))), [])
        if kept and kept[-1]["timestamp"] >= score["timestamp"]:
            return _error(409)
        kept.append(score)
        return Response(status=204)

    def _results(self, request: Request, number: int, scopes: frozenset[str]) -> Response:
        if Scope.RESULT_READONLY not in scopes:
            return _error(403)
        if request.headers.get("Accept") != Media.RESULTS:
            return _error(406)
        item = self.items[number]
        found = [
            {"id": f"{item['id']}/results/{user}", "scoreOf": item["id"], "userId": user,
             "resultScore": kept[-1].get("scoreGiven"), "resultMaximum": kept[-1].get("scoreMaximum"),
             "comment": kept[-1].get("comment"), "timestamp": kept[-1]["timestamp"]}
            for (of, user), kept in self.scores.items()
            if of == number and user == request.args.get("user_id", user)
        ]  # fmt: skip
        return _json(found, media=Media.RESULTS)


def member(number: int) -> dict[str, Any]:
    """Return one invented person of the course."""
    role = "Instructor" if number == 1 else "Learner"
    return {"user_id": f"person-{number}", "status": "Active", "name": f"Person {number}", "given_name": "Person",
            "family_name": str(number), "email": f"person{number}@example.org",
            "roles": [f"http://purl.imsglobal.org/vocab/lis/v2/membership#{role}"]}  # fmt: skip


def _json(
    value: Any, headers: dict[str, str] | None = None, *, media: str = "application/json", status: int = 200
) -> Response:
    return Response(json.dumps(value, ensure_ascii=False), status, headers=headers, content_type=media)


def _error(status: int) -> Response:
    return Response(status=status)
