"""True progress while somebody looks on, and not one question to the provider when nobody does."""

from __future__ import annotations

import json
import urllib.request
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.db.models import F
from django.test import Client

from ideogram_django import conf, wakeups
from ideogram_django.drains import provider
from ideogram_django.lifecycle import watching
from ideogram_django.models import Charge, GeneratedImage, ProviderState
from ideogram_django.simulator import Simulator
from ideogram_django.statuses import Status
from ideogram_django.widgets import sign_widget
from tests.drain import FAST, configured, drain, drain_until, twin
from tests.site import Site, wait_until

__all__ = ["twin"]

STATUS = "/ideogram/status/"
PATIENT = {"POLL_INTERVAL": 600, "FIRST_POLL_WITH_WEBHOOK": 6000}
"""Nothing falls due by itself while a test runs; its pictures are aged by :func:`passed`."""


@pytest.fixture(autouse=True)
def _no_estimates_from_before() -> None:
    cache.clear()


@pytest.fixture
def prompt() -> str:
    return "A fox [forever]"


@pytest.fixture
def watched(twin: Simulator, settings: Any, prompt: str) -> GeneratedImage:
    """A picture that the provider has and will not finish, on a site that expects a webhook."""
    settings.IDEOGRAM_DJANGO = {
        **settings.IDEOGRAM_DJANGO,
        **PATIENT,
        "WEBHOOK_BASE_URL": "http://127.0.0.1:9",
    }
    GeneratedImage.objects.generate(prompt)
    drain_until(GeneratedImage.objects.filter(status=Status.SUBMITTED).exists, hurry=False)
    return GeneratedImage.objects.get()


@pytest.fixture
def viewer(client: Client, transactional_db: None) -> Client:
    client.force_login(User.objects.create_superuser("editor"))
    return client


@pytest.fixture
def queue(redis_server: str, settings: Any) -> str:
    """A real Redis or Valkey with a queue of this test's own."""
    name = f"watching-{uuid.uuid4().hex[:8]}"
    settings.RQ_QUEUES = {name: {"URL": redis_server}}
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "QUEUE": name}
    return name


def ask(client: Client, *images: GeneratedImage) -> list[dict[str, Any]]:
    answer = client.get(STATUS, {"ids": ",".join(str(image.uuid) for image in images)})
    assert answer.status_code == 200
    return list(answer.json()["images"])


def passed(seconds: float) -> None:
    """So much time goes by for every picture."""
    ago = timedelta(seconds=seconds)
    GeneratedImage.objects.update(
        submitted_at=F("submitted_at") - ago, next_check_at=F("next_check_at") - ago
    )


def polls(simulator: Simulator) -> int:
    return sum(request.path.startswith("/v2/jobs") for request in simulator.requests)


def next_check(image: GeneratedImage) -> float:
    """Seconds from the sending to the next look."""
    image.refresh_from_db()
    assert image.submitted_at is not None
    assert image.next_check_at is not None
    return (image.next_check_at - image.submitted_at).total_seconds()


def test_nobody_looks_so_nobody_asks(watched: GeneratedImage, twin: Simulator) -> None:
    passed(5000)
    drain()
    assert polls(twin) == 0
    passed(1000)
    drain()
    assert polls(twin) == 1


def test_somebody_looks_so_the_provider_is_asked(
    watched: GeneratedImage, twin: Simulator, viewer: Client
) -> None:
    ask(viewer, watched)
    assert next_check(watched) == pytest.approx(600, abs=1)
    passed(600)
    twin.advance(5)  # it is at work
    drain()
    assert polls(twin) == 1
    assert ask(viewer, watched)[0]["progress"] == 45


def test_looks_cause_no_more_than_one_poll_an_interval(
    watched: GeneratedImage, twin: Simulator, viewer: Client
) -> None:
    for _interval in range(3):
        passed(601)
        for _look in range(5):
            ask(viewer, watched)
            drain()
    assert polls(twin) == 3


def test_the_back_stop_returns_when_nobody_looks_any_more(
    watched: GeneratedImage, twin: Simulator, viewer: Client
) -> None:
    passed(601)
    ask(viewer, watched)
    drain()
    assert polls(twin) == 1
    assert next_check(watched) == pytest.approx(6000, abs=1)
    passed(5000)
    drain()
    assert polls(twin) == 1


def test_a_second_look_does_not_put_the_poll_off(watched: GeneratedImage, viewer: Client) -> None:
    ask(viewer, watched)
    first = next_check(watched)
    ask(viewer, watched)
    assert next_check(watched) == first


def test_a_webhook_that_proved_nothing_keeps_the_questions_coming(
    watched: GeneratedImage, twin: Simulator
) -> None:
    GeneratedImage.objects.update(job_hint=watched.job_id, next_check_at=F("created_at"))
    drain()
    assert polls(twin) == 1
    assert next_check(watched) < 700


