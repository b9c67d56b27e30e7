"""A site's own code: two tenants on one site, prices, permissions and file names."""

from __future__ import annotations

import inspect
import json
import re
import uuid
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries

import ideogram_django
from ideogram_django import conf, lifecycle, wording
from ideogram_django.admin import GeneratedImageFieldMixin
from ideogram_django.admin.offers import offers
from ideogram_django.forms import access
from ideogram_django.hooks import Hooks
from ideogram_django.models import (
    Charge,
    GeneratedImage,
    ProfileVersion,
    PromptProfile,
    Run,
    SampleSheet,
    StoredObject,
)
from ideogram_django.querysets import GeneratedImageQuerySet
from ideogram_django.statuses import Status
from ideogram_django.testing import Ideogram
from ideogram_django.widgets import sign_widget
from tests.magazine.forms import ArticleForm
from tests.magazine.models import Article
from tests.people import ADDING, CHANGE, SPEND, VIEW, client_of, staff, text
from tests.shown_files import files, page, written
from tests.test_make import form, picture, png

pytestmark = pytest.mark.django_db

GALLERY = "/admin/ideogram_django/generatedimage/"


def use(settings: Any, hooks: type[Hooks]) -> None:
    settings.IDEOGRAM_DJANGO = {
        **settings.IDEOGRAM_DJANGO,
        "HOOKS": f"{hooks.__module__}.{hooks.__qualname__}",
    }


# --- two tenants ----------------------------------------------------------------------------------


class Tenants(Hooks):
    """People belong to the house that their last name says; the superuser to none."""

    def visible(self, queryset: GeneratedImageQuerySet, user: Any) -> GeneratedImageQuerySet:
        return queryset if user.is_superuser else queryset.filter(extra__tenant=user.last_name)

    def columns(self, user: Any, parent: GeneratedImage | None) -> Mapping[str, Any]:
        if user is not None and user.last_name:
            return {"extra": {"tenant": user.last_name}}
        return {"extra": parent.extra} if parent is not None else {}


@pytest.fixture
def tenants(settings: Any) -> None:
    use(settings, Tenants)


def person(tenant: str, *rights: str) -> User:
    user = staff(*(rights or (VIEW, CHANGE, ADDING, SPEND, "delete_generatedimage")))
    user.last_name = tenant
    user.save()
    return user


@pytest.fixture
def red(tenants: None) -> User:
    return person("red")


@pytest.fixture
def blue(tenants: None) -> User:
    return person("blue")


@pytest.fixture
def browser(red: User) -> Client:
    return client_of(red)


def of(user: User, prompt: str, **columns: Any) -> GeneratedImage:
    """A finished picture that this person asked for."""
    image = picture(prompt=prompt)
    made = GeneratedImage.objects.generate(prompt, requested_by=user)
    GeneratedImage.objects.filter(pk=made.pk).update(
        status=Status.COMPLETED, file=image.file.name, width=640, height=480, **columns
    )
    GeneratedImage.objects.filter(pk=image.pk).delete()
    made.refresh_from_db()
    return made


@pytest.fixture
def mine(red: User) -> GeneratedImage:
    return of(red, "A red barn")


@pytest.fixture
def theirs(blue: User) -> GeneratedImage:
    return of(blue, "A blue boat", batch=uuid.uuid4())


def test_the_gallery_shows_each_house_its_own(
    browser: Client, mine: GeneratedImage, theirs: GeneratedImage, admin_client: Client
) -> None:
    body = text(browser.get(GALLERY))
    assert "A red barn" in body
    assert "A blue boat" not in body
    assert "A blue boat" not in text(browser.get(GALLERY, {"q": "boat"}))
    body = text(admin_client.get(GALLERY))
    assert "A red barn" in body
    assert "A blue boat" in body


