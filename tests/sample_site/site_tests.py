"""The shop's own tests, with the package's fixtures. Run by tests/test_sample_site.py."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files import File
from django.test import Client, TestCase

from ideogram_django import conf
from ideogram_django.exceptions import InvalidRequest, Problem, RejectedError
from ideogram_django.models import GeneratedImage, Run
from ideogram_django.simulator import Simulator
from ideogram_django.statuses import Status
from ideogram_django.testing import Ideogram
from tests.sample_site import decisions, office, receivers, views
from tests.sample_site.forms import ProductForms
from tests.sample_site.models import Product


@pytest.fixture
def buyer(client: Client, db: None) -> User:
    user = User.objects.create_superuser("buyer", password="buyer")
    client.force_login(user)
    return user


@pytest.fixture(autouse=True)
def quiet() -> None:
    receivers.news.clear()


def test_a_program_has_pictures_made(ideogram: Ideogram, buyer: User, client: Client) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    made = client.post("/pictures/", {"prompt": "A kettle"}, headers=key).json()
    assert made == client.post("/pictures/", {"prompt": "A kettle"}, headers=key).json()
    ideogram.finish()
    ideogram.assert_generated("A kettle", times=1)
    ideogram.assert_charged(credits=3)
    assert receivers.news == ["A kettle is there"]
    assert GeneratedImage.objects.get().extra == {"shop": 1}
    for verb in ("refresh", "variations", "better", "start", "cancel", "retry"):
        assert client.post(f"/pictures/{made['uuid']}/{verb}/").status_code in (200, 400)
    ideogram.finish()
    assert len(client.get("/pictures/").json()["pictures"]) == 4
    image = GeneratedImage.objects.get(uuid=made["uuid"])
    assert views.card(image)["og:image"].endswith(".webp")
    assert "<figure>" in views.shown(image)


def test_a_product_gets_its_photo(ideogram: Ideogram, buyer: User, client: Client) -> None:
    wanted = {"name": "Kettle", "photo-prompt": "A kettle", "photo-make": "on"}
    with TestCase.captureOnCommitCallbacks(execute=True):  # what the fixture ``db`` holds back
        assert client.post("/products/new/", wanted).status_code == 200
    ideogram.finish()
    assert Product.objects.get().photo.status == Status.COMPLETED
    assert "Kettle <figure><img " in client.get("/products/").content.decode()
    assert len(ProductForms(queryset=Product.objects.all()).forms) == 1
    asked = {"poster-prompt": "Sale", "poster-make": "on"}
    assert client.post("/posters/", asked).status_code == 200
    assert client.get("/admin/shop/product/").status_code == 200
    assert "Kettle has a new photo" in receivers.news

    assert office.brought_up_to_date(buyer) == "Nothing to do."
    Product.objects.update(name="Teapot")
    product = Product.objects.get()
    product.photo = office.by_hand(product)
    product.save()
    Product.objects.update(name="Samovar")
    assert office.brought_up_to_date(buyer) == "['Name']: 0.03 USD"


def test_the_office(
    ideogram: Ideogram, buyer: User, ideogram_media: Path, ideogram_server: Simulator
) -> None:
    office.allow(buyer)
    office.house_style()
    assert office.figures().get_sample_value("ideogram_pictures", {"status": "draft"}) == 0
    run = office.catalogue(["A kettle", "A pan"], buyer)
    assert office.running(buyer) == 1
    office.second_thoughts(buyer)
    for _pass in range(10):
        ideogram.step()
    run.refresh_from_db()
    assert run.report().completed == 2
    assert office.outcome(run).startswith("2 of 2 for 0.06")
    assert office.spent() > 0
    assert office.standing()
    picture = GeneratedImage.objects.completed()[0]
    assert Path(picture.file.path).is_relative_to(ideogram_media)
    own = office.take_in(Path(picture.file.path), buyer)
    assert own.uploaded
    assert office.counts()["completed"] == 3
    assert len(ideogram_server.ledger) == 2
    assert Run.objects.count() == 1


def test_what_errors_say() -> None:
    problem = Problem(code="empty", message="Nothing to make.")
    assert office.told(InvalidRequest({"prompt": [problem]})) == "Nothing to make."
    assert office.told(RejectedError("No.", status_code=422)) == "422: No."


@pytest.mark.django_db(transaction=True)
def test_async(ideogram: Ideogram) -> None:
    made = asyncio.run(views.quick(["A cup"]))
    ideogram.finish()
    ideogram.assert_charged(credits=9)
    assert len(made) == 3
    made[0].refresh_from_db()
    with made[0].file.open() as file:
        more = asyncio.run(views.second_thoughts(made[0], File(file)))
    assert [image.uploaded for image in more] == [True, False, False]


def test_the_queue_of_its_own(settings: Any, db: None) -> None:
    dispatcher = "tests.sample_site.decisions.AtOnce"
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "DISPATCHER": dispatcher}
    with TestCase.captureOnCommitCallbacks(execute=True):
        GeneratedImage.objects.generate("A bell")
    assert decisions.AtOnce.knocks == 1
    assert decisions.LONGEST(conf.current()) == 110


def test_at_once(ideogram_instant: Ideogram, buyer: User, client: Client) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    client.post("/pictures/", {"prompt": "A kettle"}, headers=key)
    ideogram_instant.assert_completed(1)
