"""Structured logs without names.

Every line is one JSON object. Keys that could carry a person's data are dropped whatever a caller passes, and an
exception gives its type and place only, for its text may quote what a person typed: a hurried log line cannot leak
a pupil.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping, MutableMapping, Set
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog

FORBIDDEN = frozenset(
    {
        "name", "given_name", "family_name", "middle_name", "full_name", "email", "phone", "iin", "birth_date",
        "id_token", "access_token", "token", "secret", "password", "authorization", "cookie", "comment", "claims",
    }
)  # fmt: skip
_PLAIN = (str, int, float, Decimal, date, Path)
_FRAMES = 8
_DEPTH = 8


def drop_personal(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Replace the value of every forbidden key by its type, at any depth, and every exception by its type."""
    return {key: _clean(key, value) for key, value in event.items()}


def _clean(key: str, value: Any, depth: int = 0) -> Any:
    if _forbidden(key) or depth > _DEPTH:
        return f"<{type(value).__name__}>"
    if isinstance(value, Mapping):
        return {str(inner): _clean(str(inner), item, depth + 1) for inner, item in value.items()}
    if isinstance(value, list | tuple | Set):
        return [_clean(key, item, depth + 1) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    # Anything else would be written by its repr, and a record's repr tells its fields.
    return str(value) if isinstance(value, _PLAIN) else f"<{type(value).__name__}>"


def _forbidden(key: str) -> bool:
    """Tell whether a key is forbidden: as it is, or by its last word (``viewer_name``, ``X-Access-Token``)."""
    plain = key.lower().replace("-", "_")
    return plain in FORBIDDEN or plain.rpartition("_")[2] in FORBIDDEN


def frames_of(trace: TracebackType | None) -> list[str]:
    """Return where an error happened, innermost last, as ``module:line``; no values and no text."""
    found: list[str] = []
    while trace is not None:
        found.append(f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}")
        trace = trace.tb_next
    return found[-_FRAMES:]


def name_exception(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Turn ``exc_info`` into the types of the error and of its causes, and where it happened."""
    given = event.pop("exc_info", None)
    event.pop("stack_info", None)
    error = given if isinstance(given, BaseException) else given[1] if isinstance(given, tuple) else None
    if given is True:
        error = sys.exc_info()[1]
    if error is not None:
        event["frames"] = frames_of(error.__traceback__)
        event["error"] = _chain(error)
    return event


def _chain(error: BaseException) -> list[str]:
    types: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(types) < _FRAMES:
        types.append(type(seen).__name__)
        seen = seen.__cause__ or seen.__context__
    return types


def setup_logging(level: str = "INFO") -> None:
    """Send structlog and the standard library's warnings to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Bare())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            name_exception,
            drop_personal,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        # Asked anew for each line: whoever swaps stderr, a test or a supervisor, gets the lines.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


class _Bare(logging.Formatter):
    """A library's line as its logger, level and place: its text and traceback may quote a request."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one JSON line; the standard formatter would add an exception's text below it."""
        error = type(record.exc_info[1]).__name__ if record.exc_info and record.exc_info[1] else ""
        values = {"logger": record.name, "level": record.levelname, "place": f"{record.module}:{record.lineno}"}
        return json.dumps({**values, "error": error} if error else values)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger bound to a room's name."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(room=name)
    return logger
