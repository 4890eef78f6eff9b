"""Signed tokens: the header judged before any key is used, the signature checked, our own tokens made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from joserfc.util import urlsafe_b64decode

from lti.tool.ports import SigningKey
from lti.tool.wire import to_json

ALGORITHM = "RS256"
MAX_HEADER_CHARS = 700
FOREIGN_KEY_HEADERS = ("jku", "x5u", "jwk", "crit", "b64")

_REGISTRY = jws.JWSRegistry(algorithms=[ALGORITHM], strict_check_header=False)
_REGISTRY.max_signature_length = 2048


class NotAToken(ValueError):
    """The text is not a JWS in compact form with a JSON object in it."""


class WrongSignature(ValueError):
    """The signature does not belong to the key."""


def read_header(token: str) -> dict[str, Any]:
    """Return the unverified header of a compact JWS.

    Raises:
        NotAToken: It has not three parts, or the header is too long or not a JSON object.
    """
    head, _, rest = token.partition(".")
    if rest.count(".") != 1 or len(head) > MAX_HEADER_CHARS or not token.isascii():
        raise NotAToken
    try:
        header = json.loads(urlsafe_b64decode(head.encode()))
    except (ValueError, RecursionError) as error:
        raise NotAToken from error
    # RFC 7515 §4.1.1: "alg" must be present.
    if not isinstance(header, dict) or "alg" not in header:
        raise NotAToken
    return header


def verify(token: str, key: RSAKey) -> dict[str, Any]:
    """Check the signature with exactly this key and RS256, and return the claims.

    Raises:
        WrongSignature: The signature is wrong or made with another algorithm.
        NotAToken: The payload is not a JSON object.
    """
    try:
        payload = jws.deserialize_compact(token, key, registry=_REGISTRY).payload
    except (JoseError, ValueError) as error:
        raise WrongSignature from error
    try:
        claims = json.loads(payload or b"")
    except (ValueError, RecursionError) as error:
        raise NotAToken from error
    if not isinstance(claims, dict):
        raise NotAToken
    return claims


def sign(claims: Mapping[str, Any], key: SigningKey) -> str:
    """Return our own token: RS256, ``kid`` in the header, Decimals written exactly."""
    header = {"typ": "JWT", "alg": ALGORITHM, "kid": key.kid}
    return jws.serialize_compact(header, to_json(claims), key.key, registry=_REGISTRY)
