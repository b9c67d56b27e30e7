"""Many new rows in one statement hold exactly what ``bulk_create`` writes one by one."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.db.models.signals import post_init
from django.test.utils import CaptureQueriesContext

from ideogram_django import inserting
from ideogram_django.models import GeneratedImage

pytestmark = pytest.mark.django_db


def drafts(extras: list[Any], **shared: Any) -> list[GeneratedImage]:
    return [
        GeneratedImage(prompt=f"Fox {number}", model="m", extra=extra, **shared)
        for number, extra in enumerate(extras)
    ]


def stored(images: list[GeneratedImage]) -> list[dict[str, Any]]:
    rows = GeneratedImage.objects.filter(pk__in=[image.pk for image in images]).order_by("pk")
    return [
        {name: value for name, value in row.items() if name not in ("id", "uuid", "created_at")}
        for row in rows.values()
    ]


def test_rows_are_what_bulk_create_makes_of_them() -> None:
    extras = [{"a": 1}, {"a": True}, {"a": 1.5}, {}, {"ü": [None, "“"]}]
    shared: dict[str, Any] = {
        "price": Decimal("0.03"),
        "style_reference_images": ["https://example.com/a.png"],
        "seed": 7,
        "decorative": True,
        "request_id": None,
    }
    ours = inserting.insert(drafts(extras, **shared))
    theirs = GeneratedImage.objects.bulk_create(drafts(extras, **shared))

    assert stored(ours) == stored(theirs)
    assert [row["extra"] for row in stored(ours)] == extras
    assert isinstance(stored(ours)[1]["extra"]["a"], bool)


def test_each_object_gets_the_key_of_its_own_row() -> None:
    images = inserting.insert(drafts([{}] * 30))

    found = dict(GeneratedImage.objects.values_list("pk", "uuid"))
    assert {image.pk: image.uuid for image in images} == found
    assert not any(image._state.adding for image in images)
    assert {image._state.db for image in images} == {"default"}
    images[3].prompt = "Saved again"
    images[3].save()
    assert GeneratedImage.objects.count() == 30


def test_chunks_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inserting, "CHUNK", 4)
    images = inserting.insert(drafts([{}] * 10))
    assert dict(GeneratedImage.objects.values_list("pk", "prompt")) == {
        image.pk: image.prompt for image in images
    }


def test_a_thousand_rows_cost_as_many_statements_as_two() -> None:
    def statements(count: int) -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            inserting.insert(drafts([{}] * count))
        return len(queries)

    assert statements(1000) == statements(2)


def test_all_or_none() -> None:
    images = drafts([{}, {}])
    images[1].uuid = images[0].uuid
    with pytest.raises(IntegrityError):
        inserting.insert(images)
    connection.needs_rollback = False


def test_nothing_is_written_for_nothing() -> None:
    assert inserting.insert([]) == []


def test_objects_with_a_key_go_the_usual_way() -> None:
    image = GeneratedImage(pk=77, prompt="Fox", model="m", uuid=uuid.uuid4())
    inserting.insert([image])
    assert GeneratedImage.objects.get(pk=77).uuid == image.uuid


def test_alike_is_as_if_each_were_made_by_itself(django_user_model: Any) -> None:
    user = django_user_model.objects.create(username="ed")
    common = {"requested_by": user, "bulk": True}
    each = [{"prompt": "One", "seed": 1}, {"prompt": "Two", "extra": {"a": 1}}, {"prompt": "Three"}]

    rows = inserting.alike(GeneratedImage, common, each)

    assert stored(inserting.insert(rows)) == stored(
        inserting.insert([GeneratedImage(**common, **own) for own in each])
    )
    assert all(row.requested_by is user for row in rows)


def test_alike_shares_nothing_that_can_change() -> None:
    first, second = inserting.alike(GeneratedImage, {"prompt": "Fox"}, [{}, {}])
    first.extra["mine"] = True
    first.style_reference_images.append("https://example.com/a.png")
    first.requested_by = None

    assert first.uuid != second.uuid
    assert (second.extra, second.style_reference_images) == ({}, [])
    assert first._state is not second._state
    assert first._state.fields_cache is not second._state.fields_cache


def test_alike_lets_a_site_hear_of_each_object() -> None:
    heard: list[str] = []

    def hear(instance: GeneratedImage, **_rest: Any) -> None:
        heard.append(instance.prompt)

    post_init.connect(hear, sender=GeneratedImage)
    try:
        inserting.alike(GeneratedImage, {}, [{"prompt": "One"}, {"prompt": "Two"}])
    finally:
        post_init.disconnect(hear, sender=GeneratedImage)
    assert heard == ["One", "Two"]
