"""The tags: exact HTML, stand-ins, placeholders, and no query per picture."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage
from django.db import connection
from django.db.models import Prefetch
from django.template import Context, Template, TemplateSyntaxError
from django.test.utils import CaptureQueriesContext
from django.utils.safestring import SafeString
from pytest_django import DjangoAssertNumQueries

import ideogram_django
from ideogram_django.models import GeneratedImage, Place
from ideogram_django.templatetags.ideogram import register
from ideogram_django.templatetags.rendering import ARGUMENTS, generated_image, picture_context
from tests.magazine.models import Article

WIDTHS = [
    {"name": "a/lake-320w.webp", "width": 320, "height": 180},
    {"name": "a/lake-640w.webp", "width": 640, "height": 360},
]


@pytest.fixture(autouse=True)
def own_media(settings: Any, tmp_path: Path) -> None:
    """A folder without files: where another test's lie, a picture without its own is "gone"."""
    settings.MEDIA_ROOT = str(tmp_path / "media")


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
        ('generated_image image atl="x"', "does not know “atl”. There are: alt, caption, class"),
        ('generated_image image onclick="x"', "does not know “onclick”"),
        ('generated_image image src="x"', "does not know “src”"),
        ('generated_image image "hero"', "is neither"),
        ('generated_image alt="x"', "needs a picture"),
        ("generated_image_for", "needs the key of a place"),
        ('generated_image_for "hero" colour="x"', "does not know “colour”"),
        ('generated_image_for "hero" "season"', "then keywords: profile, alt"),
        ('generated_image image profile="x"', "does not know “profile”"),
        ('generated_image image loading="soon"', "cannot have “soon” for “loading”.*lazy, eager"),
        ("generated_image image fetchpriority=evil", "cannot have “soon” for .*high, low, auto"),
        ('generated_image image decoding="fast"', "async, sync, auto"),
        ('generated_image_url image width="wide"', "a whole number above 0"),
        ("generated_image_url image width=0", "a whole number above 0"),
    ],
)
def test_wrong_arguments_name_the_right_ones(tag: str, sentence: str) -> None:
    with pytest.raises(TemplateSyntaxError, match=sentence):
        render(tag, picture(), evil="soon")


@pytest.mark.parametrize(
    "tag", ['generated_image image loading="soon"', 'generated_image image atl="x"']
)
def test_what_stands_in_the_template_is_checked_when_it_is_loaded(tag: str) -> None:
    with pytest.raises(TemplateSyntaxError):
        Template("{% load ideogram %}{% if False %}{% " + tag + " %}{% endif %}")


def test_other_template_languages_call_the_function() -> None:
    assert generated_image(picture(), alt="A lake") == render(
        'generated_image image alt="A lake"', picture()
    )
    with pytest.raises(TypeError, match="atl"):
        picture_context(picture(), atl="x")
    with pytest.raises(TypeError, match="atl"):
        generated_image(None, atl="x")


def test_jinja2() -> None:
    """The environment that the documentation shows, word for word."""
    jinja2 = pytest.importorskip("jinja2")
    [source] = [block for block in blocks(GUIDE, "python") if "def environment" in block]
    names: dict[str, Any] = {}
    exec(source, names)  # noqa: S102
    env = names["environment"](autoescape=True)
    assert isinstance(env, jinja2.Environment)
    page = env.from_string(
        '{{ generated_image(image, alt=alt, **{"class": "hero"}) }}|'
        '{{ generated_image(image, loading="eager", class="hero") }}|'
        "{{ generated_image_url(image, width=600) }}|{{ generated_image(none) }}"
    )

    parts = page.render(image=picture(), alt='"<b>').split("|")

    assert parts == [
        render("generated_image image alt=alt class='hero'", picture(), alt='"<b>'),
        render("generated_image image loading='eager' class='hero'", picture()),
        "/media/a/lake-640w.webp",
        "",
    ]


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


# --- formats ------------------------------------------------------------------------------------


AVIF_TOO = [
    {"name": "a/lake-320w.webp", "width": 320, "height": 180, "format": "webp"},
    {"name": "a/lake-320w.avif", "width": 320, "height": 180, "format": "avif"},
    {"name": "a/lake-2560w.avif", "width": 2560, "height": 1440, "format": "avif"},
]


def ask_for(settings: Any, *formats: str) -> None:
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "FORMATS": formats}


