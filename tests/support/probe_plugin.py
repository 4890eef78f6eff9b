"""A plugin for tests: it shows what the host gave it, hands in what it is told to, and misbehaves on request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from plugins.contract import (
    PUPILS,
    TEACHERS,
    Activity,
    Download,
    Health,
    JobHandler,
    Manifest,
    NotFound,
    Outcome,
    Page,
    Placed,
    Placement,
    Progress,
    Redirect,
    Reply,
    Request,
    Response,
    Room,
    Route,
    Sandbox,
    Visit,
)

PAGE = """{% extends "kopir/page.html" %}{% block body %}
<h1>{{ visit.viewer.name }}</h1><p id="who">{{ visit.viewer.account_id }}</p>
<p id="where">{{ visit.activity.id if visit.activity else "picker" }}</p>
<form id="act" method="post" action="{{ link(target) }}">{{ form_fields() }}
<input name="title" value="Зонд"><input name="maximum" value="10"><button class="btn btn-primary">OK</button></form>
<script src="{{ static('probe.js') }}"></script>{% endblock %}"""
FRAME = '<!doctype html><title>s</title><script nonce="{{ nonce }}">document.title = "ran"</script>'


class Probe:
    """See the module."""

    def __init__(self, folder: Path, name: str = "probe") -> None:
        for inside, file, text in (
            ("templates", "page.html", PAGE),
            ("templates", "frame.html", FRAME),
            ("static", "probe.js", "document.documentElement.dataset.probe = 'ran';"),
        ):
            (folder / name / inside).mkdir(parents=True, exist_ok=True)
            (folder / name / inside / file).write_text(text, "utf-8")
        self._name = name
        self.copied: list[tuple[str, str]] = []
        self._package = folder / name

    @property
    def manifest(self) -> Manifest:
        return Manifest(self._name, "Probe", "Shows what the host gives.", "1.0", self._package)

    def routes(self) -> Sequence[Route]:
        return (
            Route("", lambda visit, asked: Page("page.html", {"target": "act"})),
            Route("act", _act, ("POST",)),
            Route("hand-in", _hand_in, ("POST",), PUPILS),
            Route("teachers", lambda visit, asked: Reply("ok"), roles=TEACHERS),
            Route("echo/<part>", lambda visit, asked: Reply({"part": asked.args["part"], "query": asked.value("q")})),
            Route("go", lambda visit, asked: Redirect("echo/x", {"q": "ә&б"})),
            Route("file", lambda visit, asked: Download("есеп \"1\"\r\nX: y.csv", "text/csv", b"a;b")),
            Route("frame", lambda visit, asked: Sandbox("frame.html")),
            Route("none", lambda visit, asked: NotFound()),
            Route("stray", lambda visit, asked: Placed((Placement("stray", {}),))),
            Route("boom", _boom),
            Route("pick", _pick, ("GET", "POST"), TEACHERS, in_picker=True),
        )  # fmt: skip

    def jobs(self) -> Mapping[str, JobHandler]:
        return {}

    def copy_activity(self, room: Room, db: Connection, source: Activity, copy_id: str) -> Mapping[str, Any]:
        self.copied.append((source.id, copy_id))
        return {**source.settings, "copied": source.id}

    def export_person(self, db: Connection, school_id: str, account_id: str) -> Mapping[str, Any]:
        return {}

    def erase_person(self, db: Connection, school_id: str, account_id: str) -> int:
        return 0

    def health(self, db: Connection, school_id: str) -> Health:
        return Health(True)


def _act(visit: Visit, asked: Request) -> Response:
    return Reply({"who": visit.viewer.account_id, "role": visit.viewer.role, "activity": _id(visit),
                  "school": visit.school_id, "title": asked.value("title"), "json": asked.json})  # fmt: skip


def _id(visit: Visit) -> str:
    return visit.activity.id if visit.activity else ""


def _hand_in(visit: Visit, asked: Request) -> Response:
    outcome = Outcome(Progress.GRADED, Decimal(asked.value("score", "8")), Decimal(10), visit.now())
    with visit.write() as db:
        visit.hand_in(db, _id(visit), visit.viewer.account_id, outcome)
    return Reply("handed in")


def _pick(visit: Visit, asked: Request) -> Response:
    if asked.method == "GET":
        return Page("page.html", {"target": "pick"})
    maximum = Decimal(asked.value("maximum")) if asked.value("maximum") else None
    count = int(asked.value("count", "1"))
    return Placed((Placement(asked.value("title", "Зонд"), {"a": 1}, maximum, "probe"),) * count)


def _boom(visit: Visit, asked: Request) -> Response:
    raise RuntimeError(f"{visit.viewer.name} typed something")
