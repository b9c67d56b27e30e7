"""What each answer to the POST means, on the first try and after an ambiguous one.

The closed table: each row is scripted on the wire, and the row, its charge and the shared state
of the provider are looked at afterwards.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django.views.debug import ExceptionReporter

from ideogram_django.drains import loop
from ideogram_django.models import Charge, GeneratedImage, ProviderState
from ideogram_django.statuses import ChargeState, ErrorCode, Status
from tests.drain import FAST, configured, make_due
from tests.stub_provider import StubProvider, running_stub, unused_port

JOB = "0190e8a0-1111-7111-8111-111111111111"
NO_JOBS = {"jobs": [], "nextCursor": None, "hasMore": False}

Say = Callable[[StubProvider], None]


@pytest.fixture
def wire(settings: Any, tmp_path: Any, transactional_db: None) -> Iterator[StubProvider]:
    with running_stub() as stub:
        settings.MEDIA_ROOT = str(tmp_path / "media")
        settings.IDEOGRAM_DJANGO = {
            **FAST,
            "API_BASE_URL": stub.origin,
            "POLL_INTERVAL": 600,
            "REQUEST_DEADLINE": 0.3,
        }
        yield stub


def work() -> None:
    loop.work(sync=False, linger=0)


def say(status: int, body: object = b"", **headers: str) -> Say:
    return lambda stub: stub.answer(
        status, body, {name.replace("_", "-"): value for name, value in headers.items()}
    )


ACCEPTED = say(202, {"jobId": JOB, "status": "QUEUED"})
AMBIGUOUS: dict[str, Say] = {
    "reset": lambda stub: stub.reset(),
    "closed": lambda stub: stub.cut(),
    "half an answer": lambda stub: stub.cut(
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 90\r\n\r\n{"
    ),
    "silence": lambda stub: stub.stay_silent(),
    "dripped headers": lambda stub: stub.drip(b"HTTP/1.1 202 Accepted\r\nX-A: "),
    "408": say(408),
    "409": say(409, {"error": "Conflict"}),
    "500": say(500, {"error": "Internal"}),
    "502 in HTML": say(502, b"<html>Bad gateway</html>"),
    "503": say(503, {"error": "Service unavailable"}),
    "524": say(524, b"error code: 524"),
    "202 without JSON": say(202, b"<html>fine</html>"),
    "202 without an id": say(202, {"status": "QUEUED"}),
    "202 with an odd id": say(202, {"jobId": "1; DROP TABLE", "status": "QUEUED"}),
    "200 and empty": say(200),
    "204": lambda stub: stub.send(b"HTTP/1.1 204 No Content\r\n\r\n"),
}
ACCOUNT: dict[str, tuple[Say, str]] = {
    "401": (say(401, {"error": "Invalid API key"}), "unauthorized"),
    "402": (
        say(402, {"error": "Insufficient credits", "creditsRequired": 3, "creditsAvailable": 1}),
        "insufficient_credits",
    ),
    "403": (say(403, {"error": "API key is inactive"}), "forbidden"),
    "301": (say(301, b"", Location="http://127.0.0.1:1/"), "wrong_address"),
    "307": (say(307, b"", Location="http://127.0.0.1:1/"), "wrong_address"),
    "404": (say(404, {"error": "Not found"}), "wrong_address"),
    "405": (say(405, b"no"), "wrong_address"),
}
REFUSALS = {
    "400": say(400, {"error": "Validation failed", "details": {"prompt": ["bad"]}}),
    "413": say(413, b"too large"),
    "422": say(422, {"error": "no"}),
}


def posts(wire: StubProvider) -> list[Any]:
    return [one for one in wire.received if one.method == "POST"]


def one_try(wire: StubProvider, answer: Say) -> GeneratedImage:
    answer(wire)
    image = GeneratedImage.objects.generate("A fox")
    work()
    image.refresh_from_db()
    return image


def after_an_ambiguous_one(wire: StubProvider, answer: Say) -> GeneratedImage:
    """The first sending was reset; the list shows nothing; then this answer to the repeat."""
    image = one_try(wire, AMBIGUOUS["reset"])
    wire.answer(200, NO_JOBS)
    answer(wire)
    make_due()
    work()
    image.refresh_from_db()
    return image


def test_accepted(wire: StubProvider) -> None:
    image = one_try(wire, ACCEPTED)
    charge = Charge.objects.get()
    assert (image.status, image.job_id, charge.job_id) == (Status.SUBMITTED, JOB, JOB)
    (post,) = posts(wire)
    assert post.headers["Idempotency-Key"] == str(charge.idempotency_key)
    assert post.body == charge.body.encode()


@pytest.mark.parametrize("answer", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_ambiguous_keeps_the_key_and_looks_before_it_repeats(
    wire: StubProvider, answer: Say
) -> None:
    image = one_try(wire, answer)
    charge = Charge.objects.get()
    assert (image.status, charge.maybe_sent, charge.state) == (
        Status.SUBMITTING,
        True,
        ChargeState.RESERVED,
    )
    wire.answer(200, NO_JOBS)
    ACCEPTED(wire)
    make_due()
    work()
    image.refresh_from_db()
    assert image.status == Status.SUBMITTED
    assert [one.method for one in wire.received] == ["POST", "GET", "POST"]
    first, second = posts(wire)
    assert first.body == second.body
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]


@pytest.mark.parametrize(("answer", "code"), ACCOUNT.values(), ids=ACCOUNT)
def test_a_broken_account_pauses_and_the_picture_waits(
    wire: StubProvider, answer: Say, code: str
) -> None:
    image = one_try(wire, answer)
    charge = Charge.objects.get()
    assert (image.status, charge.maybe_sent) == (Status.PENDING, False)
    assert ProviderState.load().pause_code == code
    make_due()
    work()
    assert len(wire.received) == 1
    image.cancel()
    charge.refresh_from_db()
    assert charge.state == ChargeState.RELEASED


@pytest.mark.parametrize(("answer", "code"), ACCOUNT.values(), ids=ACCOUNT)
def test_a_broken_account_after_an_ambiguous_one_clears_nothing(
    wire: StubProvider, answer: Say, code: str
) -> None:
    image = after_an_ambiguous_one(wire, answer)
    charge = Charge.objects.get()
    assert (image.status, charge.maybe_sent, charge.state) == (
        Status.SUBMITTING,
        True,
        ChargeState.RESERVED,
    )
    assert ProviderState.load().pause_code == code


@pytest.mark.parametrize("answer", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_is_final_and_gives_back(wire: StubProvider, answer: Say) -> None:
    image = one_try(wire, answer)
    assert (image.status, image.error_code) == (Status.FAILED, ErrorCode.REJECTED)
    assert Charge.objects.get().state == ChargeState.RELEASED


@pytest.mark.parametrize("answer", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_after_an_ambiguous_one_is_no_proof(wire: StubProvider, answer: Say) -> None:
    image = after_an_ambiguous_one(wire, answer)
    assert image.status == Status.SUBMITTING
    assert Charge.objects.get().state == ChargeState.RESERVED


@pytest.mark.parametrize(
    "wait",
    ["0", "7", "-5", "1e9", "999999999999", "soon", "", "Wed, 21 Oct 2015 07:28:00 GMT", "٣"],
)
def test_too_many_requests_holds_everybody_off(wire: StubProvider, wait: str) -> None:
    answer = wait.encode("utf-8").decode("latin-1")
    image = one_try(wire, say(429, {"error": "Slow down"}, Retry_After=answer))
    assert (image.status, Charge.objects.get().maybe_sent) == (Status.PENDING, False)
    state = ProviderState.load()
    assert state.pause_code == ""
    assert state.not_before is None or state.not_before < timezone.now() + timedelta(minutes=6)
    ACCEPTED(wire)
    make_due()
    work()
    image.refresh_from_db()
    assert image.status == Status.SUBMITTED


def test_too_many_requests_after_an_ambiguous_one(wire: StubProvider) -> None:
    image = after_an_ambiguous_one(wire, say(429, {"error": "Slow down"}, Retry_After="1"))
    assert (image.status, Charge.objects.get().maybe_sent) == (Status.SUBMITTING, True)


def test_cloudflare_backs_off_and_grows(wire: StubProvider) -> None:
    image = one_try(wire, say(403, b"error code: 1010"))
    assert image.status == Status.PENDING
    state = ProviderState.load()
    assert (state.pause_code, state.blocks) == ("", 1)
    assert state.not_before is not None
    first = state.not_before - timezone.now()
    say(403, b"error code: 1010")(wire)
    make_due()
    work()
    state = ProviderState.load()
    assert state.blocks == 2
    assert state.not_before is not None
    assert state.not_before - timezone.now() > first
    ACCEPTED(wire)
    make_due()
    work()
    assert ProviderState.load().blocks == 0


def test_nobody_listens_is_not_sent(wire: StubProvider, settings: Any) -> None:
    with configured(settings, API_BASE_URL=f"http://127.0.0.1:{unused_port()}"):
        image = GeneratedImage.objects.generate("A fox")
        work()
    image.refresh_from_db()
    assert (image.status, Charge.objects.get().maybe_sent) == (Status.PENDING, False)


def test_a_name_that_does_not_resolve_is_not_sent(wire: StubProvider, settings: Any) -> None:
    with configured(settings, API_BASE_URL="http://nowhere.invalid"):
        image = GeneratedImage.objects.generate("A fox")
        work()
    image.refresh_from_db()
    assert (image.status, Charge.objects.get().maybe_sent) == (Status.PENDING, False)


def test_after_23_hours_only_evidence_counts(wire: StubProvider) -> None:
    image = one_try(wire, AMBIGUOUS["reset"])
    Charge.objects.update(first_sent_at=timezone.now() - timedelta(hours=23, minutes=1))
    wire.answer(200, NO_JOBS)
    make_due()
    work()
    image.refresh_from_db()
    assert (image.status, image.error_code) == (Status.FAILED, ErrorCode.OUTCOME_UNKNOWN)
    assert len(posts(wire)) == 1
    charge = Charge.objects.get()
    assert (charge.state, charge.charged) == (ChargeState.SETTLED, charge.expected)


def test_another_api_key_does_not_repeat(wire: StubProvider, settings: Any) -> None:
    image = one_try(wire, AMBIGUOUS["reset"])
    wire.answer(200, NO_JOBS)
    with configured(settings, API_KEY="afk_" + "1" * 40):
        make_due()
        work()
    image.refresh_from_db()
    assert (image.status, image.error_code) == (Status.FAILED, ErrorCode.OUTCOME_UNKNOWN)
    assert len(posts(wire)) == 1


def test_no_look_no_repeat(wire: StubProvider) -> None:
    """Where the list cannot be read, the request is not repeated."""
    image = one_try(wire, AMBIGUOUS["reset"])
    for _number in range(2):
        wire.answer(503, {"error": "Service unavailable"})
        make_due()
        work()
    image.refresh_from_db()
    assert image.status == Status.SUBMITTING
    assert len(posts(wire)) == 1


def job(**changes: Any) -> dict[str, Any]:
    return {
        "id": JOB,
        "status": "PROCESSING",
        "model": "ideogram-v4-turbo",
        "progress": 10,
        "error": None,
        "creditCost": 3,
        "webhookStatus": None,
        "createdAt": timezone.now().isoformat(),
        "completedAt": None,
        "expired": False,
        **changes,
    }


@pytest.mark.parametrize(
    ("told", "adopted"),
    [
        ({"prompt": "A fox", "model": "ideogram-v4-turbo"}, True),
        ({"prompt": "A fox", "model": "ideogram-v4-turbo", "ideogramParams": {"seed": 1}}, False),
        ({"prompt": "A hare", "model": "ideogram-v4-turbo"}, False),
        (
            {
                "prompt": "A fox",
                "model": "ideogram-v4-turbo",
                "webhookUrl": "https://staging.example.org/ideogram/webhook/x/1-y/",
            },
            False,
        ),
        (None, False),
    ],
    ids=["ours", "other options", "another prompt", "another site's", "not told"],
)
def test_evidence_must_be_our_own_request(
    wire: StubProvider, told: dict[str, Any] | None, adopted: bool
) -> None:
    image = one_try(wire, AMBIGUOUS["reset"])
    wire.answer(200, {**NO_JOBS, "jobs": [job()]})
    wire.answer(200, job(input=told))
    if not adopted:
        wire.answer(202, {"jobId": JOB.replace("1", "3"), "status": "QUEUED"})
    make_due()
    work()
    image.refresh_from_db()
    assert (image.job_id == JOB) is adopted
    assert len(posts(wire)) == (1 if adopted else 2)


def test_a_second_id_for_one_charge_is_kept_and_alarmed(
    wire: StubProvider, caplog: pytest.LogCaptureFixture
) -> None:
    image = one_try(wire, ACCEPTED)
    from ideogram_django.lifecycle import sending

    other = JOB.replace("1", "2")
    assert sending.accepted(image, other, first_check=60) is False
    charge = Charge.objects.get()
    assert (charge.job_id, charge.other_job_ids) == (JOB, [other])
    assert "two jobs for one charge" in caplog.text


def test_the_key_stands_nowhere(wire: StubProvider, caplog: pytest.LogCaptureFixture) -> None:
    key = FAST["API_KEY"]
    image = one_try(wire, say(400, {"error": f"The key {key} may not do this"}))
    assert key not in image.error_detail
    assert key not in caplog.text
    for charge in Charge.objects.values():
        assert key not in str(charge)


SECRETS = ("afk_" + "7" * 40, "afk_" + "8" * 40)


def test_the_key_is_not_shown_by_an_error_page(wire: StubProvider, settings: Any, rf: Any) -> None:
    """Django's page, like every error tracker, shows the local variables of each frame."""
    # No executor takes -1 threads: an error with our frames on its way.
    changes = {"API_KEY": SECRETS[0], "PREVIOUS_API_KEYS": [SECRETS[1]], "CONCURRENCY": -1}
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, **changes}
    changes.clear()
    GeneratedImage.objects.generate("A fox")
    try:
        work()
    except ValueError:
        page = ExceptionReporter(rf.get("/"), *sys.exc_info()).get_traceback_html()
    assert "CONCURRENCY=-1" in page
    assert [secret for secret in SECRETS if secret in page] == []
