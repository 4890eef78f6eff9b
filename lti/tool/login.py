"""The login a platform begins: answered with a redirect and a signed state, and nothing is written.

Source: Security Framework 1.0 §5.1.1.1–§5.1.1.2 and LTI Core 1.3 §4.1 (login parameters).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from connector.base.ids import new_id
from connector.base.secrets import Signer, fingerprint, new_token
from lti.errors import LaunchReason
from lti.tool.ladder import Rung
from lti.tool.ports import Registration, Registrations
from lti.tool.refusals import refuse

STATE_SECONDS = 600
STATE_PURPOSE = "lti.state"
COOKIE_PREFIX = "kopir_state_"
MAX_LOGIN_BYTES = 16 * 1024
# The signature outlives our own limit, so that a state that is merely old can be told from a forged one.
_SIGNED_SECONDS = 24 * 3600


@dataclass(frozen=True)
class LoginRedirect:
    """Where to send the browser, and what it must keep.

    Attributes:
        url: The platform's authorisation endpoint with every parameter.
        state_id: Short id of this login, part of the cookie's name.
        cookie_name: Name of the cookie that binds the login to the browser.
        cookie_value: The secret to keep in it, or in platform storage under ``storage_key``.
        max_age: Seconds the secret is needed.
        state: The signed state, as sent.
        registration_id: Which registration the login is for.
        storage_target: ``lti_storage_target`` when the platform offers platform storage, else None.
        registration: The same registration, whole.
        by: Returns the address and state of this login for one rung of the ladder: the same secret and nonce, and
            in the signed state how the browser was to keep the secret.
    """

    url: str
    state_id: str
    cookie_name: str
    cookie_value: str = field(repr=False)
    max_age: int
    state: str = field(repr=False)
    registration_id: str
    storage_target: str | None
    registration: Registration
    by: Callable[[Rung], str] = field(repr=False)

    @property
    def storage_key(self) -> str:
        """The key of the secret in platform storage; it holds the state's id."""
        return self.cookie_name


@dataclass(frozen=True)
class LoginState:
    """What the signed state carries from login to launch.

    Attributes:
        state_id: Short id of the login.
        registration_id: Which registration it began for.
        nonce: What the id_token must repeat.
        browser: SHA-256 of the browser's secret.
        target_link_uri: What the launch must repeat.
        deployment_hint: ``lti_deployment_id`` of the login, when it was sent.
        issued_at: When the login began (aware, UTC).
        way: Which rung the ladder's page chose; None after a plain redirect.
        storage_target: Which frame keeps the secret, on the rung of platform storage.
    """

    state_id: str
    registration_id: str
    nonce: str = field(repr=False)
    browser: str = field(repr=False)
    target_link_uri: str
    deployment_hint: str | None
    issued_at: datetime
    way: Rung | None = None
    storage_target: str | None = None


def begin_login(
    params: Mapping[str, str],
    *,
    registrations: Registrations,
    signer: Signer,
    redirect_uri: str,
    allowed_targets: Callable[[str], bool],
    now: datetime,
) -> LoginRedirect:
    """Answer a login initiation; GET's query and POST's form are the same to it.

    Args:
        params: The parameters the platform sent.
        registrations: Where to look up (issuer, client id).
        signer: Signs the state; made for the purpose ``STATE_PURPOSE``.
        redirect_uri: Our launch URL as the platform has it registered.
        allowed_targets: Tells whether a target link is an address of ours; the login is unsigned, so that
            anybody may send one.
        now: The present instant.

    Raises:
        LaunchRefused: Parameters are missing or too large, the issuer is unknown, or the target is not ours.
    """
    size = sum(len(name) + len(value) for name, value in params.items())
    if size > MAX_LOGIN_BYTES:
        raise refuse(LaunchReason.TOO_LARGE, limit=MAX_LOGIN_BYTES)
    issuer, hint, target = (_required(params, name) for name in ("iss", "login_hint", "target_link_uri"))
    registration = _registration(registrations, issuer, params.get("client_id") or None)
    if not allowed_targets(target):
        raise refuse(LaunchReason.FOREIGN_TARGET, target=target, registration_id=registration.id)
    secret, nonce, state_id = new_token(), new_token(), new_id()
    value = {
        "s": state_id,
        "r": registration.id,
        "n": nonce,
        "b": fingerprint(secret),
        "t": target,
        "d": params.get("lti_deployment_id") or None,
        "i": now.timestamp(),
    }
    offered = params.get("lti_storage_target") or None
    request = {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": registration.client_id,
        "redirect_uri": redirect_uri,
        "login_hint": hint,
        "state": signer.sign(value, _SIGNED_SECONDS),
        "nonce": nonce,
    }
    if "lti_message_hint" in params:
        request["lti_message_hint"] = params["lti_message_hint"]

    def by(rung: Rung) -> str:
        kept = {"p": offered} if rung is Rung.STORAGE else {}
        state = signer.sign({**value, "w": str(rung), **kept}, _SIGNED_SECONDS)
        return _authorisation_url(registration.auth_url, {**request, "state": state})

    return LoginRedirect(
        url=_authorisation_url(registration.auth_url, request),
        state_id=state_id,
        cookie_name=COOKIE_PREFIX + state_id,
        cookie_value=secret,
        max_age=STATE_SECONDS,
        state=request["state"],
        registration_id=registration.id,
        storage_target=offered,
        registration=registration,
        by=by,
    )


def read_state(state: str, signer: Signer) -> LoginState | None:
    """Return what a state carries, or None when we did not sign it; its age is the caller's to judge."""
    value = signer.read(state) if state.isascii() else None
    if value is None:
        return None
    return LoginState(
        state_id=value["s"],
        registration_id=value["r"],
        nonce=value["n"],
        browser=value["b"],
        target_link_uri=value["t"],
        deployment_hint=value["d"],
        issued_at=datetime.fromtimestamp(value["i"], UTC),
        way=Rung(value["w"]) if "w" in value else None,
        storage_target=value.get("p"),
    )


def cookie_name_for(form: Mapping[str, str], signer: Signer) -> str | None:
    """Return the name of the cookie that belongs to a launch's state, or None when the state is not ours."""
    state = read_state(form.get("state", ""), signer)
    return COOKIE_PREFIX + state.state_id if state else None


def _required(params: Mapping[str, str], name: str) -> str:
    value = params.get(name, "")
    if not value:
        raise refuse(LaunchReason.MISSING_PARAMETER, name=name)
    return value


def _registration(registrations: Registrations, issuer: str, client_id: str | None) -> Registration:
    found = [
        registration
        for registration in registrations.find(issuer, client_id)
        if registration.issuer == issuer and client_id in (None, registration.client_id)
    ]
    if not found:
        raise refuse(LaunchReason.UNKNOWN_ISSUER, issuer=issuer, client_id=client_id or "-")
    if len(found) > 1:
        raise refuse(LaunchReason.AMBIGUOUS_CLIENT, issuer=issuer)
    return found[0]


def _authorisation_url(auth_url: str, request: Mapping[str, str]) -> str:
    parts = urlsplit(auth_url)
    kept = [piece for piece in parts.query.split("&") if piece and not _taken(piece, request)]
    ours = [f"{name}={quote(value, safe='')}" for name, value in request.items()]
    return urlunsplit(parts._replace(query="&".join(kept + ours), fragment=""))


def _taken(piece: str, request: Mapping[str, str]) -> bool:
    pairs = parse_qsl(piece, keep_blank_values=True)
    return bool(pairs) and pairs[0][0] in request
