"""Each benchmark runs at its smallest size, and would notice if what it measures did not do its work.

No test is timed: the sizes are far too small for a figure to mean anything.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.figures import Figure
from benchmarks.launches.driver import Driven, Job
from benchmarks.launches.measure import Seen, Size, check_rows
from benchmarks.launches.targets import CLIENT, ISSUERS, running_kopir, running_lms
from benchmarks.messages import Platform
from benchmarks.processes import ROOT, BenchmarkFailed, run_with_input
from benchmarks.reconcile.engine import merge_with
from benchmarks.reconcile.year import keys, write_year

PEERS = ROOT / ".venv-bench" / "bin" / "python"


def python() -> str:
    """The benchmarks' own environment where it is made, with the peers in it; else this one, without."""
    return str(PEERS) if PEERS.exists() else sys.executable


@pytest.mark.parametrize("part", ["statements", "limits", "scores", "reconcile", "plans", "store", "launches"])
def test_part_runs_and_writes_its_figures(part: str, tmp_path: Path) -> None:
    output = tmp_path / "results.json"
    done = subprocess.run(
        [python(), "-m", "benchmarks", part, "--quick", "--output", str(output)],
        cwd=ROOT, env={**os.environ, "PYTHONWARNINGS": ""}, capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    figures = [Figure(**entry) for entry in json.loads(output.read_text())]
    assert figures
    assert len({(figure.name, figure.peer) for figure in figures}) == len(figures)
    for figure in figures:
        assert figure.value >= 0
        assert figure.unit
        assert (figure.peer_value is None) >= (figure.ratio is None) or figure.peer_value == 0
    if part == "statements":
        counted = {figure.name: figure.value for figure in figures}
        assert counted["SQL statements, known user's login + launch"] <= 4
        assert counted["SQL statements, first login + launch"] <= 10
        assert counted["commits that write, known user's login + launch"] == 1
        assert counted["writes at login"] == 0


@pytest.fixture
def driven(tmp_path: Path) -> Iterator[tuple[object, Seen]]:
    with running_lms(tmp_path) as lms, running_kopir("Kopir", tmp_path / "kopir", lms) as tool:
        job = Job(tool.login_url, tool.launch_url, ISSUERS["keys"], CLIENT, str(lms.key_file), seconds=0.001, batch=12)
        command = [sys.executable, "-m", "benchmarks.launches.driver"]
        driven = Driven(**json.loads(run_with_input(command, json.dumps(dataclasses.asdict(job)))))
        assert driven.failure == ""
        assert driven.flows == len(driven.launch_latencies) == 12
        assert driven.rate > 0
        seen = Seen()
        seen.add(job.issuer, driven)
        strange = dataclasses.replace(job, client_id="nobody")
        refused = Driven(**json.loads(run_with_input(command, json.dumps(dataclasses.asdict(strange)))))
        assert "400" in refused.failure
        yield tool, seen


def test_launch_that_was_not_stored_fails_the_benchmark(driven: tuple[object, Seen]) -> None:
    tool, seen = driven
    check_rows(tool, seen)  # type: ignore[arg-type]
    for change in ({"launches": seen.launches + 1}, {"people": seen.people | {("x", 1)}}, {"links": set()}):
        with pytest.raises(BenchmarkFailed, match="stored"):
            check_rows(tool, dataclasses.replace(seen, **change))  # type: ignore[arg-type]


def test_launch_size_is_many_alternated_rounds_by_default() -> None:
    assert Size().rounds >= 3


def test_token_of_the_driver_is_as_large_as_moodle_s(tmp_path: Path) -> None:
    with running_lms(tmp_path) as lms:
        platform = Platform.read(ISSUERS["keys"], lms.key_file)
    token = platform.sign(platform.claims(CLIENT, "http://127.0.0.1:8001/lti/launch", "n" * 43, (1, 2, 3)))
    assert 2500 < len(token) < 4500


def test_synthetic_year_is_sorted_and_its_counts_are_what_a_merge_finds(tmp_path: Path) -> None:
    counts = write_year(tmp_path, 2_500, "v1")
    listed = list(keys(2_500))
    assert listed == sorted(set(listed))
    assert sum(counts.values()) == 250
    assert merge_with(tmp_path)() == counts
