"""Assignment and Grade Services 2.0 against a gradebook that behaves as Moodle 4.5's."""

from __future__ import annotations

import json
import socket
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from werkzeug.wrappers import Response

from connector.base.errors import Fatal, Record, Retriable
from connector.base.i18n import translate
from lti.errors import (
    ForeignPage,
    ServiceForbidden,
    ServiceGone,
    ServiceRejected,
    ServiceUnauthorised,
    ServiceUnavailable,
    ServiceUnreadable,
    TokenUnavailable,
)
from lti.tool.ags import (
    ActivityProgress,
    AssignmentAndGradeService,
    GradingProgress,
    LineItem,
    Result,
    Score,
    ScoreOutcome,
    ScoreStatus,
    find_or_none,
)
from lti.tool.tokens import TokenSource
from lti.vocab import Scope
from tests.lti.kit import NOW, OneKey, SetClock, outbound, page, registration

S = ScoreStatus


def service(lms, **limits) -> AssignmentAndGradeService:
    http = outbound(**limits)
    return AssignmentAndGradeService(http, TokenSource(http, OneKey(), None, SetClock()), lms.registration, "1")


def score(user="6", given="30", maximum="40", at=NOW, **more) -> Score:
    mark = None if given is None else Decimal(given)
    return Score(user, at, mark, Decimal(maximum) if given is not None else None, **more)


@pytest.fixture
def column(lms):
    """A column of 40 points, made through the service."""
    item = LineItem("Бақылау жұмысы №1", Decimal(40), resource_id="exam-1", tag="exam")
    return service(lms).create_line_item(lms.line_items_url, item)


# Columns.


def test_a_column_is_made_found_changed_and_deleted(lms, column):
    ags = service(lms)
    assert column.id.endswith("/lineitem?type_id=1")
    assert ags.list_line_items(lms.line_items_url) == [column]
    assert ags.get_line_item(column.id) == column
    changed = LineItem("Жаңа атау", Decimal("60.5"), id=column.id, resource_id="exam-1", tag="exam")
    assert ags.update_line_item(changed) == changed
    assert ags.get_line_item(column.id).score_maximum == Decimal("60.5")
    ags.delete_line_item(column.id)
    assert ags.list_line_items(lms.line_items_url) == []


def test_each_call_sends_exactly_one_media_type(lms, column):
    ags = service(lms)
    ags.list_line_items(lms.line_items_url)
    ags.get_line_item(column.id)
    ags.post_score(column.id, score())
    ags.read_results(column.id)
    sent = {(c.method, c.path.rsplit("/", 1)[-1]): c.headers for c in lms.calls}
    item, items = "application/vnd.ims.lis.v2.lineitem+json", "application/vnd.ims.lis.v2.lineitemcontainer+json"
    assert sent["GET", "lineitems"]["Accept"] == items
    assert sent["POST", "lineitems"]["Content-Type"] == item
    assert sent["GET", "lineitem"]["Accept"] == item
    assert sent["POST", "scores"]["Content-Type"] == "application/vnd.ims.lis.v1.score+json"
    assert sent["GET", "results"]["Accept"] == "application/vnd.ims.lis.v2.resultcontainer+json"


def test_each_call_asks_for_the_smallest_scope(lms, column):
    ags = service(lms)
    ags.list_line_items(lms.line_items_url)
    ags.post_score(column.id, score())
    ags.read_results(column.id)
    from urllib.parse import parse_qs

    asked = [parse_qs(call.body)["scope"] for call in lms.seen("/token.php")]
    assert asked == [[Scope.LINEITEM], [Scope.LINEITEM_READONLY], [Scope.SCORE], [Scope.RESULT_READONLY]]


def test_columns_are_found_by_their_marks_and_the_query_is_kept(lms, column):
    ags = service(lms)
    ags.create_line_item(lms.line_items_url, LineItem("Екінші", Decimal(5), resource_id="exam-2", tag="exam"))
    assert ags.list_line_items(lms.line_items_url, resource_id="exam-1", tag="exam") == [column]
    assert ags.list_line_items(lms.line_items_url, tag="none") == []
    assert lms.seen("/lineitems", "GET")[0].query == "type_id=1&resource_id=exam-1&tag=exam"