def test_no_page_of_a_picture_of_the_other_house(browser: Client, theirs: GeneratedImage) -> None:
    assert browser.get(f"{GALLERY}{theirs.pk}/change/").status_code == 302
    assert browser.get(f"{GALLERY}{theirs.pk}/delete/").status_code == 302
    assert browser.get(f"{GALLERY}{theirs.pk}/history/").status_code == 302
    assert browser.get(f"{GALLERY}sheet/{theirs.batch}/").status_code == 404
    for step in ("pick", "variations", "again:ideogram-v4-quality"):
        data = {"step": step, "request_id": str(uuid.uuid4())}
        assert browser.post(f"{GALLERY}{theirs.pk}/step/", data).status_code == 404
    assert GeneratedImage.objects.count() == 1


def test_no_action_on_a_picture_of_the_other_house(
    browser: Client, mine: GeneratedImage, theirs: GeneratedImage
) -> None:
    data = {"action": "make_variations", "_selected_action": [mine.pk, theirs.pk]}
    page = browser.post(GALLERY, data, follow=True)
    assert [image.pk for image, _requests, _price in page.context["plan"].rows] == [mine.pk]


def test_the_dialog_and_the_status_show_each_house_its_own(
    browser: Client, mine: GeneratedImage, theirs: GeneratedImage
) -> None:
    body = text(browser.get("/ideogram/choose/"))
    assert str(mine.uuid) in body
    assert str(theirs.uuid) not in body

    def seen(client: Client, **query: str) -> set[str]:
        ids = f"{mine.uuid},{theirs.uuid}"
        answer = client.get("/ideogram/status/", {"ids": ids, **query}).json()
        return {one["uuid"] for one in answer["images"]}

    assert seen(browser) == {str(mine.uuid)}
    token = sign_widget([theirs.uuid])
    assert seen(browser, token=token) == {str(mine.uuid), str(theirs.uuid)}
    assert seen(Client(), token=token) == {str(theirs.uuid)}


def test_a_form_takes_only_what_its_house_has(
    red: User, mine: GeneratedImage, theirs: GeneratedImage
) -> None:
    for reference in (str(theirs.uuid), str(theirs.pk)):
        form = ArticleForm({"title": "A", "hero": reference}, user=red)
        assert form.errors["hero"] == ["There is no such picture, or you may not use it."]
    assert ArticleForm({"title": "A", "hero": str(mine.uuid)}, user=red).is_valid()


def test_a_number_typed_into_a_raw_field_is_judged_as_well(
    red: User, mine: GeneratedImage, theirs: GeneratedImage
) -> None:
    class Raw(GeneratedImageFieldMixin, admin.ModelAdmin):  # type: ignore[type-arg]
        raw_id_fields = ["hero"]

    request = RequestFactory().get("/")
    request.user = red
    form_class = Raw(Article, admin.site).get_form(request)
    assert "hero" in form_class({"title": "A", "hero": theirs.pk}).errors
    assert "hero" not in form_class({"title": "A", "hero": mine.pk}).errors


def test_references_are_of_the_own_house(
    browser: Client, mine: GeneratedImage, theirs: GeneratedImage
) -> None:
    before = GeneratedImage.objects.count()
    response = browser.post(f"{GALLERY}add/", form(reference_image=str(theirs.uuid)))
    assert "There is no finished picture with the id" in text(response)
    assert GeneratedImage.objects.count() == before
    browser.post(f"{GALLERY}add/", form(reference_image=str(mine.uuid)))
    assert GeneratedImage.objects.count() == before + 1
    assert "A blue boat" not in text(browser.get(f"{GALLERY}add/", {"like": theirs.uuid}))
    assert "A red barn" in text(browser.get(f"{GALLERY}add/", {"like": mine.uuid}))


def test_the_samples_of_a_profile_are_of_the_own_house(
    browser: Client, red: User, mine: GeneratedImage, theirs: GeneratedImage
) -> None:
    red.user_permissions.add(Permission.objects.get(codename="view_promptprofile"))
    profile = PromptProfile.objects.create(name="season")
    version = ProfileVersion.objects.create(profile=profile, number=1, suffix="Linocut.")
    batch = uuid.uuid4()
    SampleSheet.objects.create(version=version, batch=batch)
    columns = {"batch": batch, "profile": "season", "profile_version": 1}
    GeneratedImage.objects.filter(pk__in=[mine.pk, theirs.pk]).update(**columns)
    page = browser.get(f"/admin/ideogram_django/promptprofile/{profile.pk}/change/")
    newest = page.context["history"].newest
    assert [shown.image for shown in newest.pictures] == [mine]
    assert newest.count == 1


