"""Fetch the vendored front-end files from their npm packages and record version, licence and hash of each.

Run ``python scripts/vendor.py`` to fetch anew, ``python scripts/vendor.py --check`` to compare what is there with
the record. Needs npm only for fetching.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "connector" / "static" / "vendor"
RECORD = FOLDER / "vendor.json"
PACKAGES = {
    "bootstrap@5.3.9": {
        "package/dist/css/bootstrap.min.css": "bootstrap.min.css",
        "package/LICENSE": "bootstrap.LICENSE",
    },
}


def digest(file: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def fetch(spec: str, files: dict[str, str]) -> dict[str, object]:
    """Unpack the named files of one package and return its entry for the record."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", "--pack-destination", folder, spec]
        name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().splitlines()[-1]
        with tarfile.open(Path(folder) / name) as archive:
            about = json.loads(_content(archive, "package/package.json"))
            for inside, target in files.items():
                (FOLDER / target).write_bytes(_without_map(_content(archive, inside)))
    hashes = {target: digest(FOLDER / target) for target in sorted(files.values())}
    return {"package": about["name"], "version": about["version"], "licence": about["license"], "sha256": hashes}


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    if member is None:
        raise SystemExit(f"{name} is not a file in the package")
    return member.read()


def _without_map(content: bytes) -> bytes:
    """Drop the pointer to a source map that is not vendored, so that browsers do not ask for it."""
    lines = [line for line in content.split(b"\n") if b"sourceMappingURL=" not in line]
    return b"\n".join(lines)


def check() -> int:
    """Compare the files with the record; return how many differ."""
    wrong = 0
    for entry in json.loads(RECORD.read_text("utf-8")):
        for name, expected in entry["sha256"].items():
            if digest(FOLDER / name) != expected:
                print(f"{name} is not the file that was vendored from {entry['package']} {entry['version']}")
                wrong += 1
    return wrong


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(check())
    FOLDER.mkdir(parents=True, exist_ok=True)
    record = [fetch(spec, files) for spec, files in PACKAGES.items()]
    RECORD.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", "utf-8")
    print(f"{len(record)} packages in {FOLDER}")
