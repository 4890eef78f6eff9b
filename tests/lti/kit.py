"""A small platform for the tool's tests: it signs launches and serves keys, tokens, a gradebook and a roster."""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import re
import threading
import time
from base64 import urlsafe_b64encode
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, parse_qsl, urlsplit

from joserfc.jwk import RSAKey
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from connector.base.outbound import NetworkPolicy, Outbound
from connector.base.secrets import Signer
from lti.tool.keys import new_signing_key, public_jwk
from lti.tool.launch import validate_launch
from lti.tool.login import STATE_PURPOSE, begin_login
from lti.tool.ports import Registration, StoredKeySet
from lti.vocab import Claim, Scope

NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
TARGET = "https://kopir.example/launch"
ISSUER = "http://moodle.example"
CLIENT = "28LBRymwOSigQq1"
LEARNER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"
INSTRUCTOR = "http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"


@functools.cache
def _pair(which: str):
    del which
    return new_signing_key()


def key_pair(which: str = "platform"):
    """One RSA pair per name and process; making them is slow."""
    return _pair(which)


@functools.cache
def weak_pair():
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return RSAKey.generate_key(1024)


def outbound(**limits) -> Outbound:
    return Outbound(NetworkPolicy(everything=True), **limits)


class Book:
    """Registrations in a list."""

    def __init__(self, *registrations: Registration) -> None:
        self.all = registrations

    def find(self, issuer, client_id):
        return [r for r in self.all if r.issuer == issuer and client_id in (None, r.client_id)]

    def get(self, registration_id):
        return next((r for r in self.all if r.id == registration_id), None)


class Shelf:
    """A KeySetStore in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, StoredKeySet] = {}
        self.claimed: dict[str, datetime] = {}
        self.lock = threading.Lock()

    def load(self, jwks_url):
        return self.kept.get(jwks_url)

    def save(self, jwks_url, stored):
        self.kept[jwks_url] = stored

    def claim(self, jwks_url, now, pause):
        with self.lock:
            left = self.claimed.get(jwks_url, now - pause) + pause - now
            if left > timedelta():
                return left
            self.claimed[jwks_url] = now
            return timedelta()


class OneKey:
    """SigningKeys with one pair for all."""

    def for_registration(self, registration):
        del registration
        return key_pair("tool")


class FixedKeys:
    """A KeySource that knows the platform's key without any network."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def key(self, jwks_url, kid):
        from connector.base.i18n import say
        from lti.errors import KeyUnavailable, LaunchReason

        self.asked.append(kid)
        pair = key_pair()
        if kid != pair.kid:
            raise KeyUnavailable(LaunchReason.UNKNOWN_KEY, say("no such key"))
        return pair.key


def registration(base: str = ISSUER, **changes) -> Registration:
    values = {
        "id": "r1",
        "issuer": ISSUER,
        "client_id": CLIENT,
        "auth_url": f"{base}/mod/lti/auth.php",
        "token_url": f"{base}/mod/lti/token.php",
        "jwks_url": f"{base}/mod/lti/certs.php",
        "profile": "moodle",
    }
    return Registration(**{**values, **changes})


def encode(header: dict, payload: bytes | dict, key: RSAKey | None = None) -> str:
    """Sign with the header exactly as given, which joserfc would not do for the hostile ones."""
    body = json.dumps(payload).encode() if isinstance(payload, dict) else payload
    head = urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=")
    text = head + b"." + urlsafe_b64encode(body).rstrip(b"=")
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    signature = (key or key_pair().key).private_key.sign(text, padding.PKCS1v15(), hashes.SHA256())
    return (text + b"." + urlsafe_b64encode(signature).rstrip(b"=")).decode()


def encode_hs256(header: dict, payload: dict, secret: bytes) -> str:
    head = urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=")
    text = head + b"." + urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=")
    mac = hmac.new(secret, text, hashlib.sha256).digest()
    return (text + b"." + urlsafe_b64encode(mac).rstrip(b"=")).decode()


