"""Prompt profiles as people meet them: their page, sample sheets, forms, the gallery's filters."""

from __future__ import annotations

import re
import uuid
from decimal import Decimal
from html import unescape
from types import MappingProxyType
from typing import Any

import pytest
from django import forms
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ideogram_django.forms import GeneratedImageField, GeneratedImageFormMixin
from ideogram_django.forms.plans import text_for, typed_for
from ideogram_django.models import (
    Charge,
    GeneratedImage,
    ProfileVersion,
    PromptProfile,
    SampleSheet,
    SpendingLimit,
)
from ideogram_django.profiles.models import sample_subjects
from tests.magazine.forms import ArticleForm
from tests.magazine.models import Article
from tests.people import client_of, staff

pytestmark = pytest.mark.django_db

PROFILES = "/admin/ideogram_django/promptprofile/"
GALLERY = "/admin/ideogram_django/generatedimage/"
MAKE = f"{GALLERY}add/"
WORDS: dict[str, str] = {
    "template": "",
    "prefix": "Risograph print.",
    "suffix": "Two colours on off-white paper.",
    "model": "",
    "style_type": "design",
    "aspect_ratio": "3:2",
    "negative_prompt": "",
    "style_preset": "",
}


def season(**values: Any) -> PromptProfile:
    profile, _made = PromptProfile.objects.get_or_create(name="season")
    profile.revise(**{**WORDS, "style_type": "DESIGN", **values})
    return profile


def page(profile: PromptProfile) -> str:
    return f"{PROFILES}{profile.pk}/change/"


def posted(profile: PromptProfile | None = None, **changes: Any) -> dict[str, Any]:
    """What a browser sends from the profile's page."""
    current = profile.current if profile else None
    return {
        **({} if profile else {"name": "season"}),
        "description": "The autumn issue",
        "is_active": "on",
        "sample_subjects": sample_subjects(),
        "based_on": str(current.number if current else 0),
        **WORDS,
        "_continue": "",
        **changes,
    }


def text(response: Any) -> str:
    return " ".join(unescape(response.content.decode()).split())


def errors(response: Any) -> dict[str, list[str]]:
    return dict(response.context["adminform"].form.errors)


# --- versions -----------------------------------------------------------------------------------


def test_a_new_profile_is_version_one(admin_client: Client, admin_user: User) -> None:
    assert "Saving this makes version 1." in text(admin_client.get(f"{PROFILES}add/"))

    admin_client.post(f"{PROFILES}add/", posted())

    version = ProfileVersion.objects.get()
    assert (version.number, version.created_by) == (1, admin_user)
    assert (version.prefix, version.style_type) == ("Risograph print.", "DESIGN")
    image = GeneratedImage.objects.generate("A harbour", profile="season")
    assert image.prompt == "Risograph print. A harbour Two colours on off-white paper."


def test_changed_words_make_the_next_version_which_is_said_before(admin_client: Client) -> None:
    profile = season()
    before = text(admin_client.get(page(profile)))
    assert "saving makes version 2" in before

    done = admin_client.post(page(profile), posted(profile, prefix="Linocut."), follow=True)

    assert "Version 2 is made" in text(done)
    assert [one.number for one in profile.versions.all()] == [2, 1]
    assert profile.versions.get(number=1).prefix == "Risograph print."


def test_unchanged_words_make_none(admin_client: Client) -> None:
    profile = season()
    done = admin_client.post(page(profile), posted(profile, description="New"), follow=True)
    assert "Version 1 stays: nothing in it was changed." in text(done)
    profile.refresh_from_db()
    assert profile.description == "New"
    assert profile.versions.count() == 1


def test_a_browsers_line_ends_are_no_change(admin_client: Client) -> None:
    profile = season(prefix="One line.\nAnother.")
    admin_client.post(page(profile), posted(profile, prefix="One line.\r\nAnother."))
    assert profile.versions.count() == 1


def test_somebody_was_faster_and_nothing_is_overwritten_unseen(admin_client: Client) -> None:
    profile = season()
    mine = posted(profile, prefix="Linocut.")
    season(prefix="Etching.")

    refused = admin_client.post(page(profile), mine)

    assert "Somebody made version 2 meanwhile" in text(refused)
    assert profile.versions.count() == 2
    assert 'value="2" id="id_based_on"' in refused.content.decode()
    admin_client.post(page(profile), {**mine, "based_on": "2"})
    assert profile.current is not None
    assert (profile.current.number, profile.current.prefix) == (3, "Linocut.")


