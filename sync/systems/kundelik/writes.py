"""Write Kundelik: read the cell, write, read the cell again, and say what became of it.

The journal compares nothing for us, so a write looks first and stops when the cell is not as the plan saw it. What
counts is what is read back: an answer that was lost, and an error after the work was done, end the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from connector.base.errors import Fatal, Hold, KopirError, Record
from connector.base.i18n import N_, say
from sync.model import LineItem
from sync.systems.contract import CellWrite, Evidence, Outcome, Read, WriteResult
from sync.systems.kundelik import errors, quirks, shapes
from sync.systems.kundelik.client import KundelikClient
from sync.systems.kundelik.quirks import Verb


@dataclass(frozen=True)
class _Seen:
    """What stands in a cell, or why it could not be read."""

    known: bool
    raw: str | None = None
    reason: str = ""
    evidence: Evidence = Evidence.COMPLETE
    several: bool = False


def write_mark(client: KundelikClient, write: CellWrite) -> WriteResult:
    """Write or clear one mark: ``item_id`` is the work."""
    fields = {"person": write.person_id, "work": write.item_id}

    def look() -> _Seen:
        return _seen(client.cell(write.person_id, write.item_id), _cell_text)

    def send(verb: Verb) -> None:
        body = None if write.after is None else {"value": write.after}
        client.wire.call(verb.method, verb.path.format(**fields), body)

    return _write(write, look, send, (quirks.PUT_MARK, quirks.CHANGE_MARK, quirks.CLEAR_MARK))


def write_entry(client: KundelikClient, write: CellWrite) -> WriteResult:
    """Write or blank one entry of the register: ``item_id`` is the lesson, ``after`` a status of the API."""
    fields = {"person": write.person_id, "lesson": write.item_id}
    if write.after is not None and write.after not in quirks.STATUSES:
        return WriteResult(Outcome.REFUSED, "value_refused")

    def look() -> _Seen:
        return _seen(client.entry(write.item_id, write.person_id), _entry_text)

    def send(verb: Verb) -> None:
        client.wire.call(verb.method, verb.path.format(**fields), _entry_body(write))

    return _write(write, look, send, (quirks.PUT_ENTRY, quirks.CHANGE_ENTRY, quirks.CLEAR_ENTRY))


def _entry_body(write: CellWrite) -> dict[str, Any] | None:
    if write.after is None:
        return None
    ids = {"person": int(write.person_id), "lesson": int(write.item_id)}
    return {"lessonLogEntry": {**ids, "status": write.after, "comment": write.comment or None}}


def _cell_text(marks: tuple[shapes.Mark, ...]) -> tuple[str | None, bool]:
    return joined_value(marks), len(marks) > 1


def _entry_text(entries: tuple[shapes.LogEntry, ...]) -> tuple[str | None, bool]:
    found = [entry.status for entry in entries if entry.status not in quirks.NOT_AN_ENTRY]
    return ("/".join(found) or None), len(found) > 1


def joined_value(marks: tuple[shapes.Mark, ...]) -> str | None:
    """Return the text of one cell: a pair of marks is parted by a slash, in the journal's order."""
    return "/".join(mark.value for mark in sorted(marks, key=lambda mark: mark.number)) or None


def _seen(read: Read[Any], text: Callable[[Any], tuple[str | None, bool]]) -> _Seen:
    if not read.complete:
        return _Seen(known=False, reason=read.reason, evidence=read.evidence)
    raw, several = text(read.records)
    return _Seen(known=True, raw=raw, several=several)


def _write(
    write: CellWrite, look: Callable[[], _Seen], send: Callable[[Verb], None], verbs: tuple[Verb, Verb, Verb]
) -> WriteResult:
    before = look()
    if not before.known:
        return WriteResult(_outcome_of_read(before), before.reason)
    if before.raw == write.after:
        return _result(Outcome.ALREADY, "", before)
    if before.raw != write.expect:
        return _result(Outcome.CONFLICT, "moved", before)
    if before.several:
        return _result(Outcome.REFUSED, "several_marks_in_cell", before)
    put, change, clear = verbs
    try:
        send(clear if write.after is None else put if before.raw is None else change)
    except KopirError as error:
        return _after_error(write, look(), error)
    return _after_success(write, look())


