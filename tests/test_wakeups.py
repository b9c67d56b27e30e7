"""The knock on the worker's door: one at a time, never lost, never holding up a page."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from redis import Redis

from ideogram_django import wakeups
from ideogram_django.models import GeneratedImage

pytestmark = pytest.mark.redis


@pytest.fixture
def server(redis_server: str, settings: Any) -> Iterator[Redis]:
    """A real Redis or Valkey with a queue of this test's own."""
    name = f"wakeups-{uuid.uuid4().hex[:8]}"
    settings.RQ_QUEUES = {name: {"URL": redis_server}}
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "QUEUE": name}
    with Redis.from_url(redis_server) as connection:
        yield connection


def content(server: Redis) -> bytes:
    """Everything that a person with access to Redis can read."""
    found = b""
    for key in server.scan_iter("*"):
        found += key + (server.dump(key) or b"")
    return found


@pytest.mark.django_db(transaction=True)
def test_many_requests_knock_once(server: Redis) -> None:
    for _number in range(5):
        GeneratedImage.objects.generate("A fox")
    assert wakeups.waiting() == 1
    wakeups.open_gate()
    GeneratedImage.objects.generate("A fox")
    assert wakeups.waiting() == 2


@pytest.mark.django_db(transaction=True)
def test_nobody_knocks_before_the_commit_or_after_a_rollback(server: Redis) -> None:
    with transaction.atomic():
        GeneratedImage.objects.generate("A fox")
        assert wakeups.waiting() == 0
    assert wakeups.waiting() == 1
    wakeups.open_gate()
    try:
        with transaction.atomic():
            GeneratedImage.objects.generate("A fox")
            raise LookupError
    except LookupError:
        pass
    assert wakeups.waiting() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("mode", ["auto", "on_db_commit", "request_finished"])
def test_the_commit_mode_of_the_project_does_not_matter(
    server: Redis, settings: Any, mode: str
) -> None:
    settings.RQ = {"COMMIT_MODE": mode}
    with transaction.atomic():
        GeneratedImage.objects.generate("A fox")
        assert wakeups.waiting() == 0
    assert wakeups.waiting() == 1


@pytest.mark.django_db(transaction=True)
def test_no_prompt_and_no_secret_in_redis(server: Redis) -> None:
    GeneratedImage.objects.generate("An unheard-of walrus")
    everything = content(server)
    assert b"ideogram_django.jobs.drain" in everything or wakeups.waiting() == 1
    assert b"walrus" not in everything
    assert b"afk_" not in everything


@pytest.mark.django_db(transaction=True)
def test_works_with_the_json_serializer(server: Redis, redis_server: str, settings: Any) -> None:
    name = settings.IDEOGRAM_DJANGO["QUEUE"]
    settings.RQ_QUEUES = {
        name: {"URL": redis_server, "SERIALIZER": "rq.serializers.JSONSerializer"}
    }
    assert wakeups.wake() is True
    from django_rq import get_worker

    # A worker of the same process, for one burst: the job is read and run.
    from rq import SimpleWorker

    worker = get_worker(name, worker_class=SimpleWorker, serializer="rq.serializers.JSONSerializer")
    assert worker.work(burst=True, with_scheduler=False) is True
    assert wakeups.waiting() == 0


def test_the_gate_closes_behind_a_knock_and_is_opened_by_a_drain(server: Redis) -> None:
    assert wakeups.wake() is True
    assert wakeups.wake() is True
    assert wakeups.waiting() == 1
    wakeups.open_gate()
    assert wakeups.wake() is True
    assert wakeups.waiting() == 2


def test_a_gate_that_a_dead_worker_left_shut_is_noticed(server: Redis, settings: Any) -> None:
    assert wakeups.wake() is True
    server.delete(f"rq:queue:{settings.IDEOGRAM_DJANGO['QUEUE']}")  # taken, and never opened
    assert wakeups.wake() is True
    assert wakeups.waiting() == 0
    assert wakeups.wake(insist=True) is True
    assert wakeups.waiting() == 1
    assert wakeups.wake(insist=True) is True
    assert wakeups.waiting() == 1


def test_redis_away_is_logged_and_not_raised(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.RQ_QUEUES = {"default": {"URL": "redis://127.0.0.1:1/0"}}
    assert wakeups.wake() is False
    assert "No worker could be woken" in caplog.text
    assert wakeups.waiting() is None
    assert wakeups.worker_count() is None
    wakeups.open_gate()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["URL", "HOST"])
def test_a_mute_redis_is_given_up_soon(settings: Any, kind: str) -> None:
    """It accepts and never says a word. Default clients wait 16 seconds here, or for ever."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        settings.RQ_QUEUES = {
            "default": {"URL": f"redis://127.0.0.1:{port}/0"}
            if kind == "URL"
            else {"HOST": "127.0.0.1", "PORT": port}
        }
        answers: list[bool] = []
        knocking = threading.Thread(target=lambda: answers.append(wakeups.wake()), daemon=True)
        knocking.start()
        knocking.join(2)
        assert answers == [False]
