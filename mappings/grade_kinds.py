"""Kinds of work, and the little language that picks them: ``quiz``, ``assign[idnumber^=SOR]``, ``*[tag=sor]``."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal, get_args

from connector.base.errors import Record
from connector.base.i18n import N_, say

Kind = Literal["fo", "sor", "soch", "homework", "admin_control", "other"]
"""ФО/ҚБ, СОР/БЖБ and СОЧ/ТЖБ of order №125; the rest are a school's own columns."""
KINDS: tuple[Kind, ...] = get_args(Kind)
IGNORE = "ignore"
"""Written for works that are not carried at all."""

_ATTRIBUTES = {"tag": "tag", "idnumber": "idnumber", "resource_id": "idnumber", "title": "title"}
_HEAD = re.compile(r"\*|[A-Za-z][A-Za-z0-9_\-]*")
_CONDITION = re.compile(r'\[\s*([a-z_]+)\s*(\^=|\$=|\*=|=)\s*(?:"([^"]*)"|([^\]"]*?))\s*\]')


@dataclass(frozen=True)
class ItemFacts:
    """What is known of a line item when its kind is asked for.

    Attributes:
        type: The tool or activity: ``quiz``, ``assign``, ``online_test``, ``virtual_lab``.
        tag: The line item's tag.
        idnumber: Its resourceId (LTI) or idnumber (Moodle).
        title: Its label, as people see it.
    """

    type: str
    tag: str = ""
    idnumber: str = ""
    title: str = ""


@dataclass(frozen=True)
class Condition:
    """One bracket of a selector: an attribute, an operator and the text sought."""

    attribute: str
    operator: str
    text: str

    def holds(self, facts: ItemFacts) -> bool:
        """Tell whether an item meets the condition; letter case does not matter."""
        value, text = _fold(getattr(facts, self.attribute)), _fold(self.text)
        if self.operator == "=":
            return value == text
        if self.operator == "^=":
            return value.startswith(text)
        return value.endswith(text) if self.operator == "$=" else text in value


@dataclass(frozen=True)
class Selector:
    """A parsed selector: the type of activity, ``*`` for any, and all conditions that must hold."""

    type: str
    conditions: tuple[Condition, ...] = ()

    def matches(self, facts: ItemFacts) -> bool:
        """Tell whether an item is meant."""
        named = self.type == "*" or _fold(self.type) == _fold(facts.type)
        return named and all(condition.holds(facts) for condition in self.conditions)

    def covers(self, other: Selector) -> bool:
        """Tell whether every item the other one means is surely meant by this one too."""
        return self.type in ("*", other.type) and set(self.conditions) <= set(other.conditions)


def parse_selector(text: str) -> Selector:
    """Read a selector.

    Raises:
        Record: It does not parse (``bad_selector``); the message shows where it stops making sense.
    """
    head = _HEAD.match(text)
    if head is None:
        raise _bad(text, text)
    position, conditions = head.end(), []
    while position < len(text):
        found = _CONDITION.match(text, position)
        if found is None or found[1] not in _ATTRIBUTES or not (found[3] or found[4]):
            raise _bad(text, text[position:])
        conditions.append(Condition(_ATTRIBUTES[found[1]], found[2], found[3] or found[4]))
        position = found.end()
    return Selector(head[0], tuple(conditions))


def _bad(text: str, rest: str) -> Record:
    message = N_(
        "The selector “{selector}” cannot be read from “{rest}” on. Write an activity or *, then conditions on tag, "
        'idnumber or title: assign[idnumber^=SOR], *[title*="БЖБ"].'
    )
    return Record("bad_selector", say(message, selector=text, rest=rest))


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()
