"""The admin through real requests: who may do what, what is paid, what a page says."""

from __future__ import annotations

import re
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from ideogram_django import conf, lifecycle
from ideogram_django.admin import GenerateImagesMixin
from ideogram_django.admin.records import RecordPlan, image_field, prepare_for
from ideogram_django.budget import ledger
from ideogram_django.models import (
    Charge,
    GeneratedImage,
    ProviderState,
    SpendingLimit,
)
from ideogram_django.statuses import ChargeState, PauseCode, Status
from tests.magazine.models import Article, Author
from tests.people import ADDING, CHANGE, DELETE, SPEND, VIEW, client_of, staff, text

pytestmark = pytest.mark.django_db

GALLERY = "/admin/ideogram_django/generatedimage/"
ADD = f"{GALLERY}add/"
HOSTILE = """<script>alert(1)</script> {{ prompt }} {% now "Y" %} "x" onerror='y' %(count)s & ü"""


def page(image: GeneratedImage) -> str:
    return f"{GALLERY}{image.pk}/change/"


def step_url(image: GeneratedImage) -> str:
    return f"{GALLERY}{image.pk}/step/"


@pytest.fixture
def editor() -> User:
    return staff(VIEW, CHANGE, ADDING, DELETE, SPEND)


def form(**changes: Any) -> dict[str, Any]:
    """What the add page posts."""
    return {
        "request_id": str(uuid.uuid4()),
        "prompt": "A red bicycle",
        "model": "ideogram-v4-turbo",
        "style_type": "",
        "aspect_ratio": "",
        "count": "1",
        "_make": "",
        **changes,
    }


def draft(**options: Any) -> GeneratedImage:
    options = {"prompt": "A red bicycle", **options}
    user = options.pop("requested_by", None)
    return lifecycle.draft_many(GeneratedImage.objects.all(), [options], requested_by=user)[0]


def picture(status: Status = Status.COMPLETED, **changes: Any) -> GeneratedImage:
    """A picture that was paid for and stands where the test wants it."""
    options = {"prompt": "A red bicycle", **changes.pop("request", {})}
    image = GeneratedImage.objects.generate(**options)
    facts: dict[str, Any] = {"status": status, **changes}
    if status == Status.COMPLETED:
        name = image.file.storage.save("a.png", ContentFile(b"x"))
        facts = {"file": name, "width": 640, "height": 480, "cost": image.price, **facts}
        ledger.settle(image.charge, None)
    GeneratedImage.objects.filter(pk=image.pk).update(**facts)
    image.refresh_from_db()
    return image


# --- who may do what ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("permissions", "gallery", "add", "change"),
    [
        (None, 302, 302, 302),
        ((), 403, 403, 403),
        ((VIEW,), 200, 403, 200),
        ((VIEW, CHANGE), 200, 403, 200),
        ((VIEW, ADDING), 200, 200, 200),
        ((SPEND,), 403, 403, 403),
    ],
)
def test_pages_follow_django_permissions(permissions, gallery, add, change):
    image = picture()
    client = client_of(None if permissions is None else staff(*permissions))
    assert client.get(GALLERY).status_code == gallery
    assert client.get(ADD).status_code == add
    assert client.get(page(image)).status_code == change


@pytest.mark.parametrize(
    ("permissions", "step", "status"),
    [
        (None, "variations", 302),
        ((), "variations", 403),
        ((VIEW,), "variations", 403),
        ((VIEW, CHANGE), "variations", 403),
        ((SPEND,), "variations", 403),
        ((VIEW,), "again:ideogram-v4-quality", 403),
        ((VIEW, CHANGE), "again:ideogram-v4-quality", 403),
        ((VIEW, CHANGE), "retry", 403),
        ((VIEW, CHANGE), "generate", 403),
        ((VIEW,), "cancel", 403),
        ((VIEW,), "refresh", 403),
        ((VIEW, SPEND), "pick", 403),
        ((VIEW,), "unpick", 403),
        ((VIEW, CHANGE, SPEND), "burn", 404),
    ],
)
def test_a_step_needs_its_permission(permissions, step, status):
    image = picture()
    client = client_of(None if permissions is None else staff(*permissions))
    before = Charge.objects.count()
    data = {"step": step, "request_id": str(uuid.uuid4()), "attempt": image.attempt}
    assert client.post(step_url(image), data).status_code == status
    assert Charge.objects.count() == before
    assert not GeneratedImage.objects.get(pk=image.pk).picked


def test_who_may_add_but_not_spend_saves_drafts():
    client = client_of(staff(VIEW, ADDING))
    assert "_make" not in text(client.get(ADD))
    assert client.post(ADD, form()).status_code == 403
    assert not GeneratedImage.objects.exists()
    data = form(_draft="")
    del data["_make"]
    response = client.post(ADD, data)
    image = GeneratedImage.objects.get()
    assert response.status_code == 302
    assert image.status == Status.DRAFT
    assert not Charge.objects.exists()


def test_who_may_change_but_not_spend_edits_a_draft_and_cannot_start_it():
    image = draft()
    client = client_of(staff(VIEW, CHANGE))
    assert client.post(page(image), form(prompt="Blue")).status_code == 403
    data = form(prompt="Blue", _draft="")
    del data["_make"]
    assert client.post(page(image), data).status_code == 302
    image.refresh_from_db()
    assert (image.prompt, image.status) == ("Blue", Status.DRAFT)