def claims(nonce: str, now: datetime = NOW, **changes) -> dict:
    """A pupil's launch as Moodle 4.5 sends it; ``None`` removes a claim, keys may be Claim members' names."""
    value = {
        "nonce": nonce,
        "iat": int(now.timestamp()),
        "exp": int(now.timestamp()) + 60,
        "iss": ISSUER,
        "aud": CLIENT,
        Claim.DEPLOYMENT_ID: "1",
        Claim.TARGET_LINK_URI: TARGET,
        "sub": "5",
        Claim.LIS: {"person_sourcedid": "2026010001", "course_section_sourcedid": "KZ-MATH-101"},
        Claim.ROLES: [LEARNER],
        Claim.CONTEXT: {"id": "2", "label": "MATH101", "title": "Математика 101", "type": ["CourseSection"]},
        Claim.MESSAGE_TYPE: "LtiResourceLinkRequest",
        Claim.RESOURCE_LINK: {"title": "Бақылау жұмысы №1", "description": "", "id": "1"},
        "given_name": "Айгерім",
        "family_name": "Әбдірахманова",
        "name": "Айгерім Әбдірахманова",
        Claim.LAUNCH_PRESENTATION: {
            "locale": "en",
            "document_target": "iframe",
            "return_url": "http://moodle.example/mod/lti/return.php?course=2&sesskey=vd07",
        },
        Claim.TOOL_PLATFORM: {"product_family_code": "moodle", "version": "2024100706", "guid": "2ef95c"},
        Claim.VERSION: "1.3.0",
        Claim.CUSTOM: {"exam_id": "1", "static": "сәлем", "middlename": ""},
        Claim.AGS_ENDPOINT: {
            "scope": [Scope.LINEITEM, Scope.SCORE],
            "lineitems": "http://moodle.example/mod/lti/services.php/2/lineitems?type_id=1",
            "lineitem": "http://moodle.example/mod/lti/services.php/2/lineitems/2/lineitem?type_id=1",
        },
        Claim.NRPS: {"context_memberships_url": "http://moodle.example/m", "service_versions": ["1.0", "2.0"]},
    }
    for name, item in changes.items():
        key = Claim[name] if name in Claim.__members__ else name
        value[key] = item
    return {str(name): item for name, item in value.items() if item is not None}


class Absent:
    """Marks a claim to leave out where None itself is meant to be sent."""


@dataclass
class Visit:
    """One person's way from login to launch."""

    registration: Registration = field(default_factory=registration)
    keys: object = field(default_factory=FixedKeys)
    signer: Signer = field(default_factory=lambda: Signer("k" * 40, STATE_PURPOSE))
    known: object = staticmethod(lambda registration, deployment: deployment == "1")
    login_params: dict = field(default_factory=dict)
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.book = Book(self.registration)
        params = {
            "iss": self.registration.issuer,
            "login_hint": "5",
            "target_link_uri": TARGET,
            "lti_message_hint": '{"cmid":3,"launchid":"ltilaunch_1"}',
            "client_id": self.registration.client_id,
            "lti_deployment_id": "1",
            **self.login_params,
        }
        self.login = begin_login(
            {name: value for name, value in params.items() if value is not None},
            registrations=self.book,
            signer=self.signer,
            redirect_uri="https://kopir.example/lti/launch",
            allowed_targets=lambda url: url.startswith("https://kopir.example/"),
            now=self.now,
        )
        self.query = dict(parse_qsl(urlsplit(self.login.url).query))

    @property
    def nonce(self) -> str:
        return self.query["nonce"]

    def token(self, header: dict | None = None, key: RSAKey | None = None, **changes) -> str:
        head = {"typ": "JWT", "alg": "RS256", "kid": key_pair().kid} if header is None else header
        return encode(head, claims(self.nonce, self.now, **changes), key)

    def post(self, id_token: str | None = None, *, secret: object = ..., form: dict | None = None, now=None, **changes):
        """Send the launch and return it; raises LaunchRefused."""
        body = {"id_token": id_token or self.token(**changes), "state": self.login.state} if form is None else form
        return validate_launch(
            body,
            browser_secret=self.login.cookie_value if secret is ... else secret,
            registrations=self.book,
            key_sets=self.keys,
            signer=self.signer,
            deployments=self.known,
            now=now or self.now,
        )


@dataclass
class Call:
    """What the server was asked."""

    method: str
    path: str
    query: str
    headers: dict
    body: str

    def json(self):
        return json.loads(self.body)


