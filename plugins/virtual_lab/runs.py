"""Runs in the database: started once per pupil, measured while they run, submitted once."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from plugins.contract import Outcome, Progress, Room, new_id
from plugins.virtual_lab.ohm import MAX_READINGS, MAXIMUM, Circuit, Part, Reading, circuit_of, score, total
from plugins.virtual_lab.tables import reading, run


@dataclass(frozen=True)
class Run:
    """One pupil's run and what was measured in it."""

    id: str
    account: str
    circuit: Circuit
    submitted_at: datetime | None
    answers: Mapping[str, str]
    readings: tuple[Reading, ...]

    @property
    def submitted(self) -> bool:
        """Tell whether the report was handed in."""
        return self.submitted_at is not None

    @property
    def parts(self) -> tuple[Part, ...]:
        """The score's parts, recomputed from the server's own record."""
        return score(self.circuit, self.readings, dict(self.answers))


def start_run(room: Room, db: Connection, activity: str, account: str) -> None:
    """Start a pupil's run; a second start, from another tab say, changes nothing."""
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    values = {
        "school_id": room.school_id, "id": new_id(), "activity": activity, "account": account,
        "seed": secrets.randbits(31), "state": "running", "started_at": room.now(), "answers": {},
    }  # fmt: skip
    db.execute(dialect.insert(run).values(values).on_conflict_do_nothing())


def find_run(room: Room, db: Connection, activity: str, account: str) -> Run | None:
    """Return a pupil's run in an activity."""
    query = select(run).where(run.c.school_id == room.school_id, run.c.activity == activity, run.c.account == account)
    row = db.execute(query).first()
    return None if row is None else _run(room, db, row)


def _run(room: Room, db: Connection, row: Row[Any]) -> Run:
    query = (
        select(reading.c.voltage, reading.c.current)
        .where(reading.c.school_id == room.school_id, reading.c.run == row.id)
        .order_by(reading.c.number)
    )
    readings = tuple(Reading(one.voltage, one.current) for one in db.execute(query))
    return Run(row.id, row.account, circuit_of(row.seed), row.submitted_at, row.answers, readings)


def measure(room: Room, db: Connection, mine: Run, voltage: Decimal) -> Reading | None:
    """Take a reading and record it; None when the report was handed in or the bench was used too often."""
    same = (reading.c.school_id == room.school_id) & (reading.c.run == mine.id)
    taken = db.execute(select(func.count()).select_from(reading).where(same)).scalar_one()
    if mine.submitted or taken >= MAX_READINGS:
        return None
    found = Reading(voltage, mine.circuit.current(voltage))
    values = {
        "school_id": room.school_id, "run": mine.id, "number": taken + 1, "voltage": found.voltage,
        "current": found.current, "taken_at": room.now(),
    }  # fmt: skip
    db.execute(insert(reading).values(values))
    return found


def submit(room: Room, db: Connection, activity: str, mine: Run, answers: Mapping[str, str]) -> bool:
    """Hand the report in, once; return whether this call did it.

    The condition on the state makes a double click or a second tab change nothing and send no second score.
    """
    parts = score(mine.circuit, mine.readings, dict(answers))
    now = room.now()
    changed = db.execute(
        update(run)
        .where(run.c.school_id == room.school_id, run.c.id == mine.id, run.c.state == "running")
        .values(state="submitted", submitted_at=now, answers=dict(answers), score=total(parts))
    ).rowcount
    if changed:
        room.hand_in(db, activity, mine.account, _outcome(mine, answers, parts, now))
    return bool(changed)


def _outcome(mine: Run, answers: Mapping[str, str], parts: tuple[Part, ...], now: datetime) -> Outcome:
    report = {
        "readings": [[str(one.voltage), str(one.current)] for one in mine.readings],
        "answers": dict(answers),
        "points": {part.code: [str(part.given), str(part.maximum)] for part in parts},
    }
    summary = f"U = I·R · n = {len(mine.readings)} · R = {answers.get('resistance', '')} Ω"
    evidence = {"kind": "lab_report", "summary": summary, "lab": "ohm", "report": report}
    return Outcome(Progress.GRADED, total(parts), MAXIMUM, now, evidence=evidence)
