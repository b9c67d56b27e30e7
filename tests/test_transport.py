"""Sessions, deadlines and addresses, against real sockets on the loopback."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import threading

import pytest
import requests

from ideogram_django import transport
from ideogram_django.exceptions import DeadlineExceeded
from ideogram_django.transport import sessions
from tests.hostile_server import answer, serving

SHORT = 0.3
"""Seconds. The servers below would take minutes: how much longer it takes is not measured."""


@pytest.fixture
def session():
    with transport.open_session(pool_size=2, user_agent="tests/1") as opened:
        yield opened


@pytest.fixture
def fetch_session():
    with transport.open_fetch_session(pool_size=2, user_agent="tests/1") as opened:
        yield opened


@pytest.fixture
def tls(tmp_path, monkeypatch):
    """A server's TLS context for files.test, trusted by the sessions opened in this test."""
    (tmp_path / "server.pem").write_text(SERVER_PEM)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    sessions.tls_context.cache_clear()
    sessions.tls_context().load_verify_locations(cadata=SERVER_PEM)
    resolve_to(monkeypatch, "127.0.0.1")
    yield context
    sessions.tls_context.cache_clear()


def resolve_to(monkeypatch, *addresses):
    """Make every name lead to these addresses. Returns the names asked for."""
    asked = []

    def fake(host, port, *_args, **_kwargs):
        asked.append(host)
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", fake)
    return asked


