"""PyLTI1p3 posts scores from a pool of threads: with a connector per thread, or with a new one for each score."""

from __future__ import annotations

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pylti1p3.assignments_grades import AssignmentsGradesService
from pylti1p3.grade import Grade
from pylti1p3.registration import Registration
from pylti1p3.service_connector import ServiceConnector

_SCOPES = ["https://purl.imsglobal.org/spec/lti-ags/scope/score"]


class Poster:
    """Posts a class's scores into one column."""

    def __init__(self, job: dict[str, Any]) -> None:
        """Take the job: ``key_file``, ``token_url``, ``column``, ``scores``, ``connections``, ``rebuilt``."""
        self._job = job
        self._pem = Path(job["key_file"]).read_text()
        self._own = threading.local()
        self._ready = threading.Barrier(job["connections"])

    def _service(self) -> AssignmentsGradesService:
        registration = Registration()
        registration.set_client_id("bench-client")
        registration.set_auth_token_url(self._job["token_url"])
        registration.set_tool_private_key(self._pem)
        connector = ServiceConnector(registration)
        connector.get_access_token(_SCOPES)
        return AssignmentsGradesService(connector, {"scope": _SCOPES, "lineitem": self._job["column"]})

    def prepare(self, _: int) -> None:
        """Give this thread its connector and token, and wait until every thread has its own."""
        self._own.service = self._service()
        self._ready.wait()

    def post(self, number: int) -> None:
        """Post one score."""
        grade = Grade()
        grade.set_user_id(f"user-{number}").set_score_given(number % 10 + 1).set_score_maximum(10)
        grade.set_timestamp(datetime.now(UTC).isoformat())
        grade.set_activity_progress("Completed").set_grading_progress("FullyGraded")
        service = self._service() if self._job["rebuilt"] else self._own.service
        service.put_grade(grade)


def main() -> None:
    """Serve one job from standard input; print the seconds it took."""
    job = json.load(sys.stdin)
    poster = Poster(job)
    with ThreadPoolExecutor(job["connections"]) as pool:
        if not job["rebuilt"]:
            list(pool.map(poster.prepare, range(job["connections"])))
        began = time.perf_counter()
        list(pool.map(poster.post, range(job["scores"])))
        seconds = time.perf_counter() - began
    sys.stdout.write(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
