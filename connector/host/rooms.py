"""The host's side of the plugin contract: a school's room, and one person's visit in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, select

from connector.base.i18n import Message, say, translate
from connector.base.ids import new_id
from connector.db.tables.launches import account, activity, launch, resource_link
from connector.db.tables.launches import result as result_table
from connector.db.types import canonical, dump_json
from connector.db.upsert import upsert
from connector.host.groups import groups_of
from connector.host.launches import Session, deep_linking_of
from connector.host.runtime import Runtime
from connector.host.tools.choosing import read_chosen
from connector.host.tools.shown import outside_tools, tool_columns
from lti.tool.variables import dates_of
from plugins.contract import (
    Activity,
    Dates,
    MaterialKind,
    Member,
    Outcome,
    OutsideTool,
    Placement,
    Progress,
    ResultSeen,
    Role,
    ToolChoice,
    ToolColumn,
    Viewer,
)
from sync.jobs.queue import put
from sync.scores.requests import enqueue_delivery, state_word
from sync.scores.view import ScoreLine, of_results
from sync.scores.words import Standing, sentence

PLUGIN_JOB = "plugin_job"


class SchoolRoom:
    """One school's room for one plugin; implements ``plugins.contract.Room``."""

    def __init__(self, runtime: Runtime, school_id: str, plugin_id: str) -> None:
        """Stand in a school as a plugin."""
        self._runtime = runtime
        self._school_id = school_id
        self._plugin_id = plugin_id
        self._has_work = False

    @property
    def school_id(self) -> str:
        """The school."""
        return self._school_id

    def now(self) -> datetime:
        """Return the present instant."""
        return self._runtime.clock()

    def read(self) -> AbstractContextManager[Connection]:
        """Open a transaction that cannot write."""
        return self._runtime.database.school(self._school_id, write=False)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that writes; workers are woken after it has committed."""
        self._has_work = False
        with self._runtime.database.school(self._school_id) as db:
            yield db
        if self._has_work:
            self._runtime.doorbell.ring()

    def activity_of(self, db: Connection, activity_id: str) -> Activity | None:
        """Return an activity of this plugin."""
        return find_activity(db, self._school_id, activity_id, self._plugin_id)

    def hand_in(self, db: Connection, activity_id: str, account_id: str, outcome: Outcome) -> None:
        """Write the result and the job that delivers it, in the caller's transaction.

        Raises:
            LookupError: The activity is not this plugin's.
            ValueError: The score is below zero, has no maximum, or the time has no zone.
        """
        placed = self.activity_of(db, activity_id)
        if placed is None:
            raise LookupError("no such activity of this plugin")
        _check_outcome(outcome)
        row = _write_result(db, self._school_id, activity_id, account_id, outcome)
        if placed.score_maximum is not None and outcome.progress in (Progress.GRADED, Progress.CLEARED):
            enqueue_delivery(db, self._school_id, row.id)
            self._has_work = True

    def results_of(self, db: Connection, account_id: str) -> Sequence[ResultSeen]:
        """Return one person's results, newest first."""
        return self._results(db, result_table.c.account == account_id)

    def results_in(self, db: Connection, activity_id: str) -> Sequence[ResultSeen]:
        """Return every result in one activity."""
        return self._results(db, result_table.c.activity == activity_id)

    def _results(self, db: Connection, condition: Any) -> list[ResultSeen]:
        query = (
            select(result_table, activity.c.plugin, activity.c.title, activity.c.score_maximum.label("column_maximum"))
            .join(
                activity,
                (activity.c.school_id == result_table.c.school_id) & (activity.c.id == result_table.c.activity),
            )
            .where(result_table.c.school_id == self._school_id, condition)
            .order_by(result_table.c.finished_at.desc(), result_table.c.id)
        )
        rows = db.execute(query).all()
        scores = of_results(db, self._school_id, [row.id for row in rows])
        return [_seen(row, scores.get(row.id), self._note_on) for row in rows]

    def _note_on(self, line: ScoreLine) -> str:
        """Return what a score's state means, for whoever looks: nobody does in a job."""
        return ""

    def schedule(self, db: Connection, kind: str, key: str, payload: Mapping[str, str], run_after: datetime) -> None:
        """Put a job of this plugin into the queue, in the caller's transaction."""
        body = {"plugin": self._plugin_id, "kind": kind, "payload": dump_json(dict(payload))}
        put(db, self._school_id, PLUGIN_JOB, f"{self._plugin_id}:{kind}:{key}", body, run_after=run_after)
        self._has_work = True

    def say(self, message: Message | str, language: str) -> str:
        """Put a message into words."""
        return translate(message, language)


