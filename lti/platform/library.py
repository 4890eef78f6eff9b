"""lti1p3platform's classes with every door of theirs that we use, or that could be used by mistake, made safe.

The library keeps one request's state on its configuration object, so all of these are made anew per request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from lti1p3platform.ltiplatform import JWKS, AccessTokenResponse, LTI1P3PlatformConfAbstract
from lti1p3platform.message_launch import LaunchData, LTIAdvantageMessageLaunchAbstract
from lti1p3platform.oidc_login import OIDCLoginAbstract
from lti1p3platform.registration import Registration
from lti1p3platform.request import Request, TRequest

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from lti.platform.authorisation import Authorised
from lti.platform.bearer import BearerCheck
from lti.platform.deep_linking import ResponseCheck
from lti.platform.errors import BearerRefused
from lti.platform.keys import PlatformKeys
from lti.platform.messages import Message, claims_of
from lti.platform.records import FormPost, PlatformFacts, RegisteredTool
from lti.platform.tokens import TokenEndpoint
from lti.vocab import Claim

ID_TOKEN_SECONDS = 60


class SafeRegistration(Registration):
    """A registration whose key is parsed once and never handed out."""

    def __init__(self, facts: PlatformFacts, tool: RegisteredTool, key: PlatformKeys, now: int) -> None:
        """Fill the library's record from ours; ``now`` is the instant of this request in seconds."""
        self._key = key
        self._now = now
        self.set_iss(facts.issuer)
        self.set_client_id(tool.client_id)
        self.set_deployment_id(tool.deployment_id)
        self.set_oidc_login_url(tool.login_url)
        self.set_launch_url(tool.target_link_uri)
        self.set_deeplink_launch_url(tool.deep_linking_url or tool.target_link_uri)

    def get_kid(self) -> str:
        """Return our key's id without parsing anything."""
        return self._key.kid

    def get_jwks(self) -> list[dict[str, Any]]:
        """Return our public keys."""
        keys: list[dict[str, Any]] = self._key.public_jwks()["keys"]
        return keys

    def platform_encode_and_sign(self, payload: dict[str, Any], expiration: int | None = None) -> str:
        """Sign a copy of the payload; the caller's dict is left as it was."""
        times = {"iat": self._now, "exp": self._now + expiration} if expiration else {}
        return self._key.sign({**payload, **times})


class SafeConf(LTI1P3PlatformConfAbstract):
    """A configuration for one request and one tool that routes every check to ours."""

    def init_platform_config(self, **kwargs: Any) -> None:
        """Take the registration and the checks this request may need."""
        self._safe_registration: SafeRegistration = kwargs["registration"]
        self._tool: RegisteredTool = kwargs["tool"]
        self._tokens: TokenEndpoint = kwargs["tokens"]
        self._bearer: BearerCheck = kwargs["bearer"]
        self._responses: ResponseCheck = kwargs["responses"]

    def get_registration_by_params(self, **_kwargs: Any) -> Registration:
        """Return this request's registration."""
        return self._safe_registration

    def get_jwks(self) -> JWKS:
        """Return our public keys."""
        return JWKS(keys=self._safe_registration.get_jwks())

    def fetch_public_key(self, key_set_url: str) -> JWKS:
        """Refuse: keys are read through the guarded session only."""
        raise Fatal("unguarded_fetch", say(N_("Keys are read through the guarded session only.")))

    def tool_validate_and_decode(self, jwt_token_string: str) -> dict[str, Any]:
        """Verify a token of the tool's with its published keys."""
        return self._tokens.tool_keys.verify(self._tool, jwt_token_string)

    def get_access_token(self, token_request_data: Mapping[str, Any]) -> AccessTokenResponse:
        """Answer a token request with every check of ours."""
        granted = self._tokens.answer(token_request_data)
        return AccessTokenResponse(
            access_token=granted.access_token,
            expires_in=granted.expires_in,
            token_type="Bearer",  # noqa: S106 - the token's type, no secret.
            scope=" ".join(granted.scopes),
        )

    def validate_deeplinking_resp(self, token_request_data: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Check a deep-linking response; without the request's settings only plain links are accepted."""
        token = str(token_request_data.get("JWT", ""))
        accept = ("ltiResourceLink",)
        chosen = self._responses.check(self._tool, token, data=None, accept_types=accept, multiple=True)
        return [dict(item) for item in chosen.items]

    def validate_token(self, token: str, allowed_scopes: list[str] | None = None, audience: str | None = None) -> bool:
        """Tell whether an access token holds every scope named; without scopes named nothing is allowed."""
        del audience
        try:
            grant = self._bearer.open(f"Bearer {token}")
        except BearerRefused:
            return False
        return bool(allowed_scopes) and set(allowed_scopes or ()) <= grant.scopes


class SafeLogin(OIDCLoginAbstract):
    """The start of a launch, as an address or as form fields."""

    def set_lti_message_hint(self, **kwargs: Any) -> None:
        """Keep the hint."""
        self._lti_message_hint = kwargs["hint"]

    def fields(self, login_hint: str) -> dict[str, str]:
        """Return the fields of third-party initiated login (LTI Security Framework 1.0, section 5.1.1.1)."""
        registration = self._registration
        return {
            "iss": str(registration.get_iss()),
            "target_link_uri": str(self.get_launch_url()),
            "login_hint": login_hint,
            "lti_message_hint": str(self.get_lti_message_hint()),
            "client_id": str(registration.get_client_id()),
            "lti_deployment_id": str(registration.get_deployment_id()),
        }

    def prepare_preflight_url(self, user_id: str) -> str:
        """Return the login address with the fields joined to the query it already has."""
        parts = urlsplit(str(self._registration.get_oidc_login_url()))
        query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *self.fields(user_id).items()])
        return urlunsplit((parts.scheme, parts.netloc, parts.path, query, parts.fragment))

    def get_redirect(self, url: str) -> str:
        """Return the address; the web layer redirects."""
        return url


