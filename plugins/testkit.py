"""A test kit for plugins: a host with a real database and no web server, to drive a plugin's pages as values.

It keeps the promises of the contract (one transaction, one school, results in full) and renders the plugin's own
templates inside a bare page, so that a plugin's author needs nothing else of Kopir to test one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import ChoiceLoader, DictLoader, Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from sqlalchemy import Connection
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from connector.base.i18n import Message, catalogue, say, translate
from connector.base.ids import new_id
from connector.db.database import Database
from connector.db.tables.registry import school
from plugins.contract import (
    Activity,
    Dates,
    MaterialKind,
    Member,
    NotFound,
    Outcome,
    OutsideTool,
    Page,
    Plugin,
    Progress,
    Request,
    Response,
    ResultSeen,
    Role,
    Sandbox,
    ToolChoice,
    ToolColumn,
    Viewer,
)

_PAGE = (
    "<!doctype html><html lang={{ lang }}><title>{% block title %}{% endblock %}</title>{% block head %}{% endblock %}"
    "<body>{% block body %}{% endblock %}{% block scripts %}{% endblock %}"
)


_COMPILING = threading.Lock()


@dataclass
class Scheduled:
    """A job that a plugin asked for."""

    kind: str
    key: str
    payload: Mapping[str, str]
    run_after: datetime


@dataclass
class TestRoom:
    """A Room over a throw-away database; time stands still until ``advance``."""

    __test__ = False

    database: Database
    plugin: Plugin
    school_id: str
    time: datetime = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
    activities: dict[str, Activity] = field(default_factory=dict)
    people: list[Member] = field(default_factory=list)
    results: list[ResultSeen] = field(default_factory=list)
    scheduled: list[Scheduled] = field(default_factory=list)
    outside_tools: list[OutsideTool] = field(default_factory=list)
    choices: dict[str, Sequence[ToolChoice]] = field(default_factory=dict)
    columns: dict[str, Sequence[ToolColumn]] = field(default_factory=dict)

    def advance(self, **delta: float) -> None:
        """Move the clock: ``advance(minutes=10)``."""
        self.time += timedelta(**delta)

    def now(self) -> datetime:
        """Return the kit's time."""
        return self.time

    def read(self) -> AbstractContextManager[Connection]:
        """Open a reading transaction."""
        return self.database.school(self.school_id, write=False)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a writing transaction; results handed in inside it vanish with it when it fails."""
        before = list(self.results), list(self.scheduled)
        try:
            with self.database.school(self.school_id) as connection:
                yield connection
        except BaseException:
            self.results, self.scheduled = before
            raise

    def activity_of(self, db: Connection, activity_id: str) -> Activity | None:
        """Return an activity the test placed."""
        return self.activities.get(activity_id)

    def place(self, title: str, settings: Mapping[str, Any], score_maximum: Any = None) -> Activity:
        """Place an activity as the host would after the picker."""
        activity = Activity(new_id(), self.plugin.manifest.id, title, settings, score_maximum)
        self.activities[activity.id] = activity
        return activity

    def copy(self, activity: Activity) -> Activity:
        """Copy an activity as the host does after the LMS copied its course."""
        copy_id = new_id()
        with self.write() as db:
            settings = dict(self.plugin.copy_activity(self, db, activity, copy_id))
        self.activities[copy_id] = replace(activity, id=copy_id, settings=settings)
        return self.activities[copy_id]

    def hand_in(self, db: Connection, activity_id: str, account_id: str, outcome: Outcome) -> None:
        """Keep the newest outcome of each person and activity."""
        activity = self.activities[activity_id]
        old = [r for r in self.results if (r.activity_id, r.account_id) == (activity_id, account_id)]
        sends = activity.score_maximum is not None and outcome.progress in (Progress.GRADED, Progress.CLEARED)
        seen = ResultSeen(
            old[0].id if old else new_id(),
            activity_id,
            activity.plugin,
            activity.title,
            account_id,
            outcome.progress,
            outcome.score_given,
            outcome.score_maximum,
            outcome.finished_at,
            outcome.comment,
            outcome.evidence,
            "waiting" if sends else "none",
        )
        self.results = [r for r in self.results if r not in old] + [seen]

    def results_of(self, db: Connection, account_id: str) -> Sequence[ResultSeen]:
        """Return a person's results, newest first."""
        mine = [r for r in self.results if r.account_id == account_id]
        return sorted(mine, key=lambda r: r.finished_at, reverse=True)

    def results_in(self, db: Connection, activity_id: str) -> Sequence[ResultSeen]:
        """Return the results of an activity."""
        return [r for r in self.results if r.activity_id == activity_id]

    def schedule(self, db: Connection, kind: str, key: str, payload: Mapping[str, str], run_after: datetime) -> None:
        """Note a job, once per key."""
        if all((job.kind, job.key) != (kind, key) for job in self.scheduled):
            self.scheduled.append(Scheduled(kind, key, payload, run_after))

    def run_due_jobs(self) -> int:
        """Run what is due by the kit's clock; return how many."""
        due = [job for job in self.scheduled if job.run_after <= self.time]
        self.scheduled = [job for job in self.scheduled if job not in due]
        for job in due:
            self.plugin.jobs()[job.kind](self, job.payload)
        return len(due)

    def say(self, message: Message | str, language: str) -> str:
        """Translate."""
        return translate(message, language)

    def person(self, name: str, role: Role = Role.PUPIL) -> Member:
        """Add a person to the course."""
        member = Member(new_id(), name, role)
        self.people.append(member)
        return member

    def visit(
        self, member: Member, activity: Activity | None = None, language: str = "en", review_of: str | None = None
    ) -> TestVisit:
        """Let a person in; set ``accepts`` and ``dates`` of the visit where a test needs them."""
        return TestVisit(self, Viewer(member.account_id, member.role, member.name, language), activity, review_of)


