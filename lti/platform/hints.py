"""The message hint: what a launch is about, carried through the tool and back, signed, short-lived and used once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.base.clock import Clock
from connector.base.ids import new_id
from connector.base.secrets import Signer, fingerprint
from lti.platform.records import BrowserSession, OnceStore

LIFETIME = timedelta(minutes=10)


@dataclass(frozen=True)
class Intent:
    """What the person at the browser wanted when the launch began.

    Attributes:
        client_id: The tool that was to be launched.
        message_type: The LTI message that was to be sent.
        target_link_uri: The address announced to the tool at login.
        about: The platform's own ids (course, link, pupil under review), as texts.
    """

    client_id: str
    message_type: str
    target_link_uri: str
    about: Mapping[str, str] = field(default_factory=dict)


class Hints:
    """Make message hints and take them back, each once."""

    def __init__(self, secret: str, once: OnceStore, clock: Clock) -> None:
        """Take the platform's secret, what remembers spent hints, and the clock."""
        self._signer = Signer(secret, "lti-message-hint")
        self._once = once
        self._clock = clock

    def make(self, intent: Intent, session: BrowserSession) -> str:
        """Return a hint bound to this user and this session of the browser."""
        until = self._clock() + LIFETIME
        value = {
            "id": new_id(),
            "until": until.timestamp(),
            "user": session.user_id,
            "session": fingerprint(session.session_id),
            "client": intent.client_id,
            "type": intent.message_type,
            "target": intent.target_link_uri,
            "about": dict(intent.about),
        }
        # The signer's own limit is wall time; the binding limit is `until`, on the platform's clock.
        return self._signer.sign(value, lifetime=86_400)

    def take(self, text: str, session: BrowserSession) -> Intent | None:
        """Spend a hint and return its intent; None when it is forged, late, another's or used before."""
        value: dict[str, Any] | None = self._signer.read(text) if text.isascii() else None
        if value is None or value["user"] != session.user_id or value["session"] != fingerprint(session.session_id):
            return None
        until = datetime.fromtimestamp(value["until"], UTC)
        if until < self._clock() or not self._once.spend("hint", value["id"], until):
            return None
        return Intent(value["client"], value["type"], value["target"], value["about"])
