"""Structured logs without names.

Every line is one JSON object. Keys that could carry a person's data are dropped whatever a caller passes, so
that a hurried log line cannot leak a pupil.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

FORBIDDEN = frozenset(
    {
        "name", "given_name", "family_name", "middle_name", "full_name", "email", "phone", "iin", "birth_date",
        "id_token", "access_token", "token", "secret", "password", "authorization", "cookie", "comment", "claims",
    }
)  # fmt: skip


def drop_personal(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Replace the value of every forbidden key by its type, at any depth."""
    return {key: _clean(key, value) for key, value in event.items()}


def _clean(key: str, value: Any) -> Any:
    if key.lower() in FORBIDDEN:
        return f"<{type(value).__name__}>"
    if isinstance(value, dict):
        return {inner: _clean(str(inner), item) for inner, item in value.items()}
    return value


def setup_logging(level: str = "INFO") -> None:
    """Send structlog and the standard library's warnings to stderr as JSON lines."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format='{"logger":"%(name)s","event":"%(levelname)s"}'
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            drop_personal,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger bound to a room's name."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(room=name)
    return logger
