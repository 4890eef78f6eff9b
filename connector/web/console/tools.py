"""The console's page of third-party tools: which are in, what each may, who waits, and the switch that stops one."""

from __future__ import annotations

from flask import abort, request
from werkzeug.wrappers import Response

from connector.base.errors import Fatal
from connector.base.i18n import N_, Message
from connector.host.tools.admin import GRADES, ROSTER, Allowed, Typed, for_the_vendor, type_in
from connector.host.tools.records import Change, SchoolTool, State, Told, change_tool, tools
from connector.host.tools.registering import invite_tool, registration_address
from connector.web.console.common import NOTES, page, to
from connector.web.console.session import blueprint, operator
from connector.web.state import runtime

NOTES.update(
    {
        "tool_on": N_("The tool works now: teachers can place it."),
        "tool_off": N_("The tool is off: from now on nothing of it opens and nothing it sends is taken."),
        "tool_saved": N_("What the tool may do was changed."),
    }
)
FIELDS = ("name", "login_url", "target_link_uri", "jwks_url", "deep_linking_url")


@blueprint.get("/tools/")
def tools_page() -> Response:
    """Show the school's tools."""
    return _shown()


def _shown(url: str = "", wrong: Message | None = None, status: int = 200) -> Response:
    here = runtime()
    found = tools(here, operator().school_id)
    groups = {state: [_line(one) for one in found if one.state is state] for state in State}
    typed = {name: request.form.get(name, "") for name in FIELDS}
    return page(
        "console/tools.html", status, pending=groups[State.PENDING], on=groups[State.ON], off=groups[State.OFF],
        url=url, wrong=wrong, typed=typed,
    )  # fmt: skip


def _line(tool: SchoolTool) -> dict[str, object]:
    return {
        "id": tool.id, "name": tool.name, "where": tool.target_link_uri, "vendor": for_the_vendor(runtime(), tool),
        "grades": bool(tool.scopes & GRADES), "roster": bool(tool.scopes & ROSTER),
        "told": {str(one) for one in tool.told}, "state": str(tool.state),
    }  # fmt: skip


@blueprint.post("/tools/invite")
def invite_one_tool() -> Response:
    """Make the one-time address at which a tool registers itself."""
    here = runtime()
    asked = request.form.get("registration_url", "").strip()
    try:
        registration_address(here, asked, "")
    except Fatal as error:
        return _shown(wrong=error.message, status=400)
    token, _ = invite_tool(here, operator().school_id)
    return _shown(registration_address(here, asked, token))


@blueprint.post("/tools/add")
def add_one_tool() -> Response:
    """Let a tool in that was typed in."""
    name, login, target, keys, choosing = (request.form.get(one, "").strip() for one in FIELDS)
    redirects = tuple(request.form.get("redirect_uris", "").split())
    typed = Typed(name, login, target, keys, redirects, choosing)
    try:
        type_in(runtime(), operator().school_id, typed, _allowed())
    except Fatal as error:
        return _shown(wrong=error.message, status=400)
    return to("tools/", "tool_on")


@blueprint.post("/tools/change")
def change_one_tool() -> Response:
    """Switch a tool on or off, or change what it may."""
    action, allowed = request.form.get("action", ""), _allowed()
    told = Change(scopes=allowed.scopes, told=allowed.told)
    changes = {
        "approve": (Change(scopes=allowed.scopes, told=allowed.told, state=State.ON), "tool_on"),
        "save": (told, "tool_saved"),
        "off": (Change(state=State.OFF), "tool_off"),
        "on": (Change(state=State.ON), "tool_on"),
    }
    change, note = changes.get(action) or abort(400)
    wanted = request.form.get("tool", "")
    if not any(one.id == wanted for one in tools(runtime(), operator().school_id)):
        abort(404)
    change_tool(runtime(), operator().school_id, wanted, change)
    return to("tools/", note)


def _allowed() -> Allowed:
    ticked = set(request.form.getlist("may"))
    return Allowed("grades" in ticked, "roster" in ticked, frozenset(one for one in Told if str(one) in ticked))
