"""The pages: who are you, the course, an activity, the gradebook, one's own grades."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, abort, redirect, request, send_file, send_from_directory
from werkzeug.exceptions import HTTPException

from connector.base.i18n import LANGUAGES, N_
from lti.platform.storage import SCRIPT
from sync.twins.moodle import copying, wire
from sync.twins.moodle.gradebook import mark_text
from sync.twins.moodle.parts import Parts
from sync.twins.moodle.records import COURSE_ID, Activity
from sync.twins.moodle.registry import as_number
from sync.twins.moodle.web import launches, tools
from sync.twins.moodle.web.kit import Kit, origin_of, signed_in

_STATIC = Path(__file__).parent.parent / "static"
_ALLOW = ("microphone", "camera", "geolocation", "midi", "encrypted-media", "autoplay")
_ERRORS = {
    403: (N_("Not for you"), N_("Sign in as somebody who may do this, or open the page again and repeat.")),
    404: (N_("Nothing here"), N_("This page is not in the course, or no longer.")),
}


def install(app: Flask, parts: Parts) -> None:
    """Add the pages to an application."""
    kit = Kit(parts)
    app.register_blueprint(launches.blueprint(kit))
    app.register_blueprint(tools.blueprint(kit))
    app.register_blueprint(_people(kit))
    app.register_blueprint(_course(kit))
    app.register_blueprint(_grades(kit))
    app.register_error_handler(HTTPException, lambda error: _failed(kit, error))


def _failed(kit: Kit, error: HTTPException) -> Any:
    if error.response is not None:
        return error.response
    title, text = _ERRORS.get(error.code or 500, (N_("That did not work"), N_("Go back and try again.")))
    return kit.render("message.html", error.code or 500, title=title, text=text)


def _people(kit: Kit) -> Blueprint:
    routes = Blueprint("people", __name__)

    @routes.before_app_request
    def choose_language() -> Any:
        wanted = request.args.get("lang", "")
        if request.method != "GET" or wanted not in LANGUAGES:
            return None
        kit.sessions.set_language(kit.visitor(), wanted)
        rest = {name: value for name, value in request.args.to_dict().items() if name != "lang"}
        query = "&".join(f"{name}={value}" for name, value in rest.items() if value.replace(",", "").isalnum())
        return kit.finish(Response(status=303, headers={"Location": f"{request.path}{'?' + query if query else ''}"}))

    @routes.get("/")
    def front() -> Any:
        return kit.render("front.html", users=kit.parts.registry.users())

    @routes.post("/login/index.php")
    def sign_in() -> Any:
        kit.check_sesskey()
        before = kit.visitor()
        user = kit.parts.registry.user(request.form.get("user", ""))
        if user is None:
            abort(404)
        kit.sessions.end(before)
        visitor = kit.sessions.begin(before.language, user.id)
        return kit.sessions.keep(_to(f"/course/view.php?id={COURSE_ID}"), visitor)

    @routes.post("/login/logout.php")
    def sign_out() -> Any:
        kit.check_sesskey()
        before = kit.visitor()
        kit.sessions.end(before)
        return kit.sessions.keep(_to("/"), kit.sessions.begin(before.language))

    @routes.get("/static/storage.js")
    def storage_script() -> Any:
        return send_file(SCRIPT)

    @routes.get("/lti/storage")
    def storage_frame() -> Any:
        return kit.render("storage.html")

    @routes.get("/static/<path:name>")
    def static_file(name: str) -> Any:
        return send_from_directory(_STATIC, name)

    return routes


def _to(path: str) -> Response:
    return Response(status=303, headers={"Location": path})


def _activity(kit: Kit, cmid: str) -> Activity:
    found = kit.parts.registry.activity(cmid=cmid)
    if found is None:
        abort(404)
    return found


def _course(kit: Kit) -> Blueprint:
    routes = Blueprint("course", __name__)

    @routes.get("/course/view.php")
    @signed_in(kit)
    def course_page() -> Any:
        added = request.args.get("added", "").split(",")
        here = kit.course().id
        activities = kit.parts.registry.activities(here)
        columns = {item.activity: item for item in kit.parts.registry.line_items() if item.kind == "link"}
        pending = kit.parts.registry.pending()
        usable = [tool for tool in kit.parts.registry.tools() if tool.deployment_id not in pending]
        return kit.render("course.html", activities=activities, columns=columns, tools=usable, added=added)

    @routes.get("/course/modedit.php")
    @signed_in(kit)
    def picker_page() -> Any:
        kit.teacher()
        tool = kit.parts.registry.tool(as_number(request.args.get("tool", "")) or 0)
        if tool is None or tool.deployment_id in kit.parts.registry.pending():
            abort(404)
        source = f"/mod/lti/contentitem.php?id={tool.deployment_id}&course={kit.course().id}"
        return kit.render("frame.html", title=tool.name, source=source, allow=_allow(origin_of(tool)), picking=True)

    @routes.post("/backup/copy.php")
    @signed_in(kit)
    def copy_page() -> Any:
        kit.teacher()
        kit.check_sesskey()
        return _to(f"/course/view.php?id={copying.copy_course(kit.parts.store, kit.course().id)}")

    @routes.post("/course/mod.php")
    @signed_in(kit)
    def duplicate_page() -> Any:
        kit.teacher()
        kit.check_sesskey()
        activity = _activity(kit, request.form.get("duplicate", ""))
        made = copying.duplicate_activity(kit.parts.store, activity.cmid)
        return _to(f"/course/view.php?id={activity.course}&added={made}")

    @routes.get("/mod/lti/view.php")
    @signed_in(kit)
    def activity_page() -> Any:
        return _framed(kit, _activity(kit, request.args.get("id", "")), "")

    @routes.get("/mod/lti/grade.php")
    @signed_in(kit)
    def review_page() -> Any:
        kit.teacher()
        pupil = kit.parts.registry.user(request.args.get("userid", ""))
        if pupil is None:
            abort(404)
        return _framed(kit, _activity(kit, request.args.get("id", "")), pupil.id, pupil.name)

    @routes.get("/mod/lti/return.php")
    def return_page() -> Any:
        words = request.args.get("lti_errormsg") or request.args.get("lti_msg") or ""
        return kit.render("returned.html", words=words[:500], failed="lti_errormsg" in request.args)

    return routes


def _framed(kit: Kit, activity: Activity, pupil_id: str, pupil: str = "") -> Response:
    tool = kit.parts.registry.tool(activity.tool)
    if tool is None:
        abort(404)
    source = launches.review_of(activity, pupil_id) if pupil_id else f"/mod/lti/launch.php?id={activity.cmid}"
    allow = _allow(origin_of(tool))
    return kit.render("frame.html", title=activity.title, source=source, allow=allow, picking=False, pupil=pupil)


def _allow(origin: str) -> str:
    return "; ".join(f"{feature} {origin}" for feature in _ALLOW)


def _grades(kit: Kit) -> Blueprint:
    routes = Blueprint("grades", __name__)
    book = kit.parts.gradebook

    @routes.get("/grade/report/grader/index.php")
    @signed_in(kit)
    def grader() -> Any:
        kit.teacher()
        pupils = [user for user in kit.parts.registry.users() if user.role == "pupil"]
        here = kit.course().id
        cmids = {activity.id: activity.cmid for activity in kit.parts.registry.activities(here)}
        return kit.render("gradebook.html", columns=book.columns(here), pupils=pupils, cmids=cmids)

    @routes.get("/grade/report/user/index.php")
    @signed_in(kit)
    def own_grades() -> Any:
        me = kit.user()
        cells = [(column.item, column.grades.get(me.id)) for column in book.columns(kit.course().id)]
        return kit.render("mine.html", cells=cells)

    @routes.get("/grade/edit/tree/grade.php")
    @signed_in(kit)
    def cell() -> Any:
        kit.teacher()
        item = kit.parts.registry.line_item(request.args.get("itemid", ""))
        pupil = kit.parts.registry.user(request.args.get("userid", ""))
        if item is None or pupil is None:
            abort(404)
        held = {grade.person: grade for grade in book.grades(item.id)}.get(pupil.id)
        return kit.render("cell.html", item=item, pupil=pupil, grade=held)

    @routes.post("/grade/edit/tree/grade.php")
    @signed_in(kit)
    def change_cell() -> Any:
        kit.teacher()
        kit.check_sesskey()
        return _change_cell(kit)

    @routes.get("/grade/export/txt/export.php")
    @signed_in(kit)
    def export() -> Any:
        kit.teacher()
        return kit.secure(Response(_csv(kit), content_type="text/csv; charset=utf-8"))

    return routes


def _change_cell(kit: Kit) -> Any:
    item = kit.parts.registry.line_item(request.form.get("itemid", ""))
    pupil = kit.parts.registry.user(request.form.get("userid", ""))
    if item is None or pupil is None:
        abort(404)
    action = request.form.get("action", "")
    if action in ("lock", "unlock"):
        kit.parts.gradebook.lock(item.id, pupil.id, action == "lock")
    elif action == "release":
        kit.parts.gradebook.override(item.id, pupil.id, None)
    else:
        mark = wire.decimal_of(request.form.get("mark", "").replace(",", "."))
        if mark is None or not 0 <= mark <= item.maximum:
            held = {grade.person: grade for grade in kit.parts.gradebook.grades(item.id)}.get(pupil.id)
            return kit.render("cell.html", 400, item=item, pupil=pupil, grade=held, wrong=True)
        kit.parts.gradebook.override(item.id, pupil.id, mark)
    return redirect(f"/grade/report/grader/index.php?id={item.course}#u{pupil.id}", 303)


def _csv(kit: Kit) -> str:
    """Return the gradebook as Moodle's text export does: one row per pupil, one column per grade column."""
    columns = kit.parts.gradebook.columns(kit.course().id)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["ID", "ID number", "First name", "Last name", *(column.item.label for column in columns)])
    for user in kit.parts.registry.users():
        if user.role == "pupil":
            cells = [column.grades.get(user.id) for column in columns]
            marks = [mark_text(cell.final) if cell else "" for cell in cells]
            writer.writerow([user.id, user.idnumber, user.given, user.family, *marks])
    return out.getvalue()
