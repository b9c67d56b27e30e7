"""What a field offers to choose from: the form and its dialog agree."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Q
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ideogram_django.forms import narrowing
from ideogram_django.models import Charge, GeneratedImage
from tests.magazine.forms import PlainForm
from tests.magazine.models import Article
from tests.people import SPEND, VIEW, client_of, person
from tests.pictures import finished
from tests.test_forms import article_form

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.magazine.urls")]
ARTICLES = "/admin/magazine/article/"


@pytest.fixture
def editor() -> User:
    return person("editor", VIEW, SPEND)


def offered(user: User, form: Any, name: str = "hero") -> list[str]:
    """The prompts in the dialog that the form's page opens."""
    (root,) = re.findall(r"<div[^>]* data-ideogram-field[^>]*>", str(form[name]))
    (address,) = re.findall(r'data-ideogram-choose-url="([^"]*)"', root)
    choices = re.findall(r'data-ideogram-choices="([^"]*)"', root)
    return listed(user, address, unescape("".join(choices)))


def listed(user: User, address: str, choices: str) -> list[str]:
    response = client_of(user).get(f"{address}?{urlencode({'choices': choices})}")
    assert response.status_code == 200
    return re.findall(r'data-ideogram-name="([^"]*)"', response.content.decode())


def test_without_a_condition_everything_is_offered(editor: User) -> None:
    finished(prompt="A lake"), finished(prompt="A hill", picked=True)
    assert offered(editor, article_form(editor)) == ["A hill", "A lake"]


@pytest.mark.parametrize(
    "limit", [{"picked": True}, Q(picked=True), lambda: {"picked": True}], ids=["dict", "Q", "call"]
)
def test_limit_choices_to_holds_in_the_dialog_and_in_the_form(
    editor: User, monkeypatch: pytest.MonkeyPatch, limit: Any
) -> None:
    relation = Article._meta.get_field("hero").remote_field
    monkeypatch.setattr(relation, "limit_choices_to", limit)
    lake, hill = finished(prompt="A lake"), finished(prompt="A hill", picked=True)
    form_class = admin.site.get_model_admin(Article).get_form
    request = type("Request", (), {"user": editor, "GET": {}})()
    form = form_class(request, None, fields=["title", "hero"])

    assert offered(editor, form()) == ["A hill"]
    assert form({"title": "Autumn", "hero": str(hill.uuid)}).is_valid()
    wrong = form({"title": "Autumn", "hero": str(lake.uuid)})
    assert wrong.errors == {"hero": ["There is no such picture, or you may not use it."]}


def test_a_queryset_given_to_one_form_holds_in_its_dialog(editor: User) -> None:
    """Whatever it asks: other people, times, ids."""
    yesterday = timezone.now() - timedelta(days=1)
    mine = finished(prompt="Mine", requested_by=editor)
    finished(prompt="Not mine")
    batch = uuid.uuid4()
    finished(prompt="Other words", requested_by=editor, batch=batch)
    form = PlainForm(user=editor)
    form.fields["picture"].queryset = GeneratedImage.objects.filter(
        requested_by__username__in=["editor", "%s"], created_at__gt=yesterday
    ).exclude(batch=batch)

    assert offered(editor, form, "picture") == ["Mine"]
    form.fields["picture"].limit_choices_to = Q(picked=True)
    assert offered(editor, form, "picture") == []
    GeneratedImage.objects.filter(pk=mine.pk).update(picked=True)
    assert offered(editor, form, "picture") == ["Mine"]  # looked up when it is asked for
    form.fields["picture"].queryset = GeneratedImage.objects.none()
    assert offered(editor, form, "picture") == []


def test_a_condition_never_shows_more_than_the_person_may_see() -> None:
    reader = person("reader")
    finished(prompt="Hidden", picked=True)
    finished(prompt="Mine", picked=True, requested_by=reader)
    choices = narrowing.sign(GeneratedImage.objects.filter(picked=True))
    assert listed(reader, reverse("ideogram_django:choose"), str(choices)) == ["Mine"]


def test_a_condition_that_somebody_wrote_themselves_shows_nothing(editor: User) -> None:
    finished()
    signed = str(narrowing.sign(GeneratedImage.objects.all()))
    for wrong in (signed[:-1], f"x{signed}", "1"):
        assert listed(editor, reverse("ideogram_django:choose"), wrong) == []


def test_without_a_dialog_for_what_cannot_be_carried(editor: User) -> None:
    form = PlainForm(user=editor)
    bytes_only = GeneratedImage.objects.extra(where=["%s IS NOT NULL"], params=[b"x"])
    form.fields["picture"].queryset = bytes_only
    html = str(form["picture"])
    assert "data-ideogram-choose-url" not in html
    assert 'name="picture"' in html  # by number or id


# --- a list that is edited as a whole -----------------------------------------------------------


@pytest.fixture
def editable(monkeypatch: pytest.MonkeyPatch) -> None:
    host = admin.site.get_model_admin(Article)
    monkeypatch.setattr(host, "list_display", ["title", "hero"])
    monkeypatch.setattr(host, "list_editable", ["hero"])


def sent(client: Client) -> tuple[dict[str, str], str]:
    """What a browser sends from the list as it is, and the value of its first row's tick."""
    page = client.get(ARTICLES).content.decode()
    inputs = re.findall(
        r'type="(?:hidden|text)"[^>]* name="(form-[^"]+)"[^>]* value="([^"]*)"', page
    )
    texts = re.findall(r'<textarea[^>]* name="(form-[^"]+)"[^>]*>\n(.*?)</textarea>', page)
    (tick,) = re.findall(r'name="form-0-hero-make" value="([^"]+)"', page)
    assert "Make on save · $0.03 each" in page
    return {**dict(inputs), **dict(texts), "_save": "1"}, unescape(tick)


def test_a_list_makes_nothing_that_was_not_ticked(
    client: Client, admin_user: User, editable: None
) -> None:
    Article.objects.create(title="Autumn")
    Article.objects.create(title="Winter", hero=finished())
    client.force_login(admin_user)
    data, _tick = sent(client)
    assert client.post(ARTICLES, data).status_code == 302
    # A prompt that was changed is asked about, not made.
    answer = client.post(ARTICLES, {**data, "form-0-hero-prompt": "A cat"})
    assert "Tick “Make on save”" in answer.content.decode()
    assert not Charge.objects.exists()


def test_a_list_makes_what_was_ticked_at_the_price_beside_the_tick(
    client: Client, admin_user: User, editable: None, settings: Any
) -> None:
    article = Article.objects.create(title="Autumn")
    client.force_login(admin_user)
    data, tick = sent(client)

    for unseen in ("on", "1", tick[:-1]):  # no price of ours
        answer = client.post(ARTICLES, {**data, "form-0-hero-make": unseen})
        assert "This page is out of date. Load it again." in answer.content.decode()
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "PRICES": {"ideogram-v4-turbo": 4}}
    answer = client.post(ARTICLES, {**data, "form-0-hero-make": tick})
    assert "The price has changed" in answer.content.decode()
    assert not Charge.objects.exists()

    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "PRICES": {"ideogram-v4-turbo": 3}}
    assert client.post(ARTICLES, {**data, "form-0-hero-make": tick}).status_code == 302
    article.refresh_from_db()
    assert article.hero is not None
    assert article.hero.prompt == "Autumn, editorial illustration"
    assert Charge.objects.count() == 1
