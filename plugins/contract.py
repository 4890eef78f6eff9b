"""What a plugin gives the host, and what the host gives a plugin. Nothing else passes between them.

A plugin is a package with an object of class Plugin, found by the entry point group ``kopir.plugins``. It never
sees cookies, tokens, line items or the LMS: it answers requests with values, keeps its own tables, and hands the
host results. The host owns addresses, sessions, CSRF, languages, the roster and the delivery of scores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Table
from sqlalchemy.schema import SchemaItem

from connector.base.i18n import N_, Message, say
from connector.base.ids import is_id, new_id
from connector.db.schema import metadata, ref, school_table
from connector.db.types import Instant, Json, Key, Mark

__all__ = [
    "N_",
    "Activity",
    "Dates",
    "Download",
    "Health",
    "Instant",
    "JobHandler",
    "Json",
    "Key",
    "Manifest",
    "Mark",
    "Material",
    "MaterialKind",
    "Member",
    "Message",
    "NotFound",
    "OpenTool",
    "Outcome",
    "OutsideTool",
    "Page",
    "Placed",
    "Placement",
    "Plugin",
    "Progress",
    "Redirect",
    "Reply",
    "Request",
    "ResultSeen",
    "Role",
    "Room",
    "Route",
    "Sandbox",
    "ToolChoice",
    "ToolColumn",
    "ToolScore",
    "Upload",
    "Values",
    "Viewer",
    "Visit",
    "is_id",
    "metadata",
    "new_id",
    "plugin_table",
    "ref",
    "say",
]  # fmt: skip


class Role(StrEnum):
    """Who is looking. Assistants and administrators are teachers here."""

    TEACHER = "teacher"
    PUPIL = "pupil"
    OTHER = "other"


class Progress(StrEnum):
    """How far a pupil's work on an activity is."""

    STARTED = "started"
    SUBMITTED = "submitted"
    GRADED = "graded"
    CLEARED = "cleared"


@dataclass(frozen=True)
class Manifest:
    """What the host must know before it runs anything of a plugin.

    Attributes:
        id: Lower-case letters and underscores; table names start with ``p_<id>_``.
        name: Name a teacher sees, as a marked English text.
        summary: One sentence for the picker, likewise.
        version: The plugin's own version.
        package: Folder of the package, with ``templates/``, ``static/`` and ``i18n/`` inside.
    """

    id: str
    name: str
    summary: str
    version: str
    package: Path


@dataclass(frozen=True)
class Viewer:
    """The person a launch let in. ``account_id`` is Kopir's own id; the name is for showing, never for logs."""

    account_id: str
    role: Role
    name: str
    language: str


@dataclass(frozen=True)
class Member:
    """A person of the course, as the host knows them; ``groups`` are names of the LMS's groups, where it has some."""

    account_id: str
    name: str
    role: Role
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Activity:
    """One thing a teacher placed in a course. ``settings`` are the plugin's own; ``score_maximum`` None: no mark."""

    id: str
    plugin: str
    title: str
    settings: Mapping[str, Any]
    score_maximum: Decimal | None


@dataclass(frozen=True)
class Dates:
    """When an activity can be opened and when work can be handed in, aware UTC; None where nothing was said."""

    opens_at: datetime | None = None
    closes_at: datetime | None = None
    submit_from: datetime | None = None
    submit_until: datetime | None = None

    def may_work(self, now: datetime) -> bool:
        """Tell whether a pupil may begin or go on working at an instant."""
        begins = [moment for moment in (self.opens_at, self.submit_from) if moment is not None]
        return all(now >= moment for moment in begins) and (self.ends_at is None or now <= self.ends_at)

    @property
    def begins_at(self) -> datetime | None:
        """The instant before which nobody works, or None."""
        begins = [moment for moment in (self.opens_at, self.submit_from) if moment is not None]
        return max(begins, default=None)

    @property
    def ends_at(self) -> datetime | None:
        """The instant after which nobody works, or None."""
        ends = [moment for moment in (self.closes_at, self.submit_until) if moment is not None]
        return min(ends, default=None)


