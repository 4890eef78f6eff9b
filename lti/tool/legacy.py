"""The LTI 1.1 ids a launch brings along, believed only when the old shared secret signed them (LTI 1.3 migration §4).

``lti1p1.oauth_consumer_key_sign`` is the base64 HMAC-SHA256 of consumer key, deployment, issuer, client, ``exp`` and
``nonce``, joined by ``&``: it proves that whoever signed the launch also knew the secret of the LTI 1.1 tool.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lti.errors import Check, Outcome
from lti.tool.claims import MAX_ID, section
from lti.tool.ports import Registration
from lti.tool.wire import text
from lti.vocab import Claim

CLAUSE = "LTI 1.3 migration, lti1p1"
Secrets = Callable[[str], str | None]
"""Returns the shared secret of a consumer key of this registration, or None."""


@dataclass(frozen=True)
class LegacyIds:
    """What the LTI 1.1 tool knew the person and the link by.

    Attributes:
        consumer_key: Whose ids they are.
        user_id: The person's, or None; the launch's ``sub`` where the platform kept the id.
        resource_link_id: The link's, or None; likewise.
    """

    consumer_key: str
    user_id: str | None
    resource_link_id: str | None


def legacy_ids(
    claims: Mapping[str, Any], registration: Registration, secrets: Secrets
) -> tuple[LegacyIds | None, Check]:
    """Return the proven ids of a validated launch and the line for its trace.

    Args:
        claims: The launch's claims.
        registration: Whose launch it is.
        secrets: The secrets of this registration's LTI 1.1 keys.
    """
    told = section(claims, Claim.LTI1P1)
    if not told:
        return None, Check("lti1p1", CLAUSE, Outcome.ABSENT)
    key = _id(told.get("oauth_consumer_key"))
    secret = secrets(key) if key else None
    signature = told.get("oauth_consumer_key_sign")
    if key is None or secret is None or not isinstance(signature, str):
        return None, Check("lti1p1", CLAUSE, Outcome.IGNORED)
    if not hmac.compare_digest(signature.encode(), signature_of(claims, registration, key, secret).encode()):
        return None, Check("lti1p1", CLAUSE, Outcome.IGNORED)
    # A platform leaves out an id that is the same as before.
    user_id = _id(told.get("user_id")) or _id(claims.get("sub"))
    link_id = _id(told.get("resource_link_id")) or _id(section(claims, Claim.RESOURCE_LINK).get("id"))
    return LegacyIds(key, user_id, link_id), Check("lti1p1", CLAUSE, Outcome.PASSED)


def signature_of(claims: Mapping[str, Any], registration: Registration, key: str, secret: str) -> str:
    """Return what ``oauth_consumer_key_sign`` must be."""
    parts = (
        key, str(claims.get(Claim.DEPLOYMENT_ID, "")), registration.issuer, registration.client_id,
        str(claims.get("exp", "")), str(claims.get("nonce", "")),
    )  # fmt: skip
    digest = hmac.new(secret.encode(), "&".join(parts).encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def _id(value: object) -> str | None:
    found = text(value)
    return found if found is not None and len(found) <= MAX_ID and "\x00" not in found else None
