"""The delivery of scores, wired to this installation's registrations and tokens."""

from __future__ import annotations

from connector.host.runtime import Runtime
from sync.jobs.runner import Handler
from sync.scores.deliver import deliver_handler
from sync.scores.gradebook import LtiGradebooks


def score_handler(runtime: Runtime) -> Handler:
    """Return the handler of score deliveries; it holds the limits of each platform, so there is one per process."""
    return deliver_handler(LtiGradebooks(runtime.outbound, runtime.token_source, runtime.registry))
