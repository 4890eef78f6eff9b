"""Names of people and classes, made comparable. Folding serves the search for candidates only: it never joins.

Several Kazakh names fold to one Russian spelling, so equal folds are a proposal to a person, not an identity.
"""

from __future__ import annotations

import re
import unicodedata

_DASHES = re.compile(r"\s*[-‐‑‒–—−]\s*")
_SPACES = re.compile(r"\s+")
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_LATIN_FOR_CYRILLIC = str.maketrans("abcehikmopstxyəөү", "авсенікморѕтхуәөү")
_KAZAKH_TO_RUSSIAN = str.maketrans("әғқңөұүһі", "агкноуухи")
_DAMAGED = re.compile(r"\ufffd|\w\?|\?\w")
_CLASS = re.compile(r"(1[0-2]|[0-9])\s*[-–—«\"'“„(]*\s*([^\W\d_])?\s*[»\"'”“)]*\.?")
_CLASS_WORDS = re.compile(r"\b(?:класс|сынып|сыныбы|кл|class|grade)\b\.?", re.IGNORECASE)
_LATIN_CLASS = str.maketrans("ABCEHIKMOPTXYƏ", "АВСЕНІКМОРТХУӘ")


def normalise_name(name: str) -> str:
    """Return a name as it is compared: NFC, one space, plain hyphens, lower case, ё as е, look-alike letters mended.

    Latin letters that look Cyrillic are mended only inside a word that has Cyrillic letters.
    """
    text = unicodedata.normalize("NFC", name).replace("\u0130", "I")
    text = _DASHES.sub("-", _SPACES.sub(" ", text).strip()).lower().replace("ё", "е")
    return " ".join(_mend(word) for word in text.split(" "))


def _mend(word: str) -> str:
    if not _CYRILLIC.search(word):
        return word
    return word.replace("h", "һ").translate(_LATIN_FOR_CYRILLIC)


def fold_name(name: str) -> str:
    """Return a name with Kazakh letters as Russian spelling writes them (ә→а, қ→к, і→и); for searching only."""
    return normalise_name(name).translate(_KAZAKH_TO_RUSSIAN)


def search_words(name: str) -> tuple[str, ...]:
    """Return the folded words of a name, sorted, so that «Тегі Аты» and «Имя Фамилия» meet; for searching only."""
    return tuple(sorted(fold_name(name).split()))


def is_damaged(name: str) -> bool:
    """Tell whether letters were lost on the way (``?`` for Kazakh letters in cp1251): never overwrites a good name."""
    return _DAMAGED.search(name) is not None


def class_label(text: str) -> str | None:
    """Return a class as grade and letter (``7 «А»``, ``7A``, ``7-а`` → ``7А``), or None when it is no class.

    A Latin letter is taken for the Cyrillic one it looks like.
    """
    plain = _SPACES.sub(" ", _CLASS_WORDS.sub(" ", unicodedata.normalize("NFC", text))).strip()
    match = _CLASS.fullmatch(plain)
    if match is None or (match[1] == "0" and not match[2]):
        return None
    return match[1] + (match[2] or "").upper().translate(_LATIN_CLASS)
