"""The tools a school lets in, as rows: found by client id above schools, kept and changed inside one school."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from connector.base.clock import Clock
from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.base.ids import is_id, new_id
from connector.base.secrets import fingerprint, new_token
from connector.db.database import Database
from connector.db.tables.tools import outside_tool, platform_spent
from connector.db.upsert import upsert
from connector.host.registry import origin_of
from connector.host.runtime import Runtime
from lti.platform.records import RegisteredTool

DEPLOYMENT = "1"
"""A tool has one placement per school; its client id is the school's own."""


class State(StrEnum):
    """Whether a tool works."""

    PENDING = "pending"
    ON = "on"
    OFF = "off"


class Told(StrEnum):
    """What of a person and a course a school may let a tool know; without any, a pseudonym and a role."""

    NAME = "name"
    COURSE = "course"
    LANGUAGE = "language"


USUAL = frozenset({Told.COURSE, Told.LANGUAGE})


@dataclass(frozen=True)
class SchoolTool(RegisteredTool):
    """A registered tool and the school it belongs to.

    Attributes:
        id: Our id.
        school_id: The school that let it in; nothing it does reaches another.
        state: Only a tool that is on gets launches, tokens and answers.
        told: What it may know of people and courses.
        custom: Parameters that go with each launch.
        frame_origins: Further origins whose pages it may show in our frame.
        private_hosts: Hosts inside private networks that it may be reached at.
    """

    id: str = ""
    school_id: str = ""
    state: State = State.PENDING
    told: frozenset[Told] = frozenset()
    custom: Mapping[str, str] = field(default_factory=dict)
    frame_origins: tuple[str, ...] = ()
    private_hosts: tuple[str, ...] = ()

    @property
    def origins(self) -> frozenset[str]:
        """Return the origins its pages come from."""
        addresses = (self.login_url, self.target_link_uri, self.deep_linking_url or "", *self.redirect_uris)
        return frozenset({origin_of(url) for url in addresses if url}) | frozenset(self.frame_origins)


def tool_of(row: Any) -> SchoolTool:
    """Return a row as a tool."""
    return SchoolTool(
        client_id=row.client_id,
        deployment_id=DEPLOYMENT,
        name=row.name,
        login_url=row.login_url,
        redirect_uris=tuple(row.redirect_uris),
        target_link_uri=row.target_link_uri,
        deep_linking_url=row.deep_linking_url,
        jwks_url=row.jwks_url,
        scopes=frozenset(row.scopes),
        id=row.id,
        school_id=row.school_id,
        state=State(row.state),
        told=frozenset(Told(one) for one in row.claims),
        custom=row.custom,
        frame_origins=tuple(row.frame_origins),
        private_hosts=tuple(row.private_hosts),
    )


class ToolTable:
    """Find tools that are on, by client id; implements ``lti.platform.records.ToolStore``.

    Read anew at every call: a tool that was switched off a moment ago gets nothing more.
    """

    def __init__(self, database: Database) -> None:
        """Read through the service role."""
        self._database = database

    def find_tool(self, client_id: str) -> SchoolTool | None:
        """Return the tool, when its school has it switched on."""
        found = self.known(client_id)
        return found if found is not None and found.state is State.ON else None

    def known(self, client_id: str) -> SchoolTool | None:
        """Return the tool, whatever its state."""
        if not client_id or len(client_id) > 100 or not client_id.isascii() or "\x00" in client_id:
            return None
        with self._database.service(write=False) as db:
            row = db.execute(select(outside_tool).where(outside_tool.c.client_id == client_id)).first()
        return None if row is None else tool_of(row)


class Spent:
    """What was used up, across processes; implements ``lti.platform.records.OnceStore``."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Write through the service role."""
        self._database = database
        self._clock = clock

    def spend(self, kind: str, value: str, until: datetime) -> bool:
        """Use a value up; False when it was used before. What nobody could use any more is forgotten on the way."""
        row = {"kind": kind[:200], "value_hash": fingerprint(value), "until": until}
        try:
            with self._database.service() as db:
                db.execute(platform_spent.delete().where(platform_spent.c.until < self._clock()))
                db.execute(platform_spent.insert().values(row))
        except IntegrityError:
            return False
        return True


