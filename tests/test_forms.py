"""The form field and the mixin: three ways to a picture, and when money is spent."""

from __future__ import annotations

import re
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError
from django.http import QueryDict
from django.test import Client, RequestFactory
from django.utils.datastructures import MultiValueDict

from ideogram_django.forms import GenerationRequest, UploadedPicture
from ideogram_django.models import Charge, GeneratedImage, SpendingLimit, StoredObject
from ideogram_django.widgets import sign_current
from tests.magazine.forms import ArticleForm, PlainForm
from tests.magazine.models import Article, Author
from tests.people import person
from tests.pictures import finished, png

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.magazine.urls")]


@pytest.fixture
def editor() -> User:
    """May do everything with pictures."""
    return person("editor", "generate_generatedimage", "view_generatedimage", "add_generatedimage")


@pytest.fixture
def reader() -> User:
    return person("reader")


def upload(content: bytes | None = None, name: str = "beach.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, png() if content is None else content, "image/png")


def article_form(
    user: Any, instance: Article | None = None, files: dict[str, Any] | None = None, **data: str
) -> ArticleForm:
    query = QueryDict(mutable=True)
    query.update({"title": "Autumn", "body": "", **data})
    return ArticleForm(
        query,
        MultiValueDict({key: [file] for key, file in (files or {}).items()}),
        instance=instance,
        user=user,
    )


WANTED = {"hero-make": "on", "hero-prompt": "A red bicycle", "hero-shape": "16:9"}


# --- making -------------------------------------------------------------------------------------


def test_typed_prompt_makes_one_picture_and_one_charge_on_save(editor: User) -> None:
    form = article_form(editor, **WANTED, **{"hero-request": str(uuid.uuid4())})

    assert form.is_valid(), form.errors
    request = form.cleaned_data["hero"]
    assert isinstance(request, GenerationRequest)
    assert (request.prompt, request.price, request.currency) == (
        "A red bicycle",
        Decimal("0.03"),
        "USD",
    )
    assert not GeneratedImage.objects.exists()
    article = form.save()

    picture = GeneratedImage.objects.get()
    assert article.hero == picture
    assert Article.objects.get().hero_id == picture.pk
    assert (picture.prompt, picture.aspect_ratio, picture.status) == (
        "A red bicycle",
        "16:9",
        "pending",
    )
    assert picture.requested_by == editor
    assert Charge.objects.get().expected == Decimal("0.03")


def test_invalid_form_spends_nothing(editor: User) -> None:
    form = article_form(editor, **{**WANTED, "title": ""})

    assert not form.is_valid()
    assert list(form.errors) == ["title"]
    assert not GeneratedImage.objects.exists()
    assert not Charge.objects.exists()


def test_record_that_cannot_be_saved_takes_its_picture_with_it(editor: User) -> None:
    form = article_form(editor, **WANTED)
    assert form.is_valid()
    Article.objects.create(title="Autumn")  # somebody was faster

    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        form.save()

    assert not GeneratedImage.objects.exists()
    assert not Charge.objects.exists()


@pytest.mark.parametrize("change", [{}, {"title": "Autumn again"}], ids=["same", "other title"])
def test_the_same_form_twice_makes_one_picture(editor: User, change: dict[str, str]) -> None:
    data = {**WANTED, "hero-request": str(uuid.uuid4())}
    first = article_form(editor, **data)
    assert first.is_valid()
    article = first.save()

    second = article_form(editor, instance=Article.objects.get(), **{**data, **change})
    assert second.is_valid(), second.errors
    second.save()

    assert Charge.objects.count() == 1
    assert GeneratedImage.objects.get() == article.hero == Article.objects.get().hero


def test_a_prompt_changed_after_going_back_is_another_picture(editor: User) -> None:
    data = {**WANTED, "hero-request": str(uuid.uuid4())}
    first = article_form(editor, **data)
    assert first.is_valid()
    first.save()

    second = article_form(
        editor, instance=Article.objects.get(), **{**data, "hero-prompt": "A blue bicycle"}
    )
    assert second.is_valid()
    second.save()

    assert Charge.objects.count() == 2
    assert Article.objects.get().hero is not None
    assert Article.objects.get().hero.prompt == "A blue bicycle"


def test_cloned_rows_of_a_formset_do_not_share_a_picture(editor: User) -> None:
    query = QueryDict(mutable=True)
    same = str(uuid.uuid4())
    for prefix, prompt in (("a", "A cat"), ("b", "A cat")):
        query.update(
            {
                f"{prefix}-picture-make": "on",
                f"{prefix}-picture-prompt": prompt,
                f"{prefix}-picture-request": same,
            }
        )
    for prefix in ("a", "b"):
        form = PlainForm(query, prefix=prefix, user=editor)
        assert form.is_valid(), form.errors
        form.cleaned_data["picture"].generate(requested_by=editor)

    assert Charge.objects.count() == 2


def test_plain_form_generates_when_told(editor: User) -> None:
    data = QueryDict("picture-make=on&picture-prompt=A+cat")
    form = PlainForm(data, user=editor)

    assert form.is_valid()
    assert not Charge.objects.exists()
    picture = form.cleaned_data["picture"].generate(requested_by=editor)

    assert picture.aspect_ratio == "1:1"
    assert Charge.objects.get().image == picture


def test_template_is_filled_from_the_new_values_before_paying(editor: User) -> None:
    form = article_form(
        editor,
        **{
            "hero-make": "on",
            "hero-prompt": "{title}, editorial illustration",
            "hero-offered": "{title}, editorial illustration",
        },
    )

    assert form.is_valid(), form.errors
    assert form.cleaned_data["hero"].prompt == "Autumn, editorial illustration"
    form.save()
    assert GeneratedImage.objects.get().prompt == "Autumn, editorial illustration"


def test_typed_braces_read_nothing_that_the_template_does_not(editor: User) -> None:
    form = article_form(
        editor, **{"hero-make": "on", "hero-prompt": "{body} {author.name} {title.__class__}"}
    )

    assert form.is_valid()
    assert form.cleaned_data["hero"].prompt == "{body} {author.name} {title.__class__}"


def test_prompt_that_is_too_long_once_filled_is_a_form_error(editor: User) -> None:
    form = article_form(
        editor, **{"title": "x" * 200, "hero-make": "on", "hero-prompt": "{title}" * 11}
    )

    assert not form.is_valid()
    assert "the provider takes 2000" in form.errors["hero"][0]


def test_editing_offers_the_exact_text(editor: User) -> None:
    article = Article.objects.create(title="Winter {body}", body="secret")

    html = str(ArticleForm(instance=article, user=editor)["hero"])

    assert "Winter {body}, editorial illustration</textarea>" in html
    assert "secret" not in html


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({**WANTED, "hero-prompt": " "}, "Describe the picture that you want."),
        ({**WANTED, "hero-shape": "17:9"}, "17:9"),
        ({"hero-prompt": "Typed, not ticked"}, "Tick “Make on save”"),
    ],
    ids=["no prompt", "unknown shape", "not ticked"],
)
def test_wishes_that_cannot_be_fulfilled(editor: User, data: dict[str, str], sentence: str) -> None:
    form = article_form(editor, **data)

    assert not form.is_valid()
    assert sentence in form.errors["hero"][0]
    assert not Charge.objects.exists()


