from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner, Result

from connector.cli.main import main


@dataclass
class Kopir:
    """The command, as typed in a folder of the test's own."""

    folder: Path
    environ: dict[str, str | None]

    def __call__(self, *words: str, exit_code: int | None = 0, **environ: str) -> Result:
        """Run a command; ``exit_code`` None takes any."""
        result = CliRunner().invoke(main, list(words), env={**self.environ, **environ})
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert exit_code in (None, result.exit_code), result.output
        return result

    def json(self, *words: str, **options: Any) -> Any:
        """Run a command with ``--json`` and return what it prints."""
        return json.loads(self(*words, "--json", **options).stdout)


@pytest.fixture
def kopir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kopir]:
    """The command in an empty folder, speaking English."""
    monkeypatch.chdir(tmp_path)
    names = ("SECRET_KEY", "ENCRYPTION_KEYS", "DATABASE_URL", "DATABASE_SERVICE_URL", "BROKER_URL", "KOPIR_CONFIG")
    environ: dict[str, str | None] = dict.fromkeys(names)
    environ.update(KOPIR_LANGUAGE="en", PUBLIC_URL="https://kopir.school.kz", TRUSTED_PROXIES="1")
    yield Kopir(tmp_path, environ)
    structlog.reset_defaults()
