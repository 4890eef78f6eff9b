"""The words of a message: counts and links, in the recipient's language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.base.i18n import N_, say, translate
from connector.host.telling.matters import WORDS, Matter

_SUBJECTS = {
    "notice": N_("Kopir, {school}: something needs you"),
    "digest": N_("Kopir, {school}: the week"),
    "test": N_("Kopir, {school}: a test message"),
}
_OPENINGS = {
    "notice": N_("This has come up since the last message:"),
    "digest": N_("This needs somebody now:"),
    "test": N_("Messages from Kopir arrive here."),
}


@dataclass(frozen=True)
class Words:
    """A message as text."""

    subject: str
    body: str


def write(kind: str, school: str, matters: Sequence[Matter], language: str, public_url: str) -> Words:
    """Return subject and body; the school is named by its code, nobody by anything."""

    def t(text: str, **values: object) -> str:
        return translate(say(text, **values), language)

    lines = [t(_OPENINGS[kind])]
    if kind == "digest" and not matters:
        lines = [t(N_("Nothing needs anybody: the systems agree, or say why not."))]
    for matter in matters:
        lines += ["", f"• {t(WORDS[matter.kind], count=matter.count)}", f"  {public_url}{matter.path}"]
    lines += ["", "–", t(N_("Sent by Kopir. Who is told is set here: {url}"), url=f"{public_url}/console/notices/")]
    return Words(t(_SUBJECTS[kind], school=school), "\n".join(lines) + "\n")