def test_an_earlier_version_can_be_begun_from(admin_client: Client) -> None:
    profile = season()
    season(prefix="Linocut.")
    form = admin_client.get(f"{page(profile)}?version=1").context["adminform"].form
    assert form.initial["prefix"] == "Risograph print."

    admin_client.post(f"{page(profile)}?version=1", posted(profile))

    assert profile.current is not None
    assert (profile.current.number, profile.current.prefix) == (3, "Risograph print.")


def test_old_versions_say_what_they_changed_in_words(admin_client: Client) -> None:
    profile = season()
    season(suffix="Three colours on off-white paper.", style_type="", model="ideogram-v4-balanced")
    body = text(admin_client.get(page(profile)))
    versions = body[body.index("Versions</h2>") :]
    assert '<del><span class="ideogram-live">Taken out: </span>Two</del>' in versions
    assert '<ins><span class="ideogram-live">Added: </span>Three</ins>' in versions
    assert "Added: “Ideogram v4 Balanced”" in versions
    assert "Taken out; it was “Design”" in versions


def test_the_name_stays_and_what_pictures_remember_is_not_deleted(admin_client: Client) -> None:
    profile = season()
    admin_client.post(page(profile), posted(profile, name="winter"))
    profile.refresh_from_db()
    assert profile.name == "season"
    GeneratedImage.objects.generate("A harbour", profile="season")

    assert admin_client.post(f"{PROFILES}{profile.pk}/delete/", {"post": "yes"}).status_code == 403
    selected = {"action": "delete_selected", "_selected_action": [profile.pk], "post": "yes"}
    admin_client.post(PROFILES, selected)

    assert PromptProfile.objects.filter(pk=profile.pk).exists()


def test_who_may_only_look_sees_the_versions_and_no_form() -> None:
    profile = season()
    client = client_of(staff("view_promptprofile"))
    body = text(client.get(page(profile)))
    assert "Version 1" in body
    assert "Risograph print." in body
    assert 'name="prefix"' not in body
    assert "Make a sample sheet" not in body
    assert client.post(page(profile), posted(profile, prefix="Linocut.")).status_code == 403
    assert profile.versions.count() == 1


# --- checks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"model": "ideogram-v4-turbo", "aspect_ratio": "16:10"}, "aspect_ratio", "16:10"),
        ({"model": "ideogram-v4-turbo", "style_type": "anime"}, "style_type", "does not know"),
        ({"style_type": "anime", "aspect_ratio": "9:23"}, "style_type", "does not know"),
        ({"prefix": "x" * 1999}, "suffix", "2000"),
        ({"template": "{prompt} and {prompt}"}, "template", "once"),
        ({"template": "{title}, {prompt}"}, "template", "not both"),
        ({"sample_subjects": "\n".join("abcdefghi")}, "sample_subjects", "9 subjects"),
        ({"model": "ideogram-v9"}, "model", "Select a valid choice"),
    ],
)
def test_what_no_model_could_make_is_refused_beside_its_field(
    admin_client: Client, changes: dict[str, str], field: str, words: str
) -> None:
    refused = admin_client.post(f"{PROFILES}add/", posted(**changes))
    assert words in " ".join(errors(refused)[field])
    assert PromptProfile.objects.count() == ProfileVersion.objects.count() == 0


def test_a_style_of_an_older_model_may_be_fixed_while_the_model_is_open(
    admin_client: Client,
) -> None:
    admin_client.post(f"{PROFILES}add/", posted(style_type="anime", aspect_ratio=""))
    assert ProfileVersion.objects.get().style_type.casefold() == "anime"


def test_a_fixed_style_is_spelled_as_the_chosen_model_spells_it() -> None:
    season(aspect_ratio="")
    for model, style in (("ideogram-v4-turbo", "DESIGN"), ("ideogram-v3-turbo", "Design")):
        image = GeneratedImage.objects.generate("A harbour", profile="season", model=model)
        assert image.style_type == style


# --- sample sheets ------------------------------------------------------------------------------


def sheet_form(client: Client, profile: PromptProfile) -> dict[str, str]:
    """What the page's own form would send."""
    body = client.get(page(profile)).content.decode()
    form = body[body.index(f'action="{PROFILES}{profile.pk}/sample-sheet/"') :]
    return dict(re.findall(r'name="(request_id|version|price)" value="([^"]*)"', form))


