"""The webhook: what it takes, what it refuses, and what nobody can make it do."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.models.functions import Now
from django.test import Client, override_settings

from ideogram_django.apiframe import signatures
from ideogram_django.lifecycle import tokens
from ideogram_django.models import Charge, GeneratedImage
from ideogram_django.statuses import ChargeState, ErrorCode, Status

KEY = "afk_" + "0" * 40
JOB = "0190e8a0-1111-7111-8111-111111111111"
OTHER_JOB = "0190e8a0-2222-7222-8222-222222222222"


@pytest.fixture
def image(transactional_db: None) -> GeneratedImage:
    """A picture that the provider has as JOB."""
    image = GeneratedImage.objects.generate("A fox")
    Charge.objects.update(job_id=JOB, maybe_sent=True, body="{}", first_sent_at=Now())
    GeneratedImage.objects.update(status=Status.SUBMITTED, job_id=JOB, next_check_at=None)
    image.refresh_from_db()
    return image


def body_of(event: str = "completed", **changes: Any) -> bytes:
    bodies: dict[str, dict[str, Any]] = {
        "completed": {
            "event": "completed",
            "jobId": JOB,
            "status": "COMPLETED",
            "progress": 100,
            "result": {"images": ["https://cdn2.apiframe.ai/images/a-1.png"]},
            "model": "ideogram-v4-turbo",
            "creditCost": 3,
            "completedAt": "2026-03-15T10:00:32.000Z",
        },
        "failed": {
            "event": "failed",
            "jobId": JOB,
            "status": "FAILED",
            "error": "Provider returned an error: content policy violation",
            "model": "ideogram-v4-turbo",
        },
        "progress": {
            "event": "progress",
            "jobId": JOB,
            "status": "PROCESSING",
            "progress": 45,
            "model": "ideogram-v4-turbo",
        },
    }
    return json.dumps({**bodies[event], **changes}).encode()


def address(image: GeneratedImage, *, attempt: int | None = None) -> str:
    token = tokens.make(image.uuid, image.attempt if attempt is None else attempt)
    return f"/ideogram/webhook/{image.uuid}/{token}/"


def call(path: str, body: bytes, *, signature: str | None = "right", **extra: Any) -> Any:
    client = Client(enforce_csrf_checks=True)
    headers = dict(extra.pop("headers", {}))
    if signature == "right":
        headers["X-Webhook-Signature"] = signatures.sign_hex_text(body, KEY)
    elif signature is not None:
        headers["X-Webhook-Signature"] = signature
    return client.post(path, body, content_type="application/json", headers=headers, **extra)


def columns(image: GeneratedImage) -> dict[str, Any]:
    return GeneratedImage.objects.filter(pk=image.pk).values().get()


@pytest.mark.parametrize("sign", [signatures.sign_hex_text, signatures.sign_raw_digest])
def test_a_signed_completion_is_taken(image: GeneratedImage, sign: Any) -> None:
    body = body_of()
    assert call(address(image), body, signature=sign(body, KEY)).status_code == 204
    image.refresh_from_db()
    assert image.status == Status.FETCHING
    assert image.result_url == "https://cdn2.apiframe.ai/images/a-1.png"
    assert image.charged_credits == 3
    assert image.next_check_at is not None


def test_a_signed_failure_is_taken_and_its_money_asked_for(image: GeneratedImage) -> None:
    assert call(address(image), body_of("failed")).status_code == 204
    image.refresh_from_db()
    assert (image.status, image.error_code) == (Status.FAILED, ErrorCode.REFUSED)
    assert image.next_check_at is not None
    assert Charge.objects.get().state == ChargeState.RESERVED


def test_an_early_call_brings_the_job_id(image: GeneratedImage) -> None:
    GeneratedImage.objects.update(status=Status.SUBMITTING, job_id=None)
    Charge.objects.update(job_id=None)
    assert call(address(image), body_of()).status_code == 204
    image.refresh_from_db()
    assert (image.status, image.job_id) == (Status.FETCHING, JOB)


def test_duplicates_and_late_calls_change_nothing(image: GeneratedImage) -> None:
    assert call(address(image), body_of()).status_code == 204
    after_first = columns(image)
    for _time in range(3):
        assert call(address(image), body_of()).status_code == 204
        assert call(address(image), body_of("failed")).status_code == 204
        assert call(address(image), body_of("progress")).status_code == 204
    assert columns(image) == after_first


@pytest.mark.parametrize("status", [Status.PENDING, Status.COMPLETED, Status.CANCELLED])
def test_other_states_are_not_touched(image: GeneratedImage, status: Status) -> None:
    GeneratedImage.objects.update(status=status)
    before = columns(image)
    assert call(address(image), body_of()).status_code == 204
    assert call(address(image), body_of("failed")).status_code == 204
    assert call(address(image), body_of(), signature=None).status_code == 204
    assert columns(image) == before


@pytest.mark.parametrize("signature", [None, "", "sha256=" + "0" * 64, "nonsense", "sha256=é"])
def test_an_unsigned_call_only_causes_a_look(image: GeneratedImage, signature: str | None) -> None:
    assert call(address(image), body_of(), signature=signature).status_code == 204
    image.refresh_from_db()
    assert image.status == Status.SUBMITTED
    assert image.result_url == ""
    assert image.job_hint == JOB
    assert image.next_check_at is not None


def test_required_signature(image: GeneratedImage, settings: Any) -> None:
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "WEBHOOK_SIGNATURE": "required"}
    before = columns(image)
    assert call(address(image), body_of(), signature=None).status_code == 401
    assert call(address(image), body_of(), signature="sha256=" + "0" * 64).status_code == 401
    assert columns(image) == before
    assert call(address(image), body_of()).status_code == 204


def test_a_previous_key_still_signs(image: GeneratedImage, settings: Any) -> None:
    settings.IDEOGRAM_DJANGO = {
        **settings.IDEOGRAM_DJANGO,
        "API_KEY": "afk_" + "1" * 40,
        "PREVIOUS_API_KEYS": [KEY],
    }
    assert call(address(image), body_of()).status_code == 204
    image.refresh_from_db()
    assert image.status == Status.FETCHING


def test_unknown_pictures_and_bad_tokens_look_alike(image: GeneratedImage) -> None:
    nobody = uuid.uuid4()
    other = GeneratedImage.objects.generate("A hare")
    paths = [
        f"/ideogram/webhook/{nobody}/{tokens.make(image.uuid, 1)}/",
        f"/ideogram/webhook/{image.uuid}/{tokens.make(other.uuid, 1)}/",
        f"/ideogram/webhook/{image.uuid}/1-AAAA/",
        f"/ideogram/webhook/{image.uuid}/x/",
        f"/ideogram/webhook/{image.uuid}/-/",
        f"/ideogram/webhook/{image.uuid}/99999999999-{'a' * 43}/",
        f"/ideogram/webhook/{image.uuid}/2-{tokens.make(image.uuid, 1)[2:]}/",
    ]
    before = columns(image)
    answers = {(r.status_code, r.content) for r in (call(path, body_of()) for path in paths)}
    assert len(answers) == 1
    assert answers.pop()[0] == 404
    assert columns(image) == before


def test_a_deleted_picture_is_no_error(image: GeneratedImage) -> None:
    path = address(image)
    image.delete()
    assert call(path, body_of()).status_code == 204


def test_an_older_attempt_does_not_touch_the_new_one(image: GeneratedImage) -> None:
    old = address(image)
    GeneratedImage.objects.update(attempt=2, job_id=OTHER_JOB)
    before = columns(image)
    assert call(old, body_of()).status_code == 204
    assert columns(image) == before


def test_another_job_does_not_touch_it(image: GeneratedImage) -> None:
    before = columns(image)
    assert call(address(image), body_of(jobId=OTHER_JOB)).status_code == 204
    assert call(address(image), body_of(jobId=OTHER_JOB), signature=None).status_code == 204
    assert columns(image) == before


def test_a_job_of_another_picture_is_not_taken(image: GeneratedImage) -> None:
    other = GeneratedImage.objects.generate("A hare")
    GeneratedImage.objects.filter(pk=other.pk).update(status=Status.SUBMITTING)
    other.refresh_from_db()
    before = columns(other)
    assert call(address(other), body_of()).status_code == 204
    assert columns(other) == before


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 400),
        (b"null", 400),
        (b"[]", 400),
        (b"{", 400),
        (b'{"event":"completed"}', 400),
        (b'{"event":"completed","jobId":"1","status":"COMPLETED"}', 400),
        (b'{"jobId":NaN}', 400),
        (b'{"progress":Infinity}', 400),
        (b"\xff\xfe", 400),
        (b"[" * 20_000, 400),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400),
        (b'{"a":"' + b"x" * 70_000 + b'"}', 413),
        (json.dumps({"event": "completed", "jobId": JOB + "\x00"}).encode(), 400),
        (b'{"event":"completed","jobId":"\\ud800"}', 400),
    ],
)
def test_nonsense_is_refused_and_never_an_error(
    image: GeneratedImage, body: bytes, code: int
) -> None:
    before = columns(image)
    assert call(address(image), body).status_code == code
    assert columns(image) == before


def test_a_lying_length_is_not_believed(image: GeneratedImage) -> None:
    body = b"x" * 70_000
    client = Client()
    response = client.generic(
        "POST", address(image), body, content_type="application/json", CONTENT_LENGTH="nonsense"
    )
    assert response.status_code in (400, 413)


@pytest.mark.parametrize("method", ["get", "put", "delete", "head", "patch"])
def test_post_only(image: GeneratedImage, method: str) -> None:
    before = columns(image)
    assert getattr(Client(), method)(address(image)).status_code == 405
    assert columns(image) == before


def test_no_redirect_without_the_slash(image: GeneratedImage) -> None:
    assert call(address(image).rstrip("/"), body_of()).status_code == 204


def test_under_a_site_wide_login(image: GeneratedImage, settings: Any) -> None:
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]
    assert call(address(image), body_of()).status_code == 204
    image.refresh_from_db()
    assert image.status == Status.FETCHING


def test_strange_content_type_is_no_matter(image: GeneratedImage) -> None:
    body = body_of()
    response = Client().post(
        address(image),
        body,
        content_type="multipart/form-data; boundary=x",
        headers={"X-Webhook-Signature": signatures.sign_hex_text(body, KEY)},
    )
    assert response.status_code == 204


def test_secret_key_rotation_keeps_tokens(image: GeneratedImage) -> None:
    path = address(image)
    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["tests-only"]):
        assert call(path, body_of()).status_code == 204
    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=[]):
        assert call(path, body_of()).status_code == 404


def test_one_update_for_a_good_call_and_for_a_duplicate(
    image: GeneratedImage, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        call(address(image), body_of())
    with django_assert_num_queries(1):
        call(address(image), body_of())


def test_a_thousand_replays_change_nothing(image: GeneratedImage) -> None:
    body = body_of()
    path, signature = address(image), signatures.sign_hex_text(body, KEY)
    client = Client()

    def replay() -> int:
        return client.post(
            path,
            body,
            content_type="application/json",
            headers={"X-Webhook-Signature": signature},
        ).status_code

    assert replay() == 204
    after_first = columns(image)
    assert {replay() for _time in range(1000)} == {204}
    assert columns(image) == after_first


def test_under_atomic_requests(image: GeneratedImage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The row's change is kept whatever becomes of the request, so the view stands outside."""
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    inside: list[bool] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        inside.append(connection.in_atomic_block)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        assert call(address(image), body_of()).status_code == 204
    assert inside == [False]
    image.refresh_from_db()
    assert image.status == Status.FETCHING


def test_the_database_is_away(image: GeneratedImage) -> None:
    """503: the provider should try again."""

    def broken(*arguments: Any) -> Any:
        raise OperationalError("the connection is closed")

    with connection.execute_wrapper(broken):
        assert call(address(image), body_of()).status_code == 503
        assert call(address(image), body_of(), signature=None).status_code == 503
    assert call(address(image), body_of()).status_code == 204
