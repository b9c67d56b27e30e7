"""Downloads from servers that lie, drip, redirect or never end."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import io
import socket
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ideogram_django.exceptions import InvalidRequest, PictureError
from ideogram_django.pictures import fetching
from ideogram_django.pictures.addresses import check_reference_url
from ideogram_django.pictures.fetching import FetchRules, check_url, fetch
from ideogram_django.transport import connections
from ideogram_django.transport.deadlines import Socket
from tests.hostile_server import answer, serving

BODY = bytes(range(256)) * 2048
"""512 KiB: several pieces."""


def rules(exempt_origin=None, *, max_bytes=1_000_000, deadline=30.0):
    return FetchRules(
        hosts=("apiframe.ai",),
        exempt_origin=exempt_origin,
        max_bytes=max_bytes,
        connect_timeout=5,
        deadline=deadline,
        proxies={},
    )


def fetch_from(server, into=None, **changes):
    given_rules = rules(server.origin, **changes)
    with fetching.open_session(given_rules, pool_size=1, user_agent="tests/1") as session:
        return fetch(session, f"{server.origin}/a.png", into or io.BytesIO(), given_rules)


def refusal(script, into=None, **changes):
    """Code and permanence of the error that a server's answer leads to."""
    with serving(script) as server:
        with pytest.raises(PictureError) as caught:
            fetch_from(server, into, **changes)
        assert len(server.requests) == 1
    return caught.value.code, caught.value.permanent


class TestCheckURL:
    @pytest.mark.parametrize(
        "url",
        [
            "https://apiframe.ai/a.png",
            "https://cdn2.apiframe.ai/a.png?X-Signature=a%2Fb&c=d@e",
            "https://a.b.apiframe.ai:443/",
            "HTTPS://CDN2.APIFRAME.AI/a.png",
            "http://127.0.0.1:8001/a.png",
        ],
    )
    def test_accepted(self, url):
        check_url(url, rules("http://127.0.0.1:8001"))

    @pytest.mark.parametrize(
        "url",
        [
            *("", "apiframe.ai", "/a.png", "//apiframe.ai/", "https:apiframe.ai", "https://"),
            *("http://apiframe.ai/", "ftp://apiframe.ai/", "file:///etc/passwd", "data:,x"),
            *("https://apiframe.ai:8443/", "https://apiframe.ai:80/", "https://apiframe.ai:0443/"),
            *("https://apiframe.ai:/", "https://apiframe.ai:99999/", "https://apiframe.ai:4 43/"),
            *("https://evil.test/", "https://evilapiframe.ai/", "https://apiframe.ai.evil.test/"),
            *("https://apiframe.ai@evil.test/", "https://u:p@apiframe.ai/", "https://@apiframe.ai"),
            "http://127.0.0.1\\@cdn2.apiframe.ai/",
            "https://127.0.0.1\\@cdn2.apiframe.ai/",
            "https://evil.test\\.apiframe.ai/",
            "https://evil.test#.apiframe.ai/",
            "https://evil.test?.apiframe.ai/",
            "https://evil.test/.apiframe.ai",
            "https://cdn2.apiframe.ai%2eevil.test/",
            "https://cdn2.apiframe.ai%00.evil.test/",
            "https://cdn2%2eapiframe.ai/",
            "https://apiframe.ai./",
            "https://.apiframe.ai/",
            "https://cdn2..apiframe.ai/",
            "https://*.apiframe.ai/",
            "https://apiframe。ai/",
            "https://ａｐｉｆｒａｍｅ.ai/",
            "https://apiframe.aı/",
            "https://apiframe.ai\t/",
            "https://apiframe.ai\r\nHost: evil.test/",
            "https://apiframe.ai/a b",
            " https://apiframe.ai/",
            "https://apiframe.ai/\x00",
            *(
                "https://127.0.0.1/",
                "https://2130706433/",
                "https://0x7f000001/",
                "https://0177.1/",
            ),
            *("https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[apiframe.ai]/"),
            *("http://127.0.0.1:8002/", "https://127.0.0.1:8001/", "http://localhost:8001/"),
            *("http://u@127.0.0.1:8001/", "http://127.0.0.1:8001@evil.test/", "http://127.1:8001/"),
            "https://apiframe.ai/" + "a" * 5000,
        ],
    )
    def test_refused(self, url):
        with pytest.raises(PictureError) as caught:
            check_url(url, rules("http://127.0.0.1:8001"))
        assert (caught.value.code, caught.value.permanent) == ("host_refused", True)

    def test_a_name_in_the_list_never_means_every_host(self):
        careless = FetchRules(
            hosts=("", "."),
            exempt_origin=None,
            max_bytes=1,
            connect_timeout=1,
            deadline=1,
            proxies={},
        )
        with pytest.raises(PictureError):
            check_url("https://evil.test/", careless)

    @given(st.text())
    def test_nothing_but_a_refusal_comes_out(self, text):
        for url in (text, f"https://{text}/", f"https://{text}apiframe.ai/"):
            with contextlib.suppress(PictureError):
                check_url(url, rules())


