"""The form that makes pictures, through real requests: slots, uploads, limits, what it shows."""

from __future__ import annotations

import io
import re
import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from django.utils.formats import date_format
from PIL import Image

from ideogram_django import lifecycle
from ideogram_django.apiframe.catalogue import offered_models
from ideogram_django.models import Charge, GeneratedImage, SpendingLimit, StoredObject
from ideogram_django.simulator import Simulator
from ideogram_django.statuses import Status
from tests.drain import drain_to_end, twin  # noqa: F401 - a fixture
from tests.people import ADDING, CHANGE, SPEND, VIEW, client_of, staff, text

pytestmark = pytest.mark.django_db

GALLERY = "/admin/ideogram_django/generatedimage/"
ADD = f"{GALLERY}add/"


@pytest.fixture
def editor() -> User:
    return staff(VIEW, CHANGE, ADDING, SPEND)


def form(**changes: Any) -> dict[str, Any]:
    """What a browser posts from the add page; a name in the way of Python is given by ``**``."""
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


def png(colour: str = "navy", size: tuple[int, int] = (64, 48), name: str = "own.png") -> Any:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return SimpleUploadedFile(name, buffer.getvalue(), "image/png")


def picture(**changes: Any) -> GeneratedImage:
    """A finished picture of nobody in particular."""
    image = GeneratedImage.objects.generate(changes.pop("prompt", "A blue boat"))
    name = image.file.storage.save("boat.png", ContentFile(b"x"))
    facts = {"status": Status.COMPLETED, "file": name, "width": 640, "height": 480, **changes}
    GeneratedImage.objects.filter(pk=image.pk).update(**facts)
    image.refresh_from_db()
    return image


def slot(response: Any, name: str) -> str:
    """The markup of one slot, with its errors."""
    return re.search(rf'<fieldset [^>]*id="id_{name}".*?</fieldset>', text(response))[0]


def value(markup: str, name: str) -> str:
    return re.search(rf'name="{name}" [^>]*value="([^"]*)"', markup)[1]


def generated() -> GeneratedImage:
    """The one picture that was asked for."""
    return GeneratedImage.objects.get(uploaded=False)


# --- what it shows ------------------------------------------------------------------------------


def test_three_cards_say_what_they_are_for_cost_and_take(browser):
    cache.clear()
    body = text(browser.get(ADD))
    cards = re.findall(r'<label class="ideogram-model".*?</label>', body.split("Other models")[0])
    plain = [" ".join(re.sub(r"<[^>]+>", " ", card).split()) for card in cards]
    assert plain == [
        "Draft Ideogram v4 Turbo To try ideas side by side. $0.03 each about 15 s",
        "Balanced Ideogram v4 Balanced For most finished pictures. $0.06 each about 20 s",
        "Quality Ideogram v4 Quality For pictures that are looked at closely. $0.10 each",
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(4.2, "about 4 s here"), (33, "about 35 s here"), (170, "about 3 min here")],
)
def test_the_time_is_the_sites_own_once_it_has_made_some(browser, seconds, said):
    now = timezone.now()
    for _number in range(3):
        picture(submitted_at=now - timezone.timedelta(seconds=seconds), finished_at=now)
    cache.clear()
    assert said in text(browser.get(ADD))


def test_shapes_are_drawn_in_their_true_proportion(browser):
    body = text(browser.get(ADD))
    drawn = re.findall(
        r'value="(\d+):(\d+)".*?<rect x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"', body
    )
    offered = {ratio for model in offered_models({}) for ratio in model.aspect_ratios}
    assert sorted(f"{one[0]}:{one[1]}" for one in drawn) == sorted(offered)
    for wide, high, x, y, width, height in (map(int, one) for one in drawn):
        assert max(width, height) == 38
        assert abs(width * high - height * wide) <= max(wide, high) / 2 + 1e-9
        assert (2 * x + width, 2 * y + height) in {(44, 44), (43, 44), (44, 43)}
    usual, rest = body.split("More shapes")
    assert re.findall(r'name="aspect_ratio" value="([^"]*)"', usual) == (
        ["", "1:1", "16:9", "4:3", "3:2", "9:16", "3:4", "2:3"]
    )
    assert 'value="5:12"' in rest
    assert re.search(r'data-ideogram-for-model="ideogram-v4-turbo [^"]+">2560 × 1440<', usual)


