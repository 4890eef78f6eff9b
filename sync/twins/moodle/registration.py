"""Dynamic registration as Moodle 4.5 does it: a token, a configuration, and a tool that is pending until activated.

Source: mod/lti/openid-configuration.php, openid-registration.php and classes/local/ltiopenid/registration_helper.php.
"""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify, request

from lti.platform.keys import PlatformKey
from lti.vocab import Scope
from sync.twins.moodle.parts import Parts

TOOL = "https://purl.imsglobal.org/spec/lti-tool-configuration"
PLATFORM = "https://purl.imsglobal.org/spec/lti-platform-configuration"
LIFETIME = 3600
_VARIABLES = (
    "Context.id", "Context.title", "Context.label", "Context.id.history", "Context.sourcedId", "CourseSection.title",
    "CourseSection.label", "CourseSection.sourcedId", "ResourceLink.id", "ResourceLink.title",
    "ResourceLink.description", "User.id", "User.username", "Person.name.full", "Person.name.given",
    "Person.name.family", "Person.email.primary", "Person.sourcedId", "Person.name.middle", "Membership.role",
    "Moodle.Person.userGroupIds",
)  # fmt: skip


class RegistrationError(Exception):
    """A registration Moodle does not take: its status and its bare word."""

    def __init__(self, status: int, word: str) -> None:
        """Keep both."""
        super().__init__(word)
        self.status = status
        self.word = word


@dataclass(frozen=True)
class _Right:
    """What a registration token allows: a new client id, or the tool to bring up to date."""

    client_id: str
    tool: int | None


def blueprint(parts: Parts) -> Blueprint:
    """Return the two addresses a tool talks to."""
    routes = Blueprint("registration", __name__)

    @routes.get("/mod/lti/openid-configuration.php")
    def openid_configuration() -> Response:
        return jsonify(configuration(parts))

    @routes.post("/mod/lti/openid-registration.php")
    def openid_registration() -> Response:
        try:
            right = _open_token(parts, request.headers.get("Authorization", ""))
            tool = _read_body(request.get_data(as_text=True))
        except RegistrationError as error:
            return Response(error.word, status=error.status, content_type="application/json; charset=utf-8")
        return jsonify(_keep(parts, right, tool))

    return routes


def configuration(parts: Parts) -> dict[str, Any]:
    """Return the platform's configuration, key for key as Moodle serves it."""
    return {
        "issuer": parts.base_url,
        "token_endpoint": parts.address("/mod/lti/token.php"),
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256"],
        "jwks_uri": parts.address("/mod/lti/certs.php"),
        "authorization_endpoint": parts.address("/mod/lti/auth.php"),
        "registration_endpoint": parts.address("/mod/lti/openid-registration.php"),
        "scopes_supported": [*map(str, Scope), "https://purl.imsglobal.org/spec/lti-ts/scope/toolsetting", "openid"],
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public", "pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": ["sub", "iss", "name", "given_name", "family_name", "email"],
        PLATFORM: {
            "product_family_code": "moodle",
            "version": "4.5.6 (Build: 20250811)",
            "messages_supported": [
                {"type": "LtiResourceLinkRequest"},
                {"type": "LtiDeepLinkingRequest", "placements": ["ContentArea"]},
            ],
            "variables": list(_VARIABLES),
        },
    }


def new_token(parts: Parts, tool: int | None = None) -> str:
    """Return a registration token: for a new client id, or for bringing a tool up to date."""
    now = int(parts.clock().timestamp())
    letters = string.ascii_letters + string.digits
    client_id = "".join(secrets.choice(letters) for _ in range(15))
    claims = {"sub": client_id if tool is None else str(tool), "scope": "reg" if tool is None else "reg-update"}
    return _key(parts).sign({**claims, "iat": now, "exp": now + LIFETIME})


def _key(parts: Parts) -> PlatformKey:
    return PlatformKey(parts.store.setting("key") or "")