def test_a_platform_that_passes_over_filters_gives_no_foreign_column(lms, column):
    other = {"id": "http://x/2", "label": "b", "scoreMaximum": 5, "resourceId": "exam-2", "resourceLinkId": "9"}
    lms.rule("/lineitems", lambda call: Response(json.dumps([other])), "GET")
    ags = service(lms)
    assert ags.list_line_items(lms.line_items_url, resource_id="exam-1") == []
    assert ags.list_line_items(lms.line_items_url, tag="exam") == []
    assert ags.list_line_items(lms.line_items_url, resource_link_id="1") == []
    assert len(ags.list_line_items(lms.line_items_url, resource_link_id="9")) == 1


def test_pages_of_columns_with_moodles_curly_quotes_are_all_read(lms):
    ags = service(lms)
    for n in range(3):
        ags.create_line_item(lms.line_items_url, LineItem(f"c{n}", Decimal(5)))
    whole = list(lms.items.values())

    def paged(call):
        start = int(dict(p.split("=") for p in call.query.split("&")).get("from", 0))
        url = f"{lms.line_items_url}&amp;limit=1&amp;from={start + 1}"
        link = f"<{url}>; rel=“next”".encode().decode("latin-1")
        return Response(json.dumps(whole[start : start + 1]), headers={"Link": link} if start < 2 else {})

    lms.rule("/lineitems", paged, "GET")
    assert [item.label for item in ags.list_line_items(lms.line_items_url)] == ["c0", "c1", "c2"]


def test_a_list_that_is_not_whole_is_an_error_not_a_shorter_list(lms, column):
    ags = service(lms)
    good = list(lms.items.values())
    lms.rule("/lineitems", lambda call: Response(json.dumps([*good, {"id": "x"}])), "GET")
    with pytest.raises(ServiceUnreadable):
        ags.list_line_items(lms.line_items_url)
    lms.rules.clear()
    lms.rule(
        "/lineitems",
        lambda c: Response(json.dumps(good), headers={"Link": '<http://evil.example/>; rel="next"'}),
        "GET",
    )
    with pytest.raises(ForeignPage):
        ags.list_line_items(lms.line_items_url)


def test_several_columns_of_one_activity_are_a_persons_to_choose():
    one, two = LineItem("a", Decimal(1), id="1"), LineItem("a", Decimal(1), id="2")
    assert find_or_none([]) is None
    assert find_or_none([one]) is one
    with pytest.raises(ServiceRejected) as caught:
        find_or_none([one, two])
    assert caught.value.reason == "twin_columns"


def test_an_update_sends_back_what_it_does_not_know(lms, column):
    lms.items[2]["https://canvas.instructure.com/lti/submission_type"] = {"type": "none"}
    ags = service(lms)
    ags.update_line_item(ags.get_line_item(column.id))
    assert lms.items[2]["https://canvas.instructure.com/lti/submission_type"] == {"type": "none"}


def test_an_update_answered_with_nothing_is_an_echo(lms, column):
    lms.rule("/lineitem", lambda call: Response("", 200), "PUT")
    assert service(lms).update_line_item(column) == column


@pytest.mark.parametrize("bad", [{"label": " "}, {"score_maximum": Decimal(0)}, {"score_maximum": Decimal("NaN")}])
def test_a_column_no_platform_takes_cannot_be_made(bad):
    with pytest.raises(ValueError, match="label"):
        LineItem(**{"label": "a", "score_maximum": Decimal(1), **bad})


def test_a_columns_dates_are_written_in_utc():
    item = LineItem("a", Decimal(1), starts_at=NOW, ends_at=NOW + timedelta(days=1))
    assert json.loads(item.to_json())["startDateTime"] == "2026-11-21T20:00:00.000Z"
    with pytest.raises(ValueError, match="id"):
        AssignmentAndGradeService(None, None, registration(), "1").update_line_item(item)


# Scores: what is sent.


