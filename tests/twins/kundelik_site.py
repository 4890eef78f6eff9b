"""A rehearsal journal served on a free port, and a plain way to ask it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from werkzeug.serving import make_server

from connector.base.outbound import NetworkPolicy, Outbound, Reply
from sync.twins.kundelik import Journal, create_journal

TODAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)


def new_journal(folder: Path, **changes: Any) -> Journal:
    given = {"clock": lambda: NOW, "today": TODAY, **changes}
    return create_journal(folder / "journal.sqlite3", "http://journal.test", **given)


@contextmanager
def served(journal: Journal) -> Iterator[Journal]:
    server = make_server("127.0.0.1", 0, journal.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    journal.base_url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield journal
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Asker:
    """Ask the API as a bare client does."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.outbound = Outbound(NetworkPolicy(everything=True))
        self.headers = {"Access-Token": journal.token}

    def reply(self, method: str, path: str, body: Any = None, retry: bool | None = None) -> Reply:
        headers = {**self.headers, "Content-Type": "application/json"}
        sent = None if body is None else json.dumps(body)
        url = f"{self.journal.api_url}/{path}"
        return self.outbound.request(method, url, headers=headers, body=sent, retry=retry)

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        return self.reply(method, path, body).json()
