"""What each state of a score's delivery means, and who must do something about it, in a teacher's words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from connector.base.i18n import N_, Message, say


class Standing(StrEnum):
    """How far a score is."""

    NONE = "none"
    WAITING = "waiting"
    DELIVERED = "delivered"
    KEPT = "kept"
    REFUSED = "refused"
    STOPPED = "stopped"


class Who(StrEnum):
    """Who must act."""

    NOBODY = "nobody"
    TEACHER = "teacher"
    ADMINISTRATOR = "administrator"


STANDINGS: dict[Standing, str] = {
    Standing.NONE: N_("Not sent"),
    Standing.WAITING: N_("On its way"),
    Standing.DELIVERED: N_("In the gradebook"),
    Standing.KEPT: N_("The LMS's mark is kept"),
    Standing.REFUSED: N_("Not taken"),
    Standing.STOPPED: N_("Stopped"),
}
WHO: dict[Who, str] = {
    Who.NOBODY: N_("Nobody need do anything."),
    Who.TEACHER: N_("The teacher can mend it."),
    Who.ADMINISTRATOR: N_("The LMS's administrator must act."),
}


@dataclass(frozen=True)
class Meaning:
    """One state in words.

    Attributes:
        sentence: What happened, and what to do.
        who: Who must act.
    """

    sentence: str
    who: Who = Who.NOBODY


_GONE = Meaning(
    N_("The grade column was deleted in the LMS. Open the activity from the LMS once, then send the scores again."),
    Who.TEACHER,
)
_OTHER_MARK = Meaning(
    N_("The LMS holds another mark, put in there by hand, and it stays. To have this score instead, take that mark "
       "(and its override) out in the LMS and send the score again."),
)  # fmt: skip
_CLEARED = Meaning(
    N_("Where the score was, the LMS shows no mark: it was cleared or set to zero there, and that stays. Send the "
       "score again if it is still meant."),
)  # fmt: skip
_TOOL_SETTINGS = Meaning(
    N_("The LMS does not let Kopir write marks. Switch the grade service on in the tool's settings (Moodle: IMS LTI "
       "Assignment and Grade Services), then send the scores again."),
    Who.ADMINISTRATOR,
)  # fmt: skip
_KEYS = Meaning(
    N_("The LMS does not accept Kopir's signature. `kopir lti doctor` names the cause; then send the scores again."),
    Who.ADMINISTRATOR,
)

MEANINGS: dict[Standing, dict[str, Meaning]] = {
    Standing.NONE: {
        "": Meaning(N_("There is no score to send.")),
        "not_a_pupil": Meaning(N_("It is a teacher's or a test user's own attempt, which gives no mark.")),
        "other_platform": Meaning(N_("The pupil came from another LMS than this activity's.")),
        "nothing_to_clear": Meaning(N_("The score was taken back before it was sent.")),
    },
    Standing.WAITING: {
        "": Meaning(N_("The score is on its way.")),
        "paused": Meaning(N_("The LMS does not answer. The score waits and is sent by itself when the LMS is back.")),
        "scores_undecided": Meaning(N_("The LMS did not say whether it took the score; Kopir looks again by itself.")),
        "throttled": Meaning(N_("The LMS asked to slow down. The score is sent by itself a little later.")),
        "maintenance": Meaning(N_("The LMS is in maintenance. The score is sent by itself afterwards.")),
    },
    Standing.DELIVERED: {
        "": Meaning(N_("The mark was read back from the gradebook.")),
        "zero_not_shown": Meaning(
            N_("The LMS took the zero, but shows tools no zeros, so Kopir cannot read it back. The gradebook has it.")
        ),
        "over_maximum": Meaning(
            N_("The score is above the column's maximum, and the LMS cut it to the maximum. Raise the maximum in the "
               "LMS and send the score again if the points are meant."),
        ),
    },
    Standing.KEPT: {
        "": _OTHER_MARK,
        "kept_by_teacher": _OTHER_MARK,
        "changed_by_other": _OTHER_MARK,
        "cleared_or_zero": _CLEARED,
        "zero_or_none": _CLEARED,
    },
    Standing.REFUSED: {
        "": Meaning(N_("The LMS did not take the score. Send it again; if it stays so, ask the administrator."),
                    Who.ADMINISTRATOR),
        "not_gradable": Meaning(
            N_("The LMS takes no score for this person: not enrolled as a pupil. Enrol the pupil and send again."),
            Who.TEACHER,
        ),
        "removed": Meaning(
            N_("The pupil had a mark here and is not enrolled in the course any more. Enrol the pupil again and send "
               "the score again, or leave it as it is."),
            Who.TEACHER,
        ),
        "locked": Meaning(
            N_("The mark is locked in the LMS. Unlock it there and send the score again, or leave the LMS's mark."),
            Who.TEACHER,
        ),
        "closed": Meaning(
            N_("The LMS takes no more marks for this work: it is closed. Open it there and send the score again."),
            Who.TEACHER,
        ),
        "no_answer": Meaning(
            N_("For three days the LMS gave no clear answer to this one score. Look at the mark in the LMS and send "
               "the score again."),
            Who.TEACHER,
        ),
        "column_deleted": _GONE,
        "gone": _GONE,
        "no_gradebook": Meaning(
            N_("The LMS offers this course no gradebook service, so scores stay in Kopir. Switch it on in the tool's "
               "settings, open the activity once, then send again."),
            Who.ADMINISTRATOR,
        ),
        "no_registration": Meaning(N_("The LMS is not registered here any more."), Who.ADMINISTRATOR),
    },
    Standing.STOPPED: {
        "": Meaning(N_("The delivery stopped. `kopir lti doctor` names the cause; then send the scores again."),
                    Who.ADMINISTRATOR),
        "forbidden": _TOOL_SETTINGS,
        "token_scope_not_granted": _TOOL_SETTINGS,
        "token_invalid_scope": _TOOL_SETTINGS,
        "unauthorised": _KEYS,
        "token_invalid_client": _KEYS,
        "token_unknown_key": _KEYS,
        "token_keys_unreachable": _KEYS,
        "token_refused": _KEYS,
        "token_clock": Meaning(
            N_("The clocks of the LMS and of this server differ by more than the LMS allows. Set both, then send "
               "again."),
            Who.ADMINISTRATOR,
        ),
        "private_network": Meaning(
            N_("The LMS's address is inside a private network that Kopir may not reach: see ALLOW_PRIVATE_NETWORKS."),
            Who.ADMINISTRATOR,
        ),
    },
}  # fmt: skip


def meaning(standing: Standing, reason: str) -> Meaning:
    """Return what a state means; a reason without words of its own has its state's."""
    known = MEANINGS[standing]
    return known.get(reason) or known[""]


def sentence(standing: Standing, reason: str) -> Message:
    """Return what a state means as a message."""
    return say(meaning(standing, reason).sentence)


def needs_person(standing: Standing, reason: str) -> bool:
    """Tell whether nothing will come of it until somebody acts."""
    return meaning(standing, reason).who is not Who.NOBODY


def may_resend(standing: Standing, reason: str) -> bool:
    """Tell whether sending again can change anything."""
    return standing in (Standing.KEPT, Standing.REFUSED, Standing.STOPPED) or reason == "over_maximum"