def test_the_sample_sheet_costs_what_its_button_says_and_pays_once(admin_client: Client) -> None:
    profile = season()
    assert "Make a sample sheet of 4 pictures · $0.12" in text(admin_client.get(page(profile)))
    form = sheet_form(admin_client, profile)
    url = f"{PROFILES}{profile.pk}/sample-sheet/"

    told = admin_client.post(url, form, follow=True)
    admin_client.post(url, form)

    images = GeneratedImage.objects.filter(profile="season", profile_version=1)
    assert images.count() == 4
    assert sum(charge.expected for charge in Charge.objects.all()) == Decimal("0.12")
    assert {one.typed_prompt for one in images} == set(profile.subjects)
    assert "The 4 pictures of the sample sheet are being made." in text(told)
    assert text(told).count("data-ideogram-image=") == 4


def test_each_version_shows_its_own_newest_sheet_and_what_was_made(admin_client: Client) -> None:
    profile = season()
    for _sheet in range(2):
        form = sheet_form(admin_client, profile)
        admin_client.post(f"{PROFILES}{profile.pk}/sample-sheet/", form)
    newest = SampleSheet.objects.order_by("-pk")[0]
    season(prefix="Linocut.")
    GeneratedImage.objects.generate("A harbour", profile="season")

    history = admin_client.get(page(profile)).context["history"]

    second, first = history.entries
    assert (second.count, second.pictures) == (1, [])
    assert first.count == 8
    assert {shown.image.batch for shown in first.pictures} == {newest.batch}


@pytest.mark.parametrize("stale", ["version", "price"])
def test_what_changed_since_the_page_was_shown_is_not_paid(
    admin_client: Client, stale: str, settings: Any
) -> None:
    profile = season()
    form = sheet_form(admin_client, profile)
    if stale == "version":
        season(prefix="Linocut.")
    else:
        settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "CREDIT_PRICE": "0.02"}
    told = admin_client.post(f"{PROFILES}{profile.pk}/sample-sheet/", form, follow=True)
    assert ("newer version" if stale == "version" else "price has changed") in text(told)
    assert GeneratedImage.objects.count() == SampleSheet.objects.count() == 0


def test_a_spending_limit_holds_for_samples(admin_client: Client) -> None:
    profile = season()
    SpendingLimit.objects.create(amount=Decimal("0.10"))
    form = sheet_form(admin_client, profile)
    told = admin_client.post(f"{PROFILES}{profile.pk}/sample-sheet/", form, follow=True)
    assert "only $0.10 is left" in text(told)
    assert GeneratedImage.objects.count() == SampleSheet.objects.count() == 0


def test_samples_need_the_right_to_spend() -> None:
    profile = season()
    url = f"{PROFILES}{profile.pk}/sample-sheet/"
    form = {"request_id": str(uuid.uuid4()), "version": "1", "price": "0.12 USD"}
    editor = client_of(staff("view_promptprofile", "change_promptprofile"))
    assert "Make a sample sheet" not in text(editor.get(page(profile)))
    assert editor.post(url, form).status_code == 403
    stranger = client_of(staff("generate_generatedimage"))
    assert stranger.post(url, form).status_code == 403
    assert (
        client_of(staff("view_promptprofile", "generate_generatedimage")).get(url).status_code
        == 405
    )
    assert GeneratedImage.objects.count() == 0


def test_a_profile_without_subjects_or_not_in_use_says_why(admin_client: Client) -> None:
    profile = season()
    PromptProfile.objects.update(sample_subjects=" \n ")
    assert "Write one subject or more" in text(admin_client.get(page(profile)))
    PromptProfile.objects.update(sample_subjects="A", is_active=False)
    assert "“season” is not in use" in text(admin_client.get(page(profile)))


def test_the_page_asks_as_often_for_twenty_versions_as_for_two(admin_client: Client) -> None:
    profile = season()
    season(prefix="Linocut.")
    counts = []
    for _step in range(2):
        form = sheet_form(admin_client, profile)
        admin_client.post(f"{PROFILES}{profile.pk}/sample-sheet/", form)
        admin_client.get(page(profile))  # what is kept in caches
        with CaptureQueriesContext(connection) as asked:
            admin_client.get(f"{page(profile)}?versions=all")
        counts.append(len(asked))
        for number in range(18):
            season(prefix=f"Look {number}.")
    assert counts[0] == counts[1]