class TestFetch:
    def test_writes_the_bytes_and_their_digest(self):
        into = io.BytesIO()
        with serving(answer(BODY)) as server:
            fetched = fetch_from(server, into)
            head = server.requests[0]
        assert into.getvalue() == BODY
        assert fetched.size == len(BODY)
        assert fetched.sha256 == hashlib.sha256(BODY).hexdigest()
        assert b"\r\nAccept-Encoding: identity\r\n" in head
        assert b"x-api-key" not in head.lower()

    @pytest.mark.parametrize(
        "message",
        [
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Encoding: identity\r\n\r\nhello",
        ],
    )
    def test_any_framing_will_do(self, message):
        into = io.BytesIO()

        def script(visit):
            visit.send(message)
            visit.connection.close()

        with serving(script) as server:
            assert fetch_from(server, into).size == 5
        assert into.getvalue() == b"hello"

    def test_the_connection_is_used_again_and_cookies_are_not_kept(self):
        with serving(answer(BODY, "Set-Cookie: a=b")) as server:
            given_rules = rules(server.origin)
            with fetching.open_session(given_rules, pool_size=1, user_agent="x") as session:
                for _ in range(3):
                    fetch(session, f"{server.origin}/", io.BytesIO(), given_rules)
            assert server.connections == 1
            assert not any(b"Cookie" in head for head in server.requests)

    @pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
    def test_gone(self, status):
        assert refusal(answer(b"", status=status)) == ("result_expired", False)

    @pytest.mark.parametrize(
        "status",
        ["201 Created", "204 No Content", "206 Partial", "403 No", "429 Wait", "500 No", "503 No"],
    )
    def test_other_answers(self, status):
        assert refusal(answer(b"<p>x", status=status)) == ("download_failed", False)

    @pytest.mark.parametrize("status", ["301 Moved", "302 Found", "304 Same", "308 Moved"])
    def test_redirects(self, status):
        script = answer(b"", "Location: /b.png", status=status)
        assert refusal(script) == ("host_refused", True)

    @pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "x-unknown"])
    def test_compressed_answers(self, encoding):
        into = io.BytesIO()
        script = answer(b"\x1f\x8b" + bytes(99), f"Content-Encoding: {encoding}")
        assert refusal(script, into) == ("download_failed", False)
        assert into.getvalue() == b""

    def test_an_announced_size_over_the_cap_is_not_read(self):
        into = io.BytesIO()

        def script(visit):
            visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000001\r\n\r\n" + b"x" * 1000)

        assert refusal(script, into) == ("too_large", True)
        assert into.getvalue() == b""

    @pytest.mark.parametrize(
        "head",
        [
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: nonsense\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        ],
    )
    def test_an_endless_body_stops_at_the_cap(self, head):
        into = io.BytesIO()

        def script(visit):
            visit.send(head)
            while True:
                visit.send(b"x" * 65536)

        assert refusal(script, into) == ("too_large", True)
        assert len(into.getvalue()) <= 1_000_000

    def test_endless_chunks_stop_at_the_cap(self):
        def script(visit):
            visit.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n")
            while True:
                visit.send(b"x" * 65536)

        assert refusal(script) == ("too_large", True)

    @pytest.mark.parametrize(
        "message",
        [
            pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", id="short"),
            pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", id="empty"),
            pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", id="empty without a length"),
            pytest.param(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", id="cut"
            ),
            pytest.param(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n", id="chunk"
            ),
            pytest.param(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n", id="many headers"),
            pytest.param(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70000 + b"\r\n\r\n", id="long header"),
            pytest.param(b"HTTP/1.1 999999 ?\r\n\r\n", id="status"),
            pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", id="not HTTP"),
            pytest.param(b"\x00\xff" * 50, id="noise"),
            pytest.param(b"", id="nothing"),
        ],
    )
    def test_broken_answers(self, message):
        def script(visit):
            visit.send(message)
            visit.connection.shutdown(socket.SHUT_RDWR)
            visit.connection.close()

        assert refusal(script) == ("download_failed", False)

    def test_two_different_lengths(self):
        with warnings.catch_warnings():
            # urllib3 leaves this socket to the garbage collector
            warnings.simplefilter("ignore", ResourceWarning)
            script = answer(b"hello", "Content-Length: 6")
            assert refusal(script) == ("download_failed", False)
            gc.collect()

    def test_what_comes_after_the_announced_length_is_dropped(self):
        into = io.BytesIO()

        def script(visit):
            visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\nx")

        with serving(script) as server:
            given_rules = rules(server.origin)
            with fetching.open_session(given_rules, pool_size=1, user_agent="x") as session:
                for _ in range(2):
                    fetch(session, f"{server.origin}/", into, given_rules)
        assert into.getvalue() == b"hellohello"

    @pytest.mark.parametrize(
        "script",
        [
            pytest.param(lambda v: v.drip_without_end(b"HTTP/1.1 200 OK\r\n"), id="status"),
            pytest.param(
                lambda v: (
                    v.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"),
                    v.drip_without_end(b"x"),
                ),
                id="body",
            ),
        ],
    )
    def test_a_drip_ends_at_the_deadline(self, script):
        assert refusal(script, deadline=0.3) == ("download_failed", False)

    def test_a_silent_server_is_left_before_the_deadline(self):
        def script(visit):
            visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\nx")
            visit.stay_silent()

        assert refusal(script, deadline=0.3) == ("download_failed", False)

    def test_the_time_out_of_the_socket_is_not_set_for_each_piece(self, monkeypatch):
        calls = []

        class Counting(Socket):
            def settimeout(self, value):
                calls.append("settimeout")
                super().settimeout(value)

            def recv_into(self, *args):
                calls.append("recv_into")
                return super().recv_into(*args)

        monkeypatch.setattr(connections, "Socket", Counting)
        with serving(answer(BODY * 16)) as server:
            fetch_from(server, max_bytes=len(BODY) * 16)
        assert calls.count("recv_into") > 16
        assert calls.count("settimeout") < 8

    def test_no_connection(self):
        given_rules = rules("http://127.0.0.1:1")
        with (
            fetching.open_session(given_rules, pool_size=1, user_agent="x") as session,
            pytest.raises(PictureError) as caught,
        ):
            fetch(session, "http://127.0.0.1:1/?token=secret", io.BytesIO(), given_rules)
        assert (caught.value.code, caught.value.permanent) == ("download_failed", False)
        assert "secret" not in str(caught.value)

    def test_an_allowed_name_that_leads_inside(self, monkeypatch):
        inside = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 443))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: inside)
        with (
            fetching.open_session(rules(), pool_size=1, user_agent="x") as session,
            pytest.raises(PictureError) as caught,
        ):
            fetch(session, "https://cdn2.apiframe.ai/", io.BytesIO(), rules())
        assert (caught.value.code, caught.value.permanent) == ("host_refused", True)

    def test_an_alarm_in_the_middle_is_not_swallowed(self):
        class JobTimeout(Exception):  # noqa: N818 - as rq's JobTimeoutException: a plain Exception
            pass

        class Alarmed(io.BytesIO):
            def write(self, _piece):
                raise JobTimeout

        with serving(answer(BODY)) as server, pytest.raises(JobTimeout):
            fetch_from(server, Alarmed())

    def test_a_full_disk_is_not_taken_for_the_network(self):
        class Full(io.BytesIO):
            def write(self, _piece):
                raise OSError(28, "No space left on device")

        with serving(answer(BODY)) as server, pytest.raises(OSError, match="No space"):
            fetch_from(server, Full())


