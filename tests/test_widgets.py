"""The widget's HTML and what it reads back; the dialog's view."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import translation
from pytest_django import DjangoAssertNumQueries

from ideogram_django.budget.amounts import price_text
from ideogram_django.widgets import GeneratedImageWidget, Submitted
from tests.magazine.forms import ArticleForm, PlainForm
from tests.magazine.models import Article
from tests.pictures import finished

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.magazine.urls")]


@pytest.fixture
def editor() -> User:
    user = User.objects.create_user("editor")
    user.user_permissions.set(Permission.objects.filter(content_type__model="generatedimage"))
    return User.objects.get(pk=user.pk)


class Elements(HTMLParser):
    """Every element with its attributes, and whether tags are closed in order."""

    VOID = {"input", "img", "br", "link", "meta"}

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def having(self, attribute: str) -> list[dict[str, str | None]]:
        return [attrs for _tag, attrs in self.found if attribute in attrs]


def html_of(form: Any, name: str = "hero") -> str:
    return str(form[name])


def test_everything_is_offered(editor: User) -> None:
    article = Article.objects.create(title="Autumn", hero=finished())
    html = html_of(ArticleForm(instance=article, user=editor))
    elements = Elements(html)

    assert [attrs["name"] for attrs in elements.having("name")] == [
        "hero-current",
        "hero-clear",
        "hero-request",
        "hero-offered",
        "hero-terms",
        "hero",
        "hero-upload",
        "hero-prompt",
        "hero-shape",
        "hero-count",
        "hero-make",
        "hero-alt-was",
        "hero-alt",
        "hero-decorative",
    ]
    assert "Make on save · $0.03 each" in html
    assert "<option selected>16:9</option>" in html
    assert "Autumn, editorial illustration</textarea>" in html


def test_nothing_inline_that_a_strict_csp_refuses(editor: User) -> None:
    article = Article.objects.create(title="Autumn", hero=finished())
    for tag, attrs in Elements(html_of(ArticleForm(instance=article, user=editor))).found:
        assert tag not in ("script", "style")
        assert not [name for name in attrs if name.startswith("on") or name == "style"]


def test_ids_can_be_renamed_with_their_form(editor: User) -> None:
    """A formset's clone renames ids, names and "for", and no other reference to an id."""
    elements = Elements(html_of(PlainForm(prefix="pages-__prefix__", user=editor), "picture"))
    ids = [str(attrs["id"]) for attrs in elements.having("id")]
    parts = ("", "-prompt", "-left", "-drafts")
    assert ids == [f"id_pages-__prefix__-picture{part}" for part in parts]
    assert [attrs["for"] for attrs in elements.having("for")] == [ids[1]]
    for attribute in ("aria-labelledby", "aria-describedby", "aria-controls"):
        assert elements.having(attribute) == []


def test_current_picture_keeps_the_contract_of_the_status_script(editor: User) -> None:
    picture = finished(status="draft", file="", progress=40, error_code="")
    article = Article.objects.create(title="Autumn", hero=picture)
    elements = Elements(html_of(ArticleForm(instance=article, user=editor)))

    (outer,) = elements.having("data-ideogram-status-url")
    (inner,) = elements.having("data-ideogram-image")
    assert outer["data-ideogram-status-url"] == "/ideogram/status/"
    assert inner["data-ideogram-image"] == str(picture.uuid)
    assert inner["data-ideogram-status"] == "draft"
    for child in ("sentence", "progress", "thumb"):
        assert len(elements.having(f"data-ideogram-{child}")) == 1


def test_token_opens_the_status_of_this_picture_alone(client: Client, editor: User) -> None:
    picture, other = finished(), finished()
    article = Article.objects.create(title="Autumn", hero=picture)
    html = html_of(ArticleForm(instance=article, user=User.objects.create_user("reader")))
    token = re.search(r'data-ideogram-token="([^"]+)"', html)
    assert token

    answer = client.get(
        "/ideogram/status/", {"ids": f"{picture.uuid},{other.uuid}", "token": token[1]}
    )

    assert [image["uuid"] for image in answer.json()["images"]] == [str(picture.uuid)]


def test_who_may_view_all_pictures_asks_about_all_fields_at_once(editor: User) -> None:
    """The script makes one request per address and token."""
    article = Article.objects.create(title="Autumn", hero=finished())
    assert "data-ideogram-token" not in html_of(ArticleForm(instance=article, user=editor))


def test_old_picture_is_shown_while_the_new_one_is_made(editor: User) -> None:
    new = finished(status="pending", file="", replaces=finished(file="old.png"))
    article = Article.objects.create(title="Autumn", hero=new)

    html = html_of(ArticleForm(instance=article, user=editor))

    assert 'src="/media/old.png"' in html
    assert "pages show the picture before it" in html


def test_everything_is_escaped(editor: User) -> None:
    evil = "</textarea><script>alert(1)</script>"
    article = Article.objects.create(title=evil, hero=finished(prompt=evil))
    assert "<script>" not in html_of(ArticleForm(instance=article, user=editor))


def test_form_that_comes_back_keeps_what_was_typed_and_its_id(editor: User) -> None:
    request_id = "6f1c1c0e-7a6b-4c0e-9b52-8a9c8b9f1f11"
    data = {
        "hero-make": "on",
        "hero-prompt": "A cat",
        "hero-shape": "1:1",
        "hero-request": request_id,
    }
    html = html_of(ArticleForm(data, user=editor))

    assert f'name="hero-request" value="{request_id}"' in html
    assert "A cat</textarea>" in html
    assert "<option selected>1:1</option>" in html
    assert re.search(r'name="hero-make" data-ideogram-make-tick checked', html)
    assert '<details class="ideogram-field-make" open>' in html


