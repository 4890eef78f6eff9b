"""The Link header (RFC 8288) as platforms send it, and page walking."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti.errors import ForeignPage
from lti.tool.links import below, find_link, parse_link_header, same_origin, walk_pages, with_query

MOODLE = "http://localhost:8081/mod/lti/services.php/2/lineitems?type_id=1"
CURLY = (
    "<http://localhost:8081/mod/lti/services.php/2/lineitems?type_id=1&amp;limit=1&amp;from=0>; rel=“first”, "
    "<http://localhost:8081/mod/lti/services.php/2/lineitems?type_id=1&amp;limit=1&amp;from=1>; rel=“next”"
)


def test_moodles_curly_quotes_and_escaped_ampersands_are_read():
    assert find_link(CURLY, "next", MOODLE) == f"{MOODLE}&limit=1&from=1"


def test_moodles_curly_quotes_are_read_as_latin_1_too():
    assert find_link(CURLY.encode().decode("latin-1"), "next", MOODLE) == f"{MOODLE}&limit=1&from=1"


@pytest.mark.parametrize(
    ("header", "url"),
    [
        ('<https://a/x?p=2>; rel="next"', "https://a/x?p=2"),
        ("<https://a/x?p=2>; rel=next", "https://a/x?p=2"),
        ("<https://a/x?p=2>;rel='next'", "https://a/x?p=2"),
        ('<https://a/X?Page=AbC>; REL="NEXT"', "https://a/X?Page=AbC"),
        ('<https://a/x,y?q=a,b>; rel="next"', "https://a/x,y?q=a,b"),
        ('<https://a/1>; rel="first", <https://a/2>; rel="next last"', "https://a/2"),
        ('<https://a/2>; title="a, b; rel=prev"; rel="next"', "https://a/2"),
        ('<?p=2>; rel="next"', "https://a/x?p=2"),
        ('</y?p=2>; rel="next"', "https://a/y?p=2"),
        ('<https://a/2>; rel="next', "https://a/2"),
        ('<https://a/2>; rel="differences"', None),
        ('<>; rel="next"', None),
        ('https://a/2; rel="next"', None),
        ("<https://a/2>", None),
        ("", None),
        (None, None),
        (";;;,,,<<>>", None),
    ],
)
def test_headers_good_and_bad_are_read_as_far_as_they_go(header, url):
    assert find_link(header, "next", "https://a/x") == url


URLS = st.from_regex(
    r"https://[a-z]{1,8}\.kz/[A-Za-z0-9/._~\-]{0,12}(\?[A-Za-z0-9=&,;.%]{0,20})?", fullmatch=True
).filter(lambda url: "&amp;" not in url)
RELS = st.sampled_from(["next", "prev", "first", "last", "differences", "canonical"])
QUOTES = st.sampled_from([('"', '"'), ("", ""), ("“", "”"), ("'", "'")])


@given(st.lists(st.tuples(URLS, st.lists(RELS, min_size=1, max_size=3, unique=True), QUOTES), max_size=5))
def test_whatever_is_written_in_any_of_the_quotes_is_read_back(entries):
    parts, expected = [], []
    for url, rels, (left, right) in entries:
        named = rels if left else rels[:1]
        parts.append(f"<{url}>; rel={left}{' '.join(named)}{right}")
        expected.append((url, frozenset(named)))
    assert [(link.url, link.rels) for link in parse_link_header(", ".join(parts))] == expected


@given(st.text())
def test_no_text_makes_the_parser_fail(text):
    for link in parse_link_header(text):
        assert link.url
        assert link.rels


def pages(links: dict[str, str | None]):
    asked = []

    def fetch(url):
        asked.append(url)
        return url, links.get(url)

    return fetch, asked


def test_pages_are_followed_as_they_are():
    fetch, asked = pages({"https://a/1": '<https://a/2?X=y%20z>; rel="next"', "https://a/2?X=y%20z": None})
    assert list(walk_pages("https://a/1", fetch)) == ["https://a/1", "https://a/2?X=y%20z"]
    assert asked == ["https://a/1", "https://a/2?X=y%20z"]


@pytest.mark.parametrize(
    "url", ["https://b/2", "https://a:8443/2", "http://b/2", "//b/2", "https://a.evil/2", "https://a@b/2", "ftp://a/2"]
)
def test_the_token_is_not_taken_to_another_site(url):
    fetch, asked = pages({"https://a/1": f'<{url}>; rel="next"'})
    with pytest.raises(ForeignPage) as caught:
        list(walk_pages("https://a/1", fetch))
    assert caught.value.reason == "foreign_page"
    assert asked == ["https://a/1"]


def test_http_written_by_an_lms_behind_a_tls_proxy_is_asked_by_https():
    fetch, asked = pages({"https://a/1": '<http://a/2>; rel="next"'})
    list(walk_pages("https://a/1", fetch))
    assert asked == ["https://a/1", "https://a/2"]


def test_a_circle_of_pages_ends():
    fetch, _ = pages({"https://a/1": '<https://a/2>; rel="next"', "https://a/2": '<https://a/1>; rel="next"'})
    with pytest.raises(ForeignPage) as caught:
        list(walk_pages("https://a/1", fetch))
    assert caught.value.reason == "page_loop"


def test_pages_without_end_end():
    count = iter(range(1, 100_000))
    with pytest.raises(ForeignPage) as caught:
        list(walk_pages("https://a/0", lambda url: (url, f'<https://a/{next(count)}>; rel="next"'), cap=50))
    assert caught.value.reason == "too_many_pages"


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("https://A.kz/x", "https://a.kz:443/y", True),
        ("http://a", "https://a", False),
        ("https://a", "https://a:x", False),
    ],
)
def test_origins_are_compared_with_the_default_port(left, right, same):
    assert same_origin(left, right) is same


def test_scores_go_before_the_query():
    item = "http://lms/services.php/2/lineitems/2/lineitem?type_id=1"
    assert below(item, "scores") == "http://lms/services.php/2/lineitems/2/lineitem/scores?type_id=1"
    assert below("http://lms/item/", "results") == "http://lms/item/results"


def test_query_parameters_are_set_and_the_others_kept():
    assert with_query(MOODLE, tag="a b&c", resource_id=None) == f"{MOODLE}&tag=a%20b%26c"
    assert with_query("http://a/m?rlid=1&x=%2F", rlid="7") == "http://a/m?x=%2F&rlid=7"
    assert with_query("http://a/m") == "http://a/m"