def test_what_was_chosen_among_the_rarer_ones_is_in_sight(browser):
    def opened(body: str) -> list[str]:
        return re.findall(r"<details open> <summary>(?:<h2[^>]*>)?([^<]+)<", body)

    assert opened(text(browser.get(ADD))) == []
    address = f"{ADD}?aspect_ratio=5:12&model=ideogram-v3-turbo&seed=7&reference_image=https://a.example/1"
    assert opened(text(browser.get(address))) == [
        "Other models",
        "More shapes",
        "Reference pictures",
        "Advanced",
    ]


def test_each_option_says_which_models_may_ignore_or_refuse_it(browser):
    body = text(browser.get(ADD))
    for_v4 = r'data-ideogram-for-model="ideogram-v4-turbo [^"]+">'
    seed = re.search(r'id="id_seed_helptext">(.*?)</div>', body)[1]
    assert re.search(rf"{for_v4}Ideogram v4 may ignore this\.<", seed)
    size = re.search(r'id="id_resolution_helptext">(.*?)</div>', body)[1]
    assert "data-ideogram-for-model" not in size
    magic = re.search(r'id="id_magic_prompt_option_helptext">(.*?)</div>', body)[1]
    assert re.search(rf"{for_v4}“Off” may change nothing on Ideogram v4\.<", magic)
    reference = re.search(r'id="id_reference_image_helptext">(.*?)</p>', body)[1]
    assert '="ideogram-v3-turbo">Ideogram v3 does not take this.<' in reference


def test_presets_and_sizes_are_suggested(browser):
    body = text(browser.get(ADD))
    assert 'list="id_style_preset_suggestions"' in body
    presets = re.search(r'<datalist id="id_style_preset_suggestions">(.*?)</datalist>', body)[1]
    assert '<option value="Watercolor">' in presets
    assert '<option value="2048x2048">' in body


def test_without_the_script_the_price_is_said_beside_the_button(browser):
    body = text(browser.get(ADD))
    assert re.search(r'name="_make"[^>]*>Make</button>', body)
    assert "data-ideogram-hide>The price beside the model is charged for each picture." in body


def test_the_page_costs_the_database_the_same_however_much_there_is(
    browser, django_assert_num_queries
):
    image = picture()
    for number in (1, 20):
        for _more in range(number):
            picture()
        cache.clear()
        # session, user, permissions (two), limits, times, profiles, and the one reference
        with django_assert_num_queries(8):
            browser.get(f"{ADD}?reference_image={image.uuid}")


# --- reference pictures -------------------------------------------------------------------------


def test_a_reference_out_of_the_address_is_shown_with_its_picture(browser):
    image = picture(alt_text="A boat at sea")
    shown = slot(browser.get(f"{ADD}?reference_image={image.uuid}"), "reference_image")
    assert f'src="{image.thumbnail_url}"' in shown
    assert "Used as a reference: A boat at sea" in shown
    assert "data-ideogram-chosen>" in shown  # not hidden
    assert value(shown, "reference_image") == str(image.uuid)


@pytest.mark.parametrize("form_of", ["uuid", "hex", "pk", "picture:"])
def test_a_picture_of_the_gallery_is_a_reference(browser, form_of):
    image = picture()
    text = {
        "uuid": str(image.uuid),
        "hex": image.uuid.hex,
        "pk": str(image.pk),
        "picture:": f"picture:{image.uuid}",
    }[form_of]
    browser.post(ADD, form(reference_image=text))
    assert GeneratedImage.objects.first().reference_image == f"picture:{image.uuid}"


@pytest.mark.parametrize("name", ["reference_image-address", "reference_image"])
def test_an_address_is_a_reference_wherever_it_is_pasted(browser, name):
    browser.post(ADD, form(**{name: "https://a.example/1.png"}))
    assert generated().reference_image == "https://a.example/1.png"


def test_style_references_keep_their_order_and_gaps_close(browser):
    image = picture()
    data = form(
        **{
            "style_reference_1-address": "https://a.example/1.png",
            "style_reference_3": str(image.uuid),
        }
    )
    browser.post(ADD, data)
    assert GeneratedImage.objects.first().style_reference_images == [
        "https://a.example/1.png",
        f"picture:{image.uuid}",
    ]
    assert GeneratedImage.objects.first().reference_image == ""


