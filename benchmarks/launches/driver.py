"""The load driver: an LMS and its browsers in one process, which knows nothing of the tool it drives.

Logins of a batch are timed, then every id_token is signed outside any window, then the launches are timed. One JSON
object comes in on standard input, one goes out.
"""

from __future__ import annotations

import json
import random
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from benchmarks.launches.wire import Answer, exchange, post
from benchmarks.messages import Platform
from benchmarks.processes import cpu_seconds

Who = tuple[int, int, int]


@dataclass(frozen=True)
class Job:
    """What to drive.

    Attributes:
        login_url: The tool's login address.
        launch_url: The tool's launch address and target link.
        issuer: The LMS's issuer.
        client_id: The tool's client id there.
        key_file: PEM of the LMS's key.
        pids: The tool's processes, whose CPU time is counted during the windows.
        seconds: Go on until the windows last so long together.
        batch: Flows per batch.
        connections: Kept connections, all busy.
        people: How many people there are; each flow is a random one's.
        courses: How many courses.
        links: How many links each course has.
        seed: Of the choice of people.
    """

    login_url: str
    launch_url: str
    issuer: str
    client_id: str
    key_file: str
    pids: tuple[int, ...] = ()
    seconds: float = 1.0
    batch: int = 200
    connections: int = 8
    people: int = 200
    courses: int = 5
    links: int = 10
    seed: int = 1


@dataclass
class Driven:
    """What came of it: the windows, every launch's latency, and who launched what."""

    flows: int = 0
    login_seconds: float = 0.0
    launch_seconds: float = 0.0
    cpu_seconds: float = 0.0
    launch_latencies: list[float] = field(default_factory=list)
    people: list[int] = field(default_factory=list)
    courses: list[int] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    failure: str = ""

    @property
    def rate(self) -> float:
        """Flows per second over both windows."""
        return self.flows / (self.login_seconds + self.launch_seconds)

    @property
    def p99_ms(self) -> float:
        """The launch that 99 of 100 were faster than, in milliseconds."""
        ordered = sorted(self.launch_latencies)
        return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]

    @property
    def cpu_us(self) -> float:
        """CPU time of the server's processes per flow, in microseconds."""
        return 1e6 * self.cpu_seconds / self.flows


def drive(job: Job) -> Driven:
    """Drive batches until the windows are full."""
    platform = Platform.read(job.issuer, Path(job.key_file))
    chance = random.Random(job.seed)  # noqa: S311 - a repeatable choice, no secret.
    done = Driven()
    while done.login_seconds + done.launch_seconds < job.seconds and not done.failure:
        _batch(job, platform, chance, done)
    return done


def _batch(job: Job, platform: Platform, chance: random.Random, done: Driven) -> None:
    flows = [
        (chance.randrange(job.people), chance.randrange(job.courses), chance.randrange(job.links))
        for _ in range(job.batch)
    ]
    logins = [post(job.login_url, _login(job, who)) for who in flows]
    before = cpu_seconds(job.pids)
    login_seconds, answers = exchange(job.login_url, logins, job.connections)
    between = cpu_seconds(job.pids)
    if failed := _first_failure(answers, (302, 303)):
        done.failure = f"login: {failed}"
        return
    launches = [_launch(job, platform, who, answer) for who, answer in zip(flows, answers, strict=True)]
    ready = cpu_seconds(job.pids)
    launch_seconds, answers = exchange(job.launch_url, launches, job.connections)
    after = cpu_seconds(job.pids)
    if failed := _first_failure(answers, (200, 302, 303)):
        done.failure = f"launch: {failed}"
    _count(done, flows, answers)
    done.login_seconds += login_seconds
    done.launch_seconds += launch_seconds
    done.cpu_seconds += (between - before) + (after - ready)


def _login(job: Job, who: Who) -> dict[str, str]:
    return {
        "iss": job.issuer, "login_hint": str(who[0]), "target_link_uri": job.launch_url, "client_id": job.client_id,
        "lti_message_hint": json.dumps({"cmid": who[2], "launchid": f"ltilaunch{who[1]}_{who[2]}"}),
        "lti_deployment_id": "1",
    }  # fmt: skip


def _launch(job: Job, platform: Platform, who: Who, login: Answer) -> bytes:
    query = dict(parse_qsl(urlsplit(login.header("location")[0]).query))
    token = platform.sign(platform.claims(job.client_id, job.launch_url, query["nonce"], who))
    cookies = "; ".join(value.partition(";")[0] for value in login.header("set-cookie"))
    return post(job.launch_url, {"id_token": token, "state": query["state"]}, cookies)


def _first_failure(answers: list[Answer], wanted: tuple[int, ...]) -> str:
    bad = [answer for answer in answers if answer.status not in wanted]
    return f"{len(bad)} of {len(answers)} answered {bad[0].status}: {bad[0].body}" if bad else ""


def _count(done: Driven, flows: list[Who], answers: list[Answer]) -> None:
    done.flows += len(flows)
    done.launch_latencies += [answer.seconds for answer in answers]
    done.people = sorted({*done.people, *(who[0] for who in flows)})
    done.courses = sorted({*done.courses, *(who[1] for who in flows)})
    done.links = sorted({*done.links, *(f"{who[1]}-{who[2]}" for who in flows)})


def main() -> None:
    """Serve one job from standard input."""
    sys.stdout.write(json.dumps(asdict(drive(Job(**json.load(sys.stdin))))))


if __name__ == "__main__":
    main()
