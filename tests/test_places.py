"""Fixed places: what a page shows, what editors do with them, and that pages never write."""

from __future__ import annotations

import io
import re
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.db.models import ProtectedError
from django.template import Context, Engine, Template
from django.test import Client
from django.test.utils import CaptureQueriesContext
from PIL import Image
from pytest_django import DjangoAssertNumQueries

from ideogram_django import conf, usage
from ideogram_django.drains import retention
from ideogram_django.models import Charge, GeneratedImage, Place, SpendingLimit
from ideogram_django.statuses import Status
from ideogram_django.templatetags import rendering
from tests.drain import configured
from tests.people import client_of, staff, text
from tests.test_templatetags import fill, saved, unfinished

pytestmark = pytest.mark.django_db

PLACES = "/admin/ideogram_django/place/"
EVIL = '"><script>alert(1)</script>'


def place(key: str = "home-hero", **columns: Any) -> Place:
    return Place.objects.create(**{"key": key, "name": "Top of the home page", **columns})


def render(source: str, **context: Any) -> str:
    return Template("{% load ideogram %}" + source).render(Context(context))


# --- on a page ----------------------------------------------------------------------------------


def test_a_place_shows_its_picture() -> None:
    place(image=saved(alt_text="Own"))
    html = render('{% generated_image_for "home-hero" sizes="50vw" class="hero" %}')
    assert html == render(
        '{% generated_image image sizes="50vw" class="hero" %}', image=saved(alt_text="Own")
    )
    assert ' alt="Own" ' in html
    assert ' alt="Given" ' in render("{% generated_image_for key alt='Given' %}", key="home-hero")


@pytest.mark.parametrize("key", ["", "nowhere", None, "x" * 500, EVIL])
def test_an_unknown_place_shows_nothing_and_writes_nothing(
    key: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1) as queries:
        assert render("{% generated_image_for key %}", key=key) == ""
    assert queries[0]["sql"].startswith("SELECT")
    assert not Place.objects.exists()


def test_an_empty_place_shows_nothing() -> None:
    place()
    assert render('{% generated_image_for "home-hero" caption="x" %}') == ""


def test_in_development_the_page_says_what_is_missing(settings: Any) -> None:
    settings.DEBUG = True
    place()
    for key in ("home-hero", "nowhere"):
        html = render("{% generated_image_for key %}", key=key)
        assert f"no picture for the fixed place “{key}” yet" in html
    html = render("{% generated_image_for key %}", key=EVIL)
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert not GeneratedImage.objects.exists()


def test_an_unfinished_picture_keeps_the_old_one_on_the_page() -> None:
    old = saved(alt_text="The old lake")
    new = unfinished(status="draft", replaces=old)
    new.save()
    place(image=new)
    assert ' alt="The old lake" ' in render('{% generated_image_for "home-hero" %}')