def test_what_is_made_belongs_to_the_house_of_who_asked(red: User, browser: Client) -> None:
    browser.post(f"{GALLERY}add/", form(count="2"))
    browser.post(f"{GALLERY}add/", {**form(), "_save_draft": ""})
    browser.post(f"{GALLERY}add/", form(**{"reference_image-upload": png()}))
    GeneratedImage.objects.from_upload(png("teal"), requested_by=red)
    Run.objects.prepare([{"prompt": "A fox"}], name="Foxes", requested_by=red)
    assert GeneratedImage.objects.filter(uploaded=True).count() == 2
    assert {str(one.extra) for one in GeneratedImage.objects.all()} == {"{'tenant': 'red'}"}


def test_somebody_of_no_house_leaves_a_picture_where_it_is(
    mine: GeneratedImage, admin_client: Client
) -> None:
    data = {"step": "again:ideogram-v4-quality", "request_id": str(uuid.uuid4())}
    admin_client.post(f"{GALLERY}{mine.pk}/step/", data)
    final = GeneratedImage.objects.get(parent=mine)
    assert final.extra == {"tenant": "red"}


def test_the_callers_columns_come_first(red: User) -> None:
    image = GeneratedImage.objects.generate(
        "A fox", requested_by=red, extra={"tenant": "green", "desk": 7}
    )
    assert image.extra == {"tenant": "green", "desk": 7}
    image = GeneratedImage.objects.generate("A fox", requested_by=red, extra={"desk": 7})
    assert image.extra == {"tenant": "red", "desk": 7}


def test_a_run_with_hidden_pictures_is_hidden_with_them(red: User, blue: User) -> None:
    rights = Permission.objects.get(codename="view_run")
    for user in (red, blue):
        user.user_permissions.add(rights)
    runs = {
        user: Run.objects.prepare(
            [{"prompt": f"Secret of {user.last_name}"}], name=user.last_name, requested_by=user
        )
        for user in (red, blue)
    }
    for user, other in ((red, blue), (blue, red)):
        browser = client_of(user)
        body = text(browser.get("/admin/ideogram_django/run/"))
        assert f"{runs[user].pk}/change/" in body
        assert f"{runs[other].pk}/change/" not in body
        for name in ("change", "report", "proposals", "stop", "step"):
            url = f"/admin/ideogram_django/run/{runs[other].pk}/{name}/"
            answer = browser.post(url) if name == "step" else browser.get(url, follow=True)
            assert b"Secret of" not in b"".join(answer)
        asked = browser.get(f"/ideogram/status/?ids={runs[other].uuid}")
        assert str(runs[other].uuid) not in asked.content.decode()
    assert set(Run.objects.all().viewable_by(staff("view_run"))) == set()
    chief = User.objects.create_superuser("chief")
    assert Run.objects.all().viewable_by(chief).count() == 2
    runs[red].images.all().delete()
    assert runs[red] not in Run.objects.all().viewable_by(blue)
    assert runs[red] in Run.objects.all().viewable_by(red)


class WrongColumns(Hooks):
    def columns(self, user: Any, parent: GeneratedImage | None) -> Mapping[str, Any]:
        return {"status": "completed"}


def test_a_column_that_nobody_may_set(settings: Any) -> None:
    use(settings, WrongColumns)
    with pytest.raises(TypeError, match="status"):
        GeneratedImage.objects.generate("A fox")
    assert Charge.objects.count() == 0