@dataclass(frozen=True)
class Placement:
    """What the picker hands the host: the host makes the activity and, with a maximum, the grade column.

    Attributes:
        title: Its name in the course.
        settings: The plugin's own.
        score_maximum: Points of full work; None gives no mark and no column.
        tag: What kind of work it is for the journal.
        text: Description, plain text.
        dates: Wished dates; an LMS may take them or not. What it then says comes with every visit.
        grades_released: Whether pupils see the mark in the LMS at once; None leaves it to the LMS.
        own_window: The activity wants a window of its own, where the LMS offers one.
    """

    title: str
    settings: Mapping[str, Any]
    score_maximum: Decimal | None = None
    tag: str = ""
    text: str = ""
    dates: Dates = Dates()
    grades_released: bool | None = None
    own_window: bool = False


class MaterialKind(StrEnum):
    """What a picker may put into a course besides activities, by Deep Linking's own names."""

    LINK = "link"
    FILE = "file"
    HTML = "html"
    IMAGE = "image"


@dataclass(frozen=True)
class Material:
    """Something for the course's page that launches nothing: everybody who sees the page sees it.

    No pupil's name or work belongs in it: the LMS keeps it, and the host serves its content to whoever has the
    address. An HTML material is made harmless before it leaves.

    Attributes:
        kind: What it is; place only kinds of ``Visit.accepts``.
        title: Its name in the course.
        html: The piece of a page, for HTML.
        content: The bytes the host serves, for FILE, IMAGE and LINK; at most 5 MB.
        media_type: Of the content.
        filename: Of the content.
        text: Description, plain text.
    """

    kind: MaterialKind
    title: str
    html: str = ""
    content: bytes = b""
    media_type: str = ""
    filename: str = ""
    text: str = ""


@dataclass(frozen=True)
class Outcome:
    """A result of one pupil in one activity, in full each time: what is left out is cleared.

    Attributes:
        progress: GRADED sends the score; CLEARED takes it back.
        score_given: Points, zero or more; None while there are none.
        score_maximum: Points of full work, above zero; needed with score_given.
        finished_at: When the work was done, aware UTC; the score's time in the LMS starts from it.
        comment: Plain text for the pupil, at most 2,000 characters.
        evidence: What the portfolio shows: ``{"kind": "test" or "lab_report", "summary": …}``, with no name in it.
    """

    progress: Progress
    score_given: Decimal | None
    score_maximum: Decimal | None
    finished_at: datetime
    comment: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ResultSeen:
    """A result as the host holds it, with the state of its delivery to the LMS in a word.

    ``delivery`` is one of ``none`` (nothing to send), ``waiting``, ``delivered``, ``kept_by_teacher``, ``refused``.
    ``delivery_note`` says in the viewer's language what that means and what a teacher can do; empty while all is well,
    and in a job, where nobody looks.
    """

    id: str
    activity_id: str
    plugin: str
    title: str
    account_id: str
    progress: Progress
    score_given: Decimal | None
    score_maximum: Decimal | None
    finished_at: datetime
    comment: str
    evidence: Mapping[str, Any]
    delivery: str
    delivery_note: str = ""


@dataclass(frozen=True)
class Upload:
    """A file a person sent: distrust its name and type."""

    filename: str
    content: bytes


Values = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Request:
    """One request to a plugin's page, after the host checked session and CSRF.

    Attributes:
        method: GET or POST.
        path: The plugin's own path, without leading slash.
        args: What the route's pattern caught.
        query: Query fields.
        form: Form fields (or the fields of a JSON object, as text, under ``json``).
        json: Parsed JSON body, or None.
        files: Uploads by field.
    """

    method: str
    path: str
    args: Mapping[str, str] = field(default_factory=dict)
    query: Values = field(default_factory=dict)
    form: Values = field(default_factory=dict)
    json: Any = None
    files: Mapping[str, Upload] = field(default_factory=dict)

    def value(self, name: str, default: str = "") -> str:
        """Return the first value of a form field, or of a query field."""
        for values in (self.form.get(name), self.query.get(name)):
            if values:
                return values[0]
        return default