def _outcome_of_read(seen: _Seen) -> Outcome:
    """Nothing was sent yet: what neither time nor a new sign-in mends is refused, the rest is tried again."""
    mended = seen.evidence in (Evidence.UNKNOWN, Evidence.PARTIAL, Evidence.SUSPICIOUS)
    mended = mended or seen.reason == errors.TOKEN_REFUSED.reason
    return Outcome.RETRY if mended else Outcome.REFUSED


def _after_success(write: CellWrite, seen: _Seen) -> WriteResult:
    if not seen.known:
        return WriteResult(Outcome.UNKNOWN, seen.reason)
    if seen.raw == write.after:
        return _result(Outcome.APPLIED, "", seen)
    if seen.raw == write.expect:
        return _result(Outcome.UNKNOWN, "not_visible", seen)
    return _result(Outcome.CONFLICT, "overwritten", seen)


def _after_error(write: CellWrite, seen: _Seen, error: KopirError) -> WriteResult:
    """Judge by the cell, not by the error: an answer may be lost after the journal did the work."""
    if not seen.known:
        return WriteResult(Outcome.UNKNOWN, error.reason)
    if seen.raw == write.after:
        return _result(Outcome.APPLIED, "", seen)
    if seen.raw != write.expect:
        return _result(Outcome.CONFLICT, "moved", seen)
    if isinstance(error, Record):
        reason = "value_refused" if error.reason == errors.REFUSED.reason else error.reason
        return _result(Outcome.REFUSED, reason, seen)
    if isinstance(error, Fatal | Hold) and error.reason != errors.TOKEN_REFUSED.reason:
        return _result(Outcome.REFUSED, error.reason, seen)
    # Without an answer the work may still be going on over there; with one that says "failed" it is not.
    lost = error.reason in ("timeout", "unreachable")
    return _result(Outcome.UNKNOWN if lost else Outcome.RETRY, error.reason, seen)


def _result(outcome: Outcome, reason: str, seen: _Seen) -> WriteResult:
    return WriteResult(outcome, reason, seen.raw, seen_known=True)


def find_work(client: KundelikClient, lesson: str, title: str) -> shapes.Work | None:
    """Return the work of a lesson that carries this title.

    The journal keeps no key of ours with a work: lesson and title together are what it is found by.

    Raises:
        Hold: Several carry it (``ambiguous_work``).
        KopirError: The lesson's works could not be read.
    """
    read = client.lesson_works(lesson)
    if not read.complete:
        message = say(N_("The works of a lesson could not be read: {reason}."), reason=read.reason)
        raise Hold(read.reason, message) if read.evidence is Evidence.GONE else errors.failed(read.reason, message)
    found = [work for work in read.records if work.text == title]
    if len(found) > 1:
        text = N_("Several works of one lesson are called “{title}”. Rename one in the journal.")
        raise Hold("ambiguous_work", say(text, title=title))
    return found[0] if found else None


def make_work(client: KundelikClient, item: LineItem, type_id: str, mark_type: str) -> shapes.Work:
    """Add a work to the lesson of a line item, unless one with its title is there; return it as read back.

    Raises:
        Hold: The item has no lesson or no title, or several works carry its title.
        KopirError: The journal did not take it; after a lost answer it was looked for before saying so.
    """
    title = item.title.strip()
    if not item.lesson_id or not title:
        raise Hold("no_lesson", say(N_("A work in the journal needs a lesson and a title.")))
    known = find_work(client, item.lesson_id, title)
    if known:
        return known
    body = {"lesson": int(item.lesson_id), "workType": int(type_id), "markType": mark_type, "text": title}
    failure: KopirError | None = None
    try:
        client.wire.call("POST", "works", body)
    except KopirError as error:
        failure = error
    made = find_work(client, item.lesson_id, title)
    if made:
        return made
    raise failure or errors.failed("not_visible", say(N_("The journal took a work but does not show it yet.")))
