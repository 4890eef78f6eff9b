"""The lab's pages, export and erasure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, delete, select

from plugins.contract import (
    N_,
    PUPILS,
    TEACHERS,
    Activity,
    Health,
    JobHandler,
    Manifest,
    NotFound,
    Page,
    Placed,
    Placement,
    Redirect,
    Reply,
    Request,
    Response,
    Role,
    Room,
    Route,
    Sandbox,
    Visit,
)
from plugins.virtual_lab.materials import offered_by
from plugins.virtual_lab.ohm import (
    MAX_VOLTAGE,
    MAXIMUM,
    MIN_VOLTAGE,
    STEP,
    WANTED_RANGE,
    WANTED_READINGS,
    read_number,
    read_voltage,
)
from plugins.virtual_lab.runs import Run, find_run, measure, start_run, submit
from plugins.virtual_lab.tables import reading, run

ZONE = ZoneInfo("Asia/Almaty")
TAGS = ("fo", "sor")
SUMMARY = N_("Ohm's law: each pupil measures a circuit of their own and hands in a report; it is scored at once.")
LAWS = ("direct", "inverse", "none")


class VirtualLab:
    """The plugin object; implements ``plugins.contract.Plugin``."""

    manifest = Manifest(
        id="virtual_lab",
        name=N_("Virtual lab"),
        summary=SUMMARY,
        version="1",
        package=Path(__file__).parent,
    )

    def routes(self) -> Sequence[Route]:
        """Return the pages."""
        return (
            Route("", first_page),
            Route("pick", pick, ("GET", "POST"), TEACHERS, in_picker=True),
            Route("start", start, ("POST",), PUPILS),
            Route("bench", bench),
            Route("measure", take_reading, ("POST",), PUPILS),
            Route("report", hand_in_report, ("POST",), PUPILS),
            Route("pupil/<account>", pupil_page, roles=TEACHERS),
        )

    def jobs(self) -> Mapping[str, JobHandler]:
        """Return no jobs: a lab has no deadline of its own."""
        return {}

    def copy_activity(self, room: Room, db: Connection, source: Activity, copy_id: str) -> Mapping[str, Any]:
        """Return the settings alone: each pupil's circuit is made when they start."""
        return dict(source.settings)

    def export_person(self, db: Connection, school_id: str, account_id: str) -> Mapping[str, Any]:
        """Return a person's runs with every reading."""
        mine = db.execute(select(run).where(run.c.school_id == school_id, run.c.account == account_id)).all()
        return {
            run.name: [
                {
                    "started_at": row.started_at.isoformat(),
                    "submitted_at": row.submitted_at.isoformat() if row.submitted_at else None,
                    "answers": row.answers,
                    "score": None if row.score is None else str(row.score),
                    "readings": [[str(one.voltage), str(one.current)] for one in _readings(db, school_id, row.id)],
                }
                for row in mine
            ]
        }

    def erase_person(self, db: Connection, school_id: str, account_id: str) -> int:
        """Erase a person's runs and readings."""
        mine = (run.c.school_id == school_id) & (run.c.account == account_id)
        ids = db.execute(select(run.c.id).where(mine)).scalars().all()
        gone = (reading.c.school_id == school_id) & reading.c.run.in_(ids)
        return db.execute(delete(reading).where(gone)).rowcount + db.execute(delete(run).where(mine)).rowcount

    def health(self, db: Connection, school_id: str) -> Health:
        """Tell that the lab works wherever its tables are."""
        db.execute(select(run.c.id).where(run.c.school_id == school_id).limit(1)).all()
        return Health(ok=True)


def _readings(db: Connection, school_id: str, run_id: str) -> Sequence[Any]:
    same = (reading.c.school_id == school_id) & (reading.c.run == run_id)
    return db.execute(select(reading).where(same).order_by(reading.c.number)).all()


def pick(visit: Visit, request: Request) -> Response:
    """Ask for a name and what the mark counts as, and place the lab."""
    title, tag = request.value("title").strip(), request.value("tag", "fo")
    offered = offered_by(visit.accepts)
    if request.method == "POST" and title and tag in TAGS:
        lab = Placement(title[:200], {"lab": "ohm"}, MAXIMUM, tag, visit.t(SUMMARY))
        return Placed((lab, *(offered[name](visit) for name in request.form.get("also", ()) if name in offered)))
    values = {"missing": request.method == "POST", "tag": tag, "offered": tuple(offered)}
    return Page("virtual_lab/pick.html", values)


def _activity(visit: Visit) -> Activity:
    if visit.activity is None:
        raise LookupError("a lab page outside an activity")
    return visit.activity


def _mine(visit: Visit, db: Connection) -> Run | None:
    return find_run(visit, db, _activity(visit).id, visit.viewer.account_id)


