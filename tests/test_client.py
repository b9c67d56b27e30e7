from __future__ import annotations

import email.utils
import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from ideogram_django.apiframe import answers
from ideogram_django.apiframe.client import MAX_ANSWER, Client, user_agent
from ideogram_django.apiframe.payloads import JobStatus
from ideogram_django.exceptions import (
    AccountError,
    BlockedError,
    JobNotFoundError,
    NotSentError,
    OutcomeUnknownError,
    ProviderError,
    RateLimitedError,
    RejectedError,
)
from tests.stub_provider import StubProvider, running_stub, unused_port

KEY = "afk_" + "5ecre7" * 6
ID = "0b5f0a3e-8a54-4c6f-9a0e-3c1f6d2b7a10"
JOB = {"id": ID, "status": "QUEUED"}
ACCEPTED = {"jobId": ID, "status": "QUEUED"}
BODY = b'{"model":"ideogram-v4-turbo","prompt":"A red fox"}'


@pytest.fixture
def provider() -> Iterator[StubProvider]:
    with running_stub() as stub:
        yield stub


@pytest.fixture
def client(provider) -> Iterator[Client]:
    made = Client(api_key=KEY, base_url=provider.origin, connect_timeout=5, deadline=20)
    yield made
    made.close()


@pytest.fixture
def hasty(provider) -> Iterator[Client]:
    made = Client(api_key=KEY, base_url=provider.origin, connect_timeout=5, deadline=0.2)
    yield made
    made.close()


def submit(client: Client):
    return client.submit(BODY, "key-1")


# --- what is asked and what is understood -------------------------------------------------------


def test_submit(client, provider):
    provider.answer(202, ACCEPTED)
    accepted = submit(client)
    assert (accepted.job_id, accepted.status) == (ID, JobStatus.QUEUED)
    (request,) = provider.received
    assert (request.method, request.path, request.body) == ("POST", "/v2/images/generate", BODY)
    assert request.headers["X-API-Key"] == KEY
    assert request.headers["Idempotency-Key"] == "key-1"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["User-Agent"] == user_agent()
    assert "Cookie" not in request.headers
    assert "Authorization" not in request.headers


def test_the_user_agent_is_our_own():
    assert user_agent().startswith("ideogram-django/")
    assert user_agent().endswith("(+https://github.com/ideogram-django/ideogram-django)")


@pytest.mark.parametrize("status", [200, 201, 202, 203])
def test_any_success_with_a_job_id_is_an_acceptance(client, provider, status):
    provider.answer(status, {**ACCEPTED, "status": "PROCESSING"})
    assert submit(client).status is JobStatus.PROCESSING


def test_job(client, provider):
    provider.answer(200, {**JOB, "status": "COMPLETED", "creditCost": 3})
    job = client.job(ID)
    assert (job.id, job.status, job.credit_cost) == (ID, JobStatus.COMPLETED, 3)
    (request,) = provider.received
    assert (request.method, request.path) == ("GET", f"/v2/jobs/{ID}")
    assert request.headers["X-API-Key"] == KEY
    assert request.body == b""


def test_a_job_id_stays_one_part_of_the_path(client, provider):
    provider.answer(400, {"error": "not a uuid"})
    with pytest.raises(RejectedError):
        client.job("../me?x=1#")
    assert provider.received[0].path == "/v2/jobs/..%2Fme%3Fx%3D1%23"


def test_jobs(client, provider):
    provider.answer(200, {"jobs": [JOB], "nextCursor": "a+/=", "hasMore": True})
    provider.answer(200, {"jobs": [], "nextCursor": None, "hasMore": False})
    page = client.jobs()
    last = client.jobs(limit=20, cursor=page.next_cursor, status=JobStatus.FAILED)
    assert [job.id for job in page.jobs] == [ID]
    assert not last.has_more
    first, second = provider.received
    assert (first.path, first.query) == ("/v2/jobs", {"limit": "100"})
    assert second.query == {"limit": "20", "cursor": "a+/=", "status": "FAILED"}


