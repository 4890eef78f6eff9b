"""Sending a batch: a few posts side by side per platform, and none once the platform asks for peace."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from decimal import Decimal

from connector.base.errors import Fatal
from lti.tool.gradebook import ActivityProgress, GradingProgress, Score
from lti.tool.outcomes import ScoreOutcome, ScoreStatus
from sync.effects.records import Effect
from sync.jobs.runner import JobContext
from sync.scores.gradebook import Gradebook

POSTS_PER_PLATFORM = 4
_EXTEND_SECONDS = 15.0

_SLOW_DOWN = frozenset({ScoreStatus.THROTTLED, ScoreStatus.MAINTENANCE, ScoreStatus.UNREACHABLE})
_FORBIDDEN = frozenset({ScoreStatus.FORBIDDEN, ScoreStatus.UNAUTHORISED})


class Limits:
    """How many posts may be on their way to one platform, over all jobs of this process."""

    def __init__(self, posts: int = POSTS_PER_PLATFORM) -> None:
        """Allow so many posts per lane."""
        self._posts = posts
        self._lanes: dict[str, threading.BoundedSemaphore] = {}
        self._lock = threading.Lock()

    @contextmanager
    def slot(self, lane: str) -> Iterator[None]:
        """Hold one of the lane's places."""
        with self._lock:
            semaphore = self._lanes.setdefault(lane, threading.BoundedSemaphore(self._posts))
        with semaphore:
            yield


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


class Sender:
    """Sends the scores of one run."""

    def __init__(self, context: JobContext, book: Gradebook, limits: Limits) -> None:
        """Take the job, the gradebook and the limits of the process."""
        self._context = context
        self._book = book
        self._limits = limits
        self._extended = time.monotonic()
        self._halt = threading.Event()
        self.posted = Posted()

    def send(self, url: str, effects: Sequence[Effect]) -> None:
        """Post each effect's score; outcomes are kept in ``posted``.

        What was not sent because sending stopped has no outcome: whether it was is then judged by reading.

        Raises:
            TokenRefused, TokenUnavailable, Fatal: As ``Gradebook.post_score``.
            LeaseLost: Another worker has the job.
        """
        self._keep_lease()
        with ThreadPoolExecutor(POSTS_PER_PLATFORM, thread_name_prefix="scores") as pool:
            futures = [pool.submit(self._post, url, effect) for effect in effects]
            try:
                for future in as_completed(futures):
                    self._collect(future)
            finally:
                self._halt.set()
        self._halt.clear()

    def _collect(self, future: Future[tuple[Effect, ScoreOutcome] | None]) -> None:
        done = future.result()
        if done is not None:
            effect, outcome = done
            self.posted.outcomes[effect.id] = outcome
            self.posted.times[effect.id] += 1
            self._heed(outcome)
        self._keep_lease()

    def _heed(self, outcome: ScoreOutcome) -> None:
        if outcome.status in _FORBIDDEN:
            raise Fatal(str(outcome.status), outcome.message)
        if outcome.status in _SLOW_DOWN:
            self.posted.stopped = outcome
            self._halt.set()
        elif outcome.status is ScoreStatus.UNKNOWN and outcome.http_status is None:
            # No answer at all: the next read shows whether the platform is still there.
            self._halt.set()

    def _post(self, url: str, effect: Effect) -> tuple[Effect, ScoreOutcome] | None:
        with self._limits.slot(self._context.job.lane):
            if self._halt.is_set():
                return None
            self._context.step("score.posting")
            outcome = self._book.post_score(url, score_of(effect))
            self._context.step("score.posted")
            return effect, outcome

    def _keep_lease(self) -> None:
        if time.monotonic() - self._extended >= _EXTEND_SECONDS:
            self._context.extend()
            self._extended = time.monotonic()


def score_of(effect: Effect) -> Score:
    """Return the message that carries an effect; a score without a mark clears the cell."""
    if effect.after is None or effect.maximum is None:
        progress = (ActivityProgress.INITIALIZED, GradingProgress.NOT_READY)
        return Score(effect.cell.person, effect.stamp, None, None, *progress)
    given, maximum = Decimal(effect.after), Decimal(effect.maximum)
    return Score(effect.cell.person, effect.stamp, given, maximum, comment=effect.comment or None)
