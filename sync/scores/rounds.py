"""One round of a delivery: what the LMS shows is judged and written down, what is to be sent is marked so.

Runs inside one transaction and makes no call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection, select

from connector.db.tables.launches import result as result_table
from connector.db.types import canonical
from connector.db.upsert import upsert
from lti.tool.gradebook import Result
from lti.tool.outcomes import ScoreStatus
from sync.effects import ledger
from sync.effects.judge import Post, Reading, Ruling, Verdict, after_write, before_write, snap
from sync.effects.records import Cell, CellState, Change, Effect, Origin, Sighting, State, lms_cell
from sync.scores.places import Place, Waiting
from sync.scores.sending import Posted
from sync.scores.tables import delivery

# A write that is neither there nor refused, while others of its batch go through, is given up after this long.
GIVE_UP = timedelta(days=3)
_SENDS_PER_RUN = 2

_POSTS = {
    ScoreStatus.ACCEPTED: Post.ACCEPTED,
    ScoreStatus.OLDER_TIMESTAMP: Post.OLDER,
    ScoreStatus.NOT_GRADABLE: Post.REFUSED,
    ScoreStatus.REJECTED: Post.REFUSED,
    ScoreStatus.LOCKED: Post.LOCKED,
    ScoreStatus.THROTTLED: Post.NOT_SENT,
    ScoreStatus.MAINTENANCE: Post.NOT_SENT,
    ScoreStatus.UNREACHABLE: Post.NOT_SENT,
}
_ENDS = {
    Verdict.DELIVERED: (State.DELIVERED, "delivered"),
    Verdict.ALREADY: (State.ALREADY, "delivered"),
    Verdict.KEPT: (State.KEPT, "kept_by_teacher"),
    Verdict.CONFLICT: (State.CONFLICT, "kept_by_teacher"),
    Verdict.REFUSED: (State.REFUSED, "refused"),
}
_RESENDS = frozenset({Verdict.RESEND, Verdict.RESEND_LATER})


def effect_key(result_id: str, revision: int, url: str) -> str:
    """Return the idempotency key of one revision's score in one column."""
    return f"score:{result_id}:{revision}:{hashlib.sha256(url.encode()).hexdigest()[:16]}"


def parse_key(key: str) -> tuple[str, int] | None:
    """Return result and revision of a score's key; None for somebody else's."""
    parts = key.split(":")
    return (parts[1], int(parts[2])) if len(parts) == 4 and parts[0] == "score" else None


@dataclass(frozen=True)
class Sight:
    """What one complete read shows, cell by cell.

    Attributes:
        results: The column's results by user.
        hides_zero: A blank may be a zero.
    """

    results: Mapping[str, Result]
    hides_zero: bool

    def reading(self, sub: str) -> Reading:
        """Return the cell for judging."""
        return Reading(True, self._score(sub), self.hides_zero)

    def sighting(self, sub: str) -> Sighting:
        """Return the cell for writing down."""
        score = self._score(sub)
        return Sighting(None) if score is None else Sighting(canonical(score), canonical(self.results[sub].maximum))

    def changed_at(self, sub: str) -> datetime | None:
        """Return the mark's own time, where the platform tells it."""
        found = self.results.get(sub)
        return found.timestamp if found is not None else None

    def points(self, sub: str, mark: str | None, maximum: str | None) -> Decimal | None:
        """Return a mark of ours in the column's points, equal to what is shown when that is this very mark.

        A mark that looks as it did counts as the same even when the column's maximum has changed since.
        """
        if mark is None:
            return None
        own, shown = Decimal(mark), self._score(sub)
        if shown is None or maximum is None or shown == own == 0:
            return own
        return snap(shown, own, Decimal(maximum), self.results[sub].maximum)

    def base(self, sub: str, agreed: str | None, maximum: str | None) -> Decimal | None:
        """Return what was agreed in the column's points; the very number seen then is unchanged, whatever its scale."""
        shown = self._score(sub)
        if agreed is not None and shown is not None and Decimal(agreed) == shown:
            return shown
        return self.points(sub, agreed, maximum)

    def _score(self, sub: str) -> Decimal | None:
        found = self.results.get(sub)
        return found.score if found is not None else None


