"""Launches as Moodle begins and answers them: from ``launch.php`` to ``contentitem_return.php``."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, abort, redirect, request

from connector.base.i18n import N_, say
from connector.base.secrets import fingerprint
from lti.platform.errors import AuthorisationRefused, ResponseRefused
from lti.platform.hints import Intent
from lti.platform.platform import target_of
from lti.platform.records import FormPost, RegisteredTool
from lti.vocab import MessageType
from sync.twins.moodle import wire
from sync.twins.moodle.messages import MessageMaker
from sync.twins.moodle.records import COURSE_ID, Activity
from sync.twins.moodle.registry import as_number
from sync.twins.moodle.web.kit import Kit
from sync.twins.moodle.web.sessions import Visitor

_REPOST = "repost"


def blueprint(kit: Kit) -> Blueprint:
    """Return the routes of launches."""
    routes = Blueprint("launches", __name__)
    launches = Launches(kit)

    @routes.get("/mod/lti/launch.php")
    def launch_php() -> Any:
        return launches.launch(request.args.get("id", ""), request.args.get("user_id", ""))

    @routes.get("/mod/lti/contentitem.php")
    def contentitem_php() -> Any:
        return launches.choose(request.args.get("id", ""))

    @routes.route("/mod/lti/auth.php", methods=["GET", "POST"])
    def auth_php() -> Any:
        source = request.form if request.method == "POST" else request.args
        return launches.authorise(list(source.items(multi=True)))

    @routes.post("/mod/lti/contentitem_return.php")
    def contentitem_return_php() -> Any:
        return launches.chosen()

    @routes.post("/course/modedit.php")
    def modedit_php() -> Any:
        return launches.save()

    return routes


class Launches:
    """Begin launches and take back what comes of them."""

    def __init__(self, kit: Kit) -> None:
        """Take the page kit."""
        self._kit = kit
        self._parts = kit.parts
        self._messages = MessageMaker(kit.parts)

    def launch(self, cmid: str, under_review: str) -> Response:
        """Begin a launch of an activity, or a look at one pupil's work in it."""
        user = self._kit.user()
        activity = self._parts.registry.activity(cmid=cmid)
        tool = self._parts.registry.tool(activity.tool) if activity else None
        if activity is None or tool is None or (under_review and not user.teaches):
            abort(404)
        kind = MessageType.SUBMISSION_REVIEW if under_review else MessageType.RESOURCE_LINK
        about = {"cmid": cmid, **({"for_user": under_review} if under_review else {})}
        return self._begin(tool, kind, activity.url, about)

    def choose(self, tool_id: str) -> Response:
        """Begin a deep-linking launch."""
        self._kit.teacher()
        tool = self._parts.registry.tool(as_number(tool_id) or 0)
        if tool is None:
            abort(404)
        return self._begin(tool, MessageType.DEEP_LINKING, "", {"course": self._kit.course().id})

    def _begin(self, tool: RegisteredTool, kind: MessageType, link_url: str, about: Mapping[str, str]) -> Response:
        session = self._kit.visitor().browser
        if session is None:
            abort(403)
        intent = Intent(tool.client_id, kind, target_of(tool, kind, link_url), about)
        signed = self._parts.platform.make_hint(intent, session)
        numbered = {"cmid": int(about["cmid"])} if "cmid" in about else {}
        hint = json.dumps({**numbered, "launchid": signed}, separators=(",", ":"))
        form = self._parts.platform.login_form(tool, intent, session, hint)
        offer = self._parts.storage.offer
        return self._kit.post_form(FormPost(form.url, {**form.fields, **offer.login_fields()}) if offer else form)

    def authorise(self, pairs: list[tuple[str, str]]) -> Response:
        """Answer an authorisation request with an id_token or an error, or ask the browser to post it again.

        A cookie that does not travel with another site's post does travel with our own page's, so a request without
        a session is posted once more by a page of ours, as Moodle does it.
        """
        visitor = self._kit.sessions.find(request)
        reposted = any(name == _REPOST for name, _ in pairs)
        if visitor is None and not reposted:
            return self._repost(pairs)
        fields = [(name, value) for name, value in pairs if name != _REPOST]
        try:
            form = self._answer(fields, visitor)
        except AuthorisationRefused as refusal:
            told = self._parts.platform.refusal_form(refusal)
            if told is None:
                return self._kit.render(
                    "message.html", 400, title=N_("The tool cannot be opened"), text=refusal.message
                )
            form = told
        return self._kit.post_form(form)

    def _answer(self, fields: list[tuple[str, str]], visitor: Visitor | None) -> FormPost:
        session = visitor.browser if visitor else None
        hint = _unwrap(dict(fields).get("lti_message_hint", ""))
        authorised = self._parts.platform.authorise(fields, session, hint)
        if visitor is None or visitor.user is None:
            raise AssertionError("authorised without a user")
        message = self._messages.make(authorised.tool, authorised.intent, visitor.user, visitor)
        if message is None:
            text = say(N_("This activity is no longer in the course."))
            raise AuthorisationRefused("access_denied", "gone", text, authorised.redirect_uri, authorised.state)
        return self._parts.platform.launch_form(authorised, message)

    def _repost(self, pairs: Iterable[tuple[str, str]]) -> Response:
        query = f"?{request.query_string.decode()}" if request.method == "POST" and request.query_string else ""
        return self._kit.post_form(FormPost(request.path + query, {**dict(pairs), _REPOST: "1"}))

    def chosen(self) -> Response:
        """Take a deep-linking response and ask the teacher to save what was chosen."""
        if self._kit.sessions.find(request) is None and _REPOST not in request.form:
            return self._repost(request.form.items(multi=True))
        self._kit.teacher()
        self._kit.check_sesskey(request.args.get("sesskey", ""))
        tool = self._parts.registry.tool(as_number(request.args.get("id", "")) or 0)
        if tool is None:
            abort(404)
        try:
            found = self._parts.platform.chosen(tool, request.form.get("JWT", ""), data=None)
            _check_items(found.items)
        except ResponseRefused as refusal:
            return self._kit.render("chosen.html", 400, items=[], refused=refusal.message, tool=tool, words="")
        words = found.error_message or found.message
        key = self._keep(tool, found.items) if found.items else ""
        return self._kit.render("chosen.html", items=found.items, key=key, tool=tool, words=words, refused=None)

    def _keep(self, tool: RegisteredTool, items: Iterable[Mapping[str, Any]]) -> str:
        key, visitor = secrets.token_urlsafe(12), self._kit.visitor()
        course = int(self._kit.course().id)
        kept = json.dumps([dict(item) for item in items], ensure_ascii=False)
        row = (key, fingerprint(visitor.token), course, int(tool.deployment_id), kept)
        with self._parts.store.write() as connection:
            connection.execute("INSERT INTO pending VALUES (?, ?, ?, ?, ?)", row)
        return key

    def save(self) -> Any:
        """Place what was chosen in the course."""
        self._kit.teacher()
        self._kit.check_sesskey()
        visitor = self._kit.visitor()
        with self._parts.store.write() as connection:
            sql = "DELETE FROM pending WHERE id = ? AND session = ? RETURNING tool, items, course"
            row = connection.execute(sql, (request.form.get("key", ""), fingerprint(visitor.token))).fetchone()
        course = row["course"] if row else COURSE_ID
        items = json.loads(row["items"]) if row else []
        added = [self._parts.registry.add_activity(row["tool"], item, course) for item in items]
        return redirect(f"/course/view.php?{urlencode({'id': course, 'added': ','.join(added)})}", 303)


def review_of(activity: Activity, user_id: str) -> str:
    """Return the address that launches a look at one pupil's work."""
    return f"/mod/lti/launch.php?{urlencode({'id': activity.cmid, 'action': 'gradeReport', 'user_id': user_id})}"


def _unwrap(text: str) -> str:
    """Return the signed hint inside Moodle's JSON hint, or an empty text."""
    value = wire.read_json(text)
    launch = value.get("launchid") if isinstance(value, dict) else None
    return launch if isinstance(launch, str) else ""


def _check_items(items: Iterable[Mapping[str, Any]]) -> None:
    for item in items:
        column = item.get("lineItem")
        maximum = wire.decimal_of(str(column.get("scoreMaximum"))) if isinstance(column, Mapping) else None
        bad_column = column is not None and (maximum is None or maximum <= 0)
        bad_url = bool(item.get("url")) and urlsplit(str(item["url"])).scheme not in ("http", "https")
        bad_custom = item.get("custom") is not None and not isinstance(item["custom"], Mapping)
        if bad_column or bad_url or bad_custom:
            text = N_("The tool sent an item the course cannot take: its address, column or parameters are wrong.")
            raise ResponseRefused("invalid_request", "bad_item", say(text))
