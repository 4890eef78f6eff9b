"""Our own keys (Security Framework 1.0 §6.1–§6.3) and cookies in a cross-site iframe (CHIPS)."""

from __future__ import annotations

import pytest
from joserfc.jwk import KeySet

from connector.base.errors import Fatal
from lti.tool.cookies import clear_cookie, set_cookie
from lti.tool.keys import from_pem, public_jwks, to_pem
from lti.tool.signature import NotAToken, WrongSignature, read_header, sign, verify
from tests.lti.kit import key_pair, weak_pair


def test_the_published_set_has_public_parts_only():
    document = public_jwks([key_pair("tool"), key_pair("old")])
    assert [sorted(key) for key in document["keys"]] == [["alg", "e", "kid", "kty", "n", "use"]] * 2
    assert {key["alg"] for key in document["keys"]} == {"RS256"}
    assert {key["use"] for key in document["keys"]} == {"sig"}
    assert [key["kid"] for key in document["keys"]] == [key_pair("tool").kid, key_pair("old").kid]


def test_the_published_key_verifies_what_the_private_key_signed():
    token = sign({"iss": "x"}, key_pair("tool"))
    published = KeySet.import_key_set(public_jwks([key_pair("tool")])).keys[0]
    assert verify(token, published) == {"iss": "x"}
    assert read_header(token) == {"typ": "JWT", "alg": "RS256", "kid": key_pair("tool").kid}


def test_a_key_survives_being_stored_as_pem():
    pem = to_pem(key_pair("tool"))
    assert pem.startswith("-----BEGIN PRIVATE KEY-----")
    again = from_pem("k", pem)
    assert verify(sign({"a": 1}, again), key_pair("tool").key) == {"a": 1}
    assert again.kid == "k"


def test_a_stored_key_that_is_weak_or_broken_is_refused():
    for pem in (
        weak_pair().as_pem(private=True).decode(),
        "x",
        "",
        key_pair("tool").key.as_pem(private=False).decode(),
    ):
        with pytest.raises(Fatal):
            from_pem("k", pem)


def test_a_signing_key_shows_nothing_in_its_repr():
    assert "RSAKey" not in repr(key_pair("tool"))


def test_another_key_does_not_verify():
    with pytest.raises(WrongSignature):
        verify(sign({"a": 1}, key_pair("tool")), key_pair("platform").key)


def test_a_token_with_a_list_inside_is_not_taken_for_claims():
    from tests.lti.kit import encode

    with pytest.raises(NotAToken):
        verify(encode({"alg": "RS256", "kid": "k"}, b"[1]"), key_pair().key)


def test_a_cookie_lives_in_a_cross_site_iframe_only_with_all_attributes():
    value = set_cookie("kopir_state_1", "abc-_.~", path="/lti/launch", max_age=600)
    name, *attributes = value.split("; ")
    assert name == "kopir_state_1=abc-_.~"
    assert set(attributes) == {
        "Path=/lti/launch", "Max-Age=600", "SameSite=None", "Secure", "HttpOnly", "Partitioned",
    }  # fmt: skip


def test_a_cookie_is_dropped_under_the_same_attributes():
    assert clear_cookie("a", path="/l/1") == "a=; Path=/l/1; Max-Age=0; SameSite=None; Secure; HttpOnly; Partitioned"


@pytest.mark.parametrize(
    "bad",
    [
        {"name": "a b"}, {"name": ""}, {"name": "a=b"}, {"value": "x; Domain=evil"}, {"value": "x\r\nSet-Cookie: y"},
        {"path": "lti"}, {"path": "/; Domain=evil"}, {"value": "ә"},
    ],
)  # fmt: skip
def test_nothing_can_be_smuggled_into_a_cookie(bad):
    with pytest.raises(ValueError, match="cookie"):
        set_cookie(**{"name": "a", "value": "b", "path": "/", "max_age": 1, **bad})