def test_limit_is_a_form_error_but_not_for_a_repeated_form(editor: User) -> None:
    SpendingLimit.objects.create(amount=Decimal("0.05"))
    data = {**WANTED, "hero-request": str(uuid.uuid4())}
    first = article_form(editor, **data)
    assert first.is_valid()
    first.save()

    again = article_form(editor, instance=Article.objects.get(), **data)
    another = article_form(editor, title="Winter", **WANTED)

    assert again.is_valid()
    assert not another.is_valid()
    assert "only $0.02 is left" in another.errors["hero"][0]


def test_nothing_is_offered_while_spending_is_off(editor: User, settings: Any) -> None:
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "SPENDING_ENABLED": False}

    form = article_form(editor, **WANTED)

    assert "hero-make" not in str(ArticleForm(user=editor))
    assert not form.is_valid()
    assert form.errors["hero"] == ["Making pictures is switched off on this site."]


@pytest.mark.parametrize("who", [None, AnonymousUser(), "reader"])
def test_without_permission_nothing_is_offered_and_nothing_made(who: Any, reader: User) -> None:
    user = reader if who == "reader" else who

    form = article_form(user, **WANTED)

    assert "hero-make" not in str(ArticleForm(user=user))
    assert not form.is_valid()
    assert form.errors["hero"] == ["You may not have pictures made."]
    assert not Charge.objects.exists()


