"""The rehearsal LMS and the rehearsal journal over real HTTP, with one connection between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from joserfc.jwk import RSAKey
from sqlalchemy import insert

from connector.base.ids import new_id
from connector.base.outbound import NetworkPolicy, Outbound
from connector.base.secrets import Vault, new_key
from connector.db.database import Database
from connector.db.tables.registry import school as school_table
from lti.tool.ags import AssignmentAndGradeService, LineItem, Score
from lti.tool.ports import Registration, SigningKey
from lti.tool.tokens import TokenSource
from sync.runs.runtime import SyncRuntime
from sync.store import connections
from sync.systems.kundelik import KundelikClient, KundelikSystem
from sync.systems.kundelik.bucket import TokenBucket
from sync.systems.lti_advantage import Course, LtiAdvantageSystem, Platform
from sync.twins.kundelik import Journal
from sync.twins.moodle import Lms, create_lms
from tests.sync.kit import TwoSystems
from tests.twins.kundelik_site import new_journal, served
from tests.twins.moodle_kit import key_server, serving

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)

MAPPING = """
version: 1
pair: {{left: "lti_advantage:gym", right: "kundelik:{school}"}}
identity: {{join: [linked_id, iin, idnumber], propose: [name+class]}}
groups: [{{left: {{course: "2"}}, right: {{edu_group: "{group}", subject: алгебра}}}}]
grades:
  owner: left
  kinds: {{"*": fo}}
  scale: {{fo: {{from: percent, to: mark10, round: half_up, min: 1}}}}
items: {{find: [linked, tag, title+date], place: next_lesson, create_work: auto}}
attendance:
  owner: right
  codes: {{present: Attend, absent_unexcused: Absent, absent_excused: Pass, absent_ill: Ill, late: Late}}
"""


@dataclass
class StepClock:
    """A clock that moves a little whenever it is asked, and by hand."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=20)
        return self.now


class RunningClock:
    """A clock that runs with the real one, from the rehearsal's day on, so that other processes can share it."""

    def __init__(self, offset: float | None = None) -> None:
        self.offset = (NOW - datetime.now(UTC)).total_seconds() if offset is None else offset

    def __call__(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.offset)

    @property
    def now(self) -> datetime:
        return self()

    @now.setter
    def now(self, _wish: datetime) -> None:
        """Run on: nobody sets this one."""


@dataclass(frozen=True)
class OneKey:
    key: RSAKey

    def for_registration(self, registration: Registration) -> SigningKey:
        return SigningKey(self.key.kid or "", self.key)


@dataclass
class Twins:
    """Both twins, the tool's way to the LMS, and a runtime over them."""

    lms: Lms
    journal: Journal
    ags: AssignmentAndGradeService
    items_url: str
    runtime: SyncRuntime
    school: str
    connection: str
    clock: StepClock
    facts: dict[str, Any] = field(default_factory=dict)

    def test_of(self, marks: dict[str, str], title: str = "Бақылау тесті", resource: str = "act-1") -> str:
        """Make a column of 40 points, send scores by login user id, and return its address."""
        made = self.ags.create_line_item(self.items_url, LineItem(title, Decimal(40), resource_id=resource, tag="quiz"))
        assert made.id is not None
        for user, mark in marks.items():
            self.score(made.id, user, mark)
        return made.id

    def score(self, item: str, user: str, mark: str) -> None:
        self.clock.now += timedelta(seconds=2)
        outcome = self.ags.post_score(item, Score(user, self.clock.now, Decimal(mark), Decimal(40)))
        assert outcome.accepted, outcome

    def pupils(self) -> dict[str, str]:
        """Return LMS user ids by idnumber."""
        return {user.idnumber: user.id for user in self.lms.users() if user.role == "pupil"}


def dated(app: Callable[..., Any], clock: Callable[[], datetime]) -> Callable[..., Any]:
    """Let an application's answers carry the rehearsal's own time, as a server with that clock would."""

    def answer(environ: Any, start_response: Callable[..., Any]) -> Any:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            return start_response(status, [*headers, ("Date", format_datetime(clock(), usegmt=True))], *rest)

        return app(environ, start)

    return answer


