"""The picker: choose a test of the school or send a file, read the report, confirm, decide how it is given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from plugins.contract import (
    N_,
    Message,
    NotFound,
    Page,
    Placed,
    Placement,
    Redirect,
    Request,
    Response,
    Visit,
    is_id,
    say,
)
from plugins.online_test import store
from plugins.online_test.form import draw
from plugins.online_test.imports.files import has_errors, read_file
from plugins.online_test.imports.report import Entry, Report, Verdict
from plugins.online_test.numbers import plain
from plugins.online_test.pages.views import moment, question_views
from plugins.online_test.settings import MAX_TITLE, Filled, Settings, from_request


def pick(visit: Visit, request: Request) -> Response:
    """Show the school's tests and the form for a file."""
    return _pick_page(visit)


def _pick_page(visit: Visit, fault: Message | None = None) -> Page:
    with visit.read() as db:
        found = store.tests(db, visit.school_id)
    values = {"tests": found, "fault": _say(visit, fault), "plain": plain, "moment": moment}
    return Page("online_test/pick.html", values, 422 if fault else 200)


def upload(visit: Visit, request: Request) -> Response:
    """Read a file and show what became of it; nothing is imported yet."""
    file = request.files.get("file")
    if file is None or not file.filename:
        return _pick_page(visit, say(N_("Choose a file first.")))
    report = read_file(PurePath(file.filename.replace("\\", "/")).name[:200], file.content)
    return Redirect(f"pick/report/{store.keep_upload(visit, visit.viewer.account_id, report)}")


def report(visit: Visit, request: Request) -> Response:
    """Show what of a file is taken, needs a look, or is refused, and why."""
    found = _upload(visit, request)
    if found is None:
        return NotFound()
    return _report_page(visit, request, found[0])


def _report_page(visit: Visit, request: Request, found: Report, faults: Mapping[str, Message] | None = None) -> Page:
    with visit.read() as db:
        tests = store.tests(db, visit.school_id)
    values = {
        "upload_id": request.args["upload_id"],
        "report": found,
        "entries": [_entry(visit, entry) for entry in found.entries],
        "taken": found.count(Verdict.TAKEN),
        "review": found.count(Verdict.REVIEW),
        "refused": found.count(Verdict.REFUSED),
        "title": request.value("title") or PurePath(found.source).stem.replace("_", " ")[:MAX_TITLE],
        "series": request.value("series"),
        "tests": tests,
        "faults": {name: _say(visit, fault) for name, fault in (faults or {}).items()},
    }
    return Page("online_test/report.html", values, 422 if faults else 200)


def _entry(visit: Visit, entry: Entry) -> Mapping[str, object]:
    return {
        "line": entry.line,
        "title": entry.title,
        "verdict": entry.verdict.value,
        "kind": entry.question.kind.value if entry.question else "",
        "reasons": [(reason.line, _say(visit, reason.message)) for reason in entry.reasons],
    }


def take(visit: Visit, request: Request) -> Response:
    """Make a test of a confirmed report; with something refused, only when the teacher asks for the good ones."""
    found = _upload(visit, request)
    if found is None:
        return NotFound()
    faults: dict[str, Message] = {}
    title = " ".join(request.value("title").split())
    if not title or len(title) > MAX_TITLE:
        faults["title"] = say(N_("Give the test a title of at most {count} letters."), count=MAX_TITLE)
    if not found[0].questions:
        faults["take"] = say(N_("There is nothing to take from this file."))
    elif has_errors(found[0]) and request.value("take") != "good":
        faults["take"] = say(
            N_("Some questions were refused. Say that the good ones are to be taken, or mend the file.")
        )
    if faults:
        return _report_page(visit, request, found[0], faults)
    series = request.value("series")
    upload_id = request.args["upload_id"]
    made = store.take_upload(visit, upload_id, visit.viewer.account_id, title, series if is_id(series) else "")
    return NotFound() if made is None else Redirect(f"pick/settings/{made}")


def settings(visit: Visit, request: Request) -> Response:
    """Ask how the test is given; with a good form, place it."""
    test_id = request.args["test_id"]
    with visit.read() as db:
        test = store.find_test(db, visit.school_id, test_id)
    if test is None:
        return NotFound()
    if request.method == "GET":
        return _settings_page(visit, test, Filled(test.title, Settings(test.id, minutes=20), {}))
    filled = from_request(test.id, request)
    if filled.faults:
        return _settings_page(visit, test, filled)
    chosen = filled.settings
    return Placed((Placement(filled.title, chosen.to_json(), test.points, chosen.tag.value),))


def _settings_page(visit: Visit, test: store.Test, filled: Filled) -> Page:
    with visit.read() as db:
        questions = store.questions_of(db, visit.school_id, test.id)
    form = draw(list(questions.items()), shuffle=False)
    values = {
        "test": test,
        "title": filled.title,
        "settings": filled.settings,
        "faults": {name: _say(visit, fault) for name, fault in filled.faults.items()},
        "questions": question_views(visit, form, questions, {}),
        "points": plain(test.points),
    }
    return Page("online_test/settings.html", values, 422 if filled.faults else 200)


def _upload(visit: Visit, request: Request) -> tuple[Report, str | None] | None:
    with visit.read() as db:
        return store.find_upload(db, visit.school_id, request.args["upload_id"], visit.viewer.account_id)


def _say(visit: Visit, message: Message | None) -> str:
    return "" if message is None else visit.say(message, visit.viewer.language)