class TestDeadline:
    @pytest.mark.parametrize(
        "script",
        [
            pytest.param(lambda v: v.stay_silent(), id="silence"),
            pytest.param(
                lambda v: (v.send(b"HTTP/1.1 200 OK\r\n"), v.drip_without_end(b"X: yyyyyyyyy\r\n")),
                id="dripped headers",
            ),
            pytest.param(
                lambda v: v.drip_without_end(b"HTTP/1.1 100 Continue\r\n\r\n"), id="endless 100s"
            ),
            pytest.param(
                lambda v: (
                    v.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"),
                    v.drip_without_end(b"b"),
                ),
                id="dripped body",
            ),
            pytest.param(
                lambda v: (v.send(b"HTTP/1.0 200 OK\r\n\r\n"), v.drip_without_end(b"b")),
                id="dripped body without a length",
            ),
            pytest.param(
                lambda v: (
                    v.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
                    v.drip_without_end(b"1\r\nb\r\n"),
                ),
                id="dripped chunks",
            ),
            pytest.param(
                lambda v: (
                    v.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"),
                    v.drip_without_end(b"X: trailer\r\n"),
                ),
                id="dripped trailers",
            ),
        ],
    )
    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_holds_whatever_is_sent_slowly(self, scheme, script, tls, session):
        with serving(script, tls=tls if scheme == "https" else None) as server:
            with pytest.raises(DeadlineExceeded) as caught, transport.deadline(SHORT):
                session.get(f"{scheme}://files.test:{server.port}/")
            assert not transport.never_sent(caught.value)
            assert len(server.requests) == 1

    def test_holds_on_a_reused_connection(self, session):
        script = iter([answer(b"first"), lambda visit: visit.drip_without_end(b"HTTP/1.1 2")])
        with serving(lambda visit: next(script)(visit)) as server:
            assert session.get(server.origin).content == b"first"
            with pytest.raises(DeadlineExceeded), transport.deadline(SHORT):
                session.get(server.origin)
            assert server.connections == 1
            assert len(server.requests) == 2

    def test_holds_while_the_request_is_being_sent(self, session):
        with (
            serving(lambda visit: visit.stay_silent(), wait_for_request=False) as server,
            pytest.raises(DeadlineExceeded),
            transport.deadline(SHORT),
        ):
            session.post(server.origin, data=b"x" * 50_000_000, timeout=60)

    def test_holds_during_the_tls_handshake_and_nothing_was_sent(self, tls, session):
        with serving(lambda visit: visit.stay_silent(), wait_for_request=False) as server:
            with pytest.raises(DeadlineExceeded) as caught, transport.deadline(SHORT):
                session.post(f"https://files.test:{server.port}/", timeout=60)
            assert transport.never_sent(caught.value)

    def test_holds_while_a_name_is_resolved_and_nothing_was_sent(self, monkeypatch, session):
        answered = threading.Event()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: answered.wait() and [])
        try:
            with pytest.raises(DeadlineExceeded) as caught, transport.deadline(SHORT):
                session.get("http://files.test/")
        finally:
            answered.set()
        assert transport.never_sent(caught.value)

    def test_what_came_in_time_is_left_alone(self, session):
        with serving(answer(b"body")) as server, transport.deadline(30):
            assert session.get(server.origin).content == b"body"
        assert transport.time_left() is None

    def test_a_failure_before_the_deadline_keeps_its_name(self, session):
        with pytest.raises(requests.ConnectionError), transport.deadline(30):
            session.get("http://127.0.0.1:1/")

    def test_an_outer_deadline_is_not_extended(self, session):
        with (
            serving(lambda visit: visit.stay_silent()) as server,
            pytest.raises(DeadlineExceeded),
            transport.deadline(SHORT),
            transport.deadline(3600),
        ):
            session.get(server.origin)

    def test_an_outer_deadline_comes_back_after_an_inner_one(self):
        with transport.deadline(100):
            with transport.deadline(1):
                assert transport.time_left() <= 1
            assert transport.time_left() > 90

    @pytest.mark.parametrize("foreign", [KeyError("x"), OSError(errno.ENOSPC, "disk full")])
    def test_foreign_exceptions_pass_even_when_time_is_up(self, foreign):
        with pytest.raises(type(foreign)) as caught, transport.deadline(-1):
            raise foreign
        assert caught.value is foreign

    def test_other_threads_are_not_limited(self):
        seen = []
        with transport.deadline(1):
            thread = threading.Thread(target=lambda: seen.append(transport.time_left()))
            thread.start()
            thread.join()
        assert seen == [None]

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    def test_holds_in_a_forked_child(self, session):
        with serving(lambda visit: visit.stay_silent()) as server:
            child = os.fork()
            if child == 0:
                try:
                    with transport.deadline(SHORT):
                        session.get(server.origin)
                except DeadlineExceeded:
                    os._exit(17)
                finally:
                    os._exit(1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 17


class TestSession:
    def test_redirects_are_never_followed_nor_their_bodies_read(self, session):
        def script(visit):
            visit.send(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 999\r\n\r\n")

        with serving(script) as server:
            with session.get(server.origin, stream=True, allow_redirects=True) as response:
                assert response.status_code == 302
            assert len(server.requests) == 1

    def test_environment_and_netrc_are_ignored(self, session, monkeypatch, tmp_path):
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        with serving(answer(b"direct")) as server:
            assert session.get(server.origin).content == b"direct"
            assert b"Authorization" not in server.requests[0]

    def test_user_agent_is_ours(self, session):
        with serving(answer(b"")) as server:
            session.get(server.origin)
            assert b"\r\nUser-Agent: tests/1\r\n" in server.requests[0]

    def test_cookies_are_not_kept(self, session):
        with serving(answer(b"", "Set-Cookie: a=b")) as server:
            session.get(server.origin)
            session.get(server.origin)
            assert b"Cookie" not in server.requests[1]
            assert len(session.cookies) == 0

    def test_connections_are_reused(self, session):
        with serving(answer(b"x")) as server:
            for _ in range(3):
                session.get(server.origin)
            assert (server.connections, len(server.requests)) == (1, 3)

    def test_a_request_is_never_repeated(self, session):
        with serving(lambda visit: visit.connection.close()) as server:
            with pytest.raises(requests.ConnectionError) as caught:
                session.post(server.origin, data=b"x")
            assert not transport.never_sent(caught.value)
            assert len(server.requests) == 1

    def test_every_session_shares_one_tls_context(self, session, fetch_session):
        contexts = {
            id(opened.get_adapter("https://").poolmanager.connection_pool_kw["ssl_context"])
            for opened in (session, fetch_session)
        }
        assert len(contexts) == 1

    def test_certificates_are_read_once(self, tls, session, monkeypatch):
        loaded = []
        monkeypatch.setattr(
            ssl.SSLContext, "load_verify_locations", lambda *args, **kwargs: loaded.append(args)
        )
        with serving(answer(b"x", "Connection: close"), tls=tls) as server:
            for _ in range(3):
                session.get(f"https://files.test:{server.port}/")
            assert server.connections == 3
        assert loaded == []

    @pytest.mark.parametrize("verify", [True, False, "/dev/null"])
    def test_an_unknown_certificate_is_refused(self, tls, verify):
        sessions.tls_context.cache_clear()  # trusts the world, but not the test's own authority
        with (
            transport.open_session(pool_size=1, user_agent="tests/1") as session,
            serving(answer(b"x"), tls=tls) as server,
        ):
            with pytest.raises(requests.ConnectionError) as caught:
                session.get(f"https://files.test:{server.port}/", verify=verify)
            assert "certificate verify failed" in str(caught.value)
            assert transport.never_sent(caught.value)
            assert server.requests == []

    def test_a_certificate_for_another_name_is_refused(self, tls, session):
        with serving(answer(b"x"), tls=tls) as server:
            with pytest.raises(requests.ConnectionError, match="ostname mismatch"):
                session.get(f"https://other.test:{server.port}/")
            assert server.requests == []

    def test_a_refused_connection_was_never_sent(self, session):
        with pytest.raises(requests.ConnectionError) as caught:
            session.get("http://127.0.0.1:1/")
        assert transport.never_sent(caught.value)

    def test_an_unknown_name_was_never_sent(self, session, monkeypatch):
        def fail(*_args, **_kwargs):
            raise socket.gaierror(socket.EAI_NONAME, "unknown")

        monkeypatch.setattr(socket, "getaddrinfo", fail)
        with pytest.raises(requests.ConnectionError) as caught:
            session.get("http://files.test/")
        assert transport.never_sent(caught.value)

    def test_socks_proxies_are_refused(self):
        with pytest.raises(ValueError, match="proxies"):
            transport.open_session(
                pool_size=1, user_agent="x", proxies={"https": "socks5://127.0.0.1:1"}
            )


class TestPinning:
    @pytest.mark.parametrize(
        "addresses",
        [
            pytest.param(["127.0.0.1"], id="inside"),
            pytest.param(["93.184.216.34", "127.0.0.1"], id="second one inside"),
            pytest.param(["2606:2800:220:1::1", "::ffff:127.0.0.1"], id="mapped"),
        ],
    )
    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_one_internal_address_refuses_the_name(
        self, monkeypatch, fetch_session, scheme, addresses
    ):
        resolve_to(monkeypatch, *addresses)
        opened = []
        monkeypatch.setattr(socket.socket, "connect", lambda _s, address: opened.append(address))
        with pytest.raises(transport.AddressRefusedError):
            fetch_session.get(f"{scheme}://files.test/")
        assert opened == []

    def test_the_checked_address_is_the_one_connected_to(self, monkeypatch, fetch_session):
        """A name server that answers differently the second time is never asked a second time."""
        answers = iter(["93.184.216.34", "127.0.0.1"])
        asked, opened = [], []

        def rebinding(host, port, *_args, **_kwargs):
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

        def connect(_sock, address):
            opened.append(address)
            raise ConnectionRefusedError(errno.ECONNREFUSED, "refused")

        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        monkeypatch.setattr(socket.socket, "connect", connect)
        with pytest.raises(requests.ConnectionError):
            fetch_session.get("http://files.test/")
        assert asked == ["files.test"]
        assert opened == [("93.184.216.34", 80)]

    def test_only_the_exempt_origin_may_be_inside(self, monkeypatch):
        resolve_to(monkeypatch, "127.0.0.1")
        with serving(answer(b"mine")) as exempt, serving(answer(b"other")) as other:
            with transport.open_fetch_session(
                pool_size=1, user_agent="x", exempt_origin=f"http://files.test:{exempt.port}/v2"
            ) as session:
                assert session.get(f"http://files.test:{exempt.port}/a").content == b"mine"
                for refused in (
                    f"http://files.test:{other.port}/",
                    f"https://files.test:{exempt.port}/",
                    f"http://127.0.0.1:{exempt.port}/",
                ):
                    with pytest.raises(transport.AddressRefusedError):
                        session.get(refused)
            assert (exempt.connections, other.connections) == (1, 0)

    def test_tls_still_verifies_the_name(self, tls):
        with serving(answer(b"safe"), tls=tls) as server:
            origin = f"https://files.test:{server.port}"
            with transport.open_fetch_session(
                pool_size=1, user_agent="x", exempt_origin=origin
            ) as session:
                assert session.get(origin).content == b"safe"
            assert f"Host: files.test:{server.port}\r\n".encode() in server.requests[0]

    def test_with_a_proxy_the_proxy_resolves(self, monkeypatch):
        asked = resolve_to(monkeypatch, "127.0.0.1")
        with serving(answer(b"by proxy")) as proxy:
            with transport.open_fetch_session(
                pool_size=1,
                user_agent="x",
                proxies={"http": f"http://proxy.test:{proxy.port}"},
            ) as session:
                assert session.get("http://files.test/a").content == b"by proxy"
            assert proxy.requests[0].startswith(b"GET http://files.test/a HTTP/1.1\r\n")
        assert asked == ["proxy.test"]

    def test_a_proxy_that_refuses_the_tunnel_means_never_sent(self, monkeypatch):
        resolve_to(monkeypatch, "127.0.0.1")
        with serving(answer(b"", status="407 Proxy Authentication Required")) as proxy:
            with (
                transport.open_session(
                    pool_size=1,
                    user_agent="x",
                    proxies={"https": f"http://proxy.test:{proxy.port}"},
                ) as session,
                pytest.raises(requests.ConnectionError) as caught,
            ):
                session.post("https://files.test/")
            assert transport.never_sent(caught.value)
            assert proxy.requests[0].startswith(b"CONNECT files.test:443 ")


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        [
            "0.0.0.0",  # noqa: S104 - refused, not bound to
            *("10.0.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1"),
            *("192.168.1.1", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
            *("192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
            *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
            *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:7f00:1"),
            *("64:ff9b::a9fe:a9fe", "64:ff9b::808:808", "64:ff9b:1::7f00:1", "100::1"),
            *("2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:10::1", "2001:20::1"),
            *("2001:db8::1", "2002:a9fe:a9fe::", "2002:7f00:1::", "3fff::1", "5f00::1"),
            *("fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1"),
        ],
    )
    def test_not_public(self, address):
        assert not transport.is_public(address)

    @pytest.mark.parametrize(
        "address", ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::1"]
    )
    def test_public(self, address):
        assert transport.is_public(address)

    @pytest.mark.parametrize("text", ["", "localhost", "2130706433", "0x7f.1", "127.1", "[::1]"])
    def test_only_literal_addresses_are_judged(self, text):
        with pytest.raises(ValueError, match="does not appear to be"):
            transport.is_public(text)


SERVER_PEM = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg9X7gEm7xTAmgi3k0
6JfdOW7YbfsenZXhhupmcqIfIb+hRANCAATM6ifwBWCczKHGS1cYTLPMXmS9v0Qa
8lJ1rVgn1Mr2S9Rb0UOOFVuYqdClu8yUB5k+tUiHhPJCtoF/WeB8tR3g
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBZDCCAQqgAwIBAgIBATAKBggqhkjOPQQDAjAVMRMwEQYDVQQDDApmaWxlcy50
ZXN0MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAVMRMwEQYDVQQD
DApmaWxlcy50ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEzOon8AVgnMyh
xktXGEyzzF5kvb9EGvJSda1YJ9TK9kvUW9FDjhVbmKnQpbvMlAeZPrVIh4TyQraB
f1ngfLUd4KNJMEcwFQYDVR0RBA4wDIIKZmlsZXMudGVzdDAPBgNVHRMBAf8EBTAD
AQH/MB0GA1UdDgQWBBQB8wkesgRzKAoQk1PaRkzcl3XJETAKBggqhkjOPQQDAgNI
ADBFAiAc2lMKNcC7HLuI3+heJpdQI5b5m3xgJBg9cJZuhuDS9wIhAMPEtd56MTAa
IddpPxbdKrdTcy/5hir15JBCQEYJYrzC
-----END CERTIFICATE-----
"""