def test_what_is_hidden_is_asked_for_once(
    red: User,
    mine: GeneratedImage,
    theirs: GeneratedImage,
    settings: Any,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    red.has_perm("any")  # fetched once for a request
    with django_assert_num_queries(1):
        assert access.shown_to(red, [mine, None, theirs]) == [mine]
    use(settings, Hooks)
    with django_assert_num_queries(0):
        assert access.shown_to(red, [mine, None, theirs]) == [mine, theirs]


def test_the_verb_of_the_queryset(red: User, mine: GeneratedImage, theirs: GeneratedImage) -> None:
    pictures = GeneratedImage.objects.all()
    assert list(pictures.visible_to(red)) == [mine]
    reader = person("red", ADDING)
    assert list(pictures.visible_to(reader)) == []  # may see only what they asked for
    assert list(pictures.visible_to(mine.requested_by)) == [mine]
    assert list(pictures.visible_to(AnonymousUser())) == []
    assert list(pictures.visible_to(None)) == []


# --- prices ---------------------------------------------------------------------------------------


class Prices(Hooks):
    """Two credits of ours on every picture; Quality is not sold, and v3 is."""

    def credits(self, model: str, rendering_speed: str, credits: int | None) -> int | None:
        if model == "ideogram-v4-quality":
            return None
        if model == "ideogram-v3-turbo":
            return 8 if rendering_speed == "quality" else 4
        return None if credits is None else credits + 2


@pytest.fixture
def prices(settings: Any) -> None:
    use(settings, Prices)


def test_the_price_is_reserved(prices: None) -> None:
    image = GeneratedImage.objects.generate("A fox")
    assert image.price == image.charge.expected == Decimal("0.05")
    assert image.charge.expected_credits == 5
    quick = GeneratedImage.objects.generate("A fox", model="ideogram-v3-turbo")
    slow = GeneratedImage.objects.generate(
        "A fox", model="ideogram-v3-turbo", rendering_speed="quality"
    )
    assert (quick.price, slow.price) == (Decimal("0.04"), Decimal("0.08"))


def test_what_is_not_offered_cannot_be_had(prices: None) -> None:
    with pytest.raises(ValidationError, match="is not offered"):
        GeneratedImage.objects.generate("A fox", model="ideogram-v4-quality")
    assert "ideogram-v4-quality" not in [offer.model.id for offer in offers()]
    assert Charge.objects.count() == 0


def shown(response: Any) -> set[str]:
    """Every amount of money on a page."""
    return set(re.findall(r"\$[0-9.]+[0-9]", text(response)))


def test_the_price_stands_wherever_one_is_shown(prices: None) -> None:
    editor = staff(VIEW, CHANGE, ADDING, SPEND, "change_article", "view_article")
    browser = client_of(editor)
    page = browser.get(f"{GALLERY}add/")
    assert "Make 4 drafts · $0.20" in text(page)
    assert "ideogram-v4-quality" not in text(page)

    image = picture()  # Turbo; there is no Quality to go on with
    assert shown(browser.get(f"{GALLERY}{image.pk}/change/")) == {"$0.05", "$0.08", "$0.20"}
    data = {"action": "make_variations", "_selected_action": [image.pk]}
    assert shown(browser.post(GALLERY, data, follow=True)) == {"$0.20"}
    draft = GeneratedImage.objects.create(prompt="A fox", model="ideogram-v4-turbo")
    assert shown(browser.get(f"{GALLERY}{draft.pk}/change/")) >= {"$0.05", "$0.20"}

    article = Article.objects.create(title="Open late")
    page = browser.get(f"/admin/magazine/article/{article.pk}/change/")
    assert shown(page) >= {"$0.05", "$0.20"}
    assert "$0.03" not in text(page)
    data = {"action": "generate_images", "_selected_action": [article.pk]}
    assert shown(browser.post("/admin/magazine/article/", data, follow=True)) == {"$0.05"}


def test_a_run_keeps_to_the_price(prices: None) -> None:
    run = Run.objects.prepare([{"prompt": "A fox"}] * 3, name="Foxes")
    assert run.report().to_come == Decimal("0.15")


def test_a_price_that_changes_is_the_one_of_the_day(prices: None, settings: Any) -> None:
    draft = lifecycle.draft_many(GeneratedImage.objects.all(), [{"prompt": "A fox"}])[0]
    assert draft.price == Decimal("0.05")
    use(settings, Hooks)
    draft.generate()
    assert draft.price == draft.charge.expected == Decimal("0.03")


class BadPrices(Hooks):
    def credits(self, model: str, rendering_speed: str, credits: int | None) -> Any:
        return -1


def test_an_impossible_price_offers_nothing(settings: Any) -> None:
    use(settings, BadPrices)
    assert offers() == []


# --- permissions ----------------------------------------------------------------------------------


class ByAddress(Hooks):
    """Nobody has Django's permissions here: a local part of an address says what one may."""

    def may(self, user: Any, verb: str) -> bool:
        return bool(user is not None and user.is_active and verb in getattr(user, "email", ""))


@pytest.fixture
def by_address(settings: Any) -> None:
    use(settings, ByAddress)


def addressed(*verbs: str) -> Client:
    user = staff()
    user.email = "-".join(verbs)
    user.save()
    return client_of(user)


def test_the_hook_lets_in_whom_django_does_not_know(by_address: None) -> None:
    browser = addressed("view", "change", "add", "generate", "delete")
    assert "ideogram_django/generatedimage" in text(browser.get("/admin/"))
    assert browser.get(GALLERY).status_code == 200
    browser.post(f"{GALLERY}add/", form())
    image = GeneratedImage.objects.get()
    assert image.status == Status.PENDING
    assert browser.get(f"/ideogram/status/?ids={image.uuid}").status_code == 200
    image.cancel()
    assert browser.get(f"{GALLERY}{image.pk}/delete/").status_code == 200


@pytest.mark.parametrize(
    ("verbs", "answers"),
    [
        ((), (403, 403, 403, 403)),
        (("view",), (200, 403, 403, 200)),
        (("add",), (403, 200, 403, 403)),
        (("view", "add"), (200, 200, 403, 200)),
        (("view", "add", "generate"), (200, 200, 302, 200)),
    ],
)
def test_each_verb_opens_its_own_door(
    by_address: None, verbs: tuple[str, ...], answers: tuple[int, ...]
) -> None:
    browser = addressed(*verbs)
    assert (
        browser.get(GALLERY).status_code,
        browser.get(f"{GALLERY}add/").status_code,
        browser.post(f"{GALLERY}add/", form()).status_code,
        browser.get(f"/ideogram/status/?ids={uuid.uuid4()}").status_code,
    ) == answers


def test_the_hook_keeps_out_whom_django_would_let_in(by_address: None) -> None:
    user = staff(VIEW, CHANGE, ADDING, SPEND)
    browser = client_of(user)
    assert browser.get(GALLERY).status_code == 403
    assert "ideogram_django/generatedimage" not in text(browser.get("/admin/"))
    data = {
        "title": "A",
        "hero-prompt": "A fox",
        "hero-make": "1",
        "hero-request": str(uuid.uuid4()),
    }
    form = ArticleForm(data, user=user)
    assert form.errors["hero"] == ["You may not have pictures made."]


def test_nobody_is_asked_past_the_hooks() -> None:
    """Django's permissions on pictures stand in one place."""
    package = Path(ideogram_django.__file__).parent
    asking = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"has_perm\([^)]*_generatedimage", path.read_text())
        and path.name != "hooks.py"
    }
    assert asking == set()