# --- choosing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["pk", "uuid", "address"])
def test_choosing(editor: User, by: str) -> None:
    picture = finished()
    text = {
        "pk": str(picture.pk),
        "uuid": str(picture.uuid).upper(),
        "address": f"https://example.com/pictures/{picture.uuid}/?page=2",
    }[by]

    form = article_form(editor, hero=text)

    assert form.is_valid(), form.errors
    assert form.save().hero == picture


@pytest.mark.parametrize("text", ["999999", "9" * 40, str(uuid.uuid4()), "zebra", "-1", "\x00"])
def test_choosing_what_does_not_exist(editor: User, text: str) -> None:
    form = article_form(editor, hero=text)

    assert not form.is_valid()
    assert form.errors["hero"] == ["There is no such picture, or you may not use it."]


def test_only_pictures_that_the_user_may_view_can_be_chosen(reader: User) -> None:
    other, own = finished(), finished(requested_by=reader)

    refused = article_form(reader, hero=str(other.uuid))
    taken = article_form(reader, hero=str(own.uuid))
    nobody = article_form(AnonymousUser(), hero=str(own.uuid))

    assert refused.errors["hero"] == ["There is no such picture, or you may not use it."]
    assert taken.is_valid(), taken.errors
    assert not nobody.is_valid()


def test_failed_picture_cannot_be_chosen(editor: User) -> None:
    form = article_form(editor, hero=str(finished(status="failed").pk))

    assert form.errors["hero"] == ["This picture was never finished. Choose another one."]


# --- keeping and removing -----------------------------------------------------------------------


def rendered(instance: Article, user: Any) -> dict[str, str]:
    """What a browser would post for the picture field of an untouched form."""
    html = str(ArticleForm(instance=instance, user=user)["hero"])
    inputs = re.findall(r'<input type="(?:hidden|text)"[^>]* name="([^"]+)" value="([^"]*)"', html)
    return dict(inputs)


@pytest.mark.parametrize("who", ["editor", "reader"])
def test_untouched_form_keeps_the_picture(who: str, editor: User, reader: User) -> None:
    user = {"editor": editor, "reader": reader}[who]
    article = Article.objects.create(title="Autumn", hero=finished())
    data = rendered(article, user)
    assert {"hero", "hero-current"} <= set(data)

    form = article_form(user, instance=Article.objects.get(), **data)

    assert form.is_valid(), form.errors
    assert form.changed_data == []
    assert form.save().hero == article.hero


def test_untouched_form_keeps_what_somebody_else_chose_meanwhile(editor: User) -> None:
    article = Article.objects.create(title="Autumn", hero=finished())
    data = rendered(article, editor)
    newer = finished()
    Article.objects.update(hero=newer)

    form = article_form(editor, instance=Article.objects.get(), **data)

    assert form.is_valid()
    assert form.save().hero == newer


def test_form_without_any_of_our_inputs_keeps_the_picture(editor: User) -> None:
    article = Article.objects.create(title="Autumn", hero=finished())

    form = article_form(editor, instance=article)

    assert form.is_valid()
    assert form.save().hero_id is not None


@pytest.mark.parametrize("change", [{"hero-clear": "on"}, {"hero": ""}], ids=["box", "emptied"])
def test_removing(editor: User, change: dict[str, str]) -> None:
    article = Article.objects.create(title="Autumn", hero=finished())
    data = {**rendered(article, editor), **change}

    form = article_form(editor, instance=article, **data)

    assert form.is_valid()
    assert form.changed_data == ["hero"]
    form.save()
    assert Article.objects.get().hero is None


