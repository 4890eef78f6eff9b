"""Codes in words: why a read proved nothing, what became of a write, what a state or a code means."""

from __future__ import annotations

import re
from collections.abc import Callable

from connector.base.i18n import N_, Message, say
from mappings.attendance import WORDS, Attendance
from sync.reconcile.decide import RULE_IDS, explain_rule
from sync.reconcile.guard import HOLD_CODES, explain_hold
from sync.reconcile.match import MATCH_REASONS, explain_match

SYSTEMS = {"moodle": "Moodle", "kundelik": "Kundelik", "kopir": "Kopir"}

_READS: dict[str, str] = {
    "html_page": N_("it answered with a maintenance page"),
    "unreadable_answer": N_("its answer was cut off or broken"),
    "bad_record": N_("a record of its answer lacked what it must have"),
    "half_list": N_("it gave only a part of the list"),
    "empty_list": N_("it gave an empty list where there were records before"),
    "other_scope": N_("it gave records of another class or subject"),
    "rate_limited": N_("its limit of requests was reached"),
    "server_error": N_("it failed"),
    "unknown_error": N_("it failed"),
    "timeout": N_("it did not answer in time"),
    "unreachable": N_("it could not be reached"),
    "no_answer": N_("it did not answer"),
    "token_refused": N_("it refused the access token: sign in again in the connection's settings"),
    "sign_in_refused": N_("it does not know the login and password of the connection"),
    "out_of_scope": N_("the account has no right to this class"),
    "forbidden": N_("the account has no right to this class"),
    "not_found": N_("it has no such record any more"),
    "not_offered": N_("it does not offer this"),
    "no_such_group": N_("it has no class or course of this name: check the mapping"),
    "known_from_launches": N_("the course is not known yet: open an activity of Kopir in it once"),
    "never_read": N_("it was not read yet"),
    "unclear_roster": N_("its list of people did not prove to be whole"),
    "token_unavailable": N_("it gave no access token"),
    "awaits_second_read": N_("a value was not found this time, so further complete reads must confirm it"),
    "relinked": N_("the pupil goes by another account there by now"),
    "canary_missing": N_("it did not show a record that the mapping says is always there, so nothing is written"),
    "canary_changed": N_("a record that the mapping says never changes was different, so nothing is written"),
    "canary_never_seen": N_("no class showed a record that the mapping says is always there, so nothing is written"),
}
_HTTP = re.compile(r"http_(\d{3})")

_WRITES: dict[str, str] = {
    "moved": N_("Somebody changed it after the comparison, so it was left alone."),
    "column_gone": N_("The work is no longer there."),
    "other_value_there": N_("Read back, something else stood there."),
    "other_write_under_way": N_("Another write of the same mark was under way."),
    "not_there_yet": N_("The system took it, but does not show it yet."),
    "time_in_future": N_("The mark there is dated in the future, so the system refuses ours."),
    "person_stopped": N_("The pupil's data may not be processed any more."),
    "not_offered": N_("The system does not offer this."),
    "unknown_lesson": N_("The lesson is not in Kopir's register."),
    "no_work_type": N_("The journal has no kind of work for this column; make the work by hand."),
    "request_refused": N_("The system refused it as wrong."),
}

STATES: dict[str, str] = {
    "applied": N_("Written and found there when read back"),
    "entry": N_("Put on the entry sheet"),
    "moved": N_("Changed by somebody meanwhile, left alone"),
    "refused": N_("Refused by the system"),
    "retry": N_("Not sent yet, tried again with the next comparison"),
    "unknown": N_("Sent without an answer; the next comparison looks"),
    "lost": N_("Sent, but read back something else stood there"),
    "skipped": N_("Left out: the pupil's data may not be processed"),
    "sent": N_("Being sent"),
    "written": N_("Sent, waits to be read back"),
    "approved": N_("Waits to be sent"),
    "held": N_("Held"),
    "ready": N_("Not chosen"),
    "conflict": N_("Conflict"),
    "reported": N_("Shown only"),
    "not_compared": N_("Not compared"),
    "silent": N_("Already agreed"),
}
SETTLED = ("applied", "entry", "moved", "refused", "retry", "unknown", "lost", "skipped")
"""States of a change whose write has come to an end for this plan."""