class Platform:
    """An LMS on a free port. Rules are tried before Moodle's own behaviour; each maps a call to a Response or None."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.rules: list = []
        self.lock = threading.Lock()
        self.keys = [public_jwk(key_pair())]
        self.key_headers = {"Cache-Control": "max-age=600"}
        self.delay = 0.0
        self.token_scopes: set[str] = set(map(str, Scope))
        self.valid_tokens: set[str] = set()
        self.items: dict[int, dict] = {}
        self.grades: dict[tuple[int, str], dict] = {}
        self.pupils = {"5", "6"}
        self.members = [member(n) for n in range(1, 35)]
        self.server = make_server("127.0.0.1", 0, self, threaded=True)
        self.base = f"http://127.0.0.1:{self.server.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def registration(self) -> Registration:
        return registration(self.base)

    @property
    def line_items_url(self) -> str:
        return f"{self.base}/mod/lti/services.php/2/lineitems?type_id=1"

    @property
    def roster_url(self) -> str:
        return f"{self.base}/mod/lti/services.php/CourseSection/2/bindings/1/memberships"

    def count(self, path: str, method: str | None = None) -> int:
        return len(self.seen(path, method))

    def seen(self, path: str, method: str | None = None) -> list[Call]:
        return [c for c in self.calls if c.path.endswith(path) and method in (None, c.method)]

    def rule(self, path: str, answer, method: str | None = None) -> None:
        """Answer calls to a path with ``answer(call)``, a Response or None to go on."""
        self.rules.append((path, method, answer))

    def __call__(self, environ, start_response):
        request = Request(environ)
        body = request.get_data(as_text=True)
        call = Call(request.method, request.path, request.query_string.decode(), dict(request.headers), body)
        with self.lock:
            self.calls.append(call)
        if self.delay:
            time.sleep(self.delay)
        return self.answer(call)(environ, start_response)

    def answer(self, call: Call) -> Response:
        for path, method, answer in self.rules:
            if call.path.endswith(path) and method in (None, call.method):
                found = answer(call)
                if found is not None:
                    return found
        if call.path.endswith("/certs.php"):
            return Response(json.dumps({"keys": self.keys}), headers=self.key_headers, mimetype="application/json")
        if call.path.endswith("/token.php"):
            return self.token(call)
        if call.headers.get("Authorization", "").removeprefix("Bearer ") not in self.valid_tokens:
            return refused(401, "Unauthorized")
        if call.path.endswith("/memberships"):
            return self.memberships(call)
        return self.gradebook(call)

    def token(self, call: Call) -> Response:
        form = {name: values[0] for name, values in parse_qs(call.body).items()}
        granted = [scope for scope in form["scope"].split() if scope in self.token_scopes]
        if not granted:
            return Response('{"error": "invalid_scope"}', 400, mimetype="text/html")
        with self.lock:
            value = f"t{len(self.valid_tokens) + 1}"
            self.valid_tokens.add(value)
        text = {"access_token": value, "token_type": "Bearer", "expires_in": 3600, "scope": " ".join(granted)}
        return Response(json.dumps(text), mimetype="text/html")

    def memberships(self, call: Call) -> Response:
        media = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
        accept = call.headers.get("Accept", "")
        if accept != media and "*/*" not in accept:
            return refused(400, f"No handler found for {call.path} {accept}")
        query = dict(parse_qsl(call.query))
        people = [m for m in self.members if "role" not in query or query["role"] in m["roles"]]
        start, headers = int(query.get("from", 0)), {}
        if "limit" in query:
            end = start + int(query["limit"])
            if end < len(people):
                url = f"{self.roster_url}?limit={query['limit']}&from={end}"
                headers["Link"] = f'<{url}>; rel="next"'
            people = people[start:end]
        body = {
            "id": self.roster_url,
            "context": {"id": "2", "label": "MATH101", "title": "Математика"},
            "members": people,
        }
        return Response(json.dumps(body), headers=headers, content_type=f"{media}; charset=utf-8")

    def gradebook(self, call: Call) -> Response:
        path = call.path.removeprefix("/mod/lti/services.php/2/lineitems")
        found = re.fullmatch(r"/(\d+)/lineitem(/scores|/results)?", path)
        if path == "":
            return self.list_items(call) if call.method == "GET" else self.make_item(call)
        if not found or int(found[1]) not in self.items:
            return refused(404, "Not Found")
        number = int(found[1])
        if found[2] == "/scores":
            return self.score(call, number)
        if found[2] == "/results":
            return self.results(call, number)
        return self.one_item(call, number)

    def list_items(self, call: Call) -> Response:
        media = "application/vnd.ims.lis.v2.lineitemcontainer+json"
        if call.headers.get("Accept") != media:
            return refused(400, "No context or unsupported content type")
        query = dict(parse_qsl(call.query))
        names = {"resource_link_id": "resourceLinkId", "resource_id": "resourceId", "tag": "tag"}
        wanted = {names[name]: value for name, value in query.items() if name in names}
        found = [i for i in self.items.values() if all(i.get(name) == value for name, value in wanted.items())]
        return Response(json.dumps(found), content_type=f"{media}; charset=utf-8")

    def make_item(self, call: Call) -> Response:
        if call.headers.get("Content-Type", "").split(";")[0] != "application/vnd.ims.lis.v2.lineitem+json":
            return refused(400, "No handler found")
        number = max(self.items, default=1) + 1
        url = f"{self.base}/mod/lti/services.php/2/lineitems/{number}/lineitem?type_id=1"
        self.items[number] = {**call.json(), "id": url}
        return Response(json.dumps(self.items[number]), 201, content_type="application/vnd.ims.lis.v2.lineitem+json")

    def one_item(self, call: Call, number: int) -> Response:
        if call.method == "DELETE":
            del self.items[number]
            return Response("", 204, mimetype="text/html")
        if call.method == "PUT":
            self.items[number] = {**call.json(), "id": self.items[number]["id"]}
        text = json.dumps(self.items[number])
        return Response(text, content_type="application/vnd.ims.lis.v2.lineitem+json; charset=utf-8")

    def score(self, call: Call, number: int) -> Response:
        media = "application/vnd.ims.lis.v1.score+json"
        if call.headers.get("Content-Type", "").split(";")[0] != media:
            return refused(400, "No handler found")
        sent = call.json()
        if sent["userId"] not in self.pupils:
            return Response(
                "[]", f"400 Incorrect score received{call.body.encode('ascii', 'replace').decode()}", content_type=media
            )
        second = int(datetime.fromisoformat(sent["timestamp"]).timestamp())
        grade = self.grades.setdefault((number, sent["userId"]), {"second": 0})
        if grade.get("locked"):
            return Response("[]", 500, content_type=media)
        if second <= grade["second"]:
            return Response("[]", f"409 Refusing score with an earlier timestamp for item {number}", content_type=media)
        grade["second"] = second
        if not grade.get("overridden"):
            full = sent["gradingProgress"] == "FullyGraded" and "scoreGiven" in sent
            maximum = self.items[number]["scoreMaximum"]
            grade["score"] = min(sent["scoreGiven"] * maximum / sent["scoreMaximum"], maximum) if full else None
        return Response("", content_type=media)

    def results(self, call: Call, number: int) -> Response:
        query = dict(parse_qsl(call.query))
        if "limit" in query:
            return Response("<!DOCTYPE html><html>Error</html>", 404, mimetype="text/html")
        found = []
        for (item, user), grade in self.grades.items():
            if item != number or query.get("user_id", user) != user or grade.get("score") is None:
                continue
            result = {"userId": user, "resultMaximum": self.items[number]["scoreMaximum"]}
            if grade["score"] != 0:
                result["resultScore"] = grade["score"]
            found.append(result)
        return Response(json.dumps(found), content_type="application/vnd.ims.lis.v2.resultcontainer+json")


def refused(status: int, reason: str) -> Response:
    return Response(json.dumps({"status": status, "reason": reason}), status, mimetype="application/json")


def page(status: int = 503) -> Response:
    return Response("<!DOCTYPE html><html><body>Under maintenance</body></html>", status, mimetype="text/html")


def member(n: int) -> dict:
    return {
        "status": "Active",
        "roles": ["Learner"] if n > 2 else ["Instructor"],
        "user_id": str(n),
        "lis_person_sourcedid": f"20260{n:05d}",
        "name": f"Оқушы {n}",
        "given_name": "Оқушы",
        "family_name": str(n),
        "ext_user_username": f"student{n:02d}",
    }


@contextmanager
def platform():
    """Run a platform for one test."""
    server = Platform()
    try:
        yield server
    finally:
        server.close()


class SetClock:
    """A clock that moves when told."""

    def __init__(self, start: datetime = NOW) -> None:
        self.now = start

    def __call__(self) -> datetime:
        return self.now

    def tick(self, **step) -> None:
        self.now += timedelta(**step)
