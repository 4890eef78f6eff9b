"""Faults at named steps, once each over all processes: a file in a shared folder says that it happened."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path


class Faults:
    """Kill or hold this process at a step.

    The folder holds one file per fault to come, named ``kill@step`` or ``hold@step``; taking it away is what makes
    it happen once. A held process waits for the file ``go``.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._counting = threading.Lock()

    def plan(self, kind: str, step: str, nth: int = 1) -> None:
        """Let the ``nth`` passing of a step, counted over all processes, be a fault."""
        (self._folder / f"{kind}@{step}@{nth}").touch()

    def left(self) -> list[str]:
        """Return the faults that did not happen yet."""
        return sorted(path.name for path in self._folder.glob("*@*@*"))

    def step(self, name: str) -> None:
        """Pass a step."""
        with self._counting:
            hold = self._count(name)
        if hold:
            (self._folder / "held").write_text(str(os.getpid()))
            while not (self._folder / "go").exists():
                time.sleep(0.02)

    def _count(self, name: str) -> bool:
        for path in sorted(self._folder.glob(f"*@{name}@*")):
            kind, _, nth = path.name.split("@")
            try:
                path.unlink()
            except FileNotFoundError:
                continue
            if int(nth) > 1:
                (self._folder / f"{kind}@{name}@{int(nth) - 1}").touch()
                continue
            if kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            return True
        return False
