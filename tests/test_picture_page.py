"""The page of one picture: what it shows to whom, its family and uses, and its alternative text."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ideogram_django.admin.alttext import fingerprint
from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import Status
from tests.magazine.models import Article, Author
from tests.people import ADDING, CHANGE, SPEND, VIEW, client_of, staff, text
from tests.test_admin import GALLERY, HOSTILE, draft, page, picture, step_url

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor() -> User:
    return staff(VIEW, CHANGE, ADDING, SPEND)


def region(body: str, name: str) -> str:
    """From the region's opening tag on; the regions do not hold each other."""
    return body.split(f'id="{name}"')[1]


# --- what it shows ------------------------------------------------------------------------------


def test_the_small_files_are_offered_to_small_windows_and_the_original_to_all(browser):
    image = picture(renditions=[{"name": "a-320.webp", "width": 320, "height": 240}])
    body = text(browser.get(page(image)))
    assert re.search(r'srcset="/media/a-320\.webp 320w, /media/a[^ ]*\.png 640w"', body)
    assert f'<a href="{image.url}" download>Download the original</a>' in body


def test_a_picture_without_alternative_text_is_a_link_with_a_name(browser):
    body = text(browser.get(page(picture())))
    figure = re.search(r"<figure.*?</figure>", body)[0]
    assert 'alt="A red bicycle"' in figure


def test_the_prompt_is_shown_and_what_was_typed_where_that_differs(browser):
    same = picture(typed_prompt="A red bicycle")
    body = text(browser.get(page(same)))
    assert '<p class="ideogram-prompt-text">A red bicycle</p>' in body
    assert "As it was typed" not in body
    other = picture(typed_prompt="{title}")
    body = text(browser.get(page(other)))
    assert '<h3>As it was typed</h3> <p class="ideogram-prompt-text">{title}</p>' in body


def test_the_facts_are_in_words(browser):
    image = picture(
        request={"style_type": "DESIGN", "aspect_ratio": "16:9", "seed": 7},
        submitted_at=timezone.now(),
        finished_at=timezone.now() + timezone.timedelta(seconds=12),
    )
    facts = region(text(browser.get(page(image))), "ideogram-facts")
    told = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", facts))
    assert told["Model"] == "Ideogram v4 Turbo"
    assert told["Style"] == "Design"
    assert told["Shape"] == "16 : 9"
    assert told["Seed"] == "7"
    assert told["Charged"] == "$0.03"
    assert told["Took"] == "12 seconds"
    assert told["Public id"] == str(image.uuid)
    assert "Magic prompt" not in told


def test_a_finished_picture_leads_on(browser):
    image = picture()
    body = text(browser.get(page(image)))
    add = f"{GALLERY}add/"
    assert f'<a href="{add}?like={image.uuid}" class="button">Edit the prompt and run again' in body
    assert f'<a href="{add}?reference_image={image.uuid}">Use as a reference' in body


@pytest.mark.parametrize(
    ("tier", "higher"),
    [("turbo", ["Balanced", "Quality"]), ("balanced", ["Quality"]), ("quality", [])],
)
def test_a_picture_is_finished_on_better_models_alone(browser, tier, higher):
    image = picture(model=f"ideogram-v4-{tier}")
    body = text(browser.get(page(image)))
    assert re.findall(r"Finish on (\w+)", body) == higher


def test_own_work_is_not_made_again(browser):
    image = picture()
    GeneratedImage.objects.update(uploaded=True, prompt="", model="", price=None)
    body = text(browser.get(page(image)))
    assert 'form="ideogram-step"' not in body
    assert "?like=" not in body
    assert f"?reference_image={image.uuid}" in body


def test_who_may_only_look_sees_everything_and_nothing_to_press():
    image = picture(alt_text="A bicycle", picked=True)
    article = Article.objects.create(title="Spring", hero=image)
    body = text(client_of(staff(VIEW)).get(page(image)))
    main = body.split('id="content-main"')[1]
    assert "<button" not in main
    assert 'type="submit"' not in main
    assert "?like=" not in body
    for told in (
        "A bicycle",
        "</span> Picked</span>",
        "A red bicycle",
        "$0.03",
        f"Article: {article}",
    ):
        assert told in body
    assert "magazine/article" not in main


def test_a_draft_can_be_started_by_who_may_spend_but_not_edit():
    image = draft()
    client = client_of(staff(VIEW, SPEND))
    assert 'value="generate" class="button default">Make · $0.03' in text(client.get(page(image)))
    client.post(step_url(image), {"step": "generate"})
    image.refresh_from_db()
    assert image.status == Status.PENDING


