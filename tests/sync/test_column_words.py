"""A column's words: what is remembered of a scale belongs to that mapping, kind and maxima alone."""

from __future__ import annotations

from decimal import Decimal

from mappings.load import load_mapping
from sync.runs import columns
from sync.runs.columns import GradeWords
from tests.sync.kit import MAPPING


def words(scale: str = "round: half_up, min: 1", left: int = 100) -> GradeWords:
    mapping = load_mapping(MAPPING.replace("round: half_up, min: 1", scale))
    return GradeWords(mapping, "fo", Decimal(left), Decimal(10))


def test_same_mark_is_said_the_same_way_twice() -> None:
    one = words()
    assert one.to_right("84.5") == one.to_right("84.5") == words().to_right("84.5")
    assert one.to_right("84.5").raw == "8"
    assert [one.agree("84.5", "8"), one.agree("84.5", "9"), one.agree("84.5", "8")] == [True, False, True]
    assert one.to_left("8").raw is None
    assert one.to_left("8") == one.to_left("8")


def test_another_rule_or_maximum_shares_nothing() -> None:
    up, down = words(), words("round: down, min: 1")
    assert up.to_right("86").raw == "9"
    assert down.to_right("86").raw == "8"
    assert up.version != down.version
    assert words(left=50).to_right("43") == up.to_right("86")
    assert up.to_right("43").raw != words(left=50).to_right("43").raw


def test_version_is_of_the_rule_not_of_the_file() -> None:
    other_pair = load_mapping(MAPPING.replace("7А-ALG", "7Б-ALG"))
    assert GradeWords(other_pair, "fo", Decimal(100), Decimal(10)).version == words().version


def test_memory_of_a_scale_is_bounded() -> None:
    one = words()
    for number in range(columns._MOST_SAID + 10):
        one.to_right(str(Decimal(number) / 100))
    assert len(one._said.right) <= columns._MOST_SAID
