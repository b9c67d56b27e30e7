"""A gallery of any size: what is counted, what is offered, what an action on all of it touches."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from ideogram_django.admin import filters, paging
from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import Status
from tests.test_admin import ADDING, CHANGE, DELETE, SPEND, VIEW, client_of, staff, text
from tests.test_gallery import GALLERY, offered, one, pictures

pytestmark = pytest.mark.django_db

MORE = "There are more."


@pytest.fixture
def editor() -> User:
    return staff(VIEW, CHANGE, ADDING, DELETE, SPEND)


@pytest.fixture
def browser(editor: User) -> Client:
    return client_of(editor)


@pytest.fixture(autouse=True)
def short_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if 48 pictures beyond the page were 2,000."""
    monkeypatch.setattr(paging, "AHEAD", 48)


def page(browser: Client, query: str = "") -> Any:
    return browser.get(GALLERY + query).context["cl"]


def test_a_page_counts_only_what_lies_ahead(browser: Client) -> None:
    pictures(200)
    first = page(browser)
    assert first.result_count == 24 + 48
    assert first.paginator.num_pages == 3
    assert first.paginator.is_short


def test_further_pages_follow_and_the_last_one_is_reached(browser: Client) -> None:
    images = pictures(200)
    seen: list[GeneratedImage] = []
    number, last = 1, page(browser).paginator.num_pages
    while number <= last:
        changes = page(browser, f"?p={number}")
        seen += changes.result_list
        number, last = number + 1, changes.paginator.num_pages
    assert seen == images[::-1]
    assert changes.result_count == 200
    assert not changes.paginator.is_short


def test_it_says_that_there_are_more(browser: Client) -> None:
    pictures(72)
    assert MORE not in text(browser.get(GALLERY))
    one()
    assert MORE in text(browser.get(GALLERY))
    assert MORE not in text(browser.get(f"{GALLERY}?status=failed"))


@pytest.mark.parametrize("number", ["0", "-1", "x", "²", "9" * 30])
def test_a_strange_page_number_is_no_error(browser: Client, number: str) -> None:
    pictures(30)
    assert browser.get(f"{GALLERY}?p={number}", follow=True).status_code == 200


def test_all_of_them_are_as_many_as_the_page_says(browser: Client) -> None:
    """“Select all 72 pictures” must not delete 200."""
    images = pictures(200)
    data = {"action": "delete_selected", "select_across": "1", "_selected_action": images[-1].pk}
    question = browser.post(GALLERY, data)
    assert len(question.context["queryset"]) == 72
    assert set(question.context["queryset"]) == set(images[-72:])
    browser.post(GALLERY, {**data, "post": "yes"})
    assert list(GeneratedImage.objects.order_by("pk")) == images[:-72]


def test_all_of_a_short_list_are_all(browser: Client) -> None:
    images = pictures(30)
    data = {"action": "delete_selected", "select_across": "1", "_selected_action": images[-1].pk}
    assert len(browser.post(GALLERY, data).context["queryset"]) == 30


def test_filters_offer_what_the_newest_have_and_find_what_older_ones_have(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "NEWEST", 2)
    ada, ben, cleo = staff(VIEW), staff(VIEW), staff(VIEW)
    old = one(requested_by=ada, model="ideogram-v3-turbo", style_type="ANIME", aspect_ratio="3:4")
    one(requested_by=ben, style_type="DESIGN", aspect_ratio="16:9")
    one(requested_by=cleo, style_type="REALISTIC", aspect_ratio="1:1", uploaded=True, model="")
    found = offered(browser)
    assert found["who"] == ["Me", *sorted([str(ben), str(cleo)])]
    assert found["model"] == ["Ideogram v4 Turbo", "Own work"]
    assert found["style"] == ["Design", "Realistic"]
    assert found["shape"] == ["1:1", "16:9"]
    for query, title, label in [
        (f"?who={ada.pk}", "who", str(ada)),
        ("?model=ideogram-v3-turbo", "model", "Ideogram v3 Turbo"),
        ("?style=anime", "style", "Anime"),
        ("?shape=3:4", "shape", "3:4"),
    ]:
        changes = page(browser, query)
        assert list(changes.result_list) == [old], query
        (spec,) = [spec for spec in changes.filter_specs if str(spec.title) == title]
        chosen = [str(one["display"]) for one in spec.choices(changes) if one["selected"]]
        assert chosen == [label]


def test_a_chosen_person_without_pictures_is_told_apart_from_nobody(browser: Client) -> None:
    one(requested_by=staff(VIEW))
    idle = staff(VIEW)
    assert list(page(browser, f"?who={idle.pk}").result_list) == []
    assert len(page(browser, "?who=nobody").result_list) == 1


@pytest.mark.parametrize("look", ["grid", "list"])
def test_by_time_the_order_is_the_same(browser: Client, look: str) -> None:
    browser.post(f"{GALLERY}look/", {"look": look})
    images = pictures(5, status=Status.FAILED)
    query = "?created_at__gte=2001-01-01+00%3A00%3A00%2B00%3A00"
    assert list(page(browser, query).result_list) == images[::-1]
    assert page(browser, query).get_ordering_field_columns() == {}