class LaunchVisit(SchoolRoom):
    """One request of one launch; implements ``plugins.contract.Visit``."""

    def __init__(
        self,
        runtime: Runtime,
        session: Session,
        plugin_id: str,
        placed: Activity | None,
        link: Callable[..., str],
    ) -> None:
        """Let the session's person into a plugin's room."""
        super().__init__(runtime, session.school_id, plugin_id)
        self._session = session
        self._activity = placed
        self._link = link

    @property
    def viewer(self) -> Viewer:
        """Who is looking."""
        session = self._session
        return Viewer(session.account_id or "", session.role, session.viewer_name, session.language)

    @property
    def activity(self) -> Activity | None:
        """The activity that was launched."""
        return self._activity

    @property
    def accepts(self) -> frozenset[MaterialKind]:
        """Which materials the LMS takes back from the picker."""
        settings = deep_linking_of(self._session)
        taken = frozenset() if settings is None else settings.accept_types
        return frozenset(kind for kind in MaterialKind if kind in taken)

    @property
    def dates(self) -> Dates:
        """The activity's dates, as the LMS filled them in at this launch."""
        told = dates_of(self._session.details.get("variables") or {})
        return Dates(told.available_from, told.available_until, told.submit_from, told.submit_until)

    @property
    def review_of(self) -> str | None:
        """The pupil whose work the LMS asked to review."""
        sub = self._session.details.get("for_user")
        if sub is None:
            return None
        with self.read() as db:
            return _account_by_sub(db, self._session, sub)

    def link(self, path: str, **query: str) -> str:
        """Return the address of one of the plugin's paths."""
        return self._link(path, **query)

    def members(self) -> Sequence[Member]:
        """Return the people who were seen in this course, pupils first, by name."""
        with self.read() as db:
            return _members(db, self._school_id, self._session.context)

    def _note_on(self, line: ScoreLine) -> str:
        """Return what a state that is not simply well means, in the viewer's language."""
        if not line.reason and line.standing in (Standing.NONE, Standing.WAITING, Standing.DELIVERED):
            return ""
        return translate(sentence(line.standing, line.reason), self._session.language)

    def t(self, msgid: str, **values: object) -> str:
        """Translate into the viewer's language."""
        return translate(say(msgid, **values), self._session.language)

    def tools(self) -> Sequence[OutsideTool]:
        """Return the third-party tools that are switched on in this school."""
        return outside_tools(self._runtime, self._school_id)

    def chosen(self, text: str) -> Sequence[ToolChoice]:
        """Return what was chosen in a tool during this launch."""
        return read_chosen(self._runtime, self._session.launch_id, text)

    def tool_columns(self, db: Connection, activity_id: str) -> Sequence[ToolColumn]:
        """Return what third-party tools have said of an activity of this plugin."""
        if self.activity_of(db, activity_id) is None:
            return ()
        return tool_columns(db, self._school_id, activity_id)


def find_activity(db: Connection, school_id: str, activity_id: str, plugin_id: str | None = None) -> Activity | None:
    """Return an activity that was not removed, of one plugin when it is named."""
    query = select(activity).where(
        activity.c.school_id == school_id, activity.c.id == activity_id, activity.c.removed_at.is_(None)
    )
    if plugin_id is not None:
        query = query.where(activity.c.plugin == plugin_id)
    row = db.execute(query).first()
    return None if row is None else to_activity(row)


def to_activity(row: Row[Any]) -> Activity:
    """Return a row of the table as plugins see it."""
    maximum = None if row.score_maximum is None else Decimal(row.score_maximum)
    return Activity(row.id, row.plugin, row.title, row.settings, maximum)


def make_activity(
    db: Connection, session: Session, plugin_id: str, placement: Placement, now: datetime, activity_id: str = ""
) -> Activity:
    """Make an activity from what the picker placed; its id may have been given out before."""
    activity_id = activity_id or new_id()
    maximum = placement.score_maximum
    values = {
        "school_id": session.school_id, "id": activity_id, "plugin": plugin_id, "context": session.context,
        "title": placement.title, "settings": dict(placement.settings),
        "score_maximum": None if maximum is None else canonical(maximum), "tag": placement.tag,
        "created_by": session.account_id, "created_at": now,
    }  # fmt: skip
    db.execute(activity.insert().values(values))
    return Activity(activity_id, plugin_id, placement.title, placement.settings, maximum)


