"""Sending a batch: as many posts side by side as the platform keeps up with, and none once it asks for peace."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from connector.base.errors import Fatal
from lti.tool.gradebook import ActivityProgress, GradingProgress, Score
from lti.tool.outcomes import ScoreOutcome, ScoreStatus
from sync.effects.records import Effect
from sync.jobs.runner import JobContext
from sync.scores.gradebook import Gradebook
from sync.scores.pace import Paces

_LOOK_SECONDS = 1.0

_SLOW_DOWN = frozenset({ScoreStatus.THROTTLED, ScoreStatus.MAINTENANCE, ScoreStatus.UNREACHABLE})
_FORBIDDEN = frozenset({ScoreStatus.FORBIDDEN, ScoreStatus.UNAUTHORISED})


class Posted:
    """How the calls of one run ended.

    Attributes:
        outcomes: The last outcome by effect.
        times: How often each effect was sent in this run.
        stopped: The outcome because of which sending stopped, if one did.
    """

    def __init__(self) -> None:
        """Start with nothing sent."""
        self.outcomes: dict[str, ScoreOutcome] = {}
        self.times: Counter[str] = Counter()
        self.stopped: ScoreOutcome | None = None

    @property
    def some_accepted(self) -> bool:
        """Whether the platform takes scores at all."""
        return any(outcome.accepted for outcome in self.outcomes.values())


@dataclass(frozen=True)
class Flight:
    """A batch that is on its way: its effects, and the threads that send them."""

    effects: frozenset[str]
    running: list[Future[None]]


class Sender:
    """Sends the scores of one run, a batch at a time; use it as a context manager, which ends its threads.

    Attributes:
        posted: How the calls ended.
        sent: Every write that was started, as it was marked.
    """

    def __init__(self, context: JobContext, book: Gradebook, paces: Paces) -> None:
        """Take the job, the gradebook and the paces of the process."""
        self._context = context
        self._book = book
        self._pace = paces.of(context.job.lane)
        self._halt = threading.Event()
        self._pool = ThreadPoolExecutor(self._pace.most, thread_name_prefix="scores")
        self._flights: deque[Flight] = deque()
        self.posted = Posted()
        self.sent: dict[str, Effect] = {}

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Send no more, and wait for what is on its way."""
        self._stop()
        self._pool.shutdown()

    @property
    def flying(self) -> frozenset[str]:
        """The effects of the batches under way."""
        return frozenset().union(*(flight.effects for flight in self._flights))

    def start(self, url: str, effects: Sequence[Effect]) -> None:
        """Begin to post each effect's score, behind the batches that were started before."""
        self.sent |= {effect.id: effect for effect in effects}
        left = deque(effects)
        running = [self._pool.submit(self._drain, url, left) for _ in range(min(self._pace.most, len(left)))]
        self._flights.append(Flight(frozenset(effect.id for effect in effects), running))

    def land(self) -> None:
        """Wait until the oldest batch is sent, keeping the lease; one that was stopped ends those behind it too.

        What was not sent because sending stopped has no outcome: whether it was is then judged by reading.

        Raises:
            TokenRefused, TokenUnavailable, Fatal: As ``Gradebook.post_score``.
            LeaseLost: Another worker has the job.
        """
        if self._flights:
            self._follow(self._flights.popleft())
        if self._halt.is_set():
            self.land_all()
            self._halt.clear()

    def land_all(self) -> None:
        """Wait until every batch is sent; raises as ``land``."""
        while self._flights:
            self._follow(self._flights.popleft())

    def _follow(self, flight: Flight) -> None:
        open_ = set(flight.running)
        while open_:
            ended, open_ = wait(open_, _LOOK_SECONDS, FIRST_COMPLETED)
            for one in ended:
                one.result()
            self._context.hold()

    def _stop(self) -> None:
        self._halt.set()
        self._pace.wake()

    def _drain(self, url: str, left: deque[Effect]) -> None:
        """Post scores until none is left or sending stops."""
        while (effect := _next(left)) is not None and self._pace.enter(self._halt.is_set):
            began, well = time.monotonic(), False
            try:
                well = self._post(url, effect)
            finally:
                self._pace.leave(time.monotonic() - began, well=well)

    def _post(self, url: str, effect: Effect) -> bool:
        """Post one score and keep how that ended; False when the platform is in trouble."""
        self._context.step("score.posting")
        outcome = self._book.post_score(url, score_of(effect))
        self._context.step("score.posted")
        self.posted.outcomes[effect.id] = outcome
        self.posted.times[effect.id] += 1
        return self._heed(outcome)

    def _heed(self, outcome: ScoreOutcome) -> bool:
        if outcome.status in _FORBIDDEN:
            self._stop()
            raise Fatal(str(outcome.status), outcome.message)
        if outcome.status in _SLOW_DOWN:
            self.posted.stopped = outcome
            self._stop()
            return False
        if outcome.status is ScoreStatus.UNKNOWN and outcome.http_status is None:
            # No answer at all: the next read shows whether the platform is still there.
            self._stop()
        return outcome.status is not ScoreStatus.UNKNOWN


def _next(left: deque[Effect]) -> Effect | None:
    try:
        return left.popleft()
    except IndexError:
        return None


def score_of(effect: Effect) -> Score:
    """Return the message that carries an effect; a score without a mark clears the cell."""
    if effect.after is None or effect.maximum is None:
        progress = (ActivityProgress.INITIALIZED, GradingProgress.NOT_READY)
        return Score(effect.cell.person, effect.stamp, None, None, *progress)
    given, maximum = Decimal(effect.after), Decimal(effect.maximum)
    return Score(effect.cell.person, effect.stamp, given, maximum, comment=effect.comment or None)
