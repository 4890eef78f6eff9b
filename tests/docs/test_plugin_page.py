from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

from tests.docs.reading import ROOT, blocks

PAGE = ROOT / "docs" / "plugins.md"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The example of the page, written out as its author would have it."""
    for block in blocks(PAGE):
        if block.file:
            file = tmp_path / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, "utf-8")
    return tmp_path


def run(package: Path, *command: str) -> subprocess.CompletedProcess[str]:
    # A process of its own: the example's table must not join the tables of other tests.
    environ = {**os.environ, "PYTHONPATH": f"{package}{os.pathsep}{ROOT}"}
    return subprocess.run(
        [sys.executable, *command], cwd=package, env=environ, capture_output=True, text=True, check=False, timeout=120
    )


def test_the_example_plugin_passes_its_own_tests(package: Path) -> None:
    done = run(package, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "test_reading_log.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout


def test_the_example_plugin_is_found_by_its_entry_point(package: Path) -> None:
    project = tomllib.loads((package / "pyproject.toml").read_text("utf-8"))["project"]
    info = package / f"kopir_reading_log-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1\n")
    ((group, entries),) = project["entry-points"].items()
    (info / "entry_points.txt").write_text(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
    )
    assert PathDistribution(info).entry_points
    script = (
        "from connector.host.plugins import load_plugins\n"
        "found, failures = load_plugins()\n"
        "assert not failures, failures\n"
        "print(found['reading_log'].manifest.version)\n"
    )
    done = run(package, "-c", script)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() == "1"


def test_the_example_plugin_imports_its_contract_alone(package: Path) -> None:
    rooms = ("connector", "sync", "lti", "mappings", "plugins.testkit")
    for file in (package / "reading_log").rglob("*.py"):
        for line in file.read_text("utf-8").splitlines():
            assert not line.startswith(tuple(f"from {room}" for room in rooms)), f"{file.name}: {line}"
