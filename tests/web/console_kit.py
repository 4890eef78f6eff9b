"""A school's console over a real database, its two systems in memory, and the words a test says about it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from connector.app import create_app
from connector.base.config import Settings
from connector.base.secrets import new_key
from connector.db.tables.console import operator_invitation  # noqa: F401
from connector.host.operators import invite
from connector.host.runtime import Runtime, build_runtime
from sync.jobs.runner import Handlers, execute_job
from sync.jobs.runner import Runtime as JobRuntime
from sync.jobs.tables import job
from sync.runs.handlers import register_sync_jobs
from tests.support.databases import Place
from tests.sync.kit import FILE, Bench, bench

BASE = "https://kopir.test"


@dataclass
class Console:
    """One school's console, and what stands behind it."""

    app: Flask
    runtime: Runtime
    bench: Bench
    client: FlaskClient
    jobs: JobRuntime
    token: str = ""

    @property
    def home(self) -> str:
        return f"/console/connections/{self.bench.connection}/"

    def sign_in(self, school: str = "", operator: str = "Әсел", client: FlaskClient | None = None) -> None:
        using = client or self.client
        path = invite(self.runtime, school or self.bench.school, operator).removeprefix(
            self.runtime.settings.public_url
        )
        answer = using.post(path, base_url=BASE)
        assert answer.status_code == 303, answer.text
        self.token = token_in(using.get("/console/", base_url=BASE).text)

    def get(self, path: str = "", **options: Any) -> TestResponse:
        where = path if path.startswith("/") else self.home + path
        return self.client.get(where, base_url=BASE, headers={"Accept-Language": "en"}, **options)

    def post(self, path: str, **data: Any) -> TestResponse:
        where = path if path.startswith("/") else self.home + path
        form = {"kopir_token": self.token, **data}
        return self.client.post(where, base_url=BASE, data=form, headers={"Accept-Language": "en"})

    def text(self, path: str = "") -> str:
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return plain(answer.text)

    def work(self) -> int:
        """Run every job that is due, as a worker would; return how many, once nobody else runs one either."""
        done = 0
        while execute_job(self.jobs) or self._somebody_works():
            done += 1
        return done

    def _somebody_works(self) -> bool:
        """Tell, after a moment, whether a worker beside this one has a job in hand."""
        with self.bench.database.service() as db:
            busy = db.scalar(select(func.count()).where(job.c.state == "leased")) or 0
        if busy:
            time.sleep(0.02)
        return bool(busy)

    def compare(self) -> None:
        assert self.post("compare").status_code == 303
        self.work()

    def join(self) -> None:
        preview = self.bench.join(FILE)
        assert preview.applied, preview.findings

    def plan_form(self, path: str = "") -> dict[str, Any]:
        """Return the form of the plan as the page offers it, with what is ticked by default."""
        page = self.get(path).text
        form = re.search(r"<form[^>]*data-approve>(.*?)</form>", page, re.S)
        assert form, "the page offers no plan to approve"
        fields = form[1]
        return {
            "plan": _value(fields, "plan"),
            "hash": _value(fields, "hash"),
            "block": [unescape(v) for v in re.findall(r'name="block" value="([^"]*)"[^>]*checked', fields)],
        }

    def approve(self, **changes: Any) -> TestResponse:
        return self.post("approve", **{**self.plan_form(), **changes})


def _value(fields: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', fields)
    assert found, name
    return unescape(found[1])


def token_in(page: str) -> str:
    found = re.search(r'name="kopir_token" value="([^"]+)"', page)
    assert found, page
    return unescape(found[1])


def plain(html: str) -> str:
    """Return a page's words without its tags."""
    body = re.sub(r"<(script|style).*?</\1>", " ", html, flags=re.S)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body)))


def cell(key: str) -> str:
    return f"why?cell={quote(key, safe='')}"


@contextmanager
def console(place: Place, tmp_path: Path, **options: Any) -> Iterator[Console]:
    settings = Settings(
        data_dir=tmp_path,
        database_url=place.url,
        database_service_url=place.service_url,
        secret_key="s" * 40,
        encryption_keys=(new_key(),),
        public_url=BASE,
    )
    runtime = build_runtime(settings)
    try:
        made = bench(runtime.database, **options)
        yield make_console(runtime, made)
    finally:
        runtime.database.close()


def make_console(runtime: Runtime, made: Bench) -> Console:
    app = create_app(runtime)
    app.testing = True
    app.extensions["kopir_sync"] = made.runtime
    handlers = Handlers()
    register_sync_jobs(handlers, made.runtime)
    found = Console(app, runtime, made, app.test_client(), JobRuntime(runtime.database, handlers))
    found.sign_in()
    return found
