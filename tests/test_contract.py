"""Every request that the client sends fits the provider's schema, seen from the other end."""

from __future__ import annotations

import email
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import ValidationError

from ideogram_django.apiframe import catalogue
from ideogram_django.apiframe.client import Client
from ideogram_django.apiframe.payloads import JobStatus, submit_body
from ideogram_django.exceptions import InvalidRequest
from tests import openapi
from tests.stub_provider import Received, StubProvider, running_stub

ID = "0b5f0a3e-8a54-4c6f-9a0e-3c1f6d2b7a10"
PICTURE = "https://cdn2.apiframe.ai/uploads/a%20b.png?x=1"
HOOK = "https://site.example/ideogram/webhook/1/to:ken/"
PRICES = dict.fromkeys(catalogue.MODELS, 5)
FREE_VALUES = {
    "negative_prompt": ["blur", "é\n🦊", "a" * 2000],
    "seed": [0, 1, 2147483647],
    "resolution": ["1024x1024", "1440x2880"],
    "reference_image": [PICTURE],
    "style_reference_images": [[PICTURE], [PICTURE] * 3],
    "style_preset": ["Pop Art", "80s Illustration"],
}


@pytest.fixture
def provider() -> Iterator[StubProvider]:
    with running_stub() as stub:
        yield stub


@pytest.fixture
def client(provider) -> Iterator[Client]:
    made = Client(
        api_key="afk_" + "0" * 40, base_url=provider.origin, connect_timeout=5, deadline=20
    )
    yield made
    made.close()


def orders(model: catalogue.Model) -> Iterator[dict[str, object]]:
    """No parameter, each parameter with each value, then many together."""
    yield {}
    together: dict[str, object] = {}
    for name, choices in model.parameters.items():
        for value in choices or FREE_VALUES[name]:
            yield {name: value}
        together[name] = (choices or FREE_VALUES[name])[-1]
    yield {name: value for name, value in together.items() if name != "resolution"}


def last(provider: StubProvider) -> Received:
    return provider.received[-1]


def test_the_catalogue_has_the_ten_models_of_the_schema():
    assert sorted(catalogue.MODELS) == sorted(openapi.IDEOGRAM_IDS)


@pytest.mark.parametrize("model", openapi.IDEOGRAM_IDS)
@pytest.mark.parametrize("webhook_url", [None, HOOK])
def test_submissions(client, provider, model, webhook_url):
    for parameters in orders(catalogue.get_model(model)):
        request = catalogue.clean_request(
            prompt="A red fox 🦊", model=model, parameters=parameters, prices=PRICES
        )
        body = submit_body(request, webhook_url=webhook_url, webhook_url_key="webhookUrl")
        provider.answer(202, {"jobId": ID, "status": "QUEUED"})
        client.submit(body, ID)
        received = last(provider)
        openapi.check(received.json, openapi.GENERATE)
        openapi.check(received.headers["Idempotency-Key"], openapi.IDEMPOTENCY_KEY)
        sent = received.json.get("ideogramParams", {})
        assert len(sent) == len(parameters)
        assert ("webhookUrl" in received.json) is (webhook_url is not None)


@given(
    prompt=st.text(min_size=1),
    model=st.sampled_from(openapi.IDEOGRAM_IDS),
    parameters=st.dictionaries(
        st.sampled_from(catalogue.PARAMETERS),
        st.text() | st.integers() | st.booleans() | st.lists(st.text()) | st.just(PICTURE),
    ),
)
def test_whatever_the_catalogue_lets_through_fits_the_schema(prompt, model, parameters):
    try:
        request = catalogue.clean_request(
            prompt=prompt, model=model, parameters=parameters, prices=PRICES
        )
    except InvalidRequest:
        return
    body = submit_body(request, webhook_url=HOOK, webhook_url_key="webhookUrl")
    openapi.check(json.loads(body), openapi.GENERATE)


def test_the_longest_prompt_fits_as_the_provider_counts():
    for prompt in ("a" * 2000, "🦊" * 1000):
        request = catalogue.clean_request(
            prompt=prompt, model="ideogram-v4-turbo", parameters={}, prices={}
        )
        sent = json.loads(submit_body(request, webhook_url=None, webhook_url_key="webhookUrl"))
        assert len(sent["prompt"].encode("utf-16-le")) // 2 == 2000


def test_job_lists(client, provider):
    for status in (None, *(status for status in JobStatus if status is not JobStatus.UNKNOWN)):
        for limit in (1, 100):
            for cursor in (None, "MjAyNi0w+/=="):
                provider.answer(200, {"jobs": [], "nextCursor": None, "hasMore": False})
                client.jobs(limit=limit, cursor=cursor, status=status)
                assert last(provider).path == "/v2/jobs"
                openapi.check(last(provider).query, openapi.JOB_LIST_QUERY)


def test_a_job(client, provider):
    provider.answer(200, {"id": ID, "status": "QUEUED"})
    client.job(ID)
    openapi.check(last(provider).path.removeprefix("/v2/jobs/"), openapi.JOB_PATH)
    assert last(provider).query == {}


def test_the_account(client, provider):
    provider.answer(200, {"user": {}})
    client.me()
    assert (last(provider).path, last(provider).query) == ("/v2/me", {})


@pytest.mark.parametrize("modality", ["image", "video", "music"])
def test_the_price_list(client, provider, modality):
    provider.answer(200, {"models": []})
    client.models(modality)
    openapi.check(last(provider).query, openapi.MODEL_LIST_QUERY)


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg", "image/webp"])
def test_uploads(client, provider, kind):
    provider.answer(201, {"url": PICTURE})
    client.upload(b"\x89PNG\r\n\x00", "picture", kind)
    received = last(provider)
    head = f"Content-Type: {received.headers['Content-Type']}\r\n\r\n".encode()
    parts = email.message_from_bytes(head + received.body).get_payload()
    fields = {
        part.get_param("name", header="Content-Disposition"): part.get_payload() for part in parts
    }
    openapi.check(fields, openapi.UPLOAD)
    assert list(fields) == ["file"]
    assert parts[0].get_content_type() == kind


@pytest.mark.parametrize(
    "body",
    [
        {"model": "ideogram-v4-turbo"},
        {"prompt": "", "model": "ideogram-v4-turbo"},
        {"prompt": "x", "model": "ideogram-v3"},
        {"prompt": "x", "model": "ideogram-v4-turbo", "webhook_url": HOOK},
        {"prompt": "x", "model": "ideogram-v4-turbo", "webhookUrl": "nowhere"},
        {"prompt": "x", "model": "ideogram-v4-turbo", "webhookEvents": []},
        {"prompt": "x", "model": "ideogram-v4-turbo", "ideogramParams": {"reference_image": "x"}},
        {"prompt": "x", "model": "ideogram-v4-turbo", "ideogramParams": {"seed": 1.5}},
        {"prompt": "x", "model": "ideogram-v4-turbo", "ideogramParams": {"image": "a b"}},
    ],
)
def test_the_schema_refuses_what_the_provider_would(body):
    with pytest.raises(ValidationError):
        openapi.check(body, openapi.GENERATE)
