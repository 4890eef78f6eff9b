"""The guarded way out, against real servers: addresses, redirects, size, time, cookies, proxies and retries."""

from __future__ import annotations

import gzip
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connector.base.errors import Fatal, Retriable
from connector.base.outbound import NetworkPolicy, Outbound
from tests.support.raw_server import Answer, RawServer, raw_server, reply
from tests.support.serving import serving


def anywhere(**limits: float) -> Outbound:
    return Outbound(NetworkPolicy(everything=True), **limits)


@pytest.fixture
def server() -> Iterator[RawServer]:
    with raw_server(reply()) as running:
        yield running


def named(monkeypatch: pytest.MonkeyPatch, name: str, *addresses: str) -> None:
    """Let a name resolve to some addresses."""
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        if host != name:
            return real(host, port, *args, **options)
        return [answer for one in addresses for answer in real(one, port, *args, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


# Addresses


def test_private_address_is_refused_by_default_and_nothing_is_sent(server: RawServer) -> None:
    with pytest.raises(Fatal) as caught:
        Outbound(NetworkPolicy()).request("GET", server.url)
    assert caught.value.reason == "private_network"
    assert "ALLOW_PRIVATE_NETWORKS" in str(caught.value.message)
    assert server.connections == 0


@pytest.mark.parametrize("entry", ["127.0.0.1", "127.0.0.1:{port}", "127.0.0.0/8"])
def test_private_address_is_reached_where_host_port_or_network_is_allowed(entry: str, server: RawServer) -> None:
    policy = NetworkPolicy.from_setting((entry.format(port=server.port),))
    assert Outbound(policy).request("GET", server.url).status == 200


@pytest.mark.parametrize("entry", ["127.0.0.2", "127.0.0.1:1", "10.0.0.0/8", "localhost", "::1/128"])
def test_other_hosts_ports_and_networks_allow_nothing(entry: str, server: RawServer) -> None:
    with pytest.raises(Fatal, match="private_network"):
        Outbound(NetworkPolicy.from_setting((entry,))).request("GET", server.url)


def test_registered_host_is_allowed_from_the_moment_it_is_registered(server: RawServer) -> None:
    known: set[str] = set()
    outbound = Outbound(NetworkPolicy.from_setting("off", lambda: frozenset(known)))
    with pytest.raises(Fatal, match="private_network"):
        outbound.request("GET", server.url)
    known.add(f"127.0.0.1:{server.port}")
    assert outbound.request("GET", server.url).status == 200


def test_name_that_resolves_to_loopback_is_judged_by_the_address_it_connects_to(
    server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    named(monkeypatch, "innocent.example", "127.0.0.1")
    with pytest.raises(Fatal, match="private_network"):
        Outbound(NetworkPolicy()).request("GET", f"http://innocent.example:{server.port}")
    assert server.connections == 0
    allowed = Outbound(NetworkPolicy.from_setting(("innocent.example",)))
    assert allowed.request("GET", f"http://Innocent.Example:{server.port}").status == 200


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "255.255.255.255", "::1", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
     "2002:7f00:1::", "::"],
)  # fmt: skip
def test_no_spelling_of_an_inside_address_is_global(address: str) -> None:
    assert not NetworkPolicy().allows("some.example", 443, address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34"])
def test_public_address_is_allowed(address: str) -> None:
    assert NetworkPolicy().allows("some.example", 443, address)


def test_network_entry_also_covers_the_address_written_as_ipv6() -> None:
    assert NetworkPolicy.from_setting(("10.0.0.0/8",)).allows("h", 80, "::ffff:10.0.0.1")


@pytest.mark.parametrize(
    "url",
    ["ftp://127.0.0.1/", "file:///etc/passwd", "//127.0.0.1/", "127.0.0.1", "", "http://", "http:///x",
     "http://[::1", "http://h:99999/", "http://h:0/", "http://ho st/", "http://*.example/"],
)  # fmt: skip
def test_what_is_no_http_address_is_refused(url: str) -> None:
    with pytest.raises((Fatal, Retriable)) as caught:
        anywhere(connect=0.2).request("GET", url)
    assert caught.value.reason in ("bad_address", "unreachable")


def test_name_longer_than_names_can_be_is_unreachable_and_no_crash() -> None:
    with pytest.raises((Fatal, Retriable)):
        anywhere().request("GET", f"http://{'a' * 80}.example/")


# What comes back


def test_redirect_is_handed_back_and_not_followed(server: RawServer) -> None:
    with raw_server(reply(b"", "302 Found", Location=server.url)) as first:
        answer = anywhere().request("GET", first.url)
    assert (answer.status, answer.headers["location"]) == (302, server.url)
    assert server.connections == 0


def test_answer_of_the_allowed_size_is_read_and_one_byte_more_is_refused() -> None:
    with raw_server(reply(b"x" * 100_000)) as server:
        assert len(anywhere().request("GET", server.url, max_bytes=100_000).body) == 100_000
        with pytest.raises(Fatal, match="answer_too_large"):
            anywhere().request("GET", server.url, max_bytes=99_999)


def test_small_answer_that_unpacks_to_a_large_one_is_refused() -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    with raw_server(reply(bomb, Content_Encoding="gzip")) as server, pytest.raises(Fatal, match="answer_too_large"):
        anywhere().request("GET", server.url, max_bytes=1_000_000)


def test_body_is_json_only_when_it_is() -> None:
    with raw_server(reply(b"<html>maintenance</html>")) as server, pytest.raises(ValueError, match="Expecting"):
        anywhere().request("GET", server.url).json()
    with raw_server(reply(b"[" * 500_000)) as server, pytest.raises(ValueError, match="deep"):
        anywhere().request("GET", server.url).json()


def test_header_sent_as_utf_8_is_read_as_utf_8() -> None:
    with raw_server(reply(Link="<x>; rel=“next”")) as server:
        assert anywhere().request("GET", server.url).headers["link"] == "<x>; rel=“next”"


# Time


def drip(head: bytes, pause: float) -> Answer:
    """Send a head, then a byte now and then for as long as anybody reads."""

    def answer(sock: socket.socket, _number: int) -> bool:
        sock.sendall(head)
        for _ in range(400):
            sock.sendall(b"x")
            time.sleep(pause)
        return False

    return answer


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Slow: "],
    ids=["body", "body without length", "header"],
)
def test_drip_of_bytes_ends_with_the_total_time(head: bytes) -> None:
    started = time.monotonic()
    with raw_server(drip(head, 0.05)) as server, pytest.raises(Retriable) as caught:
        anywhere(read=2, total=0.6).request("GET", server.url)
    assert caught.value.reason == "timeout"
    assert 0.5 < time.monotonic() - started < 1.5


def test_silence_ends_with_the_read_time_and_is_not_tried_again() -> None:
    def silent(sock: socket.socket, _number: int) -> bool:
        time.sleep(1)
        return False

    with raw_server(silent) as server:
        with pytest.raises(Retriable, match="timeout"):
            anywhere(read=0.2).request("GET", server.url)
        assert server.connections == 1


def test_fast_answers_on_one_connection_are_not_hurried_by_an_earlier_one(server: RawServer) -> None:
    outbound = anywhere(total=0.5)
    for _ in range(3):
        assert outbound.request("GET", server.url).status == 200
        time.sleep(0.3)
    assert server.connections == 1


def test_refused_connection_can_be_tried_later() -> None:
    with raw_server(reply()) as server:
        url = server.url
    with pytest.raises(Retriable) as caught:
        anywhere().request("GET", url)
    assert caught.value.reason == "unreachable"
    assert "127.0.0.1" in str(caught.value.message)


@pytest.mark.parametrize("text", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b"garbage\r\n\r\n"])
def test_answer_that_breaks_off_can_be_tried_later(text: bytes) -> None:
    def broken(sock: socket.socket, _number: int) -> bool:
        sock.sendall(text)
        return False

    with raw_server(broken) as server, pytest.raises(Retriable, match="unreachable"):
        anywhere().request("POST", server.url, body="{}")