def test_required_field_cannot_be_emptied(editor: User) -> None:
    article = Article.objects.create(title="Autumn", hero=finished())
    form = article_form(editor, instance=article, **{"hero-clear": "on"})
    form.fields["hero"].required = True

    assert not form.is_valid()
    assert form.errors["hero"] == ["This field is required."]


def test_copy_keeps_the_picture_by_our_signature_alone(reader: User) -> None:
    picture, other = finished(), finished()
    signed = sign_current(picture)

    copied = article_form(reader, **{"hero": str(picture.uuid), "hero-current": signed})
    forged = article_form(
        reader,
        **{
            "hero": str(other.uuid),
            "hero-current": signed.replace(str(picture.uuid), str(other.uuid)),
        },
    )

    assert copied.is_valid(), copied.errors
    assert forged.errors["hero"] == ["There is no such picture, or you may not use it."]
    assert copied.save().hero == picture


def test_initial_picture_from_an_address_is_shown_to_those_who_may_view_it(
    reader: User, editor: User
) -> None:
    picture = finished()
    initial = {"hero": picture.pk}

    assert str(picture.uuid) not in str(ArticleForm(initial=initial, user=reader))
    assert str(picture.uuid) in str(ArticleForm(initial=initial, user=editor))


def test_disabled_field_keeps_the_picture(editor: User) -> None:
    article = Article.objects.create(title="Autumn", hero=finished())
    form = article_form(editor, instance=article, **WANTED)
    form.fields["hero"].disabled = True

    assert form.is_valid(), form.errors
    assert form.save().hero == article.hero
    assert not Charge.objects.exists()


# --- uploading ----------------------------------------------------------------------------------


def test_upload_becomes_a_finished_picture_without_a_charge(editor: User) -> None:
    form = article_form(editor, files={"hero-upload": upload()})

    assert form.is_valid(), form.errors
    assert isinstance(form.cleaned_data["hero"], UploadedPicture)
    assert not StoredObject.objects.exists()
    picture = form.save().hero

    assert (picture.status, picture.uploaded, picture.charge) == ("completed", True, None)
    assert (picture.width, picture.height, picture.format) == (400, 300, "PNG")
    assert picture.requested_by == editor
    with picture.file.open() as stored:
        assert stored.read() == png()
    noted = StoredObject.objects.get()
    assert (noted.image, noted.name, noted.kind) == (picture, picture.file.name, "original")
    assert noted.linked_at is not None
    assert picture in GeneratedImage.objects.due()


def test_upload_on_a_form_that_is_invalid_stores_nothing(editor: User) -> None:
    form = article_form(editor, title="", files={"hero-upload": upload()})

    assert not form.is_valid()
    assert not StoredObject.objects.exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "PNG, JPEG"),
        (b"<html><script>alert(1)</script></html>", "PNG, JPEG or WebP"),
        (png()[:60], "PNG, JPEG or WebP"),
    ],
    ids=["svg", "html", "cut short"],
)
def test_hostile_upload_is_refused(editor: User, content: bytes, sentence: str) -> None:
    form = article_form(editor, files={"hero-upload": upload(content)})

    assert not form.is_valid()
    assert sentence in form.errors["hero"][0]
    assert not GeneratedImage.objects.exists()


def test_upload_beyond_the_sites_limits_is_refused(editor: User, settings: Any) -> None:
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "MAX_IMAGE_PIXELS": 1000}
    pixels = article_form(editor, files={"hero-upload": upload()})
    assert pixels.errors["hero"] == ["This picture has more than 1000 pixels."]

    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "MAX_IMAGE_BYTES": 20}
    size = article_form(editor, files={"hero-upload": upload()})
    assert size.errors["hero"] == ["This file is larger than 20\xa0bytes."]