@pytest.mark.parametrize("number", [1, 30])
def test_all_places_of_a_page_cost_one_query(
    number: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for count in range(number):
        new = unfinished(status="draft", replaces=saved())
        new.save()
        place(f"place-{count}", image=new if count % 2 else saved())
    page = "{% for key in keys %}{% generated_image_for key %}{% endfor %}"

    with django_assert_num_queries(1):
        html = render(page, keys=[f"place-{count}" for count in range(number)])

    assert html.count("<img ") == number


def test_pictures_that_failed_twice_cost_no_query_each() -> None:
    counts = {}
    for number in (1, 20):
        Place.objects.all().delete()
        for count in range(number):
            failed = unfinished(status="failed", replaces=saved())
            failed.save()
            again = unfinished(status="draft", replaces=failed)
            again.save()
            made = unfinished(status="draft", parent=saved(color="#123456"))
            made.save()
            place(f"again-{count}", image=again)
            place(f"made-{count}", image=made)
        with CaptureQueriesContext(connection) as queries:
            html = render(
                "{% for key in keys %}{% generated_image_for key %}{% endfor %}",
                keys=[f"{kind}-{count}" for kind in ("again", "made") for count in range(number)],
            )
        counts[number] = len(queries)
        assert (html.count("<img "), html.count(fill("#123456"))) == (number, number)
    assert counts == {1: 3, 20: 3}  # places, a second step back, what others were made from


def test_templates_that_are_included_and_extended_share_the_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for key in ("a", "b", "c", "d"):
        place(key, image=saved(alt_text=f"Picture {key}"))
    tag = '{{% load ideogram %}}{{% generated_image_for "{}" %}}'.format
    engine = Engine(
        libraries={"ideogram": "ideogram_django.templatetags.ideogram"},
        loaders=[
            (
                "django.template.loaders.locmem.Loader",
                {
                    "base": tag("a") + "{% block content %}{% endblock %}",
                    "part": tag("b"),
                    "page": "{% extends 'base' %}{% block content %}{% include 'part' %}"
                    "{% include 'part' only %}{% load ideogram %}"
                    "{% for x in '12' %}" + tag("c") + "{% endfor %}" + tag("d") + "{% endblock %}",
                },
            )
        ],
    )

    with django_assert_num_queries(1):
        html = engine.get_template("page").render(Context({}))

    assert re.findall(r'alt="Picture (.)"', html) == list("abbccd")


def test_the_next_page_sees_what_has_changed() -> None:
    """Nothing is kept from one page to the next."""
    hero = place(image=saved())
    template = Template('{% load ideogram %}{% generated_image_for "home-hero" %}')
    assert template.render(Context({}))
    hero.image = None
    hero.save()
    assert template.render(Context({})) == ""


def test_the_function_for_other_template_languages(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    place(image=saved())
    expected = render('{% generated_image_for "home-hero" alt="A lake" %}')
    shared = rendering.Places()
    with django_assert_num_queries(1):
        for _call in range(3):
            html = rendering.generated_image_for("home-hero", places=shared, alt="A lake")
            assert html == expected
    assert rendering.generated_image_for("home-hero", alt="A lake") == expected
    with pytest.raises(TypeError, match="colour"):
        rendering.generated_image_for("nowhere", colour="blue")


# --- a use like any other -----------------------------------------------------------------------


def test_a_picture_in_a_place_is_used(settings: Any) -> None:
    used, unused = saved(), saved()
    hero = place(image=used)
    assert list(GeneratedImage.objects.used()) == [used]
    assert list(GeneratedImage.objects.unused()) == [unused]
    assert usage.records(used, most=5) == [hero]
    assert "ideogram_django.place.image" in map(usage.name, usage.relations(GeneratedImage))

    with configured(settings, RETENTION=1):
        GeneratedImage.objects.update(created_at="2020-01-01T00:00:00Z")
        assert retention.expire(conf.current()) == 1
    assert list(GeneratedImage.objects.all()) == [used]
    with pytest.raises(ProtectedError):
        used.delete()


# --- in the admin -------------------------------------------------------------------------------


def editor(*codenames: str) -> Client:
    return client_of(staff(*codenames))


@pytest.fixture
def client() -> Client:
    return editor(
        "view_place",
        "add_place",
        "change_place",
        "delete_place",
        "view_generatedimage",
        "generate_generatedimage",
    )


def form(**changes: Any) -> dict[str, Any]:
    return {"name": "Top of the home page", "key": "home-hero", **changes}


def making(prompt: str = "A harbour at night", **changes: Any) -> dict[str, Any]:
    wish = {
        "image-make": "on",
        "image-prompt": prompt,
        "image-request": str(uuid.uuid4()),
    }
    return form(**wish, **changes)


@pytest.mark.parametrize(
    ("permissions", "seen", "added", "changed"),
    [
        ((), 403, 403, 403),
        (("view_place",), 200, 403, 403),
        (("view_place", "add_place"), 200, 302, 403),
        (("view_place", "change_place"), 200, 403, 302),
        (("view_generatedimage", "generate_generatedimage"), 403, 403, 403),
    ],
)
def test_permissions(permissions: tuple[str, ...], seen: int, added: int, changed: int) -> None:
    hero = place("old")
    client = editor(*permissions)
    assert client.get(PLACES).status_code == seen
    assert client.post(f"{PLACES}add/", form()).status_code == added
    assert client.post(f"{PLACES}{hero.pk}/change/", form(name="New")).status_code == changed
    hero.refresh_from_db()
    assert (hero.name == "New", hero.key) == (changed == 302, "old")


def test_a_place_is_made_with_a_new_picture(client: Client) -> None:
    answer = client.post(f"{PLACES}add/", making())
    assert answer.status_code == 302
    hero = Place.objects.get()
    assert hero.image is not None
    assert (hero.image.prompt, hero.image.status) == ("A harbour at night", Status.PENDING)
    assert hero.image.requested_by == User.objects.get()
    assert Charge.objects.get().expected == Decimal("0.03")


def test_the_same_form_twice_makes_one_picture(client: Client) -> None:
    hero = place()
    wish = making()
    for _press in range(2):
        assert client.post(f"{PLACES}{hero.pk}/change/", wish).status_code == 302
    assert GeneratedImage.objects.count() == Charge.objects.count() == 1


def test_a_new_picture_replaces_the_one_that_hangs_there(client: Client) -> None:
    old = saved(alt_text="The old lake")
    hero = place(image=old)
    assert client.post(f"{PLACES}{hero.pk}/change/", making()).status_code == 302
    hero.refresh_from_db()
    assert hero.image != old
    assert hero.image is not None
    assert hero.image.replaces == old
    assert ' alt="The old lake" ' in render('{% generated_image_for "home-hero" %}')


def test_a_picture_is_chosen_kept_and_taken_down(client: Client) -> None:
    one = saved()
    hero = place()
    url = f"{PLACES}{hero.pk}/change/"
    assert client.post(url, form(image=str(one.uuid))).status_code == 302
    hero.refresh_from_db()
    assert hero.image == one

    page = client.get(url)
    kept = page.context["adminform"].form["image"]
    current = re.search(r'name="image-current" value="([^"]+)"', str(kept))
    assert current is not None
    data = form(**{"image": str(one.uuid), "image-current": current[1]})
    assert client.post(url, {**data, "name": "Another name"}).status_code == 302
    hero.refresh_from_db()
    assert (hero.name, hero.image) == ("Another name", one)

    assert client.post(url, {**data, "image-clear": "on"}).status_code == 302
    hero.refresh_from_db()
    assert hero.image is None
    assert GeneratedImage.objects.count() == 1


def test_a_picture_is_uploaded(client: Client, settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    content = io.BytesIO()
    Image.new("RGB", (64, 48), "navy").save(content, "PNG")
    file = SimpleUploadedFile("own.png", content.getvalue())
    assert client.post(f"{PLACES}add/", form(**{"image-upload": file})).status_code == 302
    image = Place.objects.get().image
    assert image is not None
    assert (image.uploaded, image.width) == (True, 64)
    assert not Charge.objects.exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": ""}, "This field is required."),
        ({"key": "no key!"}, "Enter a valid “slug”"),
        ({"key": "taken"}, "There is a place with this key already."),
        ({"image-clear": "on", "image": "77"}, "only one of these"),
    ],
)
def test_a_form_with_an_error_spends_nothing_and_keeps_what_was_typed(
    client: Client, changes: dict[str, str], sentence: str
) -> None:
    place("taken")
    answer = client.post(f"{PLACES}add/", making("My long prompt", **changes))
    assert answer.status_code == 200
    assert sentence in text(answer)
    assert "My long prompt" in text(answer)
    assert not Charge.objects.exists()
    assert Place.objects.count() == 1


def test_who_may_not_spend_is_not_offered_it_and_cannot(client: Client) -> None:
    poor = editor("view_place", "add_place", "view_generatedimage")
    assert "image-prompt" not in text(poor.get(f"{PLACES}add/"))
    answer = poor.post(f"{PLACES}add/", making())
    assert answer.status_code == 200
    assert "You may not have pictures made." in text(answer)
    assert not Place.objects.exists()
    assert "image-prompt" in text(client.get(f"{PLACES}add/"))


def test_over_the_limit_nothing_is_saved(client: Client) -> None:
    SpendingLimit.objects.create(period="day", amount=Decimal("0.01"))
    hero = place()
    answer = client.post(f"{PLACES}{hero.pk}/change/", making(name="New"))
    assert answer.status_code == 200
    assert "only $0.01 is left today for this site" in text(answer)
    hero.refresh_from_db()
    assert (hero.name, hero.image) == ("Top of the home page", None)


def test_the_key_stays_as_pages_know_it(client: Client) -> None:
    hero = place()
    assert 'name="key"' in text(client.get(f"{PLACES}add/"))
    page = text(client.get(f"{PLACES}{hero.pk}/change/"))
    assert 'name="key"' not in page
    assert "home-hero" in page
    assert client.post(f"{PLACES}{hero.pk}/change/", form(key="other")).status_code == 302
    hero.refresh_from_db()
    assert hero.key == "home-hero"


def test_the_list_costs_the_same_for_every_number_of_places(client: Client) -> None:
    counts = {}
    for number in (2, 30):
        Place.objects.all().delete()
        for count in range(number):
            failed = unfinished(status="draft", replaces=saved())
            failed.save()
            new = unfinished(status="draft", replaces=failed)
            new.save()
            place(f"place-{count}", name=f"Place {count}", image=new if count % 2 else saved())
        place("empty", name="Empty")
        with CaptureQueriesContext(connection) as queries:
            page = text(client.get(PLACES))
        counts[number] = len(queries)
        assert page.count('src="/media/a/lake-320w.webp"') == number
        assert page.count("No picture yet") == 1
        assert page.count(">Draft<") == number // 2
    assert counts[2] == counts[30]


def test_a_place_can_only_be_looked_at(client: Client) -> None:
    hero = place(image=saved(alt_text="A lake"))
    page = text(editor("view_place").get(f"{PLACES}{hero.pk}/change/"))
    assert "A lake" in page
    assert '<input type="submit"' not in page


def test_words_for_a_picture_that_hangs_there_are_kept(client: Client) -> None:
    user = User.objects.get()
    user.user_permissions.add(Permission.objects.get(codename="change_generatedimage"))
    one = saved()
    hero = place(image=one)
    data = {"image-alt": "A lake at dawn", "image-alt-was": ""}
    answer = client.post(f"{PLACES}{hero.pk}/change/", form(image=str(one.uuid), **data))
    assert answer.status_code == 302
    one.refresh_from_db()
    assert one.alt_text == "A lake at dawn"


def test_a_chosen_picture_that_is_not_there_yet_keeps_the_old_one_on_the_page(
    client: Client,
) -> None:
    old = saved(alt_text="The old lake")
    hero = place(image=old)
    one, two = GeneratedImage.objects.generate_many([{"prompt": "A harbour"}] * 2)
    GeneratedImage.objects.filter(pk=two.pk).update(picked=True)
    answer = client.post(f"{PLACES}{hero.pk}/change/", form(image=str(one.uuid)))
    assert answer.status_code == 302
    hero.refresh_from_db()
    assert hero.image == one
    assert ' alt="The old lake" ' in render('{% generated_image_for "home-hero" %}')
    assert list(GeneratedImage.objects.filter(picked=True)) == [one]


def test_a_chain_of_failures_does_not_lead_away_from_the_old_picture(client: Client) -> None:
    old = saved(alt_text="The old lake")
    failed = unfinished(status="draft", replaces=old)
    failed.save()
    hero = place(image=failed)
    client.post(f"{PLACES}{hero.pk}/change/", making())
    hero.refresh_from_db()
    assert hero.image is not None
    assert hero.image.replaces == old
    assert hero.image.picked is False  # the only one of its request: there was nothing to pick
