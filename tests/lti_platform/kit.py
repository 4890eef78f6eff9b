"""A platform and a tool without a web layer."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from connector.base.outbound import NetworkPolicy, Outbound
from lti.platform.authorisation import Authorised
from lti.platform.hints import Intent
from lti.platform.keys import PlatformKey, ToolKeys
from lti.platform.messages import Course, DeepLinkingSettings, Message, Person, ResourceLink, Services
from lti.platform.platform import LtiPlatform
from lti.platform.records import BrowserSession, PlatformFacts, RegisteredTool
from lti.tool.jwks import KeySets
from lti.vocab import CLIENT_ASSERTION_TYPE, ROLE_LEARNER, Claim, MessageType, Scope

ISSUER = "https://lms.example"
TOKEN_URL = f"{ISSUER}/token"
CALLBACK = "https://tool.example/launch"
SESSION = BrowserSession("5", "session-one")
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
PLATFORM_PEM = PlatformKey.new_pem()


@dataclass
class StillClock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def pass_time(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@dataclass
class Memory:
    """Registered tools and spent values, in memory."""

    tools: dict[str, RegisteredTool] = field(default_factory=dict)
    spent: set[tuple[str, str]] = field(default_factory=set)

    def find_tool(self, client_id: str) -> RegisteredTool | None:
        return self.tools.get(client_id)

    def spend(self, kind: str, value: str, until: datetime) -> bool:
        assert until.tzinfo is not None
        if (kind, value) in self.spent:
            return False
        self.spent.add((kind, value))
        return True


class Stage:
    """A platform, one registered tool and its key."""

    def __init__(self, tool_key: RSAKey, *, moodle_leniency: bool = False, jwks_url: str | None = None) -> None:
        self.tool_key = tool_key
        self.clock = StillClock()
        self.memory = Memory()
        published = None if jwks_url else {"keys": [tool_key.as_dict(private=False)]}
        self.tool = RegisteredTool(
            client_id="client-1",
            deployment_id="1",
            name="Kopir",
            login_url="https://tool.example/login",
            redirect_uris=(CALLBACK, "https://tool.example/other"),
            target_link_uri="https://tool.example/launch",
            jwks_url=jwks_url,
            jwks=published,
            scopes=frozenset(Scope),
        )
        self.register()
        self.keys = ToolKeys(KeySets(Outbound(NetworkPolicy(everything=True)), clock=self.clock))
        facts = PlatformFacts(ISSUER, f"{ISSUER}/auth", TOKEN_URL, f"{ISSUER}/jwks")
        self.platform = LtiPlatform(
            facts,
            PlatformKey(PLATFORM_PEM),
            tools=self.memory,
            once=self.memory,
            tool_keys=self.keys,
            secret="a secret of the platform",
            clock=self.clock,
            moodle_leniency=moodle_leniency,
        )
        self.item = {"type": "ltiResourceLink", "title": "Бақылау жұмысы"}

    def register(self, **changes: Any) -> None:
        self.tool = replace(self.tool, **changes)
        self.memory.tools[self.tool.client_id] = self.tool

    def hint(self, kind: str = MessageType.RESOURCE_LINK, target: str = "", session: BrowserSession = SESSION) -> str:
        intent = Intent(self.tool.client_id, kind, target or self.tool.target_link_uri, {"cmid": "3"})
        return self.platform.make_hint(intent, session)

    def authorise(self, kind: str = MessageType.RESOURCE_LINK, target: str = "") -> Authorised:
        return self.platform.authorise(request_pairs(self, lti_message_hint=self.hint(kind, target)), SESSION)

    def open(self, token: str) -> dict[str, Any]:
        keys = KeySet.import_key_set(self.platform.jwks())
        return dict(jwt.decode(token, keys, algorithms=["RS256"]).claims)

    def token_form(self, signed: str, *scopes: str) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_assertion_type": CLIENT_ASSERTION_TYPE,
            "client_assertion": signed,
            "scope": " ".join(scopes or tuple(Scope)),
        }

    def response(self, items: Any = None, key: RSAKey | None = None, header: Any = None, **changes: Any) -> str:
        seconds = int(self.clock.now.timestamp())
        claims = {
            "iss": self.tool.client_id,
            "aud": ISSUER,
            "iat": seconds,
            "exp": seconds + 300,
            "nonce": uuid.uuid4().hex,
            Claim.DEPLOYMENT_ID: "1",
            Claim.MESSAGE_TYPE: "LtiDeepLinkingResponse",
            Claim.VERSION: "1.3.0",
            Claim.DL_CONTENT_ITEMS: [self.item] if items is None else items,
            **changes,
        }
        return sign(key or self.tool_key, claims, **(header or {}))


def sign(key: RSAKey, claims: dict[str, Any], **header: Any) -> str:
    head = {"alg": "RS256", "kid": key.kid, **header}
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({name: value for name, value in head.items() if value is not None}, kept, key)


def request_pairs(stage: Stage, **changes: str | None) -> list[tuple[str, str]]:
    fields: dict[str, str | None] = {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": stage.tool.client_id,
        "redirect_uri": CALLBACK,
        "state": "state-1",
        "nonce": "nonce-1",
        "login_hint": "5",
        **changes,
    }
    if "lti_message_hint" not in changes:
        fields["lti_message_hint"] = stage.hint()
    return [(name, value) for name, value in fields.items() if value is not None]


def assertion(stage: Stage, key: RSAKey | None = None, header: Any = None, **changes: Any) -> str:
    seconds = int(stage.clock.now.timestamp())
    claims = {
        "iss": stage.tool.client_id,
        "sub": stage.tool.client_id,
        "aud": TOKEN_URL,
        "iat": seconds - 30,
        "exp": seconds + 270,
        "jti": uuid.uuid4().hex,
        **changes,
    }
    return sign(key or stage.tool_key, claims, **(header or {}))


def a_message(kind: str = MessageType.RESOURCE_LINK, **changes: Any) -> Message:
    fields: dict[str, Any] = {
        "person": Person("5", (ROLE_LEARNER,), "Айгерім", "Әбдірахманова", "Айгерім Әбдірахманова", "", "2026010001"),
        "course": Course("2", "7А-ALG-2026", "7А алгебра", "7A-ALG-2026"),
        "services": Services((Scope.SCORE,), f"{ISSUER}/lineitems", f"{ISSUER}/lineitems/2", f"{ISSUER}/members"),
    }
    if kind == MessageType.DEEP_LINKING:
        fields["settings"] = DeepLinkingSettings(f"{ISSUER}/return")
    else:
        fields["link"] = ResourceLink("1", "Бақылау жұмысы №1")
    return Message(kind, **{**fields, **changes})


def open_claims(pem: str, token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, RSAKey.import_key(pem), algorithms=["RS256"]).claims)