def _check_outcome(outcome: Outcome) -> None:
    if outcome.finished_at.tzinfo is None:
        raise ValueError("finished_at needs its time zone")
    if not all(number is None or number.is_finite() for number in (outcome.score_given, outcome.score_maximum)):
        raise ValueError("a score is a finite number")
    if outcome.score_given is not None:
        if outcome.score_maximum is None or outcome.score_maximum <= 0:
            raise ValueError("a score needs its maximum, above zero")
        if outcome.score_given < 0:
            raise ValueError("a score is zero or more")


def _write_result(db: Connection, school_id: str, activity_id: str, account_id: str, outcome: Outcome) -> Row[Any]:
    values = {
        "school_id": school_id, "id": new_id(), "activity": activity_id, "account": account_id,
        "resource_link": _link_of(db, school_id, activity_id, account_id),
        "score_given": None if outcome.score_given is None else canonical(outcome.score_given),
        "score_maximum": None if outcome.score_maximum is None else canonical(outcome.score_maximum),
        "comment": outcome.comment[:2000], "progress": str(outcome.progress), "revision": 1,
        "finished_at": outcome.finished_at, "evidence": dict(outcome.evidence),
    }  # fmt: skip
    # The database counts the revision: two that hand in at once must not end with one number for two scores.
    again = {"revision": result_table.c.revision + 1}
    return upsert(db, result_table, values, ("school_id", "activity", "account"), keep=("id",), changes=again)


def _link_of(db: Connection, school_id: str, activity_id: str, account_id: str) -> str | None:
    """Return the link whose column a result goes to: of several, the one this person came by last."""
    query = (
        select(resource_link.c.id)
        .where(resource_link.c.school_id == school_id, resource_link.c.activity == activity_id)
        .order_by(resource_link.c.seen_at.desc())
    )
    links = list(db.execute(query).scalars())
    if len(links) < 2:
        return links[0] if links else None
    came = (
        select(launch.c.resource_link)
        .where(launch.c.school_id == school_id, launch.c.account == account_id, launch.c.resource_link.in_(links))
        .order_by(launch.c.created_at.desc(), launch.c.id.desc())
        .limit(1)
    )
    last: str | None = db.execute(came).scalar_one_or_none()
    return last or links[0]


def _seen(row: Row[Any], line: ScoreLine | None, note: Callable[[ScoreLine], str]) -> ResultSeen:
    return ResultSeen(
        id=row.id,
        activity_id=row.activity,
        plugin=row.plugin,
        title=row.title,
        account_id=row.account,
        progress=Progress(row.progress),
        score_given=None if row.score_given is None else Decimal(row.score_given),
        score_maximum=None if row.score_maximum is None else Decimal(row.score_maximum),
        finished_at=row.finished_at,
        comment=row.comment,
        evidence=row.evidence,
        delivery="none" if line is None else state_word(line.standing),
        delivery_note="" if line is None else note(line),
    )


def _account_by_sub(db: Connection, session: Session, sub: str) -> str | None:
    issuer = select(account.c.issuer).where(
        account.c.school_id == session.school_id, account.c.id == session.account_id
    )
    query = select(account.c.id).where(
        account.c.school_id == session.school_id, account.c.sub == sub, account.c.issuer == issuer.scalar_subquery()
    )
    return db.execute(query).scalar_one_or_none()


def _members(db: Connection, school_id: str, context_id: str | None) -> list[Member]:
    if context_id is None:
        return []
    query = (
        select(account.c.id, account.c.display_name, launch.c.role)
        .join(launch, (launch.c.school_id == account.c.school_id) & (launch.c.account == account.c.id))
        .where(account.c.school_id == school_id, launch.c.context == context_id)
        .distinct()
    )
    groups = groups_of(db, school_id, context_id)
    people: dict[str, Member] = {}
    for row in db.execute(query):
        role = Role(row.role)
        # Whoever taught here once is no pupil, whatever another launch said.
        if row.id not in people or role is Role.TEACHER:
            people[row.id] = Member(row.id, row.display_name, role, groups.get(row.id, ()))
    return sorted(people.values(), key=lambda member: (member.role is not Role.PUPIL, member.name))
