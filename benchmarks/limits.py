"""Physical limits of a launch, measured beside our own parts: CPU time in one process, alternated."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization
from joserfc import jws

from benchmarks.figures import Figure, compare
from benchmarks.inside import TARGET, Inside, Prepared, inside
from lti.tool.keys import from_pem, new_signing_key, to_pem
from lti.tool.launch import validate_launch
from lti.tool.login import STATE_PURPOSE
from lti.tool.signature import sign


@dataclass(frozen=True)
class Size:
    """How often each part is run.

    Attributes:
        rounds: Alternated rounds.
        times: Runs of a part per round.
        loads: Loads of a private key per round; one takes tens of milliseconds.
    """

    rounds: int = 7
    times: int = 300
    loads: int = 3


def limits(size: Size) -> list[Figure]:
    """Measure the validation of a launch beside a bare verification, and a signature beside a key load."""
    with inside() as here:
        here.launch(here.prepare((0, 0, 0)))
        return [_validation(here, size), _assertion(size)]


def _micros(part: Callable[[], object], times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        part()
    return 1e6 * (time.process_time() - began) / times


def _validation(here: Inside, size: Size) -> Figure:
    prepared = here.prepare((1, 1, 1))
    key = here.runtime.key_sets.key(here.lms.key_set("keys"), here.platform.kid)
    ours, floor = [], []
    for _ in range(size.rounds):
        floor.append(_micros(lambda: jws.deserialize_compact(prepared.token, key, algorithms=["RS256"]), size.times))
        ours.append(_micros(lambda: _validate(here, prepared), size.times))
    return compare("a launch validated, every claim checked", "µs CPU", ours, "joserfc: signature alone", floor)


def _validate(here: Inside, prepared: Prepared) -> object:
    runtime = here.runtime
    return validate_launch(
        {"id_token": prepared.token, "state": prepared.state},
        browser_secret=prepared.cookie.partition("=")[2],
        registrations=runtime.registry,
        key_sets=runtime.key_sets,
        signer=runtime.signer(STATE_PURPOSE),
        deployments=lambda one, name: runtime.registry.school_of(one.id, name) is not None,
        now=runtime.clock(),
    )


def _assertion(size: Size) -> Figure:
    pem = to_pem(new_signing_key())
    key = from_pem("bench", pem)
    claims = {"iss": "c", "sub": "c", "aud": TARGET, "jti": "1"}
    ours, theirs = [], []
    for _ in range(size.rounds):
        theirs.append(_micros(lambda: serialization.load_pem_private_key(pem.encode(), None), size.loads))
        ours.append(_micros(lambda: sign(claims, key), max(1, size.times // 3)))
    return compare("a client assertion signed, key parsed once", "µs CPU", ours, "loading the PEM each time", theirs)