class Round:
    """Judge the cells of one column against one read of it.

    Attributes:
        undecided: Scores about which nothing is known yet, or that somebody else is writing.
    """

    def __init__(self, db: Connection, place: Place, url: str, sight: Sight, posted: Posted, now: datetime) -> None:
        """Take the transaction, the column, what it shows, and how the calls of this run ended."""
        self._db = db
        self._place = place
        self._url = url
        self._sight = sight
        self._posted = posted
        self._now = now
        self._to_send: list[Effect] = []
        self._busy: set[str] = set()
        self._strays = ledger.strays(db, place.school_id, self._cell("").system, url)
        self.undecided = 0

    def go(self, waiting: Sequence[Waiting], *, send: bool) -> list[Effect]:
        """Settle what the read proves; return what is to be sent now, marked as sent.

        Args:
            waiting: The results that wait.
            send: False in the last round of a run: what would be sent stays undecided.
        """
        school_id = self._place.school_id
        newest = {one.sub: effect_key(one.result_id, one.revision, self._url) for one in waiting if not one.skip}
        for effect in ledger.in_flight(self._db, school_id, self._cell("").system, self._url):
            self._under_way(effect, newest.get(effect.cell.person), send=send)
        cells = ledger.cells(self._db, school_id, [self._cell(one.sub) for one in waiting])
        for one in waiting:
            if one.skip:
                self._note(one.result_id, one.revision, "none", one.skip)
            elif one.sub not in self._busy:
                self._new(one, cells[self._cell(one.sub)], send=send)
        return ledger.mark_sent(self._db, school_id, self._to_send, self._now) if self._to_send else []

    def _under_way(self, effect: Effect, newest: str | None, *, send: bool) -> None:
        """Judge a write that may or may not have arrived."""
        if parse_key(effect.key) is None:
            # A sync's or an undo's own write: it is theirs to settle, and ours waits behind it.
            self._wait(effect)
            return
        if newest == effect.key:
            self._busy.add(effect.cell.person)
        ruling = self._ruling(effect)
        if ruling.verdict in _ENDS:
            self._end(effect, ruling)
        elif ruling.verdict in _RESENDS and newest not in (None, effect.key):
            # A later score of the same pupil waits, and its stamp refuses this one should it still arrive.
            ledger.settle(self._db, self._place.school_id, effect, State.SUPERSEDED, self._now, reason="newer_score")
            self._strays.setdefault(effect.cell, []).append(Sighting(effect.after, effect.maximum))
        elif self._hopeless(effect):
            self._end(effect, Ruling(Verdict.REFUSED, "no_answer"))
        elif ruling.verdict in _RESENDS and send and self._posted.times[effect.id] < _SENDS_PER_RUN:
            self._busy.add(effect.cell.person)
            self._to_send.append(self._later(effect) if ruling.verdict is Verdict.RESEND_LATER else effect)
        else:
            ledger.settle(self._db, self._place.school_id, effect, State.UNKNOWN, self._now, reason=ruling.reason)
            self._wait(effect)

    def _ruling(self, effect: Effect) -> Ruling:
        sub, outcome = effect.cell.person, self._posted.outcomes.get(effect.id)
        post = Post.UNANSWERED if outcome is None else _POSTS.get(outcome.status, Post.UNANSWERED)
        ruling = after_write(
            post,
            self._sight.reading(sub),
            self._sight.points(sub, effect.after, effect.maximum),
            self._base(effect.cell, Sighting(effect.expect, effect.expect_maximum))[0],
            sent_before=effect.attempts > 1,
        )
        if ruling.verdict is Verdict.REFUSED and outcome is not None:
            return Ruling(Verdict.REFUSED, str(outcome.status))
        return ruling

    def _base(self, cell: Cell, agreed: Sighting) -> tuple[Decimal | None, bool]:
        """Return the mark of ours that the cell may hold, and whether it is one that went astray and is there."""
        reading = self._sight.reading(cell.person)
        for stray in self._strays.get(cell, ()):
            mark = self._sight.base(cell.person, stray.value, stray.maximum)
            if mark is not None and reading.shows(mark):
                return mark, True
        return self._sight.base(cell.person, agreed.value, agreed.maximum), False

    def _hopeless(self, effect: Effect) -> bool:
        return self._posted.some_accepted and self._now - effect.created_at > GIVE_UP

    def _later(self, effect: Effect) -> Effect:
        changed_at = self._sight.changed_at(effect.cell.person)
        return ledger.restamp(self._db, self._place.school_id, effect, self._now, changed_at)

    def _wait(self, effect: Effect) -> None:
        self._busy.add(effect.cell.person)
        self.undecided += 1

    def _new(self, one: Waiting, known: CellState, *, send: bool) -> None:
        """Plan a score nobody has sent yet, unless the cell already holds it or somebody else's mark."""
        if one.given is None and not known.agreed_known:
            self._note(one.result_id, one.revision, "none", "nothing_to_clear")
            return
        if not send:
            self.undecided += 1
            return
        effect = ledger.plan(self._db, self._place.school_id, self._change(one), self._now)
        base, ours = self._base(effect.cell, Sighting(known.agreed, known.agreed_maximum))
        ruling = before_write(
            self._sight.reading(one.sub),
            self._sight.points(one.sub, effect.after, effect.maximum),
            base,
            base_known=known.agreed_known or ours,
        )
        if ruling.verdict is Verdict.WRITE:
            self._to_send.append(effect)
        else:
            self._end(effect, ruling)

    def _change(self, one: Waiting) -> Change:
        return Change(
            cell=self._cell(one.sub),
            after=None if one.given is None else canonical(one.given),
            maximum=None if one.maximum is None else canonical(one.maximum),
            origin=Origin.SCORE,
            key=effect_key(one.result_id, one.revision, self._url),
            wanted_at=one.finished_at,
            comment=one.comment,
        )

    def _cell(self, sub: str) -> Cell:
        return lms_cell(self._place.issuer, self._url, sub)

    def _end(self, effect: Effect, ruling: Ruling) -> None:
        state, word = _ENDS[ruling.verdict]
        sighting = self._sight.sighting(effect.cell.person)
        ledger.settle(
            self._db, self._place.school_id, effect, state, self._now, reason=ruling.reason, sighting=sighting
        )
        found = parse_key(effect.key)
        if found is not None:
            self._note(*found, word, ruling.reason, effect.id)

    def _note(self, result_id: str, revision: int, state: str, reason: str, effect_id: str | None = None) -> None:
        here = select(result_table.c.id).where(
            result_table.c.school_id == self._place.school_id, result_table.c.id == result_id
        )
        if self._db.execute(here).first() is None:
            # The result was erased while its score was on its way.
            return
        row = {
            "school_id": self._place.school_id,
            "result": result_id,
            "revision": revision,
            "state": state,
            "reason": reason,
            "effect": effect_id,
            "updated_at": self._now,
        }
        upsert(self._db, delivery, row, ("school_id", "result"))


def abandon(db: Connection, place: Place, url: str, now: datetime) -> None:
    """Settle what was under way to a column that is gone; the scores are planned anew for the next column."""
    for effect in ledger.in_flight(db, place.school_id, lms_cell(place.issuer, url, "").system, url):
        if parse_key(effect.key) is not None:
            ledger.settle(db, place.school_id, effect, State.REFUSED, now, reason="column_deleted")