# --- the gallery --------------------------------------------------------------------------------


def test_the_gallery_answers_which_pictures_used_version_three(admin_client: Client) -> None:
    profile = season()
    old = GeneratedImage.objects.generate("Old", profile="season")
    season(prefix="Linocut.")
    GeneratedImage.objects.generate("New", profile="season")
    GeneratedImage.objects.generate("None")
    link = f"{GALLERY}?profile=season&version=1"
    assert f'"{link}"' in text(admin_client.get(page(profile)))
    assert list(admin_client.get(link).context["cl"].result_list) == [old]
    assert admin_client.get(f"{GALLERY}?profile=season").context["cl"].result_count == 2
    assert admin_client.get(f"{GALLERY}?profile=season&version=x").context["cl"].result_count == 0


# --- the form that makes pictures ---------------------------------------------------------------


def making(**changes: Any) -> dict[str, Any]:
    return {
        "request_id": str(uuid.uuid4()),
        "prompt": "A harbour",
        "count": "1",
        "profile": "season",
        "profile_seen": "season/1",
        "_make": "",
        **changes,
    }


def test_without_profiles_there_is_no_choice_of_one(admin_client: Client) -> None:
    assert 'name="profile"' not in admin_client.get(MAKE).content.decode()


def test_a_profile_shows_what_it_fixes_and_disables_it(admin_client: Client) -> None:
    season(model="ideogram-v4-quality", negative_prompt="people")
    response = admin_client.get(f"{MAKE}?profile=season")
    body = text(response)
    assert "The profile puts before it:</span> Risograph print." in body
    assert "The profile puts after it:</span> Two colours on off-white paper." in body
    for part in ("model", "style", "shape"):
        assert re.search(rf'data-ideogram-part="{part}" disabled', body)
    assert 'data-ideogram-make-label="Make · $0.10"' in body
    assert re.search(r'<textarea name="negative_prompt"[^>]* disabled', body)
    assert f'data-ideogram-limit="{2000 - 17 - 32}"' in body


def test_what_the_profile_fixes_is_made_whatever_a_browser_sends(admin_client: Client) -> None:
    season(model="ideogram-v4-turbo")
    forged = making(model="ideogram-v4-quality", style_type="realistic", aspect_ratio="1:1")
    admin_client.post(MAKE, forged)
    image = GeneratedImage.objects.get()
    assert (image.model, image.style_type) == ("ideogram-v4-turbo", "DESIGN")
    assert (image.aspect_ratio, image.profile, image.profile_version) == ("3:2", "season", 1)
    assert image.typed_prompt == "A harbour"
    assert image.price == Decimal("0.03")


def test_using_a_profile_keeps_what_was_typed_and_spends_nothing(admin_client: Client) -> None:
    season(model="ideogram-v4-quality")
    sent = making(model="ideogram-v4-turbo", style_type="", aspect_ratio="1:1", _profile="")
    del sent["_make"]
    sent["profile_seen"] = ""
    body = text(admin_client.post(MAKE, {**sent, "prompt": ""}))
    assert "errorlist" not in body
    body = text(admin_client.post(MAKE, sent))
    assert "A harbour</textarea>" in body
    assert 'data-ideogram-make-label="Make · $0.10"' in body
    assert 'name="profile_seen" value="season/1"' in body
    assert GeneratedImage.objects.count() == 0


@pytest.mark.parametrize("seen", ["", "season/1"])
def test_nobody_pays_a_price_that_the_page_did_not_show(admin_client: Client, seen: str) -> None:
    season()
    season(model="ideogram-v4-quality")
    sent = making(profile_seen=seen, model="ideogram-v4-turbo", style_type="", aspect_ratio="")
    told = admin_client.post(MAKE, sent)
    assert "press the button again. Nothing was spent." in text(told)
    assert GeneratedImage.objects.count() == 0
    admin_client.post(MAKE, {**sent, "profile_seen": "season/2"})
    assert GeneratedImage.objects.get().price == Decimal("0.10")


def test_leaving_a_profile_leaves_a_form_that_works(admin_client: Client) -> None:
    season(model="ideogram-v4-quality")
    body = text(admin_client.post(MAKE, making(profile="", _profile="")))
    assert 'data-ideogram-make-label="Make · $0.03"' in body