def test_a_score_is_sent_whole_and_exact(lms, column):
    sent = Score(
        user_id="6",
        timestamp=NOW + timedelta(milliseconds=97),
        score_given=Decimal("87.50"),
        score_maximum=Decimal(100),
        comment="Жұмыс тексерілді",
        scoring_user_id="3",
        started_at=NOW - timedelta(hours=1),
        submitted_at=NOW,
    )
    assert service(lms).post_score(column.id, sent).accepted
    call = lms.seen("/scores")[0]
    assert call.path == "/mod/lti/services.php/2/lineitems/2/lineitem/scores"
    assert call.query == "type_id=1"
    assert '"scoreGiven":87.5,' in call.body
    assert call.json() == {
        "userId": "6",
        "timestamp": "2026-11-21T20:00:00.097Z",
        "activityProgress": "Completed",
        "gradingProgress": "FullyGraded",
        "scoreGiven": 87.5,
        "scoreMaximum": 100,
        "comment": "Жұмыс тексерілді",
        "scoringUserId": "3",
        "submission": {"startedAt": "2026-11-21T19:00:00.000Z", "submittedAt": "2026-11-21T20:00:00.000Z"},
    }


def test_a_score_of_zero_is_sent_as_zero():
    assert json.loads(score(given="0").to_json())["scoreGiven"] == 0


def test_clearing_a_grade_sends_neither_mark_nor_maximum():
    cleared = score(
        given=None, activity_progress=ActivityProgress.INITIALIZED, grading_progress=GradingProgress.NOT_READY
    )
    assert sorted(json.loads(cleared.to_json())) == ["activityProgress", "gradingProgress", "timestamp", "userId"]


def test_extensions_travel_but_cannot_overwrite_the_mark():
    sent = score(
        extensions={"https://canvas.instructure.com/lti/submission": {"new_submission": False}, "scoreGiven": 1}
    )
    body = json.loads(sent.to_json())
    assert body["https://canvas.instructure.com/lti/submission"] == {"new_submission": False}
    assert body["scoreGiven"] == 30


@pytest.mark.parametrize(
    "bad",
    [
        {"score_given": Decimal(-1)}, {"score_given": Decimal("NaN")}, {"score_maximum": None},
        {"score_maximum": Decimal(0)}, {"user_id": ""}, {"timestamp": datetime(2026, 1, 1)},  # noqa: DTZ001
        {"started_at": NOW, "submitted_at": NOW - timedelta(seconds=1)},
    ],
)  # fmt: skip
def test_a_score_no_platform_takes_cannot_be_made(bad):
    with pytest.raises(ValueError):
        Score(**{"user_id": "6", "timestamp": NOW, "score_given": Decimal(1), "score_maximum": Decimal(2), **bad})


def test_a_scores_comment_is_not_in_its_repr():
    assert "құпия" not in repr(score(comment="құпия"))


# Scores: how they end.


def test_moodle_refuses_two_scores_within_one_second(lms, column):
    ags = service(lms)
    assert ags.post_score(column.id, score()).status is S.ACCEPTED
    again = ags.post_score(column.id, score(given="31", at=NOW + timedelta(milliseconds=900)))
    assert again.status is S.OLDER_TIMESTAMP
    assert again.must_read_back
    assert ags.post_score(column.id, score(given="31", at=NOW + timedelta(seconds=1))).accepted


def test_a_repeat_of_the_same_score_is_told_from_a_loss_by_reading_back(lms, column):
    ags = service(lms)
    ags.post_score(column.id, score())
    assert ags.post_score(column.id, score()).must_read_back
    assert ags.read_results(column.id, "6")[0].score == 30


def test_a_teacher_or_a_stranger_is_not_gradable(lms, column):
    for user in ("3", "99999"):
        outcome = service(lms).post_score(column.id, score(user, comment="Әлия жақсы"))
        assert outcome.status is S.NOT_GRADABLE
        assert "Әлия" not in repr(outcome)


def test_a_locked_grade_is_locked_for_good(lms, column):
    lms.grades[2, "6"] = {"second": 0, "locked": True}
    assert service(lms).post_score(column.id, score()).status is S.LOCKED


def test_an_accepted_score_may_still_be_overridden_by_the_teacher(lms, column):
    lms.grades[2, "6"] = {"second": 0, "overridden": True, "score": 25}
    ags = service(lms)
    assert ags.post_score(column.id, score()).accepted
    assert ags.read_results(column.id, "6")[0].score == 25