@dataclass(frozen=True)
class Change:
    """What an administrator says of a tool; None leaves a thing as it is."""

    name: str | None = None
    scopes: frozenset[str] | None = None
    told: frozenset[Told] | None = None
    frame_origins: tuple[str, ...] | None = None
    state: State | None = None


def add_tool(runtime: Runtime, school_id: str, tool: RegisteredTool, **more: Any) -> SchoolTool:
    """Let a tool in under a new client id, and return it.

    Args:
        runtime: The process.
        school_id: The school.
        tool: What it is; its client id and deployment are made here.
        more: ``state``, ``told``, ``custom``, ``frame_origins``, ``private_hosts``, as in `SchoolTool`.
    """
    now = runtime.clock()
    values = {
        "school_id": school_id, "id": new_id(), "client_id": new_token(), "name": tool.name,
        "login_url": tool.login_url, "redirect_uris": list(tool.redirect_uris),
        "target_link_uri": tool.target_link_uri, "deep_linking_url": tool.deep_linking_url,
        "jwks_url": tool.jwks_url or "", "frame_origins": list(more.get("frame_origins", ())),
        "private_hosts": list(more.get("private_hosts", ())), "custom": dict(more.get("custom") or {}),
        "scopes": sorted(tool.scopes), "claims": sorted(more.get("told", USUAL)),
        "state": str(more.get("state", State.PENDING)), "created_at": now, "changed_at": now,
    }  # fmt: skip
    with runtime.database.school(school_id) as db:
        row = upsert(db, outside_tool, values, ("client_id",))
    runtime.registry.forget()
    return tool_of(row)


def tools(runtime: Runtime, school_id: str, *states: State) -> list[SchoolTool]:
    """Return a school's tools by name; in some states when they are named."""
    query = select(outside_tool).where(outside_tool.c.school_id == school_id)
    if states:
        query = query.where(outside_tool.c.state.in_([str(state) for state in states]))
    with runtime.database.school(school_id, write=False) as db:
        return [tool_of(row) for row in db.execute(query.order_by(outside_tool.c.name, outside_tool.c.id))]


def find_tool(db: Connection, school_id: str, tool_id: str) -> SchoolTool | None:
    """Return a tool of a school by our id."""
    if not is_id(tool_id):
        return None
    query = select(outside_tool).where(outside_tool.c.school_id == school_id, outside_tool.c.id == tool_id)
    row = db.execute(query).first()
    return None if row is None else tool_of(row)


def change_tool(runtime: Runtime, school_id: str, tool_id: str, change: Change) -> SchoolTool:
    """Bring a tool to what its school says; a tool switched off gets nothing from this moment on.

    Raises:
        Fatal: The school has no such tool (``no_tool``).
    """
    given = {
        "name": change.name, "scopes": _sorted(change.scopes), "claims": _sorted(change.told),
        "frame_origins": None if change.frame_origins is None else list(change.frame_origins),
        "state": None if change.state is None else str(change.state),
    }  # fmt: skip
    values = {name: value for name, value in given.items() if value is not None}
    with runtime.database.school(school_id) as db:
        if find_tool(db, school_id, tool_id) is None:
            raise no_tool(tool_id)
        mine = (outside_tool.c.school_id == school_id) & (outside_tool.c.id == tool_id)
        db.execute(outside_tool.update().where(mine).values(**values, changed_at=runtime.clock()))
        changed = find_tool(db, school_id, tool_id)
    runtime.registry.forget()
    if changed is None:
        raise no_tool(tool_id)
    return changed


def no_tool(tool_id: str) -> Fatal:
    """Say that a school has no such tool."""
    return Fatal("no_tool", say(N_("This school has no tool {id}; `kopir lti tools list` shows them."), id=tool_id))


def _sorted(values: frozenset[Any] | None) -> list[str] | None:
    return None if values is None else sorted(str(value) for value in values)
