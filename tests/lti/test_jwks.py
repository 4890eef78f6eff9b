"""Platforms' keys: Security Framework 1.0 §6.3–§6.4, RFC 7517, RFC 9111."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from joserfc.jwk import RSAKey
from werkzeug.wrappers import Response

from lti.errors import KeyUnavailable, LaunchReason, LaunchRefused
from lti.tool.jwks import KeySets, UnreadableKeySet, freshness, parse_key, read_key_set
from lti.tool.keys import new_signing_key, public_jwk
from lti.tool.ports import StoredKeySet
from tests.lti.kit import NOW, SetClock, Shelf, Visit, claims, encode, key_pair, outbound, page, weak_pair

CERTS = "/certs.php"


def key_sets(clock=None, shelf=None) -> KeySets:
    return KeySets(outbound(), shelf, clock or SetClock())


def jwk(which: str) -> dict:
    return public_jwk(key_pair(which))


def unavailable(keys: KeySets, url: str, kid: str) -> str:
    with pytest.raises(KeyUnavailable) as caught:
        keys.key(url, kid)
    return caught.value.reason


def test_a_key_is_fetched_once_and_parsed_once(lms):
    keys, url = key_sets(), lms.registration.jwks_url
    first = keys.key(url, key_pair().kid)
    assert all(keys.key(url, key_pair().kid) is first for _ in range(20))
    assert lms.count(CERTS) == 1


def test_a_request_for_keys_says_who_asks(lms):
    key_sets().key(lms.registration.jwks_url, key_pair().kid)
    assert "Kopir" in lms.seen(CERTS)[0].headers["User-Agent"]


def test_a_rotated_key_is_accepted_at_its_first_launch(lms):
    keys, clock = key_sets(), SetClock()
    keys.key(lms.registration.jwks_url, key_pair().kid)
    lms.keys = [jwk("platform"), jwk("rotated")]
    visit = Visit(registration=lms.registration, keys=keys)
    clock.tick(seconds=1)
    pair = key_pair("rotated")
    assert visit.post(visit.token({"alg": "RS256", "kid": pair.kid}, pair.key)).subject == "5"
    assert lms.count(CERTS) == 2


def test_a_flood_of_unknown_kids_causes_one_fetch(lms):
    clock = SetClock()
    keys, url = key_sets(clock), lms.registration.jwks_url
    keys.key(url, key_pair().kid)
    for n in range(100):
        assert unavailable(keys, url, f"invented-{n}") == LaunchReason.UNKNOWN_KEY
    assert lms.count(CERTS) == 2
    clock.tick(seconds=11)
    unavailable(keys, url, "one more")
    assert lms.count(CERTS) == 3
    assert keys.key(url, key_pair().kid)


def test_a_flood_on_an_empty_cache_causes_no_second_fetch_by_its_own_first_call(lms):
    keys, url = key_sets(), lms.registration.jwks_url
    unavailable(keys, url, "invented")
    assert lms.count(CERTS) == 1


def test_a_flood_from_many_threads_causes_one_fetch(lms):
    keys, url = key_sets(), lms.registration.jwks_url
    keys.key(url, key_pair().kid)
    lms.delay = 0.1
    run_together(24, lambda n: unavailable(keys, url, f"invented-{n}"))
    assert lms.count(CERTS) == 2


def test_whoever_waited_for_a_fetch_takes_its_answer_and_forces_no_other(lms):
    lms.delay = 0.3
    keys, url = key_sets(), lms.registration.jwks_url
    run_together(16, lambda n: unavailable(keys, url, f"invented-{n}"))
    assert lms.count(CERTS) == 1


def pending(keys: KeySets, url: str, kid: str, since=None) -> timedelta:
    with pytest.raises(KeyUnavailable) as caught:
        keys.key(url, kid, since)
    assert caught.value.reason == LaunchReason.KEY_PENDING
    assert caught.value.retry_after is not None
    return caught.value.retry_after


def test_security_in_a_flood_an_unknown_key_is_to_wait_for_and_refused_only_by_a_newer_set(lms):
    clock = SetClock()
    keys, url = key_sets(clock), lms.registration.jwks_url
    keys.key(url, key_pair().kid)
    clock.tick(seconds=30)
    assert unavailable(keys, url, "invented") == LaunchReason.UNKNOWN_KEY
    clock.tick(seconds=2)
    lms.keys = [jwk("platform"), jwk("rotated")]
    posted = clock()
    assert pending(keys, url, key_pair("rotated").kid) == timedelta(seconds=8)
    assert pending(keys, url, "invented-2") == timedelta(seconds=8)
    assert lms.count(CERTS) == 2
    clock.tick(seconds=8)
    assert keys.key(url, key_pair("rotated").kid, posted)
    assert lms.count(CERTS) == 3
    # The other one waited as long, and the set it waited for does not have its key.
    with pytest.raises(KeyUnavailable) as caught:
        keys.key(url, "invented-2", posted)
    assert caught.value.reason == LaunchReason.UNKNOWN_KEY
    assert lms.count(CERTS) == 3


def test_security_processes_share_one_early_fetch_in_ten_seconds(lms):
    clock, shelf, url = SetClock(), Shelf(), lms.registration.jwks_url
    first, second = key_sets(clock, shelf), key_sets(clock, shelf)
    for one in (first, second):
        one.key(url, key_pair().kid)
    clock.tick(seconds=30)
    posted = clock()
    lms.keys = [jwk("platform"), jwk("rotated")]
    assert first.key(url, key_pair("rotated").kid)
    assert lms.count(CERTS) == 3
    assert second.key(url, key_pair("rotated").kid, posted), "the other process takes over what the first one found"
    clock.tick(seconds=1)
    # The claim is a process's own memory too: neither asks the database at every launch of a flood.
    assert pending(second, url, "invented") == timedelta(seconds=9)
    assert pending(first, url, "invented") == timedelta(seconds=9)
    assert lms.count(CERTS) == 3


def test_security_while_another_process_still_fetches_the_wait_is_short(lms):
    clock, shelf, url = SetClock(), Shelf(), lms.registration.jwks_url
    keys = key_sets(clock, shelf)
    keys.key(url, key_pair().kid)
    clock.tick(seconds=30)
    shelf.claim(url, clock(), timedelta(seconds=10))
    clock.tick(seconds=3)
    assert pending(keys, url, "rotated") == timedelta(seconds=1)
    assert lms.count(CERTS) == 1


def test_security_a_cold_start_refuses_nobody_while_the_fetch_is_under_way(lms, monkeypatch):
    monkeypatch.setattr("lti.tool.jwks.WAIT_SECONDS", 0.1)
    keys, url = key_sets(), lms.registration.jwks_url
    started, release = threading.Event(), threading.Event()

    def slow(call):
        started.set()
        release.wait(10)

    lms.rule(CERTS, slow)
    fetching = threading.Thread(target=lambda: keys.key(url, key_pair().kid))
    fetching.start()
    assert started.wait(10)
    assert pending(keys, url, key_pair().kid) == timedelta(seconds=1)
    release.set()
    fetching.join()
    assert keys.key(url, key_pair().kid)
    assert lms.count(CERTS) == 1


def run_together(count: int, work) -> list:
    barrier, results = threading.Barrier(count), []

    def one(n: int) -> None:
        barrier.wait()
        results.append(work(n))

    threads = [threading.Thread(target=one, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_on_a_cold_start_one_thread_fetches_and_the_others_wait(lms):
    lms.delay = 0.2
    keys, url = key_sets(), lms.registration.jwks_url
    found = run_together(16, lambda n: keys.key(url, key_pair().kid))
    assert len(found) == 16
    assert lms.count(CERTS) == 1


def test_while_one_thread_renews_the_others_do_not_wait(lms):
    clock = SetClock()
    keys, url = key_sets(clock), lms.registration.jwks_url
    keys.key(url, key_pair().kid)
    clock.tick(seconds=601)
    started, release = threading.Event(), threading.Event()

    def slow(call):
        started.set()
        release.wait(10)

    lms.rule(CERTS, slow)
    renewing = threading.Thread(target=lambda: keys.key(url, key_pair().kid))
    renewing.start()
    assert started.wait(10)
    assert keys.key(url, key_pair().kid)
    release.set()
    renewing.join()
    assert lms.count(CERTS) == 2


def test_max_age_is_honoured(lms):
    clock = SetClock()
    keys, url = key_sets(clock), lms.registration.jwks_url
    keys.key(url, key_pair().kid)
    clock.tick(seconds=599)
    keys.key(url, key_pair().kid)
    assert lms.count(CERTS) == 1
    clock.tick(seconds=2)
    keys.key(url, key_pair().kid)
    assert lms.count(CERTS) == 2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 3600), ("max-age=5", 60), ("public, max-age=120", 120), ("max-age=99999999", 86400), ("no-store", 60),
        ("max-age=0, no-cache", 60), ("MAX-AGE = 300", 300), ('max-age="300"', 300), ("max-age=-1", 3600),
        ("s-maxage=300", 3600), ("max-age=x", 3600), ("no-store, max-age=7200", 60),
    ],
)  # fmt: skip
def test_freshness_stays_between_a_minute_and_a_day(header, seconds):
    assert freshness(header) == timedelta(seconds=seconds)


def test_a_withdrawn_key_is_refused_after_the_next_fetch(lms):
    clock = SetClock()
    keys, url = key_sets(clock), lms.registration.jwks_url
    keys.key(url, key_pair().kid)
    lms.keys = [jwk("rotated")]
    clock.tick(seconds=601)
    assert unavailable(keys, url, key_pair().kid) == LaunchReason.UNKNOWN_KEY


def test_a_kid_used_again_for_another_key_does_not_find_the_old_one(lms):
    clock = SetClock()
    keys, url = key_sets(clock), lms.registration.jwks_url
    old = keys.key(url, key_pair().kid)
    lms.keys = [{**jwk("rotated"), "kid": key_pair().kid}]
    clock.tick(seconds=601)
    assert keys.key(url, key_pair().kid).as_dict(private=False)["n"] != old.as_dict(private=False)["n"]


@pytest.mark.parametrize(
    "fault", [lambda c: page(503), lambda c: page(200), lambda c: Response("[]"), lambda c: Response("{")]
)
def test_a_copy_that_ran_out_serves_while_the_platform_is_down(lms, fault):
    clock = SetClock()
    keys, url = key_sets(clock), lms.registration.jwks_url
    keys.key(url, key_pair().kid)
    lms.rule(CERTS, fault)
    clock.tick(hours=2)
    assert keys.key(url, key_pair().kid)
    assert lms.count(CERTS) == 2
    assert keys.key(url, key_pair().kid)
    assert lms.count(CERTS) == 2, "a platform that is down is not asked at every launch"
    lms.rules.clear()
    clock.tick(seconds=11)
    keys.key(url, key_pair().kid)
    assert lms.count(CERTS) == 3


def test_a_copy_is_not_trusted_for_ever(lms):
    clock = SetClock()
    keys, url = key_sets(clock), lms.registration.jwks_url
    keys.key(url, key_pair().kid)
    lms.rule(CERTS, lambda call: page(503))
    clock.tick(days=8)
    assert unavailable(keys, url, key_pair().kid) == LaunchReason.KEYS_UNREACHABLE


def test_after_a_restart_the_last_good_copy_serves_while_the_platform_is_down(lms):
    shelf, url = Shelf(), lms.registration.jwks_url
    key_sets(shelf=shelf).key(url, key_pair().kid)
    assert shelf.kept[url].fetched_at == NOW
    lms.rule(CERTS, lambda call: page(503))
    restarted = key_sets(SetClock(NOW + timedelta(days=1)), shelf)
    assert restarted.key(url, key_pair().kid)
    # Nobody can say whether the LMS has such a key by now.
    assert unavailable(restarted, url, "invented") == LaunchReason.KEYS_UNREACHABLE


def test_a_good_copy_is_not_replaced_by_a_bad_one(lms):
    shelf, url, clock = Shelf(), lms.registration.jwks_url, SetClock()
    keys = key_sets(clock, shelf)
    keys.key(url, key_pair().kid)
    good = shelf.kept[url]
    lms.rule(CERTS, lambda call: page(200))
    clock.tick(hours=3)
    keys.key(url, key_pair().kid)
    assert shelf.kept[url] == good


def test_a_stored_copy_older_than_a_week_is_not_used(lms):
    shelf, url = Shelf(), lms.registration.jwks_url
    shelf.save(url, StoredKeySet(json.dumps({"keys": lms.keys}), NOW - timedelta(days=8)))
    lms.rule(CERTS, lambda call: page(503))
    assert unavailable(key_sets(shelf=shelf), url, key_pair().kid) == LaunchReason.KEYS_UNREACHABLE


def test_a_platform_that_cannot_be_reached_is_said_to_be_so():
    keys = key_sets()
    assert unavailable(keys, "http://127.0.0.1:9/certs", "k") == LaunchReason.KEYS_UNREACHABLE


def test_a_launch_whose_keys_cannot_be_had_is_refused_with_the_reason(lms):
    lms.rule(CERTS, lambda call: page(503))
    visit = Visit(registration=lms.registration, keys=key_sets())
    with pytest.raises(LaunchRefused) as caught:
        visit.post()
    assert caught.value.launch_reason is LaunchReason.KEYS_UNREACHABLE


def test_forgetting_a_url_fetches_anew(lms):
    keys, url = key_sets(), lms.registration.jwks_url
    keys.key(url, key_pair().kid)
    keys.forget(url)
    keys.key(url, key_pair().kid)
    assert lms.count(CERTS) == 2


def test_one_url_does_not_wait_for_another(lms):
    keys, started, release = key_sets(), threading.Event(), threading.Event()

    def slow(call):
        started.set()
        release.wait(10)

    lms.rule("/slow/certs.php", slow)
    waiting = threading.Thread(target=lambda: keys.key(lms.base + "/slow/certs.php", key_pair().kid))
    waiting.start()
    assert started.wait(10)
    assert keys.key(lms.registration.jwks_url, key_pair().kid)
    release.set()
    waiting.join()


@pytest.mark.parametrize(
    "broken",
    [
        {"kty": "RSA", "kid": "bad", "n": "***", "e": "AQAB"},
        {"kty": "RSA", "kid": "bad", "n": "", "e": "AQAB"},
        {"kty": "RSA", "kid": "bad", "n": "AQAB"},
        {"kty": "RSA"},
        {"kty": "EC", "kid": "bad", "crv": "P-256", "x": "x", "y": "y"},
        {"kty": "RSA", "kid": 7, "n": "AQAB", "e": "AQAB"},
        None,
        "key",
        [],
    ],
)
def test_one_broken_key_does_not_spoil_the_set(lms, broken):
    lms.keys = [broken, *lms.keys, broken]
    keys, url = key_sets(), lms.registration.jwks_url
    assert keys.key(url, key_pair().kid)
    assert unavailable(keys, url, "bad") in (LaunchReason.UNKNOWN_KEY, LaunchReason.WEAK_KEY)


def test_a_key_without_alg_and_use_is_taken_by_its_type(lms):
    lms.keys = [{name: value for name, value in jwk("platform").items() if name not in ("alg", "use")}]
    assert key_sets().key(lms.registration.jwks_url, key_pair().kid)


@pytest.mark.parametrize("change", [{"use": "enc"}, {"alg": "RS512"}, {"alg": "none"}, {"kty": "oct"}, {"alg": None}])
def test_a_key_for_another_use_is_not_taken(lms, change):
    lms.keys = [{**jwk("platform"), **change}]
    assert unavailable(key_sets(), lms.registration.jwks_url, key_pair().kid) == LaunchReason.UNKNOWN_KEY


def test_a_key_of_1024_bits_is_refused(lms):
    weak = weak_pair()
    lms.keys = [{**weak.as_dict(private=False), "kty": "RSA", "kid": "weak"}]
    visit = Visit(registration=lms.registration, keys=key_sets())
    token = encode({"alg": "RS256", "kid": "weak"}, claims(visit.nonce), weak)
    with pytest.raises(LaunchRefused) as caught:
        visit.post(token)
    assert caught.value.launch_reason is LaunchReason.WEAK_KEY


def test_a_key_of_absurd_size_is_not_parsed():
    with pytest.raises(KeyUnavailable):
        parse_key({"kty": "RSA", "kid": "big", "n": "A" + "_" * 4000, "e": "AQAB"})


def test_private_parts_that_a_platform_published_are_not_taken_in(lms):
    pair = key_pair()
    lms.keys = [{**pair.key.as_dict(private=True), "kid": pair.kid}]
    assert not key_sets().key(lms.registration.jwks_url, pair.kid).is_private


def test_a_set_over_512_kib_is_not_read(lms):
    lms.rule(CERTS, lambda call: Response(json.dumps({"keys": lms.keys, "pad": "x" * 600_000})))
    assert unavailable(key_sets(), lms.registration.jwks_url, key_pair().kid) == LaunchReason.KEYS_UNREACHABLE


def test_a_redirect_is_not_followed_to_another_set(lms):
    lms.rule("/mod/lti/certs.php", lambda call: Response("", 302, headers={"Location": lms.base + "/other/certs.php"}))
    assert unavailable(key_sets(), lms.registration.jwks_url, key_pair().kid) == LaunchReason.KEYS_UNREACHABLE
    assert lms.count("/other/certs.php") == 0


@pytest.mark.parametrize("document", ["", "[]", "null", "{}", '{"keys": {}}', "<html>", "[" * 100_000, b"\xff"])
def test_what_is_no_key_set_is_not_read(document):
    with pytest.raises(UnreadableKeySet):
        read_key_set(document)


def test_the_first_of_two_keys_with_one_kid_is_taken():
    first, second = jwk("platform"), {**jwk("rotated"), "kid": jwk("platform")["kid"]}
    assert read_key_set(json.dumps({"keys": [first, second]}))[first["kid"]]["n"] == first["n"]


def test_four_hundred_keys_are_parsed_only_when_used(lms, monkeypatch):
    lms.keys = [{**jwk("rotated"), "kid": f"k{n}"} for n in range(400)] + lms.keys
    parsed = []
    import_key = RSAKey.import_key
    monkeypatch.setattr(RSAKey, "import_key", lambda value, *rest: parsed.append(1) or import_key(value, *rest))
    assert key_sets().key(lms.registration.jwks_url, key_pair().kid)
    assert len(parsed) == 1


def test_two_new_keys_have_two_kids():
    assert new_signing_key().kid != new_signing_key().kid