def test_view_only_people_get_no_buttons_and_no_actions():
    image = picture()
    client = client_of(staff(VIEW))
    body = text(client.get(page(image)))
    assert 'name="step"' not in body
    assert "_save" not in body
    gallery = text(client.get(GALLERY))
    assert "action-select" not in gallery
    assert "ideogram-pick" not in gallery


def test_actions_are_offered_only_to_spenders():
    picture()
    assert "make_variations" not in text(client_of(staff(VIEW, CHANGE, DELETE)).get(GALLERY))
    assert "make_variations" in text(client_of(staff(VIEW, SPEND)).get(GALLERY))


def test_confirm_pages_need_the_permission_again(browser):
    image = picture()
    url = choose(browser, "make_variations", image).url
    editor = User.objects.get()
    editor.user_permissions.remove(Permission.objects.get(codename=SPEND))
    assert browser.get(url).status_code == 403
    assert browser.post(url).status_code == 403


@pytest.mark.parametrize("name", ["charge", "spendingperiod"])
def test_the_ledger_cannot_be_written(admin_client, name):
    picture()
    assert admin_client.get(f"/admin/ideogram_django/{name}/").status_code == 200
    assert admin_client.get(f"/admin/ideogram_django/{name}/add/").status_code == 403


def test_one_charge_can_be_read_and_not_saved(admin_client):
    charge = picture().charge
    url = f"/admin/ideogram_django/charge/{charge.pk}/change/"
    assert admin_client.get(url).status_code == 200
    assert admin_client.post(url, {"expected": "0"}).status_code == 403
    assert (
        admin_client.post(
            f"/admin/ideogram_django/charge/{charge.pk}/delete/", {"post": "yes"}
        ).status_code
        == 403
    )
    assert Charge.objects.get().expected == Decimal("0.03")


# --- making -------------------------------------------------------------------------------------


def test_make_spends_once_and_leads_to_the_picture(browser, editor):
    response = browser.post(ADD, form(style_type="design", aspect_ratio="16:9", seed="0"))
    image = GeneratedImage.objects.get()
    assert response.url == page(image)
    assert image.status == Status.PENDING
    assert image.requested_by == editor
    assert image.parameters == {"style_type": "DESIGN", "aspect_ratio": "16:9", "seed": 0}
    assert Charge.objects.get().expected == Decimal("0.03")


def test_a_second_post_of_the_same_form_pays_nothing(browser):
    data = form(count="4")
    first, second = browser.post(ADD, data), browser.post(ADD, data)
    assert first.url == second.url
    assert GeneratedImage.objects.count() == 4
    assert Charge.objects.count() == 4
    batch = GeneratedImage.objects.first().batch
    assert first.url == f"{GALLERY}sheet/{batch}/"
    assert len(browser.get(first.url).context["cards"]) == 4


def test_the_same_form_with_other_words_asks_before_it_pays_again(browser):
    data = form()
    browser.post(ADD, data)
    response = browser.post(ADD, {**data, "prompt": "A blue bicycle"})
    assert response.status_code == 200
    assert "This form was sent before, with other words" in text(response)
    assert Charge.objects.count() == 1
    fresh = re.search(r'name="request_id" value="([^"]+)"', text(response))[1]
    assert fresh != data["request_id"]
    browser.post(ADD, {**data, "prompt": "A blue bicycle", "request_id": fresh})
    assert Charge.objects.count() == 2


def test_saved_as_a_draft_and_then_back_and_make(browser):
    data = form(_draft="")
    del data["_make"]
    browser.post(ADD, data)
    browser.post(ADD, form(request_id=data["request_id"]))
    assert GeneratedImage.objects.get().status == Status.PENDING
    assert Charge.objects.count() == 1


def test_somebody_elses_form_is_refused(browser):
    data = form()
    browser.post(ADD, data)
    response = client_of(staff(VIEW, ADDING, SPEND)).post(ADD, data)
    assert response.status_code == 200
    assert "belongs to somebody else" in text(response)
    assert Charge.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"prompt": "  "}, "prompt", "Describe the picture that you want."),
        ({"prompt": "x" * 2001}, "prompt", "2001 characters long"),
        ({"model": "ideogram-v3-turbo", "aspect_ratio": "5:12"}, "aspect_ratio", "does not know"),
        ({"style_type": "anime"}, "style_type", "does not know"),
        ({"seed": "2147483648"}, "seed", "from 0 to 2147483647"),
        ({"seed": "one"}, "seed", "whole number"),
        ({"resolution": "big"}, "resolution", "WIDTHxHEIGHT"),
        ({"resolution": "1024x1024", "aspect_ratio": "1:1"}, "resolution", "not both"),
        ({"reference_image": "http://example.com/a.png"}, "reference_image", "https://"),
        ({"reference_image": str(uuid.UUID(int=1))}, "reference_image", "no finished picture"),
        ({"style_reference_2": "http://example.com/a.png"}, "style_reference_2", "https://"),
        ({"count": "9"}, "count", "not one of the available choices"),
        ({"model": "ideogram-v9"}, "model", "not one of the available choices"),
        ({"request_id": "x"}, "request_id", "valid UUID"),
    ],
)
def test_bad_input_is_told_beside_the_field_and_writes_nothing(browser, changes, field, sentence):
    data = {"negative_prompt": "rain, grey", **form(**changes)}
    response = browser.post(ADD, data)
    assert response.status_code == 200
    assert sentence in " ".join(response.context["form"].errors[field])
    assert sentence.replace("'", "&#x27;") in text(response)
    assert "rain, grey" in text(response)
    assert not GeneratedImage.objects.exists()
    assert not Charge.objects.exists()


