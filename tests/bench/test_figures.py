"""What a benchmark reports: medians, ratios of paired rounds, and a file of a fixed shape."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.figures import Figure, compare, show, write


def test_ratio_is_the_median_of_each_round_s_own_ratio() -> None:
    # The machine was twice as slow in the second round; the ratio does not show it.
    figure = compare("x", "per s", [100, 50, 110], "peer", [50, 25, 50])
    assert (figure.value, figure.peer_value, figure.ratio) == (100, 50, 2)


def test_peer_that_is_absent_leaves_value_and_ratio_empty() -> None:
    assert compare("x", "s", [1.0, 3.0, 2.0], "peer") == Figure("x", 2.0, "s", "peer", None, None)


def test_peer_of_zero_gives_no_ratio() -> None:
    assert compare("x", "s", [1.0], "peer", [0.0]).ratio is None


@pytest.mark.parametrize(("ours", "theirs"), [([], []), ([1.0, 2.0], [1.0])])
def test_rounds_that_do_not_pair_are_refused(ours: list[float], theirs: list[float]) -> None:
    with pytest.raises(ValueError, match="rounds"):
        compare("x", "s", ours, "peer", theirs)


def test_results_are_a_list_of_six_named_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = [compare("launches", "flows/s", [1234.5678], "peer", [100.0]), compare("x", "s", [0.001], "none")]
    write(figures, tmp_path / "results.json")
    listed = json.loads((tmp_path / "results.json").read_text())
    assert [list(entry) for entry in listed] == [["name", "value", "unit", "peer", "peer_value", "ratio"]] * 2
    assert listed[0]["value"] == 1235
    assert listed[0]["ratio"] == 12.35
    show(figures, "title")
    out = capsys.readouterr().out
    assert "launches" in out
    assert "1,235" in out
