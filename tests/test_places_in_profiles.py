"""Fixed places that change their look: one row for each profile, and which one a page shows."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from ideogram_django.models import Charge, GeneratedImage, Place, PromptProfile
from tests.test_places import PLACES, client, form, making, place, render, text
from tests.test_templatetags import saved, unfinished

pytestmark = pytest.mark.django_db

__all__ = ["client"]


def look(name: str = "season", **values: str) -> PromptProfile:
    profile = PromptProfile.objects.create(name=name)
    profile.revise(**{"prefix": "Linocut.", "suffix": "Two colours.", **values})
    return profile


def shown(**asked: Any) -> str:
    """The alternative text of the picture that a page shows; empty where it shows none."""
    tag = '{% generated_image_for "home-hero" profile=profile %}'
    html = render(tag, **asked) if asked else render('{% generated_image_for "home-hero" %}')
    found = re.search(r'alt="([^"]*)"', html)
    return found[1] if found else html


# --- on a page ----------------------------------------------------------------------------------


def test_a_page_shows_the_place_in_the_profile_that_it_asks_for() -> None:
    place(image=saved(alt_text="Plain"))
    place(image=saved(alt_text="Winter"), profile=look("winter"))
    place(image=saved(alt_text="Spring"), profile=look("spring"))
    assert shown(profile="winter") == "Winter"
    assert shown(profile="spring") == "Spring"
    assert shown() == shown(profile="") == shown(profile=None) == "Plain"
    assert shown(profile=PromptProfile.objects.get(name="winter")) == "Winter"
    assert 'alt="Winter"' in render('{% generated_image_for "home-hero" profile="winter" %}')


def test_without_one_in_that_profile_it_shows_the_one_for_none() -> None:
    winter = place(profile=look("winter"))
    place(image=saved(alt_text="Plain"))
    assert shown(profile="winter") == shown(profile="summer") == "Plain"
    winter.image = unfinished(status="draft")
    winter.image.save()
    winter.save()
    assert shown(profile="winter") == "Plain"  # until the new one is there


def test_it_never_shows_the_look_of_another_profile() -> None:
    place(image=saved(alt_text="Winter"), profile=look("winter"))
    assert shown(profile="summer") == ""


def test_a_page_that_asks_for_no_profile_shows_what_there_is() -> None:
    """An editor who has the house's look chosen for a place sees it, without a word in a page."""
    place(image=saved(alt_text="Winter"), profile=look("winter"))
    place(image=saved(alt_text="Spring"), profile=look("spring"))
    assert shown() == "Winter"


def test_a_picture_on_its_way_gets_a_placeholder_where_nothing_else_is() -> None:
    new = unfinished(status="draft")
    new.save()
    place(profile=look("winter"), image=new)
    assert "<svg" in render('{% generated_image_for "home-hero" profile="winter" %}')


def test_in_development_the_page_names_the_profile(settings: Any) -> None:
    settings.DEBUG = True
    html = render('{% generated_image_for "home-hero" profile="winter" %}')
    assert "“home-hero” yet, neither for the prompt profile “winter” nor for none" in html
    assert not PromptProfile.objects.exists()


