"""Words for people who cannot see the picture: asked for where it is used, never overwritten."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.test import Client

from ideogram_django.models import GeneratedImage
from tests.magazine.forms import ArticleForm, PlainForm
from tests.magazine.models import Article
from tests.people import person
from tests.pictures import finished
from tests.test_forms import INLINE, WANTED, article_form, rendered, upload

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.magazine.urls")]


@pytest.fixture
def editor() -> User:
    return person(
        "editor", "generate_generatedimage", "view_generatedimage", "change_generatedimage"
    )


@pytest.fixture
def reader() -> User:
    return person("reader", "view_generatedimage")


def article_with(**words: Any) -> Article:
    return Article.objects.create(title="Autumn", hero=finished(**words))


def saved(user: User, article: Article, **data: str) -> GeneratedImage:
    """The picture after the form was opened, these inputs were changed, and it was saved."""
    form = opened(user, article, **data)
    assert form.is_valid(), form.errors
    hero = form.save().hero
    assert hero is not None
    return GeneratedImage.objects.get(pk=hero.pk)


def opened(user: User, article: Article, **data: str) -> ArticleForm:
    record = Article.objects.get(pk=article.pk)
    shown = rendered(record, user)
    return article_form(
        user, instance=record, **{"hero-alt": shown["hero-alt-was"], **shown, **data}
    )


def test_the_words_are_asked_for_where_the_picture_is_used(editor: User) -> None:
    article = article_with()
    html = str(ArticleForm(instance=article, user=editor)["hero"])
    assert "Nothing is said about this picture yet." in html

    picture = saved(editor, article, **{"hero-alt": " Boats in the morning "})

    assert (picture.alt_text, picture.decorative) == ("Boats in the morning", False)
    html = str(ArticleForm(instance=Article.objects.get(), user=editor)["hero"])
    assert "Nothing is said about this picture yet." not in html
    assert 'name="hero-alt" value="Boats in the morning"' in html


def test_a_decorative_picture_needs_no_words(editor: User) -> None:
    article = article_with()

    picture = saved(editor, article, **{"hero-decorative": "on"})
    html = str(ArticleForm(instance=Article.objects.get(), user=editor)["hero"])

    assert (picture.alt_text, picture.decorative) == ("", True)
    assert "Nothing is said about this picture yet." not in html
    again = saved(editor, article, **{"hero-decorative-was": "on", "hero-alt": "Boats"})
    assert (again.alt_text, again.decorative) == ("Boats", False)


def test_words_can_be_taken_back(editor: User) -> None:
    assert saved(editor, article_with(alt_text="Boats"), **{"hero-alt": ""}).alt_text == ""


def test_words_that_nobody_touched_change_nothing(editor: User) -> None:
    """Browsers take line ends out of a line of text."""
    article = article_with(alt_text="Boats\nin the morning")
    form = opened(editor, article, **{"hero-alt": "Boats in the morning"})

    assert form.changed_data == []
    assert form.is_valid(), form.errors
    form.save()
    assert GeneratedImage.objects.get().alt_text == "Boats\nin the morning"


def test_words_that_came_meanwhile_are_not_overwritten_unseen(editor: User) -> None:
    article = article_with(alt_text="Boats")
    GeneratedImage.objects.update(alt_text="Boats at dawn")
    stale = {"hero-alt-was": "Boats", "hero-alt": "Ships"}

    form = opened(editor, article, **stale)

    assert form.errors["hero"] == [
        "This picture already has words: “Boats at dawn”. Yours are: “Ships”. Nothing was changed. "
        "Save again to put yours in their place, or write theirs to keep them."
    ]
    assert GeneratedImage.objects.get().alt_text == "Boats at dawn"
    html = str(form["hero"])
    assert 'name="hero-alt-was" value="Boats at dawn"' in html
    assert 'name="hero-alt" value="Ships"' in html
    again = {"hero-alt-was": "Boats at dawn", "hero-alt": "Ships"}
    assert saved(editor, article, **again).alt_text == "Ships"


def test_stale_words_that_nobody_touched_are_kept_silently(editor: User) -> None:
    article = article_with(alt_text="Boats")
    GeneratedImage.objects.update(alt_text="Boats at dawn")

    kept = saved(editor, article, **{"hero-alt-was": "Boats", "hero-alt": "Boats"})

    assert kept.alt_text == "Boats at dawn"


def test_somebody_who_is_faster_by_a_moment_wins_and_it_is_said(editor: User) -> None:
    form = opened(editor, article_with(), **{"hero-alt": "Ships"})
    assert form.is_valid(), form.errors
    GeneratedImage.objects.update(alt_text="Boats")

    with pytest.raises(ValidationError, match="already has words: “Boats”"):
        form.save()

    assert GeneratedImage.objects.get().alt_text == "Boats"


@pytest.mark.parametrize("way", ["hero", "hero-draft"])
def test_words_go_to_the_picture_that_is_used_then(editor: User, way: str) -> None:
    article, other = article_with(alt_text="Boats"), finished(requested_by=editor)

    picture = saved(editor, article, **{way: str(other.uuid), "hero-alt": "Ships"})

    assert picture == other
    assert picture.alt_text == "Ships"
    assert article.hero is not None
    article.hero.refresh_from_db()
    assert article.hero.alt_text == "Boats"


def test_words_of_the_old_picture_say_nothing_about_the_new_one(editor: User) -> None:
    article, other = article_with(alt_text="Boats"), finished()
    assert saved(editor, article, **{"hero": str(other.uuid)}).alt_text == ""


def test_words_that_the_chosen_picture_has_are_not_overwritten(editor: User) -> None:
    article, other = article_with(), finished(alt_text="A harbour")
    data = {"hero": str(other.uuid), "hero-alt": "Ships"}

    form = opened(editor, article, **data)

    assert "“A harbour”. Yours are: “Ships”" in form.errors["hero"][0]
    assert other.alt_text == GeneratedImage.objects.get(pk=other.pk).alt_text
    assert saved(editor, article, **{**data, "hero-alt": "A harbour"}).alt_text == "A harbour"


def test_both_words_and_decorative_are_one_too_many(editor: User) -> None:
    form = opened(editor, article_with(), **{"hero-alt": "Boats", "hero-decorative": "on"})
    assert form.errors["hero"] == [
        "Give an alternative text, or say that the picture is decorative: not both."
    ]


def test_words_have_a_length(editor: User) -> None:
    form = opened(editor, article_with(), **{"hero-alt": "x" * 1001})
    assert form.errors["hero"] == ["The alternative text has 1001 characters; it may have 1000."]


def test_new_pictures_get_their_words_at_once(editor: User) -> None:
    form = article_form(editor, **WANTED, **{"hero-count": "2", "hero-alt": "A bicycle"})
    assert form.is_valid(), form.errors
    form.save()
    assert set(GeneratedImage.objects.values_list("alt_text", "decorative")) == {
        ("A bicycle", False)
    }


def test_uploads_get_their_words_at_once() -> None:
    uploader = person("uploader", "add_generatedimage")
    files = {"hero-upload": upload()}
    form = article_form(uploader, files=files, **{"hero-alt": "", "hero-decorative": "on"})
    assert form.is_valid(), form.errors
    form.save()
    assert GeneratedImage.objects.get().decorative is True


def test_only_who_may_change_a_picture_or_asked_for_it_may_describe_it(reader: User) -> None:
    article = article_with()
    assert "hero-alt" not in str(ArticleForm(instance=article, user=reader)["hero"])
    assert "hero-alt" not in str(ArticleForm(instance=article)["hero"])

    data = {"hero-alt-was": "", "hero-alt": "Boats"}
    record = Article.objects.get()
    form = article_form(reader, instance=record, **{**rendered(record, reader), **data})
    assert "You may not change the words of this picture" in form.errors["hero"][0]

    GeneratedImage.objects.update(requested_by=reader)
    assert saved(reader, article, **data).alt_text == "Boats"


def test_a_plain_form_asks_for_no_words_since_nothing_would_save_them(editor: User) -> None:
    assert "picture-alt" not in str(PlainForm(user=editor)["picture"])


def test_an_inline_with_new_words_alone_is_saved(client: Client, admin_user: User) -> None:
    client.force_login(admin_user)
    article = Article.objects.create(title="Autumn")
    page = article.pages.create(text="Leaves", picture=finished())
    html = client.get(f"/admin/magazine/article/{article.pk}/change/").content.decode()
    inputs = dict(
        re.findall(r'type="(?:hidden|text)"[^>]* name="(pages-[^"]+)"[^>]* value="([^"]*)"', html)
    )
    data = {
        **{name: value for name, value in inputs.items() if "__prefix__" not in name},
        "title": "Autumn",
        **INLINE,
        "pages-INITIAL_FORMS": "1",
        "pages-0-id": str(page.pk),
        "pages-0-article": str(article.pk),
        "pages-0-picture-alt": "Yellow leaves",
    }

    response = client.post(f"/admin/magazine/article/{article.pk}/change/", data)

    assert response.status_code == 302
    assert GeneratedImage.objects.get().alt_text == "Yellow leaves"
