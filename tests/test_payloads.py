from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ideogram_django.apiframe import payloads
from ideogram_django.apiframe.catalogue import CleanRequest
from ideogram_django.apiframe.payloads import Account, Job, JobStatus, ModelPrice, WebhookCall
from ideogram_django.exceptions import InvalidPayloadError

ID = "0b5f0a3e-8a54-4c6f-9a0e-3c1f6d2b7a10"
URL = f"https://cdn2.apiframe.ai/images/{ID}-1.png"
HOOK = "https://site.example/ideogram/webhook/1/token/"
JOB = {
    "id": ID,
    "status": "COMPLETED",
    "model": "ideogram-v4-turbo",
    "progress": 100,
    "result": {"images": [URL]},
    "error": None,
    "creditCost": 3,
    "webhookStatus": "delivered",
    "createdAt": "2026-03-15T10:00:00.000Z",
    "completedAt": "2026-03-15T10:00:32.500Z",
}
PARSERS = [
    payloads.parse_json,
    payloads.parse_job_accepted,
    payloads.parse_job,
    payloads.parse_job_page,
    payloads.parse_account,
    payloads.parse_models,
    payloads.parse_upload,
    payloads.parse_webhook,
    payloads.parse_error,
]


def raw(data: object) -> bytes:
    return json.dumps(data).encode()


def job(**changes) -> Job:
    return payloads.parse_job(raw({**JOB, **changes}))


def hook(**call) -> WebhookCall:
    return payloads.parse_webhook(raw({"jobId": ID, **call}))


def request(**parameters) -> CleanRequest:
    return CleanRequest(
        prompt="A „red“ fox 🦊", model="ideogram-v4-turbo", parameters=parameters, credits=3
    )


def body(webhook_url=HOOK, **parameters) -> bytes:
    return payloads.submit_body(
        request(**parameters), webhook_url=webhook_url, webhook_url_key="webhookUrl"
    )


# --- strict JSON --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nope",
        b"\xff",
        b'"\xed\xa0\xbd"',  # a surrogate in UTF-8
        '{"a":1}'.encode("utf-16"),
        b"\xef\xbb\xbf{}",
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b"1e999",
        b'{"a":1,"a":2}',
        b"{} {}",
        b"9" * 5000,
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b"[" * 34 + b"]" * 34,
    ],
)
def test_what_is_not_strict_json(text):
    with pytest.raises(InvalidPayloadError):
        payloads.parse_json(text)


def test_strict_json_is_read():
    assert payloads.parse_json(b'{"a":[1,2.5,"\\u00e9",null,true]}') == {
        "a": [1, 2.5, "é", None, True]
    }
    assert payloads.parse_json(b"[" * 33 + b"]" * 33)


KNOWN_NAMES = [*JOB, "jobId", "event", "images", "gridUrl", "input", "jobs", "nextCursor"]
KNOWN_NAMES += ["hasMore", "user", "team", "credits", "apiKey", "models", "costMax", "url"]
KNOWN_NAMES += ["details", "expired", "prompt", "ideogramParams", "webhookUrl"]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KNOWN_NAMES) | st.text(), inner, max_size=8)
    ),
    max_leaves=20,
)


