"""Alternate Kopir's deliveries with PyLTI1p3's posts, and refuse the figures when a mark is not in the LMS."""

from __future__ import annotations

import contextlib
import json
import sys
import urllib.request
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from benchmarks.figures import Figure, compare
from benchmarks.launches.targets import CLIENT, KOPIR, Lms, running_lms
from benchmarks.processes import BenchmarkFailed, run, run_with_input
from connector.base.secrets import new_key
from sync.scores.pace import MOST_AT_ONCE

SLOW_MS = 50


@dataclass(frozen=True)
class Size:
    """How much to deliver.

    Attributes:
        rounds: Alternated rounds.
        scores: Per round at a platform that answers at once.
        slow_scores: Per round at a platform that takes 50 ms.
        rebuilt: Per round for the client that makes a new connector for each score.
    """

    rounds: int = 3
    scores: int = 600
    slow_scores: int = 600
    rebuilt: int = 60


def scores(size: Size) -> list[Figure]:
    """Measure deliveries at a quick and at a slow platform.

    Raises:
        BenchmarkFailed: A score is not in the LMS, or the ledger does not call it delivered.
    """
    with TemporaryDirectory(prefix="kopir-bench-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        lms = stack.enter_context(running_lms(folder))
        return _Bench(lms, size, _install(folder / "kopir", lms)).figures()


def _install(folder: Path, lms: Lms) -> dict[str, str]:
    folder.mkdir()
    environ = {"DATA_DIR": str(folder), "SECRET_KEY": new_key(), "ENCRYPTION_KEYS": new_key(), "LOG_LEVEL": "WARNING"}
    run([*KOPIR, "init"], environ)
    run(
        [*KOPIR, "lti", "platforms", "add", "--school", "bench", "--issuer", "https://lms.example", "--client-id",
         CLIENT, "--auth-url", "https://lms.example/auth", "--token-url", lms.key_set("token"), "--jwks-url",
         lms.key_set("keys"), "--deployment", "1"],
        environ,
    )  # fmt: skip
    return environ


class _Bench:
    def __init__(self, lms: Lms, size: Size, environ: dict[str, str]) -> None:
        self._lms, self._size, self._environ = lms, size, environ

    def figures(self) -> list[Figure]:
        size, peer = self._size, find_spec("pylti1p3") is not None
        ours: list[float] = []
        kept: list[float] = []
        rebuilt: list[float] = []
        slow: list[float] = []
        for _ in range(size.rounds):
            ours.append(self._deliver(0, size.scores))
            if peer:
                kept.append(self._post(size.scores))
                rebuilt.append(self._post(size.rebuilt, rebuilt=True))
            slow.append(self._deliver(SLOW_MS, size.slow_scores))
        bound = [MOST_AT_ONCE * 1000 / SLOW_MS] * size.rounds
        words = f"PyLTI1p3, {MOST_AT_ONCE} connections"
        return [
            compare("scores journaled and read back", "scores/s", ours, f"{words}, kept, posted only", kept),
            compare(
                "the same, beside a client rebuilt per score", "scores/s", ours, f"{words}, rebuilt per score", rebuilt
            ),
            compare(f"scores, platform takes {SLOW_MS} ms", "scores/s", slow, "connections ÷ latency", bound),
        ]

    def _column(self, delay: int) -> tuple[str, str]:
        name = uuid4().hex[:12]
        return name, self._lms.key_set(f"column/{delay}/{name}/lineitem")

    def _deliver(self, delay: int, count: int) -> float:
        name, url = self._column(delay)
        job = json.dumps({"column": url, "first": self._column(0)[1], "scores": count})
        done = json.loads(run_with_input([sys.executable, "-m", "benchmarks.scores.school"], job, self._environ))
        if done["delivered"] != count:
            raise BenchmarkFailed(f"{done['delivered']} of {count} scores are delivered by the ledger")
        self._check(name, count)
        return count / float(done["seconds"])

    def _post(self, count: int, *, rebuilt: bool = False) -> float:
        name, url = self._column(0)
        job = {"key_file": str(self._lms.key_file), "token_url": self._lms.key_set("token"), "column": url,
               "scores": count, "connections": MOST_AT_ONCE, "rebuilt": rebuilt}  # fmt: skip
        done = json.loads(run_with_input([sys.executable, "-m", "benchmarks.peers.pylti_scores"], json.dumps(job)))
        self._check(name, count)
        return count / float(done["seconds"])

    def _check(self, name: str, count: int) -> None:
        """Count the marks in the LMS itself."""
        with urllib.request.urlopen(self._lms.key_set(f"column/0/{name}/lineitem/results")) as reply:  # noqa: S310 - ours.
            held = len(json.load(reply))
        if held != count:
            raise BenchmarkFailed(f"{held} of {count} marks are in the LMS")
