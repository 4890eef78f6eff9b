"""A teacher's pages: who is how far, one pupil's work, the release of answers, and the test as a pupil meets it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from plugins.contract import N_, NotFound, Page, Redirect, Request, Response, ResultSeen, Role, Visit
from plugins.online_test import attempts as a
from plugins.online_test import store
from plugins.online_test.form import draw
from plugins.online_test.numbers import plain
from plugins.online_test.pages import sit
from plugins.online_test.pages.views import DELIVERY, clock, moment, percent, question_views
from plugins.online_test.settings import Release


def home(visit: Visit, request: Request) -> Response:
    """Open what the launch is for: a pupil's work under review, the list, or a pupil's own page."""
    if visit.viewer.role is Role.PUPIL:
        return sit.home(visit)
    if visit.viewer.role is not Role.TEACHER:
        return Page("online_test/other.html")
    return overview(visit, request) if visit.review_of is None else _review_of(visit, visit.review_of)


def _review_of(visit: Visit, account_id: str) -> Response:
    """Open the attempt that counts, or the open one, of the pupil the LMS asked about."""
    found = sit.placed(visit)
    if found is None:
        return sit.missing()
    with visit.read() as db:
        theirs = a.attempts_of(db, visit.school_id, found[0].id, account_id)
    shown = a.best_of(theirs) or (theirs[-1] if theirs else None)
    if shown is None:
        return Page("online_test/nothing.html")
    return Redirect(f"attempt/{shown.id}")


def overview(visit: Visit, request: Request) -> Response:
    """List the pupils with their states, scores and whether the gradebook has them."""
    found = sit.placed(visit)
    if found is None:
        return sit.missing()
    activity, settings, test = found
    _close_overdue(visit, activity.id)
    with visit.read() as db:
        every = a.attempts_in(db, visit.school_id, activity.id)
        results = {result.account_id: result for result in visit.results_in(db, activity.id)}
        released = a.released_at(db, visit.school_id, activity.id)
    rows = _rows(visit, every, results)
    scores = [row["score"] for row in rows if row["score"]]
    values = {
        "activity": activity,
        "settings": settings,
        "test": test,
        "points": plain(test.points),
        "rows": rows,
        "done": len(scores),
        "may_release": settings.release is Release.TEACHER and released is None,
        "released": "" if released is None else moment(released),
    }
    return Page("online_test/overview.html", values)


def _close_overdue(visit: Visit, activity_id: str) -> None:
    with visit.read() as db:
        every = a.attempts_in(db, visit.school_id, activity_id)
    over = [attempt for attempt in every if attempt.is_open and attempt.is_over(visit.now())]
    if over:
        with visit.write() as db:
            a.close_overdue(visit, db, over)


def _rows(visit: Visit, every: Sequence[a.Attempt], results: Mapping[str, ResultSeen]) -> list[dict[str, object]]:
    theirs: dict[str, list[a.Attempt]] = {}
    for attempt in every:
        theirs.setdefault(attempt.account_id, []).append(attempt)
    names = {member.account_id: member.name for member in visit.members() if member.role is Role.PUPIL}
    gone = {account_id: visit.t(N_("Not in the course any more")) for account_id in theirs if account_id not in names}
    return [
        _row(visit, name, theirs.get(account_id, []), results.get(account_id))
        for account_id, name in (names | gone).items()
    ]


def _row(visit: Visit, name: str, theirs: Sequence[a.Attempt], result: ResultSeen | None) -> dict[str, object]:
    best = a.best_of(theirs)
    score = best.score if best and best.score is not None else None
    return {
        "name": name,
        "state": _state(visit, theirs),
        "score": "" if best is None or score is None else f"{plain(score)} / {plain(best.score_maximum)}",
        "percent": "" if best is None or score is None else percent(score, best.score_maximum),
        "delivery": "" if result is None or best is None else visit.t(DELIVERY.get(result.delivery, result.delivery)),
        "delivery_note": "" if result is None else result.delivery_note,
        "delivery_state": "" if result is None else result.delivery,
        "attempts": [(attempt.number, attempt.id) for attempt in theirs],
    }


def _state(visit: Visit, theirs: Sequence[a.Attempt]) -> str:
    if not theirs:
        return visit.t(N_("not started"))
    last = theirs[-1]
    if last.is_open and last.deadline_at is not None:
        return visit.t(N_("working, until {time}"), time=clock(last.deadline_at))
    if last.is_open or last.submitted_at is None:
        return visit.t(N_("working since {time}"), time=moment(last.started_at))
    if last.closed_by == "deadline":
        return visit.t(N_("time ran out {time}"), time=moment(last.submitted_at))
    return visit.t(N_("submitted {time}"), time=moment(last.submitted_at))


def attempt(visit: Visit, request: Request) -> Response:
    """Show one attempt: any of this activity to a teacher, to a pupil their own once answers are released."""
    if visit.viewer.role is Role.PUPIL:
        return sit.review_own(visit, request)
    activity = visit.activity
    with visit.read() as db:
        every = a.attempts_in(db, visit.school_id, activity.id) if activity else []
        found = next((item for item in every if item.id == request.args["attempt_id"]), None)
        if found is None:
            return NotFound()
        names = {member.account_id: member.name for member in visit.members()}
        name = names.get(found.account_id) or visit.t(N_("Not in the course any more"))
        return sit.review_page(visit, db, found, name)


def release(visit: Visit, request: Request) -> Response:
    """Show the right answers to those who have submitted."""
    found = sit.placed(visit)
    if found is None:
        return sit.missing()
    if found[1].release is Release.TEACHER:
        with visit.write() as db:
            a.release(visit, db, found[0].id, visit.viewer.account_id)
    return Redirect("list")


def preview(visit: Visit, request: Request) -> Response:
    """Show the sitting page with a form drawn now; nothing of it is kept."""
    found = sit.placed(visit)
    if found is None:
        return sit.missing()
    activity, settings, test = found
    with visit.read() as db:
        questions = store.questions_of(db, visit.school_id, test.id)
    form = draw(list(questions.items()), settings.shuffle)
    values = {
        "activity": activity,
        "settings": settings,
        "attempt": None,
        "questions": question_views(visit, form, questions, {}),
        "seconds_left": "",
        "until": "",
        "seq": "1",
        "saved": "",
        "preview": True,
    }
    return Page("online_test/sit.html", values)
