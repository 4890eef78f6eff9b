"""Who is who, case by case as schools meet them: what links, what is only proposed, and what waits."""

from __future__ import annotations

from datetime import date

import pytest

from sync.model import Person
from sync.reconcile.alike import latin_key, same_but_for_lost_letters
from sync.reconcile.match import Link, MatchResult, match_people

BORN, LATER = date(2013, 2, 8), date(2013, 3, 1)


def pupil(id: str, name: str, *, born: date | None = None, iin: str = "") -> Person:
    family, given, patronymic, *_ = [*name.split(), "", "", ""]
    return Person(id, family, given, patronymic, name, birth_date=born, identifiers={"iin_hmac": iin} if iin else {})


def outcome(found: MatchResult) -> dict[str, str]:
    """Return what became of each left account: ``=r1 rule``, ``?r1 rule``, or the reason."""
    said = {pair.left: f"={pair.right} {pair.rule}" for pair in found.linked}
    said |= {pair.left: f"?{pair.right} {pair.rule}" for pair in found.proposed}
    return said | {apart.id: apart.reason for apart in (*found.ambiguous, *found.left_only, *found.conflicts)}


CASES: dict[str, tuple[list[Person], list[Person], list[Link], list[Link], dict[str, str]]] = {
    "twins of one class and birthday are told apart by their given names": (
        [pupil("l1", "Серік Айдана", born=BORN), pupil("l2", "Серік Айдар", born=BORN)],
        [pupil("r1", "Серік Айдана", born=BORN), pupil("r2", "Серік Айдар", born=BORN)],
        [], [], {"l1": "?r1 name+class+birth", "l2": "?r2 name+class+birth"},
    ),
    "namesakes of one birthday wait for a person": (
        [pupil("l1", "Серік Али", born=BORN), pupil("l2", "Серік Али", born=BORN)],
        [pupil("r1", "Серік Али", born=BORN), pupil("r2", "Серік Али", born=BORN)],
        [], [], {"l1": "namesakes", "l2": "namesakes"},
    ),
    "namesakes of one birthday are told apart by their IINs": (
        [pupil("l1", "Серік Али", born=BORN, iin="a"), pupil("l2", "Серік Али", born=BORN, iin="b")],
        [pupil("r1", "Серік Али", born=BORN, iin="b"), pupil("r2", "Серік Али", born=BORN, iin="a")],
        [], [], {"l1": "=r2 iin_hmac", "l2": "=r1 iin_hmac"},
    ),
    "accounts that were swapped in one system carry nothing": (
        [pupil("l1", "Серік Али", iin="a"), pupil("l2", "Серік Дана", iin="b")],
        [pupil("r1", "Серік Али", iin="b"), pupil("r2", "Серік Дана", iin="a")],
        [Link("l1", "r1"), Link("l2", "r2")], [],
        {"l1": "contradicting_links", "l2": "contradicting_links"},
    ),
    "pinned links are not touched by swapped IINs": (
        [pupil("l1", "Серік Али", iin="a"), pupil("l2", "Серік Дана", iin="b")],
        [pupil("r1", "Серік Али", iin="b"), pupil("r2", "Серік Дана", iin="a")],
        [Link("l1", "r1"), Link("l2", "r2")], [Link("l1", "r1"), Link("l2", "r2")],
        {"l1": "=r1 pinned", "l2": "=r2 pinned"},
    ),
    "an IIN typed into a brother's account too proves neither": (
        [pupil("l1", "Серік Али", iin="a"), pupil("l2", "Серік Дана", iin="a")],
        [pupil("r1", "Серік Али", iin="a"), pupil("r2", "Серік Дана")],
        [], [], {"l1": "contradicting_links", "l2": "contradicting_links"},
    ),
    "a pupil without an IIN is proposed by name": (
        [pupil("l1", "Серік Али")], [pupil("r1", "Серік Али", iin="a")], [], [], {"l1": "?r1 name+class"},
    ),
    "a linked pupil who married keeps the link": (
        [pupil("l1", "Омарова Дана")], [pupil("r1", "Серік Дана")], [Link("l1", "r1")], [], {"l1": "=r1 linked_id"},
    ),
    "another family name with the same given name and birthday is proposed": (
        [pupil("l1", "Омарова Дана Ержанқызы", born=BORN)], [pupil("r1", "Серік Дана Ержанқызы", born=BORN)],
        [], [], {"l1": "?r1 other_family+birth+class"},
    ),
    "another family name without a birthday is not": (
        [pupil("l1", "Омарова Дана")], [pupil("r1", "Серік Дана")], [], [], {"l1": "no_candidate"},
    ),
    "a name in Latin letters is proposed": (
        [pupil("l1", "Zhumabek Alikhan")], [pupil("r1", "Жұмабек Әлихан Қайратұлы")],
        [], [], {"l1": "?r1 latin_name+class"},
    ),
    "a name in the new Latin alphabet is proposed": (
        [pupil("l1", "Jumabek Älihan Qairatūly")], [pupil("r1", "Жұмабек Әлихан Қайратұлы")],
        [], [], {"l1": "?r1 latin_name+class"},
    ),
    "a Latin name that two pupils may have waits": (
        [pupil("l1", "Serik Aliya")], [pupil("r1", "Серік Әлия"), pupil("r2", "Серик Алия")],
        [], [], {"l1": "no_candidate"},
    ),
    "Russian spelling of Kazakh letters is proposed": (
        [pupil("l1", "Кожахмет Айгерим")], [pupil("r1", "Қожахмет Әйгерім")],
        [], [], {"l1": "?r1 folded_name+class"},
    ),
    "a name that lost its Kazakh letters is proposed where one pupil fits": (
        [pupil("l1", "?о?ахмет ?йгер?м")], [pupil("r1", "Қоғахмет Әйгерім"), pupil("r2", "Қоғахмет Әсел")],
        [], [], {"l1": "?r1 damaged_name+class"},
    ),
    "a name that lost its letters and fits two pupils waits": (
        [pupil("l1", "Сер?к ?ли")], [pupil("r1", "Серік Әли"), pupil("r2", "Серик Али")],
        [], [], {"l1": "damaged_name"},
    ),
    "a pupil who moved to another class is linked there by the same ids": (
        [pupil("l1", "Серік Али"), pupil("l2", "Омар Дана")], [pupil("r2", "Омар Дана"), pupil("r1", "Серік Али")],
        [Link("l1", "r1")], [], {"l1": "=r1 linked_id", "l2": "?r2 name+class"},
    ),
    "a pupil who left the journal's class stays known": (
        [pupil("l1", "Серік Али")], [], [Link("l1", "r1")], [], {"l1": "counterpart_not_here"},
    ),
    "a new account of a linked pupil is proposed once the old one is gone": (
        [pupil("l9", "Серік Али")], [pupil("r1", "Серік Али")], [Link("l1", "r1")], [], {"l9": "?r1 new_account"},
    ),
    "a namesake's account takes nobody's place while the old one is there": (
        [pupil("l1", "Серік Али"), pupil("l9", "Серік Али")], [pupil("r1", "Серік Али")],
        [Link("l1", "r1")], [], {"l1": "=r1 linked_id", "l9": "no_candidate"},
    ),
    "no new account is proposed against a pinned link": (
        [pupil("l9", "Серік Али")], [pupil("r1", "Серік Али")],
        [Link("l1", "r1")], [Link("l1", "r1")], {"l9": "no_candidate"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_pupil_is_who_the_evidence_says(
    case: tuple[list[Person], list[Person], list[Link], list[Link], dict[str, str]],
) -> None:
    left, right, links, pinned, expected = case
    assert outcome(match_people(left, right, links, pinned=pinned)) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [("Жанболат", "Zhanbolat"), ("Жанболат", "Janbolat"), ("Хасен", "Khassen"), ("Шыңғыс", "Shyngys"),
     ("Қуаныш", "Kuanysh"), ("Цой", "Tsoy"), ("Юлия", "Yuliya"), ("Щербаков", "Shcherbakov")],
)  # fmt: skip
def test_both_alphabets_have_one_key(one: str, other: str) -> None:
    assert latin_key(one) == latin_key(other)


@pytest.mark.parametrize(
    ("damaged", "whole", "fits"),
    [("Т?леген Расул", "Төлеген Расул", True), ("Расул Т?леген", "Төлеген Расул", True),
     ("Т?леген Расул", "Тулеген Расул Айдарұлы", True), ("Т?леген Расул", "Төлеген Руслан", False),
     ("?????", "Әсел Омар", False), ("Т?леген", "Төлеген Расул", False), ("Төлеген Расул", "Төлеген Расул", False)],
)  # fmt: skip
def test_lost_letters_are_compared_letter_by_letter(damaged: str, whole: str, fits: bool) -> None:
    assert same_but_for_lost_letters(damaged, whole) is fits