@dataclass(frozen=True)
class Page:
    """A page from the plugin's ``templates/``, which extend ``kopir/page.html`` (blocks title, head, body, scripts).

    In the template: ``t("English text", field=…)`` translates, ``link("path", key=value)`` makes an address,
    ``<iframe {{ frame_src("path") }}>`` a frame of the plugin's own (never ``src="{{ link(…) }}"``),
    ``static("file.js")`` one of the plugin's static files, ``form_fields()`` the hidden fields every form needs,
    ``visit`` is the Visit, ``lang`` the language. No inline script or style: the CSP refuses both.
    """

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True)
class Sandbox:
    """A document for an iframe of the plugin's own page: scripts run, with an opaque origin and no network at all.

    The template stands alone (it extends nothing) and may use ``nonce`` on its inline script and style, and
    ``inline("file.js")`` to put a static file's text inside. It speaks to its parent by postMessage only.
    """

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """A JSON answer to the plugin's own script."""

    value: Any
    status: int = 200


@dataclass(frozen=True)
class Redirect:
    """Go to another of the plugin's paths (303)."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Download:
    """A file for the person; ``filename`` may hold letters of any script."""

    filename: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Placed:
    """The picker is done: the host makes the activities and goes back to the LMS."""

    placements: tuple[Placement | Material, ...]


@dataclass(frozen=True)
class NotFound:
    """There is no such thing, or not for this person: 404 either way."""


@dataclass(frozen=True)
class OutsideTool:
    """A third-party LTI tool the school let in, as a teacher may use it.

    Attributes:
        id: The host's id, good in settings.
        name: What the school calls it.
        offers_choice: It has a page of its own in which content is chosen.
    """

    id: str
    name: str
    offers_choice: bool


@dataclass(frozen=True)
class ToolChoice:
    """One thing a teacher chose inside a third-party tool, checked by the host.

    Attributes:
        title: Its name.
        url: What the tool wants launched, or empty for its usual address.
        custom: What it wants back at each launch.
        score_maximum: Points of full work, when it gives a mark.
        resource_id: The tool's own name of it.
        tag: The tool's own label of its column.
    """

    title: str
    url: str = ""
    custom: Mapping[str, str] = field(default_factory=dict)
    score_maximum: Decimal | None = None
    resource_id: str = ""
    tag: str = ""


@dataclass(frozen=True)
class ToolScore:
    """What a tool said of one pupil in one of its columns; ``final`` tells a mark from a step on the way."""

    account_id: str
    score_given: Decimal | None
    score_maximum: Decimal | None
    final: bool
    comment: str
    at: datetime


@dataclass(frozen=True)
class ToolColumn:
    """A column a tool keeps for an activity; only that which ``goes_on`` reaches the LMS."""

    label: str
    score_maximum: Decimal
    goes_on: bool
    scores: tuple[ToolScore, ...]


@dataclass(frozen=True)
class OpenTool:
    """Open a third-party tool inside the page, as the viewer: the host launches it over LTI and keeps its marks.

    Attributes:
        tool_id: Which of ``Visit.tools()``.
        choice: What the activity holds of it; None in the picker.
        back: In the picker, the plugin's own path to which the choice comes, as the form field ``chosen``
            for ``Visit.chosen``.
    """

    tool_id: str
    choice: ToolChoice | None = None
    back: str = ""


Response = Page | Sandbox | Reply | Redirect | Download | Placed | NotFound | OpenTool


class Room(Protocol):
    """One school's room: what background jobs and pages both stand in."""

    @property
    def school_id(self) -> str:
        """The school; every statement on a plugin's table names it."""

    def now(self) -> datetime:
        """Return the present instant, aware UTC."""

    def read(self) -> AbstractContextManager[Connection]:
        """Open a transaction that cannot write."""

    def write(self) -> AbstractContextManager[Connection]:
        """Open a transaction that writes; it commits at the end. Keep it short; call nothing remote inside."""

    def activity_of(self, db: Connection, activity_id: str) -> Activity | None:
        """Return an activity of this plugin."""

    def hand_in(self, db: Connection, activity_id: str, account_id: str, outcome: Outcome) -> None:
        """Take a result inside the plugin's own transaction: result, delivery job and page commit together."""

    def results_of(self, db: Connection, account_id: str) -> Sequence[ResultSeen]:
        """Return one person's results in every activity of the school, newest first."""

    def results_in(self, db: Connection, activity_id: str) -> Sequence[ResultSeen]:
        """Return every person's result in one activity."""

    def schedule(self, db: Connection, kind: str, key: str, payload: Mapping[str, str], run_after: datetime) -> None:
        """Have the plugin's job ``kind`` run once after an instant; a second call with the same key does nothing.

        Payloads hold internal ids only, never a name or a mark.
        """

    def say(self, message: Message | str, language: str) -> str:
        """Put a message into words."""