@contextmanager
def twins(
    database: Database,
    folder: Path,
    key: RSAKey,
    *,
    contracted: bool = True,
    language: str = "kk",
    between: Callable[[str], str] = str,
    more: str = "",
    clock: Any = None,
) -> Iterator[Twins]:
    """Serve both twins and wire a connection between them.

    Args:
        database: Kopir's database.
        folder: Where the twins keep theirs.
        key: The tool's key.
        contracted: Marks may be written to the journal.
        language: The LMS's language.
        between: Returns the address of what stands before a server, given the server's.
        more: Lines to add to the mapping.
        clock: The rehearsal's clock; one that moves when it is asked, when not given.
    """
    clock, outbound = clock or StepClock(), Outbound(NetworkPolicy(everything=True))
    with ExitStack() as stack:
        keys = stack.enter_context(key_server(key))
        holder: dict[str, object] = {}
        base = between(stack.enter_context(serving(lambda env, start: holder["app"](env, start))))  # type: ignore[operator]
        lms = create_lms(folder / "lms.sqlite3", base, clock=clock, tool_outbound=outbound, language=language)
        holder["app"] = dated(lms.app, clock)
        tool = lms.register_tool(
            "Kopir",
            login_url="http://127.0.0.1:9/login",
            redirect_uris=["http://127.0.0.1:9/launch"],
            jwks_url=keys.url,
            target_link_uri="http://127.0.0.1:9/launch",
        )
        journal = stack.enter_context(served(new_journal(folder, clock=clock, today=NOW.date())))
        journal.base_url = between(journal.base_url)
        platform_facts = lms.platform_facts()
        registration = Registration(
            "r1", base, tool.client_id, f"{base}/auth", platform_facts.token_url, f"{base}/certs"
        )
        tokens = TokenSource(outbound, OneKey(key), clock=clock)
        prefix = f"{base}/mod/lti/services.php"
        course = Course(
            "2", "7А-ALG-2026", "Алгебра", f"{prefix}/CourseSection/2/bindings/{tool.deployment_id}/memberships",
            f"{prefix}/2/lineitems?type_id={tool.deployment_id}",
        )  # fmt: skip
        assistants = frozenset(user.id for user in lms.users() if user.role == "assistant")
        left = LtiAdvantageSystem(
            "lti_advantage:gym", outbound, tokens, Platform(registration, tool.deployment_id, [course]),
            staff=lambda: assistants, clock=clock,
        )  # fmt: skip
        client = KundelikClient(outbound, journal.api_url, journal.token, bucket=TokenBucket(5000.0, 5000), clock=clock)
        right = KundelikSystem(client, journal.school_id, contracted=contracted)
        vault, school = Vault([new_key()]), new_id()
        with database.service() as db:
            values = {"code": school, "name": "№5", "sealed_key": vault.seal(new_key()), "created_at": NOW}
            db.execute(insert(school_table).values(id=school, **values))
        mapping = MAPPING.format(school=journal.school_id, group=journal.group_id) + more
        with database.school(school) as db:
            made = connections.add(db, school, mapping, NOW, settings={}, credentials={}, vault=vault)
        runtime = SyncRuntime(database, vault, TwoSystems(left, right), clock=clock)
        service = AssignmentAndGradeService(outbound, tokens, registration, tool.deployment_id)
        facts = {
            "registration": {
                "id": "r1", "issuer": base, "client_id": tool.client_id, "authorization_endpoint": f"{base}/auth",
                "token_endpoint": platform_facts.token_url, "jwks_url": f"{base}/certs",
            },
            "key": key.as_dict(private=True), "deployment": tool.deployment_id, "staff": sorted(assistants),
            "course": {"id": course.id, "label": course.label, "title": course.title,
                       "memberships_url": course.memberships_url, "line_items_url": course.line_items_url},
            "offset": getattr(clock, "offset", 0.0),
            "journal": {"api_url": journal.api_url, "token": journal.token, "school": journal.school_id},
        }  # fmt: skip
        yield Twins(lms, journal, service, course.line_items_url, runtime, school, made, clock, facts)
