"""An independent LTI platform (lti-provider-mock), not written by us, launches into Kopir over real HTTP."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from connector.demo.person import Person
from connector.host.platforms import register_platform
from connector.host.registry import Platform
from tests.support.databases import Place
from tests.support.registering import running_kopir
from tests.support.services import require_package


@contextmanager
def platform(kopir_url: str) -> Iterator[str]:
    """Serve the peer with one user and one course, told of Kopir; it reads its settings from the environment."""
    require_package("lti_provider_mock")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url, name = f"http://127.0.0.1:{port}", "LTI_PROVIDER_MOCK__"
    told = {
        f"{name}USERS": '[{"id": "u-17", "given_name": "Айгерім", "family_name": "Әбдірахманова", "email": "a@b.kz"}]',
        f"{name}COURSES": '[{"id": "c-7", "name": "Алгебра 7А"}]',
        f"{name}LTI__ISS": url,
        f"{name}LTI__LOGIN_URL": f"{kopir_url}/lti/login",
        f"{name}LTI__LAUNCH_URL": f"{kopir_url}/lti/launch",
    }
    served = ["uvicorn", "lti_provider_mock.server:app", "--port", str(port), "--log-level", "error"]
    process = subprocess.Popen([sys.executable, "-m", *served], env={**os.environ, **told})
    try:
        _wait(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            requests.get(f"{url}/jwks", timeout=1)
        except requests.ConnectionError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the peer did not start")


def test_its_launch_is_let_in_once_and_its_name_is_known(sqlite_place: Place, tmp_path: Path) -> None:
    with running_kopir(sqlite_place, tmp_path) as kopir, platform(kopir.url) as url:
        told = Platform(
            issuer=url, client_id="lti-provider-mock", auth_url=f"{url}/authorize", token_url=f"{url}/token",
            jwks_url=f"{url}/jwks", deployment_id="1", profile="generic",
        )  # fmt: skip
        register_platform(kopir.runtime, told, "gymnasium", "Гимназия")
        person = Person()
        courses = person.submit(person.open(f"{url}/login").form("userid"))
        step = person.open(courses.link("/courses/c-7"))
        answer = person.submit(person.submit(step.form("login_hint")).form("id_token"))
        # It names no role and no activity: Kopir lets the person in, and says honestly that nothing is placed there.
        assert re.fullmatch(re.escape(kopir.url) + r"/l/[0-9a-f]+/", answer.url), answer.text
        assert answer.status == 404
        assert answer.token
        stale = person.open(courses.link("/courses/c-7"))
        form = person.submit(stale.form("login_hint")).form("id_token")
        assert person.submit(form).token
        again = person.submit(form)
        assert (again.status, again.token) == (400, "")