@pytest.mark.parametrize("prompt", ["A fox [forever] [poll-503]"])
def test_a_failed_poll_keeps_its_back_off(
    watched: GeneratedImage, twin: Simulator, viewer: Client, settings: Any
) -> None:
    GeneratedImage.objects.update(checks=4, next_check_at=F("created_at"))
    with configured(settings, POLL_INTERVAL=1):
        drain()
        assert polls(twin) == 1
        before = next_check(watched)
        assert before > 10  # 32 seconds after the fifth vain try
        ask(viewer, watched)
        assert next_check(watched) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"status": Status.FETCHING},
        {"status": Status.SUBMITTING},
        {"status": Status.COMPLETED},
        {"status": Status.FAILED, "error_code": "gave_up"},
    ],
    ids=["fetching", "submitting", "completed", "failed"],
)
def test_only_what_the_provider_is_making_is_brought_forward(
    watched: GeneratedImage, viewer: Client, changes: dict[str, Any]
) -> None:
    GeneratedImage.objects.update(**changes)
    before = next_check(watched)
    ask(viewer, watched)
    assert next_check(watched) == before


def test_a_row_in_somebodys_hands_is_left_alone(watched: GeneratedImage, viewer: Client) -> None:
    GeneratedImage.objects.update(
        claim=uuid.uuid4(), lease_until=F("created_at") + timedelta(hours=1)
    )
    before = next_check(watched)
    ask(viewer, watched)
    assert next_check(watched) == before


def test_an_old_picture_is_asked_about_by_its_age(
    watched: GeneratedImage, twin: Simulator, viewer: Client, settings: Any
) -> None:
    with configured(settings, POLL_INTERVAL=1, FIRST_POLL_WITH_WEBHOOK=60):
        passed(6100)
        drain()
        assert polls(twin) == 1
        before = next_check(watched)
        assert before == pytest.approx(6100 + 300, abs=2)
        ask(viewer, watched)
        assert next_check(watched) == before


@pytest.mark.parametrize(
    "meanwhile",
    [
        {"lease_until": F("created_at") + timedelta(hours=1)},
        {"status": Status.FETCHING},
        {"next_check_at": F("created_at")},
    ],
    ids=["claimed", "told by a webhook", "brought forward"],
)
def test_what_happened_since_the_row_was_read_stands(
    watched: GeneratedImage, meanwhile: dict[str, Any]
) -> None:
    GeneratedImage.objects.update(**meanwhile)
    as_it_is = GeneratedImage.objects.values().get()
    watching.watch(GeneratedImage.objects.all(), [watched], conf.current())
    assert GeneratedImage.objects.values().get() == as_it_is


def test_looking_changes_neither_status_nor_money(watched: GeneratedImage, viewer: Client) -> None:
    def facts() -> tuple[Any, ...]:
        columns = GeneratedImage.objects.values().get()
        columns.pop("next_check_at")
        return columns, Charge.objects.values().get(), ProviderState.objects.values().get()

    before = facts()
    for _look in range(3):
        ask(viewer, watched)
    assert facts() == before


def test_the_holder_of_a_forms_token_may_watch_its_own_picture_alone(
    watched: GeneratedImage, client: Client
) -> None:
    before = next_check(watched)
    other = GeneratedImage.objects.create(prompt="Another", status=Status.DRAFT)
    for token in (sign_widget([str(other.uuid)]), "forged"):
        client.get(STATUS, {"ids": str(watched.uuid), "token": token})
        assert next_check(watched) == before
    client.get(STATUS, {"ids": str(watched.uuid), "token": sign_widget([str(watched.uuid)])})
    assert next_check(watched) < before


# --- the knock ----------------------------------------------------------------------------------


@pytest.mark.redis
def test_a_worker_is_woken_once_there_is_something_to_ask(
    watched: GeneratedImage, viewer: Client, queue: str
) -> None:
    ask(viewer, watched)
    assert wakeups.waiting() == 0
    passed(600)
    for _look in range(3):
        ask(viewer, watched)
    assert wakeups.waiting() == 1


@pytest.mark.redis
def test_a_first_look_that_comes_late_wakes_at_once(
    watched: GeneratedImage, viewer: Client, queue: str
) -> None:
    passed(1000)
    ask(viewer, watched)
    assert wakeups.waiting() == 1


@pytest.mark.redis
def test_nobody_is_woken_for_a_row_in_somebodys_hands(
    watched: GeneratedImage, viewer: Client, queue: str
) -> None:
    passed(6000)
    GeneratedImage.objects.update(lease_until=F("created_at") + timedelta(hours=1))
    ask(viewer, watched)
    assert wakeups.waiting() == 0