def test_upload_needs_the_permission_or_the_developers_word(reader: User) -> None:
    refused = article_form(reader, files={"hero-upload": upload()})
    allowed = article_form(reader, files={"hero-upload": upload()})
    allowed.fields["hero"].allow_upload = True

    assert refused.errors["hero"] == ["You may not upload pictures."]
    assert allowed.is_valid()


def test_from_upload_is_a_query_verb(editor: User) -> None:
    picture = GeneratedImage.objects.from_upload(upload(), requested_by=editor, alt_text="A beach")

    picture.refresh_from_db()
    assert (picture.alt_text, picture.size) == ("A beach", len(png()))
    with pytest.raises(ValidationError, match="not a picture"):
        GeneratedImage.objects.from_upload(upload(b"nothing"))
    assert GeneratedImage.objects.count() == 1


# --- one of the three ---------------------------------------------------------------------------


@pytest.mark.parametrize("ways", ["choose upload", "choose make", "upload make", "clear make"])
def test_two_ways_at_once_are_refused(editor: User, ways: str) -> None:
    article = Article.objects.create(title="Autumn", hero=finished())
    data = rendered(article, editor)
    files = {}
    if "choose" in ways:
        data["hero"] = str(finished().uuid)
    if "upload" in ways:
        files["hero-upload"] = upload()
    if "make" in ways:
        data.update(WANTED)
    if "clear" in ways:
        data["hero-clear"] = "on"

    form = article_form(editor, instance=article, files=files, **data)

    assert not form.is_valid()
    assert form.errors["hero"] == [
        "Choose a picture, upload one, or have one made: only one of these."
    ]
    assert not Charge.objects.exists()


# --- pages --------------------------------------------------------------------------------------


def test_public_form_from_page_to_picture(client: Client, editor: User) -> None:
    client.force_login(editor)
    page = client.get("/articles/new/").content.decode()
    assert 'enctype="multipart/form-data"' in page
    request_id = re.search(r'name="hero-request" value="([^"]+)"', page)
    assert request_id
    data = {"title": "Autumn", **WANTED, "hero-request": request_id[1]}

    first = client.post("/articles/new/", data)

    article = Article.objects.get()
    assert first.status_code == 302
    assert article.hero is not None
    assert article.hero.requested_by == editor
    page = client.get(f"/articles/{article.pk}/edit/").content.decode()
    assert f'data-ideogram-image="{article.hero.uuid}" data-ideogram-status="pending"' in page


def test_admin_offers_the_prompt_only_to_those_who_may_spend(client: Client) -> None:
    editors = person("a", "add_article", "change_article", "view_article")
    spender = person(
        "b", "add_article", "change_article", "view_article", "generate_generatedimage"
    )
    User.objects.update(is_staff=True)

    client.force_login(editors)
    without = client.get("/admin/magazine/article/add/").content.decode()
    client.force_login(spender)
    with_prompt = client.get("/admin/magazine/article/add/").content.decode()

    assert "hero-make" not in without
    assert "hero-upload" in without
    assert "Make on save · $0.03" in with_prompt
    assert "related-widget-wrapper" not in with_prompt.split("field-hero")[1].split("form-row")[0]


INLINE = {
    "pages-TOTAL_FORMS": "1",
    "pages-INITIAL_FORMS": "0",
    "pages-MIN_NUM_FORMS": "0",
    "pages-MAX_NUM_FORMS": "1000",
}


def test_admin_with_an_inline(client: Client, admin_user: User) -> None:
    client.force_login(admin_user)
    author = Author.objects.create(name="Ada")
    data = {
        "title": "Autumn",
        "author": str(author.pk),
        **WANTED,
        **INLINE,
        "pages-0-text": "Leaves",
        "pages-0-picture-make": "on",
        "pages-0-picture-prompt": "{text}, by {article.author.name}",
        "pages-0-picture-request": str(uuid.uuid4()),
    }

    response = client.post("/admin/magazine/article/add/", data)

    assert response.status_code == 302
    article = Article.objects.get()
    assert article.hero is not None
    assert article.hero.requested_by == admin_user
    assert article.pages.get().picture is not None
    assert article.pages.get().picture.prompt == "Leaves, by Ada"
    assert Charge.objects.count() == 2


