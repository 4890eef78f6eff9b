"""Where platforms send notices: each signature checked, the answer given at once, the work left to jobs."""

from __future__ import annotations

from collections import defaultdict

from flask import Blueprint, Response, jsonify, make_response, request
from werkzeug.exceptions import RequestEntityTooLarge

from connector.base.i18n import translate
from connector.base.log import get_logger
from connector.host import notices
from connector.host.registry import School
from connector.web.state import runtime
from lti.errors import LaunchReason, NoticeRefused
from lti.tool.notices import Notice, read_batch, read_notice

MAX_BYTES = 1024 * 1024
_LATER = (LaunchReason.KEY_PENDING, LaunchReason.KEYS_UNREACHABLE)
log = get_logger("web.notices")
blueprint = Blueprint("notices", __name__, url_prefix="/lti")


@blueprint.post("/notices")
def receive() -> Response:
    """Take the notices of one delivery (Platform Notification Service 1.0).

    A platform may not deliver again, so that what can be believed is kept although something beside it cannot.
    """
    try:
        tokens = read_batch(_body())
    except RequestEntityTooLarge:
        return _answer(413, error="too_large")
    except NoticeRefused as refused:
        return _refuse(refused)
    taken, refusals = _read(tokens)
    new = sum(notices.take(runtime(), school, ones).new for school, ones in taken.items())
    if not taken and refusals:
        return _refuse(refusals[0])
    return _answer(200, new=new, repeated=sum(map(len, taken.values())) - new, refused=len(refusals))


def _body() -> bytes:
    request.max_content_length = MAX_BYTES
    return request.get_data()


def _read(tokens: list[str]) -> tuple[dict[School, list[Notice]], list[NoticeRefused]]:
    here = runtime()
    taken: dict[School, list[Notice]] = defaultdict(list)
    refusals: list[NoticeRefused] = []
    for token in tokens:
        try:
            one = read_notice(token, here.registry, here.key_sets, here.clock())
        except NoticeRefused as refused:
            refusals.append(refused)
            continue
        school = here.registry.school_of(one.registration.id, one.deployment_id)
        if school is None:
            # Not this school's yet: that is told to nobody, and a notice of a stranger is no use to anyone.
            log.info("notice_of_unknown_deployment", registration=one.registration.id)
            continue
        taken[school].append(one)
    return dict(taken), refusals


def _refuse(refused: NoticeRefused) -> Response:
    log.warning("notice_refused", reason=refused.reason)
    response = _answer(503 if refused.reason in _LATER else 400, error=refused.reason,
                       message=translate(refused.message, "en"))  # fmt: skip
    if refused.reason in _LATER:
        seconds = refused.message.values.get("seconds") or 60
        response.headers["Retry-After"] = str(seconds)
    return response


def _answer(status: int, **values: object) -> Response:
    return make_response(jsonify(values), status)