@pytest.mark.redis
def test_nobody_is_woken_while_the_provider_may_not_be_asked(
    watched: GeneratedImage, viewer: Client, queue: str
) -> None:
    provider.hold_off(60)
    passed(1000)
    ask(viewer, watched)
    assert wakeups.waiting() == 0


def test_redis_away_costs_no_error(
    watched: GeneratedImage, viewer: Client, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.RQ_QUEUES = {"default": {"URL": "redis://127.0.0.1:1/0"}}
    passed(1000)
    assert ask(viewer, watched)[0]["status"] == "submitted"
    assert "No worker could be woken" in caplog.text


# --- what a look costs --------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 100])
@pytest.mark.parametrize(
    ("kind", "queries"),
    [("finished", 3), ("resting", 3), ("to bring forward", 4), ("due", 4), ("waiting", 4)],
)
def test_a_look_at_a_hundred_costs_what_a_look_at_one_does(
    count: int,
    kind: str,
    queries: int,
    viewer: Client,
    settings: Any,
    django_assert_num_queries: Callable[[int], Any],
) -> None:
    """Session, user, pictures; and one more for what there is to do or to say."""
    settings.IDEOGRAM_DJANGO = {**FAST, "WEBHOOK_BASE_URL": "http://127.0.0.1:9", **PATIENT}
    images = GeneratedImage.objects.generate_many([{"prompt": "A fox"}] * count)
    provider.state()
    if kind != "waiting":
        GeneratedImage.objects.update(
            status=Status.COMPLETED if kind == "finished" else Status.PROCESSING,
            submitted_at=F("created_at"),
            next_check_at=None if kind == "finished" else F("created_at") + timedelta(seconds=6000),
        )
    if kind == "resting":
        ask(viewer, *images)
    if kind == "due":
        GeneratedImage.objects.update(checks=1)
        passed(6000)
    ask(viewer)  # the estimates are a minute old at most, and kept for all
    cache.set("ideogram_django:typical_seconds", {})
    with django_assert_num_queries(queries):
        assert len(ask(viewer, *images)) == count


def test_an_editor_costs_two_questions_more_for_the_permission(
    watched: GeneratedImage, client: Client, django_assert_num_queries: Callable[[int], Any]
) -> None:
    editor = User.objects.create_user("editor", is_staff=True)
    editor.user_permissions.add(Permission.objects.get(codename="view_generatedimage"))
    client.force_login(editor)
    ask(client, watched)
    with django_assert_num_queries(5):
        ask(client, watched)


# --- with everything real -----------------------------------------------------------------------


def over_http(site: Site, image: GeneratedImage, session: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{site.base_url}{STATUS}?ids={image.uuid}", headers={"Cookie": f"sessionid={session}"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return dict(json.load(answer)["images"][0])


@pytest.mark.redis
@pytest.mark.parametrize("webhooks", [True])
@pytest.mark.parametrize("simulator_options", [{"seconds_per_job": 1000}])
def test_progress_grows_while_asked_and_no_poll_is_made_when_nobody_asks(
    site: Site, simulator: Simulator
) -> None:
    site.start_web()
    site.start_worker()
    client = Client()
    client.force_login(User.objects.create_superuser("editor"))
    session = client.cookies["sessionid"].value
    image = GeneratedImage.objects.generate("A fox in the snow")
    wait_until(lambda: len(simulator.ledger) == 1, tell=site.describe)

    for percent in (20, 45, 80):
        simulator.advance(1000 * percent / 100 - progress_of(simulator) * 10)

        def shown(at_least: int = percent) -> bool:
            told = over_http(site, image, session)
            return told["status"] == "processing" and (told["progress"] or 0) >= at_least

        wait_until(shown, tell=site.describe)

    # Nobody asks any more. Another picture shows that the worker is still at work.
    def settled() -> bool:
        image.refresh_from_db()
        return image.claim is None

    wait_until(settled, tell=site.describe)
    before = polls(simulator)
    for number in range(3):
        other = GeneratedImage.objects.generate(f"Fox {number}")
        wait_until(lambda number=number: len(simulator.ledger) == number + 2, tell=site.describe)
        simulator.finish(str(simulator.ledger[-1].job_id))
        wait_until(
            lambda other=other: GeneratedImage.objects.completed().filter(pk=other.pk).exists(),
            tell=site.describe,
        )
    # At most the one that the last look had brought forward.
    assert polls(simulator) - before <= 1

    simulator.finish_all()
    wait_until(GeneratedImage.objects.completed().filter(pk=image.pk).exists, tell=site.describe)
    assert over_http(site, image, session)["finished"] is True


def progress_of(simulator: Simulator) -> int:
    return int(str(simulator.jobs[0]["progress"] or 0))