# --- file names -----------------------------------------------------------------------------------


class Names(Hooks):
    def file_name(self, image: GeneratedImage, filename: str) -> str:
        return f"press/{image.prompt.lower().replace(' ', '-') or 'own'}.png"


class NamesByTenant(Hooks):
    def file_name(self, image: GeneratedImage, filename: str) -> str:
        return {"boom": 1 / 0}["boom"] if image.prompt == "raise" else image.prompt


def test_files_lie_where_the_site_wants_them(ideogram: Ideogram, settings: Any) -> None:
    use(settings, Names)
    first, second = GeneratedImage.objects.generate_many([{"prompt": "Open late"}] * 2)
    own = GeneratedImage.objects.from_upload(png())
    ideogram.finish()
    for image in (first, second):
        image.refresh_from_db()
        assert re.fullmatch(r"press/open-late-[0-9a-f]{12}\.png", image.file.name)
        assert {Path(one["name"]).parent.name for one in image.renditions} <= {"press"}
    assert re.fullmatch(r"press/own-[0-9a-f]{12}\.png", own.file.name)
    assert first.file.name != second.file.name
    assert StoredObject.objects.filter(linked_at=None).count() == 0


@pytest.mark.parametrize(
    ("prompt", "logged"),
    [
        ("raise", True),
        ("/etc/passwd", True),
        ("../outside", True),
        ("x" * 200, True),
        (" ", True),
        ("v1.2 of the poster", False),
    ],
)
def test_a_name_that_cannot_be_costs_no_picture(
    ideogram: Ideogram, settings: Any, caplog: Any, prompt: str, logged: bool
) -> None:
    use(settings, NamesByTenant)
    image = GeneratedImage.objects.generate("A fox")
    GeneratedImage.objects.update(prompt=prompt)
    ideogram.finish()
    image.refresh_from_db()
    assert image.status == Status.COMPLETED
    assert ("no usable file name" in caplog.text) is logged
    expected = (
        r"ideogram/\d{4}/\d\d/[0-9a-f]{32}\.png" if logged else r"v1\.2 of the poster-\w+\.png"
    )
    assert re.fullmatch(expected, image.file.name)


