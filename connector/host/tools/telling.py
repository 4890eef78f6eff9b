"""What a tool is told at a launch: a pseudonym, a role, and of person and course only what the school allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.db.tables.launches import context as context_table
from connector.db.tables.tools import tool_line_item
from connector.host.launches import Session, deep_linking_of, session_of
from connector.host.runtime import Runtime
from connector.host.tools.launching import GRADES, SITTING, link_row
from connector.host.tools.platform import BASE, facts
from connector.host.tools.records import SchoolTool, Told
from connector.host.tools.subjects import remember, school_key
from lti.platform.authorisation import Authorised
from lti.platform.messages import Course, DeepLinkingSettings, Message, Person, ResourceLink, Services
from lti.vocab import ROLE_INSTRUCTOR, ROLE_LEARNER, MessageType, Scope
from plugins.contract import Role

CHOICE = "tool-choice"
_ROLES = {Role.TEACHER: (ROLE_INSTRUCTOR,), Role.PUPIL: (ROLE_LEARNER,), Role.OTHER: ()}


def message_for(runtime: Runtime, authorised: Authorised) -> Message:
    """Make the message of a checked authorisation request from what is stored.

    Raises:
        Fatal: The launch that began it is over, or the tool was switched off meanwhile.
    """
    about, tool = authorised.intent.about, authorised.tool
    session = session_of(runtime, about["school"], about["launch"])
    if session is None or not isinstance(tool, SchoolTool) or tool.school_id != about["school"]:
        raise Fatal("launch_over", say(N_("This page stood open too long. Open the activity again from your course.")))
    key = school_key(runtime, tool.school_id)
    with runtime.database.school(tool.school_id) as db:
        subject = remember(db, tool, key, [str(session.account_id)])[str(session.account_id)]
        course = _course(db, tool, session)
        link = link_row(db, tool.school_id, about["link"]) if about["link"] else None
        title = _title(db, tool.school_id, link.activity) if link else ""
    shared: dict[str, Any] = {
        "person": _person(tool, session, subject),
        "course": course,
        "presentation": _presentation(tool, session),
        "platform": {"guid": facts(runtime).issuer, "product_family_code": "kopir", "name": "Kopir"},
    }
    if link is None:
        return Message(
            MessageType.DEEP_LINKING, settings=_settings(runtime, session, about), custom=tool.custom, **shared
        )
    return Message(
        MessageType.RESOURCE_LINK,
        link=ResourceLink(link.id, title),
        services=Services() if session.details.get("test_user") else _services(runtime, tool, course.id, link.id),
        custom={**tool.custom, **link.custom},
        **shared,
    )


def _person(tool: SchoolTool, session: Session, subject: str) -> Person:
    name = session.viewer_name if Told.NAME in tool.told else ""
    return Person(subject, _ROLES[session.role], name=name)


def _presentation(tool: SchoolTool, session: Session) -> dict[str, str]:
    told = {"locale": session.language} if Told.LANGUAGE in tool.told else {}
    return {"document_target": "iframe", **told}


def _course(db: Connection, tool: SchoolTool, session: Session) -> Course:
    mine = (context_table.c.school_id == session.school_id) & (context_table.c.id == session.context)
    row = db.execute(select(context_table.c.label, context_table.c.title).where(mine)).first()
    if row is None or Told.COURSE not in tool.told:
        return Course(str(session.context), "", "")
    return Course(str(session.context), row.label, row.title)


def _title(db: Connection, school_id: str, activity_id: str) -> str:
    from connector.host.rooms import find_activity

    found = find_activity(db, school_id, activity_id)
    return found.title if found else ""


def _services(runtime: Runtime, tool: SchoolTool, context: str, link: str) -> Services:
    granted = tuple(str(scope) for scope in GRADES if scope in tool.scopes)
    own = column_url(runtime, context, link) if granted and _has_column(runtime, tool, link) else ""
    return Services(
        scopes=granted,
        lineitems=columns_url(runtime, context) if granted else "",
        lineitem=own,
        memberships=members_url(runtime, context) if Scope.MEMBERSHIP_READONLY in tool.scopes else "",
    )


def _has_column(runtime: Runtime, tool: SchoolTool, link: str) -> bool:

    mine = (tool_line_item.c.school_id == tool.school_id) & (tool_line_item.c.id == link)
    with runtime.database.school(tool.school_id, write=False) as db:
        return db.execute(select(tool_line_item.c.id).where(mine)).first() is not None


def columns_url(runtime: Runtime, context: str) -> str:
    """Return the address of a course's columns."""
    return f"{runtime.settings.public_url}{BASE}/ags/{context}/lineitems"


def column_url(runtime: Runtime, context: str, column_id: str) -> str:
    """Return the address of one column."""
    return f"{columns_url(runtime, context)}/{column_id}"


def members_url(runtime: Runtime, context: str) -> str:
    """Return the address of a course's roster."""
    return f"{runtime.settings.public_url}{BASE}/nrps/{context}/memberships"


def _settings(runtime: Runtime, session: Session, about: Mapping[str, str]) -> DeepLinkingSettings:
    upstream = deep_linking_of(session)
    multiple = upstream.accept_multiple if upstream else False
    kept = {name: about[name] for name in ("school", "launch", "back", "handle", "browser")}
    value = {**kept, "multiple": multiple}
    return DeepLinkingSettings(
        return_url=f"{runtime.settings.public_url}{BASE}/choice",
        targets=("iframe", "window"),
        accept_multiple=multiple,
        accept_line_item=True,
        data=runtime.signer(CHOICE).sign(value, SITTING.total_seconds()),
    )
