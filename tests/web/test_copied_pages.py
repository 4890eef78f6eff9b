"""What a teacher and a pupil see of a link that was copied in the LMS."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import Client, TestResponse

from connector.db.tables.launches import activity
from connector.host.links import ACTIVITY_PARAMETER
from tests.support import factories as make
from tests.support.kopir_site import PUBLIC, Lms, Site, teacher


@pytest.fixture
def original(site: Site, lms: Lms) -> str:
    """An activity of the course 2 that its link has opened."""
    _, session = site.admit(lms, **teacher(RESOURCE_LINK={"id": "0"}))
    made = make.make_activity(
        site.runtime.database, lms.made.school_id, plugin="probe", context_id=session.context, title="Алгебра <тест>"
    )
    site.admit(lms, CUSTOM={ACTIVITY_PARAMETER: made})
    return made


def copied(original: str, course: str = "9", link: str = "7", **more: Any) -> dict[str, Any]:
    return {"CUSTOM": {ACTIVITY_PARAMETER: original}, "CONTEXT": {"id": course, "title": "7Б"},
            "RESOURCE_LINK": {"id": link, "title": "Алгебра"}, "AGS_ENDPOINT": None, **more}  # fmt: skip


def show(client: Client, path: str) -> TestResponse:
    return client.get(path, base_url=PUBLIC, follow_redirects=True)


def answer(client: Client, path: str, page: TestResponse, choice: str) -> TestResponse:
    token = re.search(r'name="kopir_token" value="([^"]+)"', page.text)
    assert token is not None, page.text
    data = {"choice": choice, "kopir_token": token[1]}
    return client.post(f"{path}copied", data=data, base_url=PUBLIC, follow_redirects=True)


def activities(site: Site, lms: Lms) -> list[Any]:
    with site.runtime.database.school(lms.made.school_id, write=False) as db:
        return list(db.execute(select(activity).order_by(activity.c.id)).all())


def test_pupil_who_comes_first_to_a_copied_course_finds_the_activity(site: Site, lms: Lms, original: str) -> None:
    client = site.client()
    page = show(client, site.enter(client, lms, **copied(original)))
    assert page.status_code == 200
    (_, copy) = activities(site, lms)
    assert f'<p id="where">{copy.id}</p>' in page.text
    assert copy.copied_from == original


def test_teacher_is_asked_about_a_second_link_of_the_course_and_the_pupil_waits(
    site: Site, lms: Lms, original: str
) -> None:
    pupil, master = site.client(), site.client()
    assert show(pupil, site.enter(pupil, lms, **copied(original, "2"))).status_code == 404
    path = site.enter(master, lms, **teacher(**copied(original, "2")))
    page = show(master, path)
    assert page.status_code == 200
    assert "«Алгебра &lt;тест&gt;»" in page.text
    for choice in (f"copy:{original}", f"same:{original}", "other"):
        assert f'value="{choice}"' in page.text
    after = answer(master, path, page, f"copy:{original}")
    (_, copy) = activities(site, lms)
    assert f'<p id="where">{copy.id}</p>' in after.text
    assert f'<p id="where">{copy.id}</p>' in show(pupil, site.enter(pupil, lms, **copied(original, "2"))).text


def test_teacher_says_that_it_is_the_same(site: Site, lms: Lms, original: str) -> None:
    client = site.client()
    path = site.enter(client, lms, **teacher(**copied(original, "2")))
    after = answer(client, path, show(client, path), f"same:{original}")
    assert f'<p id="where">{original}</p>' in after.text
    assert len(activities(site, lms)) == 1


def test_teacher_of_another_course_cannot_make_it_the_same(site: Site, lms: Lms, original: str) -> None:
    """The page offers no such button; the address takes no such answer either."""
    other = site.lms(lms.jwks_url, issuer="https://second.school.kz", client_id="second")
    client = site.client()
    path = site.enter(client, other, **teacher(**copied(original)))
    page = show(client, path)
    assert f"same:{original}" not in page.text
    after = answer(client, path, page, f"same:{original}")
    assert 'name="choice"' in after.text
    assert f'<p id="where">{original}</p>' not in after.text


def test_teacher_chooses_something_else_and_the_link_remembers_it(site: Site, lms: Lms, original: str) -> None:
    client = site.client()
    path = site.enter(client, lms, **teacher(**copied(original, "2")))
    page = answer(client, path, show(client, path), "other")
    assert "/pick/probe/" in page.text
    picker = show(client, f"{path}pick/probe/pick")
    token = re.search(r'name="kopir_token" value="([^"]+)"', picker.text)
    assert token is not None
    form = {"title": "Жаңа", "kopir_token": token[1]}
    chosen = client.post(f"{path}pick/probe/pick", data=form, base_url=PUBLIC, follow_redirects=True)
    new = activities(site, lms)[-1]
    assert new.copied_from is None
    assert f'<p id="where">{new.id}</p>' in chosen.text
    pupil = site.client()
    assert f'<p id="where">{new.id}</p>' in show(pupil, site.enter(pupil, lms, **copied(original, "2"))).text


@pytest.mark.parametrize("choice", ["", "copy:", "copy:nonsense", "delete:it"])
def test_answer_that_was_not_offered_changes_nothing(site: Site, lms: Lms, original: str, choice: str) -> None:
    client = site.client()
    path = site.enter(client, lms, **teacher(**copied(original, "2")))
    after = answer(client, path, show(client, path), choice)
    assert 'name="choice"' in after.text
    assert len(activities(site, lms)) == 1


def test_pupil_may_not_answer(site: Site, lms: Lms, original: str) -> None:
    client = site.client()
    path = site.enter(client, lms, **copied(original, "2"))
    page = show(client, path)
    assert answer(client, path, page, f"copy:{original}").status_code == 403
    assert len(activities(site, lms)) == 1
