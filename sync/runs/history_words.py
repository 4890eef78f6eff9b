"""Words of a person's history, for the terminal and the console alike."""

from __future__ import annotations

from connector.base.i18n import N_, Message, say
from sync.reconcile.match import MATCH_REASONS, explain_match

_EVENTS: dict[str, str] = {
    "joined": N_("linked"),
    "parted": N_("link taken back"),
    "merged": N_("account merged"),
    "split": N_("merge taken back"),
    "pinned": N_("link fixed"),
    "unpinned": N_("link no longer fixed"),
    "renamed": N_("name changed"),
    "id_changed": N_("number changed"),
}
_HOW: dict[str, str] = {
    "idnumber": N_("by the school's own number"),
    "iin": N_("by the IIN in the identity file"),
    "iin_hmac": N_("by the IIN"),
    "moodle": N_("by the LMS's id in the identity file"),
    "lti_advantage": N_("by the LMS's id in the identity file"),
    "person": N_("by hand"),
    "spelling": N_("another spelling"),
    "name": N_("another name"),
}
_TYPES: dict[str, str] = {
    "lti_sub": N_("LMS account"),
    "kundelik_person": N_("journal's id"),
    "idnumber": N_("school's own number"),
}
EVENTS = frozenset(_EVENTS)


def event_words(action: str) -> Message:
    """Return what happened, in words."""
    return say(_EVENTS.get(action, action))


def how_words(how: str) -> Message | str:
    """Return how it happened, in words; an unknown code is shown as it is."""
    if how in _HOW:
        return say(_HOW[how])
    return explain_match(how) if how in MATCH_REASONS else how


def type_words(kind: str) -> Message | str:
    """Return what an id is, in words; an unknown type is shown as it is."""
    return say(_TYPES[kind]) if kind in _TYPES else kind