def test_me(client, provider):
    provider.answer(200, {"user": {}, "team": {"credits": 7}, "apiKey": None})
    assert client.me().credits == 7
    assert provider.received[0].path == "/v2/me"


def test_models_are_public_so_no_key_is_sent(client, provider):
    provider.answer(200, {"models": [{"id": "ideogram-v4-turbo", "costMax": 3}]})
    assert [(model.id, model.cost_max) for model in client.models()] == [("ideogram-v4-turbo", 3)]
    (request,) = provider.received
    assert (request.path, request.query) == ("/v2/models", {"modality": "image"})
    assert "X-API-Key" not in request.headers


def test_upload(client, provider):
    url = "https://cdn2.apiframe.ai/uploads/a.png"
    provider.answer(201, {"id": ID, "url": url})
    assert client.upload(b"\x89PNG", 'a "b"\r\nX: ü.png', "image/png").url == url
    (request,) = provider.received
    assert (request.method, request.path) == ("POST", "/v2/uploads")
    assert request.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert b'name="file"' in request.body
    assert b"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n" in request.body
    assert b"\nX:" not in request.body


def test_a_path_in_the_address_comes_first(provider):
    client = Client(api_key=KEY, base_url=f"{provider.origin}/twin/", connect_timeout=5, deadline=9)
    provider.answer(200, {"user": {}})
    client.me()
    client.close()
    assert provider.received[0].path == "/twin/v2/me"


def test_connections_are_kept(client, provider):
    for _ in range(3):
        provider.answer(200, JOB)
        client.job(ID)
    assert provider.connections == 1


@pytest.mark.parametrize("key", ["", "afk_\n", "afk ü", "afk_ü", "afk_ 1"])
def test_a_key_that_cannot_be_sent_is_refused_without_being_told(key):
    with pytest.raises(ValueError, match="visible ASCII") as raised:
        Client(api_key=key, base_url="https://api.example", connect_timeout=1, deadline=1)
    assert not key or key not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    ["api.example", "ftp://api.example", "https://", "https://u:p@api.example", "https://a/?x=1"],
)
def test_an_address_that_cannot_be_asked_is_refused(url):
    with pytest.raises(ValueError, match="base URL"):
        Client(api_key=KEY, base_url=url, connect_timeout=1, deadline=1)


@pytest.mark.parametrize("key", ["", "a b", "ü", "a\r\nX: 1", "a" * 256])
def test_an_idempotency_key_that_cannot_be_sent_is_refused(client, provider, key):
    with pytest.raises(ValueError, match="idempotency"):
        client.submit(BODY, key)
    assert provider.received == []


# --- what an answer means -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (300, "wrong_address"),
        (301, "wrong_address"),
        (302, "wrong_address"),
        (304, "wrong_address"),
        (307, "wrong_address"),
        (308, "wrong_address"),
        (401, "unauthorized"),
        (402, "insufficient_credits"),
        (403, "forbidden"),
        (404, "wrong_address"),
        (405, "wrong_address"),
    ],
)
def test_answers_about_the_account_or_the_address(client, provider, status, code):
    # A 304 has no body, so the header stands alone there.
    provider.answer(
        status,
        b"" if status == 304 else {"error": "Told so"},
        {"Location": f"{provider.origin}/elsewhere"},
    )
    with pytest.raises(AccountError) as raised:
        submit(client)
    assert (raised.value.code, raised.value.status_code) == (code, status)
    assert raised.value.detail == ("" if status == 304 else "Told so")
    assert len(provider.received) == 1


@pytest.mark.parametrize("status", [401, 402, 404, 405])
def test_the_status_says_enough_where_the_body_is_no_json(client, provider, status):
    provider.answer(status, b"<html>no</html>")
    with pytest.raises(AccountError) as raised:
        submit(client)
    assert raised.value.detail == ""


