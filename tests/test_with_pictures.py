"""Records with their pictures: one query, and only the columns that pages show."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import FieldDoesNotExist, FieldError
from django.core.files.storage import FileSystemStorage
from django.db import connection, models
from django.db.models import Prefetch
from django.template import Context, Template
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from ideogram_django.models import GeneratedImage, Place
from ideogram_django.querysets import ON_PAGES, with_pictures
from tests.magazine.models import Article, Author
from tests.test_templatetags import a_page, fill, saved

pytestmark = pytest.mark.django_db

SOURCE = (
    "{% load ideogram %}{% for article in articles %}"
    "{% generated_image article.hero credit=True caption=article.title %}"
    "{% generated_image_url article.hero width=300 %}{% endfor %}"
)


@pytest.fixture(autouse=True)
def own_media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = str(tmp_path / "media")
    return tmp_path / "media"


def html(articles: Any) -> str:
    return str(Template(SOURCE).render(Context({"articles": articles})))


@pytest.mark.parametrize("count", [1, 100])
def test_a_page_is_one_query(count: int, django_assert_num_queries: Any) -> None:
    for number in range(count):
        Article.objects.create(title=str(number), hero=saved(replaces=saved()))
    with django_assert_num_queries(1):
        page = html(with_pictures(Article.objects.all(), "hero"))
    assert page.count("<img ") == count


def test_what_is_unfinished_costs_the_same_queries_for_any_number() -> None:
    sizes = {}
    for rows in (1, 20):
        Article.objects.all().delete()
        a_page(rows)
        with CaptureQueriesContext(connection) as queries:
            page = html(with_pictures(Article.objects.all(), "hero"))
        sizes[rows] = len(queries)
        assert page.count("<img ") == 3 * rows
        assert page.count("<svg ") == page.count(fill("#123456")) == rows
        whole = Prefetch("hero", queryset=GeneratedImage.objects.for_display())
        assert page == html(Article.objects.prefetch_related(whole))
    # Articles with pictures, two steps back, and what others were made from.
    assert sizes == {1: 4, 20: 4}


def test_pictures_whose_files_are_gone_cost_no_query(
    own_media: Path,
    django_assert_num_queries: DjangoAssertNumQueries,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (own_media / "a").mkdir(parents=True)
    heroes = [saved() for _number in range(3)]
    for hero in heroes:
        Article.objects.create(title=str(hero.pk), hero=hero)
    with django_assert_num_queries(1):
        assert html(with_pictures(Article.objects.all(), "hero")).count("<svg ") == 3
    assert f"The file of picture {heroes[0].pk} is gone" in caplog.text
    caplog.clear()
    monkeypatch.setattr(FileSystemStorage, "url", property())  # not even that can be had
    with django_assert_num_queries(1):
        assert html(with_pictures(Article.objects.all(), "hero")).count("<svg ") == 3
    assert f"The address of picture {heroes[0].pk} cannot be told" in caplog.text
    html(Article.objects.select_related("hero"))
    assert f"The address of picture {heroes[0].uuid} cannot be told" in caplog.text


def test_nothing_else_of_a_picture_is_loaded() -> None:
    Article.objects.create(title="A", hero=saved(prompt="A long story"))

    article = with_pictures(Article.objects.all(), "hero").get()

    assert article.get_deferred_fields() == set()
    assert article.hero.get_deferred_fields() == {
        column.attname
        for column in GeneratedImage._meta.concrete_fields
        if column.name not in (*ON_PAGES, "id")
    }
    assert article.hero.prompt == "A long story"  # by a query
    article.hero.alt_text = "Water"
    article.hero.save()
    assert GeneratedImage.objects.get().prompt == "A long story"


def test_paths_and_several_pictures(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    old = saved(alt_text="Old")
    author = Author.objects.create(
        name="Roe", portrait=saved(status="draft", file="", replaces=old)
    )
    Article.objects.create(title="A", hero=saved(), author=author)
    Article.objects.create(title="B")

    with django_assert_num_queries(2):
        first, second = with_pictures(Article.objects.all(), "hero", "author__portrait")
        page = Template("{% load ideogram %}{% generated_image image %}").render(
            Context({"image": first.author.portrait})
        )
    assert 'alt="Old"' in page
    assert first.hero.has_file
    assert (second.hero, second.author) == (None, None)


def test_a_queryset_like_any_other(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for title in "ABC":
        Article.objects.create(title=title, hero=saved(status="draft", file="", replaces=saved()))
    articles = with_pictures(Article.objects.filter(title__gt="A"), "hero")

    assert articles.count() == 2
    assert [one.title for one in articles.order_by("-title")[:1]] == ["C"]
    assert list(articles.values_list("title", flat=True)) == ["B", "C"]
    assert articles.get(title="B").hero.replaces.has_file
    assert articles.none().first() is None
    assert [one.title for one in articles.iterator()] == ["B", "C"]
    assert [one.title for one in articles.select_related(None).defer(None)] == ["B", "C"]
    assert articles.in_bulk().keys() == {one.pk for one in articles}
    assert [one.title for one in pickle.loads(pickle.dumps(articles))] == ["B", "C"]  # noqa: S301
    later = Article.objects.all()
    later.query = pickle.loads(pickle.dumps(articles.query))  # noqa: S301
    assert [one.title for one in later] == ["B", "C"]
    with django_assert_num_queries(2):
        [first] = with_pictures(Article.objects.only("title", "hero"), "hero")[:1]
        assert first.hero.replaces.has_file
        assert first.hero.alt_text == ""


def test_places_have_pictures_too(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    Place.objects.create(key="top", name="Top", image=saved())
    with django_assert_num_queries(1):
        assert [place.image.has_file for place in with_pictures(Place.objects.all(), "image")]


@pytest.mark.parametrize(
    ("field", "error", "words"),
    [
        ("author", FieldError, "“author” of magazine.Article leads to no picture"),
        ("title", FieldError, "“title” of magazine.Article leads to no picture"),
        ("title__hero", FieldError, "“title__hero” of magazine.Article leads to no picture"),
        ("heroes", FieldDoesNotExist, "has no field named 'heroes'"),
    ],
)
def test_what_leads_to_no_picture(field: str, error: type[Exception], words: str) -> None:
    articles: models.QuerySet[Article] = Article.objects.all()
    with pytest.raises(error, match=words):
        with_pictures(articles, field)
