"""How many SQL statements a login and a launch take, as SQLite itself is given them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from benchmarks.figures import Figure, compare
from benchmarks.inside import Inside, inside

_SETTINGS = ("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA")
_WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")
FEW, FEW_AT_FIRST = 4, 10


def statements() -> list[Figure]:
    """Count a first and a known user's login and launch, with nothing remembered of the registration."""
    with inside() as here, _watched(here) as seen:
        here.launch(here.prepare((0, 0, 0)))  # Brings the key set, which belongs to no launch.
        first, _, _ = _count(here, seen, (1, 1, 1))
        known, commits, at_login = _count(here, seen, (1, 1, 1))
    return [
        compare("SQL statements, known user's login + launch", "statements", [known], "bound", [FEW]),
        compare("SQL statements, first login + launch", "statements", [first], "bound", [FEW_AT_FIRST]),
        compare("commits that write, known user's login + launch", "commits", [commits], "bound", [1]),
        compare("writes at login", "statements", [at_login], "bound: none"),
    ]


def _count(here: Inside, seen: list[str], who: tuple[int, int, int]) -> tuple[int, int, int]:
    here.runtime.registry.forget()
    seen.clear()
    prepared = here.prepare(who)
    at_login = sum(one.startswith(_WRITES) for one in seen)
    here.launch(prepared)
    asked = [one for one in seen if not one.lstrip().upper().startswith(_SETTINGS)]
    return len(asked), seen.count("BEGIN IMMEDIATE"), at_login


@contextmanager
def _watched(here: Inside) -> Iterator[list[str]]:
    seen: list[str] = []

    def watch(dbapi: Any, *_more: object) -> None:
        dbapi.set_trace_callback(lambda one: None if one.startswith("--") else seen.append(one))

    engine = here.runtime.database.engine
    event.listen(engine, "checkout", watch)
    yield seen
    event.remove(engine, "checkout", watch)