def test_missing_credits_are_counted(client, provider):
    body = {"error": "Insufficient credits", "creditsRequired": 10, "creditsAvailable": 4}
    provider.answer(402, body)
    with pytest.raises(AccountError) as raised:
        submit(client)
    assert (raised.value.credits_required, raised.value.credits_available) == (10, 4)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"error code: 1010", "error code: 1010"),
        (b"<!doctype html><p>no", ""),
        (b"", ""),
        (b"\xff\xfe", ""),
        (b'"forbidden"', '"forbidden"'),
        (b'{"title":"Error 1010"}', '{"title":"Error 1010"}'),
    ],
)
def test_a_403_that_is_not_the_apis_means_blocked(client, provider, body, detail):
    provider.answer(403, body)
    with pytest.raises(BlockedError) as raised:
        submit(client)
    assert (raised.value.detail, raised.value.status_code) == (detail, 403)


@pytest.mark.parametrize("status", [400, 406, 410, 413, 415, 418, 422, 451])
def test_other_refusals_are_for_good(client, provider, status):
    provider.answer(status, {"error": "Validation failed", "details": {"seed": ["too large"]}})
    with pytest.raises(RejectedError) as raised:
        submit(client)
    assert raised.value.status_code == status
    assert raised.value.detail == "Validation failed"
    assert raised.value.details == {"seed": ["too large"]}


@pytest.mark.parametrize(
    "status", [408, 409, 425, 500, 501, 502, 503, 504, 520, 524, 599, 600, 999]
)
@pytest.mark.parametrize("body", [b'{"error":"Try later"}', b"<html>", b""])
def test_answers_that_leave_the_outcome_open(client, provider, status, body):
    provider.answer(status, body)
    with pytest.raises(OutcomeUnknownError) as raised:
        submit(client)
    assert raised.value.status_code == status


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"OK",
        b"{}",
        b"[]",
        b"null",
        b'{"jobId":"1"}',
        b'{"jobId":null,"status":"QUEUED"}',
        b'{"error":"no"}',
        b"[" * 100_000,
        b"\x1f\x8b",
        json.dumps(ACCEPTED).encode() + b" " * MAX_ANSWER,
    ],
    ids=range(11),
)
@pytest.mark.parametrize("status", [200, 202])
def test_a_success_without_sense_leaves_the_outcome_open(client, provider, status, body):
    provider.answer(status, body)
    with pytest.raises(OutcomeUnknownError) as raised:
        submit(client)
    assert raised.value.status_code == status


def test_204_leaves_the_outcome_open(client, provider):
    provider.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    with pytest.raises(OutcomeUnknownError):
        submit(client)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 1),
        ("", 1),
        ("7", 7),
        ("0", 0),
        ("1.5", 1.5),
        ("-5", 0),
        ("-" + "9" * 500, 0),
        ("301", 300),
        ("9" * 500, 300),
        ("soon", 1),
        ("nan", 1),
        ("inf", 1),
        ("0x10", 1),
        ("²", 1),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Thu, 31 Dec 9998 23:59:59 GMT", 300),
        ("Thu, 99 Jan 2026 00:00:00 GMT", 1),
        ("Thu, 01 Jan 2026 00:00:00 +999999999999", 1),
    ],
)
def test_a_429_tells_how_long_to_wait(client, provider, header, seconds):
    headers = {} if header is None else {"Retry-After": header}
    provider.answer(429, {"error": "Slow down"}, headers)
    with pytest.raises(RateLimitedError) as raised:
        submit(client)
    assert raised.value.retry_after == seconds
    assert raised.value.detail == "Slow down"


def test_retry_after_as_a_date_counts_from_now():
    now = datetime(2026, 3, 15, 10, tzinfo=UTC)
    later = email.utils.format_datetime(now + timedelta(seconds=90), usegmt=True)
    assert answers.retry_after(later, now) == 90
    assert answers.retry_after("Sun, 15 Mar 2026 10:00:30 -0000", now) == 30


def test_a_429_without_json_is_the_same(client, provider):
    provider.answer(429, b"error code: 1015")
    with pytest.raises(RateLimitedError) as raised:
        submit(client)
    assert raised.value.detail == "error code: 1015"


