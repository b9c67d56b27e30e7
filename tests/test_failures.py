"""Each kind of failure: its words, what it cost, and exactly the ways on that are offered."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User

from ideogram_django import wording
from ideogram_django.admin.nextsteps import next_steps
from ideogram_django.budget import ledger
from ideogram_django.models import Charge, GeneratedImage, ProviderState, SpendingLimit
from ideogram_django.simulator import Simulator
from ideogram_django.statuses import ErrorCode, PauseCode, Status
from tests.drain import drain_to_end, drain_until, twin
from tests.people import ADDING, CHANGE, SPEND, VIEW, client_of, staff, text
from tests.test_admin import GALLERY, choose, confirm, page, picture, step_url

__all__ = ["twin"]

pytestmark = pytest.mark.django_db

FILE = "https://cdn.apiframe.ai/a.png"
EDIT = ("Edit the prompt and run again", "main")
RETRY = ("Try again · $0.03", "main")
ANEW = ("Make it again… · $0.03 more", "")
FREE = ("Try again · free", "main")
ASK = ("Check again", "main")


def release(image: GeneratedImage) -> None:
    ledger.release(image.charge)


def charge_three(image: GeneratedImage) -> None:
    ledger.settle(image.charge, 3)


def estimate(image: GeneratedImage) -> None:
    ledger.settle(image.charge, None)


def failed(code: str, money: Callable[[GeneratedImage], None], **facts: Any) -> GeneratedImage:
    image = picture(Status.FAILED, error_code=code, **facts)
    money(image)
    image.refresh_from_db()
    return image


NOTHING = "Nothing was charged."
CHARGED = "It was charged: $0.03."
PERHAPS = "It may have been charged: $0.03."
KINDS: dict[str, tuple[Callable[[GeneratedImage], None], dict[str, Any], str, list[Any]]] = {
    "rejected": (release, {}, NOTHING, [EDIT]),
    "refused": (release, {"job_id": "j"}, NOTHING, [EDIT]),
    "provider_busy": (release, {"job_id": "j"}, NOTHING, [RETRY]),
    "provider_failed": (release, {"job_id": "j"}, NOTHING, [RETRY, (EDIT[0], "")]),
    "provider_cancelled": (release, {"job_id": "j"}, NOTHING, [RETRY]),
    "no_result": (charge_three, {"job_id": "j"}, CHARGED, [(ANEW[0], "main")]),
    "result_expired": (estimate, {"job_id": "j"}, PERHAPS, [(ANEW[0], "main")]),
    "not_a_picture": (charge_three, {"job_id": "j", "result_url": FILE}, CHARGED, [FREE, ANEW]),
    "too_large": (charge_three, {"job_id": "j", "result_url": FILE}, CHARGED, [FREE, ANEW]),
    "too_many_pixels": (charge_three, {"job_id": "j", "result_url": FILE}, CHARGED, [FREE, ANEW]),
    "reference_failed": (release, {}, NOTHING, [EDIT]),
    "outcome_unknown": (estimate, {}, PERHAPS, [ASK, ANEW]),
    "gave_up": (estimate, {"job_id": "j"}, PERHAPS, [ASK, ANEW]),
    "storage_failed": (charge_three, {"job_id": "j", "result_url": FILE}, CHARGED, [FREE]),
    "host_refused": (charge_three, {"job_id": "j", "result_url": FILE}, CHARGED, [FREE]),
    "of a later version": (release, {}, NOTHING, [RETRY, (EDIT[0], "")]),
}


@pytest.fixture
def editor() -> User:
    return staff(VIEW, CHANGE, ADDING, SPEND)


def offered(body: str) -> list[tuple[str, str]]:
    """The steps on a page, in their order: the label, and whether it is the main one."""
    (steps,) = re.findall(r'<ul class="ideogram-steps">(.*?)</ul>', body) or [""]
    found = re.findall(r'<(?:a|button) [^>]*class="button( default)?"[^>]*>(.*?)</', steps)
    return [(label, "main" if main else "") for main, label in found]


def test_every_kind_is_spoken_for():
    assert set(wording.ADVICE) == set(ErrorCode.values)
    assert set(ErrorCode.values) < set(KINDS)


@pytest.mark.parametrize("code", KINDS)
def test_a_failure_says_what_it_cost_and_offers_just_what_can_help(browser, code):
    money, facts, sentence, steps = KINDS[code]
    image = failed(code, money, **facts)
    body = text(browser.get(page(image)))
    assert offered(body) == steps
    assert sentence in body
    if code in ErrorCode.values:
        assert str(ErrorCode(code).label).replace("'", "&#x27;") in body
    assert f">{code}<" not in body.split("For support")[0]  # never a code for an editor to read


@pytest.mark.parametrize("code", KINDS)
def test_who_may_only_look_is_told_the_same_and_gets_no_buttons(code):
    money, facts, sentence, _steps = KINDS[code]
    image = failed(code, money, **facts)
    body = text(client_of(staff(VIEW)).get(page(image)))
    assert offered(body) == []
    assert 'form="ideogram-step"' not in body
    assert sentence in body


@pytest.mark.parametrize("code", ["rejected", "refused", "reference_failed"])
def test_what_would_fail_again_is_not_tried_again_by_hand_either(browser, code):
    image = failed(code, release)
    response = browser.post(step_url(image), {"step": "retry", "attempt": "1"}, follow=True)
    assert str(wording.ADVICE[code].hint) in text(response)
    image.refresh_from_db()
    assert (image.status, image.attempt) == (Status.FAILED, 1)
    assert Charge.objects.count() == 1
    image.retry()  # the model's own promise stands
    assert image.status == Status.PENDING


def test_the_providers_words_are_quoted_and_ours_are_for_support(browser):
    refused = failed("refused", release, error_detail="content policy violation")
    body = text(browser.get(page(refused)))
    assert "The provider’s words:</figcaption><blockquote>content policy violation" in body
    unsaved = failed("storage_failed", charge_three, error_detail="OSError", result_url=FILE)
    body = text(browser.get(page(unsaved)))
    assert "The provider’s words" not in body
    assert "OSError" in body.split("For support")[1]


def test_while_the_credits_are_asked_for_nothing_is_claimed_about_them(browser):
    image = picture(Status.FAILED, error_code="provider_failed", job_id="j")
    body = text(browser.get(page(image)))
    assert "The provider is being asked whether this was charged." in body
    assert offered(body) == [RETRY, (EDIT[0], "")]
    response = browser.post(step_url(image), {"step": "retry", "attempt": "1"}, follow=True)
    assert "Try again in a moment" in text(response)
    assert Charge.objects.count() == 1


def test_an_unusable_file_is_fetched_free_or_made_anew_for_its_price(browser):
    image = failed("too_large", charge_three, result_url=FILE, job_id="j")
    response = browser.post(step_url(image), {"step": "anew", "attempt": "1"})
    body = text(response)
    assert "Making it again costs $0.03 more" in body
    assert CHARGED in body
    image.refresh_from_db()
    assert image.status == Status.FAILED
    browser.post(step_url(image), {"step": "anew", "attempt": "1", "confirm": "yes"})
    image.refresh_from_db()
    assert (image.status, image.attempt) == (Status.PENDING, 2)
    other = failed("too_large", charge_three, result_url=FILE, job_id="k")
    browser.post(step_url(other), {"step": "retry", "attempt": "1"})
    other.refresh_from_db()
    assert (other.status, other.attempt) == (Status.FETCHING, 1)
    assert Charge.objects.count() == 3


def test_a_model_that_is_not_offered_any_more_leaves_other_words(browser, settings):
    image = failed("provider_busy", release)
    GeneratedImage.objects.update(model="ideogram-v9")
    assert offered(text(browser.get(page(image)))) == [(EDIT[0], "")]


def test_switched_off_says_so_beside_the_missing_buttons(browser, settings):
    image, free = (
        failed("provider_failed", release),
        failed("storage_failed", charge_three, result_url=FILE),
    )
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "SPENDING_ENABLED": False}
    body = text(browser.get(page(image)))
    assert offered(body) == [(EDIT[0], "")]
    assert '<p class="ideogram-note">Making pictures is switched off on this site.</p>' in body
    assert offered(text(browser.get(page(free)))) == [FREE]


# --- limits -------------------------------------------------------------------------------------


def test_over_the_limit_is_said_beside_the_buttons_before_they_are_pressed(browser):
    image = picture()
    SpendingLimit.objects.create(amount=Decimal("0.05"), period="day")
    body = text(browser.get(page(image)))
    buttons = re.findall(r'<button [^>]*form="ideogram-step"[^>]*>', body)
    assert [" disabled" in button for button in buttons] == [True, True, True]
    notes = re.findall(r'<p class="ideogram-note">(.*?)</p>', body)
    assert notes == [
        "This needs $0.06, but only $0.05 is left today for this site. "
        "The limit starts afresh tomorrow. "
        "Ask for fewer pictures or a cheaper model, or ask who set the limit for more."
    ]
    assert EDIT[0] in body


def test_what_fits_can_be_pressed(browser):
    image = picture()
    SpendingLimit.objects.create(amount=Decimal("0.06"))
    body = text(browser.get(page(image)))
    buttons = re.findall(r'<button [^>]*form="ideogram-step"[^>]*>', body)
    assert [" disabled" in button for button in buttons] == [False, True, True]
    assert "This needs $0.10, but only $0.06 is left this month for this site." in body
    assert re.search(r"The limit starts afresh on \w+ 1\.", body)


def test_a_limit_reached_meanwhile_is_said_and_writes_nothing(browser):
    image = picture()
    SpendingLimit.objects.create(amount=Decimal("0.05"), period="day")
    data = {"step": "variations", "request_id": str(uuid.uuid4())}
    response = browser.post(step_url(image), data, follow=True)
    assert "This needs $0.12, but only $0.05 is left today" in text(response)
    assert GeneratedImage.objects.count() == 1


def test_confirm_pages_say_it_beside_their_button(browser):
    image = failed("gave_up", estimate, job_id="j")
    SpendingLimit.objects.create(amount=Decimal("0.01"), period="day")
    for body in (
        text(browser.post(step_url(image), {"step": "retry", "attempt": "1"})),
        text(browser.get(choose(browser, "try_again", image).url)),
    ):
        form = body.split('<div class="submit-row">')[1].split("</form>")[0]
        assert "This needs $0.03, but only $0.01 is left today for this site." in form


# --- the provider paused ------------------------------------------------------------------------


def test_waiting_for_credits_says_so_and_who_may_gets_the_way_to_the_state(browser, admin_client):
    image = GeneratedImage.objects.generate("A red bicycle")
    ProviderState.objects.create(id=1, pause_code=PauseCode.INSUFFICIENT_CREDITS)
    told = "Waiting pictures go on by themselves after a top-up."
    link = "/admin/ideogram_django/providerstate/1/change/"
    body = text(browser.get(page(image)))
    assert told in body
    assert link not in body
    assert offered(body) == [("Cancel", "")]
    body = text(admin_client.get(page(image)))
    assert told in body
    assert f'<a href="{link}">See how things stand with the provider</a>' in body


# --- many at once -------------------------------------------------------------------------------


def test_trying_many_again_leaves_out_what_cannot_be_helped(browser):
    busy = failed("provider_busy", release)
    refused = failed("refused", release)
    asked = picture(Status.FAILED, error_code="provider_failed", job_id="j")
    url = choose(browser, "try_again", busy, refused, asked).url
    body = text(browser.get(url))
    assert "<strong>1</strong> picture, <strong>$0.03</strong> in all." in body
    assert "2 are left out" in body
    assert "The same words would be refused again" in body
    assert "The provider is being asked whether this was charged." in body
    assert confirm(browser, url).status_code == 302
    for image in (busy, refused, asked):
        image.refresh_from_db()
    assert [one.status for one in (busy, refused, asked)] == ["pending", "failed", "failed"]


def test_files_alone_are_fetched_again_free(browser):
    first, second = (
        failed("storage_failed", charge_three, result_url=FILE, job_id=job) for job in "ab"
    )
    url = choose(browser, "try_again", first, second).url
    assert "Fetch 2 files again · free" in text(browser.get(url))
    confirm(browser, url)
    assert set(GeneratedImage.objects.values_list("status", flat=True)) == {"fetching"}
    assert Charge.objects.count() == 2


# --- history ------------------------------------------------------------------------------------


def test_the_history_is_written_in_words(browser, editor):
    image = failed("provider_busy", release)
    browser.post(step_url(image), {"step": "retry", "attempt": "1"})
    browser.post(step_url(image), {"step": "cancel"})
    body = text(browser.get(f"{GALLERY}{image.pk}/history/"))
    assert "<td>Tried again.</td>" in body
    assert "<td>Cancelled.</td>" in body
    done = picture()
    data = {"step": "again:ideogram-v4-quality", "request_id": str(uuid.uuid4())}
    for _press in range(2):
        browser.post(step_url(done), data)
    body = text(browser.get(f"{GALLERY}{done.pk}/history/"))
    assert body.count("<td>Asked for the same on another model.</td>") == 1
    made = done.children.get()
    assert "<td>Added.</td>" in text(browser.get(f"{GALLERY}{made.pk}/history/"))


# --- an outcome that nobody knew ----------------------------------------------------------------


def lost(image: GeneratedImage) -> None:
    """As if every answer to its sending had been lost, and a day gone by."""
    Charge.objects.update(job_id=None, maybe_sent=True)
    GeneratedImage.objects.filter(pk=image.pk).update(
        status=Status.FAILED,
        error_code=ErrorCode.OUTCOME_UNKNOWN,
        job_id=None,
        next_check_at=None,
        lease_until=None,
        claim=None,
    )
    image.refresh_from_db()
    ledger.settle(image.charge, None)


def steps_of(image: GeneratedImage) -> list[str]:
    found = next_steps(image, user=None, may_spend=True, may_change=True)
    return [step.name for step in found.steps]


@pytest.mark.django_db(transaction=True)
def test_checking_again_finds_a_picture_that_was_made_after_all(twin: Simulator):
    image = GeneratedImage.objects.generate("A fox [slow]")
    drain_until(lambda: GeneratedImage.objects.filter(job_id__isnull=False).exists())
    lost(image)
    assert steps_of(image) == ["refresh", "retry"]
    twin.finish_all()
    image.refresh()
    drain_to_end(image)
    assert (image.status, image.error_code) == (Status.COMPLETED, "")
    assert len(twin.ledger) == 1
    assert Charge.objects.get().estimated is False


@pytest.mark.django_db(transaction=True)
def test_checking_again_in_vain_sends_nothing_and_asks_once(twin: Simulator):
    image = GeneratedImage.objects.generate("A fox")
    Charge.objects.update(body='{"prompt": "A fox"}')
    lost(image)
    for _time in range(2):
        image.refresh()
        assert image.next_check_at is not None
        drain_to_end(image)
        assert (image.status, image.error_code) == (Status.FAILED, ErrorCode.OUTCOME_UNKNOWN)
    assert len(twin.ledger) == 0
