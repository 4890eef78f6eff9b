"""Tokens as a platform makes and judges them, on the cryptographic library alone.

Nothing of the tool's own token code is used, so that a fault in it cannot excuse itself; and a header is signed
exactly as given, which a good library would refuse for the hostile ones.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa


class BadToken(ValueError):
    """The token is not one, or its signature does not belong to the key."""


@dataclass(frozen=True)
class KeyPair:
    """A platform's key pair under its ``kid``."""

    kid: str
    key: rsa.RSAPrivateKey = field(repr=False)

    def public_jwk(self) -> dict[str, str]:
        """Return the public half (RFC 7517)."""
        numbers = self.key.public_key().public_numbers()
        pair = {"n": _number(numbers.n), "e": _number(numbers.e)}
        return {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": self.kid, **pair}

    def public_pem(self) -> bytes:
        """Return the public half as PEM: the secret of the classic HS256 forgery."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(serialization.Encoding.PEM, form)


def new_pair() -> KeyPair:
    """Make a key pair of 2048 bits."""
    return KeyPair(uuid4().hex, rsa.generate_private_key(65537, 2048))


def encode(header: Mapping[str, Any], payload: Mapping[str, Any], pair: KeyPair) -> str:
    """Return a token signed RS256, whatever its header says."""
    text = _signed_part(header, payload)
    return f"{text}.{_b64(pair.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def encode_unsigned(header: Mapping[str, Any], payload: Mapping[str, Any]) -> str:
    """Return a token with an empty signature."""
    return f"{_signed_part(header, payload)}."


def encode_hmac(header: Mapping[str, Any], payload: Mapping[str, Any], secret: bytes) -> str:
    """Return a token signed HS256."""
    text = _signed_part(header, payload)
    return f"{text}.{_b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def decode(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims, believed or not.

    Raises:
        BadToken: It is not a token.
    """
    try:
        head, body, _ = token.split(".")
        header, claims = json.loads(_bytes(head)), json.loads(_bytes(body))
    except ValueError as error:
        raise BadToken("not a token") from error
    if not (isinstance(header, dict) and isinstance(claims, dict)):
        raise BadToken("not a token")
    return header, claims


def verify(token: str, keys: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the claims of a token signed RS256 by the key of a set that its ``kid`` names.

    Raises:
        BadToken: Another algorithm, no such key, or a wrong signature.
    """
    header, claims = decode(token)
    key = next((one for one in keys if one.get("kid") == header.get("kid")), None)
    if header.get("alg") != "RS256" or key is None:
        raise BadToken("alg or kid")
    text, _, signature = token.rpartition(".")
    numbers = rsa.RSAPublicNumbers(_integer(key["e"]), _integer(key["n"]))
    try:
        numbers.public_key().verify(_bytes(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature as error:
        raise BadToken("signature") from error
    return claims


def _signed_part(header: Mapping[str, Any], payload: Mapping[str, Any]) -> str:
    return ".".join(_b64(json.dumps(part, ensure_ascii=False).encode()) for part in (header, payload))


def _b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _number(value: int) -> str:
    return _b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _integer(text: str) -> int:
    return int.from_bytes(_bytes(text), "big")
