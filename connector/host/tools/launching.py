"""A launch outward: from a page of ours into a school's third-party tool, as a pseudonym.

The way: our page posts the login form into a frame (or a window) → the tool sends the browser to ``/platform/auth``
→ what was begun is found by the signed hint, the browser by a cookie of this one launch → the message is made from
what is stored, and goes only to an address the tool registered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.base.ids import new_id
from connector.base.secrets import fingerprint, new_token
from connector.db.tables.tools import tool_link
from connector.db.upsert import upsert
from connector.host.launches import Session, session_of
from connector.host.runtime import Runtime
from connector.host.tools.columns import make_own_column
from connector.host.tools.platform import BASE, platform_of
from connector.host.tools.records import SchoolTool, Spent, State, find_tool
from lti.platform.grades import LineItem
from lti.platform.hints import Intent
from lti.platform.platform import target_of
from lti.platform.records import BrowserSession, FormPost
from lti.vocab import MessageType, Scope
from plugins.contract import Activity, OpenTool

COOKIE = "kopir_tool_"
PATH = f"{BASE}/"
SITTING = timedelta(hours=2)
WINDOW = timedelta(minutes=30)
_WINDOW = "tool-window"
GRADES = (Scope.LINEITEM, Scope.LINEITEM_READONLY, Scope.RESULT_READONLY, Scope.SCORE)


@dataclass(frozen=True)
class Opening:
    """What is opened: an activity of a tool by its link, or the tool's own choosing, with the path it comes back to."""

    tool: SchoolTool
    link: str = ""
    back: str = ""


@dataclass(frozen=True)
class Begun:
    """A launch that was begun: the form to post, and the cookie that binds it to this browser."""

    opening: Opening
    form: FormPost
    cookie: str
    secret: str = field(repr=False)
    window_url: str = field(repr=False)


def prepare(runtime: Runtime, session: Session, placed: Activity | None, asked: OpenTool) -> Opening:
    """Find the tool a plugin wants opened, and keep where it stands: its link in this course, and its own column.

    Raises:
        Fatal: The tool is off or gone (``tool_off``), or the launch names no person or course (``tool_needs_person``).
    """
    if session.account_id is None or session.context is None:
        text = N_("This page needs to know who you are and in which course. Open it from your course, signed in.")
        raise Fatal("tool_needs_person", say(text))
    with runtime.database.school(session.school_id) as db:
        tool = find_tool(db, session.school_id, asked.tool_id)
        if tool is None or tool.state is not State.ON:
            raise tool_off()
        if placed is None:
            return Opening(tool, back=asked.back)
        link = _link(runtime, db, session, tool, placed, asked)
    return Opening(tool, link)


def _link(
    runtime: Runtime, db: Connection, session: Session, tool: SchoolTool, placed: Activity, asked: OpenTool
) -> str:
    choice, now = asked.choice, runtime.clock()
    url, custom = (choice.url, dict(choice.custom)) if choice else ("", {})
    values = {
        "school_id": session.school_id, "id": new_id(), "tool": tool.id, "activity": placed.id,
        "context": session.context, "url": url, "custom": custom, "seen_at": now,
    }  # fmt: skip
    row = upsert(db, tool_link, values, ("school_id", "tool", "activity", "context"), keep=("id",))
    if placed.score_maximum is not None and not tool.scopes.isdisjoint(GRADES):
        own = LineItem(
            label=placed.title[:255],
            maximum=(choice.score_maximum if choice else None) or placed.score_maximum or Decimal(100),
            resource_id=choice.resource_id if choice else "",
            tag=choice.tag if choice else "",
        )
        make_own_column(db, tool, row.id, str(session.context), own, now)
    return str(row.id)


def begin(runtime: Runtime, session: Session, opening: Opening) -> Begun:
    """Begin a launch: sign what is meant, for one browser and one use."""
    handle, secret = new_token(), new_token()
    tool, platform = opening.tool, platform_of(runtime)
    kind = MessageType.RESOURCE_LINK if opening.link else MessageType.DEEP_LINKING
    about = {
        "school": session.school_id, "launch": session.launch_id, "link": opening.link, "back": opening.back,
        "handle": handle, "browser": fingerprint(secret),
    }  # fmt: skip
    target = target_of(tool, kind, _url(runtime, session.school_id, opening.link))
    browser = BrowserSession(handle, secret)
    intent = Intent(tool.client_id, kind, target, about)
    form = platform.login_form(tool, intent, browser, platform.make_hint(intent, browser))
    return Begun(opening, form, cookie_of(handle), secret, _window_url(runtime, session, opening))


def cookie_of(handle: str) -> str:
    """Return the name of the cookie of one launch outward."""
    return COOKIE + "".join(mark for mark in handle[:16] if mark.isalnum() or mark in "-_")


def _url(runtime: Runtime, school_id: str, link: str) -> str:
    if not link:
        return ""
    with runtime.database.school(school_id, write=False) as db:
        row = link_row(db, school_id, link)
    return row.url if row else ""


def link_row(db: Connection, school_id: str, link: str) -> Any:
    """Return the row of an activity's link, or None."""
    query = select(tool_link).where(tool_link.c.school_id == school_id, tool_link.c.id == link)
    return db.execute(query).first()


def _window_url(runtime: Runtime, session: Session, opening: Opening) -> str:
    value = {
        "id": new_id(), "s": session.school_id, "l": session.launch_id, "t": opening.tool.id, "k": opening.link,
        "b": opening.back,
    }  # fmt: skip
    return f"{BASE}/open?ticket={runtime.signer(_WINDOW).sign(value, WINDOW.total_seconds())}"


def from_window(runtime: Runtime, ticket: str) -> tuple[Session, Opening]:
    """Spend the one-use address of a new window, where none of the frame's cookies live.

    Raises:
        Fatal: It is over, was used, or the tool is off.
    """
    value = runtime.signer(_WINDOW).read(ticket) if ticket.isascii() and ticket.count(".") == 1 else None
    session = session_of(runtime, value["s"], value["l"]) if value else None
    once = Spent(runtime.database, runtime.clock)
    if value is None or session is None or not once.spend("window", value["id"], runtime.clock() + WINDOW):
        text = N_("This window was opened before, or the page stood open too long. Open the activity again.")
        raise Fatal("window_over", say(text))
    with runtime.database.school(session.school_id, write=False) as db:
        tool = find_tool(db, session.school_id, value["t"])
    if tool is None or tool.state is not State.ON:
        raise tool_off()
    return session, Opening(tool, value["k"], value["b"])


def tool_off() -> Fatal:
    """Say that a tool does not work (any more)."""
    return Fatal("tool_off", say(N_("Your school has switched this tool off. Marks it gave before are kept.")))