RUNS: dict[str, str] = {
    "reading": N_("Reading"),
    "planned": N_("Compared"),
    "applying": N_("Writing"),
    "verifying": N_("Reading back"),
    "done": N_("Done"),
    "partial": N_("Partly done"),
    "not_compared": N_("Not compared"),
    "failed": N_("Failed"),
    "cancelled": N_("Cancelled"),
}
TRIGGERS: dict[str, str] = {
    "manual": N_("By hand"),
    "schedule": N_("At its hour"),
    "score": N_("After a score"),
    "retry": N_("Tried again"),
    "join": N_("After people were linked"),
    "undo": N_("Taking back"),
}
ACTIONS: dict[str, str] = {
    "people_joined": N_("People linked"),
    "people_parted": N_("Link taken back"),
    "plan_approved": N_("Plan approved"),
    "applied": N_("Written and read back"),
    "agreed": N_("Found equal in both systems"),
    "entry_sheet": N_("Put on the entry sheet"),
    "typed": N_("Found typed from the entry sheet"),
    "conflict_resolved": N_("Conflict settled"),
    "writes_refused": N_("The journal refused to be written"),
    "writes_taken": N_("The journal takes writes again"),
    "writing_on": N_("Writing to the journal allowed"),
    "writing_off": N_("Writing to the journal stopped"),
    "read_accepted": N_("Smaller class accepted"),
    "run_cancelled": N_("Run cancelled"),
    "quarantine_again": N_("Refused record to be tried anew"),
    "quarantine_muted": N_("Refused record muted"),
    "schedule_set": N_("Hours set"),
    "schedule_paused": N_("Schedule paused"),
    "schedule_resumed": N_("Schedule resumed"),
}
RECORDS: dict[str, str] = {
    "group": N_("groups"),
    "person": N_("people"),
    "lesson": N_("lessons"),
    "item": N_("works"),
    "result": N_("marks"),
    "attendance": N_("attendance"),
    "session": N_("reporting periods"),
}
_ATTENDANCE: dict[Attendance, str] = {
    Attendance.PRESENT: N_("present"),
    Attendance.ABSENT_UNEXCUSED: N_("absent without reason"),
    Attendance.ABSENT_EXCUSED: N_("absent with a valid reason"),
    Attendance.ABSENT_ILL: N_("ill"),
    Attendance.ABSENT_OTHER: N_("absent"),
    Attendance.LATE: N_("late"),
    Attendance.LEFT_EARLY: N_("left early"),
    Attendance.REMOTE: N_("took part remotely"),
    Attendance.RELEASED: N_("released from the lesson"),
    Attendance.EVENT: N_("at an event of the school"),
    Attendance.NOT_RECORDED: N_("not recorded"),
}

DECISIONS: dict[str, str] = {
    "none": N_("Nothing is to be done"),
    "adopt": N_("Both hold the same; it is noted as agreed"),
    "write_left": N_("The LMS's side gets"),
    "write_right": N_("The journal gets"),
    "create_left": N_("The LMS's side gets"),
    "create_right": N_("The journal gets"),
    "clear_left": N_("It is taken out on the LMS's side"),
    "clear_right": N_("It is taken out of the journal"),
    "delete_left": N_("It is taken out on the LMS's side"),
    "delete_right": N_("It is taken out of the journal"),
    "conflict": N_("A conflict: a person decides"),
    "report": N_("It is shown and not carried"),
    "drop_base": N_("It is gone on both sides"),
    "not_compared": N_("It was not compared"),
}
_STOPS: dict[str, str] = {
    "not_started": N_("nobody has begun it."),
    "freeze": N_("nothing is written on these days, as the mapping says."),
    "cancelled": N_("it was cancelled. It can go on where it stopped, or compare anew."),
    "plan_stale": N_("the mapping, the linked people or the classes changed since; compare anew."),
    "plan_edited": N_("it is not the plan that was approved; compare anew."),
    "other_plan": N_("another plan of this pair is being written."),
    "lease_expired": N_("the worker was stopped in the middle; writing it goes on where it was cut off."),
}
_ACTORS: dict[str, str] = {"system": N_("Kopir"), "policy": N_("the mapping's rules")}
_AUDIT: dict[str, str] = {
    "resolved_left": N_("A person chose the LMS's value."),
    "resolved_right": N_("A person chose the journal's value."),
    "idnumber": N_("by the school's own number in the identity file"),
    "iin": N_("by the IIN in the identity file"),
    "person": N_("by hand"),
}

