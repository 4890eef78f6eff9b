import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.base.errors import Fatal, Hold, KopirError, Record, Retriable
from connector.base.i18n import catalogue
from sync.systems.contract import Evidence, Read
from sync.systems.kundelik import errors
from sync.systems.kundelik.bucket import TokenBucket
from sync.systems.kundelik.client import agreed, at_least, joined, unwrap, windows
from sync.systems.kundelik.shapes import Fields, Reader
from sync.systems.kundelik.writes import joined_value

AT = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
DAYS = st.dates(date(2020, 1, 1), date(2032, 12, 31))
READER = Reader(ZoneInfo("Asia/Almaty"))


@given(DAYS, st.integers(0, 400))
def test_windows_cover_every_day_once_and_none_is_too_long(first, length):
    last = first + timedelta(days=length)
    cut = list(windows(first, last))
    covered = [start + timedelta(days=n) for start, end in cut for n in range((end - start).days + 1)]
    assert covered == [first + timedelta(days=n) for n in range(length + 1)]
    assert all((end - start).days < 30 for start, end in cut)


@pytest.mark.parametrize(
    ("kind", "family", "reason"),
    [
        ("authorizationInvalidToken", Fatal, "token_refused"),
        ("invalidToken", Fatal, "token_refused"),
        ("AuthorizationTokenRequired", Fatal, "token_refused"),
        ("authorizationOutOfScope", Fatal, "out_of_scope"),
        ("authorizationOwnerForbidden", Fatal, "forbidden"),
        ("authorizationFailed", Fatal, "sign_in_refused"),
        ("apiRequestLimit", Retriable, "rate_limited"),
        ("requestLimit", Retriable, "rate_limited"),
        ("apiServerError", Retriable, "server_error"),
        ("apiMethodNotSupported", Hold, "not_offered"),
        ("apiResourceUnavailable", Record, "not_found"),
        ("parameterInvalid", Record, "request_refused"),
        ("apiSomethingNew", Retriable, "unknown_error"),
        ("somethingNew", Retriable, "unknown_error"),
    ],
)
def test_an_error_by_body_is_known_in_either_spelling(kind, family, reason):
    rule = errors.rule_of({"type": kind, "description": "…"})
    assert rule
    assert (type(errors.make(rule)), rule.reason) == (family, reason)


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        None,
        {"id": 1, "type": "Mark5", "value": "5"},
        {"id": 1, "type": "failed"},
        {"type": "Group", "name": "7 «А»"},
        {"logEntries": []},
    ],
)
def test_data_with_a_type_of_its_own_is_no_error(value):
    assert errors.rule_of(value) is None


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (200, None),
        (204, None),
        (302, "request_refused"),
        (401, "token_refused"),
        (403, "forbidden"),
        (404, "not_found"),
        (410, "not_found"),
        (429, "rate_limited"),
        (500, "http_500"),
        (503, "http_503"),
    ],
)
def test_a_status_means_what_it_says_when_the_body_is_silent(status, reason):
    rule = errors.of_status(status)
    assert (rule.reason if rule else None) == reason


def test_only_rights_and_gone_records_are_more_than_unknown():
    for rule in errors.BY_TYPE.values():
        assert errors.evidence_of(errors.make(rule)) is rule.evidence
        assert rule.evidence is not Evidence.COMPLETE
    assert errors.evidence_of(errors.failed("timeout", errors.say("late"))) is Evidence.UNKNOWN


@given(st.integers(2**53, 2**63 - 1))
def test_an_id_beyond_a_float_is_kept_to_the_last_digit(number):
    assert Fields({"ID": number}).id() == str(number)
    assert Fields({"id": float(number), "Id_Str": str(number)}).id() == str(number)
    assert Fields({"id": int(float(number)), "id_str": str(number)}).id() == str(number)


@pytest.mark.parametrize("value", [None, 0, "", "0", 2.25e18, Decimal("2250000000000000001.0"), True, "12a", -5, []])
def test_an_id_that_lost_its_digits_is_no_id(value):
    with pytest.raises(Retriable) as bad:
        Fields({"id": value}).id()
    assert bad.value.reason == "bad_record"


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-11-20T00:00:00", date(2026, 11, 20)),
        ("2026-11-20", date(2026, 11, 20)),
        ("2026-11-20T23:59:59.9", date(2026, 11, 20)),
        ("2026-11-19T19:00:00Z", date(2026, 11, 20)),
        ("2026-11-20T00:00:00+05:00", date(2026, 11, 20)),
        ("2024-02-29T23:30:00", date(2024, 2, 29)),
    ],
)
def test_a_lesson_has_the_civil_date_of_the_school(text, day):
    assert READER.day(text) == day