class CheckedRequest(Request):
    """A request the library may read: only fields that passed our checks, and no stray query beside the form."""

    def build_metadata(self, request: Any) -> TRequest:
        """Return the checked fields as a form."""
        return {
            "method": "POST",
            "form_data": dict(request),
            "get_data": {},
            "headers": {},
            "content_type": None,
            "path": "",
            "json": None,
        }


class SafeLaunch(LTIAdvantageMessageLaunchAbstract):
    """A launch whose authorisation request was checked before the library sees it."""

    def __init__(self, authorised: Authorised, message: Message, conf: SafeConf, seconds: int) -> None:
        """Take the checked request, the message to send and its life in seconds."""
        fields = {"nonce": authorised.nonce, "state": authorised.state, "redirect_uri": authorised.redirect_uri}
        super().__init__(CheckedRequest(fields), conf)
        self._authorised = authorised
        self._message = message
        self.set_launch_url(authorised.intent.target_link_uri)
        self.set_id_token_expiration(seconds)

    def validate_preflight_response(self, preflight_response: dict[str, Any]) -> None:
        """Take the answer's address from the checked request, never from what was sent."""
        self._redirect_url = self._authorised.redirect_uri

    def get_launch_message(self, include_extra_claims: bool = True) -> dict[str, Any]:
        """Return the addressed claims: ``aud`` a single text and no ``azp``, as Moodle sends them."""
        registration = self._platform_config.get_registration()
        return {
            "iss": registration.get_iss(),
            "aud": registration.get_client_id(),
            Claim.DEPLOYMENT_ID: registration.get_deployment_id(),
            Claim.TARGET_LINK_URI: self.get_launch_url(),
            **claims_of(self._message),
        }

    def generate_launch_request(self) -> LaunchData:
        """Sign the message as the type it is: deep linking never turns into an ordinary launch."""
        claims, state = self.get_launch_data()
        registration = self._platform_config.get_registration()
        token = registration.platform_encode_and_sign(claims, expiration=self.id_token_expiration)
        return {"state": state, "id_token": token}

    def render_launch_form(self, launch_data: dict[str, Any], **_kwargs: Any) -> FormPost:
        """Return the form as data; the web layer puts it through its own escaping templates."""
        fields = {"id_token": launch_data["id_token"], "state": launch_data["state"]}
        return FormPost(launch_data["launch_url"], fields)