def test_over_the_limit_nothing_is_written_and_everything_typed_stays(browser):
    SpendingLimit.objects.create(amount=Decimal("0.10"))
    response = browser.post(ADD, form(count="4", negative_prompt="rain, grey"))
    assert "This needs $0.12, but only $0.10 is left this month for this site." in text(response)
    assert "rain, grey" in text(response)
    assert not GeneratedImage.objects.exists()


def test_the_price_stands_beside_the_model_and_on_the_button(browser):
    body = text(browser.get(ADD))
    for price in ("$0.03 each", "$0.06 each", "$0.10 each"):
        assert price in body
    assert 'data-ideogram-make-label="Make 4 drafts · $0.12"' in body
    assert "Make 4 pictures · $0.40" in body.replace("\\u00b7", "·")


def test_the_sites_own_prices_and_currency_are_shown(browser, settings):
    settings.IDEOGRAM_DJANGO = {
        **settings.IDEOGRAM_DJANGO,
        "PRICES": {"house-model": {"default": 5, "turbo": 2}},
        "CURRENCY": "CHF",
        "CREDIT_PRICE": "0.0125",
    }
    body = text(browser.get(ADD)).replace("\N{NO-BREAK SPACE}", " ")
    assert "0.0625 CHF each" in body
    assert "0.0375 CHF each" in body
    browser.post(ADD, form(model="house-model", rendering_speed="turbo"))
    assert Charge.objects.get().expected == Decimal("0.025")


def test_switched_off_there_is_no_make_button(browser, settings):
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "SPENDING_ENABLED": False}
    body = text(browser.get(ADD))
    assert "switched off" in body
    assert 'name="_make"' not in body
    assert "switched off" in text(browser.get(GALLERY))
    response = browser.post(ADD, form())
    assert "Making pictures is switched off on this site." in text(response)
    assert not GeneratedImage.objects.exists()


def test_a_picture_of_the_gallery_can_be_a_reference(browser):
    image = picture()
    body = text(browser.get(f"{ADD}?reference_image={image.uuid}"))
    assert f'value="{image.uuid}"' in body
    browser.post(ADD, form(reference_image=str(image.uuid)))
    assert GeneratedImage.objects.first().reference_image == f"picture:{image.uuid}"


def test_a_popup_makes_one_and_hands_it_over(browser):
    body = text(browser.get(f"{ADD}?_popup=1"))
    assert 'name="_popup" value="1"' in body
    assert 'name="count"' not in body
    response = browser.post(f"{ADD}?_popup=1", form(_popup="1", count="4"))
    image = GeneratedImage.objects.get()
    assert response.status_code == 200
    assert f"&quot;value&quot;: &quot;{image.pk}&quot;" in text(response)


# --- drafts -------------------------------------------------------------------------------------


def test_a_draft_is_edited_in_the_same_form(browser):
    image = draft(style_type="DESIGN", seed=7, negative_prompt="rain")
    body = text(browser.get(page(image)))
    assert re.search(r'name="style_type" value="design"[^>]* checked', body)
    data = form(prompt="Blue", model="ideogram-v4-quality", _draft="", aspect_ratio="1:1")
    del data["_make"]
    browser.post(page(image), data)
    image.refresh_from_db()
    assert image.parameters == {"aspect_ratio": "1:1"}
    assert (image.prompt, image.model, image.price) == (
        "Blue",
        "ideogram-v4-quality",
        Decimal("0.10"),
    )


def test_a_draft_is_made_once(browser):
    image = draft()
    data = form()
    assert browser.post(page(image), data).status_code == 302
    response = browser.post(page(image), {**data, "prompt": "Another"}, follow=True)
    assert "This picture is being made already." in text(response)
    image.refresh_from_db()
    assert (image.status, image.prompt) == (Status.PENDING, "A red bicycle")
    assert Charge.objects.count() == 1


def test_a_draft_that_cannot_be_paid_for_keeps_its_old_words(browser):
    SpendingLimit.objects.create(amount=0)
    image = draft()
    response = browser.post(page(image), form(prompt="Blue"))
    assert "is left this month" in text(response)
    image.refresh_from_db()
    assert (image.status, image.prompt) == (Status.DRAFT, "A red bicycle")


# --- the picture page ---------------------------------------------------------------------------


def test_a_finished_picture_offers_better_models_and_variations_with_prices(browser):
    body = text(browser.get(page(picture())))
    assert "Finish on Balanced · $0.06" in body
    assert "Finish on Quality · $0.10" in body
    assert "More like this · $0.12" in body
    assert "A better model makes a new picture" in body


@pytest.mark.parametrize(
    ("step", "count", "cents"),
    [("variations", 4, "0.03"), ("again:ideogram-v4-quality", 1, "0.10")],
)
def test_a_double_click_makes_new_pictures_once(browser, editor, step, count, cents):
    image = picture(request={"seed": 5, "style_type": "DESIGN"})
    data = {"step": step, "request_id": str(uuid.uuid4())}
    first, second = browser.post(step_url(image), data), browser.post(step_url(image), data)
    made = list(image.children.all())
    assert first.url == second.url
    assert len(made) == count
    assert {one.price for one in made} == {Decimal(cents)}
    assert {one.requested_by for one in made} == {editor}
    assert {one.style_type for one in made} == {"DESIGN"}
    assert {one.seed for one in made} == {None if step == "variations" else 5}
    assert Charge.objects.count() == 1 + count


