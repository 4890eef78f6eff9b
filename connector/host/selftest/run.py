"""The self-test from end to end: a platform of its own, every case through real addresses, one report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

from connector.base.errors import KopirError
from connector.base.log import get_logger
from connector.base.outbound import NetworkPolicy, Outbound
from connector.host.runtime import Runtime
from connector.host.selftest import hostile, launches, own, services
from connector.host.selftest.cases import CASES
from connector.host.selftest.lms import SelftestLms
from connector.host.selftest.probe import Probe, Target
from connector.host.selftest.records import Report, Verdict, in_order
from connector.host.selftest.services import Placed
from connector.host.selftest.target import live, shipped

Tell = Callable[[Verdict], None]
log = get_logger("host.selftest")


def run_shipped(tell: Tell) -> Report:
    """Start the shipped server over a throw-away data folder and try every case on it.

    Args:
        tell: Is told each verdict as it falls.

    Raises:
        Fatal: The server did not start.
    """
    lms = SelftestLms()
    try:
        with shipped(lms) as target:
            return try_all(target, lms, _way_there(), tell)
    finally:
        lms.close()


def run_live(runtime: Runtime, url: str, lms: SelftestLms, tell: Tell) -> Report:
    """Try every case on a live installation, in a school of the run, which is removed afterwards.

    Raises:
        Fatal: The address is served by another installation.
    """
    outbound = _way_there()
    with live(runtime, url, lms, outbound) as target:
        return try_all(target, lms, outbound, tell)


def _way_there() -> Outbound:
    # What is tested is named by the operator, on this computer or another; nothing else is asked.
    return Outbound(NetworkPolicy(everything=True), read=30.0, total=60.0)


def try_all(target: Target, lms: SelftestLms, outbound: Outbound, tell: Tell) -> Report:
    """Try every case and return the report."""
    began, started_at = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    probe, placed = Probe(target, lms, outbound), Placed()
    lms.trust(probe.public_keys)
    verdicts: list[Verdict] = []
    for part in _parts(probe, placed):
        try:
            for found in part:
                tell(found)
                verdicts.append(found)
        except KopirError as error:
            # No answer where one was due: the part's other cases were not tried, which is a failure; the next goes on.
            log.warning("selftest_part_broke_off", reason=error.reason)
    seconds = round(time.monotonic() - began, 1)
    return Report(target.url, target.server, started_at, seconds, in_order(CASES, verdicts))


def _parts(probe: Probe, placed: Placed) -> Iterator[Iterable[Verdict]]:
    yield own.ground(probe)
    # Before the launches, because what it places is what they open.
    yield services.deep_linking(probe, placed)
    yield launches.bad(probe)
    # Made only now, when something was placed.
    yield launches.valid(probe, placed.custom)
    yield services.roster(probe, placed)
    yield services.grades(probe, placed)
    yield hostile.hostile(probe)
    yield own.after(probe)
