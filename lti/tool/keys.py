"""Our own RSA key pairs: made, stored as PEM, published as a JWKS."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from joserfc.jwk import RSAKey

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.base.ids import new_id
from lti.tool.ports import SigningKey

KEY_BITS = 2048


def new_signing_key() -> SigningKey:
    """Make a key pair of 2048 bits under a fresh ``kid``; a kid is never used for a second key."""
    return SigningKey(new_id(), RSAKey.generate_key(KEY_BITS))


def to_pem(key: SigningKey) -> str:
    """Return the private key as unencrypted PKCS#8 PEM, to be sealed before it is stored."""
    return key.key.as_pem(private=True).decode()


def from_pem(kid: str, pem: str) -> SigningKey:
    """Parse a private key once; keep the result, parsing costs as much as many signatures.

    Raises:
        Fatal: It is not an RSA private key of 2048 bits or more.
    """
    try:
        parsed = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise Fatal("bad_signing_key", say(N_("The signing key {kid} cannot be read."), kid=kid)) from error
    if not isinstance(parsed, RSAPrivateKey) or parsed.key_size < KEY_BITS:
        raise Fatal("bad_signing_key", say(N_("The signing key {kid} is not RSA of 2048 bits or more."), kid=kid))
    return SigningKey(kid, RSAKey.import_key(pem))


def public_jwk(key: SigningKey) -> dict[str, Any]:
    """Return the public half as a JWK (RFC 7517 §4), with ``kid``, ``alg`` and ``use``."""
    public = key.key.as_dict(private=False)
    return {"kty": "RSA", "n": public["n"], "e": public["e"], "kid": key.kid, "alg": "RS256", "use": "sig"}


def public_jwks(keys: Iterable[SigningKey]) -> dict[str, Any]:
    """Return the key set document; keep retired keys in it until every platform's cache has run out."""
    return {"keys": [public_jwk(key) for key in keys]}