MEDIA = "application/vnd.ims.lis.v1.score+json"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Response("", 200, content_type=MEDIA), S.ACCEPTED),
        (Response("", 204), S.ACCEPTED),
        (Response("{}", 201), S.ACCEPTED),
        (Response("", 200, mimetype="text/html"), S.ACCEPTED),
        (Response("{}", 400, mimetype="application/json"), S.REJECTED),
        (Response('{"errors":"score is before last updated timestamp"}', 400), S.OLDER_TIMESTAMP),
        (Response("User could not be found: _1_1", 400), S.NOT_GRADABLE),
        (Response("[]", "400 Incorrect score received{}", content_type=MEDIA), S.NOT_GRADABLE),
        (Response("[]", 400, content_type=MEDIA), S.NOT_GRADABLE),
        (Response("[]", 409, content_type=MEDIA), S.OLDER_TIMESTAMP),
        (Response("[]", 500, content_type=MEDIA), S.LOCKED),
        (Response("Internal Server Error", 500), S.UNKNOWN),
        (Response("", 502), S.UNKNOWN),
        (Response("", 504), S.UNKNOWN),
        (Response("{}", 404), S.GONE),
        (Response("", 410), S.GONE),
        (Response("{}", 403), S.FORBIDDEN),
        (Response("403 Forbidden (Rate Limit Exceeded)", 403), S.THROTTLED),
        (Response("", 429), S.THROTTLED),
        (Response("", 503, headers={"Retry-After": "5"}), S.THROTTLED),
        (Response("", 422), S.REJECTED),
        (Response("", 302, headers={"Location": "/login"}), S.MAINTENANCE),
        (page(503), S.MAINTENANCE),
        (page(200), S.MAINTENANCE),
        (Response("{}", 401), S.UNAUTHORISED),
    ],
)
def test_every_answer_has_its_meaning(lms, column, answer, status):
    lms.rule("/scores", lambda call: answer)
    outcome = service(lms).post_score(column.id, score())
    assert outcome.status is status
    assert outcome.http_status == answer.status_code


@pytest.mark.parametrize("status", list(S))
def test_every_outcome_has_a_sentence_in_three_languages(status):
    message = ScoreOutcome(status).message
    assert len({translate(message, language) for language in ("kk", "ru", "en")}) == 3


def test_the_wait_asked_for_and_the_platforms_clock_are_kept(lms, column):
    headers = {"Retry-After": "30", "Date": "Sat, 21 Nov 2026 20:00:05 GMT"}
    lms.rule("/scores", lambda call: Response("", 429, headers=headers))
    outcome = service(lms).post_score(column.id, score())
    assert outcome.retry_after == timedelta(seconds=30)
    assert outcome.platform_time is not None


def test_a_401_drops_the_token_and_tries_once_more(lms, column):
    ags = service(lms)
    ags.post_score(column.id, score())
    lms.valid_tokens.clear()
    lms.token_scopes = set(map(str, Scope))
    lms.valid_tokens.add("spare")
    before = lms.count("/scores")
    assert ags.post_score(column.id, score(at=NOW + timedelta(seconds=5))).accepted
    assert lms.count("/scores") == before + 2


def test_a_second_401_is_the_end(lms, column):
    lms.rule("/scores", lambda call: Response("{}", 401))
    assert service(lms).post_score(column.id, score()).status is S.UNAUTHORISED
    assert lms.count("/scores") == 2


def test_a_score_that_got_no_answer_in_time_is_unknown_and_not_sent_twice(lms, column):
    release = threading.Event()
    lms.rule("/scores", lambda call: release.wait(10) and None)
    outcome = service(lms, read=0.3, total=1.0).post_score(column.id, score())
    release.set()
    assert outcome.status is S.UNKNOWN
    assert outcome.must_read_back
    assert lms.count("/scores") == 1


def broken_server(answer: bytes):
    """Take one connection after another, read the request and hang up after ``answer``."""
    server = socket.create_server(("127.0.0.1", 0))
    taken = []

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                taken.append(connection.recv(65536))
                connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return server, taken


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"])
def test_a_connection_broken_after_sending_is_unknown(lms, column, answer):
    server, taken = broken_server(answer)
    url = f"http://127.0.0.1:{server.getsockname()[1]}/lineitem"
    outcome = service(lms).post_score(url, score())
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    assert outcome.status is S.UNKNOWN
    assert len(taken) == 1, "a score is never sent again blindly"


def test_a_refused_connection_was_certainly_not_sent(lms, column):
    outcome = service(lms).post_score("http://127.0.0.1:9/lineitem", score())
    assert outcome.status is S.UNREACHABLE
    assert not outcome.must_read_back


