"""People are told what needs them: once per matter, without names, through a real mail server and a real webhook."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from connector.base.errors import Fatal
from connector.base.network import NetworkPolicy
from connector.base.outbound import Outbound
from connector.db.tables.telling import telling
from connector.host.telling import recipients
from connector.host.telling.matters import Matter, open_matters
from connector.host.telling.message import write
from connector.host.telling.recipients import Recipient, next_digest
from connector.host.telling.work import TELL, look, put_test, tell_handler
from sync.jobs.runner import Handlers, execute_job
from sync.jobs.runner import Runtime as JobRuntime
from sync.jobs.tables import job
from sync.store.tables.cells import snapshot
from tests.support.databases import Place
from tests.support.mail_server import MailServer, mail_server
from tests.sync.kit import Bench, bench
from tests.web.console_kit import Console, console

ALMATY = ZoneInfo("Asia/Almaty")


@dataclass
class Post:
    """A mailbox of a school, with the real server behind it."""

    console: Console
    server: MailServer
    jobs: JobRuntime

    @property
    def bench(self) -> Bench:
        return self.console.bench

    def add(self, address: str = "zavuch@school.kz", **wish: Any) -> Recipient:
        made, now = self.bench, self.console.runtime.clock()
        with made.database.school(made.school) as db:
            return recipients.add(db, self.console.runtime.vault, made.school, address, ALMATY, now, "x", **wish)

    def look(self) -> int:
        """Look, then send what is due, as a worker would."""
        found = look(self.console.runtime)
        self.send()
        return found

    def send(self) -> None:
        while execute_job(self.jobs):
            pass

    def later(self, by: timedelta) -> None:
        self.bench.clock.now += by

    def ledger(self) -> list[tuple[str, str, int]]:
        query = select(telling.c.state, telling.c.reason, telling.c.tries).order_by(telling.c.id)
        with self.bench.database.school(self.bench.school, write=False) as db:
            return [(row.state, row.reason, row.tries) for row in db.execute(query)]


@pytest.fixture
def post(database_place: Place, tmp_path: Path) -> Iterator[Post]:
    with console(database_place, tmp_path) as made, mail_server() as server:
        runtime = made.runtime
        runtime.settings = runtime.settings.model_copy(
            update={"smtp_host": "127.0.0.1", "smtp_port": server.port, "smtp_tls": "off", "mail_from": "kopir@gym.kz"}
        )
        runtime.clock = made.bench.clock
        made.sign_in()
        handlers = Handlers()
        handlers.add(TELL, tell_handler(runtime))
        yield Post(made, server, JobRuntime(runtime.database, handlers, clock=made.bench.clock))


def something_waits(post: Post) -> None:
    """Make a first plan that waits for a person."""
    post.bench.plan()
    post.console.join()
    post.bench.plan()


def test_one_matter_is_one_message_however_often_it_is_seen(post: Post) -> None:
    something_waits(post)
    post.add(language="ru")
    assert post.look() == 1
    (mail,) = post.server.mails
    assert mail["To"] == "zavuch@school.kz"
    assert mail["Auto-Submitted"] == "auto-generated"
    body = mail.get_content()
    assert "Первый план ждёт человека" in body
    assert f"https://kopir.test/console/connections/{post.bench.connection}/" in body
    post.later(timedelta(minutes=10))
    post.bench.plan()
    assert post.look() == 0
    assert len(post.server.mails) == 1


def test_message_names_nobody(post: Post) -> None:
    something_waits(post)
    post.add(language="kk")
    post.look()
    text = post.server.mails[0].as_string() + post.server.mails[0].get_content()
    with post.bench.database.school(post.bench.school, write=False) as db:
        kept = list(db.scalars(select(snapshot.c.raw).where(snapshot.c.kind == "person")))
    names = {
        word for raw in kept for word in str(raw.get("name") or raw.get("full_name") or "").split() if len(word) > 3
    }
    assert names, "the systems hold people"
    assert not [name for name in names if name in text]
    assert "гимназия" not in text, "not even the school, which goes by its code"


def test_two_processes_that_look_at_once_tell_once(post: Post) -> None:
    something_waits(post)
    post.add()
    together, put = threading.Barrier(4), []

    def one() -> None:
        together.wait()
        put.append(look(post.console.runtime))

    lookers = [threading.Thread(target=one) for _ in range(4)]
    for thread in lookers:
        thread.start()
    for thread in lookers:
        thread.join()
    post.send()
    assert sum(put) == 1
    assert len(post.server.mails) == 1


def test_matter_that_closed_for_a_day_and_opens_again_is_told_again(post: Post) -> None:
    something_waits(post)
    who = post.add()
    post.look()
    post.bench.approve(plan := post.bench.plan())
    post.bench.apply(plan)
    post.later(timedelta(hours=25))
    assert post.look() == 0
    with post.bench.database.school(post.bench.school, write=False) as db:
        assert recipients.get(db, post.console.runtime.vault, post.bench.school, who.id).known == {}


def test_digest_leaves_on_its_morning_and_says_so_when_all_is_well(post: Post) -> None:
    post.add(digest_day=0, at_once=False, language="en")
    post.look()
    assert post.server.mails == []
    post.later(timedelta(days=8))
    assert post.look() == 1
    assert "Nothing needs anybody" in post.server.mails[0].get_content()
    post.later(timedelta(minutes=6))
    assert post.look() == 0


def test_digest_is_due_at_eight_by_the_schools_clock() -> None:
    from datetime import UTC, datetime

    monday = datetime(2026, 11, 23, 2, 59, tzinfo=UTC)
    assert next_digest(0, ALMATY, monday) == datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
    assert next_digest(0, ALMATY, monday + timedelta(minutes=1)) == datetime(2026, 11, 30, 3, 0, tzinfo=UTC)
    assert next_digest(-1, ALMATY, monday) is None


def test_server_that_takes_nothing_now_is_tried_again_and_gets_one_copy(post: Post) -> None:
    put_test(post.console.runtime, post.bench.school, post.add().id)
    post.server.refuse = "451 later"
    post.send()
    assert post.ledger() == [("waiting", "mail_not_taken", 0)]
    post.server.refuse = ""
    post.later(timedelta(hours=1))
    post.send()
    assert post.ledger() == [("sent", "", 1)]
    assert len(post.server.mails) == 1


def test_address_that_does_not_exist_is_a_dead_letter(post: Post) -> None:
    put_test(post.console.runtime, post.bench.school, post.add().id)
    post.server.refuse = "550 no such user"
    post.send()
    assert post.ledger() == [("failed", "address_refused", 1)]
    with post.bench.database.school(post.bench.school, write=False) as db:
        assert [one.kind for one in open_matters(db, post.bench.school, post.bench.clock.now, 3)] == ["dead_letters"]
    page = post.console.text("/console/jobs/")
    assert "Sending a notice" in page
    assert "address_refused" in page


def test_crash_after_the_message_left_sends_one_copy_more_and_no_third(post: Post) -> None:
    put_test(post.console.runtime, post.bench.school, post.add().id)

    def crash(step: str) -> None:
        if step == "tell.sent":
            raise RuntimeError("killed")

    post.jobs.step = crash
    for _ in range(5):
        post.send()
        post.later(timedelta(hours=1))
    assert len(post.server.mails) == 2
    assert len({mail["Message-ID"] for mail in post.server.mails}) == 1
    assert post.ledger() == [("failed", "unsure", 2)]


@dataclass
class Hook:
    url: str = ""
    status: int = 204
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def receiver() -> Iterator[Hook]:
    hook = Hook()

    class Take(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(hook.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Take) as server:
        hook.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield hook
        server.shutdown()


def test_webhook_is_signed_and_passes_the_guard_of_every_call(post: Post) -> None:
    something_waits(post)
    with receiver() as hook:
        who = post.add(hook.url)
        post.look()
        assert post.ledger() == [("failed", "private_network", 1)], "a private address is not called"
        post.console.runtime.outbound = Outbound(NetworkPolicy.from_setting("on", lambda: frozenset()))
        put_test(post.console.runtime, post.bench.school, who.id)
        hook.status = 503
        post.send()
        hook.status = 204
        post.later(timedelta(hours=1))
        post.send()
        assert [state for state, _, _ in post.ledger()] == ["failed", "sent"]
        headers, body = hook.got[-1]
    key = base64.b64decode(who.secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert hook.got[0][0]["webhook-id"] == headers["webhook-id"], "a second try keeps its id"
    assert json.loads(body)["type"] == "kopir.test"


@pytest.mark.parametrize(
    "address", ["", "nobody", "a@b@c", "ftp://x.kz/", "https://user:pw@x.kz/", "a b@x.kz", "x@y\nz"]
)
def test_what_is_no_address_is_refused(post: Post, address: str) -> None:
    with pytest.raises(Fatal) as refused:
        post.add(address)
    assert refused.value.reason == "bad_recipient"


def test_every_kind_of_matter_is_said_in_every_language() -> None:
    from connector.host.telling.matters import WORDS

    for language in ("kk", "ru", "en"):
        said = {write("digest", "gym", [Matter(kind, "c", 3)], language, "https://k.kz").body for kind in WORDS}
        assert len(said) == len(WORDS)


def test_console_adds_tests_and_removes_a_recipient(post: Post) -> None:
    added = post.console.post("/console/notices/add", address="it@school.kz", language="en", digest="fri", at_once="y",
                              stale_days="5")  # fmt: skip
    assert added.status_code == 303
    text = post.console.text("/console/notices/")
    assert "it@school.kz" in text
    assert "digest: Fri" in text
    with post.bench.database.school(post.bench.school, write=False) as db:
        (who,) = recipients.every(db, post.console.runtime.vault, post.bench.school)
    post.console.post(f"/console/notices/{who.id}", wish="test")
    post.send()
    assert len(post.server.mails) == 1
    assert "sent" in post.console.text("/console/notices/")
    post.console.post(f"/console/notices/{who.id}", wish="remove")
    assert "Nobody is told yet" in post.console.text("/console/notices/")
    hook = post.console.post(
        "/console/notices/add", address="https://x.kz/h", language="en", digest="none", stale_days="5"
    )
    assert "whsec_" in hook.text
    assert "whsec_" not in post.console.text("/console/notices/")


def test_recipients_of_one_school_are_not_anothers(post: Post) -> None:
    who = post.add()
    other = bench(post.bench.database)
    with post.bench.database.school(other.school) as db:
        assert recipients.every(db, post.console.runtime.vault, other.school) == []
        assert not recipients.remove(db, other.school, who.id)


def test_dead_letter_is_tried_again_from_its_page(post: Post) -> None:
    put_test(post.console.runtime, post.bench.school, post.add().id)
    post.server.refuse = "550 no such user"
    post.send()
    with post.bench.database.school(post.bench.school) as db:
        which = db.scalar(select(job.c.id).where(job.c.state == "dead"))
        # As somebody who mended the mailbox would: the message may leave again.
        db.execute(update(telling).values(state="waiting", tries=0))
    post.server.refuse = ""
    assert post.console.post(f"/console/jobs/{which}", wish="again").status_code == 303
    post.later(timedelta(seconds=1))
    post.send()
    assert post.ledger()[0][0] == "sent"
    assert "Nothing was given up" in post.console.text("/console/jobs/")