def test_a_draft_with_a_profile_is_edited_as_it_was_typed(admin_client: Client) -> None:
    season()
    sent = making(model="ideogram-v4-turbo", _draft="")
    del sent["_make"]
    admin_client.post(MAKE, sent)
    draft = GeneratedImage.objects.get()
    assert (draft.prompt, draft.typed_prompt) == (
        "Risograph print. A harbour Two colours on off-white paper.",
        "A harbour",
    )
    url = f"{GALLERY}{draft.pk}/change/"
    assert "A harbour</textarea>" in text(admin_client.get(url))

    sent |= {"profile": "", "profile_seen": "season/1", "style_type": "", "aspect_ratio": ""}
    admin_client.post(url, sent)

    draft.refresh_from_db()
    assert (draft.prompt, draft.profile, draft.profile_version) == ("A harbour", "", None)


def test_more_like_this_remembers_the_profile(admin_client: Client) -> None:
    season()
    image = GeneratedImage.objects.generate("A harbour", profile="season")
    url = f"{GALLERY}{image.pk}/step/"
    admin_client.post(url, {"step": "variations", "request_id": str(uuid.uuid4())})
    more = GeneratedImage.objects.exclude(pk=image.pk)
    assert {(one.profile, one.profile_version, one.typed_prompt) for one in more} == {
        ("season", 1, "A harbour")
    }


# --- fields -------------------------------------------------------------------------------------


class SeasonForm(GeneratedImageFormMixin, forms.Form):
    picture = GeneratedImageField(required=False, profile="season", aspect_ratio="1:1")