def test_without_a_token_nothing_was_sent_and_the_error_says_so(lms, column):
    lms.rule("/token.php", lambda call: page(503))
    with pytest.raises(TokenUnavailable):
        service(lms).post_score(column.id, score())
    assert lms.count("/scores") == 0


def test_a_token_endpoint_that_cannot_be_reached_is_no_unknown_score(lms, column):
    registration = type(lms.registration)(**{**vars(lms.registration), "token_url": "http://127.0.0.1:9/token"})
    http = outbound()
    ags = AssignmentAndGradeService(http, TokenSource(http, OneKey(), None, SetClock()), registration, "1")
    with pytest.raises(TokenUnavailable):
        ags.post_score(column.id, score())
    assert lms.count("/scores") == 0


# Results.


def test_a_score_of_zero_is_not_read_back_as_missing_nor_as_zero(lms, column):
    ags = service(lms)
    ags.post_score(column.id, score(given="0"))
    result = ags.read_results(column.id, "6")[0]
    assert result.score is None, "Moodle leaves the zero out: unknown, and the caller must not take it for none"
    assert result.maximum == 40


def test_results_are_never_paged_by_us(lms, column):
    service(lms).read_results(column.id)
    assert lms.seen("/results")[0].query == "type_id=1"
    service(lms).read_results(column.id, "6")
    assert lms.seen("/results")[1].query == "type_id=1&user_id=6"


def test_pages_a_platform_makes_by_itself_are_followed(lms, column):
    def paged(call):
        if "page=2" in call.query:
            return Response('[{"userId":"6","resultScore":2}]')
        return Response('[{"userId":"5","resultScore":1}]', headers={"Link": '<?page=2>; rel="next"'})

    lms.rule("/results", paged)
    assert [(r.user_id, r.score) for r in service(lms).read_results(column.id)] == [("5", 1), ("6", 2)]


def test_a_result_is_read_exactly():
    value = {
        "userId": "5", "resultScore": Decimal("35.12345"), "resultMaximum": 40, "comment": "Жұмыс",
        "timestamp": "2026-11-22T02:51:41+05:00",
    }  # fmt: skip
    result = Result.parse(value)
    assert result.score == Decimal("35.12345")
    assert result.timestamp == datetime(2026, 11, 21, 21, 51, 41, tzinfo=UTC)
    assert Result.parse({"userId": "5", "resultScore": 0}).score == 0
    assert Result.parse({"userId": 5, "resultScore": "7"}) == Result("5", Decimal(7), Decimal(1))


@pytest.mark.parametrize(
    "value", [{}, {"userId": ""}, [], None, {"userId": "5", "resultScore": "A"}, {"userId": "5", "resultMaximum": None}]
)
def test_a_result_that_cannot_be_read_is_not_left_out_in_silence(lms, column, value):
    assert Result.parse(value) is None
    lms.rule("/results", lambda call: Response(json.dumps([value])))
    with pytest.raises(ServiceUnreadable):
        service(lms).read_results(column.id)


def test_the_result_of_another_pupil_is_not_taken_for_the_one_asked(lms, column):
    lms.rule("/results", lambda call: Response('[{"userId":"5","resultScore":1}]'))
    assert service(lms).read_results(column.id, "6") == []


@pytest.mark.parametrize(
    ("answer", "error", "family"),
    [
        (Response("{}", 403), ServiceForbidden, Fatal),
        (Response("Rate Limit Exceeded", 403), ServiceUnavailable, Retriable),
        (Response("{}", 404), ServiceGone, Record),
        (Response("{}", 400), ServiceRejected, Record),
        (Response("{}", 401), ServiceUnauthorised, Fatal),
        (page(503), ServiceUnavailable, Retriable),
        (page(200), ServiceUnreadable, Retriable),
        (Response("{}", 200), ServiceUnreadable, Retriable),
        (Response("", 302), ServiceUnavailable, Retriable),
    ],
)
def test_a_read_that_failed_says_who_can_mend_it(lms, column, answer, error, family):
    lms.rule("/results", lambda call: answer)
    with pytest.raises(error) as caught:
        service(lms).read_results(column.id)
    assert isinstance(caught.value, family)