# --- questions ----------------------------------------------------------------------------------


def test_a_missing_job(client, provider):
    provider.answer(404, {"error": "Job not found"})
    with pytest.raises(JobNotFoundError) as raised:
        client.job(ID)
    assert raised.value.detail == "Job not found"


def test_a_404_that_is_not_the_apis_says_nothing_about_the_job(client, provider):
    provider.answer(404, b"<h1>404 Not Found</h1>")
    with pytest.raises(AccountError) as raised:
        client.job(ID)
    assert raised.value.code == "wrong_address"


def test_a_missing_list_is_no_missing_job(client, provider):
    provider.answer(404, {"error": "Not found"})
    with pytest.raises(AccountError):
        client.jobs()


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.job(ID),
        lambda client: client.jobs(),
        lambda client: client.me(),
        lambda client: client.models(),
        lambda client: client.upload(b"x", "x.png", "image/png"),
    ],
    ids=["job", "jobs", "me", "models", "upload"],
)
class TestEveryQuestion:
    @pytest.mark.parametrize(
        ("status", "body", "error"),
        [
            (200, b"<html>", OutcomeUnknownError),
            (200, b"{}", OutcomeUnknownError),
            (302, b"", AccountError),
            (400, b'{"error":"no"}', RejectedError),
            (401, b'{"error":"no"}', AccountError),
            (403, b'{"error":"no"}', AccountError),
            (403, b"error code: 1010", BlockedError),
            (429, b"", RateLimitedError),
            (502, b"", OutcomeUnknownError),
        ],
    )
    def test_its_answers(self, client, provider, ask, status, body, error):
        provider.answer(status, body)
        with pytest.raises(error) as raised:
            ask(client)
        assert type(raised.value) is error

    def test_a_cut_answer(self, client, provider, ask):
        provider.cut()
        with pytest.raises(OutcomeUnknownError):
            ask(client)


# --- the wire -----------------------------------------------------------------------------------


def test_nobody_listening_means_not_sent():
    client = Client(
        api_key=KEY, base_url=f"http://127.0.0.1:{unused_port()}", connect_timeout=5, deadline=20
    )
    with pytest.raises(NotSentError) as raised:
        submit(client)
    client.close()
    assert raised.value.status_code is None
    assert "refused" in raised.value.detail


def test_an_unknown_name_means_not_sent():
    client = Client(api_key=KEY, base_url="http://nowhere.invalid", connect_timeout=5, deadline=20)
    with pytest.raises(NotSentError):
        submit(client)
    client.close()


def test_no_tls_on_the_other_side_means_not_sent(provider):
    origin = provider.origin.replace("http:", "https:")
    client = Client(api_key=KEY, base_url=origin, connect_timeout=5, deadline=20)
    provider.greeting = b"220 mail.example ESMTP\r\n"
    with pytest.raises(NotSentError):
        submit(client)
    client.close()
    assert provider.received == []


def test_a_proxy_that_nobody_runs_means_not_sent(provider):
    client = Client(
        api_key=KEY,
        base_url=provider.origin,
        connect_timeout=5,
        deadline=20,
        proxies={"http": f"http://127.0.0.1:{unused_port()}"},
    )
    with pytest.raises(NotSentError):
        submit(client)
    client.close()
    assert provider.received == []


HALF = b"HTTP/1.1 202 Accepted\r\nContent-Length: 1000\r\n\r\n" + json.dumps(ACCEPTED).encode()
CHUNKED = b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 20",
        b"HTTP/1.1 202 Accepted\r\nContent-Le",
        HALF,
        CHUNKED + b'5\r\n{"job',
        CHUNKED + b"zz\r\n",
        b"HTTP/1.1 202 Accepted\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 202 Accepted\r\n" + b"X: 1\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 202 Accepted\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
    ],
    ids=range(10),
)
def test_an_answer_that_breaks_off_or_makes_no_http_leaves_the_outcome_open(client, provider, raw):
    provider.cut(raw)
    with pytest.raises(OutcomeUnknownError):
        submit(client)
    assert len(provider.received) == 1


