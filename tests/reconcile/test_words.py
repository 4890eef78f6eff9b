from __future__ import annotations

import re
from pathlib import Path

import pytest

import sync
from connector.base.i18n import Catalogue
from sync.reconcile.decide import RULE_IDS, explain_rule
from sync.reconcile.guard import HOLD_CODES, RELEASABLE, WAITS_FOR_A_YES, explain_hold
from sync.reconcile.match import MATCH_REASONS, explain_match

FOLDER = Path(next(iter(sync.__path__)))
PURE = ("decide.py", "plan.py", "guard.py", "match.py")
MESSAGES = [explain_rule(rule).msgid for rule in RULE_IDS]
MESSAGES += [explain_hold(code).msgid for code in HOLD_CODES]
MESSAGES += [explain_match(code).msgid for code in MATCH_REASONS]


@pytest.fixture(scope="module")
def words() -> Catalogue:
    made = Catalogue()
    made.add(FOLDER / "i18n")
    return made


def marked(source: str) -> list[str]:
    """Every sentence a module marks for translation, as it stands in its source."""
    return re.findall(r'N_\(\s*"([^"]+)"\s*\)', source)


@pytest.mark.parametrize("language", ["kk", "ru"])
def test_every_sentence_of_reconciliation_is_translated_with_its_fields(words, language):
    found = {text for name in PURE for text in marked((FOLDER / "reconcile" / name).read_text("utf-8"))}
    assert len(found) > 70
    assert found >= set(MESSAGES)
    for msgid in found:
        said = words.find(language, msgid)
        assert said, msgid
        assert said != msgid
        assert set(re.findall(r"{\w+}", said)) == set(re.findall(r"{\w+}", msgid))


def test_every_hold_that_can_be_lifted_has_words():
    assert WAITS_FOR_A_YES | RELEASABLE <= HOLD_CODES


def test_a_code_without_words_is_shown_as_it_is():
    assert str(explain_hold("house_rule")) == "house_rule"
    assert str(explain_match("house_rule")) == "house_rule"