def test_two_buttons_of_one_page_are_two_requests(browser):
    image = picture()
    data = {"request_id": str(uuid.uuid4())}
    for step in ("variations", "again:ideogram-v4-balanced", "again:ideogram-v4-quality"):
        browser.post(step_url(image), {**data, "step": step})
    assert image.children.count() == 6


def test_a_step_without_a_request_id_does_nothing(browser):
    image = picture()
    browser.post(step_url(image), {"step": "variations"})
    assert GeneratedImage.objects.count() == 1


def test_a_v3_style_is_spelled_as_v4_spells_it(browser):
    image = picture(request={"model": "ideogram-v3-turbo", "style_type": "Design"})
    browser.post(
        step_url(image), {"step": "again:ideogram-v4-quality", "request_id": str(uuid.uuid4())}
    )
    assert image.children.get().style_type == "DESIGN"


def test_a_failure_that_may_have_cost_something_is_confirmed_first(browser):
    image = picture(Status.FAILED, error_code="outcome_unknown")
    assert "Make it again… · $0.03 more" in text(browser.get(page(image)))
    data = {"step": "retry", "attempt": "1"}
    response = browser.post(step_url(image), data)
    assert response.status_code == 200
    assert "Making it again costs $0.03 more" in text(response)
    assert Charge.objects.count() == 1
    browser.post(step_url(image), {**data, "confirm": "yes"})
    browser.post(step_url(image), {**data, "confirm": "yes"})
    image.refresh_from_db()
    assert (image.status, image.attempt) == (Status.PENDING, 2)
    assert Charge.objects.count() == 2


def test_a_retry_from_an_old_page_does_not_pay_for_a_third_attempt(browser):
    image = picture(Status.FAILED, error_code="outcome_unknown", attempt=2)
    browser.post(step_url(image), {"step": "retry", "attempt": "1", "confirm": "yes"})
    assert Charge.objects.count() == 1


def test_a_released_failure_is_tried_again_at_once(browser):
    image = picture(Status.FAILED, error_code="provider_busy")
    ledger.release(image.charge)
    assert "Try again · $0.03" in text(browser.get(page(image)))
    browser.post(step_url(image), {"step": "retry", "attempt": "1"})
    image.refresh_from_db()
    assert image.status == Status.PENDING


def test_a_file_that_was_not_stored_is_fetched_again_free(browser):
    image = picture(
        Status.FAILED, error_code="storage_failed", result_url="https://x.apiframe.ai/a"
    )
    assert "Try again · free" in text(browser.get(page(image)))
    browser.post(step_url(image), {"step": "retry", "attempt": "1"})
    image.refresh_from_db()
    assert image.status == Status.FETCHING
    assert Charge.objects.count() == 1


def test_cancel_gives_the_money_back(browser):
    image = GeneratedImage.objects.generate("A red bicycle")
    assert 'value="cancel"' in text(browser.get(page(image)))
    browser.post(step_url(image), {"step": "cancel"})
    image.refresh_from_db()
    assert image.status == Status.CANCELLED
    assert Charge.objects.get().state == ChargeState.RELEASED


def test_pick_and_unpick_go_back_to_where_they_were_pressed(browser):
    image = picture()
    response = browser.post(step_url(image), {"step": "pick", "next": f"{GALLERY}?p=2"})
    assert response.url == f"{GALLERY}?p=2"
    assert GeneratedImage.objects.get().picked
    response = browser.post(step_url(image), {"step": "unpick", "next": "https://evil.example/"})
    assert response.url == page(image)
    assert not GeneratedImage.objects.get().picked


def test_saving_the_alternative_text_leaves_a_moving_picture_alone(browser, monkeypatch):
    image = picture(Status.PROCESSING)
    save = GeneratedImage.save

    def meanwhile(self: GeneratedImage, *args: Any, **kwargs: Any) -> None:
        GeneratedImage.objects.filter(pk=self.pk).update(status=Status.FETCHING, progress=100)
        save(self, *args, **kwargs)

    monkeypatch.setattr(GeneratedImage, "save", meanwhile)
    browser.post(page(image), {"alt_text": "A bicycle", "prompt": "changed", "status": "completed"})
    image.refresh_from_db()
    assert (image.alt_text, image.status, image.progress) == ("A bicycle", Status.FETCHING, 100)
    assert image.prompt == "A red bicycle"


def test_the_family_is_shown(browser):
    parent = picture()
    children = [picture(request={"parent": parent}) for _number in range(2)]
    body = text(browser.get(page(parent)))
    assert "Made from this one" in body
    for child in children:
        assert page(child) in body
    assert "Made from" in text(browser.get(page(children[0])))


# --- GET changes nothing ------------------------------------------------------------------------


def test_looking_at_pages_writes_nothing(browser, admin_client):
    image = picture()
    failed = picture(Status.FAILED, error_code="rejected")
    first = draft()
    confirm = choose(browser, "make_variations", image).url
    urls = [GALLERY, ADD, page(image), page(failed), page(first), confirm, f"{GALLERY}?batch=x"]
    money = [
        "providerstate/",
        "providerstate/1/change/",
        "charge/",
        "spendinglimit/",
        "spendingperiod/",
    ]
    with CaptureQueriesContext(connection) as queries:
        for url in urls:
            assert browser.get(url, follow=True).status_code == 200
        for name in money:
            assert (
                admin_client.get(f"/admin/ideogram_django/{name}", follow=True).status_code == 200
            )
    assert not [q["sql"] for q in queries if re.match(r"INSERT|UPDATE|DELETE", q["sql"])]
    assert not ProviderState.objects.exists()


