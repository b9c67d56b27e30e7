"""A page's pictures share what the template makes of them, and look as if each was made alone."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage, InMemoryStorage
from django.template import Context, Template, engines
from django.template.base import Template as Compiled
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from ideogram_django.models import GeneratedImage, picture_storage
from ideogram_django.templatetags.finding import Finder
from ideogram_django.templatetags.rendering import generated_image, generated_image_url
from tests.test_templatetags import AVIF_TOO, WIDTHS, picture, unfinished
from tests.test_templatetags_page import with_loaders

AVIF_ALONE = AVIF_TOO[1:]


@pytest.fixture(autouse=True)
def own_site(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "media")
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "FORMATS": ["webp", "avif"]}


def pictures() -> list[GeneratedImage | None]:
    return [
        picture(),
        picture(alt_text='50 % of <"lakes"> & %(alt)s', uploaded=False),
        picture(alt_text="Own", decorative=True, width=64, height=64, renditions=AVIF_TOO),
        picture(renditions=AVIF_ALONE, uploaded=False),
        picture(renditions=[]),
        picture(renditions=[], width=None),
        picture(renditions=[], height=0),
        picture(file="b c/100%,'d\".png", renditions=WIDTHS),
        picture(file="lake.png", color="#102030"),
        unfinished(color="#102030"),
        unfinished(replaces=picture(pk=1, alt_text="Older")),
        None,
    ]


LITERAL = {
    "": {},
    'alt="A %s <b>" sizes="50vw" class="hero"': {
        "alt": "A %s <b>",
        "sizes": "50vw",
        "class": "hero",
    },
    "alt='' loading=None data_x=5 id=0 title=True": {
        "alt": "",
        "loading": None,
        "data_x": 5,
        "id": 0,
        "title": True,
    },
    "credit=True figure_class='a&b'": {"credit": True, "figure_class": "a&b"},
    "caption='<b>%</b>' credit='Me'": {"caption": SafeString("<b>%</b>"), "credit": "Me"},
    'fetchpriority="high" figure=True': {"fetchpriority": "high", "figure": True},
}


@pytest.mark.parametrize("keywords", LITERAL)
def test_words_in_the_template(keywords: str) -> None:
    source = f"{{% for one in all %}}{{% generated_image one {keywords} %}}|{{% endfor %}}"
    page = Template("{% load ideogram %}" + source).render(Context({"all": pictures() * 2}))

    alone = [str(generated_image(one, **LITERAL[keywords])) for one in pictures() * 2]
    assert page.split("|") == [*alone, ""]


class Mute:
    """A value that is one, and says nothing."""

    def __str__(self) -> str:
        return ""


VALUES = [
    Mute(),
    "A <lake>",
    SafeString("A &lt;lake&gt;"),
    "%(src)s 100%",
    "",
    None,
    False,
    True,
    0,
    12345,
    0.5,
    [],
    gettext_lazy("Picture made with AI"),
]


@pytest.mark.parametrize(
    "names",
    [
        ("alt",),
        ("data_x",),
        ("sizes", "class"),
        ("caption",),
        ("figure_class", "alt"),
        ("credit",),
        ("figure",),
    ],
)
def test_words_that_are_others_for_each_picture(names: tuple[str, ...], settings: Any) -> None:
    settings.USE_THOUSAND_SEPARATOR = True
    given = [
        dict(zip(names, values, strict=True))
        for values in itertools.product(VALUES, repeat=len(names))
    ]
    shown = [(one, words) for words in given for one in pictures()]
    keywords = " ".join(f"{name}=words.{name}" for name in names)
    source = f"{{% for one, words in all %}}{{% generated_image one {keywords} %}}|{{% endfor %}}"

    page = Template("{% load ideogram %}" + source).render(Context({"all": shown}))

    assert page.split("|") == [*(generated_image(one, **words) for one, words in shown), ""]


def test_what_is_urgent_is_looked_at_for_each_picture() -> None:
    source = "{% for how in all %}{% generated_image one fetchpriority=how %}|{% endfor %}"
    all = ["high", "low", "", "high"]
    page = Template("{% load ideogram %}" + source).render(Context({"all": all, "one": picture()}))

    alone = [generated_image(picture(), fetchpriority=how) for how in all]
    assert page.split("|") == [*alone, ""]
    assert ["lazy" in html for html in alone] == [False, True, True, False]


def test_the_template_is_rendered_once_for_pictures_of_a_kind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rendered: list[str] = []
    render = Compiled.render

    def noted(self: Compiled, context: Context) -> SafeString:
        rendered.append(str(self.origin.template_name))
        return render(self, context)

    monkeypatch.setattr(Compiled, "render", noted)
    all = [(picture(alt_text=str(number)), f"Alt {number}") for number in range(20)]
    source = "{% for one, alt in all %}{% generated_image one %}{% generated_image one alt=alt %}"

    page = Template("{% load ideogram %}" + source + "{% endfor %}").render(Context({"all": all}))

    assert page.count("<img ") == 40
    assert page.count('alt="Alt 19"') == page.count('alt="19"') == 1
    assert rendered.count("ideogram_django/generated_image.html") == 2  # a frame for each tag


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (
            {
                "picture": "{{ src|cut:'/media/' }} {{ width|add:1 }} {{ alt|upper }} "
                "{% if width > 100 %}wide{% else %}narrow{% endif %} {{ image.prompt }}"
            },
            ["a/lake.png 2561 ONE wide A lake", "a/lake.png 65 TWO narrow A lake"],
        ),
        (
            {"": "{{ alt|upper }}: {% include 'ideogram_django/generated_image_picture.html' %}"},
            [f"{alt.upper()}: {generated_image(picture(alt_text=alt))}" for alt in ("one", "two")],
        ),
    ],
)
def test_a_template_of_the_site_sees_each_picture(
    own: dict[str, str], expected: list[str], settings: Any
) -> None:
    names = {
        "_".join(filter(None, ("ideogram_django/generated_image", part))) + ".html": source
        for part, source in own.items()
    }
    with_loaders(
        settings,
        ("django.template.loaders.locmem.Loader", names),
        "django.template.loaders.app_directories.Loader",
    )
    wide = "" in own
    shown = [
        picture(alt_text="one"),
        picture(alt_text="two") if wide else picture(alt_text="two", width=64),
    ]
    source = "{% load ideogram %}{% for one in all %}{% generated_image one %}|{% endfor %}"

    page = Template(source).render(Context({"all": shown}))

    assert page.split("|") == [*expected, ""]


def test_an_engine_that_does_not_escape_escapes_no_picture(settings: Any) -> None:
    (backend,) = settings.TEMPLATES
    options = {**backend["OPTIONS"], "autoescape": False}
    settings.TEMPLATES = [{**backend, "OPTIONS": options}]
    source = "{% load ideogram %}{% generated_image image %}"
    html = engines["django"].from_string(source).render({"image": picture(alt_text="<b>")})
    assert ' alt="<b>" ' in html


# --- addresses ------------------------------------------------------------------------------------

NAMES = [
    "a.png",
    "ideogram/2026/11/a-320w-5f_1.webp",
    "-a/--b.png",
    "a..b/c..png",
    "a/../b.png",
    "./a.png",
    ".hidden/a.png",
    "a/.hidden",
    "a//b.png",
    "/a.png",
    "//host/a.png",
    "http://host/a.png",
    "a:b/c.png",
    "a b/c,d.png",
    "ä/ö.png",
    "a%20b.png",
    "a?b#c;d.png",
    "a\\b.png",
    "a/b.png\n",
    "٣/a.png",
]
BASES = [
    "/media/",
    "/",
    "media/",
    "https://cdn.example.org/m/",
    "https://cdn.example.org/a/../m/",
    "//cdn.example.org/m/",
    "cdn:m/",
    "/a b/",
    "/media/?v=1/",
]


@pytest.mark.parametrize("base", BASES)
def test_an_address_is_what_the_storage_says(base: str, settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_URL = base
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "nowhere"), "base_url": base},
        },
    }
    expected = {name: picture_storage.url(name) for name in NAMES}
    found = {name: generated_image_url(picture(file=name, renditions=[])) for name in NAMES}
    # One that leads out of the folder has no path, and so no picture.
    outside = [name for name in NAMES if not found[name]]
    assert found == {**expected, **dict.fromkeys(outside, "")}
    assert outside == ["/a.png", "//host/a.png"]


class Signing(FileSystemStorage):
    """Says more than a name with something before it."""

    def url(self, name: str | None) -> str:
        return f"{super().url(name)}?signed={len(str(name))}"


class Sorting(FileSystemStorage):
    """Keeps files elsewhere than their names say."""

    def path(self, name: str) -> str:
        return super().path(f"sorted/{name}")


@pytest.mark.parametrize(
    ("kind", "folder", "expected"),
    [
        (Signing, "a", "/media/a/lake.png?signed=10"),
        (Sorting, "sorted/a", "/media/a/lake.png"),
        (InMemoryStorage, "a", "/media/a/lake.png"),
    ],
)
def test_a_storage_of_its_own_kind_is_asked_for_each_file(
    kind: type, folder: str, expected: str, settings: Any, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    path = f"{kind.__module__}.{kind.__qualname__}"
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": path}}
    # Where it is, and where it would be sought by its name alone.
    for each in {folder, "a"}:
        (tmp_path / each).mkdir(parents=True)
    (tmp_path / folder / "lake.png").touch()

    assert generated_image_url(picture()) == expected


def test_each_page_asks_for_the_address_anew(settings: Any) -> None:
    source = Template("{% load ideogram %}{% generated_image image %}")
    assert 'src="/media/a/' in source.render(Context({"image": picture()}))
    settings.MEDIA_URL = "/elsewhere/"
    assert 'src="/elsewhere/a/' in source.render(Context({"image": picture()}))


def test_a_file_that_is_lost_between_two_pictures_of_a_page(tmp_path: Path, settings: Any) -> None:
    """Nothing is remembered about a file."""
    settings.MEDIA_ROOT = str(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/lake.png").touch()
    finder = Finder()
    assert finder.files(picture(renditions=[])) is not None
    (tmp_path / "a/lake.png").unlink()
    assert finder.files(picture(renditions=[])) is None