def test_admin_empty_inline_row_is_no_change(client: Client, admin_user: User) -> None:
    client.force_login(admin_user)
    data = {
        "title": "Autumn",
        **INLINE,
        "pages-0-text": "",
        "pages-0-picture": "",
        "pages-0-picture-prompt": "{text}, by {article.author.name}",
        "pages-0-picture-offered": "{text}, by {article.author.name}",
        "pages-0-picture-request": str(uuid.uuid4()),
    }

    response = client.post("/admin/magazine/article/add/", data)

    assert response.status_code == 302
    assert not Article.objects.get().pages.exists()


def test_admin_save_as_new_copies_the_picture(client: Client, admin_user: User) -> None:
    client.force_login(admin_user)
    article = Article.objects.create(title="Autumn", hero=finished())
    data = {
        **rendered(article, admin_user),
        **INLINE,
        "pages-TOTAL_FORMS": "0",
        "title": "Autumn, copied",
        "_saveasnew": "1",
    }

    response = client.post(f"/admin/magazine/article/{article.pk}/change/", data)

    assert response.status_code == 302
    assert Article.objects.get(title="Autumn, copied").hero == article.hero


def test_admin_list_editable(
    client: Client, admin_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = admin.site.get_model_admin(Article)
    monkeypatch.setattr(host, "list_display", ["title", "hero"])
    monkeypatch.setattr(host, "list_editable", ["hero"])
    first = Article.objects.create(title="First", hero=finished())
    second = Article.objects.create(title="Second", hero=finished())
    client.force_login(admin_user)
    page = client.get("/admin/magazine/article/").content.decode()
    assert 'enctype="multipart/form-data"' in page
    inputs = re.findall(
        r'type="(?:hidden|text)"[^>]* name="(form-[^"]+)"[^>]* value="([^"]*)"', page
    )
    (tick,) = re.findall(r'name="form-0-hero-make" value="([^"]+)"', page)
    data = {**dict(inputs), "form-0-hero-make": tick, "form-0-hero-prompt": "A cat", "_save": "1"}

    response = client.post("/admin/magazine/article/", data)

    assert response.status_code == 302
    assert Charge.objects.count() == 1
    first.refresh_from_db()
    assert first.hero is not None
    assert first.hero.prompt == "A cat"
    assert Article.objects.get(title="Second").hero == second.hero


def test_admin_without_the_mixin_keeps_the_picture(admin_user: User, rf: RequestFactory) -> None:
    request = rf.get("/")
    request.user = admin_user
    article = Article.objects.create(title="Autumn", hero=finished())
    form_class = admin.ModelAdmin(Article, admin.site).get_form(request, article)

    html = str(form_class(instance=article)["hero"])
    form = form_class({"title": "Winter"}, instance=article)

    assert str(article.hero.uuid) in html
    assert "hero-make" not in html
    assert form.is_valid(), form.errors
    assert form.save().hero == article.hero


def test_admin_read_only_field_is_shown(
    client: Client, admin_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin.site.get_model_admin(Article), "readonly_fields", ["hero"])
    article = Article.objects.create(title="Autumn", hero=finished())
    client.force_login(admin_user)

    page = client.get(f"/admin/magazine/article/{article.pk}/change/").content.decode()

    assert "A lake" in page
    assert "hero-current" not in page


def test_admin_tells_when_the_money_runs_out_between_checking_and_saving(
    client: Client, admin_user: User
) -> None:
    """Two pictures in one form, and money for one: each fits when it is looked at alone."""
    SpendingLimit.objects.create(amount=Decimal("0.05"))
    client.force_login(admin_user)
    data = {
        "title": "Autumn",
        **WANTED,
        **INLINE,
        "pages-0-text": "Leaves",
        "pages-0-picture-make": "on",
        "pages-0-picture-prompt": "Leaves",
    }

    response = client.post("/admin/magazine/article/add/", data, follow=True)

    assert "only $0.02 is left this month for this site." in response.content.decode()
    assert not Article.objects.exists()
    assert not Charge.objects.exists()