REMEDIES: dict[str, str] = {
    "no_place": N_("Give the work a date in the LMS, or make a work with the same title in the journal."),
    "ask_place": N_("Make a work with the same title and date in the journal; the next comparison finds it."),
    "no_due_date": N_("Give the work a date in the LMS; the next comparison finds its lesson."),
    "no_lesson": N_("Add the lesson to the journal's timetable, or change the work's date in the LMS."),
    "several_lessons": N_("Make the work under the right lesson in the journal; the next comparison finds it."),
    "several_works": N_("Give one of the works another title, in both systems."),
    "counterpart_not_here": N_("Its work in the journal was moved or removed; put it back, or make it anew."),
    "create_work": N_("Tick it to let Kopir make the work in the journal."),
    "quarantined": N_("Look at the reason in the last run, mend it in the system, then tick it and approve."),
    "left_out": N_("It waits until you tick it here and approve."),
    "over_percent": N_("Look at the marks. If they are meant, tick it and approve."),
    "over_count": N_("Look at the marks. If they are meant, tick it and approve."),
    "freeze": N_("They are written once these days have passed; nothing need be done."),
    "canary": N_("Compare once more. If it stays, find out what happened to the other system before approving."),
    "closed_period": N_("A closed quarter is opened in the journal by its administrator only."),
    "sessions_unknown": N_("Compare once more; the journal must show the quarter the lesson lies in."),
    "no_new_work": N_(
        "Make the work under its lesson in the journal, with the same title; the next comparison finds it."
    ),
    "impact": N_("Look at what the new mapping would change. If it is meant, tick it and approve."),
    "hidden_value": N_("Look into the system. If the value is meant, tick it and approve."),
    "base_corrupt": N_("Look at both values. If the new one is right, tick it and approve."),
    "finer_scale": N_("Put the mark in by hand: a coarse mark says too little for the finer scale."),
}


def system_name(key: str, lms: str) -> str:
    """Return a system's name for a person: its product, or ``lms`` where only the protocol is known."""
    kind = key.partition(":")[0]
    return SYSTEMS.get(kind, lms if kind == "lti_advantage" else kind)


def read_reason(code: str) -> Message:
    """Return why a read proved nothing, as the end of a sentence about the system; an unknown code is shown."""
    found = _HTTP.fullmatch(code)
    if found:
        return say(N_("it answered with the error {status}"), status=found[1])
    return say(_READS[code]) if code in _READS else say(N_("it gave no usable answer ({code})"), code=code)


def write_reason(code: str) -> Message | str:
    """Return what stood in the way of a write; an unknown code is shown as it is."""
    return say(_WRITES[code]) if code in _WRITES else code


def hold_reason(code: str) -> Message:
    """Return why a change waits."""
    return explain_hold(code) if code in HOLD_CODES else explain_match(code)


def rule_words(rule: str) -> Message | str:
    """Return the rule that decided, in words."""
    return explain_rule(rule) if rule in RULE_IDS else rule


def audit_reason(code: str) -> Message | str:
    """Return why an entry of the audit was made."""
    if code in _AUDIT:
        return say(_AUDIT[code])
    return explain_rule(code) if code in RULE_IDS else explain_match(code) if code in MATCH_REASONS else code


def stop_reason(code: str) -> Message:
    """Return why an approved plan is not being written, as the end of a sentence."""
    return say(_STOPS[code]) if code in _STOPS else say(N_("it stopped with {code}."), code=code)


def actor(code: str, t: Callable[[str], str]) -> str:
    """Return who acted: the console's person by the name of the invitation, or what acts by itself."""
    return t(_ACTORS[code]) if code in _ACTORS else code.removeprefix("operator:")


def code_words(value: str) -> Message | str:
    """Return an attendance code in words; one that no system of ours has is shown as it is."""
    for words in (WORDS["kopir"], WORDS["kundelik"], WORDS["moodle"]):
        if value in words:
            return say(_ATTENDANCE[words[value]])
    return value


def said(table: dict[str, str], code: str) -> Message | str:
    """Return a code's word from a table; a code the table lacks is shown as it is."""
    return say(table[code]) if code in table else code
