"""A school whose course is in the rehearsal LMS, and the steps of a delivery's story."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from connector.db.database import Database
from sync.effects.tables import effect
from sync.jobs.backoff import Backoff
from sync.jobs.runner import Handlers, Runtime, execute_job
from sync.jobs.tables import job
from sync.scores import view
from sync.scores.deliver import DELIVER_SCORES, deliver_handler, delivery_state, enqueue_delivery
from sync.scores.resend import resend_all
from sync.scores.tables import delivery
from sync.scores.view import ScoreLine
from tests.support import factories as make
from tests.support.lms import Rehearsal

SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/"


class Clock:
    """The real time, moved forward by hand."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Course:
    database: Database
    lms: Rehearsal
    school_id: str
    activity_id: str
    link_id: str
    clock: Clock = field(default_factory=Clock)
    accounts: dict[str, str] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        database: Database,
        lms: Rehearsal,
        *,
        placed: bool = True,
        maximum: str = "10",
        column: int = 10,
        registration: str = "registration",
    ) -> Course:
        school_id = make.make_school(database)
        course = make.make_context(
            database,
            school_id,
            registration_id=registration,
            issuer=lms.lms.base_url,
            deployment_id=lms.deployment_id,
            line_items_url=lms.line_items_url,
        )
        activity_id = make.make_activity(database, school_id, context_id=course, score_maximum=maximum)
        url = lms.place(activity_id, column) if placed else None
        named = {} if placed else {"link_id": lms.place_without_column()}
        link_id = make.make_link(database, school_id, course, activity_id=activity_id, line_item_url=url, **named)
        return cls(database, lms, school_id, activity_id, link_id)

    def account(self, sub: str) -> str:
        if sub not in self.accounts:
            self.accounts[sub] = make.make_account(
                self.database, self.school_id, sub=sub, issuer=self.lms.lms.base_url, registration_id="registration"
            )
        return self.accounts[sub]

    def hand_in(self, sub: str, score: str | None, **values: Any) -> str:
        """Write a pupil's result as the host does, and ask for its delivery."""
        values = {"finished_at": self.clock() - timedelta(seconds=30), **values}
        if score is None:
            values |= {"progress": "cleared"}
        if sub in self.results:
            given = {"score_given": score, "score_maximum": None if score is None else values.pop("maximum", "10")}
            make.revise_result(
                self.database, self.school_id, self.results[sub], **{"progress": "graded", **given, **values}
            )
        else:
            if score is None:
                values["maximum"] = None
            self.results[sub] = make.make_result(
                self.database, self.school_id, self.activity_id, self.account(sub), score=score,
                resource_link=self.link_id, **values,
            )  # fmt: skip
        self.ask(sub)
        return self.results[sub]

    def ask(self, sub: str) -> None:
        with self.database.school(self.school_id) as db:
            enqueue_delivery(db, self.school_id, self.results[sub])

    def runtime(self, **values: Any) -> Runtime:
        handlers = Handlers()
        handlers.add(DELIVER_SCORES, deliver_handler(self.lms.facts.gradebooks()))
        defaults: dict[str, Any] = {
            "clock": self.clock,
            "backoff": Backoff(first=1, jitter=0),
            "lane_backoff": Backoff(first=1, jitter=0),
        }
        return Runtime(self.database, handlers, **{**defaults, **values})

    def deliver(self, **values: Any) -> Any:
        """Run the one open job once; return its row."""
        assert execute_job(self.runtime(**values))
        return self.job()

    def deliver_fully(self) -> None:
        """Run what is due, moving the clock past every wait, until the job is done."""
        for _ in range(20):
            if self.job().state != "ready":
                return
            execute_job(self.runtime())
            self.clock.ahead += timedelta(seconds=5)
        raise AssertionError(self.job())

    def job(self) -> Any:
        with self.database.service(write=False) as db:
            return db.execute(select(job).order_by(job.c.id.desc())).first()

    def state(self, sub: str) -> str:
        with self.database.school(self.school_id, write=False) as db:
            return delivery_state(db, self.school_id, self.activity_id)[self.accounts[sub]]

    def reason(self, sub: str) -> str:
        with self.database.school(self.school_id, write=False) as db:
            row = db.execute(select(delivery.c.reason).where(delivery.c.result == self.results[sub])).one()
            return str(row.reason)

    def lines(self) -> list[ScoreLine]:
        with self.database.school(self.school_id, write=False) as db:
            return view.of_activity(db, self.school_id, self.activity_id)

    def resend(self) -> list[str]:
        with self.database.school(self.school_id) as db:
            return resend_all(db, self.school_id, self.clock())

    def effects(self, sub: str) -> list[Any]:
        with self.database.school(self.school_id, write=False) as db:
            return list(db.execute(select(effect).where(effect.c.person == sub).order_by(effect.c.id)))

    def mark(self, sub: str) -> Decimal | None:
        return self.lms.marks().get(sub)

    @property
    def column_id(self) -> str:
        (column,) = self.lms.columns()
        return str(column.item.id)
