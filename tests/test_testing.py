"""The pytest plugin: what a site's own tests say, and what they are told when they are wrong."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from django.db import transaction

from ideogram_django import signals, wakeups
from ideogram_django.models import GeneratedImage
from ideogram_django.simulator import Simulator
from ideogram_django.statuses import ErrorCode, Status
from ideogram_django.testing import Ideogram

pytest_plugins = ["pytester"]


def draw(prompt: str = "A fox", **options: Any) -> GeneratedImage:
    return GeneratedImage.objects.generate(prompt, **options)


def test_a_prompt_is_finished_inside_the_tests_transaction(
    ideogram: Ideogram, ideogram_media: Path
) -> None:
    assert transaction.get_connection().in_atomic_block
    image = draw("A poster that says “Open late”", aspect_ratio="16:9")
    ideogram.finish()

    image.refresh_from_db()
    assert image.status == Status.COMPLETED
    assert Path(image.file.path).is_relative_to(ideogram_media)
    assert [one["width"] for one in image.renditions] == [320, 640]
    ideogram.assert_generated("Open late", times=1, aspect_ratio="16:9", model="ideogram-v4-turbo")
    ideogram.assert_charged(credits=3)
    assert [charge.prompt for charge in ideogram.charges] == [image.prompt]
    assert ideogram.requests[0].path == "/v2/images/generate"


def test_it_works_without_a_surrounding_transaction_too(
    ideogram: Ideogram, transactional_db: None
) -> None:
    assert not transaction.get_connection().in_atomic_block
    image = draw()
    ideogram.finish()
    image.refresh_from_db()
    assert image.status == Status.COMPLETED


@pytest.mark.parametrize("kind", ["", "transactional_db"])
def test_signals_are_sent_once_either_way(
    request: pytest.FixtureRequest, ideogram: Ideogram, kind: str
) -> None:
    if kind:
        request.getfixturevalue(kind)
    heard: list[uuid.UUID] = []

    def completed(image: GeneratedImage, **kwargs: Any) -> None:
        heard.append(image.uuid)

    signals.image_completed.connect(completed)
    try:
        image = draw()
        ideogram.finish()
        ideogram.finish()
    finally:
        signals.image_completed.disconnect(completed)
    assert heard == [image.uuid]


def test_no_queue_is_asked_and_nothing_is_logged_about_it(
    ideogram: Ideogram, transactional_db: None, caplog: pytest.LogCaptureFixture
) -> None:
    assert wakeups.wake() is False
    assert wakeups.worker_count() is None
    draw()
    ideogram.finish()
    assert [record for record in caplog.records if "wakeups" in record.name] == []


def test_a_step_sends_and_does_not_finish(ideogram: Ideogram) -> None:
    image = draw("A fox [forever]")
    ideogram.step()
    image.refresh_from_db()
    assert image.status == Status.SUBMITTED


def test_a_picture_that_never_ends_fails_the_test_with_its_name(ideogram: Ideogram) -> None:
    draw("A fox [forever]")
    with pytest.raises(
        pytest.fail.Exception, match=r"'A fox \[forever\]' is (submitted|processing)"
    ):
        ideogram.finish()


def test_an_empty_account_is_told(ideogram: Ideogram) -> None:
    ideogram.credits = 2
    image = draw()
    with pytest.raises(pytest.fail.Exception, match="not enough credits"):
        ideogram.finish()
    image.refresh_from_db()
    assert image.status == Status.PENDING

    ideogram.credits = 50
    ideogram.finish()
    ideogram.assert_charged(credits=3)


@pytest.mark.parametrize(
    ("kind", "code", "credits"),
    [
        ("policy", ErrorCode.REFUSED, 0),
        ("fail", ErrorCode.PROVIDER_FAILED, 0),
        ("hostile", ErrorCode.NOT_A_PICTURE, 3),
    ],
)
def test_failures_can_be_ordered(
    ideogram: Ideogram, kind: str, code: ErrorCode, credits: int
) -> None:
    ideogram.fail_next(kind)
    image = draw()
    ideogram.finish()
    image.refresh_from_db()
    assert (image.status, image.error_code) == (Status.FAILED, code)
    ideogram.assert_charged(credits=credits)


def test_the_next_two_meet_trouble_and_get_through(ideogram: Ideogram) -> None:
    ideogram.fail_next("429", 2)
    images = GeneratedImage.objects.generate_many([{"prompt": "A fox"}] * 3)
    ideogram.finish()
    assert GeneratedImage.objects.completed().count() == len(images)
    ideogram.assert_generated("A fox", times=3)


def test_an_unknown_fault_is_an_error(ideogram: Ideogram) -> None:
    with pytest.raises(ValueError, match="Unknown fault 'flood'"):
        ideogram.fail_next("flood")


def test_nothing_spent_notices_a_reservation(ideogram: Ideogram) -> None:
    ideogram.assert_nothing_spent()
    GeneratedImage.objects.create(prompt="A draft", model="ideogram-v4-turbo")
    ideogram.assert_nothing_spent()
    draw()
    with pytest.raises(AssertionError, match=r"1 charges are reserved.*ideogram\.finish\(\)"):
        ideogram.assert_nothing_spent()
    ideogram.finish()
    with pytest.raises(AssertionError, match=r"Expected 0 credits .* took 3, the ledger holds 3"):
        ideogram.assert_nothing_spent()


def test_a_wrong_expectation_says_what_was_generated(ideogram: Ideogram) -> None:
    with pytest.raises(AssertionError, match="Nothing was generated"):
        ideogram.assert_generated("A fox")
    draw("A fox", seed=7)
    with pytest.raises(AssertionError, match=r"in progress: 1; was ideogram\.finish\(\) called"):
        ideogram.assert_generated("A fox")
    ideogram.finish()
    with pytest.raises(AssertionError, match=r"Generated were: .*'A fox'.*'seed': 7"):
        ideogram.assert_generated("A fox", seed=8)
    with pytest.raises(AssertionError, match="Expected 2 pictures for 'A fox', found 1"):
        ideogram.assert_generated("A fox", times=2)


def test_the_sites_other_settings_are_kept(settings: Any, request: pytest.FixtureRequest) -> None:
    settings.IDEOGRAM_DJANGO = {"API_KEY": "afk_real", "WIDTHS": [64], "STORAGE": "pictures"}
    settings.STORAGES = {
        **settings.STORAGES,
        "pictures": {"BACKEND": "somewhere.expensive.Bucket"},
    }
    ideogram = request.getfixturevalue("ideogram")
    assert settings.IDEOGRAM_DJANGO["WIDTHS"] == [64]
    assert settings.IDEOGRAM_DJANGO["API_KEY"] == "afk_tests"
    image = draw()
    ideogram.finish()
    image.refresh_from_db()
    assert storages["pictures"].exists(image.file.name)


def test_the_server_alone_needs_no_database(ideogram_server: Simulator) -> None:
    assert ideogram_server.base_url.startswith("http://127.0.0.1:")
    assert ideogram_server.ledger == []


def test_the_plugin_is_imported_before_django_is_configured() -> None:
    script = (
        "import sys, ideogram_django.testing\n"
        "assert 'ideogram_django.models' not in sys.modules\n"
        "from django.conf import settings\n"
        "assert not settings.configured\n"
    )
    environment = {"PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, timeout=60)


SITE = """
SECRET_KEY = "site"
USE_TZ = True
ROOT_URLCONF = "pages"
INSTALLED_APPS = [
    "django.contrib.contenttypes", "django.contrib.auth", "django_rq", "ideogram_django",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
RQ_QUEUES = {"default": {"URL": "redis://redis.invalid:6379/0"}}
IDEOGRAM_DJANGO = {"API_KEY": "afk_real"}
"""

PAGES = """
from django.http import HttpResponse, HttpResponseBadRequest
from django.core.exceptions import ValidationError
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from ideogram_django.models import GeneratedImage


@csrf_exempt
def new_poster(request):
    try:
        image = GeneratedImage.objects.generate(
            f'A poster that says "{request.POST["title"]}"', aspect_ratio="2:3"
        )
    except ValidationError as error:
        return HttpResponseBadRequest(" ".join(error.messages))
    return HttpResponse(image.uuid)


urlpatterns = [
    path("ideogram/", include("ideogram_django.urls")),
    path("posters/new/", new_poster),
]
"""

# A whole test file of a site, as the README shows it.
EXAMPLE = """
from ideogram_django.models import GeneratedImage


def test_a_new_poster_is_made(ideogram, client):
    client.post("/posters/new/", {"title": "Open late"})
    ideogram.finish()  # sends, renders, fetches and stores, in this process

    image = GeneratedImage.objects.get()
    assert image.status == GeneratedImage.Status.COMPLETED
    assert image.file.size > 0
    ideogram.assert_generated("Open late", times=1, aspect_ratio="2:3")
    ideogram.assert_charged(credits=3)


def test_a_refused_poster_costs_nothing(ideogram, client):
    ideogram.fail_next("policy")
    client.post("/posters/new/", {"title": "Open late"})
    ideogram.finish()

    assert GeneratedImage.objects.get().error_code == "refused"
    ideogram.assert_nothing_spent()


def test_a_title_that_is_too_long_is_told(ideogram, client):
    response = client.post("/posters/new/", {"title": "x" * 3000})

    assert response.status_code == 400
    ideogram.assert_nothing_spent()
"""


def test_a_site_uses_it_without_any_configuration(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(site_settings=SITE, pages=PAGES, test_posters=EXAMPLE)
    pytester.makeini(
        "[pytest]\npythonpath = .\ndjango_find_project = false\nfilterwarnings = error\n"
    )
    result = pytester.runpytest_subprocess("--ds=site_settings", timeout=120)
    result.assert_outcomes(passed=3)
    assert "Redis" not in result.stdout.str()
