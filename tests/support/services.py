"""What the tests need from the machine, each by name: a service that is absent is skipped, or fails on request."""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import Callable
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest

CHROMIUM = "/usr/bin/chromium"


def _listens(url: str, port: int) -> bool:
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or port), timeout=2):
            return True
    except OSError:
        return False


@cache
def postgres_url() -> str:
    """Return the URL of a superuser on the test server; the tests make their own databases and roles there."""
    return os.environ.get("POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")


@cache
def redis_url() -> str:
    """Return the URL of the Redis server of the tests."""
    return os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")


@cache
def rabbitmq_url() -> str:
    """Return the URL of the RabbitMQ server of the tests."""
    return os.environ.get("RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//")


_ADDRESSES: dict[str, tuple[Callable[[], str], int]] = {
    "postgres": (postgres_url, 5432),
    "redis": (redis_url, 6379),
    "rabbitmq": (rabbitmq_url, 5672),
}


@cache
def _address(name: str) -> str | None:
    if name == "chromium":
        return CHROMIUM if Path(CHROMIUM).exists() else None
    url, port = _ADDRESSES[name]
    return url() if _listens(url(), port) else None


def require_service(name: str) -> str:
    """Return the address of ``postgres``, ``redis``, ``rabbitmq`` or ``chromium``, or skip the test by its name.

    With ``REQUIRE_SERVICES=1`` in the environment an absent service fails the test.
    """
    address = _address(name)
    if address is not None:
        return address
    text = f"{name} is not available"
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(text)
    pytest.skip(text)


def require_package(name: str) -> None:
    """Skip the test by a package's name where it is not installed; with ``REQUIRE_SERVICES=1`` fail it."""
    if importlib.util.find_spec(name) is not None:
        return
    text = f"{name} is not installed"
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(text)
    pytest.skip(text)
