"""``kopir sync audit``: check the chain of a connection's audit, and replay it into what was last agreed."""

from __future__ import annotations

import sys
from datetime import UTC
from typing import Any

import click

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.cli.output import explained, json_option, show
from connector.cli.sync import PENDING, chosen, connection_option, school_option, words
from sync.store import audit, cells

FORMAT = 1
"""Of the JSON that ``replay`` and ``links`` give; see docs/audit.md."""


@click.group("audit")
def audit_() -> None:
    """Check and replay the audit of a connection."""


@audit_.command("verify")
@school_option
@connection_option
@json_option
@explained
def verify_(code: str | None, wanted: str | None, as_json: bool) -> None:
    """Check every link of the chain, and that replaying it gives the base; exit status 2 when it does not."""
    chain, base = _read(code, wanted)
    audit.verify(chain)
    replayed = audit.replay(chain)
    apart = sorted(key for key in replayed.keys() | base.keys() if not _same(replayed.get(key), base.get(key)))
    value = {
        "format": FORMAT,
        "links": len(chain),
        "last": chain[-1].hash if chain else audit.FIRST,
        "cells": len(base),
        "apart": apart,
    }
    text = N_("{links} links are whole; the base of {cells} cells follows from them but for {apart}.")
    show(value, as_json=as_json, text=words(say(text, links=len(chain), cells=len(base), apart=len(apart))))
    sys.exit(PENDING if apart else 0)


@audit_.command("replay")
@school_option
@connection_option
@json_option
@explained
def replay_(code: str | None, wanted: str | None, as_json: bool) -> None:
    """Replay the audit from empty and print the base that it amounts to, cell by cell."""
    chain, _ = _read(code, wanted)
    audit.verify(chain)
    found = audit.replay(chain)
    rows = [
        {"key": key, "left": left, "right": right, "mapping_version": version}
        for key, (left, right, version) in sorted(found.items())
    ]
    lines = (f"{row['key']}\t{row['left']}\t{row['right']}" for row in rows)
    show({"format": FORMAT, "links": len(chain), "base": rows}, as_json=as_json, text="\n".join(lines))


@audit_.command("links")
@school_option
@connection_option
@json_option
@explained
def links_(code: str | None, wanted: str | None, as_json: bool) -> None:
    """Print the chain itself, link by link, as docs/audit.md describes it, so that others can check it."""
    chain, _ = _read(code, wanted)
    rows: list[dict[str, Any]] = [
        {**vars(link), "at": link.at.astimezone(UTC).isoformat(timespec="microseconds")} for link in chain
    ]
    lines = (f"{link.seq}\t{link.hash}\t{link.action}\t{len(link.entries)}" for link in chain)
    show({"format": FORMAT, "links": rows}, as_json=as_json, text="\n".join(lines))


def _read(code: str | None, wanted: str | None) -> tuple[list[audit.Link], dict[str, tuple[Any, Any, str]]]:
    with chosen(code, wanted) as one, one.runtime.reading(one.school) as db:
        chain = audit.links(db, one.school, one.connection)
        base = dict(cells.all_bases(db, one.school, one.connection))
    if not chain and base:
        raise Fatal("audit_broken", say(N_("There is a base and no audit of it: links were taken away.")))
    return chain, base


def _same(replayed: tuple[Any, Any, str] | None, base: tuple[Any, Any, str] | None) -> bool:
    """Tell whether a replayed cell is the base's; an erased person's values are hashes and only need to be there."""
    if replayed is None or base is None:
        return False
    return replayed == base or any(_hashed(value) for value in replayed[:2])


def _hashed(value: str | None) -> bool:
    return value is not None and len(value) == 64 and not set(value) - set("0123456789abcdef")