def test_hostile_words_stay_words(browser):
    image = picture(
        Status.FAILED,
        error_code="refused",
        error_detail=HOSTILE,
        typed_prompt=HOSTILE,
        request={"prompt": "A fox", "negative_prompt": HOSTILE},
    )
    image.replaces = picture(alt_text=HOSTILE)
    image.save(update_fields=["replaces"])
    Article.objects.create(title=HOSTILE, hero=image)
    body = browser.get(page(image)).content.decode()
    assert "<script>alert" not in body
    assert "onerror='y'" not in body
    assert body.count("&lt;script&gt;alert(1)") >= 5


# --- family and uses ----------------------------------------------------------------------------


def groups(body: str) -> dict[str, list[str]]:
    family = region(body, "ideogram-family").split('id="ideogram-facts"')[0]
    found = {}
    for section in family.split("<section")[1:]:
        title = re.search(r"<h2[^>]*>(.*?)</h2>", section)[1]
        found[title] = re.findall(r'<a href="([^"]*/change/)', section)
    return found


def test_the_family_and_what_was_replaced(browser):
    parent, old = picture(), picture()
    batch = uuid.uuid4()
    image = picture(request={"parent": parent, "replaces": old, "batch": batch})
    sister = picture(request={"batch": batch})
    child = picture(request={"parent": image, "replaces": image})
    assert groups(text(browser.get(page(image)))) == {
        "Where it is used": [],
        "Made from": [page(parent)],
        "From the same request": [page(sister)],
        "Made from this one": [page(child)],
        "Replaces": [page(old)],
        "Replaced by": [page(child)],
    }


def test_each_relative_has_a_name_that_everybody_can_read(browser):
    """The very same one that screen readers say: not that of the picture and then another."""
    image = picture()
    (child,) = image.variations(1)
    GeneratedImage.objects.filter(pk=child.pk).update(
        alt_text="Two people on a bicycle", file=image.file.name, status=Status.COMPLETED
    )
    family = region(text(browser.get(page(image))), "ideogram-family")
    (link,) = re.findall(rf'<a href="{page(child)}">(.*?)</a>', family)
    assert '<span class="ideogram-name">Two people on a bicycle</span>' in link
    assert link.count("Two people on a bicycle") == 1
    assert 'alt=""' in link


def test_a_large_family_is_cut_short_and_costs_no_more_queries(browser):
    image = picture()
    few = picture(request={"parent": image})
    browser.get(page(image))
    with CaptureQueriesContext(connection) as one:
        browser.get(page(image))
    GeneratedImage.objects.bulk_create(
        GeneratedImage(prompt="A", model=few.model, parent=image) for _number in range(40)
    )
    with CaptureQueriesContext(connection) as many:
        body = text(browser.get(page(image)))
    assert len(many) == len(one)
    assert len(groups(body)["Made from this one"]) == 12
    assert "There are more of them." in body


def test_where_it_is_used_leads_there_for_who_may_look(browser, admin_client):
    image = picture()
    article = Article.objects.create(title="Spring", hero=image)
    author = Author.objects.create(name="Ada", portrait=image)
    link = f'Article: <a href="/admin/magazine/article/{article.pk}/change/">Spring</a>'
    body = text(admin_client.get(page(image)))
    assert link in body
    assert f"Author: {author}" in re.sub("<[^>]*>", "", body)
    body = text(browser.get(page(image)))
    assert link not in body
    assert "<li>Article: Spring</li>" in body
    assert "Nowhere yet." in text(browser.get(page(picture())))


# --- pick ---------------------------------------------------------------------------------------


def test_pick_is_a_toggle_that_is_sent_in_place(browser):
    image = picture()
    form = '<form method="post" id="ideogram-pick-form"'
    body = text(browser.get(page(image)))
    assert f'{form} action="{step_url(image)}" data-ideogram-swap="ideogram-pick">' in body
    assert 'value="pick" id="ideogram-pick-button"' in body
    body = text(browser.post(step_url(image), {"step": "pick"}, follow=True))
    assert 'value="unpick" id="ideogram-pick-button"' in body
    assert '<li class="success">Picked.</li>' in body
    body = text(browser.post(step_url(image), {"step": "unpick"}, follow=True))
    assert '<li class="success">No longer picked.</li>' in body
    image.refresh_from_db()
    assert not image.picked


# --- popups -------------------------------------------------------------------------------------


