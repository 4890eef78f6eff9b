"""Who sits at the browser: one cookie, kept in the store; the rehearsal has no passwords."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from flask import Request, Response

from connector.base.i18n import choose_language
from connector.base.secrets import fingerprint
from lti.platform.records import BrowserSession
from sync.twins.moodle.parts import Parts
from sync.twins.moodle.records import LmsUser

COOKIE = "rehearsal_lms"


@dataclass(frozen=True)
class Visitor:
    """A browser's session.

    Attributes:
        token: The cookie's value.
        user: Who is signed in, or None.
        sesskey: The text every changing form must carry.
        language: The language chosen.
    """

    token: str
    user: LmsUser | None
    sesskey: str
    language: str

    @property
    def browser(self) -> BrowserSession | None:
        """What the LTI platform binds launches to; None when nobody is signed in."""
        return BrowserSession(self.user.id, fingerprint(self.token)) if self.user else None


class Sessions:
    """Find, begin and end sessions."""

    def __init__(self, parts: Parts) -> None:
        """Take the LMS's parts."""
        self._parts = parts

    def find(self, request: Request) -> Visitor | None:
        """Return the session of a request's cookie, or None."""
        token = request.cookies.get(COOKIE, "")
        if not token:
            return None
        with self._parts.store.read() as connection:
            sql = "SELECT * FROM session WHERE token = ?"
            row = connection.execute(sql, (fingerprint(token),)).fetchone()
        if row is None:
            return None
        user = self._parts.registry.user(str(row["person"])) if row["person"] is not None else None
        return Visitor(token, user, row["sesskey"], row["language"])

    def begin(self, language: str, user_id: str | None = None) -> Visitor:
        """Begin a session, with nobody or somebody signed in."""
        token, sesskey = secrets.token_urlsafe(24), secrets.token_urlsafe(9)
        number = int(user_id) if user_id else None
        with self._parts.store.write() as connection:
            row = (fingerprint(token), number, sesskey, language)
            connection.execute("INSERT INTO session VALUES (?, ?, ?, ?)", row)
        user = self._parts.registry.user(user_id) if user_id else None
        return Visitor(token, user, sesskey, language)

    def end(self, visitor: Visitor) -> None:
        """End a session."""
        with self._parts.store.write() as connection:
            connection.execute("DELETE FROM session WHERE token = ?", (fingerprint(visitor.token),))

    def set_language(self, visitor: Visitor, language: str) -> None:
        """Keep the language a person chose."""
        chosen = choose_language([language])
        with self._parts.store.write() as connection:
            sql = "UPDATE session SET language = ? WHERE token = ?"
            connection.execute(sql, (chosen, fingerprint(visitor.token)))

    @staticmethod
    def keep(response: Response, visitor: Visitor) -> Response:
        """Set the cookie, which like Moodle's own does not travel with other sites' posts."""
        response.set_cookie(COOKIE, visitor.token, httponly=True, samesite="Lax", path="/")
        return response