def test_a_reset_after_the_request_leaves_the_outcome_open(client, provider):
    provider.reset()
    with pytest.raises(OutcomeUnknownError):
        submit(client)
    assert len(provider.received) == 1


def test_a_kept_connection_that_dies_with_the_request_leaves_the_outcome_open(client, provider):
    provider.answer(200, JOB)
    provider.cut()
    client.job(ID)
    with pytest.raises(OutcomeUnknownError):
        submit(client)
    assert [request.connection for request in provider.received] == [1, 1]


@pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 202 Accepted\r\n", HALF], ids=range(3))
def test_an_answer_that_never_ends_leaves_the_outcome_open(hasty, provider, raw):
    provider.stay_silent(raw)
    with pytest.raises(OutcomeUnknownError) as raised:
        submit(hasty)
    assert raised.value.status_code is None
    assert len(provider.received) == 1


@pytest.mark.parametrize("raw", [b"HTTP/1.1 202 Accepted\r\nX:", HALF], ids=range(2))
def test_an_answer_that_drips_ends_at_the_deadline(hasty, provider, raw):
    provider.drip(raw)
    with pytest.raises(OutcomeUnknownError) as raised:
        submit(hasty)
    assert raised.value.detail.startswith("DeadlineExceeded")


def test_a_compressed_answer_is_read_though_none_was_asked_for(client, provider):
    packed = gzip.compress(json.dumps(ACCEPTED).encode())
    provider.answer(202, packed, {"Content-Encoding": "gzip"})
    assert submit(client).job_id == ID
    assert provider.received[0].headers["Accept-Encoding"] == "identity"


def test_an_answer_that_unpacks_without_end_is_not_kept(client, provider):
    packed = gzip.compress(b" " * (64 * MAX_ANSWER))
    provider.answer(202, packed, {"Content-Encoding": "gzip"})
    with pytest.raises(OutcomeUnknownError):
        submit(client)


# --- the key ------------------------------------------------------------------------------------


def everything_reachable(error: BaseException) -> str:
    """What an error report shows: text, attributes, the variables of our frames, the context.

    The frames of this file are left out: here the key is a constant.
    """
    told = f"{error!r} {error} {vars(error)!r}"
    frames, context = error.__traceback__, error.__context__
    while frames is not None:
        if frames.tb_frame.f_code.co_filename != __file__:
            told += repr(frames.tb_frame.f_locals)
        frames = frames.tb_next
    return told + (everything_reachable(context) if context else "")


def test_the_key_is_not_in_the_clients_text(client):
    assert KEY not in repr(client)
    assert KEY not in str(client)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, {"error": f"Invalid API key {KEY}"}),
        (400, {"error": KEY, "details": {KEY: [KEY]}}),
        (400, {"error": "x" * 490 + KEY}),
        (403, f"denied for {KEY}".encode()),
        (429, {"error": KEY}),
        (500, {"error": KEY}),
        (409, {"error": f"{KEY[:20]}…"}),
    ],
)
def test_the_key_is_in_no_error(client, provider, status, body):
    provider.answer(status, body)
    with pytest.raises(ProviderError) as raised:
        submit(client)
    assert "5ecre7" not in everything_reachable(raised.value)


def test_the_key_is_in_no_answer(client, provider):
    provider.answer(200, {**JOB, "status": "FAILED", "error": f"provider said {KEY}"})
    assert client.job(ID).error == "provider said ***"


def test_no_failed_request_hangs_on_an_error(client, provider):
    provider.cut()
    with pytest.raises(OutcomeUnknownError) as raised:
        submit(client)
    assert raised.value.__context__ is None
    assert raised.value.__cause__ is None
    assert "5ecre7" not in everything_reachable(raised.value)


def test_the_key_is_not_logged(client, provider, caplog):
    caplog.set_level(1)
    provider.answer(401, {"error": KEY})
    with pytest.raises(AccountError):
        submit(client)
    assert KEY not in caplog.text
