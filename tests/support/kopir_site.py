"""Kopir itself for tests: a runtime over a test's database, its application, and a small LMS that launches into it.

The LMS is its own key pair and a JWKS on a real port; launches are made as Moodle 4.5 makes them, and every claim
can be changed.
"""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from flask import Flask
from joserfc.jwk import RSAKey
from werkzeug.test import Client, TestResponse

from connector.app import create_app
from connector.base.config import load_settings
from connector.base.secrets import new_key
from connector.host.launches import Admitted, Session, admit, find_session
from connector.host.platforms import Registered, register_platform
from connector.host.registry import Platform
from connector.host.runtime import Runtime, build_runtime
from connector.web.state import COOKIE
from lti.tool.keys import new_signing_key
from lti.tool.launch import Launch, validate_launch
from lti.tool.login import STATE_PURPOSE, begin_login
from lti.vocab import Claim, Scope
from tests.support.databases import Place
from tests.support.serving import serving

PUBLIC = "https://kopir.school.kz"
TARGET = f"{PUBLIC}/lti/launch"
LEARNER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"
INSTRUCTOR = "http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"
DL = "LtiDeepLinkingRequest"


@functools.cache
def key_pair(which: str = "platform") -> Any:
    """One RSA pair per name and process; making them is slow."""
    del which
    return new_signing_key()


@functools.cache
def _tool_key() -> str:
    return new_key()


class StillClock:
    """The present, until a test moves it."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(datetime.now(UTC).timestamp() + self.ahead, UTC)


def open_runtime(place: Place, folder: Path, clock: Any = None, **settings: Any) -> Runtime:
    """Open a runtime over a test's database."""
    values = {
        "data_dir": folder, "database_url": place.url, "database_service_url": place.service_url,
        "secret_key": "s" * 40, "encryption_keys": (_tool_key(),), "public_url": PUBLIC,
        "allow_private_networks": "on", **settings,
    }  # fmt: skip
    return build_runtime(load_settings({}, folder / "none.toml", **values), clock or StillClock())


def sign(header: Mapping[str, Any], payload: Mapping[str, Any], key: RSAKey | None = None) -> str:
    """Sign with the header exactly as given."""

    def piece(value: object) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    text = piece(header) + b"." + piece(payload)
    signature = (key or key_pair().key).private_key.sign(text, padding.PKCS1v15(), hashes.SHA256())  # type: ignore[union-attr]
    return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


@dataclass
class Lms:
    """One LMS that is registered in Kopir for one school.

    Attributes:
        issuer: Its issuer; origins of the frame come from it.
        client_id: What it calls Kopir.
        jwks_url: Where its keys are.
        made: What the registration gave.
        deployment: The school's deployment.
    """

    issuer: str
    client_id: str
    jwks_url: str
    made: Registered
    deployment: str = "1"

    def login_form(self, **changes: str | None) -> dict[str, str]:
        """Return what Moodle posts to begin a login."""
        values: dict[str, str | None] = {
            "iss": self.issuer, "target_link_uri": TARGET, "login_hint": "5", "client_id": self.client_id,
            "lti_message_hint": '{"cmid":3,"launchid":"ltilaunch_1"}', "lti_deployment_id": self.deployment, **changes,
        }  # fmt: skip
        return {name: value for name, value in values.items() if value is not None}

    def claims(self, nonce_: str, now: datetime, /, **changes: Any) -> dict[str, Any]:
        """Return a pupil's launch; ``None`` takes a claim out, names of Claim members stand for their addresses."""
        seconds = int(now.timestamp())
        value: dict[str, Any] = {
            "nonce": nonce_, "iat": seconds, "exp": seconds + 60, "iss": self.issuer, "aud": self.client_id, "sub": "5",
            Claim.DEPLOYMENT_ID: self.deployment, Claim.TARGET_LINK_URI: TARGET, Claim.VERSION: "1.3.0",
            Claim.MESSAGE_TYPE: "LtiResourceLinkRequest", Claim.ROLES: [LEARNER],
            Claim.CONTEXT: {"id": "2", "label": "ALG7", "title": "Алгебра 7А", "type": ["CourseSection"]},
            Claim.RESOURCE_LINK: {"id": "1", "title": "Бақылау жұмысы №1"},
            "given_name": "Айгерім", "family_name": "Әбдірахманова", "name": "Айгерім Әбдірахманова",
            Claim.LIS: {"person_sourcedid": "2026010001"},
            Claim.LAUNCH_PRESENTATION: {"locale": "kk", "document_target": "iframe",
                                        "return_url": f"{self.issuer}/mod/lti/return.php?course=2"},
            Claim.AGS_ENDPOINT: {"scope": [Scope.LINEITEM, Scope.SCORE], "lineitems": f"{self.issuer}/lineitems",
                                 "lineitem": f"{self.issuer}/lineitems/2/lineitem?type_id=1"},
            Claim.NRPS: {"context_memberships_url": f"{self.issuer}/members", "service_versions": ["2.0"]},
        }  # fmt: skip
        for name, item in changes.items():
            value[str(Claim[name]) if name in Claim.__members__ else name] = item
        return {str(name): item for name, item in value.items() if item is not None}


def teacher(**changes: Any) -> dict[str, Any]:
    """Return the claims that make a launch a teacher's."""
    return {"sub": "3", "ROLES": [INSTRUCTOR], "name": "Нұрлан Сейітқали", "given_name": "Нұрлан",
            "family_name": "Сейітқали", "LIS": None, **changes}  # fmt: skip