def test_an_upload_becomes_a_picture_of_ours_and_the_reference(browser, editor):
    response = browser.post(ADD, form(**{"reference_image-upload": png()}))
    own = GeneratedImage.objects.get(uploaded=True)
    image = generated()
    assert response.url == f"{GALLERY}{image.pk}/change/"
    assert (own.status, own.requested_by, own.size > 0) == (Status.COMPLETED, editor, True)
    assert image.reference_image == f"picture:{own.uuid}"
    assert StoredObject.objects.get().image == own
    assert Charge.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_upload_reaches_the_provider_through_its_upload_endpoint(
    editor,
    twin: Simulator,  # noqa: F811
):
    upload = png("teal")
    client_of(editor).post(
        ADD,
        form(**{"reference_image-upload": upload, "style_reference_1-upload": png("maroon")}),
    )
    image = generated()
    drain_to_end(image)
    assert image.status == Status.COMPLETED
    sent = [r for r in twin.requests if r.path == "/v2/images/generate"]
    assert len(sent) == 1
    options = sent[0].body["ideogramParams"]
    addresses = [options["image"], *options["style_reference_images"]]
    assert len(addresses) == 2
    assert all(address.startswith(f"{twin.base_url}/uploads/") for address in addresses)
    assert sum(request.path == "/v2/uploads" for request in twin.requests) == 2


@pytest.mark.parametrize(
    "also",
    [
        {"reference_image": "5"},
        {"reference_image-address": "https://a.example/1.png"},
        {"reference_image": "5", "reference_image-address": "https://a.example/1.png"},
    ],
)
def test_a_slot_takes_exactly_one(browser, also):
    response = browser.post(ADD, form(**{"reference_image-upload": png(), **also}))
    assert "If it is to be the file, choose the file again." in slot(response, "reference_image")
    assert not GeneratedImage.objects.exists()


def test_address_and_picture_together_are_refused_and_both_stay(browser):
    data = {"reference_image": "5", "reference_image-address": "https://a.example/1.png"}
    shown = slot(browser.post(ADD, form(**data)), "reference_image")
    assert "only one of these." in shown
    assert "the file again" not in shown
    assert value(shown, "reference_image") == "5"
    assert value(shown, "reference_image-address") == "https://a.example/1.png"


# --- uploads that survive -----------------------------------------------------------------------


def test_a_good_upload_survives_an_error_elsewhere(browser, editor):
    data = form(prompt=" ", **{"style_reference_2-upload": png(), "negative_prompt": "rain"})
    response = browser.post(ADD, data)
    own = GeneratedImage.objects.get()
    assert own.uploaded
    assert not Charge.objects.exists()
    shown = slot(response, "style_reference_2")
    assert f'src="{own.thumbnail_url}"' in shown
    assert value(shown, "style_reference_2") == str(own.uuid)
    del data["style_reference_2-upload"]
    browser.post(ADD, {**data, "prompt": "A fox", "style_reference_2": str(own.uuid)})
    assert generated().style_reference_images == [f"picture:{own.uuid}"]
    assert GeneratedImage.objects.count() == 2


def test_a_good_upload_survives_a_model_that_does_not_take_it(browser):
    data = form(model="ideogram-v3-turbo", **{"reference_image-upload": png()})
    response = browser.post(ADD, data)
    own = GeneratedImage.objects.get()
    shown = slot(response, "reference_image")
    assert "has no reference picture" in shown
    assert value(shown, "reference_image") == str(own.uuid)
    assert not Charge.objects.exists()


def test_a_good_upload_survives_a_spending_limit(browser):
    SpendingLimit.objects.create(amount=0)
    response = browser.post(ADD, form(**{"reference_image-upload": png()}))
    own = GeneratedImage.objects.get()
    assert own.uploaded
    assert own.file.storage.exists(own.file.name)
    assert StoredObject.objects.get().image == own
    assert value(slot(response, "reference_image"), "reference_image") == str(own.uuid)


def test_a_double_click_with_a_file_pays_once(browser):
    data = form()
    urls = {
        browser.post(ADD, {**data, "reference_image-upload": png(name=name)}).url
        for name in ("a.png", "b.png")
    }
    assert len(urls) == 1
    assert Charge.objects.count() == 1
    assert GeneratedImage.objects.filter(uploaded=True).count() == 1