def test_what_changes_something_answers_only_to_post(browser, admin_client):
    image = picture()
    assert browser.get(step_url(image) + "?step=pick").status_code == 405
    assert browser.get(f"{GALLERY}look/?look=list").status_code == 405
    assert (
        admin_client.get("/admin/ideogram_django/providerstate/switch/?switch=pause").status_code
        == 405
    )


def test_posts_need_the_csrf_token(editor):
    image = picture()
    client = Client(enforce_csrf_checks=True)
    client.force_login(editor)
    for url in (ADD, step_url(image), f"{GALLERY}look/", f"{GALLERY}confirm/{uuid.uuid4()}/"):
        assert client.post(url, form()).status_code == 403


# --- actions ------------------------------------------------------------------------------------


def choose(client: Client, action: str, *images: GeneratedImage, **more: Any) -> Any:
    keys = [image.pk for image in images]
    return client.post(GALLERY, {"action": action, "_selected_action": keys, **more})


def confirm(client: Client, url: str, **more: Any) -> Any:
    body = text(client.get(url))
    found = re.search(r'name="fingerprint" value="([^"]+)"', body)
    return client.post(url, {"fingerprint": found[1] if found else "", **more})


def test_an_action_asks_with_number_price_and_limits(browser):
    SpendingLimit.objects.create(amount=5)
    images = [picture(), picture()]
    url = choose(browser, "make_variations", *images).url
    body = text(browser.get(url))
    assert "Make 8 pictures · $0.24" in body
    assert "<strong>8</strong> pictures, <strong>$0.24</strong> in all." in body
    assert "This site has $4.94 of $5.00 left this month." in body
    assert "_selected_action" not in body
    assert GeneratedImage.objects.count() == 2


def test_a_confirmed_list_is_carried_out_once(browser):
    images = [picture(), picture()]
    url = choose(browser, "make_variations", *images).url
    fingerprint = re.search(r'name="fingerprint" value="([^"]+)"', text(browser.get(url)))[1]
    first = browser.post(url, {"fingerprint": fingerprint})
    second = browser.post(url, {"fingerprint": fingerprint})
    assert first.url == second.url
    assert GeneratedImage.objects.count() == 2 + 8
    assert Charge.objects.count() == 2 + 8
    assert {image.children.count() for image in images} == {4}


def test_a_list_confirmed_twice_at_the_same_moment_pays_once(browser, editor):
    image = picture()
    url = choose(browser, "again_on_quality", image).url
    fingerprint = re.search(r'name="fingerprint" value="([^"]+)"', text(browser.get(url)))[1]
    session = dict(browser.session.items())
    browser.post(url, {"fingerprint": fingerprint})
    # The second request read the session before the first one wrote that it was done.
    store = browser.session
    store.update(session)
    store.save()
    browser.post(url, {"fingerprint": fingerprint})
    assert image.children.count() == 1
    assert Charge.objects.count() == 2


def test_drafts_are_started_together_and_others_left_out(browser):
    SpendingLimit.objects.create(amount=Decimal("0.07"))
    drafts, done = [draft() for _number in range(3)], picture()
    ledger.release(done.charge)
    url = choose(browser, "make_drafts", *drafts, done).url
    assert "It is not a draft." in text(browser.get(url))
    response = confirm(browser, url)
    assert "only" in text(response)
    assert GeneratedImage.objects.drafts().count() == 3
    SpendingLimit.objects.all().delete()
    assert confirm(browser, url).status_code == 302
    assert GeneratedImage.objects.drafts().count() == 0
    assert Charge.objects.count() == 4


def test_what_changed_since_it_was_shown_is_shown_again(browser):
    first, second = draft(), draft()
    url = choose(browser, "make_drafts", first, second).url
    fingerprint = re.search(r'name="fingerprint" value="([^"]+)"', text(browser.get(url)))[1]
    first.generate()
    response = browser.post(url, {"fingerprint": fingerprint})
    assert "Something changed meanwhile" in text(response)
    second.refresh_from_db()
    assert second.status == Status.DRAFT


def test_retry_says_what_may_be_charged_again(browser):
    unknown = picture(Status.FAILED, error_code="outcome_unknown")
    busy = picture(Status.FAILED, error_code="provider_busy")
    ledger.release(busy.charge)
    free = picture(Status.FAILED, error_code="storage_failed", result_url="https://x.apiframe.ai/a")
    done = picture()
    url = choose(browser, "try_again", unknown, busy, free, done).url
    body = text(browser.get(url))
    assert "<strong>3</strong> pictures, <strong>$0.06</strong> in all." in body
    assert "1 of them was charged before" in body
    confirm(browser, url)
    states = [GeneratedImage.objects.get(pk=one.pk).status for one in (unknown, busy, free, done)]
    assert states == ["pending", "pending", "fetching", "completed"]


def test_again_on_a_model_leaves_out_what_was_made_on_it(browser):
    turbo, quality = picture(), picture(request={"model": "ideogram-v4-quality"})
    url = choose(browser, "again_on_quality", turbo, quality).url
    assert "It was made on this model." in text(browser.get(url))
    confirm(browser, url)
    assert turbo.children.get().model == "ideogram-v4-quality"
    assert quality.children.count() == 0


def test_a_list_belongs_to_its_session(browser):
    url = choose(browser, "make_variations", picture()).url
    other = client_of(staff(VIEW, SPEND))
    response = other.get(url, follow=True)
    assert "This list is gone" in text(response)


