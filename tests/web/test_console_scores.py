"""The console's pages of scores: numbers per activity, what each state means, and sending again."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select

from connector.base.i18n import LANGUAGES
from connector.db.tables.launches import result
from connector.host.operators import invite
from sync.jobs.backoff import Backoff
from sync.jobs.lanes import overview, pause
from sync.scores.requests import enqueue_delivery
from sync.scores.tables import delivery
from tests.support import factories as make
from tests.support.kopir_site import PUBLIC, Lms, Site
from tests.web.console_kit import plain, token_in


class Scores:
    """A class whose scores are in several states, and somebody who looks at them."""

    def __init__(self, site: Site, lms: Lms) -> None:
        self.site, self.school = site, lms.made.school_id
        self.registration = site.runtime.registry.find(lms.issuer, lms.client_id)[0].id
        database = site.runtime.database
        course = make.make_context(database, self.school, registration_id=self.registration, issuer=lms.issuer)
        self.activity = make.make_activity(database, self.school, context_id=course, score_maximum="10")
        self.results: dict[str, str] = {}
        for name, (state, reason) in {
            "Айгерім": ("delivered", ""),
            "Нұрлан": ("refused", "locked"),
            "Жанар": ("kept_by_teacher", "changed_by_other"),
            "Ерлан": ("delivered", "zero_not_shown"),
        }.items():
            self._one(name, state, reason)
        waiting = self._one("Дана", "", "")
        with database.school(self.school) as db:
            enqueue_delivery(db, self.school, waiting)
        self.client = self._enter()

    def _one(self, name: str, state: str, reason: str) -> str:
        database = self.site.runtime.database
        person = make.make_account(database, self.school, registration_id=self.registration, display_name=name)
        made = self.results[name] = make.make_result(database, self.school, self.activity, person, score="5")
        if state:
            row = {"school_id": self.school, "result": made, "revision": 1, "state": state, "reason": reason}
            with database.school(self.school) as db:
                revision = db.scalar(select(result.c.revision).where(result.c.id == made))
                db.execute(insert(delivery).values(**{**row, "revision": revision}, updated_at=make.NOW))
        return made

    def _enter(self) -> FlaskClient:
        client = self.site.app.test_client()
        path = invite(self.site.runtime, self.school, "Әсел").removeprefix(self.site.runtime.settings.public_url)
        assert client.post(path, base_url=PUBLIC).status_code == 303
        return client

    def look(self, path: str = "", language: str = "en") -> str:
        answer = self.client.get(f"/console/scores/{path}", base_url=PUBLIC, headers={"Accept-Language": language})
        assert answer.status_code == 200, answer.text
        return answer.text

    def post(self, path: str, **form: str) -> int:
        form["kopir_token"] = token_in(self.look())
        return self.client.post(f"/console/scores/{path}", base_url=PUBLIC, data=form).status_code


@pytest.fixture
def scores(site: Site, lms: Lms) -> Scores:
    return Scores(site, lms)


def test_overview_counts_and_the_activity_says_what_each_state_means_and_who_acts(scores: Scores) -> None:
    overview_page = plain(scores.look())
    for words in ("In the gradebook: 2", "Not taken: 1", "The LMS's mark is kept: 1", "On its way: 1", "It answers"):
        assert words in overview_page
    page = plain(scores.look(scores.activity))
    assert "The mark is locked in the LMS." in page
    assert "shows tools no zeros" in page
    assert page.index("Нұрлан") < page.index("Айгерім")
    only = plain(scores.look(f"{scores.activity}?state=kept"))
    assert "Жанар" in only
    assert "Нұрлан" not in only
    for language in LANGUAGES:
        assert "5 / 10" in plain(scores.look(scores.activity, language))


def test_one_score_is_sent_again_and_then_all(scores: Scores) -> None:
    assert scores.post("resend", activity=scores.activity, result=scores.results["Нұрлан"]) == 303
    page = plain(scores.look(scores.activity))
    assert "On its way: 2" in page
    assert scores.post("resend") == 303
    assert "On its way: 3" in plain(scores.look(scores.activity))


def test_closed_lane_is_shown_and_tried_at_once(scores: Scores) -> None:
    runtime = scores.site.runtime
    pause(runtime.database, scores.registration, runtime.clock(), "503", timedelta(minutes=4), Backoff())
    assert re.search("does not answer.*next try", plain(scores.look()))
    assert scores.post("try", lane=scores.registration) == 303
    (seen,) = overview(runtime.database, runtime.clock(), [scores.registration])
    assert seen.state == "probing"


def test_other_schools_scores_and_lanes_are_not_there(scores: Scores) -> None:
    other = make.make_activity(scores.site.runtime.database, make.make_school(scores.site.runtime.database))
    answer = scores.client.get(f"/console/scores/{other}", base_url=PUBLIC)
    assert answer.status_code == 404
    assert scores.post("try", lane=make.make_registration(scores.site.runtime.database, issuer="https://x.kz")) == 404
