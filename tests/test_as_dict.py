"""What an API may pass on: plain values under keys that stay, and nothing that is nobody's."""

from __future__ import annotations

import json
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.utils import translation
from pytest_django import DjangoAssertNumQueries

from ideogram_django import conf
from ideogram_django.models import GeneratedImage, ProfileVersion, PromptProfile, Run
from ideogram_django.runs import feeding
from ideogram_django.testing import Ideogram
from tests.test_make import png

pytestmark = pytest.mark.django_db

KEYS = {
    "uuid", "status", "label", "sentence", "is_finished", "progress", "prompt", "typed_prompt",
    "profile", "profile_version", "model", "parameters", "uploaded", "picked", "parent", "batch",
    "run", "url", "width", "height", "format", "renditions", "color", "alt_text", "decorative",
    "price", "cost", "currency", "error_code", "error_message", "created_at", "finished_at",
}  # fmt: skip
RUN_KEYS = {
    "uuid", "name", "source", "state", "label", "is_over", "pause", "pause_message", "ceiling",
    "currency", "at_once", "approve", "created_at", "started_at", "finished_at", "count",
    "waiting", "in_progress", "completed", "failed", "unusable", "done", "percent", "by_status",
    "by_error", "to_come", "reserved", "charged", "committed",
}  # fmt: skip
"""Promised: a key may come, none may go. docs/rest.md lists them."""


def test_a_finished_picture(ideogram: Ideogram, settings: Any) -> None:
    profile = PromptProfile.objects.create(name="season")
    ProfileVersion.objects.create(profile=profile, number=1, suffix="Linocut.")
    image = GeneratedImage.objects.generate(
        "A fox", profile="season", aspect_ratio="16:9", alt_text="A fox at night"
    )
    ideogram.finish()
    image.refresh_from_db()
    told = image.as_dict()
    assert set(told) == KEYS
    assert json.loads(json.dumps(told)) == told
    assert told["uuid"] == str(image.uuid)
    assert (told["prompt"], told["typed_prompt"]) == ("A fox Linocut.", "A fox")
    assert (told["profile"], told["profile_version"]) == ("season", 1)
    assert told["parameters"] == {"aspect_ratio": "16:9"}
    assert (told["price"], told["cost"], told["currency"]) == ("0.03", "0.03", "USD")
    assert told["sentence"] == "The file is in this site’s own storage."
    assert (told["label"], told["is_finished"], told["progress"]) == ("Finished", True, 100)
    assert told["alt_text"] == "A fox at night"
    assert told["url"] == image.file.url
    assert [(one["width"], one["format"]) for one in told["renditions"]] == [
        (320, "webp"),
        (640, "webp"),
    ]
    for one in told["renditions"]:
        assert one["url"].startswith("/media/ideogram/")
        assert one["height"] == pytest.approx(one["width"] * image.height / image.width, abs=1)
        assert set(one) == {"url", "width", "height", "format"}


def test_no_secret_and_nothing_of_the_provider(ideogram: Ideogram, settings: Any) -> None:
    image = GeneratedImage.objects.generate("A fox", extra={"tenant": "red"})
    ideogram.finish()
    image.refresh_from_db()
    assert image.result_url
    plain = json.dumps(image.as_dict())
    for secret in (
        settings.IDEOGRAM_DJANGO["API_KEY"],
        image.result_url,
        ideogram.twin.base_url,
        image.job_id,
        str(image.charge.idempotency_key),
        image.sha256,
        "tenant",
    ):
        assert secret not in plain
    assert f'"{image.file.name}"' not in plain


def test_a_failure_says_why_in_the_readers_language(ideogram: Ideogram) -> None:
    ideogram.fail_next("policy")
    image = GeneratedImage.objects.generate("A fox")
    ideogram.finish()
    image.refresh_from_db()
    told = image.as_dict()
    assert told["error_code"] == "refused"
    assert told["sentence"] == told["error_message"]
    assert (told["url"], told["renditions"], told["cost"]) == ("", [], "0")
    with translation.override("de"):
        assert image.as_dict()["sentence"] != told["sentence"]


def test_a_picture_that_is_nothing_yet() -> None:
    told = GeneratedImage(prompt="A fox").as_dict()
    assert set(told) == KEYS
    assert told["sentence"] == "A draft. Nothing was sent, nothing was spent."
    nothing = ("price", "cost", "width", "parent", "batch", "run", "finished_at", "created_at")
    assert {told[key] for key in nothing} == {None}


def test_own_work() -> None:
    told = GeneratedImage.objects.from_upload(png()).as_dict()
    assert told["uploaded"] is True
    assert told["sentence"].startswith("Own work")


def test_relatives_are_public_ids_and_a_list_of_them_costs_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    parent = GeneratedImage.objects.create(prompt="A fox", model="ideogram-v4-turbo")
    run = Run.objects.prepare([{"prompt": "A"}, {"prompt": "B"}], name="Foxes", parent=parent)
    with django_assert_num_queries(1):
        rows = GeneratedImage.objects.filter(run=run).select_related("parent", "run")
        told = [image.as_dict() for image in rows]
    assert {(one["parent"], one["run"], one["batch"]) for one in told} == {
        (str(parent.uuid), str(run.uuid), str(run.uuid))
    }


def test_a_run(ideogram: Ideogram, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    run_id = uuid.uuid4()
    run = Run.objects.prepare(
        [{"prompt": "A"}, {"prompt": "B [fail]"}, {"prompt": "C"}],
        name="Foxes",
        run_id=run_id,
        ceiling=Decimal("0.06"),
        at_once=2,
    )
    run.start()
    feeding.feed(conf.current())
    ideogram.finish()
    feeding.feed(conf.current())
    feeding.feed(conf.current())
    ideogram.finish()
    run.refresh_from_db()
    with django_assert_num_queries(2):
        told = run.as_dict()
    assert set(told) == RUN_KEYS
    assert json.loads(json.dumps(told)) == told
    assert told["uuid"] == str(run_id)
    assert (told["ceiling"], told["charged"], told["to_come"]) == ("0.06", "0.06", "0")
    assert (told["completed"], told["failed"], told["percent"]) == (2, 1, 100)
    assert told["by_error"] == {"provider_failed": 1}
    assert told["by_status"] == {"completed": 2, "failed": 1}

    other = Run.objects.prepare([{"prompt": "A"}], name="Hares")
    other.start()
    other.halt()
    told = other.as_dict()
    assert (told["state"], told["pause"]) == ("paused", "person")
    assert told["pause_message"] == "Somebody paused it."