@pytest.mark.parametrize("text", ["", "20.11.2026", "1763596800", "завтра"])
def test_a_date_in_another_shape_is_a_bad_record(text):
    with pytest.raises(Retriable):
        READER.day(text)


@pytest.mark.parametrize("value", ["4-", "5+", "осв", "10", "н/а", "УДВ"])
def test_a_mark_keeps_its_text(value):
    mark = READER.mark({"Id": 2**60, "Person": 2**60 + 1, "WORK": 2**60 + 2, "Value": value})
    assert mark.value == value
    assert joined_value((mark,)) == value


@pytest.mark.parametrize("value", [None, "", " "])
def test_a_mark_without_a_value_is_a_bad_record_not_an_empty_cell(value):
    with pytest.raises(Retriable):
        READER.mark({"id": 1, "person": 2, "work": 3, "value": value})


def test_the_second_mark_of_a_pair_stands_second():
    pair = [READER.mark({"id": n, "person": 2, "work": 3, "value": v, "number": n}) for n, v in ((2, "5"), (1, "4"))]
    assert joined_value(tuple(pair)) == "4/5"
    assert joined_value(()) is None


@pytest.mark.parametrize(("value", "found"), [([1], [1]), ({"items": [2]}, [2]), ({"LogEntries": []}, [])])
def test_a_list_may_come_wrapped(value, found):
    assert unwrap(value) == found


@pytest.mark.parametrize("value", [None, {}, {"items": None}, "[]", 5, {"other": []}])
def test_what_is_no_list_is_never_an_empty_one(value):
    with pytest.raises(KopirError):
        unwrap(value)


def whole(*records: str) -> Read[str]:
    return Read(records, Evidence.COMPLETE, AT)


@given(st.lists(st.text(max_size=2)), st.lists(st.text(max_size=2)))
def test_two_lists_prove_each_other_only_when_they_show_the_same(one, two):
    read = agreed(whole(*one), whole(*two), str)
    assert read.records == tuple(one)
    assert read.complete is (sorted(one) == sorted(two))


@pytest.mark.parametrize("evidence", [each for each in Evidence if each is not Evidence.COMPLETE])
def test_a_failed_witness_or_part_fails_the_whole(evidence):
    bad: Read[str] = Read((), evidence, AT - timedelta(seconds=5), "why")
    for read in (
        agreed(whole("a"), bad, str),
        agreed(bad, whole("a"), str),
        joined([whole("a"), bad, whole("b")], lambda: AT),
        at_least(bad, 3),
    ):
        assert (read.evidence, read.reason, read.read_at) == (evidence, "why", bad.read_at)


@pytest.mark.parametrize(
    ("count", "floor", "evidence"),
    [
        (0, 0, Evidence.COMPLETE),
        (0, 1, Evidence.SUSPICIOUS),
        (1, 2, Evidence.COMPLETE),
        (29, 30, Evidence.COMPLETE),
        (24, 30, Evidence.COMPLETE),
        (23, 30, Evidence.PARTIAL),
        (15, 30, Evidence.PARTIAL),
        (31, 30, Evidence.COMPLETE),
    ],
)
def test_a_list_far_under_its_floor_is_doubted(count, floor, evidence):
    assert at_least(whole(*["x"] * count), floor).evidence is evidence


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@given(st.integers(1, 10), st.integers(1, 20), st.integers(1, 200))
def test_the_bucket_never_lets_more_through_than_it_may(rate, burst, calls):
    time = Time()
    bucket = TokenBucket(rate, burst, now=lambda: time.now, sleep=time.sleep)
    for _ in range(calls):
        bucket.take()
    assert calls <= burst + time.now * rate + 1e-6
    assert time.now * rate <= max(0, calls - burst) + 1e-6


def test_a_pause_holds_every_call_back_for_its_time():
    time = Time()
    bucket = TokenBucket(5, 20, now=lambda: time.now, sleep=time.sleep)
    bucket.pause(timedelta(seconds=10))
    bucket.take()
    assert 10 <= time.now <= 10.3


def test_every_sentence_is_spoken_in_kazakh_and_russian():
    room = Path(errors.__file__).parent
    catalogue.add(room / "i18n")
    text = "".join(file.read_text("utf-8") for file in room.glob("*.py"))
    found = re.findall(r'N_\(\s*((?:"[^"]*"\s*)+)\)', text)
    sentences = {"".join(re.findall(r'"([^"]*)"', part)) for part in found}
    assert len(sentences) >= 16
    for language in ("kk", "ru"):
        assert not [text for text in sentences if catalogue.find(language, text) is None]