def test_profiles_cost_no_query_each(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    names = [f"look-{number}" for number in range(20)]
    for name in names:
        place(image=saved(), profile=look(name))
    page = '{% for name in names %}{% generated_image_for "home-hero" profile=name %}{% endfor %}'
    with django_assert_num_queries(1):
        html = render(page, names=names)
    assert html.count("<img ") == 20


# --- one row for each -----------------------------------------------------------------------------


def test_a_place_is_there_once_in_each_profile() -> None:
    winter = look("winter")
    place()
    place(profile=winter)
    for columns in ({}, {"profile": winter}):
        with pytest.raises(ValidationError, match="There is a place with this key"):
            Place(key="home-hero", name="Again", **columns).full_clean()
        with pytest.raises(IntegrityError), transaction.atomic():
            place(**columns)
    with pytest.raises(ProtectedError):
        winter.delete()


# --- in the admin ---------------------------------------------------------------------------------


def test_where_there_is_no_profile_nobody_is_asked_for_one(client: Client) -> None:
    PromptProfile.objects.create(name="no-version-yet")
    assert 'name="profile"' not in text(client.get(f"{PLACES}add/"))
    assert client.post(f"{PLACES}add/", form()).status_code == 302
    look()
    assert 'name="profile"' in text(client.get(f"{PLACES}add/"))


def test_new_pictures_of_a_place_are_made_with_its_profile(client: Client) -> None:
    season = look(style_type="DESIGN", template="{title}, seen from above")
    hero = place(profile=season)
    url = f"{PLACES}{hero.pk}/change/"
    page = text(client.get(url))
    assert "Linocut." in page
    assert "Two colours." in page
    assert "{title}" not in page  # that is for records

    wish = making("A harbour", profile=season.pk, **terms(client.get(url)))
    assert client.post(url, wish).status_code == 302
    image = GeneratedImage.objects.get()
    assert (image.prompt, image.typed_prompt) == ("Linocut. A harbour Two colours.", "A harbour")
    assert (image.profile, image.profile_version, image.style_type) == ("season", 1, "DESIGN")
    hero.refresh_from_db()
    assert hero.image == image


def test_a_profile_frames_what_is_typed(client: Client) -> None:
    season = look(template="{prompt}, seen from above")
    hero = place(profile=season)
    url = f"{PLACES}{hero.pk}/change/"
    wish = making("A harbour", profile=season.pk, **terms(client.get(url)))
    assert client.post(url, wish).status_code == 302
    image = GeneratedImage.objects.get()
    assert image.prompt == "Linocut. A harbour, seen from above Two colours."


def test_a_profile_that_was_not_on_the_page_spends_nothing_yet(client: Client) -> None:
    """The editor has not seen its words; the form comes back with them."""
    season = look()
    url = f"{PLACES}add/"
    wish = making("A harbour", profile=season.pk, **terms(client.get(url)))
    answer = client.post(url, wish)
    assert answer.status_code == 200
    assert "Look at the text that will be sent" in text(answer)
    assert "Linocut." in text(answer)
    assert not Charge.objects.exists()
    assert client.post(url, {**wish, **terms(answer)}).status_code == 302
    assert GeneratedImage.objects.get().profile == "season"


def test_a_profile_in_the_address_is_chosen_and_used(client: Client) -> None:
    season = look()
    page = text(client.get(f"{PLACES}add/?profile={season.pk}&key=home-hero"))
    assert f'<option value="{season.pk}" selected>' in page
    assert "Linocut." in page


@pytest.mark.parametrize("value", ["99", "x", "-1", "9" * 30])
def test_a_profile_that_there_is_not_is_told_beside_it(client: Client, value: str) -> None:
    look()
    answer = client.post(f"{PLACES}add/", making(profile=value))
    assert answer.status_code == 200
    assert "Select a valid choice" in text(answer)
    assert not Charge.objects.exists()


def test_one_that_is_not_in_use_is_kept_but_makes_nothing(client: Client) -> None:
    season = look()
    hero = place(profile=season, image=saved(alt_text="A lake"))
    season.is_active = False
    season.save()
    page = text(client.get(f"{PLACES}{hero.pk}/change/"))
    assert f'<option value="{season.pk}" selected>' in page
    assert "“season” is not in use." in page
    answer = client.post(f"{PLACES}{hero.pk}/change/", form(name="New", profile=season.pk))
    assert answer.status_code == 302
    hero.refresh_from_db()
    assert (hero.name, hero.profile) == ("New", season)
    assert shown(profile="season") == "A lake"
    assert f'value="{season.pk}"' not in text(client.get(f"{PLACES}add/"))


def test_the_same_place_twice_is_told_and_loses_nothing(client: Client) -> None:
    season = look()
    place()
    other = place(profile=season)
    answer = client.post(f"{PLACES}add/", making("My long prompt", profile=season.pk))
    assert answer.status_code == 200
    assert text(answer).count("There is a place with this key and this prompt profile") == 1
    assert "My long prompt" in text(answer)

    answer = client.post(f"{PLACES}{other.pk}/change/", form(profile=""))
    assert answer.status_code == 200
    assert text(answer).count("There is a place with this key already.") == 1
    other.refresh_from_db()
    assert other.profile == season
    assert not Charge.objects.exists()


def test_the_list_names_the_profiles(client: Client) -> None:
    place()
    place(profile=look())
    page = text(client.get(PLACES))
    assert page.count('<td class="field-profile nowrap">season</td>') == 1


def test_drafts_at_once_are_made_with_the_profile(client: Client) -> None:
    hero = place(profile=look())
    signed = terms(client.get(f"{PLACES}{hero.pk}/change/"))["image-terms"]
    wish = {"name": "image", "prompt": "A harbour", "count": "2", "request": str(uuid.uuid4())}
    answer = client.post(reverse("ideogram_django:make"), {**wish, "terms": signed})
    assert answer.status_code == 200
    assert {one.prompt for one in GeneratedImage.objects.all()} == {
        "Linocut. A harbour Two colours."
    }


def terms(page: Any) -> dict[str, str]:
    """What the picture field signed for its offer."""
    found = re.search(r'name="image-terms" value="([^"]+)"', page.content.decode())
    assert found is not None
    return {"image-terms": found[1]}