def test_a_file_that_two_requests_stored_at_once_is_still_the_same_request(browser, editor):
    """The second of two presses may store its file before the first one's is seen."""
    data = form()
    first = browser.post(ADD, {**data, "reference_image-upload": png()}).url
    twin_of_it = GeneratedImage.objects.from_upload(png(), requested_by=editor)
    assert browser.post(ADD, {**data, "reference_image": str(twin_of_it.uuid)}).url == first
    assert Charge.objects.count() == 1


def test_another_persons_copy_of_a_file_is_not_handed_out(browser, editor):
    theirs = GeneratedImage.objects.from_upload(png(), requested_by=staff())
    browser.post(ADD, form(**{"reference_image-upload": png()}))
    assert generated().reference_image != f"picture:{theirs.uuid}"
    assert GeneratedImage.objects.filter(uploaded=True).count() == 2


def test_who_sees_only_own_pictures_can_use_own_uploads():
    """Without the right to view, the file that an error kept would be lost after all."""
    client = client_of(staff(ADDING, SPEND))
    client.post(ADD, form(prompt=" ", **{"reference_image-upload": png()}))
    own = GeneratedImage.objects.get()
    client.post(ADD, form(reference_image=str(own.uuid)))
    assert generated().reference_image == f"picture:{own.uuid}"


def test_uploading_needs_the_permission_to_add():
    client = client_of(staff(VIEW, CHANGE, SPEND))
    draft = lifecycle.draft_many(GeneratedImage.objects.all(), [{"prompt": "A fox"}])[0]
    url = f"{GALLERY}{draft.pk}/change/"
    assert "reference_image-upload" not in text(client.get(url))
    response = client.post(url, form(**{"reference_image-upload": png()}))
    assert "You may not upload pictures." in slot(response, "reference_image")
    draft.refresh_from_db()
    assert draft.status == Status.DRAFT
    assert GeneratedImage.objects.count() == 1


def hostile(kind: str) -> Any:
    if kind == "script":
        return SimpleUploadedFile("a.png", b"<svg onload=alert(1)>", "image/png")
    if kind == "empty":
        return SimpleUploadedFile("a.png", b"", "image/png")
    if kind == "cut":
        return SimpleUploadedFile("a.png", png(size=(200, 200)).read()[:200], "image/png")
    if kind == "gif":
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8)).save(buffer, "GIF")
        return SimpleUploadedFile("a.png", buffer.getvalue(), "image/png")
    return png(size=(100, 100))


@pytest.mark.parametrize(
    ("kind", "limits", "sentence"),
    [
        ("script", {}, "not a picture that can be used here. Upload a PNG, JPEG or WebP file."),
        ("empty", {}, "not a picture that can be used here"),
        ("cut", {}, "not a picture that can be used here"),
        ("gif", {}, "not a picture that can be used here"),
        ("pixels", {"MAX_IMAGE_PIXELS": 9999}, "more than 9999 pixels"),
        ("bytes", {"MAX_IMAGE_BYTES": 100}, "larger than 100"),
    ],
)
def test_a_hostile_file_is_refused_beside_its_slot(browser, settings, kind, limits, sentence):
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, **limits}
    response = browser.post(
        ADD, form(negative_prompt="rain, grey", **{"style_reference_3-upload": hostile(kind)})
    )
    shown = slot(response, "style_reference_3")
    assert sentence in shown.replace("\N{NO-BREAK SPACE}", " ")
    assert 'aria-invalid="true"' in shown
    assert "rain, grey" in text(response)
    assert not GeneratedImage.objects.exists()
    assert not StoredObject.objects.exists()
    assert not Charge.objects.exists()


# --- drafts -------------------------------------------------------------------------------------


def test_a_drafts_references_are_shown_and_stay(browser):
    own = picture()
    request = {
        "prompt": "A fox",
        "reference_image": own,
        "style_reference_images": ["https://a.example/1.png", own],
    }
    draft = lifecycle.draft_many(GeneratedImage.objects.all(), [request])[0]
    url = f"{GALLERY}{draft.pk}/change/"
    response = browser.get(url)
    posted = {
        name: value(slot(response, name.partition("-")[0]), name)
        for name in ("reference_image", "style_reference_1-address", "style_reference_2")
    }
    assert posted == {
        "reference_image": str(own.uuid),
        "style_reference_1-address": "https://a.example/1.png",
        "style_reference_2": str(own.uuid),
    }
    data = form(prompt="A fox", _draft="", **posted)
    del data["_make"]
    response = browser.post(url, data)
    assert response.status_code == 302
    before = draft.parameters
    draft.refresh_from_db()
    assert draft.parameters == before