def test_avif_stands_in_a_source_of_its_own(settings: Any) -> None:
    ask_for(settings, "webp", "avif")
    html = render('generated_image image sizes="50vw" class="hero"', picture(renditions=AVIF_TOO))

    assert html == (
        '<picture><source type="image/avif" srcset="/media/a/lake-320w.avif 320w, '
        '/media/a/lake-2560w.avif 2560w" sizes="50vw"><img src="/media/a/lake.png" '
        'srcset="/media/a/lake-320w.webp 320w, /media/a/lake.png 2560w" sizes="50vw" '
        'width="2560" height="1440" alt="" loading="lazy" decoding="async" class="hero"></picture>'
    )
    assert render("generated_image_url image width=200", picture(renditions=AVIF_TOO)) == (
        "/media/a/lake-320w.webp"
    )


def test_avif_alone(settings: Any) -> None:
    ask_for(settings, "avif")
    html = render('generated_image image sizes="50vw"', picture(renditions=AVIF_TOO[1:]))

    assert html == (
        '<picture><source type="image/avif" srcset="/media/a/lake-320w.avif 320w, '
        '/media/a/lake-2560w.avif 2560w" sizes="50vw"><img src="/media/a/lake.png" '
        'width="2560" height="1440" alt="" loading="lazy" decoding="async"></picture>'
    )


def test_a_format_that_is_not_wanted_any_more_is_not_shown(settings: Any) -> None:
    ask_for(settings, "webp")
    html = render("generated_image image", picture(renditions=AVIF_TOO))
    assert html == render("generated_image image", picture(renditions=AVIF_TOO[:1]))
    assert html.startswith("<img ")


# --- figures ------------------------------------------------------------------------------------


IMG = (
    '<img src="/media/a/lake.png" width="2560" height="1440" alt="" loading="lazy" '
    'decoding="async">'
)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("figure=True", f"<figure>{IMG}</figure>"),
        ('figure_class="wide"', f'<figure class="wide">{IMG}</figure>'),
        (
            'caption="A <em>lake</em>"',
            f"<figure>{IMG}<figcaption>A <em>lake</em></figcaption></figure>",
        ),
        (
            "caption=evil",
            f"<figure>{IMG}<figcaption>&lt;b&gt;&amp;</figcaption></figure>",
        ),
        (
            "caption=evil credit=evil figure_class=evil",
            f'<figure class="&lt;b&gt;&amp;">{IMG}<figcaption>&lt;b&gt;&amp; '
            "<small>&lt;b&gt;&amp;</small></figcaption></figure>",
        ),
        (
            'credit="Roe"',
            f"<figure>{IMG}<figcaption><small>Roe</small></figcaption></figure>",
        ),
        ('caption="" credit=None figure=False', IMG),
    ],
)
def test_figure(arguments: str, expected: str) -> None:
    html = render(f"generated_image image {arguments}", picture(renditions=[]), evil="<b>&")
    assert html == expected


def test_credit_for_what_was_made_and_for_own_work() -> None:
    tag = 'generated_image image credit=True caption="A lake"'
    made = render(tag, picture(uploaded=False))
    own = render(tag, picture(uploaded=True))
    assert "<figcaption>A lake <small>Picture made with AI</small></figcaption>" in made
    assert "<figcaption>A lake</figcaption>" in own
    assert "<figure" not in render("generated_image image credit=True", picture(uploaded=True))
    # What is shown counts, not what is being made.
    replacing = unfinished(uploaded=False, replaces=picture(pk=1, uploaded=True))
    assert "<small>" not in render(tag, replacing)


def test_a_figure_holds_the_placeholder_too() -> None:
    html = render('generated_image image caption="A lake"', unfinished())
    assert html.startswith("<figure><svg ")
    assert html.endswith("</svg><figcaption>A lake</figcaption></figure>")


# --- attributes ---------------------------------------------------------------------------------


def test_what_is_urgent_is_not_lazy() -> None:
    html = render('generated_image image fetchpriority="high"', picture(renditions=[]))
    assert html.endswith(' alt="" decoding="async" fetchpriority="high">')
    html = render('generated_image image fetchpriority="low"', picture(renditions=[]))
    assert html.endswith(' alt="" loading="lazy" decoding="async" fetchpriority="low">')


def test_text_in_the_template_is_text_in_an_attribute() -> None:
    """Django marks it as safe HTML, where a quotation mark would end the attribute."""
    html = render("""generated_image image alt='The "Open late" sign & you'""", picture())
    assert ' alt="The &quot;Open late&quot; sign &amp; you" ' in html


def test_a_label_of_its_own_does_not_double_the_placeholder_s() -> None:
    html = render('generated_image image aria_label="A lake" loading="eager"', unfinished())
    assert html.count("aria-label=") == 1
    assert "loading" not in html


# --- files that are gone ------------------------------------------------------------------------


@pytest.fixture
def media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = str(tmp_path)
    (tmp_path / "a").mkdir()
    return tmp_path / "a"