@pytest.fixture
def seasonal(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Articles whose field names the profile, and a template or none."""

    def name(**defaults: Any) -> None:
        field = Article._meta.get_field("hero")
        wanted = MappingProxyType({"profile": "season", **defaults})
        monkeypatch.setattr(field, "request_defaults", wanted)
        fresh = field.formfield()
        monkeypatch.setitem(ArticleForm.base_fields, "hero", fresh)

    return name


def article_form(user: User, article: Article | None = None, **changes: Any) -> ArticleForm:
    form = ArticleForm(instance=article, user=user)
    rendered = str(form["hero"])
    found = dict(re.findall(r'name="(hero-[a-z_]+)" value="([^"]*)"', rendered))
    prompt = re.search(r"<textarea[^>]*>\s*(.*?)</textarea>", rendered, re.DOTALL)
    data = {
        **{name: unescape(value) for name, value in found.items()},
        "hero-prompt": unescape(prompt[1]) if prompt else "",
        "hero-make": "on",
        "title": article.title if article else "Low water",
        **changes,
    }
    return ArticleForm(data, instance=article, user=user)


def test_the_fields_own_template_wins_and_the_profile_is_put_around_it(
    admin_user: User, seasonal: Any
) -> None:
    season(template="{title}, seen from above")
    seasonal(prompt_template="{title}, at night")
    form = article_form(admin_user, Article.objects.create(title="Low water"))
    article = form.save()
    assert article.hero.prompt == (
        "Risograph print. Low water, at night Two colours on off-white paper."
    )
    assert (article.hero.typed_prompt, article.hero.profile_version) == ("Low water, at night", 1)


@pytest.mark.parametrize("saved", [True, False])
def test_else_the_profiles_template_is_used(admin_user: User, seasonal: Any, saved: bool) -> None:
    season(template="{title}, seen from above")
    seasonal()
    article = Article.objects.create(title="Low water") if saved else None
    made = article_form(admin_user, article).save()
    assert made.hero.typed_prompt == "Low water, seen from above"


def test_the_exact_text_is_shown_before_paying(admin_user: User, seasonal: Any) -> None:
    season(template="A scene: {prompt}.")
    seasonal(prompt_template="{title}")
    article = Article.objects.create(title="Low water")
    rendered = unescape(str(ArticleForm(instance=article, user=admin_user)["hero"]))
    sent = "Risograph print. A scene: Low water. Two colours on off-white paper."
    assert f"Will be sent: “{sent}”" in rendered
    assert 'data-ideogram-before="Risograph print. A scene: "' in rendered
    assert 'data-ideogram-after=". Two colours on off-white paper."' in rendered
    assert article_form(admin_user, article).save().hero.prompt == sent


def test_the_field_shows_what_is_fixed_at_the_profiles_price(admin_user: User) -> None:
    season(model="ideogram-v4-quality")
    rendered = unescape(str(SeasonForm(user=admin_user)["picture"]))
    assert "$0.10 each" in rendered
    assert "Fixed by the prompt profile “season”:" in rendered
    assert "<dd>Shape: 3:2</dd>" in rendered
    assert 'data-ideogram-part="shape"' not in rendered


def test_a_profile_comes_before_the_fields_defaults(admin_user: User) -> None:
    season()
    form = SeasonForm({"picture-prompt": "A harbour", "picture-make": "on"}, user=admin_user)
    assert form.is_valid(), form.errors
    image = form.cleaned_data["picture"].generate(requested_by=admin_user)
    assert image.aspect_ratio == "3:2"


@pytest.mark.parametrize("gone", ["missing", "resting", "gap"])
def test_a_profile_that_cannot_be_used_says_so_and_spends_nothing(
    admin_user: User, seasonal: Any, gone: str
) -> None:
    if gone != "missing":
        season(template="{headline}" if gone == "gap" else "")
    if gone == "resting":
        PromptProfile.objects.update(is_active=False)
    seasonal()
    article = Article.objects.create(title="Low water")
    sentence = {
        "missing": "There is no prompt profile “season”.",
        "resting": "“season” is not in use",
        "gap": "names “headline”",
    }[gone]
    rendered = unescape(str(ArticleForm(instance=article, user=admin_user)["hero"]))
    assert sentence in rendered
    assert 'name="hero-make"' not in rendered
    form = article_form(admin_user, article)
    assert not form.is_valid()
    assert sentence in form.errors["hero"][0]
    assert GeneratedImage.objects.count() == 0


def test_a_version_that_nobody_saw_is_not_used(admin_user: User, seasonal: Any) -> None:
    season()
    seasonal(prompt_template="{title}")
    article = Article.objects.create(title="Low water")
    form = article_form(admin_user, article)
    season(suffix="Twelve colours.")
    assert not form.is_valid()
    assert "The prompt profile was changed meanwhile" in form.errors["hero"][0]
    assert article_form(admin_user, article).is_valid()


def test_the_profiles_words_count_for_the_length(admin_user: User) -> None:
    season()
    for length, fits in ((2000 - 49, True), (2000 - 48, False)):
        data = {"picture-prompt": "x" * length, "picture-make": "on"}
        assert SeasonForm(data, user=admin_user).is_valid() is fits


def test_drafts_at_once_have_the_profile_too(
    admin_client: Client, admin_user: User, seasonal: Any
) -> None:
    season()
    seasonal(prompt_template="{title}")
    form = article_form(admin_user, Article.objects.create(title="Low water"))
    parts = {key.removeprefix("hero-"): value for key, value in form.data.items()}
    admin_client.post("/ideogram/make/", {**parts, "name": "hero", "count": "2"})
    images = GeneratedImage.objects.all()
    assert [one.prompt for one in images] == [
        "Risograph print. Low water Two colours on off-white paper."
    ] * 2


def test_ten_rows_look_the_profile_up_once(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.magazine.models import Page

    season()
    field = Page._meta.get_field("picture")
    monkeypatch.setattr(field, "request_defaults", MappingProxyType({"profile": "season"}))
    article = Article.objects.create(title="Low water")
    for number in range(10):
        article.pages.create(text=f"Page {number}")
    with CaptureQueriesContext(connection) as asked:
        admin_client.get(f"/admin/magazine/article/{article.pk}/change/")
    profiles = [one["sql"] for one in asked if "promptprofile" in one["sql"]]
    assert len(profiles) == 1


def test_the_exact_text_of_a_record_for_code() -> None:
    season(template="{title}, seen from above")
    article = Article(title="Low water")
    assert text_for(article, profile="season") == (
        "Risograph print. Low water, seen from above Two colours on off-white paper."
    )
    assert text_for(article, "{title}") == "Low water"
    typed = typed_for(article, profile="season")
    image = GeneratedImage.objects.generate(typed, profile="season")
    assert image.prompt == text_for(article, profile="season")


def test_code_makes_the_next_version_and_learns_of_mistakes(admin_user: User) -> None:
    profile = season()
    version = profile.revise(prefix="Linocut.", by=admin_user)
    assert version is not None
    assert (version.number, version.suffix) == (2, "Two colours on off-white paper.")
    assert profile.revise(prefix="Linocut.") is None
    with pytest.raises(TypeError, match="colour"):
        profile.revise(colour="red")
