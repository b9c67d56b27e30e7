"""Several pictures on one page: they share what is looked up, and nothing of one another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.template import Context, Template
from django.template.loaders.app_directories import Loader
from django.test import override_settings

from tests.test_templatetags import picture, unfinished

TAGS = (
    'generated_image ready caption="A <b>lake</b>" credit="Me" figure_class="wide" sizes="50vw"',
    "generated_image waiting alt=words",
    "generated_image newer",
    'generated_image ready alt=words fetchpriority="high" data_zoom="yes"',
    "generated_image none",
    "generated_image ready",
)


@pytest.fixture(autouse=True)
def own_media(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "media")


def rendered(*tags: str, before: str = "", after: str = "") -> str:
    source = "{% load ideogram %}" + before + "|".join("{% " + tag + " %}" for tag in tags) + after
    avif = {"name": "a/lake-640w.avif", "width": 640, "height": 360, "format": "avif"}
    context = {
        "ready": picture(),
        "waiting": unfinished(),
        "newer": picture(renditions=[avif]),
        "none": None,
        "words": 'A <"lake">',
        "caption": "The page's own",
        "figure": True,
    }
    return str(Template(source).render(Context(context)))


def with_loaders(settings: Any, *loaders: Any) -> None:
    (backend,) = settings.TEMPLATES
    options = {**backend["OPTIONS"], "loaders": list(loaders)}
    settings.TEMPLATES = [{**backend, "APP_DIRS": False, "OPTIONS": options}]


@override_settings(IDEOGRAM_DJANGO={"FORMATS": ["webp", "avif"]})
def test_no_picture_takes_anything_from_the_one_before_or_from_the_page() -> None:
    apart = [rendered(tag) for tag in TAGS]

    assert rendered(*TAGS) == "|".join(apart)
    assert rendered(*reversed(TAGS)) == "|".join(reversed(apart))
    assert len(set(apart)) == len(TAGS)
    assert "<figure" not in apart[-1]


def test_a_template_of_the_site_sees_the_variables_of_its_own_picture_alone(settings: Any) -> None:
    own = "{{ src }},{{ label }},{{ words }}"
    with_loaders(
        settings,
        (
            "django.template.loaders.locmem.Loader",
            {"ideogram_django/generated_image.html": own},
        ),
    )

    html = rendered("generated_image ready", "generated_image waiting", "generated_image ready")

    assert html == "/media/a/lake.png,,|,This picture is being made.,|/media/a/lake.png,,"


def test_a_page_without_escaping_gets_pictures_with_it() -> None:
    html = rendered(*TAGS, before="{% autoescape off %}", after="{% endautoescape %}")

    assert html == rendered(*TAGS)
    assert 'alt="A &lt;&quot;lake&quot;&gt;"' in html


def test_the_template_is_read_once_for_a_page(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    get_contents = Loader.get_contents

    def noted(self: Loader, origin: Any) -> str:
        contents = str(get_contents(self, origin))
        read.append(str(origin.template_name))
        return contents

    monkeypatch.setattr(Loader, "get_contents", noted)
    # Without Django's cache of templates, as in a development that wants to see every change.
    with_loaders(settings, "django.template.loaders.app_directories.Loader")

    rendered(*["generated_image ready"] * 20)

    assert sorted(read) == [
        "ideogram_django/generated_image.html",
        "ideogram_django/generated_image_picture.html",
    ]
