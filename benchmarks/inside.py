"""Kopir inside the measuring process: for what is counted or timed part by part, not served."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qsl, urlsplit

from flask import Flask
from werkzeug.test import Client

from benchmarks.launches.targets import CLIENT, ISSUERS, Lms, running_lms
from benchmarks.messages import Platform
from benchmarks.processes import BenchmarkFailed
from connector.app import create_app
from connector.base.config import load_settings
from connector.base.log import setup_logging
from connector.base.secrets import new_key
from connector.host.install import migrate
from connector.host.platforms import register_platform
from connector.host.registry import Platform as NewPlatform
from connector.host.runtime import Runtime, build_runtime

PUBLIC = "http://127.0.0.1:8001"
TARGET = f"{PUBLIC}/lti/launch"
ISSUER = ISSUERS["keys"]
Who = tuple[int, int, int]


@dataclass(frozen=True)
class Prepared:
    """A launch that is signed and not sent yet."""

    token: str
    state: str
    cookie: str


@dataclass
class Inside:
    """One installation on SQLite with one LMS, and a client without a network."""

    runtime: Runtime
    app: Flask
    platform: Platform
    lms: Lms

    def __post_init__(self) -> None:
        """Open the client."""
        self._client: Client = self.app.test_client(use_cookies=False)

    def login(self) -> Prepared:
        """Begin a login of the first person."""
        return self.prepare((0, 0, 0))

    def prepare(self, who: Who) -> Prepared:
        """Go through login and sign the launch of person, course and link."""
        form = {
            "iss": ISSUER, "login_hint": "1", "target_link_uri": TARGET, "client_id": CLIENT, "lti_message_hint": "3",
            "lti_deployment_id": "1",
        }  # fmt: skip
        answer = self._client.post("/lti/login", data=form, base_url=PUBLIC)
        query = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
        token = self.platform.sign(self.platform.claims(CLIENT, TARGET, query["nonce"], who))
        return Prepared(token, query["state"], answer.headers["Set-Cookie"].partition(";")[0])

    def launch(self, prepared: Prepared) -> None:
        """Send a launch.

        Raises:
            BenchmarkFailed: It was refused.
        """
        form = {"id_token": prepared.token, "state": prepared.state}
        answer = self._client.post("/lti/launch", data=form, headers={"Cookie": prepared.cookie}, base_url=PUBLIC)
        if answer.status_code != 303:
            raise BenchmarkFailed(f"launch: {answer.status_code} {answer.text[:300]}")


@contextlib.contextmanager
def inside() -> Iterator[Inside]:
    """Make an installation and its LMS for the length of the block."""
    with TemporaryDirectory(prefix="kopir-bench-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        lms = stack.enter_context(running_lms(folder))
        settings = load_settings(
            {}, folder / "none.toml", data_dir=folder, secret_key=new_key(), encryption_keys=(new_key(),),
            public_url=PUBLIC, log_level="WARNING",
        )  # fmt: skip
        setup_logging(settings.log_level)
        migrate(settings)
        runtime = build_runtime(settings)
        stack.callback(runtime.database.close)
        new = NewPlatform(
            ISSUER, CLIENT, f"{ISSUER}/auth", lms.key_set("token"), lms.key_set("keys"), "1", profile="moodle"
        )
        register_platform(runtime, new, "bench", "Bench")
        yield Inside(runtime, create_app(runtime), Platform.read(ISSUER, lms.key_file), lms)