def test_in_a_popup_steps_and_links_stay_in_it(browser):
    parent = picture()
    image = picture(Status.FAILED, error_code="gave_up", request={"parent": parent})
    Article.objects.create(title="Spring", hero=image)
    here = f"{page(image)}?_to_field=id&_popup=1"
    body = text(browser.get(here))
    assert f'name="next" value="{here.replace("&", "&amp;")}"' in body
    assert f'href="{page(parent)}?_popup=1"' in body
    data = {"step": "retry", "attempt": "1", "next": here, "_popup": "1"}
    response = browser.post(step_url(image), data)
    assert "popup" in re.search(r'<body class="([^"]*)"', text(response))[1]
    assert f'name="next" value="{here.replace("&", "&amp;")}"' in text(response)
    assert browser.post(step_url(image), {**data, "confirm": "yes"}).url == here
    done = picture()
    assert f"?like={done.uuid}&amp;_popup=1" in text(browser.get(f"{page(done)}?_popup=1"))


def test_a_popup_saves_and_closes(browser):
    image = picture()
    response = browser.post(f"{page(image)}?_popup=1", {"alt_text": "A bicycle", "_popup": "1"})
    assert "popup_response" in text(response)
    image.refresh_from_db()
    assert image.alt_text == "A bicycle"


# --- alternative text ---------------------------------------------------------------------------


def seen(body: str) -> str:
    return re.search(r'name="alt_seen" value="([^"]+)"', body)[1]


def save(client: Client, image: GeneratedImage, **data: Any) -> Any:
    return client.post(page(image), {"_continue": "", **data}, follow=True)


def test_the_alternative_text_is_asked_for_with_a_counter_and_one_line(browser):
    body = text(browser.get(page(picture())))
    assert 'data-ideogram-limit="1000"' in body
    assert "Read out to people who cannot see the picture." in body
    assert "This picture is decorative" in body


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_nobody_is_asked_to_describe_a_picture_that_never_came(browser, status):
    image = picture(Status.PROCESSING)
    opened = seen(text(browser.get(page(image))))
    GeneratedImage.objects.filter(pk=image.pk).update(status=status)
    body = text(browser.get(page(image)))
    assert 'name="alt_text"' not in body
    assert 'name="_save"' not in body
    # Whoever typed while it was being made has not typed in vain.
    save(browser, image, alt_text="A bicycle", alt_seen=opened)
    image.refresh_from_db()
    assert image.alt_text == "A bicycle"


def test_a_text_and_decorative_together_is_an_error_and_loses_nothing(browser):
    image = picture()
    body = text(save(browser, image, alt_text="A bicycle", decorative="on"))
    assert "A decorative picture has no alternative text." in body
    assert "A bicycle</textarea>" in body
    image.refresh_from_db()
    assert (image.alt_text, image.decorative) == ("", False)
    save(browser, image, decorative="on")
    image.refresh_from_db()
    assert image.decorative


def test_lines_and_blanks_become_one_line(browser):
    image = picture()
    save(browser, image, alt_text="  A bicycle\r\n on a  wall ")
    image.refresh_from_db()
    assert image.alt_text == "A bicycle on a wall"


def test_the_second_of_two_editors_sees_the_firsts_text_before_theirs_is_lost(browser):
    image = picture()
    began = seen(text(browser.get(page(image))))
    first = save(browser, image, alt_text="A bicycle", alt_seen=began)
    assert "was changed successfully" in text(first)
    second = text(save(browser, image, alt_text="A red bike", alt_seen=began))
    assert "Somebody else saved another text meanwhile: “A bicycle”" in second
    assert "A red bike</textarea>" in second
    image.refresh_from_db()
    assert image.alt_text == "A bicycle"
    save(browser, image, alt_text="A red bike", alt_seen=seen(second))
    image.refresh_from_db()
    assert image.alt_text == "A red bike"


def test_decorative_meanwhile_is_told_too(browser):
    image = picture()
    began = seen(text(browser.get(page(image))))
    save(browser, image, decorative="on", alt_seen=began)
    body = text(save(browser, image, alt_text="A red bike", alt_seen=began))
    assert "Somebody else marked this picture as decorative meanwhile." in body
    image.refresh_from_db()
    assert (image.alt_text, image.decorative) == ("", True)


def test_saving_without_a_change_leaves_the_others_text(browser):
    image = picture()
    began = seen(text(browser.get(page(image))))
    save(browser, image, alt_text="A bicycle", alt_seen=began)
    body = text(save(browser, image, alt_seen=began))
    assert "Somebody else" not in body
    image.refresh_from_db()
    assert image.alt_text == "A bicycle"
    history = text(browser.get(f"{GALLERY}{image.pk}/history/"))
    assert history.count("Changed Alternative text.") == 1


def test_the_same_text_twice_is_no_conflict(browser):
    image = picture()
    began = seen(text(browser.get(page(image))))
    save(browser, image, alt_text="A bicycle", alt_seen=began)
    assert "Somebody else" not in text(save(browser, image, alt_text="A bicycle", alt_seen=began))


def test_the_fingerprint_tells_text_from_tick():
    assert fingerprint("", True) != fingerprint("", False) != fingerprint("true", False)
