"""The console's page of LMSs: which are connected, which deployments wait, and an address to connect one more."""

from __future__ import annotations

from flask import abort, request
from werkzeug.wrappers import Response

from connector.base.i18n import N_, Message
from connector.host.deployments import Waiting, approve_deployment, refuse_deployment, waiting_deployments
from connector.host.invitations import invitations, invite_lms, revoke_invitation
from connector.host.rungs import rung_counts
from connector.web.console.common import NOTES, page, to
from connector.web.console.rungs import counted, rung_words
from connector.web.console.session import blueprint, operator
from connector.web.state import runtime
from lti.profiles import profile_for
from lti.tool.ladder import Rung, remembered
from lti.tool.ports import Registration

NOTES.update(
    {
        "deployment_approved": N_("The deployment belongs to this school now; people can get in from it."),
        "deployment_refused": N_("The deployment was dropped. It waits again if somebody launches from it."),
        "invitation_revoked": N_("The address was taken back; nobody can use it any more."),
    }
)


@blueprint.get("/lms/")
def lms() -> Response:
    """Show the school's LMSs and what waits."""
    return _shown()


def _shown(url: str = "") -> Response:
    here, school_id = runtime(), operator().school_id
    school = here.registry.school(school_id=school_id)
    code = school.code if school else ""
    counts = rung_counts(here, school_id)
    connected = [
        {"issuer": one.issuer, "client_id": one.client_id, "deployment": deployment,
         "product": profile_for(one.profile).title, "rung": _begins_at(one), "rungs": counted(counts, one.id)}
        for one, deployment, owner in here.registry.all() if owner == code
    ]  # fmt: skip
    now = here.clock()
    open_ = [one for one in invitations(here) if one.school_id == school_id and one.state(now) == "open"]
    waiting = waiting_deployments(here, school_id)
    return page("registration/console.html", connected=connected, waiting=waiting, invitations=open_, url=url)


def _begins_at(platform: Registration) -> Message | str:
    return rung_words(remembered(platform, runtime().clock()) or Rung.COOKIE)


def _waiting() -> Waiting:
    """Return the waiting deployment a form names, of the operator's own school."""
    asked = (request.form.get("registration", ""), request.form.get("deployment", ""))
    waiting = waiting_deployments(runtime(), operator().school_id)
    found = next((one for one in waiting if (one.registration_id, one.deployment_id) == asked), None)
    return found or abort(404)


@blueprint.post("/lms/approve")
def approve() -> Response:
    """Take a deployment into the school."""
    one = _waiting()
    approve_deployment(
        runtime(), one.deployment_id, school_id=operator().school_id, registration_id=one.registration_id
    )
    return to("lms/", "deployment_approved")


@blueprint.post("/lms/refuse")
def refuse() -> Response:
    """Drop a deployment that waits."""
    one = _waiting()
    refuse_deployment(runtime(), one.registration_id, one.deployment_id)
    return to("lms/", "deployment_refused")


@blueprint.post("/lms/invite")
def invite_one() -> Response:
    """Make a registration address and show it, once: afterwards nobody can read it again."""
    return _shown(invite_lms(runtime(), operator().school_id).url)


@blueprint.post("/lms/revoke")
def revoke() -> Response:
    """Take a registration address of the school back."""
    wanted, school_id = request.form.get("invitation", ""), operator().school_id
    if not any(one.id == wanted and one.school_id == school_id for one in invitations(runtime())):
        abort(404)
    revoke_invitation(runtime(), wanted)
    return to("lms/", "invitation_revoked")