@given(text=st.binary() | st.text().map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_give_a_value_or_the_one_error(text):
    for parse in PARSERS:
        with contextlib.suppress(InvalidPayloadError):
            parse(text)


@given(data=json_values, overlay=st.dictionaries(st.sampled_from(list(JOB)), json_values))
def test_any_json_gives_a_value_or_the_one_error(data, overlay):
    known = {**JOB, "jobId": ID, "event": "failed", "user": {}, "jobs": [data], "url": URL}
    for value in (data, {**known, **overlay}, {**known, "status": "FAILED", "models": [data]}):
        for parse in PARSERS:
            with contextlib.suppress(InvalidPayloadError):
                parse(raw(value))


@given(data=json_values)
def test_whatever_is_kept_of_a_job_fits_the_database(data):
    try:
        found = job(error=data, result={"images": [data]}, creditCost=data, progress=data)
    except InvalidPayloadError:
        return
    assert len(found.error) <= 500
    for text in (found.error, *found.image_urls):
        assert "\x00" not in text
        text.encode()
    assert found.credit_cost is None or 0 <= found.credit_cost < 2**31
    assert found.progress is None or 0 <= found.progress <= 100


# --- submissions --------------------------------------------------------------------------------


def test_the_body_of_a_submission():
    assert (
        body(reference_image="https://example.com/a.png", seed=0, style_preset="")
        == (
            '{"ideogramParams":{"image":"https://example.com/a.png","seed":0},'
            '"model":"ideogram-v4-turbo","prompt":"A „red“ fox 🦊",'
            f'"webhookEvents":["completed","failed"],"webhookUrl":"{HOOK}"}}'
        ).encode()
    )


def test_nothing_is_sent_that_was_not_set():
    assert json.loads(body(webhook_url=None)) == {
        "model": "ideogram-v4-turbo",
        "prompt": "A „red“ fox 🦊",
    }


def test_the_name_of_the_webhook_field_is_the_sites_to_choose():
    told = payloads.submit_body(request(), webhook_url=HOOK, webhook_url_key="webhook_url")
    assert json.loads(told)["webhook_url"] == HOOK
    assert "webhookUrl" not in json.loads(told)


def test_equal_requests_give_equal_bytes():
    assert body(seed=1, style_type="AUTO") == body(style_type="AUTO", seed=1)


# --- answers ------------------------------------------------------------------------------------


def test_an_accepted_job():
    accepted = payloads.parse_job_accepted(raw({"jobId": ID.upper(), "status": "QUEUED", "x": 1}))
    assert (accepted.job_id, accepted.status) == (ID, JobStatus.QUEUED)
    assert payloads.parse_job_accepted(raw({"jobId": ID})).status is JobStatus.UNKNOWN


@pytest.mark.parametrize(
    "value", [None, 5, "", "abc", ID + "\n", f"{{{ID}}}", ID.replace("-", ""), ID[:-1] + "٣"]
)
def test_only_a_canonical_uuid_is_a_job_id(value):
    with pytest.raises(InvalidPayloadError):
        payloads.parse_job_accepted(raw({"jobId": value, "status": "QUEUED"}))
    with pytest.raises(InvalidPayloadError):
        job(id=value)
    with pytest.raises(InvalidPayloadError):
        hook(status="FAILED", jobId=value)


def test_a_completed_job():
    assert job(input={"prompt": "x"}, expired=True, unknown=[1]) == Job(
        id=ID,
        status=JobStatus.COMPLETED,
        model="ideogram-v4-turbo",
        progress=100,
        image_urls=(URL,),
        error="",
        credit_cost=3,
        created_at=datetime(2026, 3, 15, 10, 0, 0, tzinfo=UTC),
        completed_at=datetime(2026, 3, 15, 10, 0, 32, 500_000, tzinfo=UTC),
        input={"prompt": "x"},
        expired=True,
    )


def test_a_job_that_tells_little():
    assert payloads.parse_job(raw({"id": ID, "status": "queued"})) == Job(
        id=ID, status=JobStatus.QUEUED
    )


@pytest.mark.parametrize(
    ("word", "status", "final"),
    [
        ("QUEUED", JobStatus.QUEUED, False),
        ("processing", JobStatus.PROCESSING, False),
        ("Completed", JobStatus.COMPLETED, True),
        ("failed", JobStatus.FAILED, True),
        ("CANCELLED", JobStatus.CANCELLED, True),
        ("SUCCESS", JobStatus.UNKNOWN, False),
        ("done", JobStatus.UNKNOWN, False),
        ("unknown", JobStatus.UNKNOWN, False),
        ("", JobStatus.UNKNOWN, False),
    ],
)
def test_words_for_a_status(word, status, final):
    assert job(status=word).status is status
    assert status.is_final is final


def test_a_job_without_a_status_is_none():
    with pytest.raises(InvalidPayloadError):
        job(status=None)


@pytest.mark.parametrize(
    ("result", "urls"),
    [
        (URL, (URL,)),
        ({"images": [URL, URL + "?2"]}, (URL, URL + "?2")),
        ({"images": [], "gridUrl": URL}, (URL,)),
        ({"images": [None, 5, "", URL]}, (URL,)),
        ({"images": URL}, ()),
        ({"videoUrl": URL}, ()),
        ([URL], ()),
        (None, ()),
        ("", ()),
        ("https://cdn2.apiframe.ai/" + "a" * 2000, ()),
        ("https://cdn2.apiframe.ai/\x00", ()),
        ("https://cdn2.apiframe.ai/\ud83e", ()),
        ("https://cdn2.apiframe.ai/a b", ()),
    ],
)
def test_shapes_of_a_result(result, urls):
    assert job(result=result).image_urls == urls


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (None, ""),
        ({"message": "no"}, ""),
        ("content policy\nviolation", "content policy violation"),
        ("nul\x00 \ud83e half", "nul ? half"),
        ("a" * 501, "a" * 500),
    ],
)
def test_error_sentences_are_safe_to_keep(error, kept):
    assert job(error=error).error == kept


