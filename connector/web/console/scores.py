"""The console's pages of scores: what is where, what each state means and who must act, and sending again."""

from __future__ import annotations

from dataclasses import dataclass

from flask import abort, request
from sqlalchemy import and_
from werkzeug.wrappers import Response

from connector.base.i18n import N_, Message, say
from connector.base.ids import is_id
from connector.db.tables.launches import result
from connector.host.deliveries import LmsLane, lanes_of, send_again, try_now
from connector.web.console.common import NOTES, page, to
from connector.web.console.session import blueprint, id_or_404, operator
from connector.web.console.words import said
from connector.web.state import runtime
from sync.scores import view
from sync.scores.view import ScoreLine
from sync.scores.words import STANDINGS, WHO, Standing, Who, meaning

NOTES.update(
    {
        "sent_again": N_("Scores that are sent again: {n}. This page shows how far they are."),
        "lane_tried": N_("The LMS is being tried now."),
    }
)
LANES: dict[str, str] = {
    "open": N_("It answers"),
    "closed": N_("It does not answer; Kopir leaves it alone for a while"),
    "probing": N_("The next delivery tries whether it answers again"),
}
_LOOKS = {Standing.DELIVERED: "success", Standing.WAITING: "info", Standing.KEPT: "warning", Standing.REFUSED: "danger",
          Standing.STOPPED: "danger", Standing.NONE: "secondary"}  # fmt: skip
A_PAGE = 200


@dataclass(frozen=True)
class Group:
    """Scores of one activity that are where they are for one reason."""

    standing: Standing
    word: Message | str
    sentence: Message
    who: Message
    acts: bool
    look: str
    lines: list[ScoreLine]
    hidden: int
    may_resend: bool


@blueprint.get("/scores/")
def score_overview() -> Response:
    """Show every activity's scores in numbers, and the LMSs they go to."""
    school = operator().school_id
    with runtime().database.school(school, write=False) as db:
        found = view.activities(db, school)
    only = request.args.get("show") == "attention"
    shown = [one for one in found if one.attention] if only else found
    return page(
        "console/scores.html", activities=shown, only=only, standings=STANDINGS, looks=_LOOKS, Standing=Standing,
        attention=sum(one.attention for one in found), lanes=lanes_of(runtime(), school), lane_word=_lane_word,
    )  # fmt: skip


def _lane_word(lane: LmsLane) -> Message | str:
    return said(LANES, lane.state)


@blueprint.get("/scores/<activity_id>")
def score_page(activity_id: str) -> Response:
    """Show one activity's scores, those that need somebody first; ``?state=`` shows one state alone."""
    school = operator().school_id
    with runtime().database.school(school, write=False) as db:
        found = next((one for one in view.activities(db, school) if one.activity_id == id_or_404(activity_id)), None)
        lines = view.of_activity(db, school, activity_id)
    if found is None:
        abort(404)
    wanted = request.args.get("state", "")
    chosen = [line for line in lines if wanted in ("", str(line.standing))]
    return page(
        "console/scores_activity.html", activity=found, groups=_groups(chosen), wanted=wanted, standings=STANDINGS,
        looks=_LOOKS, some=any(line.may_resend for line in lines),
    )  # fmt: skip


def _groups(lines: list[ScoreLine]) -> list[Group]:
    by_reason: dict[tuple[Standing, str], list[ScoreLine]] = {}
    for line in lines:
        by_reason.setdefault((line.standing, line.reason), []).append(line)
    made = [_group(*key, found) for key, found in by_reason.items()]
    order = [Standing.STOPPED, Standing.REFUSED, Standing.KEPT, Standing.WAITING, Standing.DELIVERED, Standing.NONE]
    return sorted(made, key=lambda one: (not one.acts, order.index(one.standing), -len(one.lines)))


def _group(standing: Standing, reason: str, lines: list[ScoreLine]) -> Group:
    known = meaning(standing, reason)
    return Group(
        standing=standing,
        word=said({str(key): text for key, text in STANDINGS.items()}, str(standing)),
        sentence=say(known.sentence),
        who=say(WHO[known.who]),
        acts=known.who is not Who.NOBODY,
        look=_LOOKS[standing],
        lines=lines[:A_PAGE],
        hidden=max(0, len(lines) - A_PAGE),
        may_resend=lines[0].may_resend,
    )


@blueprint.post("/scores/resend")
def score_resend() -> Response:
    """Send again one score, those of an activity, or all of the school's."""
    school = operator().school_id
    condition = result.c.school_id == school
    one, activity = request.form.get("result", ""), request.form.get("activity", "")
    if any(value and not is_id(value) for value in (one, activity)):
        abort(404)
    if one:
        condition = and_(condition, result.c.id == one)
    if activity:
        condition = and_(condition, result.c.activity == activity)
    sent = send_again(runtime(), school, condition)
    return to(f"scores/{activity}", "sent_again" if sent else "nothing_chosen", len(sent))


@blueprint.post("/scores/try")
def score_try() -> Response:
    """Try an LMS that is left alone at once."""
    if not try_now(runtime(), operator().school_id, id_or_404(request.form.get("lane", ""))):
        abort(404)
    return to("scores/", "lane_tried")