class TestReferenceURL:
    @pytest.mark.parametrize(
        "url",
        [
            "https://example.com/a.png",
            "https://pictures.example.org:8443/a?b=c",
            "https://93.184.216.34/a.png",
            "https://[2606:4700::1111]/a.png",
            "https://xn--bcher-kva.example/a.png",
        ],
    )
    def test_accepted(self, url):
        check_reference_url(url)

    @pytest.mark.parametrize(
        ("url", "code"),
        [
            *((url, "url_not_https") for url in ("http://example.com/", "ftp://example.com/a")),
            *(
                (url, "url_unsound")
                for url in (
                    *("", "x", "https://", "https://u:p@example.com/", "javascript:alert(1)"),
                    *(
                        "https://example.com\\@10.0.0.1/",
                        "https://example.com./",
                        "https://a b.de/",
                    ),
                    *("https://１２７.0.0.1/", "https://10.0.0.1%2eexample.com/", "https://[::1"),
                    *("https://[fe80::1%25eth0]/", "https://bücher.example/", "file:///etc/passwd"),
                )
            ),
            *(
                (f"https://{host}/", "url_internal")
                for host in (
                    *("localhost", "LOCALHOST", "a.localhost", "printer.local", "metadata"),
                    *("metadata.google.internal", "db.corp", "nas.lan", "router.home.arpa"),
                    *("10.0.0.1", "127.0.0.1", "169.254.169.254", "192.168.1.1", "100.64.0.1"),
                    *("2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.1", "1.2.3"),
                    *("127.0.0.0x1", "010.0.0.1", "0", "1.2.3.4.5", "example.0x"),
                    *("[::1]", "[::ffff:10.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[fd00::1]"),
                )
            ),
        ],
    )
    def test_refused(self, url, code):
        with pytest.raises(InvalidRequest) as caught:
            check_reference_url(url, field="style_reference_images")
        assert [p.code for p in caught.value.problems["style_reference_images"]] == [code]

    def test_no_name_is_resolved(self, monkeypatch):
        asked = []
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **_kwargs: asked.append(args))
        check_reference_url("https://example.com/a.png")
        assert asked == []

    @given(st.text())
    def test_nothing_but_a_refusal_comes_out(self, text):
        for url in (text, f"https://{text}", f"https://{text}.com/"):
            with contextlib.suppress(InvalidRequest):
                check_reference_url(url)
