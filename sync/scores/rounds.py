"""One round of a delivery: what the LMS shows is judged and written down, what is to be sent is marked so.

Runs inside one transaction and makes no call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from sqlalchemy import Connection

from connector.db.types import canonical
from lti.tool.gradebook import Result
from lti.tool.outcomes import ScoreStatus
from sync.effects import ledger
from sync.effects.judge import Post, Reading, Ruling, Verdict, after_write, before_write, rescale, snap
from sync.effects.ledger import Ending
from sync.effects.records import Cell, CellState, Change, Effect, Origin, Sighting, State, lms_cell
from sync.scores.notes import Note, write_notes
from sync.scores.places import Place, Waiting
from sync.scores.sending import Posted

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
    return f"score:{result_id}:{revision}:{_short(url)}"


@lru_cache(maxsize=256)
def _short(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def parse_key(key: str) -> tuple[str, int] | None:
    """Return result and revision of a score's key; None for somebody else's."""
    parts = key.split(":")
    return (parts[1], int(parts[2])) if len(parts) in (4, 5) and parts[0] == "score" else None


def results_of(effects: Iterable[Effect]) -> set[str]:
    """Return the results whose scores these effects carry."""
    found = (parse_key(effect.key) for effect in effects)
    return {key[0] for key in found if key is not None}


def again(key: str, turn: int) -> str:
    """Return the key under which the same score is sent for the ``turn``-th time because a person asked for it."""
    return ":".join([*key.split(":")[:4], str(turn)])


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

    def cut(self, sub: str, mark: str | None, maximum: str | None) -> bool:
        """Tell whether the column shows its own maximum because the mark is above it."""
        shown = self._score(sub)
        if shown is None or mark is None or maximum is None:
            return False
        most = self.results[sub].maximum
        return shown == most and rescale(Decimal(mark), Decimal(maximum), most) > most

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


@dataclass(frozen=True)
class Turn:
    """What one round came to.

    Attributes:
        to_send: What is to be sent now, marked as sent.
        undecided: Scores about which nothing is known yet, or that somebody else is writing.
        settled: How many scores came to an end.
        left: Scores wait that this round was not to send.
        more: More wait than fitted into this round.
        goes_on: They do, and this round came forward, so that another is worth its read.
    """

    to_send: list[Effect]
    undecided: int
    settled: int
    left: bool = False
    more: bool = False
    goes_on: bool = False


class Round:
    """Judge the cells of one column against one read of it."""

    def __init__(
        self, db: Connection, place: Place, url: str, sight: Sight, posted: Posted, now: datetime,
        busy: Set[str] = frozenset(),
    ) -> None:  # fmt: skip
        """Take the transaction, the column, what it shows, how calls ended and for whom one is being made now."""
        self._db = db
        self._place = place
        self._url = url
        self._sight = sight
        self._posted = posted
        self._now = now
        self._to_send: list[Effect] = []
        self._endings: list[Ending] = []
        self._notes: list[Note] = []
        self._busy = set(busy)
        self._system = lms_cell(place.issuer, url, "").system
        self._strays = ledger.strays(db, place.school_id, self._system, url)
        self._undecided = 0

    def go(self, sent: Sequence[Effect], waiting: Sequence[Waiting], *, send: bool) -> Turn:
        """Settle what the read proves; return what is to be sent now, marked as sent.

        Args:
            sent: The writes of the column that may or may not have arrived, but for those being sent now.
            waiting: The results that wait.
            send: False in the last round of a run: what would be sent stays undecided, and new scores are left.
        """
        school_id = self._place.school_id
        newest = {one.sub: effect_key(one.result_id, one.revision, self._url) for one in waiting if not one.skip}
        for effect in sent:
            self._under_way(effect, newest.get(effect.cell.person), send=send)
        # What was under way ends before anything new of its cell begins.
        self._write_endings()
        self._notes += [Note(one.result_id, one.revision, "none", one.skip) for one in waiting if one.skip]
        new = [one for one in waiting if not one.skip and one.sub not in self._busy]
        leaving = self._plan(new) if send and new else []
        if self._to_send:
            leaving += ledger.mark_sent(self._db, school_id, self._to_send, self._now)
        write_notes(self._db, school_id, self._notes, self._now)
        return Turn(leaving, self._undecided, len(self._notes), left=bool(new) and not send)

    def _write_endings(self) -> None:
        ledger.settle_many(self._db, self._place.school_id, self._endings, self._now)
        self._endings = []

    def _under_way(self, effect: Effect, newest: str | None, *, send: bool) -> None:
        """Judge a write that may or may not have arrived."""
        if parse_key(effect.key) is None:
            # A sync's or an undo's own write: it is theirs to settle, and ours waits behind it.
            self._wait(effect)
            return
        if newest is not None and parse_key(newest) == parse_key(effect.key):
            newest = effect.key
            self._busy.add(effect.cell.person)
        ruling = self._ruling(effect)
        if ruling.verdict in _ENDS:
            self._end(effect, ruling)
        elif ruling.verdict in _RESENDS and newest not in (None, effect.key):
            # A later score of the same pupil waits, and its stamp refuses this one should it still arrive.
            self._endings.append(Ending(effect, State.SUPERSEDED, "newer_score"))
            self._strays.setdefault(effect.cell, []).append(Sighting(effect.after, effect.maximum))
        elif self._hopeless(effect):
            self._end(effect, Ruling(Verdict.REFUSED, "no_answer"))
        elif ruling.verdict in _RESENDS and send and self._posted.times[effect.id] < _SENDS_PER_RUN:
            self._busy.add(effect.cell.person)
            self._to_send.append(self._later(effect) if ruling.verdict is Verdict.RESEND_LATER else effect)
        else:
            self._endings.append(Ending(effect, State.UNKNOWN, ruling.reason))
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
        self._undecided += 1

    def _plan(self, new: Sequence[Waiting]) -> list[Effect]:
        """Plan scores nobody has sent yet, but for cells that already hold them or somebody else's mark."""
        school_id = self._place.school_id
        clearing = ledger.cells(self._db, school_id, [self._cell(one.sub) for one in new if one.given is None])
        nothing = {cell.person for cell, known in clearing.items() if not known.agreed_known}
        self._notes += [
            Note(one.result_id, one.revision, "none", "nothing_to_clear") for one in new if one.sub in nothing
        ]
        wanted = [one for one in new if one.sub not in nothing]
        held = ledger.hold(self._db, school_id, [self._cell(one.sub) for one in wanted])
        planned = self._planned([self._change(one) for one in wanted], held)
        leaving = [effect for effect in planned if self._may_leave(effect, held[effect.cell])]
        self._write_endings()
        return ledger.mark_sent(self._db, school_id, leaving, self._now, held)

    def _planned(self, changes: list[Change], held: Mapping[Cell, CellState]) -> list[Effect]:
        """Plan changes; one whose key has come to an end before, and is wanted again, gets the next key."""
        found: list[Effect] = []
        turn = 1
        while changes:
            effects = ledger.plan_many(self._db, self._place.school_id, changes, self._now, held)
            found += [effect for effect in effects if effect.state is State.PLANNED]
            turn += 1
            changes = [
                replace(change, key=again(change.key, turn), origin=Origin.RESEND, wanted_at=self._now)
                for change, effect in zip(changes, effects, strict=True)
                if effect.state is not State.PLANNED
            ]
        return found

    def _may_leave(self, effect: Effect, known: CellState) -> bool:
        """Judge the cell before anything is sent to it; an empty one that a person asks to fill again is filled."""
        if effect.origin is Origin.RESEND and self._sight.reading(effect.cell.person).blank:
            return True
        base, ours = self._base(effect.cell, Sighting(known.agreed, known.agreed_maximum))
        ruling = before_write(
            self._sight.reading(effect.cell.person),
            self._sight.points(effect.cell.person, effect.after, effect.maximum),
            base,
            base_known=known.agreed_known or ours,
        )
        if ruling.verdict is not Verdict.WRITE:
            self._end(effect, ruling)
        return ruling.verdict is Verdict.WRITE

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
        return Cell(self._system, self._url, sub)

    def _end(self, effect: Effect, ruling: Ruling) -> None:
        state, word = _ENDS[ruling.verdict]
        sub, reason = effect.cell.person, ruling.reason
        if word == "delivered" and self._sight.cut(sub, effect.after, effect.maximum):
            reason = "over_maximum"
        elif reason == ScoreStatus.NOT_GRADABLE and effect.expect is not None:
            # A mark of ours was in this cell once, so this was a pupil of the course.
            reason = "removed"
        self._endings.append(Ending(effect, state, reason, self._sight.sighting(sub)))
        found = parse_key(effect.key)
        if found is not None:
            self._notes.append(Note(*found, word, reason, effect.id))


def abandon(db: Connection, place: Place, url: str, now: datetime) -> None:
    """Settle what was under way to a column that is gone; the scores are planned anew for the next column."""
    for effect in ledger.in_flight(db, place.school_id, lms_cell(place.issuer, url, "").system, url):
        if parse_key(effect.key) is not None:
            ledger.settle(db, place.school_id, effect, State.REFUSED, now, reason="column_deleted")