# --- the documentation ----------------------------------------------------------------------------


def test_the_page_names_every_hook() -> None:
    rows = re.findall(r"^\| `(\w+)\((.*?)\)` \|", page("hooks.md"), re.MULTILINE)
    hooks = {
        name: list(inspect.signature(hook).parameters)[1:]
        for name, hook in vars(Hooks).items()
        if inspect.isfunction(hook)
    }
    assert {name: arguments.split(", ") for name, arguments in rows} == hooks


def test_the_hooks_of_the_page(
    tmp_path: Path, settings: Any, ideogram: Ideogram, rf: RequestFactory
) -> None:
    with written("hooks.md", tmp_path):
        exec(files("hooks.md")["settings.py"], {"IDEOGRAM_DJANGO": settings.IDEOGRAM_DJANGO})  # noqa: S102
        houses = [Group.objects.create(name=name) for name in ("north", "south")]
        people = [staff(VIEW, SPEND) for _house in houses]
        for user, house in zip(people, houses, strict=True):
            user.groups.add(house)
        north, south = (
            GeneratedImage.objects.generate(f"A fox of {user}", requested_by=user)
            for user in people
        )
        ideogram.finish()
        north.refresh_from_db()
        assert north.price == Decimal("0.04")
        assert north.file.name.startswith(f"house-{houses[0].pk}/a-fox-of-{people[0]}-")
        assert [image.pk for image in GeneratedImage.objects.all().visible_to(people[1])] == [
            south.pk
        ]
        assert north.variations(1, requested_by=None)[0].extra == north.extra
        assert not access.may(staff(VIEW, SPEND), "generate")
        assert access.may(people[0], "generate")
        with pytest.raises(ValidationError, match="not known"):
            north.rerender(model="ideogram-v4-quality")

        from newsroom.views import newest  # type: ignore[import-not-found]

        request = rf.get("/")
        request.user = people[0]
        told = json.loads(newest(request).content)["pictures"]
        assert {one["prompt"] for one in told} == {f"A fox of {people[0]}"}
        request.user = staff()
        with pytest.raises(PermissionDenied):
            newest(request)


# --- the setting ----------------------------------------------------------------------------------


def test_the_defaults_change_nothing() -> None:
    image = GeneratedImage(prompt="A fox")
    assert Hooks().credits("ideogram-v4-turbo", "", 3) == 3
    assert Hooks().columns(None, None) == {}
    assert re.fullmatch(r"ideogram/\d{4}/\d\d/[0-9a-f]{32}\.png", Hooks().file_name(image, "a.png"))
    assert not Hooks().may(None, "view")
    assert not Hooks().may(AnonymousUser(), "view")
    assert f"{Hooks.__module__}.{Hooks.__qualname__}" == conf.AppSettings().HOOKS
    assert wording.money(Decimal("0.03"), "USD") == "$0.03"
