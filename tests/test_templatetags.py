"""The tags: exact HTML, stand-ins, placeholders, and no query per picture."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage
from django.template import Context, Template, TemplateSyntaxError
from django.utils.safestring import SafeString
from pytest_django import DjangoAssertNumQueries

from ideogram_django.models import GeneratedImage
from ideogram_django.templatetags.rendering import generated_image, picture_context
from tests.magazine.models import Article

WIDTHS = [
    {"name": "a/lake-320w.webp", "width": 320, "height": 180},
    {"name": "a/lake-640w.webp", "width": 640, "height": 360},
]


def picture(**columns: Any) -> GeneratedImage:
    return GeneratedImage(
        **{
            "prompt": "A lake",
            "status": "completed",
            "uploaded": True,
            "file": "a/lake.png",
            "width": 2560,
            "height": 1440,
            "renditions": WIDTHS,
            **columns,
        }
    )


def unfinished(**columns: Any) -> GeneratedImage:
    return picture(
        **{
            "status": "processing",
            "file": "",
            "width": None,
            "height": None,
            "renditions": [],
            **columns,
        }
    )


def render(tag: str, image: Any, **context: Any) -> SafeString:
    source = "{% load ideogram %}{% " + tag + " %}"
    return Template(source).render(Context({"image": image, **context}))


def test_finished_picture() -> None:
    html = render('generated_image image alt="A lake" sizes="50vw" class="hero"', picture())

    assert html == (
        '<img src="/media/a/lake.png" srcset="/media/a/lake-320w.webp 320w, '
        '/media/a/lake-640w.webp 640w, /media/a/lake.png 2560w" sizes="50vw" width="2560" '
        'height="1440" alt="A lake" loading="lazy" decoding="async" class="hero">'
    )


def test_picture_whose_widths_are_not_made_yet() -> None:
    html = render('generated_image image sizes="50vw"', picture(renditions=[], alt_text="Water"))

    assert html == (
        '<img src="/media/a/lake.png" width="2560" height="1440" alt="Water" loading="lazy" '
        'decoding="async">'
    )


@pytest.mark.parametrize(
    ("columns", "argument", "expected"),
    [
        ({"alt_text": "Own"}, 'alt="Given"', "Given"),
        ({"alt_text": "Own"}, 'alt=""', ""),
        ({"alt_text": "Own"}, "", "Own"),
        ({"alt_text": "Own", "decorative": True}, "", ""),
        ({}, "", ""),
    ],
)
def test_alt(columns: dict[str, Any], argument: str, expected: str) -> None:
    html = render(f"generated_image image {argument}", picture(**columns))
    assert f' alt="{expected}" ' in html


def test_everything_is_escaped() -> None:
    evil = '"><script>alert(1)</script>'
    html = render(
        "generated_image image alt=evil class=evil data_x=evil aria_describedby=evil",
        picture(file="a/b c,\"d'.png"),
        evil=evil,
    )

    assert "<script>" not in html
    assert html.count("&quot;&gt;&lt;script&gt;") == 4
    assert ' data-x="' in html
    assert ' aria-describedby="' in html
    assert "/media/a/b%20c%2C%22d'.png 2560w".replace("'", "&#x27;") in html


def test_attributes_that_are_empty_are_left_out() -> None:
    html = render('generated_image image loading="" class=None id="x"', picture(renditions=[]))
    assert html == (
        '<img src="/media/a/lake.png" width="2560" height="1440" alt="" decoding="async" id="x">'
    )


@pytest.mark.parametrize("image", [None, "", "a string"])
def test_no_picture_is_nothing(image: Any) -> None:
    assert render("generated_image image", image) == ""
    assert render("generated_image article.hero", None) == ""
    assert render("generated_image_url image", image) == ""


@pytest.mark.parametrize("status", ["draft", "pending", "processing", "failed", "cancelled"])
def test_the_replaced_picture_is_shown_until_the_new_one_is_there(status: str) -> None:
    new = unfinished(status=status, replaces=picture(pk=1, alt_text="The old lake"))

    assert render("generated_image image", new) == render(
        "generated_image image", picture(alt_text="The old lake")
    )


def test_new_picture_takes_over_when_it_is_completed() -> None:
    html = render("generated_image image", picture(file="new.png", replaces=picture(pk=1)))
    assert 'src="/media/new.png"' in html


def test_chain_is_walked_but_not_forever() -> None:
    image: GeneratedImage = picture(pk=1)
    for pk in range(2, 5):
        image = unfinished(pk=pk, replaces=image)
    assert 'src="/media/a/lake.png"' in render("generated_image image", image)

    circle = unfinished(pk=9)
    circle.replaces = circle
    assert render("generated_image image", circle).startswith("<svg ")


@pytest.mark.parametrize(
    ("columns", "box"),
    [
        ({"aspect_ratio": "16:9", "model": "ideogram-v4-turbo"}, "0 0 2560 1440"),
        ({"aspect_ratio": "3:2", "model": "some-new-model"}, "0 0 3 2"),
        ({"resolution": "1024x768"}, "0 0 1024 768"),
        ({"aspect_ratio": "broken"}, "0 0 1 1"),
    ],
)
def test_placeholder_has_the_right_shape(columns: dict[str, str], box: str) -> None:
    html = render('generated_image image class="hero"', unfinished(**columns))

    assert html == (
        f'<svg viewBox="{box}" width="100%" preserveAspectRatio="xMidYMid slice" role="img" '
        'aria-label="This picture is being made." class="hero"><rect width="100%" height="100%" '
        'fill="currentColor" fill-opacity="0.08"/></svg>'
    )


def test_placeholder_of_a_decorative_picture_says_nothing() -> None:
    html = render('generated_image image alt=""', unfinished())
    assert 'aria-hidden="true"' in html
    assert "role=" not in html


def test_storage_that_fails_costs_the_picture_not_the_page(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: Any, name: str) -> str:
        raise ConnectionError("no bucket")

    monkeypatch.setattr(FileSystemStorage, "url", broken)

    assert render("generated_image image", picture()).startswith("<svg ")
    assert render("generated_image_url image", picture()) == ""
    assert "cannot be told" in caplog.text


@pytest.mark.parametrize(
    ("tag", "sentence"),
    [
        ("generated_image", "needs a picture"),
        ('generated_image image atl="x"', "does not know “atl”. There are: alt, class, decoding"),
        ('generated_image image onclick="x"', "does not know “onclick”"),
        ('generated_image image src="x"', "does not know “src”"),
        ('generated_image image "hero"', "is neither"),
    ],
)
def test_wrong_arguments_name_the_right_ones(tag: str, sentence: str) -> None:
    with pytest.raises(TemplateSyntaxError, match=sentence):
        render(tag, picture())


def test_other_template_languages_call_the_function() -> None:
    assert generated_image(picture(), alt="A lake") == render(
        'generated_image image alt="A lake"', picture()
    )
    with pytest.raises(TypeError, match="atl"):
        picture_context(picture(), atl="x")


@pytest.mark.parametrize(
    ("argument", "name"),
    [
        ("", "lake.png"),
        ("width=100", "lake-320w.webp"),
        ("width=320", "lake-320w.webp"),
        ("width=321", "lake-640w.webp"),
        ("width=641", "lake.png"),
        ("width=9999", "lake.png"),
    ],
)
def test_url(argument: str, name: str) -> None:
    assert render(f"generated_image_url image {argument}", picture()) == f"/media/a/{name}"


@pytest.mark.django_db
@pytest.mark.parametrize("pictures", [1, 5])
def test_no_query_per_tag(pictures: int, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for number in range(pictures):
        old = picture()
        old.save()
        new = unfinished(replaces=old, status="draft")
        new.save()
        Article.objects.create(title=str(number), hero=new)
    template = Template(
        "{% load ideogram %}{% for article in articles %}{% generated_image article.hero %}"
        "{% endfor %}{% for image in images %}{% generated_image image %}{% endfor %}"
    )

    with django_assert_num_queries(2):
        html = template.render(
            Context(
                {
                    "articles": Article.objects.select_related("hero__replaces"),
                    "images": GeneratedImage.objects.for_display().drafts(),
                }
            )
        )

    assert html.count('<img src="/media/a/lake.png"') == 2 * pictures
