"""What is particular to Kundelik, as data: each entry with its reason and a public source."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from connector.base.i18n import N_
from sync.model import GradeKind
from sync.systems.contract import Access, Capabilities, Cas, Writing

API_PAGE = "https://api.kundelik.kz/partners/swagger/ui/index"
HELP_PAGE = "https://help.kundelik.kz"

# The vendor publishes no limit. Five calls a second with short bursts is what a busy person's browser does.
CALLS_PER_SECOND = 5.0
BURST = 20

# Public clients cut a pupil's register into windows of at most 30 days, which hints at a limit of the server.
LOG_ENTRY_DAYS = 30

# A list shorter than the last complete one by more than this share, and by more than one record, is taken as cut.
MOST_LOST_PERCENT = 20

# Dates come without a zone, in the school's local time.
SCHOOL_ZONE = "Asia/Almaty"

STATUSES = ("Attend", "Absent", "Ill", "Late", "Pass")
NOT_AN_ENTRY = frozenset({"", "NotSet"})

# ``markType`` of a work to the scale's name and the best mark; letters have none.
SCALES: dict[str, tuple[str, Decimal | None]] = {
    "mark5": ("mark5", Decimal(5)),
    "mark10": ("mark10", Decimal(10)),
    "mark12": ("mark12", Decimal(12)),
    "mark100": ("mark100", Decimal(100)),
    "abcdf": ("abcdf", None),
}

# ``kind`` of a work type to what its marks count as; a kind that is not here says nothing.
KINDS: dict[str, GradeKind] = {
    "commonwork": GradeKind.FO,
    "testwork": GradeKind.FO,
    "homework": GradeKind.HOMEWORK,
}

# Which kind of work is made for a new column.
NEW_WORK: dict[GradeKind | None, str] = {
    None: "commonwork",
    GradeKind.FO: "commonwork",
    GradeKind.OTHER: "commonwork",
    GradeKind.HOMEWORK: "homework",
}


@dataclass(frozen=True)
class Verb:
    """How one kind of write is sent.

    Attributes:
        method: HTTP method.
        path: Path under the API's base, with fields.
        reason: What is known about it.
    """

    method: str
    path: str
    reason: str


_MARK_PATH = "persons/{person}/works/{work}/mark"
_LISTED = "The path is in the vendor's endpoint list; body and verbs are published nowhere. Confirm with the vendor."
PUT_MARK = Verb("POST", _MARK_PATH, _LISTED)
CHANGE_MARK = Verb("PUT", _MARK_PATH, _LISTED)
CLEAR_MARK = Verb("DELETE", _MARK_PATH, _LISTED)

_LOG_PATH = "lessons/{lesson}/log-entries"
_FORM = "Public clients send a form, the vendor's page asks for JSON; JSON is sent. Confirm with the vendor."
PUT_ENTRY = Verb("POST", _LOG_PATH, _FORM)
CHANGE_ENTRY = Verb("PUT", _LOG_PATH + "?person={person}", _FORM)
CLEAR_ENTRY = Verb("DELETE", _LOG_PATH + "?person={person}", _FORM)

_GATED = N_(
    "Writing marks is opened by the vendor to contracted programs only. Without the contract the marks go to an "
    "entry sheet."
)


def capabilities(*, contracted: bool) -> Capabilities:
    """Return what can be read and written.

    Args:
        contracted: The school's client id may write: the vendor opened it, and the writes were rehearsed.
    """
    write = Writing.YES if contracted else Writing.VENDOR_GATED
    gated = Access(read=True, write=write, cas=Cas.CHECK_THEN_WRITE, reason=_GATED, source=API_PAGE)
    reading = Access(read=True, source=API_PAGE)
    return Capabilities(people=reading, lessons=reading, line_items=gated, results=gated, attendance=gated)