@pytest.mark.parametrize(
    ("value", "credits"),
    [(0, 0), (3, 3), (3.0, 3), (2.5, None), (-1, None), (True, None), ("3", None), (2**31, None)],
)
def test_credit_costs(value, credits):
    assert job(creditCost=value).credit_cost == credits


@pytest.mark.parametrize(
    ("value", "percent"),
    [(None, None), (0, 0), (45.9, 45), (101, 100), (-1, None), (True, None), ("50", None)],
)
def test_progress(value, percent):
    assert job(progress=value).progress == percent


@pytest.mark.parametrize(
    ("value", "when"),
    [
        (None, None),
        ("soon", None),
        (5, None),
        ("2026-03-15T12:00:00+02:00", datetime(2026, 3, 15, 10, tzinfo=UTC)),
        ("2026-03-15T10:00:00", datetime(2026, 3, 15, 10, tzinfo=UTC)),
        ("0001-01-01T00:00:00+05:00", None),
        ("2026-02-30T00:00:00Z", None),
    ],
)
def test_times(value, when):
    assert job(createdAt=value).created_at == when


def test_a_page_of_jobs():
    page = payloads.parse_job_page(
        raw({"jobs": [JOB, {"id": 1}, None], "nextCursor": "abc=", "hasMore": True})
    )
    assert [found.id for found in page.jobs] == [ID]
    assert (page.next_cursor, page.has_more, page.skipped) == ("abc=", True, 2)
    last = payloads.parse_job_page(raw({"jobs": [], "nextCursor": None, "hasMore": False}))
    assert (last.jobs, last.next_cursor, last.has_more) == ((), None, False)
    with pytest.raises(InvalidPayloadError):
        payloads.parse_job_page(raw({"jobs": {}}))


def test_the_account():
    told = {
        "user": {"id": ID, "email": "a@example.com", "role": "OWNER"},
        "team": {"credits": 3644, "plan": "af_basic", "name": "Ours", "maxConcurrentJobs": 10},
        "apiKey": {"id": ID, "name": "site", "prefix": "afk_12"},
    }
    assert payloads.parse_account(raw(told)) == Account(
        credits=3644,
        plan="af_basic",
        team_name="Ours",
        max_concurrent_jobs=10,
        key_name="site",
        key_prefix="afk_12",
        user_email="a@example.com",
        user_role="OWNER",
    )
    alone = {**told, "team": None, "apiKey": None}
    assert payloads.parse_account(raw(alone)).credits is None
    with pytest.raises(InvalidPayloadError):
        payloads.parse_account(raw({"data": {"balance": 5}}))


def test_the_price_list():
    told = {"models": [{"id": "a", "label": "A", "modality": "image", "costMax": 3.5}, {}, 1]}
    assert payloads.parse_models(raw(told)) == (
        ModelPrice(
            id="a", label="A", modality="image", cost_min=None, cost_max=3.5, pricing_mode=""
        ),
    )


def test_an_upload():
    told = {"id": ID, "url": URL, "kind": "image", "contentType": "image/png", "byteSize": 7}
    upload = payloads.parse_upload(raw({**told, "expiresAt": "2026-03-15T10:00:00Z"}))
    assert (upload.url, upload.byte_size) == (URL, 7)
    assert upload.expires_at == datetime(2026, 3, 15, 10, tzinfo=UTC)
    with pytest.raises(InvalidPayloadError):
        payloads.parse_upload(raw({**told, "url": None}))


def test_an_error_body():
    told = {"error": "Validation failed", "details": {"prompt": ["too long", 5], "x": "y"}}
    found = payloads.parse_error(raw(told))
    assert found.error == "Validation failed"
    assert found.details == {"prompt": ["too long", ""]}
    for other in ({}, {"error": {}}, [], "error"):
        with pytest.raises(InvalidPayloadError):
            payloads.parse_error(raw(other))


# --- webhooks -----------------------------------------------------------------------------------


def test_the_documented_calls():
    assert hook(
        event="completed",
        status="COMPLETED",
        progress=100,
        result=URL,
        model="ideogram-v4-turbo",
        creditCost=3,
        completedAt="2026-03-15T10:00:32.000Z",
    ) == WebhookCall(
        event="completed",
        job_id=ID,
        status=JobStatus.COMPLETED,
        progress=100,
        image_urls=(URL,),
        model="ideogram-v4-turbo",
        credit_cost=3,
        completed_at=datetime(2026, 3, 15, 10, 0, 32, tzinfo=UTC),
    )
    failed = hook(event="failed", status="FAILED", error="No capacity", model="m")
    assert (failed.status, failed.error) == (JobStatus.FAILED, "No capacity")
    under_way = hook(event="progress", status="PROCESSING", progress=45, model="m")
    assert (under_way.status, under_way.progress) == (JobStatus.PROCESSING, 45)