def test_too_many_at_once_are_refused(browser, monkeypatch):
    monkeypatch.setattr("ideogram_django.admin.frozen.MOST", 4)
    images = [picture(), picture()]
    response = choose(browser, "make_variations", *images)
    assert response.url == GALLERY
    assert "Select at most 1 pictures" in text(browser.get(GALLERY))


# --- the gallery --------------------------------------------------------------------------------


def queries_of(client: Client, url: str) -> int:
    client.get(url)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    return len(queries)


@pytest.mark.parametrize("look", ["grid", "list"])
def test_the_gallery_asks_the_database_as_often_for_50_as_for_5(browser, editor, look, monkeypatch):
    SpendingLimit.objects.create(amount=5)
    ProviderState.objects.create(last_sync=timezone.now())
    browser.post(f"{GALLERY}look/", {"look": look})
    monkeypatch.setattr(admin.site._registry[GeneratedImage], "list_per_page", 100)
    for _number in range(5):
        picture(request={"requested_by": editor})
    few = queries_of(browser, GALLERY)
    for number in range(45):
        picture(
            Status.COMPLETED if number % 2 else Status.PROCESSING, request={"requested_by": editor}
        )
    assert len(browser.get(GALLERY).context["cl"].result_list) == 50
    assert queries_of(browser, GALLERY) == few
    assert few <= 16


def test_grid_and_list_are_remembered(browser):
    picture()
    assert "ideogram-cards" in text(browser.get(GALLERY))
    response = browser.post(f"{GALLERY}look/", {"look": "list", "next": f"{GALLERY}?q=red"})
    assert response.url == f"{GALLERY}?q=red"
    body = text(browser.get(GALLERY))
    assert "ideogram-cards" not in body
    assert "column-price_shown" in body


def test_the_gallery_tells_the_script_what_to_ask(browser):
    image = picture(Status.PROCESSING, progress=40)
    body = text(browser.get(GALLERY))
    assert f'data-ideogram-status-url="{reverse("ideogram_django:status")}"' in body
    assert f'data-ideogram-image="{image.uuid}" data-ideogram-status="processing"' in body
    assert 'value="40"' in body


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?q=bicycle", 2),
        ("?q=boat", 1),
        ("?status__exact=failed", 1),
        ("?model=ideogram-v4-quality", 1),
        ("?style=design", 1),
        ("?shape=16:9", 1),
        ("?picked__exact=1", 1),
        ("?who=me", 1),
        ("?who=999999", 3),
    ],
)
def test_search_and_filters(browser, editor, query, found):
    picture(picked=True, request={"aspect_ratio": "16:9", "requested_by": editor})
    picture(Status.FAILED, request={"style_type": "DESIGN"})
    picture(request={"prompt": "A boat", "model": "ideogram-v4-quality"})
    assert len(browser.get(GALLERY + query).context["cl"].result_list) == found


def test_a_pause_is_told_and_can_be_ended_by_who_may(browser, editor):
    ProviderState.objects.create(pause_code=PauseCode.UNAUTHORIZED, pause_detail="<b>no</b>")
    body = text(browser.get(GALLERY))
    assert "does not accept this site" in body
    assert "&lt;b&gt;no&lt;/b&gt;" in body
    assert 'value="resume"' not in body
    url = "/admin/ideogram_django/providerstate/switch/"
    assert browser.post(url, {"switch": "resume"}).status_code == 403
    assert ProviderState.objects.get().is_paused
    editor.user_permissions.add(Permission.objects.get(codename="change_providerstate"))
    assert 'value="resume"' in text(browser.get(GALLERY))
    assert browser.post(url, {"switch": "resume", "next": GALLERY}).url == GALLERY
    assert not ProviderState.objects.get().is_paused


def test_pausing_by_hand(admin_client):
    url = "/admin/ideogram_django/providerstate/switch/"
    assert 'value="pause"' in text(
        admin_client.get("/admin/ideogram_django/providerstate/1/change/")
    )
    admin_client.post(url, {"switch": "pause"})
    assert ProviderState.objects.get().stopped is True
    assert 'value="resume"' in text(
        admin_client.get("/admin/ideogram_django/providerstate/1/change/")
    )
    admin_client.post(url, {"switch": "resume"})
    assert ProviderState.objects.get().stopped is False


@pytest.mark.parametrize(
    ("age", "status", "shown"),
    [(60, Status.PENDING, False), (600, Status.PENDING, True), (600, Status.COMPLETED, False)],
)
def test_without_a_heartbeat_the_gallery_says_what_to_run(browser, age, status, shown):
    picture(status)
    beat = timezone.now() - timezone.timedelta(seconds=age)
    ProviderState.objects.create(last_sync=beat)
    assert ("ideogram_sync" in text(browser.get(GALLERY))) is shown


# --- deleting -----------------------------------------------------------------------------------


def test_a_picture_in_progress_is_not_deleted(browser):
    busy, done = picture(Status.PROCESSING), picture()
    assert browser.post(f"{GALLERY}{busy.pk}/delete/", {"post": "yes"}).status_code == 403
    response = choose(browser, "delete_selected", busy, done, post="yes")
    assert "it is being made" in text(response)
    assert GeneratedImage.objects.count() == 2
    assert browser.post(f"{GALLERY}{done.pk}/delete/", {"post": "yes"}).status_code == 302
    assert GeneratedImage.objects.get() == busy
    assert Charge.objects.count() == 2