def deep_linking(lms: Lms, **settings: Any) -> dict[str, Any]:
    """Return the claims that make a teacher's launch a deep-linking request."""
    asked = {
        "deep_link_return_url": f"{lms.issuer}/mod/lti/contentitem_return.php?course=2&id=1&sesskey=x",
        "accept_types": ["ltiResourceLink"], "accept_presentation_document_targets": ["iframe", "window"],
        "accept_multiple": True, "title": "", "text": "", **settings,
    }  # fmt: skip
    return teacher(MESSAGE_TYPE=DL, RESOURCE_LINK=None, DL_SETTINGS=asked)


@dataclass
class Site:
    """Kopir as one process serves it."""

    runtime: Runtime
    app: Flask
    clock: StillClock
    lmss: dict[str, Lms] = field(default_factory=dict)

    def client(self) -> Client:
        """Return a browser without a window; cookies are kept by their paths."""
        return self.app.test_client()

    def lms(self, jwks_url: str, school: str = "lyceum-1", issuer: str = "https://lms.school.kz", **more: Any) -> Lms:
        """Register an LMS for a school and return it."""
        client_id = more.pop("client_id", f"client-{school}")
        deployment = more.pop("deployment_id", "1")
        platform = Platform(
            issuer=issuer, client_id=client_id, auth_url=f"{issuer}/mod/lti/auth.php",
            token_url=f"{issuer}/mod/lti/token.php", jwks_url=jwks_url, deployment_id=deployment, profile="moodle",
            **more,
        )  # fmt: skip
        made = register_platform(self.runtime, platform, school, f"Мектеп {school}")
        return Lms(issuer, client_id, jwks_url, made, deployment)

    def begin(self, client: Client, lms: Lms, **changes: str | None) -> dict[str, str]:
        """Begin a login and return what Kopir asks the LMS for."""
        answer = client.post("/lti/login", data=lms.login_form(**changes), base_url=PUBLIC)
        assert answer.status_code == 302, answer.text
        return dict(parse_qsl(urlsplit(answer.location).query))

    def token(self, lms: Lms, asked: Mapping[str, str], **changes: Any) -> str:
        """Sign the id_token that answers an authorisation request."""
        head = {"typ": "JWT", "alg": "RS256", "kid": key_pair().kid}
        return sign(head, lms.claims(asked["nonce"], self.clock(), **changes))

    def validated(self, lms: Lms, **changes: Any) -> Launch:
        """Return a validated launch that is not let in yet, made without the web."""
        here = self.runtime
        signer = here.signer(STATE_PURPOSE)
        login = begin_login(
            lms.login_form(), registrations=here.registry, signer=signer, redirect_uri=TARGET,
            allowed_targets=lambda target: target == TARGET, now=self.clock(),
        )  # fmt: skip
        asked = dict(parse_qsl(urlsplit(login.url).query))
        return validate_launch(
            {"id_token": self.token(lms, asked, **changes), "state": login.state},
            browser_secret=login.cookie_value, registrations=here.registry, key_sets=here.key_sets, signer=signer,
            deployments=lambda one, name: here.registry.school_of(one.id, name) is not None, now=self.clock(),
        )  # fmt: skip

    def admit(self, lms: Lms, **changes: Any) -> tuple[Admitted, Session]:
        """Let a launch in without the web; return it with its session."""
        launched = self.validated(lms, **changes)
        school = self.runtime.registry.school_of(launched.registration.id, launched.deployment_id)
        assert school is not None
        admitted = admit(self.runtime, launched, school)
        session = find_session(self.runtime, admitted.launch_id, f"{admitted.school_id}.{admitted.secret}")
        assert session is not None
        return admitted, session

    def launch(self, client: Client, lms: Lms, **changes: Any) -> TestResponse:
        """Go from login to launch; return the launch's answer."""
        asked = self.begin(client, lms)
        form = {"id_token": self.token(lms, asked, **changes), "state": asked["state"]}
        return client.post("/lti/launch", data=form, base_url=PUBLIC)

    def enter(self, client: Client, lms: Lms, **changes: Any) -> str:
        """Launch and return the path of the launch's own pages."""
        answer = self.launch(client, lms, **changes)
        assert answer.status_code == 303, answer.text
        return str(answer.location)

    def session(self, client: Client, path: str) -> Any:
        """Return the session behind a launch's path."""
        cookie = client.get_cookie(COOKIE, domain=urlsplit(PUBLIC).hostname or "", path=path)
        return find_session(self.runtime, path.split("/")[2], cookie.value if cookie else "")


def published_keys(environ: Any, start_response: Any) -> Any:
    """Serve the public key of the tests' LMS."""
    from lti.tool.keys import public_jwk

    del environ
    body = json.dumps({"keys": [public_jwk(key_pair())]}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


@contextmanager
def open_site(place: Place, folder: Path, **settings: Any) -> Iterator[Site]:
    """Open Kopir over a test's database with one LMS registered, as ``lmss["main"]``."""
    clock = StillClock()
    runtime = open_runtime(place, folder, clock, **settings)
    site = Site(runtime, create_app(runtime), clock)
    with serving(published_keys) as url:
        site.lmss["main"] = site.lms(f"{url}/certs")
        yield site
    runtime.database.close()


def unique(prefix: str) -> str:
    """Return a name nothing else has."""
    return f"{prefix}-{uuid4().hex[:8]}"