def test_a_lost_original_leaves_its_copies(media: Path) -> None:
    (media / "lake-320w.webp").touch()
    html = render('generated_image image sizes="50vw"', picture(color="#102030"))
    assert html == (
        '<img src="/media/a/lake-320w.webp" width="2560" height="1440" alt="" loading="lazy" '
        'decoding="async">'
    )
    assert render("generated_image_url image", picture()) == "/media/a/lake-320w.webp"


def test_where_all_is_lost_there_is_a_placeholder(
    media: Path, caplog: pytest.LogCaptureFixture
) -> None:
    html = render("generated_image image", picture(color="#102030"))
    assert html == (
        '<svg viewBox="0 0 2560 1440" width="100%" preserveAspectRatio="xMidYMid slice" role="img" '
        'aria-label="There is no picture yet."><rect width="100%" height="100%" fill="#102030"/>'
        "</svg>"
    )
    assert render("generated_image_url image", picture()) == ""
    assert "is gone" in caplog.text


def test_a_file_that_is_there(media: Path) -> None:
    (media / "lake.png").touch()
    assert "/media/a/lake-320w.webp 320w" in render("generated_image image", picture())


def test_files_of_another_machine_are_not_taken_for_lost(settings: Any, tmp_path: Path) -> None:
    """The folder is not here either; nor does a missing file beside nothing prove anything."""
    settings.MEDIA_ROOT = str(tmp_path)
    assert render("generated_image image", picture()).startswith("<img ")
    assert render("generated_image image", picture(file="lake.png")).startswith("<img ")