# --- hostile text -------------------------------------------------------------------------------


def test_hostile_words_are_only_words(browser, admin_client):
    image = picture(alt_text=HOSTILE, request={"prompt": HOSTILE})
    failed = picture(
        Status.FAILED, error_code="rejected", error_detail=HOSTILE, request={"prompt": HOSTILE}
    )
    first = draft(prompt=HOSTILE)
    urls = [
        GALLERY,
        page(image),
        page(failed),
        page(first),
        choose(browser, "make_variations", image).url,
    ]
    browser.post(f"{GALLERY}look/", {"look": "list"})
    urls += [f"{GALLERY}?q={HOSTILE}", f"{GALLERY}{image.pk}/delete/"]
    for url in urls:
        body = browser.get(url).content.decode()
        assert "<script>alert" not in body, url
        assert "onerror='y'" not in body, url
        assert "{{ prompt }}" in body or "?q=" in url or "delete" in url, url


@override_settings(LANGUAGE_CODE="de")
def test_ids_are_never_written_with_separators(browser):
    image = picture()
    GeneratedImage.objects.filter(pk=image.pk).update(id=1234567, width=2048)
    body = text(browser.get(GALLERY))
    assert 'value="1234567"' in body
    assert 'width="2048"' in body


# --- the ledger ---------------------------------------------------------------------------------


def test_csv_export_holds_no_formula(admin_client):
    image = picture()
    Charge.objects.update(user_label="=1+1")
    data = {"action": "export_csv", "_selected_action": [image.charge.pk]}
    response = admin_client.post("/admin/ideogram_django/charge/", data)
    lines = b"".join(response.streaming_content).decode().splitlines()
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert lines[0].startswith("created_at,user_label,model,expected,charged")
    assert ",'=1+1,ideogram-v4-turbo,0.030000,0.030000,USD,settled," in lines[1]
    assert str(image.uuid) in lines[1]


def test_a_limit_is_set_in_the_admin(admin_client):
    data = {
        "user": "",
        "group": "",
        "period": "month",
        "amount": "20",
        "periods-TOTAL_FORMS": "0",
        "periods-INITIAL_FORMS": "0",
    }
    assert admin_client.post("/admin/ideogram_django/spendinglimit/add/", data).status_code == 302
    assert SpendingLimit.objects.get().amount == 20


# --- pictures for records of other models -------------------------------------------------------

ARTICLES = "/admin/magazine/article/"


