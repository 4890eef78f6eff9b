"""From the bytes a person sent to a report: size, encoding, format, and whose reader takes it."""

from __future__ import annotations

import re

from plugins.contract import N_, Message, say
from plugins.online_test.imports.gift import read_gift
from plugins.online_test.imports.moodle_xml import read_moodle_xml
from plugins.online_test.imports.report import Entry, Reason, Refusal, Report, Verdict, refused

MAX_BYTES = 4 * 1024 * 1024
MAX_QUESTIONS = 500

UTF_16 = (b"\xff\xfe", b"\xfe\xff")

_XML = re.compile(rb"\s*<(?:\?xml|quiz[\s>])", re.I)
_PAGE = re.compile(r"\s*<(?:!doctype\s+html|html)", re.I)
_SIGNATURES: tuple[tuple[bytes, Message], ...] = (
    (b"PK\x03\x04", say(N_("This is a Word, Excel or ZIP file. Save the questions as GIFT text or Moodle XML."))),
    (b"\xd0\xcf\x11\xe0", say(N_("This is an old Word or Excel file. Save the questions as GIFT text or Moodle XML."))),
    (b"%PDF", say(N_("This is a PDF. Save the questions as GIFT text or Moodle XML."))),
)


def read_file(filename: str, content: bytes) -> Report:
    """Return what a question file holds; never raises for a bad file, but reports it with line and reason."""
    try:
        entries = _read(content)
    except Refusal as refusal:
        entries = [refused(refusal.reason.line, filename, refusal.reason)]
    return Report(filename, tuple(_capped(entries)))


def _read(content: bytes) -> list[Entry]:
    _check(content)
    bare = content.removeprefix(b"\xef\xbb\xbf")
    if _XML.match(bare) or (content[:2] in UTF_16 and "<quiz" in decode(content)[:1000]):
        return _some(read_moodle_xml(content))
    text = decode(content)
    if _PAGE.match(text):
        raise Refusal(1, say(N_("This is a web page, not a question file: was it saved instead of the export?")))
    return _some(read_gift(text))


def _some(entries: list[Entry]) -> list[Entry]:
    if not entries:
        raise Refusal(1, say(N_("There are no questions in the file.")))
    return entries


def _check(content: bytes) -> None:
    if not content.strip():
        raise Refusal(1, say(N_("The file is empty.")))
    if len(content) > MAX_BYTES:
        raise Refusal(1, say(N_("The file is larger than {size} MB."), size=MAX_BYTES // 1024 // 1024))
    for start, message in _SIGNATURES:
        if content.startswith(start):
            raise Refusal(1, message)


def decode(content: bytes) -> str:
    """Return a text file's letters with lines ending in ``\\n``; raise Refusal, naming the line, for no UTF-8.

    A Windows-1251 file is refused, not guessed: that code page has no Kazakh letters, so some may be lost already.
    """
    codec = "utf-16" if content[:2] in UTF_16 else "utf-8-sig"
    try:
        text = content.decode(codec)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Refusal(line, _wrong_encoding(content)) from None
    if "\0" in text:
        raise Refusal(text.count("\n", 0, text.index("\0")) + 1, say(N_("This is not a text file.")))
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _wrong_encoding(content: bytes) -> Message:
    if content[:2] in UTF_16:
        return say(N_("The file is not UTF-8 text. Save it as UTF-8 and send it again."))
    cyrillic = sum(1 for byte in content if byte >= 0xC0)
    letters = sum(1 for byte in content if byte >= 0x80)
    if letters and cyrillic * 10 >= letters * 8:
        return say(N_("The file looks like Windows-1251. Save it as UTF-8: Windows-1251 has no Kazakh letters."))
    return say(N_("The file is not UTF-8 text. Save it as UTF-8 and send it again."))


def _capped(entries: list[Entry]) -> list[Entry]:
    """Keep what one test may hold, and say so where it was cut."""
    if len(entries) <= MAX_QUESTIONS:
        return entries
    rest = entries[MAX_QUESTIONS]
    message = say(
        N_("A test holds at most {count} questions; {rest} from here on are left out. Split the file."),
        count=MAX_QUESTIONS,
        rest=len(entries) - MAX_QUESTIONS,
    )
    return [*entries[:MAX_QUESTIONS], refused(rest.line, rest.title, Reason(rest.line, message))]


def has_errors(report: Report) -> bool:
    """Tell whether anything in the file was refused."""
    return report.count(Verdict.REFUSED) > 0