# What is sent


def test_user_agent_is_always_sent_and_no_cookie_proxy_or_netrc(
    server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    with raw_server(reply(Set_Cookie="seen=1; Path=/")) as setting:
        outbound = anywhere()
        for method in ("GET", "POST", "PUT", "DELETE", "GET"):
            assert outbound.request(method, setting.url).status == 200
        heads = [request.lower() for request in setting.requests]
    assert len(heads) == 5
    assert all(b"\r\nuser-agent: kopir/" in head for head in heads)
    assert not any(b"cookie" in head or b"authorization" in head for head in heads)


def test_text_is_sent_as_utf_8_and_a_form_as_a_form(server: RawServer) -> None:
    anywhere().request("PUT", server.url, body='{"comment":"жақсы"}', headers={"Content-Type": "application/json"})
    anywhere().request("POST", server.url, form={"a": "ә б"})
    assert server.requests[0].endswith('{"comment":"жақсы"}'.encode())
    assert b"application/x-www-form-urlencoded" in server.requests[1]
    assert server.requests[1].endswith(b"a=%D3%99+%D0%B1")


# Again, and over one connection


def closing(times: int) -> Answer:
    """Close the first connections after reading the request, then answer."""
    left = [times]
    whole = reply()

    def answer(sock: socket.socket, number: int) -> bool:
        if left[0]:
            left[0] -= 1
            return False
        return whole(sock, number)

    return answer


def test_get_is_tried_once_more_when_the_connection_broke() -> None:
    with raw_server(closing(1)) as server:
        assert anywhere().request("GET", server.url).status == 200
        assert len(server.requests) == 2
    with raw_server(closing(2)) as server, pytest.raises(Retriable):
        anywhere().request("GET", server.url)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_write_is_never_sent_twice(method: str) -> None:
    with raw_server(closing(1)) as server:
        with pytest.raises(Retriable, match="unreachable"):
            anywhere().request(method, server.url, body="{}")
        time.sleep(0.05)
        assert len(server.requests) == 1


def test_write_on_a_kept_connection_that_the_server_ends_after_taking_it_is_not_sent_again() -> None:
    whole = reply()

    def second_time_silent(sock: socket.socket, number: int) -> bool:
        # The request was read, and perhaps carried out; the answer never comes.
        return whole(sock, number) if number == 0 else False

    with raw_server(second_time_silent) as server:
        outbound = anywhere()
        assert outbound.request("POST", server.url, body="first").status == 200
        with pytest.raises(Retriable, match="unreachable"):
            outbound.request("POST", server.url, body="second")
        time.sleep(0.05)
        assert [request.rpartition(b"\r\n")[2] for request in server.requests] == [b"first", b"second"]
        assert server.connections == 1


def test_write_after_the_server_closed_the_kept_connection_arrives_once() -> None:
    whole = reply()

    def once(sock: socket.socket, number: int) -> bool:
        whole(sock, number)
        return False

    with raw_server(once) as server:
        outbound = anywhere()
        outbound.request("POST", server.url, body="first")
        time.sleep(0.1)
        outbound.request("POST", server.url, body="second")
        assert [request.rpartition(b"\r\n")[2] for request in server.requests] == [b"first", b"second"]


def test_status_of_an_error_is_an_answer_and_is_not_tried_again() -> None:
    with raw_server(reply(b"busy", "503 Service Unavailable", Retry_After="7")) as server:
        answer = anywhere().request("GET", server.url)
        assert (answer.status, answer.retry_after) == (503, timedelta(seconds=7))
        assert len(server.requests) == 1


@pytest.mark.parametrize("value", ["", "soon", "-1", "1.5", "²", "9" * 40])
def test_wait_that_is_no_number_of_seconds_is_none_asked_for(value: str) -> None:
    with raw_server(reply(b"", "429 Too Many Requests", Retry_After=value)) as server:
        assert anywhere().request("GET", server.url).retry_after is None


def test_one_connection_serves_many_requests_of_a_thread(server: RawServer) -> None:
    outbound = anywhere()
    for _ in range(20):
        outbound.request("GET", server.url)
    assert server.connections == 1


def test_threads_share_one_outbound_and_never_mix_answers() -> None:
    def echo(environ: Any, start_response: Any) -> Any:
        body = environ["PATH_INFO"].encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    with serving(echo) as url:
        outbound = anywhere()

        def ask(number: int) -> bool:
            return outbound.request("GET", f"{url}/{number}").text == f"/{number}"

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(ask, range(200)))


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "pair.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.base.network.CA_BUNDLE", str(certificate))