def test_a_storage_without_paths_is_believed(media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_path(self: Any, name: str) -> str:
        raise NotImplementedError

    monkeypatch.setattr(FileSystemStorage, "path", no_path)
    assert render("generated_image image", picture()).startswith("<img ")


# --- queries ------------------------------------------------------------------------------------


def fill(color: str) -> str:
    return f'<rect width="100%" height="100%" fill="{color}"/>'


@pytest.mark.parametrize(
    ("own", "expected"),
    [("#111111", "#111111"), ("", "#222222")],
)
def test_the_placeholder_has_the_colour_of_what_it_was_made_from(own: str, expected: str) -> None:
    image = unfinished(color=own, parent=picture(pk=1, color="#222222"))
    assert fill(expected) in render("generated_image image", image)


def test_a_colour_is_not_worth_a_query() -> None:
    """Without a database, any query would be an error."""
    html = render("generated_image image", unfinished(parent_id=77))
    assert 'fill="currentColor" fill-opacity="0.08"' in html


def saved(**columns: Any) -> GeneratedImage:
    image = picture(**columns)
    image.save()
    return image


def a_page(rows: int) -> None:
    """Articles whose pictures are finished, replace others over one and two steps, or nothing."""
    for number in range(rows):
        old = saved()
        failed = saved(status="failed", file="", uploaded=True, replaces=old)
        pictures = [
            saved(replaces=old),
            saved(status="draft", file="", replaces=old),
            saved(status="draft", file="", replaces=failed),
            saved(status="draft", file="", parent=saved(color="#123456", file="b/parent.png")),
            None,
        ]
        for kind, hero in enumerate(pictures):
            Article.objects.create(title=f"{number}.{kind}", hero=hero)


def test_every_picture_of_a_page_costs_the_same_queries(db: None) -> None:
    template = Template(
        "{% load ideogram %}{% for article in articles %}{% generated_image article.hero %}"
        "{% endfor %}{% for image in images %}{% generated_image image %}"
        "{% generated_image_url image width=300 %}{% endfor %}"
    )
    sizes = {}
    for rows in (1, 20):
        Article.objects.all().delete()
        a_page(rows)
        pictures = GeneratedImage.objects.for_display()
        articles = Article.objects.prefetch_related(Prefetch("hero", queryset=pictures))
        with CaptureQueriesContext(connection) as queries:
            html = template.render(
                Context({"articles": articles, "images": pictures.filter(status="draft")})
            )
        sizes[rows] = len(queries)
        assert html.count(fill("#123456")) >= 2 * rows  # articles and pictures
        assert html.count("<svg ") == html.count(fill("#123456"))
        assert html.count("<img ") >= 5 * rows
    # Articles, their pictures, a second step back, what others were made from; and so on for the
    # pictures alone.
    assert sizes == {1: 7, 20: 7}


def test_a_finished_page_costs_one_query(
    db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _number in range(100):
        saved(replaces=saved())
    with django_assert_num_queries(1):
        html = Template(
            "{% load ideogram %}{% for image in images %}{% generated_image image %}{% endfor %}"
        ).render(Context({"images": GeneratedImage.objects.for_display()}))
    assert html.count("<img ") == 200


def test_for_display_is_a_queryset_like_any_other(db: None) -> None:
    old = saved()
    new = saved(status="draft", file="", replaces=saved(status="failed", file="", replaces=old))
    pictures = GeneratedImage.objects.for_display()

    assert pictures.get(pk=new.pk) == new
    assert pictures.drafts().first() == new
    assert pictures.count() == 3
    assert list(pictures.values_list("pk", flat=True)[:1]) == [new.pk]
    assert next(image.pk for image in pictures.order_by("pk").iterator()) == old.pk
    assert pictures.none().first() is None


def test_pictures_that_replace_each_other_end_somewhere(db: None) -> None:
    one = saved(status="draft", file="")
    GeneratedImage.objects.filter(pk=one.pk).update(replaces=one)
    [found] = GeneratedImage.objects.for_display()
    assert render("generated_image image", found).startswith("<svg ")


@pytest.mark.django_db
@pytest.mark.parametrize("pictures", [1, 100])
def test_one_step_back_needs_no_more_than_a_join(
    pictures: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
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


# --- documentation ------------------------------------------------------------------------------


ROOT = Path(ideogram_django.__file__).parent.parent
GUIDE = ROOT / "docs/templates.md"


def blocks(path: Path, language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```", path.read_text("utf-8"), re.DOTALL | re.M)
    assert found
    return found


def examples(path: Path) -> list[Any]:
    """Each ``html`` block with the ``django`` block before it."""
    text, pairs, source = path.read_text("utf-8"), [], ""
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```", text, re.DOTALL | re.M):
        if language == "django":
            source = block
        elif language == "html":
            pairs.append(pytest.param(source, block, id=f"{path.name}-{len(pairs)}"))
    return pairs


def one_line(html: str) -> str:
    return " ".join(html.split())


def stored(name: str, *copies: tuple[int, str, str]) -> list[dict[str, Any]]:
    return [
        {"name": f"{name}-{width}w-{mark}.{format}", "width": width, "format": format}
        for width, mark, format in copies
    ]


def saved_copy(image: GeneratedImage) -> GeneratedImage:
    """As own work: without a charge no other picture may be finished."""
    twin = copy.copy(image)
    twin.uploaded = True
    twin.save()
    return twin


@pytest.mark.django_db
@pytest.mark.parametrize(("source", "html"), [*examples(ROOT / "README.md"), *examples(GUIDE)])
def test_the_documentation_shows_what_comes_out(source: str, html: str, settings: Any) -> None:
    ask_for(settings, "webp", "avif")
    hero = picture(
        file="ideogram/2026/11/a1.png",
        uploaded=False,
        alt_text="Ships in the harbour, all windows lit",
        renditions=stored(
            "ideogram/2026/11/a1", (320, "5f", "webp"), (640, "2c", "webp"), (1280, "9b", "webp")
        ),
    )
    harvest = picture(
        file="ideogram/2026/11/b2.png",
        width=1024,
        height=1024,
        renditions=stored(
            "ideogram/2026/11/b2", (320, "1e", "webp"), (320, "77", "avif"), (1024, "0d", "avif")
        ),
    )
    sunrise = unfinished(
        model="ideogram-v4-turbo", aspect_ratio="16:9", parent=picture(pk=1, color="#c8553d")
    )
    Place.objects.create(key="home-hero", name="Top of the home page", image=saved_copy(hero))
    article = {"hero": hero, "harvest": harvest, "sunrise": sunrise}

    shown = Template("{% load ideogram %}" + source).render(Context({"article": article}))

    assert one_line(shown) == one_line(html)


def test_the_documentation_names_every_keyword_and_template() -> None:
    text = GUIDE.read_text("utf-8")
    for name in ARGUMENTS:
        assert f"`{name}`" in text, name
    templates = ROOT / "ideogram_django/templates/ideogram_django"
    for path in templates.glob("generated_image*.html"):
        assert f"`ideogram_django/{path.name}`" in text, path.name
    for name in ("generated_image", "generated_image_for", "generated_image_url"):
        assert name in register.tags
        assert f"{{% {name} " in text


def test_the_queries_that_the_documentation_shows(db: None) -> None:
    saved()
    names: dict[str, Any] = {"Article": Article}
    Article.objects.create(title="Night trains", hero=saved())
    for block in blocks(GUIDE, "python"):
        if "def environment" not in block:
            exec(block, names)  # noqa: S102
    assert [article.hero.file.name for article in names["articles"]] == ["a/lake.png"]
    assert len(names["pictures"]) == 2