class Host(GenerateImagesMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    generate_images_field = "hero"
    generate_images_prompt = "{title}, by {author.name}"
    generate_images_options = {"model": "ideogram-v4-turbo", "aspect_ratio": "16:9"}
    generate_images_approve = False
    actions = ["shout"]

    @admin.action(description="Shout")
    def shout(self, request, queryset):
        return None

    def get_queryset(self, request):
        return super().get_queryset(request).exclude(title="Secret")


class Cover(GenerateImagesMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    generate_images_field = "cover"
    generate_images_approve = False

    @staticmethod
    def generate_images_prompt(article: Article) -> str:
        return f"Cover of {article.title}"


@pytest.fixture
def articles() -> list[Article]:
    author = Author.objects.create(name="Ada")
    old = picture()
    return [
        Article.objects.create(title="Night trains", author=author, hero=old),
        Article.objects.create(title="Harbour", author=author),
        Article.objects.create(title="No author"),
        Article.objects.create(title="Secret", author=author),
    ]


@pytest.fixture
def publisher() -> Client:
    return client_of(staff("view_article", "change_article", SPEND))


def select(client: Client, articles: list[Article]) -> Any:
    keys = [one.pk for one in articles]
    return client.post(ARTICLES, {"action": "generate_images", "_selected_action": keys})


@pytest.mark.parametrize(
    ("codenames", "offered"),
    [
        (("view_article", "change_article", SPEND), True),
        (("view_article", SPEND), False),
        (("view_article", "change_article"), False),
    ],
)
def test_the_action_needs_both_permissions_and_keeps_the_hosts_own(
    host, articles, codenames, offered
):
    host(Host)
    body = text(client_of(staff(*codenames)).get(ARTICLES))
    assert ('value="generate_images"' in body) is offered
    assert 'value="shout"' in body


def test_the_confirm_page_shows_every_prompt_and_what_stands_against_it(host, articles, publisher):
    host(Host)
    body = text(publisher.get(select(publisher, articles).url))
    assert "Night trains, by Ada" in body
    assert "Harbour, by Ada" in body
    assert "“author.name” is empty." in body
    assert "Replaces the picture that it has." in body
    assert "Make 2 pictures · $0.06" in body
    assert "Only 1 record without a picture · $0.03" in body
    assert "Secret" not in body
    assert GeneratedImage.objects.count() == 1


def test_a_foreign_key_points_to_the_new_picture_once(host, articles, publisher):
    host(Host)
    old = articles[0].hero
    url = select(publisher, articles).url
    fingerprint = re.search(r'name="fingerprint" value="([^"]+)"', text(publisher.get(url)))[1]
    before = dict(publisher.session.items())
    for _press in range(2):
        store = publisher.session
        store.update(before)
        store.save()
        publisher.post(url, {"fingerprint": fingerprint, "which": "all"})
    for one in articles:
        one.refresh_from_db()
    assert articles[0].hero.replaces == old
    assert articles[0].hero.prompt == "Night trains, by Ada"
    assert articles[0].hero.aspect_ratio == "16:9"
    assert articles[1].hero.prompt == "Harbour, by Ada"
    assert articles[2].hero is None
    assert articles[3].hero is None
    assert Charge.objects.count() == 1 + 2


def test_only_empty_leaves_the_others_alone(host, articles, publisher):
    host(Host)
    old = articles[0].hero
    confirm(publisher, select(publisher, articles).url, which="empty")
    articles[0].refresh_from_db()
    articles[1].refresh_from_db()
    assert articles[0].hero == old
    assert articles[1].hero.status == Status.PENDING
    assert Charge.objects.count() == 1 + 1


def test_a_record_that_changed_since_it_was_shown_is_shown_again(host, articles, publisher):
    host(Host)
    url = select(publisher, articles).url
    fingerprint = re.search(r'name="fingerprint" value="([^"]+)"', text(publisher.get(url)))[1]
    Article.objects.filter(pk=articles[1].pk).update(title="Something else")
    response = publisher.post(url, {"fingerprint": fingerprint, "which": "all"})
    assert "Something changed meanwhile" in text(response)
    assert Charge.objects.count() == 1


def test_over_the_limit_no_record_is_touched(host, articles, publisher):
    host(Host)
    SpendingLimit.objects.create(amount=Decimal("0.05"))
    response = confirm(publisher, select(publisher, articles).url, which="all")
    assert "is left this month" in text(response)
    articles[1].refresh_from_db()
    assert articles[1].hero is None
    assert Charge.objects.count() == 1


def test_an_image_field_gets_a_target_and_keeps_its_file(host, articles, publisher):
    host(Cover)
    confirm(publisher, select(publisher, articles[:2]).url, which="all")
    made = list(GeneratedImage.objects.exclude(target_type=None).order_by("pk"))
    assert [one.prompt for one in made] == ["Cover of Night trains", "Cover of Harbour"]
    assert [one.target_id for one in made] == [str(one.pk) for one in articles[:2]]
    assert {one.target_field for one in made} == {"cover"}
    articles[0].refresh_from_db()
    assert not articles[0].cover


def test_template_language_in_a_title_is_only_text(host, articles, publisher):
    host(Host)
    Article.objects.filter(pk=articles[1].pk).update(title="{author.pk.__class__} <script>alert(1)")
    body = text(publisher.get(select(publisher, articles).url))
    assert "{author.pk.__class__} &lt;script&gt;alert(1), by Ada" in body
    assert "<script>alert" not in body


def test_a_confirmed_page_of_records_needs_the_permissions_again(host, articles, publisher):
    host(Host)
    url = select(publisher, articles).url
    User.objects.get().user_permissions.remove(Permission.objects.get(codename="change_article"))
    assert publisher.get(url).status_code == 403
    assert publisher.post(url, {"which": "all"}).status_code == 403


def test_what_the_host_hides_meanwhile_is_left_out(host, articles, publisher):
    host(Host)
    url = select(publisher, articles).url
    Article.objects.filter(title="Secret").delete()
    Article.objects.filter(pk=articles[1].pk).update(title="Secret")
    assert "Secret" not in text(publisher.get(url))
    confirm(publisher, url, which="all")
    articles[1].refresh_from_db()
    assert articles[1].hero is None


def test_a_field_that_was_changed_at_the_last_moment_keeps_its_picture(articles, editor):
    stale = Article.objects.get(pk=articles[1].pk)
    chosen = picture()
    Article.objects.filter(pk=stale.pk).update(hero=chosen)
    plan = RecordPlan.of(
        [stale],
        image_field(Article, "hero"),
        prompt="{title}",
        options={},
        settings=conf.current(),
    )
    run = prepare_for(
        plan.good,
        plan,
        name="Heroes",
        approve=False,
        requested_by=editor,
        request_id=uuid.uuid4(),
    )
    run.start()
    stale.refresh_from_db()
    assert stale.hero == chosen


def test_a_list_of_pictures_is_no_list_of_records(host, articles):
    host(Host)
    client = client_of(staff("view_article", "change_article", VIEW, SPEND))
    list_id = choose(client, "make_variations", articles[0].hero).url.split("/")[-2]
    response = client.get(f"{ARTICLES}generate-images/{list_id}/", follow=True)
    assert "This list is gone" in text(response)
    list_id = select(client, articles).url.split("/")[-2]
    response = client.get(f"{GALLERY}confirm/{list_id}/", follow=True)
    assert "This list is gone" in text(response)


def test_who_may_not_see_pictures_cannot_use_them_as_references():
    image = picture()
    client = client_of(staff(ADDING, SPEND))
    response = client.post(ADD, form(reference_image=str(image.uuid)))
    assert "There is no finished picture with the id" in text(response)
    assert GeneratedImage.objects.count() == 1


# --- again, with other words --------------------------------------------------------------------


def test_a_refused_picture_leads_to_its_own_words(browser):
    image = picture(Status.FAILED, error_code="refused", style_type="DESIGN", seed=7)
    shown = text(browser.get(page(image)))
    assert f"{ADD}?like={image.uuid}" in shown
    assert "The same words would be refused again" in shown
    form_page = text(browser.get(f"{ADD}?like={image.uuid}"))
    assert image.prompt in form_page
    assert 'value="7"' in form_page


@pytest.mark.parametrize("like", ["nonsense", "00000000-0000-0000-0000-000000000000", "'\"><b>"])
def test_a_strange_address_is_an_empty_form(browser, like):
    response = browser.get(ADD, {"like": like})
    assert response.status_code == 200
    assert response.context["form"].initial.get("prompt") is None