def test_certificate_nobody_vouches_for_is_refused_by_name(tls: ssl.SSLContext) -> None:
    with raw_server(reply(), tls) as server:
        with pytest.raises(Retriable) as caught:
            anywhere().request("GET", f"https://localhost:{server.port}/")
        assert caught.value.reason == "certificate"
        assert server.requests == []


def test_authority_of_the_schools_own_is_trusted_when_its_file_is_named(tls: ssl.SSLContext, certificate: Path) -> None:
    policy = NetworkPolicy(everything=True, ca_file=str(certificate))
    with raw_server(reply(), tls) as server:
        assert Outbound(policy).request("GET", f"https://localhost:{server.port}/").text == "ok"
        with pytest.raises(Retriable, match="certificate"):
            anywhere().request("GET", f"https://localhost:{server.port}/")


@pytest.mark.usefixtures("trusted")
def test_trusted_certificate_serves_its_own_name_only(tls: ssl.SSLContext) -> None:
    with raw_server(reply(), tls) as server:
        assert anywhere().request("GET", f"https://localhost:{server.port}/").text == "ok"
        with pytest.raises(Retriable, match="certificate"):
            anywhere().request("GET", f"https://127.0.0.1:{server.port}/")


@pytest.mark.usefixtures("trusted")
def test_address_is_judged_under_tls_too(tls: ssl.SSLContext) -> None:
    with raw_server(reply(), tls) as server, pytest.raises(Fatal, match="private_network"):
        Outbound(NetworkPolicy()).request("GET", f"https://localhost:{server.port}/")


@pytest.mark.usefixtures("trusted")
def test_drip_of_bytes_ends_with_the_total_time_under_tls_too(tls: ssl.SSLContext) -> None:
    started = time.monotonic()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    with raw_server(drip(head, 0.05), tls) as server, pytest.raises(Retriable, match="timeout"):
        anywhere(read=2, total=0.6).request("GET", f"https://localhost:{server.port}/")
    assert time.monotonic() - started < 1.5
