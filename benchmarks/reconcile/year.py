"""A synthetic school year as three sorted files: both sides and what they last agreed on.

Of a hundred cells 90 are as agreed, 5 were changed on the left, 2 on the right, 1 on both, 1 was removed on the left
and 1 is new there.
"""

from __future__ import annotations

import contextlib
import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PUPILS, ITEMS = 25, 40
FILES = ("left.csv", "right.csv", "base.csv")
OPERATIONS = {**dict.fromkeys(range(5), "write_right"), 5: "conflict", 6: "clear_right", 7: "report", 8: "report",
              9: "create_right"}  # fmt: skip
_RAW = {"write_right": ("90", "4"), "conflict": ("90", "7"), "clear_right": (None, "4"), "report": ("40", "7"),
        "create_right": ("40", None)}  # fmt: skip
Row = tuple[str, str]


def keys(cells: int) -> Iterator[str]:
    """Yield so many keys of marks in order: classes of 25 pupils with 40 works each."""
    for number in range(cells):
        column, pupil = divmod(number, PUPILS)
        group, item = divmod(column, ITEMS)
        yield f"grade|g{group:05}|i{item:02}|p{pupil:02}"


def write_year(folder: Path, cells: int, version: str) -> dict[str, int]:
    """Write the three files; return how many cells each operation awaits."""
    counts: Counter[str] = Counter()
    with contextlib.ExitStack() as stack:
        opened = (stack.enter_context((folder / name).open("w")) for name in FILES)
        lefts, rights, bases = (csv.writer(file, lineterminator="\n") for file in opened)
        for number, key in enumerate(keys(cells)):
            # A step that shares no factor with the columns' length spreads each kind over every pupil.
            operation = OPERATIONS.get(number * 37 % 100)
            mine, theirs = _RAW[operation] if operation else ("40", "4")
            if mine is not None:
                lefts.writerow((key, mine))
            if theirs is not None:
                rights.writerow((key, theirs))
            if operation != "create_right":
                bases.writerow((key, "40", "4", version, "ok"))
            if operation:
                counts[operation] += 1
    return dict(counts)


def rows(path: Path) -> Iterator[tuple[str, ...]]:
    """Read a file as plain tuples; every engine in Python reads through this."""
    with path.open(newline="") as file:
        yield from map(tuple, csv.reader(file))