class Visit(Room, Protocol):
    """A Room with a person in it: one request of one launch."""

    @property
    def viewer(self) -> Viewer:
        """Who is looking."""

    @property
    def activity(self) -> Activity | None:
        """The activity that was launched; None in the picker."""

    @property
    def accepts(self) -> frozenset[MaterialKind]:
        """Which materials the LMS takes; none outside the picker."""

    @property
    def dates(self) -> Dates:
        """The dates of the activity, as the LMS told them at this launch."""

    @property
    def review_of(self) -> str | None:
        """Account id of the pupil whose work the LMS asked to review (Submission Review), or None."""

    def link(self, path: str, **query: str) -> str:
        """Return the address of one of the plugin's paths in this launch."""

    def members(self) -> Sequence[Member]:
        """Return the people of the course whom Kopir knows, pupils first, by name."""

    def t(self, msgid: str, **values: object) -> str:
        """Translate into the viewer's language."""

    def tools(self) -> Sequence[OutsideTool]:
        """Return the third-party tools that are switched on in this school, by name."""

    def chosen(self, text: str) -> Sequence[ToolChoice]:
        """Return what was chosen in a tool, from the form field that came back; nothing when it is not genuine."""

    def tool_columns(self, db: Connection, activity_id: str) -> Sequence[ToolColumn]:
        """Return what third-party tools have said of an activity, the column that goes on first."""


PageHandler = Callable[[Visit, Request], Response]
JobHandler = Callable[[Room, Mapping[str, str]], None]

ANYONE = frozenset(Role)
TEACHERS = frozenset({Role.TEACHER})
PUPILS = frozenset({Role.PUPIL})


@dataclass(frozen=True)
class Route:
    """One page of a plugin.

    Attributes:
        pattern: Path under the launch, in Werkzeug's form: ``attempt/<id>/answer``; "" is the page a launch opens.
        handler: Answers it.
        methods: Methods it takes.
        roles: Who may open it; others get 403.
        in_picker: True for pages of the deep-linking picker (teachers only, no activity yet).
    """

    pattern: str
    handler: PageHandler
    methods: tuple[str, ...] = ("GET",)
    roles: frozenset[Role] = ANYONE
    in_picker: bool = False


@dataclass(frozen=True)
class Health:
    """Whether a plugin can work, and a sentence if not."""

    ok: bool
    message: Message | None = None


class Plugin(Protocol):
    """What a plugin gives the host."""

    @property
    def manifest(self) -> Manifest:
        """Name, version, folder."""

    def routes(self) -> Sequence[Route]:
        """Every page: the launch view at "", the picker at "pick" (``in_picker``), forms and the rest."""

    def jobs(self) -> Mapping[str, JobHandler]:
        """Background work by kind; each may run more than once and must do its effect once."""

    def copy_activity(self, room: Room, db: Connection, source: Activity, copy_id: str) -> Mapping[str, Any]:
        """Copy what the plugin keeps for an activity into a copy of it, and return the copy's settings.

        The course or the activity was copied in the LMS. Content goes with it; nothing of the pupils does: no work,
        no result, no date or release that was meant for them. Runs in the host's transaction, which also makes the
        activity ``copy_id``; call nothing remote.
        """

    def export_person(self, db: Connection, school_id: str, account_id: str) -> Mapping[str, Any]:
        """Return everything the plugin's tables hold about a person, as JSON values (law 94-V, article 24)."""

    def erase_person(self, db: Connection, school_id: str, account_id: str) -> int:
        """Erase or make nameless everything about a person; return how many rows were touched."""

    def health(self, db: Connection, school_id: str) -> Health:
        """Tell whether the plugin can work in this school."""


def plugin_table(plugin_id: str, name: str, *items: SchemaItem, key: tuple[str, ...] = ("id",)) -> Table:
    """Make a school-owned table ``p_<plugin>_<name>`` with its keys and policy."""
    return school_table(f"p_{plugin_id}_{name}", *items, key=key)