def first_page(visit: Visit, request: Request) -> Response:
    """Show a pupil where they are: before, at the bench, or the report; a teacher the class."""
    if visit.viewer.role is Role.TEACHER:
        return Redirect(f"pupil/{visit.review_of}") if visit.review_of else _course(visit)
    with visit.read() as db:
        mine = _mine(visit, db)
    if mine is None:
        may_start = visit.viewer.role is Role.PUPIL and visit.dates.may_work(visit.now())
        return Page("virtual_lab/start.html", {"may_start": may_start, **_limits(), **_dates(visit)})
    if mine.submitted:
        return Page("virtual_lab/report.html", {"run": mine, "pupil": None, "maximum": MAXIMUM})
    return _bench_page(visit, mine)


def _bench_page(
    visit: Visit, mine: Run, wrong: Sequence[str] = (), answers: Mapping[str, str] | None = None, status: int = 200
) -> Page:
    values = {"run": mine, "wrong": wrong, "answers": answers or {}, "laws": LAWS, **_limits(), **_dates(visit)}
    return Page("virtual_lab/bench_page.html", values, status)


def _dates(visit: Visit) -> dict[str, Any]:
    def moment(instant: datetime) -> str:
        return f"{instant.astimezone(ZONE):%d.%m.%Y %H:%M}"

    return {"dates": visit.dates, "now": visit.now(), "moment": moment}


def _limits() -> dict[str, Any]:
    return {
        "least": MIN_VOLTAGE,
        "most": MAX_VOLTAGE,
        "step": STEP,
        "wanted": WANTED_READINGS,
        "wide": WANTED_RANGE,
        "maximum": MAXIMUM,
    }


def start(visit: Visit, request: Request) -> Response:
    """Start the pupil's run, within the dates the LMS set."""
    if not visit.dates.may_work(visit.now()):
        return Redirect("")
    with visit.write() as db:
        start_run(visit, db, _activity(visit).id, visit.viewer.account_id)
    return Redirect("")


def bench(visit: Visit, request: Request) -> Response:
    """Serve the bench itself: no network, no cookie, no answer inside; it asks its page for every reading."""
    return Sandbox("virtual_lab/bench.html", _limits())


def take_reading(visit: Visit, request: Request) -> Response:
    """Measure at a voltage: JSON for the page's script, a plain form without one."""
    asked = request.json.get("voltage") if isinstance(request.json, dict) else request.value("voltage")
    voltage = read_voltage(str(asked))
    in_time = visit.dates.may_work(visit.now())
    with visit.write() as db:
        mine = _mine(visit, db)
        found = measure(visit, db, mine, voltage) if mine and voltage is not None and in_time else None
    if request.json is None:
        return Redirect("")
    if found is None:
        return Reply({"error": visit.t("This voltage cannot be measured now.")}, 409)
    return Reply({"voltage": str(found.voltage), "current": str(found.current)})


def hand_in_report(visit: Visit, request: Request) -> Response:
    """Score the report and hand it in; what cannot be read is asked for again and nothing is lost."""
    answers = {name: request.value(name).strip()[:40] for name in ("resistance", "current", "law")}
    wrong = tuple(name for name in ("resistance", "current") if read_number(answers[name]) is None)
    wrong += () if answers["law"] in LAWS else ("law",)
    with visit.write() as db:
        mine = _mine(visit, db)
        if mine is None:
            return NotFound()
        if not mine.submitted and not visit.dates.may_work(visit.now()):
            return _bench_page(visit, mine, (), answers, 409)
        if not wrong or mine.submitted:
            submit(visit, db, _activity(visit).id, mine, answers)
            return Redirect("")
    return _bench_page(visit, mine, wrong, answers, 422)


def _course(visit: Visit) -> Response:
    activity = _activity(visit)
    with visit.read() as db:
        results = {result.account_id: result for result in visit.results_in(db, activity.id)}
        rows = [
            (member, find_run(visit, db, activity.id, member.account_id), results.get(member.account_id))
            for member in visit.members()
            if member.role is Role.PUPIL
        ]
    return Page("virtual_lab/course.html", {"rows": rows, "maximum": MAXIMUM})


def pupil_page(visit: Visit, request: Request) -> Response:
    """Show a teacher one pupil's report, with what the right values were."""
    account = request.args["account"]
    pupil = next((one for one in visit.members() if one.account_id == account and one.role is Role.PUPIL), None)
    with visit.read() as db:
        theirs = find_run(visit, db, _activity(visit).id, account) if pupil else None
    if pupil is None or theirs is None:
        return NotFound()
    return Page("virtual_lab/report.html", {"run": theirs, "pupil": pupil, "maximum": MAXIMUM})