# --- errors -------------------------------------------------------------------------------------


def test_the_summary_leads_to_each_field_and_takes_the_focus(browser):
    response = browser.post(
        ADD,
        form(prompt="", seed="x", count="9", **{"style_reference_1-address": "http://a.example"}),
    )
    body = text(response)
    summary = re.search(r'<div class="ideogram-problems" tabindex="-1" autofocus>.*?</div>', body)[
        0
    ]
    assert "Please correct the errors below. Nothing was sent, nothing was spent." in summary
    links = re.findall(r'<a href="#([^"]+)">([^<]+)</a>', summary)
    assert links == [
        ("id_prompt", "Prompt"),
        ("id_count", "How many"),
        ("id_style_reference_1", "Style reference 1"),
        ("id_seed", "Seed"),
    ]
    for anchor, _label in links:
        assert body.count(f'id="{anchor}"') == 1
    assert body.count(" autofocus") == 1
    assert "<title>Error:" in body


def test_a_fresh_form_begins_in_the_prompt(browser):
    body = text(browser.get(ADD))
    assert re.search(r'<textarea name="prompt"[^>]* autofocus', body)
    assert body.count(" autofocus") == 1


def test_a_shape_that_the_model_does_not_take_is_refused_beside_it(browser):
    response = browser.post(ADD, form(aspect_ratio="3:1", style_type="anime"))
    body = text(response)
    shape = body.index("Ideogram v4 Turbo does not know “3:1”", body.index("Style</legend>"))
    assert body.index("id_aspect_ratio_error") < shape < body.index('value="1:1"')
    assert re.search(r'name="aspect_ratio" value="3:1"[^>]* checked', body)
    assert not GeneratedImage.objects.exists()


# --- limits -------------------------------------------------------------------------------------


def refusal(response: Any) -> list[str]:
    """The sentences beside the button."""
    found = re.search(r'id="ideogram-refusal".*?</div>', text(response))
    return re.findall(r"<(?:li|p)>([^<]+)<", found[0]) if found else []


def afresh() -> str:
    following = (timezone.localdate().replace(day=1) + timedelta(days=31)).replace(day=1)
    return f"The limit starts afresh on {date_format(following, 'MONTH_DAY_FORMAT')}."


def test_over_the_limit_the_button_says_what_is_left_and_what_would_work(browser):
    SpendingLimit.objects.create(amount=Decimal("0.10"))
    response = browser.post(ADD, form(count="2", model="ideogram-v4-balanced"))
    assert refusal(response) == [
        f"This needs $0.12, but only $0.10 is left this month for this site. {afresh()}",
        "What is left is enough for 1 picture on this model.",
        "On Ideogram v4 Turbo, 2 pictures cost $0.06.",
        "You can save this as a draft and make it later, or ask whoever looks after this site to "
        "raise the limit.",
    ]
    body = text(response)
    assert 'aria-describedby="ideogram-refusal"' in body
    assert '<a href="#ideogram-refusal">This needs $0.12' in body
    assert re.search(r'name="count" value="2"[^>]* checked', body)
    assert not GeneratedImage.objects.exists()


def test_where_nothing_is_left_only_help_that_helps_is_offered(browser):
    SpendingLimit.objects.create(amount=Decimal("0.02"))
    said = refusal(browser.post(ADD, form(count="4")))
    assert len(said) == 2
    assert said[1].startswith("You can save this as a draft")


def test_the_strictest_limit_decides_what_would_work(browser, editor):
    SpendingLimit.objects.create(amount=Decimal("0.10"))
    SpendingLimit.objects.create(amount=Decimal("0.07"), user=editor)
    said = refusal(browser.post(ADD, form(count="8")))
    assert "What is left is enough for 2 pictures on this model." in said


# --- beginning from another picture -------------------------------------------------------------


