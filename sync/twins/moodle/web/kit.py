"""What every page needs: the visitor, translations, escaping templates, security headers, form keys."""

from __future__ import annotations

import functools
import hmac
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Response, abort, g, make_response, redirect, render_template, request

from connector.base.i18n import LANGUAGES, Message, say, translate
from lti.platform.records import FormPost, RegisteredTool
from lti.platform.storage import PARENT
from sync.twins.moodle.gradebook import mark_text
from sync.twins.moodle.parts import Parts
from sync.twins.moodle.records import CourseRecord, LmsUser
from sync.twins.moodle.registry import FIRST_COURSE
from sync.twins.moodle.web.sessions import Sessions, Visitor

LANGUAGE_NAMES = {"kk": "Қазақша", "ru": "Русский", "en": "English"}
Page = Callable[..., Any]


class Kit:
    """Helpers over one LMS's parts."""

    def __init__(self, parts: Parts) -> None:
        """Take the parts and open the sessions."""
        self.parts = parts
        self.sessions = Sessions(parts)

    def visitor(self) -> Visitor:
        """Return this request's visitor, beginning a session when there is none."""
        if "visitor" not in g:
            found = self.sessions.find(request)
            g.fresh = found is None
            g.visitor = found or self.sessions.begin(self.parts.language)
        visitor: Visitor = g.visitor
        return visitor

    def user(self) -> LmsUser:
        """Return who is signed in, or go to the front page."""
        user = self.visitor().user
        if user is None:
            abort(redirect("/"))
        return user

    def teacher(self) -> LmsUser:
        """Return who is signed in when that person teaches; anybody else gets 403."""
        user = self.user()
        if not user.teaches:
            abort(403)
        return user

    def course(self) -> CourseRecord:
        """Return the course this request is about: the one it names, else the activity's, else the first.

        An address that names a course which is not there is answered 404.
        """
        named = request.values.get("course") or (
            request.args.get("id", "") if request.path.startswith(("/course/view", "/grade/")) else ""
        )
        if not named and request.path.startswith("/mod/lti/"):
            activity = self.parts.registry.activity(cmid=request.args.get("id", ""))
            named = activity.course if activity else ""
        if not named and "itemid" in request.values:
            item = self.parts.registry.line_item(request.values["itemid"])
            named = item.course if item else ""
        found = self.parts.registry.course(named or FIRST_COURSE)
        if found is None and "course_missing" not in g:
            # The error's own page stands in the first course.
            g.course_missing = True
            abort(404)
        return found or self.parts.registry.courses()[0]

    def check_sesskey(self, given: str | None = None) -> None:
        """Refuse a form that this session did not make."""
        held = self.visitor().sesskey
        if not hmac.compare_digest(
            (given if given is not None else request.form.get("sesskey", "")).encode(), held.encode()
        ):
            abort(403)

    def render(self, template: str, status: int = 200, frames: Iterable[str] = (), **values: Any) -> Response:
        """Fill a template in the visitor's language; the pages of ``frames`` may stand in it."""
        visitor = self.visitor()
        language = visitor.language

        def put_into_words(text: str | Message, /, **fields: object) -> str:
            return translate(say(text, **fields) if isinstance(text, str) else text, language)

        page = render_template(
            template,
            t=put_into_words,
            visitor=visitor,
            me=visitor.user,
            language=language,
            languages=[(code, LANGUAGE_NAMES[code], self._with_language(code, status)) for code in LANGUAGES],
            course=self.course(),
            courses=self.parts.registry.courses(),
            mark_text=mark_text,
            storage=self.storage(),
            **values,
        )
        return self.finish(make_response(page, status), frames)

    def storage(self) -> dict[str, Any] | None:
        """Return what a page that shows a tool needs to answer its storage messages, where they are answered."""
        switch = self.parts.storage
        if switch.offer is None or switch.silent:
            return None
        origins = {origin_of(tool) for tool in self.parts.registry.tools()}
        return {**switch.offer.script_data(origins), "beside": switch.offer.frame != PARENT}

    def post_form(self, form: FormPost) -> Response:
        """Return a page that posts a form by itself; without a session it may still be shown."""
        page = render_template("post.html", form=form, language=self.parts.language)
        return self.secure(make_response(page))

    def finish(self, response: Response, frames: Iterable[str] = ()) -> Response:
        """Add the cookie of a fresh session and the security headers."""
        if g.get("fresh"):
            self.sessions.keep(response, g.visitor)
        return self.secure(response, frames)

    def secure(self, response: Response, frames: Iterable[str] = ()) -> Response:
        """Add the security headers: frames and forms only to ourselves, to registered tools and to ``frames``."""
        origins = {origin_of(tool) for tool in self.parts.registry.tools()} | {site_of(url) for url in frames}
        tools = " ".join(sorted(origins))
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
            f"frame-src 'self' {tools}; form-action 'self' {tools}; frame-ancestors 'self'; base-uri 'none'"
        )
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "strict-origin-when-cross-origin"
        response.headers["Cache-Control"] = "no-store"
        return response

    @staticmethod
    def _with_language(code: str, status: int) -> str:
        """Return this page's address in another language; an error page leads to the front page."""
        if request.method != "GET" or status >= 400:
            return f"/?lang={code}"
        return f"{request.path}?{urlencode({**request.args.to_dict(), 'lang': code})}"


def origin_of(tool: RegisteredTool) -> str:
    """Return the origin of a tool's pages."""
    return site_of(tool.target_link_uri)


def site_of(url: str) -> str:
    """Return scheme, host and port of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def signed_in(kit: Kit) -> Callable[[Page], Page]:
    """Make a route ask for a person first."""

    def wrap(page: Page) -> Page:
        @functools.wraps(page)
        def inner(*args: Any, **kwargs: Any) -> Any:
            kit.user()
            return page(*args, **kwargs)

        return inner

    return wrap
