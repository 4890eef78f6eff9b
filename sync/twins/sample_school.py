"""One invented class, the same people on both sides of the bridge.

Names, numbers and IINs are invented; the IINs are well formed (both passes of the check digit), so that the code
that reads them is exercised. The journal knows no IIN and spells some names the Russian way, as real ones do.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class SamplePerson:
    """One invented person.

    Attributes:
        number: Position in the class list, 1 to 30; staff have 0.
        family: Family name in Kazakh.
        given: Given name in Kazakh.
        patronymic: Patronymic in Kazakh, or empty.
        sex: ``Male`` or ``Female``.
        birth_date: Civil date of birth.
        journal_name: Family, given and patronymic as the journal spells them.
    """

    number: int
    family: str
    given: str
    patronymic: str
    sex: str
    birth_date: date
    journal_name: tuple[str, str, str]

    @property
    def idnumber(self) -> str:
        """The school's own number of the pupil, kept in the LMS's idnumber field."""
        return f"2026{self.number:02d}{self.number:04d}"

    @property
    def iin(self) -> str:
        """A well-formed invented IIN: birth date, century and sex digit, serial, check digit."""
        century = (5 if self.sex == "Male" else 6) if self.birth_date.year >= 2000 else (3 if self.sex == "Male" else 4)
        for serial in range(self.number * 7 + 1, 10_000):
            body = f"{self.birth_date:%y%m%d}{century}{serial:04d}"
            digit = _check_digit(body)
            if digit is not None:
                return f"{body}{digit}"
        raise AssertionError("no serial is free")


def _check_digit(body: str) -> int | None:
    for weights in (range(1, 12), (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2)):
        rest = sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True)) % 11
        if rest < 10:
            return rest
    return None


_RUSSIAN = str.maketrans(dict(zip("әғқңөұүһіӘҒҚҢӨҰҮҺІ", "агкноуухиАГКНОУУХИ", strict=True)))

# Family, given, patronymic, sex. Two pupils are full namesakes, as happens.
_PUPILS = (
    ("Әбдірахманова", "Айгерім", "Нұрланқызы", "Female"),
    ("Әлімхан", "Ерасыл", "Қайратұлы", "Male"),
    ("Байжанова", "Аружан", "Серікқызы", "Female"),
    ("Бекболат", "Нұрсұлтан", "Маратұлы", "Male"),
    ("Дүйсенбай", "Әлихан", "Ержанұлы", "Male"),
    ("Ермекова", "Дильназ", "", "Female"),
    ("Есенгелді", "Мирас", "Асқарұлы", "Male"),
    ("Жақсылық", "Томирис", "Болатқызы", "Female"),
    ("Жұмабек", "Санжар", "Дәуренұлы", "Male"),
    ("Иманғали", "Кәусар", "Рүстемқызы", "Female"),
    ("Қабдолла", "Диас", "Ғалымұлы", "Male"),
    ("Қадырбек", "Інжу", "Талғатқызы", "Female"),
    ("Қанат", "Бекзат", "Өміржанұлы", "Male"),
    ("Қуанышева", "Мөлдір", "Ақылбекқызы", "Female"),
    ("Мұратұлы", "Әмір", "", "Male"),
    ("Мырзахмет", "Аяулым", "Жандосқызы", "Female"),
    ("Нұрғали", "Темірлан", "Бауыржанұлы", "Male"),
    ("Оразбаева", "Ұлпан", "Сәкенқызы", "Female"),
    ("Өтеген", "Расул", "Еркінұлы", "Male"),
    ("Рахымжан", "Жания", "Нұржанқызы", "Female"),
    ("Сағындық", "Ислам", "Мейрамұлы", "Male"),
    ("Сейітқали", "Әлия", "Дарханқызы", "Female"),
    ("Серікбай", "Алихан", "Нұрланұлы", "Male"),
    ("Серікбай", "Алихан", "Нұрланұлы", "Male"),
    ("Тілеуберді", "Гүлнәр", "Азаматқызы", "Female"),
    ("Төлеген", "Мансұр", "Қуатұлы", "Male"),
    ("Ұзақбай", "Зере", "Айдосқызы", "Female"),
    ("Хасенова", "Сабина", "Тимурқызы", "Female"),
    ("Шәріп", "Арлан", "Жанатұлы", "Male"),
    ("Ізбасар", "Нәзік", "Ерболқызы", "Female"),
)


def pupils() -> tuple[SamplePerson, ...]:
    """Return the thirty pupils of class 7 «А» in the order of the class list.

    Every third is spelled the Russian way in the journal; only birth dates and numbers tell the two namesakes apart.
    """
    found = []
    for number, (family, given, patronymic, sex) in enumerate(_PUPILS, 1):
        name = (family, given, patronymic)
        journal = tuple(part.translate(_RUSSIAN) for part in name) if number % 3 == 0 else name
        born = date(2013, 1 + number % 12, 1 + (number * 7) % 28)
        found.append(SamplePerson(number, family, given, patronymic, sex, born, (journal[0], journal[1], journal[2])))
    return tuple(found)


def teacher() -> SamplePerson:
    """Return the teacher of algebra."""
    return SamplePerson(0, "Сейітқали", "Нұрлан", "Бекболатұлы", "Male", date(1984, 5, 14), ("Сейітқали", "Нұрлан", ""))


def assistant() -> SamplePerson:
    """Return the assistant: an Instructor at launch, a Learner in the roster, as Moodle has it."""
    return SamplePerson(0, "Ахметова", "Салтанат", "", "Female", date(1996, 2, 3), ("Ахметова", "Салтанат", ""))