def test_another_pictures_request_fills_the_form_and_becomes_the_parent(browser):
    own = picture()
    image = GeneratedImage.objects.generate(
        "A lighthouse",
        model="ideogram-v4-balanced",
        style_type="DESIGN",
        aspect_ratio="5:12",
        seed=7,
        style_reference_images=[own],
    )
    address = f"{ADD}?like={image.uuid}"
    response = browser.get(address)
    body = text(response)
    assert "A lighthouse</textarea>" in body
    for name, chosen in {
        "model": "ideogram-v4-balanced",
        "style_type": "design",
        "aspect_ratio": "5:12",
        "count": "1",
    }.items():
        assert re.search(rf'name="{name}" value="{chosen}"[^>]* checked', body), name
    assert value(slot(response, "style_reference_1"), "style_reference_1") == str(own.uuid)
    browser.post(address, form(prompt="A lighthouse at night"))
    made = GeneratedImage.objects.first()
    assert (made.prompt, made.parent) == ("A lighthouse at night", image)


def test_a_picture_that_may_not_be_seen_gives_nothing_away():
    image = picture(prompt="A secret")
    client = client_of(staff(ADDING, SPEND))
    address = f"{ADD}?like={image.uuid}"
    assert "A secret" not in text(client.get(address))
    client.post(address, form())
    assert GeneratedImage.objects.first().parent is None


def test_a_popup_takes_an_upload_and_makes_one(browser):
    response = browser.post(
        f"{ADD}?_popup=1", form(_popup="1", count="4", **{"reference_image-upload": png()})
    )
    assert f"&quot;value&quot;: &quot;{generated().pk}&quot;" in text(response)


@pytest.mark.parametrize("name", ["reference_image", "reference_image-address"])
def test_a_picture_that_may_not_be_seen_is_no_reference_however_it_is_given(name):
    secret = picture(prompt="A secret")
    client = client_of(staff(ADDING, SPEND))
    count = GeneratedImage.objects.count()
    response = client.post(ADD, form(**{name: f"picture:{secret.uuid}"}))
    assert response.status_code == 200
    assert "There is no finished picture with the id" in slot(response, "reference_image")
    assert GeneratedImage.objects.count() == count


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_popup_hands_on_no_other_column_than_django_would(browser, method):
    data = form(_popup="1", _to_field="charge")
    address = f"{ADD}?_popup=1&_to_field=charge"
    response = browser.get(address) if method == "get" else browser.post(ADD, data)
    assert response.status_code == 400
    assert not GeneratedImage.objects.exists()
    assert browser.post(ADD, {**data, "_to_field": "id"}).status_code == 200


# --- two editors of one draft -------------------------------------------------------------------


def saving(**changes: Any) -> dict[str, Any]:
    data = form(_draft="", **changes)
    del data["_make"]
    return data


def test_editors_of_a_draft_do_not_overwrite_each_other_unseen(browser):
    draft = lifecycle.draft_many(GeneratedImage.objects.all(), [{"prompt": "A fox"}])[0]
    url = f"{GALLERY}{draft.pk}/change/"
    seen = value(text(browser.get(url)), "seen")
    assert browser.post(url, saving(prompt="A hare", seen=seen)).status_code == 302

    # What was not touched may not bring the old words back either.
    assert "“A hare”" in text(browser.post(url, form(prompt="A fox", seen=seen)))
    wrong = browser.post(url, saving(prompt=" ", seen=seen))  # what was seen is not forgotten
    refused = browser.post(url, form(prompt="A wolf", seen=value(text(wrong), "seen")))

    assert "Somebody else changed this draft meanwhile: “A hare”" in text(refused)
    assert "A wolf</textarea>" in text(refused)
    draft.refresh_from_db()
    assert (draft.prompt, draft.status) == ("A hare", Status.DRAFT)
    again = form(prompt="A wolf", seen=value(text(refused), "seen"))
    assert browser.post(url, again).status_code == 302
    draft.refresh_from_db()
    assert (draft.prompt, draft.status) == ("A wolf", Status.PENDING)


def test_the_same_change_of_a_draft_twice_is_no_clash(browser):
    draft = lifecycle.draft_many(GeneratedImage.objects.all(), [{"prompt": "A fox"}])[0]
    url = f"{GALLERY}{draft.pk}/change/"
    seen = value(text(browser.get(url)), "seen")
    for _press in range(2):
        assert browser.post(url, saving(prompt="A hare", seed="7", seen=seen)).status_code == 302
