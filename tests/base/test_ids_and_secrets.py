"""Ids rise and have one shape; secrets open with their keys; a signed text holds for one purpose and a time."""

from __future__ import annotations

import base64
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.base.errors import Fatal
from connector.base.ids import is_id, new_id, new_ids
from connector.base.secrets import Signer, Vault, fingerprint, keyed_hash, new_key, new_token

KEY = "k" * 40


def test_ids_of_one_process_rise_strictly_even_from_many_threads() -> None:
    with ThreadPoolExecutor(8) as pool:
        batches = list(pool.map(lambda _: [new_id() for _ in range(2000)], range(8)))
    for batch in batches:
        assert batch == sorted(batch)
    assert len({one for batch in batches for one in batch}) == 16000


def test_id_is_a_version_7_uuid_of_this_moment() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid.UUID(new_id())
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000 + 1000


@pytest.mark.parametrize("text", ["", "x", "A" * 32, "0" * 31, "0" * 33, "0" * 32 + "\n", "../" * 10 + "ab", "٠" * 32])
def test_what_is_not_an_id_is_told(text: str) -> None:
    assert not is_id(text)
    assert is_id(new_id())


def test_secret_sealed_with_an_older_key_opens_and_is_sealed_anew() -> None:
    old, new = new_key(), new_key()
    sealed = Vault([old]).seal("құпия")
    both = Vault([new, old])
    assert both.open(sealed) == "құпия"
    fresh = both.rotate(sealed)
    assert Vault([new]).open(fresh) == "құпия"
    with pytest.raises(Fatal, match="wrong_encryption_key"):
        Vault([old]).open(fresh)


@pytest.mark.parametrize("token", ["", "garbage", "ä", "gAAAAA"])
def test_what_is_no_sealed_secret_is_a_clear_error(token: str) -> None:
    with pytest.raises(Fatal) as caught:
        Vault([new_key()]).open(token)
    assert "ENCRYPTION_KEYS" in str(caught.value.message)


def test_sealed_text_does_not_show_the_secret_and_differs_each_time() -> None:
    vault = Vault([new_key()])
    first, second = vault.seal("secret"), vault.seal("secret")
    assert first != second
    assert b"secret" not in base64.urlsafe_b64decode(first)


def test_keyed_hash_needs_the_key() -> None:
    assert keyed_hash("a", "870101300123") != keyed_hash("b", "870101300123")
    assert keyed_hash("a", "870101300123") != fingerprint("870101300123")
    assert keyed_hash("a", "1") == keyed_hash("a", "1")


def test_signed_value_comes_back_as_it_was() -> None:
    signer = Signer(KEY, "page")
    assert signer.read(signer.sign({"l": "1", "n": "Әсем"}, 60)) == {"l": "1", "n": "Әсем"}


def test_value_signed_for_one_purpose_or_with_another_key_is_refused() -> None:
    text = Signer(KEY, "page").sign({"l": "1"}, 60)
    assert Signer(KEY, "state").read(text) is None
    assert Signer(KEY[:-1] + "x", "page").read(text) is None


def test_signed_value_is_refused_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = Signer(KEY, "page")
    text = signer.sign({}, 10)
    now = time.time()
    monkeypatch.setattr("connector.base.secrets.time.time", lambda: now + 9)
    assert signer.read(text) == {}
    monkeypatch.setattr("connector.base.secrets.time.time", lambda: now + 11)
    assert signer.read(text) is None


def test_forged_payload_under_a_good_signature_is_refused() -> None:
    signer = Signer(KEY, "page")
    payload, mac = signer.sign({"role": "pupil"}, 60).split(".")
    value = json.loads(base64.urlsafe_b64decode(payload + "=="))
    forged = base64.urlsafe_b64encode(json.dumps({**value, "role": "teacher"}).encode()).decode().rstrip("=")
    assert signer.read(f"{forged}.{mac}") is None
    assert signer.read(f"{payload}.") is None
    assert signer.read(payload) is None


@given(st.text(st.characters(codec=None), max_size=200))
def test_garbage_never_raises(text: str) -> None:
    assert Signer(KEY, "page").read(text) is None
    payload, mac = Signer(KEY, "page").sign({}, 60).split(".")
    assert Signer(KEY, "page").read(f"{payload}{text}.{mac}") in (None, {})


@pytest.mark.parametrize("text", ["\ud800.\udfff", "é.é", "%%%.===", ".", "..", "a.b.c", "\x00"])
def test_hostile_shapes_are_refused_and_do_not_raise(text: str) -> None:
    assert Signer(KEY, "page").read(text) is None


def test_tokens_are_url_safe_and_long() -> None:
    assert len({new_token() for _ in range(100)}) == 100
    assert all(len(one) == 43 and one.replace("-", "").replace("_", "").isalnum() for one in [new_token()])


def test_ids_made_together_are_of_the_same_kind_and_rise_with_those_made_alone() -> None:
    made = [new_id(), *new_ids(5_000), new_id()]
    assert made == sorted(set(made))
    assert all(is_id(one) and uuid.UUID(one).version == 7 and uuid.UUID(one).variant == uuid.RFC_4122 for one in made)
    assert new_ids(0) == []
