"""The delivery of an activity's scores: read, judge, write down, send, and read again until nothing is left to send.

Each round is one read of the column, one transaction (what the read proves is settled, what is to be sent is
marked so) and the posts. The round in which nothing is to be sent ends the job in that same transaction, so that
whatever a process dies of, the next one starts from what the LMS shows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from connector.base.errors import Retriable
from connector.base.i18n import N_, say
from lti.errors import ServiceGone
from lti.tool.gradebook import Result
from sync.effects import ledger
from sync.effects.records import lms_cell
from sync.jobs.errors import LaneDown
from sync.jobs.runner import Handler, JobContext
from sync.scores import columns
from sync.scores.gradebook import Gradebook, Gradebooks, Opened
from sync.scores.pace import Paces
from sync.scores.places import Place, find_place, waiting_results
from sync.scores.requests import (
    delivery_state,
    delivery_states,
    enqueue_activity,
    enqueue_delivery,
)
from sync.scores.rounds import Round, Sight, Turn, abandon, results_of
from sync.scores.sending import Sender
from sync.scores.tables import DELIVER_SCORES

__all__ = [
    "DELIVER_SCORES",
    "deliver_handler",
    "delivery_state",
    "delivery_states",
    "enqueue_activity",
    "enqueue_delivery",
]

# Each batch costs a read of the whole column and some twenty statements; one of this size holds SQLite for a tenth of a
# second.
BATCH = 300
# The first is smaller: nothing is on its way while it is made ready.
FIRST_BATCH = 100
# So many batches, and then other jobs of the platform have their turn.
_BATCHES = 7


def deliver_handler(gradebooks: Gradebooks) -> Handler:
    """Return the handler of ``deliver_scores`` jobs; make one per process, it holds the platforms' paces."""
    paces = Paces()

    def handler(context: JobContext) -> None:
        deliver(context, gradebooks, paces)

    return handler


def deliver(context: JobContext, gradebooks: Gradebooks, paces: Paces) -> None:
    """Deliver every waiting score of one activity in one link.

    Raises:
        LaneDown: The platform does not answer; all that waits behind its lane waits on.
        Retriable: The platform answers, but not for every score.
        Hold: There is no column (``no_gradebook``, ``column_deleted``) or no registration.
        Fatal: The platform does not let this tool write.
        LeaseLost: Another worker has the job.
    """
    with context.database.school(context.school_id, write=False) as db:
        place = find_place(db, context.school_id, context.payload["activity"], context.payload["link"])
        waits = place is not None and bool(waiting_results(db, place, 1))
    if place is None or not waits:
        return
    undecided = _run(context, gradebooks, paces, place)
    if undecided:
        message = N_("The LMS left {count} scores without an answer; they will be looked at again.")
        raise Retriable("scores_undecided", say(message, count=undecided))


def _run(context: JobContext, gradebooks: Gradebooks, paces: Paces, place: Place) -> int:
    try:
        opened = gradebooks.open(place)
        url = columns.ensure_column(context, place, opened.book)
        with Sender(context, opened.book, paces) as sender:
            return Delivery(context, place, opened, url, sender).run()
    except LaneDown:
        raise
    except Retriable as error:
        # No answer, a maintenance page, no token: whatever is behind this registration fares alike.
        raise LaneDown(error.reason, error.message, error.retry_after) from error


@dataclass
class Delivery:
    """One run of one job.

    Attributes:
        context: The job.
        place: Where the scores go.
        opened: The gradebook.
        url: The column.
        sender: Sends and remembers how the calls ended.
    """

    context: JobContext
    place: Place
    opened: Opened
    url: str
    sender: Sender

    @property
    def _book(self) -> Gradebook:
        return self.opened.book

    def run(self) -> int:
        """Go round until nothing is left to send; return how many scores are undecided.

        While one batch is on its way the next is made ready and the one before is read back, so that the platform
        is not left idle in between.
        """
        sight = self._look()
        turn, batches = self._settle(sight, send=True), 0
        while turn.to_send or turn.goes_on or self.sender.flying:
            if turn.to_send:
                self.sender.start(self.url, turn.to_send)
                batches += 1
                if batches == 1 and turn.more:
                    # Nothing was sent before this batch, so the same look serves the next one.
                    turn = self._settle(sight, send=True)
                    continue
            self._land()
            sight = self._look()
            turn = self._settle(sight, send=batches < _BATCHES)
        return turn.undecided

    def _look(self) -> Sight:
        return Sight({one.user_id: one for one in self._read()}, self.opened.hides_zero)

    def _land(self) -> None:
        """Wait until the oldest batch under way is sent."""
        self.sender.land()
        stopped = self.sender.posted.stopped
        if stopped is not None:
            raise LaneDown(str(stopped.status), stopped.message, stopped.retry_after)

    def _read(self) -> list[Result]:
        """Read the column once for the whole batch."""
        self.context.hold()
        try:
            found = self._book.read_results(self.url)
        except ServiceGone:
            found = self._read_elsewhere()
        self.context.step("score.read")
        return found

    def _read_elsewhere(self) -> list[Result]:
        self.sender.land_all()
        with self.context.database.school(self.place.school_id) as db:
            self.context.check(db)
            abandon(db, self.place, self.url, self.context.now())
        self.url = columns.find_again(self.context, self.place, self._book, self.url)
        return self._book.read_results(self.url)

    def _settle(self, sight: Sight, *, send: bool) -> Turn:
        now, place, flying = self.context.now(), self.place, self.sender.flying
        leaving = [self.sender.sent[one] for one in flying]
        busy = {effect.cell.person for effect in leaving}
        with self.context.database.school(place.school_id) as db:
            self.context.check(db)
            columns.mark_ready(db, place, self.url, now)
            system = lms_cell(place.issuer, self.url, "").system
            sent = ledger.in_flight(db, place.school_id, system, self.url, self.sender.sent, flying)
            # What has landed waits too, until it is settled; what is being sent is left alone until then.
            room = len(sent) + (BATCH if self.sender.sent else min(BATCH, FIRST_BATCH))
            people = {effect.cell.person for effect in sent}
            waiting = waiting_results(db, place, room, people, results_of(leaving))
            turn = Round(db, place, self.url, sight, self.sender.posted, now, busy).go(sent, waiting, send=send)
            more = len(waiting) == room
            goes_on = more and send and turn.settled > 0
            if not (turn.to_send or turn.undecided or goes_on or flying):
                self._finish(db, more=more or turn.left)
            self.context.step("score.settling")
        self.context.step("score.settled")
        return replace(turn, more=more, goes_on=goes_on)

    def _finish(self, db: Connection, *, more: bool) -> None:
        if more:
            place = self.place
            enqueue_activity(db, place.school_id, place.activity_id, place.link_id or None, self.context.job.lane)
        self.context.finish_in(db)
