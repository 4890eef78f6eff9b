"""Encryption at rest, keyed hashes and signed texts.

Encrypted values are Fernet tokens (AES-128-CBC with HMAC-SHA256), written with the first key and readable with
any of them, so that keys rotate by adding one in front.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets as _secrets
import time
from collections.abc import Sequence
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from connector.base.errors import Fatal
from connector.base.i18n import N_, say


class Vault:
    """Encrypt and decrypt secrets, private keys and IINs with the installation's keys."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Take Fernet keys (32 bytes, URL-safe base64), newest first."""
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def seal(self, text: str) -> str:
        """Return the encrypted text."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, token: str) -> str:
        """Return the clear text.

        Raises:
            Fatal: No key of ``ENCRYPTION_KEYS`` opens it.
        """
        try:
            return self._fernet.decrypt(token.encode()).decode()
        except InvalidToken as error:
            message = say(N_("A stored secret cannot be opened: ENCRYPTION_KEYS lacks the key it was sealed with."))
            raise Fatal("wrong_encryption_key", message) from error

    def rotate(self, token: str) -> str:
        """Return the same secret sealed with the newest key."""
        return self._fernet.rotate(token.encode()).decode()


def new_key() -> str:
    """Return a new random key, fit for SECRET_KEY and ENCRYPTION_KEYS."""
    return Fernet.generate_key().decode()


def new_token() -> str:
    """Return an unguessable URL-safe text (256 bits)."""
    return _secrets.token_urlsafe(32)


def fingerprint(text: str) -> str:
    """Return the SHA-256 of a text in hexadecimal: what is stored instead of a bearer secret."""
    return hashlib.sha256(text.encode()).hexdigest()


def keyed_hash(key: str, text: str) -> str:
    """Return the HMAC-SHA256 of a text in hexadecimal; the join key for an IIN."""
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Signer:
    """Sign small JSON values that travel through a browser, each for one purpose and a limited time."""

    def __init__(self, key: str, purpose: str) -> None:
        """Derive a key for the purpose, so that a value signed for one use is no good for another."""
        self._key = hmac.new(key.encode(), purpose.encode(), hashlib.sha256).digest()

    def sign(self, value: dict[str, Any], lifetime: float) -> str:
        """Return ``payload.signature``; the value may be read by whoever holds it.

        Args:
            value: JSON values under keys that do not start with an underscore.
            lifetime: Seconds until it is refused.
        """
        body = json.dumps({**value, "_exp": time.time() + lifetime}, separators=(",", ":"), ensure_ascii=False)
        payload = _b64(body.encode())
        return f"{payload}.{self._mac(payload)}"

    def read(self, text: str) -> dict[str, Any] | None:
        """Return the value, or None when the signature is wrong or the time is over."""
        payload, _, mac = text.partition(".")
        if not text.isascii() or not hmac.compare_digest(mac, self._mac(payload)):
            return None
        raw = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        value: dict[str, Any] = json.loads(raw)
        return value if value.pop("_exp") >= time.time() else None

    def _mac(self, payload: str) -> str:
        return _b64(hmac.digest(self._key, payload.encode(), "sha256"))
