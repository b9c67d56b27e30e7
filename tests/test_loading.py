"""Rows become instances: as Django makes them, only sooner."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from django.db import models
from django.db.models.signals import post_init, pre_init
from pytest_django import DjangoAssertNumQueries

from ideogram_django.models import GeneratedImage
from tests.magazine.models import Article

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def picture() -> GeneratedImage:
    old = GeneratedImage.objects.create(
        prompt="A pond",
        status="completed",
        uploaded=True,
        file="a/pond.png",
        width=10,
        height=10,
        renditions=[{"name": "a/pond-5w.webp", "width": 5, "height": 5}],
        extra={"shelf": 7},
    )
    return GeneratedImage.objects.create(
        prompt="A lake", status="completed", uploaded=True, file="a/lake.png", replaces=old
    )


def as_django_makes_it(*args: Any, **kwargs: Any) -> Any:
    return models.Model.from_db.__func__(*args, **kwargs)  # type: ignore[attr-defined]


def contents(image: GeneratedImage | None) -> dict[str, Any]:
    """Everything that an instance holds, with those that it points at."""
    if image is None:
        return {}
    besides = ("_state", "_django_version")  # the second is only for pickles
    held = {name: value for name, value in vars(image).items() if name not in besides}
    state = {name: value for name, value in vars(image._state).items() if name != "peers"}
    cached = state.pop("fields_cache", {})
    return (
        held | {"state": state} | {f"cached {name}": contents(one) for name, one in cached.items()}
    )


QUERYSETS = {
    "whole": GeneratedImage.objects.order_by("pk"),
    "deferred": GeneratedImage.objects.order_by("pk").defer("prompt", "extra", "parent"),
    "only": GeneratedImage.objects.order_by("pk").only("file", "renditions"),
    "related": GeneratedImage.objects.order_by("pk").select_related("replaces"),
    "some of related": GeneratedImage.objects.order_by("pk")
    .select_related("replaces")
    .defer("replaces__prompt", "width"),
    "annotated": GeneratedImage.objects.order_by("pk").annotate(twice=models.F("width") * 2),
    "raw": GeneratedImage.objects.raw(
        "SELECT height, id, prompt, width AS broad FROM ideogram_django_generatedimage ORDER BY id"
    ),
}


@pytest.mark.parametrize("name", QUERYSETS)
def test_an_instance_holds_what_django_puts_into_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = [contents(image) for image in copy.deepcopy(QUERYSETS[name])]
    monkeypatch.setattr(GeneratedImage, "from_db", classmethod(as_django_makes_it))
    theirs = [contents(image) for image in copy.deepcopy(QUERYSETS[name])]

    assert ours == theirs
    assert len(ours) == 2


def test_what_was_not_loaded_is_fetched_when_it_is_asked_for(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    image = GeneratedImage.objects.only("width").latest("pk")
    assert "prompt" in image.get_deferred_fields()
    with django_assert_num_queries(2):
        assert image.prompt == "A lake"
        assert image.file.name == "a/lake.png"
        assert image.prompt == "A lake"
    image.refresh_from_db()
    image.width = 20
    image.save(update_fields=["width"])
    assert GeneratedImage.objects.get(pk=image.pk).width == 20


def test_an_instance_survives_copying_and_pickling() -> None:
    image = GeneratedImage.objects.latest("pk")
    for twin in (copy.copy(image), copy.deepcopy(image), pickle.loads(pickle.dumps(image))):  # noqa: S301
        assert twin == image
        assert contents(twin) == contents(image)
        twin.save()
    assert GeneratedImage.objects.count() == 2


@pytest.mark.parametrize("signal", [pre_init, post_init])
@pytest.mark.parametrize("sender", [None, GeneratedImage, Article])
def test_whoever_listens_is_told(signal: Any, sender: Any) -> None:
    heard: list[Any] = []

    def listener(sender: Any, **kwargs: Any) -> None:
        heard.append(sender)

    signal.connect(listener, sender=sender)
    try:
        list(GeneratedImage.objects.all())
    finally:
        signal.disconnect(listener, sender=sender)

    assert heard == ([] if sender is Article else [GeneratedImage] * 2)


def test_a_class_of_the_site_s_own_is_made_by_itself() -> None:
    class Framed(GeneratedImage):
        class Meta:
            proxy = True
            app_label = "magazine"

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.frame = f"gold for {self.prompt}"

    try:
        assert [image.frame for image in Framed._default_manager.order_by("pk")] == [
            "gold for A pond",
            "gold for A lake",
        ]
    finally:
        del Framed._meta.apps.all_models["magazine"]["framed"]
        Framed._meta.apps.clear_cache()