@pytest.mark.parametrize(
    ("call", "status"),
    [
        ({"event": "completed"}, JobStatus.COMPLETED),
        ({"event": "failed", "status": ""}, JobStatus.FAILED),
        ({"status": "FAILED"}, JobStatus.FAILED),
        ({"event": "news", "status": "PROCESSING"}, JobStatus.PROCESSING),
        ({"event": "progress", "status": "QUEUED"}, JobStatus.QUEUED),
        ({"event": "failed", "status": "COMPLETED"}, JobStatus.UNKNOWN),
        ({"event": "completed", "status": "PROCESSING"}, JobStatus.UNKNOWN),
        ({"event": "completed", "status": "SUCCESS"}, JobStatus.UNKNOWN),
    ],
)
def test_event_and_status_together(call, status):
    assert hook(**call).status is status


@pytest.mark.parametrize("call", [{}, {"event": "news"}, {"type": "completed"}, {"status": 1}])
def test_a_call_without_status_and_event_is_never_taken_for_a_success(call):
    with pytest.raises(InvalidPayloadError):
        hook(**call)


# --- evidence -----------------------------------------------------------------------------------

PARAMETERS = {"seed": 5, "style_type": "AUTO"}
CONTENT = {"prompt": "A „red“ fox 🦊", "model": "ideogram-v4-turbo"}


@pytest.mark.parametrize(
    "job_input",
    [
        {**CONTENT, "ideogramParams": PARAMETERS},
        {"prompt": CONTENT["prompt"], "ideogramParams": PARAMETERS},
        {**CONTENT, **PARAMETERS},
        {**CONTENT, "ideogramParams": {**PARAMETERS, "mask": None}, "webhookUrl": None},
        {"body": {**CONTENT, "ideogramParams": PARAMETERS}},
        {"request": {**CONTENT, **PARAMETERS}},
        {**CONTENT, "ideogramParams": PARAMETERS, "webhookEvents": ["completed"], "userId": "u"},
    ],
)
def test_the_same_request_without_a_webhook_in_it(job_input):
    assert payloads.same_request(body(webhook_url=None, **PARAMETERS), job_input)
    assert payloads.same_request(body(**PARAMETERS), job_input)


@pytest.mark.parametrize(
    "job_input",
    [
        {**CONTENT, "ideogramParams": PARAMETERS, "webhookUrl": HOOK},
        {"body": {"webhook_url": HOOK}},
        {"prompt": "rewritten", "delivery": [{"target": HOOK}]},
    ],
)
def test_our_webhook_address_is_the_surest_mark(job_input):
    assert payloads.same_request(body(**PARAMETERS), job_input)


@pytest.mark.parametrize(
    "job_input",
    [
        {},
        {"prompt": CONTENT["prompt"]},
        {**CONTENT, "prompt": "A red fox", "ideogramParams": PARAMETERS},
        {**CONTENT, "model": "ideogram-v4-quality", "ideogramParams": PARAMETERS},
        {**CONTENT, "ideogramParams": {**PARAMETERS, "seed": 6}},
        {**CONTENT, "ideogramParams": {**PARAMETERS, "aspect_ratio": "1:1"}},
        {**CONTENT, "ideogramParams": {"seed": 5}},
        {**CONTENT, **PARAMETERS, "aspect_ratio": "1:1"},
        {**CONTENT, "ideogramParams": PARAMETERS, "webhookUrl": HOOK + "2"},
        {**CONTENT, "ideogramParams": PARAMETERS, "webhook": {"url": HOOK + "2"}},
        {"body": {**CONTENT, "ideogramParams": PARAMETERS, "webhook_url": HOOK + "2"}},
    ],
)
def test_another_request(job_input):
    assert not payloads.same_request(body(**PARAMETERS), job_input)


def test_a_webhook_of_somebody_else_is_another_request_than_one_without():
    assert not payloads.same_request(body(webhook_url=None), {**CONTENT, "webhookUrl": HOOK})


def test_reference_addresses_are_content_and_no_webhooks():
    image = "https://example.com/a.png"
    sent = body(webhook_url=None, reference_image=image)
    assert payloads.same_request(sent, {**CONTENT, "ideogramParams": {"image": image}})
    assert payloads.same_request(sent, {**CONTENT, "image": image})
    assert not payloads.same_request(sent, {**CONTENT, "image": image + "2"})
    other = {**CONTENT, "prompt": "A red fox", "ideogramParams": {"image": image}}
    assert not payloads.same_request(sent, other)


@given(data=st.dictionaries(st.text(), json_values))
def test_any_input_is_judged(data):
    assert payloads.same_request(body(), data) in (True, False)