def _open_token(parts: Parts, header: str) -> _Right:
    if not header.startswith("Bearer "):
        raise RegistrationError(401, "missing_registration_token")
    claims = _key(parts).open(header.removeprefix("Bearer ").strip(), "JWT")
    if claims is None or claims.get("exp", 0) < parts.clock().timestamp():
        raise RegistrationError(401, "Expired token")
    subject = str(claims.get("sub", ""))
    if claims.get("scope") == "reg":
        if parts.registry.find_tool(subject) is not None:
            raise RegistrationError(401, "token_already_used")
        return _Right(subject, None)
    tool = parts.registry.tool(int(subject)) if claims.get("scope") == "reg-update" else None
    if tool is None:
        raise RegistrationError(400, "Unknown client")
    return _Right(tool.client_id, int(tool.deployment_id))


def _read_body(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    body = body if isinstance(body, dict) else {}
    needed = ("response_types", "initiate_login_uri", "redirect_uris", "client_name", "jwks_uri")
    for name in (*needed, "token_endpoint_auth_method", TOOL):
        if not body.get(name):
            raise RegistrationError(400, f"missing required attribute {name}")
    _check(body, body[TOOL] if isinstance(body[TOOL], dict) else {})
    return body


def _check(body: Mapping[str, Any], tool: Mapping[str, Any]) -> None:
    domain = str(tool.get("domain") or "")
    if not domain:
        raise RegistrationError(400, "missing_domain")
    if _domain(f"//{domain}") != _domain(str(tool.get("target_link_uri") or f"https://{domain}")):
        raise RegistrationError(400, "domain_targetlinkuri_mismatch")
    if "id_token" not in body["response_types"]:
        raise RegistrationError(400, "invalid_response_types")
    if not isinstance(body["redirect_uris"], list):
        raise RegistrationError(400, "invalid_redirect_uris")
    if body["token_endpoint_auth_method"] != "private_key_jwt":  # noqa: S105 - a method, not a secret.
        raise RegistrationError(400, "invalid_token_endpoint_auth_method")


def _domain(url: str) -> str:
    return urlsplit(url).netloc.lower().removeprefix("www.")


def _keep(parts: Parts, right: _Right, body: Mapping[str, Any]) -> dict[str, Any]:
    tool = body[TOOL]
    messages = [one for one in tool.get("messages", []) if one.get("type") == "LtiDeepLinkingRequest"]
    target = str(tool.get("target_link_uri") or f"https://{tool['domain']}")
    custom = {str(name): str(value) for name, value in (tool.get("custom_parameters") or {}).items()}
    texts = {
        "name": str(body["client_name"]),
        "login_url": str(body["initiate_login_uri"]),
        "target_link_uri": target,
        "deep_linking_url": str(messages[0].get("target_link_uri") or target) if messages else None,
        "jwks_url": str(body["jwks_uri"]),
        "custom": json.dumps(custom, ensure_ascii=False),
    }
    scopes = [scope for scope in str(body.get("scope", "")).split() if scope in set(map(str, Scope))]
    uris = [str(uri) for uri in body["redirect_uris"]]
    number = parts.registry.keep_registered(texts, uris, scopes, right.client_id, right.tool)
    return _answer(body, right.client_id, number, scopes, custom, messages)


def _answer(
    body: Mapping[str, Any], client_id: str, number: int, scopes: list[str], custom: dict[str, str], messages: list[Any]
) -> dict[str, Any]:
    tool = body[TOOL]
    echoed = [{"type": one["type"], "target_link_uri": one.get("target_link_uri", "")} for one in messages]
    claims = ["sub", "iss", *(name for name in ("name", "family_name", "given_name", "email") if name in
                              tool.get("claims", []))]  # fmt: skip
    return {
        "client_id": client_id,
        "response_types": ["id_token"],
        "jwks_uri": body["jwks_uri"],
        "initiate_login_uri": body["initiate_login_uri"],
        "grant_types": ["client_credentials", "implicit"],
        "redirect_uris": body["redirect_uris"],
        "application_type": "web",
        "token_endpoint_auth_method": "private_key_jwt",
        "client_name": body["client_name"],
        "logo_uri": body.get("logo_uri", ""),
        "scope": " ".join(scopes),
        TOOL: {
            "version": "1.3.0",
            "deployment_id": str(number),
            "target_link_uri": tool.get("target_link_uri", ""),
            "domain": tool["domain"],
            "description": tool.get("description", ""),
            "messages": echoed,
            "custom_parameters": custom,
            "claims": claims,
        },
    }
