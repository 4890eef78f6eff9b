"""A process of Kopir that has a class's results to deliver: made with its own tables, delivered by its own jobs."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select

from connector.base.config import load_settings
from connector.base.ids import new_id
from connector.db.tables.launches import account, activity, context, resource_link, result
from connector.host.runtime import Runtime, build_runtime
from connector.host.work import make_job_runtime
from sync.effects.tables import effect
from sync.jobs.runner import execute_job
from sync.scores.deliver import enqueue_delivery


class School:
    """One activity in one link, with results that nobody has sent yet."""

    def __init__(self, runtime: Runtime, column: str, scores: int) -> None:
        """Write the class's rows, as launches and tests would have."""
        self._runtime = runtime
        found = runtime.registry.all()[0]
        self._issuer, self._registration = found[0].issuer, found[0].id
        made = runtime.registry.school(code="bench")
        if made is None:
            raise LookupError("the school is not there")
        self.id = made.id
        self._now = datetime.now(UTC)
        self.activity, self.link = new_id(), new_id()
        self._write(column, scores)

    def _write(self, column: str, scores: int) -> None:
        school, course = {"school_id": self.id}, new_id()
        with self._runtime.database.school(self.id) as db:
            db.execute(
                context.insert().values(
                    **school,
                    id=course,
                    issuer=self._issuer,
                    registration_id=self._registration,
                    deployment_id="1",
                    context_id=course,
                    title="Алгебра 7А",
                    line_items_url=column,
                    scopes=[],
                    seen_at=self._now,
                )
            )
            db.execute(
                activity.insert().values(
                    **school,
                    id=self.activity,
                    plugin="online_test",
                    context=course,
                    title="Тест",
                    settings={},
                    score_maximum="10",
                    created_at=self._now,
                )
            )
            db.execute(
                resource_link.insert().values(
                    **school,
                    id=self.link,
                    context=course,
                    link_id=self.link,
                    activity=self.activity,
                    line_item_url=column,
                    seen_at=self._now,
                )
            )
            people = [
                {
                    **school,
                    "id": new_id(),
                    "issuer": self._issuer,
                    "sub": f"{self.link}-{number}",
                    "registration_id": self._registration,
                    "seen_at": self._now,
                }
                for number in range(scores)
            ]
            db.execute(account.insert(), people)
            results = [self._result(one, number) for number, one in enumerate(people)]
            db.execute(result.insert(), results)
            enqueue_delivery(db, self.id, results[0]["id"])  # fmt: skip

    def _result(self, person: dict[str, Any], number: int) -> dict[str, Any]:
        return {"school_id": self.id, "id": new_id(), "activity": self.activity, "account": person["id"],
                "resource_link": self.link, "score_given": str(number % 10 + 1), "score_maximum": "10",
                "comment": "", "progress": "graded", "revision": 1, "finished_at": self._now,
                "evidence": {}}  # fmt: skip

    def deliver(self) -> float:
        """Run jobs until none is left; return the seconds."""
        jobs = make_job_runtime(self._runtime)
        began = time.perf_counter()
        while execute_job(jobs):
            pass
        return time.perf_counter() - began

    def delivered(self, column: str) -> int:
        """Return how many scores the ledger calls delivered, which it does only when they were read back."""
        where = (effect.c.school_id == self.id, effect.c.item == column, effect.c.state == "delivered")
        with self._runtime.database.school(self.id, write=False) as db:
            return db.execute(select(func.count()).select_from(effect).where(*where)).scalar_one()


def main() -> None:
    """Serve one job from standard input: deliver ``scores`` into ``column``; the settings are in the environment.

    One score goes into the column ``first`` beforehand: a process that runs has its token, as the peer's has.
    """
    job = json.load(sys.stdin)
    runtime = build_runtime(load_settings())
    School(runtime, job["first"], 1).deliver()
    school = School(runtime, job["column"], job["scores"])
    seconds = school.deliver()
    sys.stdout.write(json.dumps({"seconds": seconds, "delivered": school.delivered(job["column"])}))


if __name__ == "__main__":
    main()
