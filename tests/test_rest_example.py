"""The example of docs/rest.md, run as it stands there."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import clear_url_caches

from ideogram_django.models import Charge, GeneratedImage, SpendingLimit
from ideogram_django.statuses import Status
from ideogram_django.testing import Ideogram
from tests.people import SPEND, VIEW, staff
from tests.shown_files import page, written
from tests.test_as_dict import KEYS, RUN_KEYS

rest = pytest.importorskip(
    "rest_framework.test", reason="Django REST framework is not installed; it is in the test extra"
)

pytestmark = pytest.mark.django_db

PAGE = page("rest.md")
PICTURES = "/api/pictures/"


@pytest.fixture
def site(tmp_path: Path, settings: Any) -> Iterator[None]:
    settings.ROOT_URLCONF = "newsroom.urls"
    clear_url_caches()
    with written("rest.md", tmp_path):
        yield
    clear_url_caches()


@pytest.fixture
def editor() -> User:
    return staff(VIEW, SPEND)


def client_of(user: User | None) -> Any:
    client = rest.APIClient()
    if user is not None:
        client.force_login(user)
    return client


@pytest.fixture
def api(site: None, editor: User) -> Any:
    return client_of(editor)


def make(api: Any, key: str = "one", **wanted: Any) -> Any:
    data = {"prompt": "A fox", **wanted}
    return api.post(PICTURES, data, format="json", headers={"Idempotency-Key": key})


def test_from_a_request_to_a_picture(api: Any, editor: User, ideogram: Ideogram) -> None:
    answer = make(api, aspect_ratio="16:9")
    assert answer.status_code == 202
    assert answer.json()["status"] == "pending"
    ideogram.finish()

    url = f"{PICTURES}{answer.json()['uuid']}/"
    picture = api.get(url).json()
    assert (picture["status"], picture["is_finished"]) == ("completed", True)
    assert picture["url"]
    assert picture["renditions"]
    assert api.get(PICTURES).json() == [picture]
    assert GeneratedImage.objects.get().requested_by == editor
    ideogram.assert_generated("A fox", times=1, aspect_ratio="16:9")


def test_the_same_key_makes_one_picture(api: Any, site: None) -> None:
    first, again = make(api), make(api)
    assert first.json() == again.json()
    assert make(api, key="two").json()["uuid"] != first.json()["uuid"]
    other = make(client_of(staff(SPEND)))  # another person's key is another key
    assert other.status_code == 202
    assert Charge.objects.count() == 3
    answer = make(api, prompt="A hare")
    assert answer.status_code == 400
    assert "another picture" in answer.content.decode()
    assert make(api, key=" ").status_code == 400
    assert Charge.objects.count() == 3


def test_what_is_refused_costs_nothing_and_says_where(api: Any) -> None:
    answer = make(api, model="ideogram-v4-turbo", aspect_ratio="17:1")
    assert answer.status_code == 400
    assert list(answer.json()) == ["aspect_ratio"]
    assert "prompt" in make(api, prompt="").json()
    SpendingLimit.objects.create(amount="0.01")
    answer = make(api)
    assert answer.status_code == 400
    assert answer.data["non_field_errors"][0].code == "over_limit"
    assert Charge.objects.count() == 0


def test_trying_again(api: Any, ideogram: Ideogram) -> None:
    ideogram.fail_next("fail")
    url = f"{PICTURES}{make(api).json()['uuid']}/"
    ideogram.finish()
    failed = api.get(url).json()
    assert failed["error_code"] == "provider_failed"
    assert failed["error_message"]

    assert api.post(f"{url}retry/").status_code == 202
    answer = api.post(f"{url}retry/")
    assert answer.status_code == 400
    assert answer.data["non_field_errors"][0].code == "not_failed"
    ideogram.finish()
    assert api.get(url).json()["status"] == "completed"
    ideogram.assert_charged(credits=3)


def test_a_second_charge_is_agreed_to_first(api: Any, ideogram: Ideogram) -> None:
    ideogram.fail_next("hostile")
    url = f"{PICTURES}{make(api).json()['uuid']}/"
    ideogram.finish()
    GeneratedImage.objects.update(result_url="")
    answer = api.post(f"{url}retry/")
    assert answer.data["non_field_errors"][0].code == "confirm_charge"
    assert "$0.03" in answer.content.decode()
    assert api.post(f"{url}retry/", {"confirm_charge": True}, format="json").status_code == 202
    assert Charge.objects.count() == 2


def test_everybody_sees_and_does_what_they_may(site: None, editor: User) -> None:
    picture = GeneratedImage.objects.generate("A fox", requested_by=editor)
    url = f"{PICTURES}{picture.uuid}/"
    answers = {}
    stranger, reader, maker = staff(), staff(VIEW), staff(SPEND)
    for name, user in {"nobody": None, "s": stranger, "reader": reader, "maker": maker}.items():
        api = client_of(user)
        answers[name] = (
            api.get(PICTURES).status_code,
            api.get(url).status_code,
            make(api).status_code,
            api.post(f"{url}retry/").status_code,
        )
    assert answers == {
        "nobody": (403, 403, 403, 403),
        "s": (200, 404, 403, 403),
        "reader": (200, 200, 403, 403),
        "maker": (200, 404, 202, 404),
    }
    assert client_of(stranger).get(PICTURES).json() == []
    assert GeneratedImage.objects.exclude(pk=picture.pk).get().requested_by == maker
    assert GeneratedImage.objects.get(pk=picture.pk).status == Status.PENDING
    assert client_of(reader).get(f"{PICTURES}{uuid.uuid4()}/").status_code == 404


def test_the_page_lists_every_key() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert set(json.loads(example)) == KEYS
    told = PAGE[PAGE.index("`run.as_dict()`") :]
    assert set(re.findall(r"`(\w+)`", told)) == RUN_KEYS