def test_every_fresh_form_has_its_own_id(editor: User) -> None:
    ids = {
        re.search(r'name="hero-request" value="([^"]+)"', html_of(ArticleForm(user=editor)))[1]
        for _time in range(3)
    }
    assert len(ids) == 3


def test_prefix_is_part_of_every_name(editor: User) -> None:
    elements = Elements(html_of(PlainForm(prefix="pages-__prefix__", user=editor), "picture"))
    names = [attrs["name"] for attrs in elements.having("name")]
    assert names
    assert all(str(name).startswith("pages-__prefix__-picture") for name in names)


def test_form_is_multipart_and_brings_its_files(editor: User) -> None:
    form = ArticleForm(user=editor)
    assert form.is_multipart()
    assert "ideogram_django/ideogram.js" in str(form.media)
    assert "ideogram_django/field.css" in str(form.media)


def test_disabled_field_is_only_shown(editor: User) -> None:
    article = Article.objects.create(title="Autumn", hero=finished())
    form = ArticleForm(instance=article, user=editor)
    form.fields["hero"].disabled = True
    names = [attrs["name"] for attrs in Elements(html_of(form)).having("name")]
    assert names == ["hero-current"]


def test_widget_alone_renders_and_reads() -> None:
    widget = GeneratedImageWidget()
    Elements(widget.render("hero", None))
    assert widget.value_from_datadict({}, {}, "hero") == Submitted()
    assert widget.value_omitted_from_data({}, {}, "hero")
    assert not widget.value_omitted_from_data({"hero-prompt": ""}, {}, "hero")


def test_browsers_line_ends_are_no_change() -> None:
    data = {"hero-prompt": "one\r\ntwo ", "hero-offered": "one\ntwo"}
    assert not GeneratedImageWidget().value_from_datadict(data, {}, "hero").touched


def test_rendering_a_field_asks_for_its_picture_once(
    editor: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    Article.objects.create(title="Autumn", hero=finished())
    editor.has_perm("any")  # fills the permission cache
    plain = Article.objects.get()
    joined = Article.objects.select_related("hero__replaces").get()

    with django_assert_num_queries(3):  # the picture, and those around it; the limits
        html_of(ArticleForm(instance=plain, user=editor))
    with django_assert_num_queries(2):
        html_of(ArticleForm(instance=joined, user=editor))


@pytest.mark.parametrize(
    ("amount", "currency", "language", "text"),
    [
        ("0.03", "USD", "en", "$0.03"),
        ("0.030000", "USD", "en", "$0.03"),
        ("0.125", "GBP", "en", "£0.125"),
        ("3", "EUR", "de", "3,00\xa0€"),
    ],
)
def test_price(amount: str, currency: str, language: str, text: str) -> None:
    from decimal import Decimal

    with translation.override(language):
        assert price_text(Decimal(amount), currency) == text


# --- the dialog ---------------------------------------------------------------------------------


def choices(client: Client, **query: Any) -> list[str]:
    answer = client.get("/ideogram/choose/", query)
    assert answer.status_code == 200
    return re.findall(r'data-ideogram-name="([^"]+)"', answer.content.decode())


def test_choose_is_for_people_who_are_logged_in(client: Client) -> None:
    assert client.get("/ideogram/choose/").status_code == 403
    assert client.post("/ideogram/choose/").status_code == 405


def test_choose_shows_finished_pictures_that_the_user_may_view(
    client: Client, editor: User
) -> None:
    reader = User.objects.create_user("reader")
    finished(prompt="Somebody's")
    finished(prompt="Reader's own", requested_by=reader)
    finished(prompt="Not there", status="draft", file="")

    client.force_login(editor)
    assert choices(client) == ["Reader&#x27;s own", "Somebody&#x27;s"]
    client.force_login(reader)
    assert choices(client) == ["Reader&#x27;s own"]


def test_choose_searches_for_every_word(client: Client, editor: User) -> None:
    finished(prompt="A red bicycle")
    finished(prompt="A red car", alt_text="Car on a bicycle lane")
    finished(prompt="A blue car")
    client.force_login(editor)

    assert choices(client, q="bicycle RED") == ["Car on a bicycle lane", "A red bicycle"]
    assert choices(client, q="<b>") == []
    assert "<b>" not in client.get("/ideogram/choose/?q=<b>").content.decode()


def test_upload_without_words_has_a_name_for_screen_readers(client: Client, editor: User) -> None:
    picture = finished(prompt="")
    client.force_login(editor)
    article = Article.objects.create(title="Autumn", hero=picture)

    assert choices(client) == ["Uploaded picture"]
    assert ">Uploaded picture</p>" in html_of(ArticleForm(instance=article, user=editor))


@pytest.mark.parametrize("page", ["", "0", "-1", "x", "99999999999999999999", "²"])
def test_choose_takes_any_page_number(client: Client, editor: User, page: str) -> None:
    client.force_login(editor)
    assert client.get("/ideogram/choose/", {"page": page}).status_code == 200


def test_choose_is_paged_at_a_constant_number_of_queries(
    client: Client, editor: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        finished(prompt=f"Picture {number}")
    client.force_login(editor)

    with django_assert_max_num_queries(5):
        first = choices(client)
    second = choices(client, page=2)

    assert first[0] == "Picture 29"
    assert len(first) == 24
    assert second == [f"Picture {number}" for number in range(5, -1, -1)]
    assert 'data-ideogram-page="1"' in client.get("/ideogram/choose/?page=2").content.decode()
