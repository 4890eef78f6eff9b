"""Names that one pupil may have in two systems: in Latin letters, with lost letters, after a change of family name.

All of it serves proposals to a person only; none of it ever links anybody.
"""

from __future__ import annotations

import re
import unicodedata

from mappings.names import fold_name, normalise_name

_LATIN = re.compile(r"[a-z]")
_LOST = re.compile(r"[?\ufffd]")
_CYRILLIC_KEYS = str.maketrans(
    {
        "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ж": "j", "з": "z", "и": "i", "й": "i", "к": "k",
        "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f", "х": "h",
        "ц": "c", "ч": "ch", "ш": "sh", "щ": "sh", "ъ": "", "ы": "i", "ь": "", "э": "e", "ю": "iu", "я": "ia",
    }
)  # fmt: skip
_LATIN_KEYS = str.maketrans(
    {"ş": "sh", "ç": "ch", "ı": "i", "ŋ": "n", "ə": "a", "q": "k", "y": "i", "w": "u", "x": "h"}
)
_LATIN_PAIRS = (("shch", "sh"), ("dzh", "j"), ("zh", "j"), ("kh", "h"), ("ts", "c"), ("gh", "g"))
_AGAIN = re.compile(r"(.)\1+")


def latin_key(word: str) -> str:
    """Return a word of a name as both alphabets may spell it: ``Жанболат``, ``Zhanbolat`` and ``Janbolat`` are one."""
    text = fold_name(word).translate(_CYRILLIC_KEYS).translate(_LATIN_KEYS)
    text = "".join(letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter))
    for spelling, key in _LATIN_PAIRS:
        text = text.replace(spelling, key)
    return _AGAIN.sub(r"\1", re.sub(r"[^a-z-]", "", text))


def in_latin(name: str) -> bool:
    """Tell whether a name is written in Latin letters."""
    return _LATIN.search(normalise_name(name)) is not None


def same_in_latin(one: str, other: str) -> bool:
    """Tell whether two names, one of them in Latin letters, may be one: two words at least, all of the shorter."""
    if in_latin(one) == in_latin(other):
        return False
    mine, theirs = ({latin_key(word) for word in name.split()} - {""} for name in (one, other))
    return min(len(mine), len(theirs)) >= 2 and (mine <= theirs or theirs <= mine)


def same_but_for_lost_letters(one: str, other: str) -> bool:
    """Tell whether a name with lost letters (``?``) may be the other: word by word, letter by letter, in any order."""
    damaged, whole = (one, other) if _LOST.search(one) else (other, one)
    if not _LOST.search(damaged) or _LOST.search(whole):
        return False
    broken = [_LOST.sub("?", word) for word in normalise_name(damaged).split()]
    free = normalise_name(whole).split()
    # The words that say most are placed first, so that a word of lost letters alone takes what is left.
    for word in sorted(broken, key=lambda text: text.count("?") / len(text)):
        fit = next((candidate for candidate in free if _fits(word, candidate)), None)
        if fit is None:
            return False
        free.remove(fit)
    return len(broken) >= 2


def _fits(broken: str, whole: str) -> bool:
    return len(broken) == len(whole) and all(a in ("?", b) for a, b in zip(broken, whole, strict=True))