class TestVisit:
    """A Visit over a TestRoom, and the browser's part: ``get`` and ``post`` drive the plugin's routes."""

    __test__ = False

    def __init__(self, room: TestRoom, viewer: Viewer, activity: Activity | None, review_of: str | None) -> None:
        """Stand in a room as one person."""
        self._room = room
        self.viewer = viewer
        self.activity = activity
        self.review_of = review_of
        self.accepts: frozenset[MaterialKind] = frozenset()
        self.dates = Dates()

    def __getattr__(self, name: str) -> Any:
        """Everything else is the room's."""
        return getattr(self._room, name)

    def link(self, path: str, **query: str) -> str:
        """Return an address a template can show."""
        return f"/l/test/{path}" + (f"?{urlencode(query)}" if query else "")

    def members(self) -> Sequence[Member]:
        """Return the people of the course, pupils first, by name."""
        return sorted(self._room.people, key=lambda m: (m.role is not Role.PUPIL, m.name))

    def t(self, msgid: str, **values: object) -> str:
        """Translate into the viewer's language."""
        return translate(say(msgid, **values), self.viewer.language)

    def tools(self) -> Sequence[OutsideTool]:
        """Return the third-party tools the test let in."""
        return self._room.outside_tools

    def chosen(self, text: str) -> Sequence[ToolChoice]:
        """Return the choice the test put under this text; nothing for any other."""
        return self._room.choices.get(text, ())

    def tool_columns(self, db: Connection, activity_id: str) -> Sequence[ToolColumn]:
        """Return the columns the test put under an activity."""
        return self._room.columns.get(activity_id, ())

    def get(self, path: str = "", **query: str) -> Response:
        """Open a page."""
        return self._open(Request("GET", path, query={name: [value] for name, value in query.items()}))

    def post(self, path: str, form: Mapping[str, str] | None = None, json: Any = None, **more: Any) -> Response:
        """Send a form, or a JSON body."""
        fields = {name: [value] for name, value in (form or {}).items()}
        return self._open(Request("POST", path, form=fields, json=json, files=more.get("files", {})))

    def _open(self, request: Request) -> Response:
        rules = [
            Rule(f"/{route.pattern}", endpoint=route, methods=route.methods) for route in self._room.plugin.routes()
        ]
        # Routes are compiled through Python's own parser, which some versions let only one thread use at a time.
        with _COMPILING:
            routes = Map(rules, strict_slashes=False)
        try:
            route, args = routes.bind("test").match(f"/{request.path}", request.method)
        except HTTPException:
            return NotFound()
        if self.viewer.role not in route.roles:
            raise PermissionError(route.pattern)
        answer: Response = route.handler(self, replace(request, args=args))
        if isinstance(answer, Page | Sandbox):
            self.html(answer)
        return answer

    def html(self, page: Page | Sandbox) -> str:
        """Render a page of the plugin; undefined names are errors."""
        package = self._room.plugin.manifest.package
        environment = Environment(
            loader=ChoiceLoader([FileSystemLoader(package / "templates"), DictLoader({"kopir/page.html": _PAGE})]),
            autoescape=True,
            undefined=StrictUndefined,
        )
        environment.globals.update(
            visit=self,
            lang=self.viewer.language,
            t=self.t,
            link=self.link,
            frame_src=lambda path, **query: Markup('src="{}"').format(self.link(path, **query)),
            form_fields=lambda: "",
            nonce="n",
            static=lambda name: f"/static/{name}",
            inline=lambda name: Markup((package / "static" / name).read_text("utf-8")),  # noqa: S704
        )
        return environment.get_template(page.template).render(**page.values)


def make_room(plugin: Plugin, folder: Path) -> TestRoom:
    """Make a room for a plugin with a fresh database in ``folder`` and one school in it."""
    catalogue.add(plugin.manifest.package / "i18n")
    database = Database(f"sqlite:///{folder / 'kit.sqlite3'}")
    database.create_all()
    school_id = new_id()
    room = TestRoom(database, plugin, school_id)
    with database.service() as connection:
        values = {"id": school_id, "code": "kit", "name": "Kit", "sealed_key": "", "created_at": room.time}
        connection.execute(school.insert().values(values))
    return room
