"""Every process killed at every step: one job, one charge, one file, or nothing at all.

The classes are the rows of the crash table in docs/reliability.md. The victims are real
processes that get SIGKILL; what a second worker or ``ideogram_sync`` would do afterwards is done
by the test's own process, which runs the very same function, where nothing depends on there being
another process. Waiting for a lease is letting time pass in the rows, not in the test.
"""

from __future__ import annotations

import http.client
import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.db import connection
from PIL import Image

from ideogram_django.models import Charge, GeneratedImage, StoredObject
from ideogram_django.simulator import Simulator
from ideogram_django.simulator.webhooks import signature
from ideogram_django.statuses import ErrorCode, Status
from tests.reliability import oracle
from tests.reliability.world import Databases, World, other_connection, using_database
from tests.site import KEY, QueueServer, free_port, wait_until

pytestmark = pytest.mark.redis

PROVIDERS = pytest.mark.parametrize(
    "simulator_options",
    [{}, {"honours_idempotency": False}],
    ids=["key honoured", "key ignored, jobs listed"],
)
WEBHOOKS = pytest.mark.parametrize(
    "webhooks", [False, True], ids=["polling", "webhooks asked for and lost"]
)
WITH_WEBHOOKS = pytest.mark.parametrize("webhooks", [True], ids=["webhooks"])


def generate(prompt: str = "A fox in the snow", **options: Any) -> GeneratedImage:
    return GeneratedImage.objects.generate(prompt, **options)


def one_of_each(world: World, pictures: int = 1) -> None:
    """So many finished pictures, each with one job, one charge and one object of each kind."""
    oracle.check(world.twin, world.site)
    made = GeneratedImage.objects.completed().filter(uploaded=False)
    assert made.count() == pictures, world.site.describe()
    assert len(world.twin.ledger) == pictures, world.site.describe()
    assert [len(image.renditions) for image in made] == [2] * pictures


def posts(twin: Simulator) -> int:
    return sum(one.method == "POST" and one.path.endswith("/generate") for one in twin.requests)


@contextmanager
def knock(world: World, path: str) -> Iterator[None]:
    """A browser that waits for an answer."""
    with socket.create_connection(("127.0.0.1", world.site.port)) as browser:
        browser.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        yield


class TestBeforeTheCommitOfGenerate:
    """Nothing."""

    def test_web_killed_with_the_rows_written(self, world: World) -> None:
        web = world.site.start_web()
        world.stops.put("before-commit")
        with knock(world, "/press/?prompt=A+fox"):
            world.wait_for_stop("before-commit")
            web.kill()
        assert GeneratedImage.objects.count() == Charge.objects.count() == 0
        world.recover()
        one_of_each(world, 0)
        assert posts(world.twin) == 0

    def test_web_killed_while_the_rows_are_written(self, world: World) -> None:
        """Charge and picture are written by two statements; the second one waits for a lock."""
        web = world.site.start_web()
        world.stops.put("press.in")
        with knock(world, "/press/?plain=1&prompt=A+fox"):
            world.wait_for_stop("press.in")
            with world.database_locked(GeneratedImage):
                world.stops.lift()
                time.sleep(0.5)  # for the view to come to the lock
                web.kill()
        assert GeneratedImage.objects.count() == Charge.objects.count() == 0


class TestAfterItBeforeTheWakeUp:
    """Sent within one sync interval, once."""

    def test_web_killed_before_the_wake_up(self, world: World) -> None:
        web = world.site.start_web()
        world.stops.put("after-commit")
        with knock(world, "/press/?prompt=A+fox"):
            world.wait_for_stop("after-commit")
            web.kill()
        image = GeneratedImage.objects.get()
        assert image.status == Status.PENDING
        world.stops.lift()

        world.site.start_sync()
        world.wait_status(image, Status.COMPLETED)

        world.recover()
        one_of_each(world)
        assert posts(world.twin) == 1

    def test_redis_wiped(self, queue_server: QueueServer, world: World) -> None:
        image = generate()
        queue_server.stop()
        queue_server.start()

        world.site.start_sync("--wake")
        world.site.start_worker()
        world.wait_status(image, Status.COMPLETED)

        world.recover()
        one_of_each(world)
        assert posts(world.twin) == 1

    def test_redis_killed_while_the_worker_works(
        self, queue_server: QueueServer, world: World
    ) -> None:
        world.twin.hold("after", 1)
        world.site.start_worker()
        generate()
        world.wait_held()
        queue_server.stop()
        world.twin.release()
        world.recover()
        one_of_each(world)
        assert posts(world.twin) == 1


class TestAfterTheClaim:
    """One job, its id on the row, one charge."""

    def test_before_the_body_is_frozen(self, world: World) -> None:
        """The claim is in; the worker reads the reference picture that it has to upload first."""
        own = GeneratedImage.objects.from_upload(ContentFile(a_picture(), name="own.png"))
        world.recover()
        world.stops.put("open")
        worker = world.site.start_worker()
        image = generate(reference_image=own)
        world.wait_for_stop("open")
        worker.kill()
        world.stops.lift()
        image.refresh_from_db()
        assert (image.status, image.charge.body) == (Status.SUBMITTING, "")

        world.recover()
        one_of_each(world)
        assert posts(world.twin) == 1

    def test_before_the_body_is_frozen_by_a_locked_ledger(self, world: World) -> None:
        if connection.vendor != "postgresql":
            pytest.skip("Only PostgreSQL can lock one table")
        worker = world.site.start_worker()
        image = generate()
        with world.database_locked(Charge):
            world.wait_status(image, Status.SUBMITTING)
            worker.kill()
        image.refresh_from_db()
        assert (image.status, image.charge.body) == (Status.SUBMITTING, "")

        world.recover()
        one_of_each(world)
        assert posts(world.twin) == 1

    @WEBHOOKS
    @PROVIDERS
    def test_before_the_job_is_made(self, world: World) -> None:
        """The request is on the wire and never becomes a job."""
        self.kill_while_held(world, "before")
        assert world.twin.ledger == []
        world.recover()
        one_of_each(world)
        assert posts(world.twin) == 2

    @WEBHOOKS
    @PROVIDERS
    def test_after_the_job_is_made(self, world: World) -> None:
        """The provider has made and charged it, and nobody has noted its id."""
        self.kill_while_held(world, "after")
        (entry,) = world.twin.ledger
        world.recover()
        one_of_each(world)
        assert Charge.objects.get().job_id == entry.job_id
        assert posts(world.twin) == 1, "the job was to be found by looking, not by asking again"

    def test_while_the_answer_is_being_saved(self, world: World) -> None:
        world.twin.hold("after", 1)
        worker = world.site.start_worker()
        generate()
        world.wait_held()
        with world.database_locked(Charge, GeneratedImage):
            world.twin.release()
            time.sleep(0.3)  # wherever it has got to by then, it cannot have saved anything
            worker.kill()
        assert Charge.objects.get().job_id is None
        world.recover()
        one_of_each(world)

    def test_sync_killed_during_the_post(self, world: World) -> None:
        world.twin.hold("after", 1)
        generate()
        sync = world.site.start_sync()
        world.wait_held()
        sync.kill()
        world.twin.release(drop=True)
        world.recover()
        one_of_each(world)

    def test_a_slow_request_arrives_after_its_repeat(self, world: World) -> None:
        """The dead worker's request becomes a job after all; the key makes it the same one."""
        world.twin.hold("before", 1)
        worker = world.site.start_worker()
        generate()
        world.wait_held()
        worker.kill()
        world.recover()
        world.twin.release()
        wait_until(lambda: world.twin.held == 0)
        one_of_each(world)
        assert posts(world.twin) == 2

    def test_a_refusal_of_the_repeat_proves_nothing_about_the_first(self, world: World) -> None:
        """429 to the second sending: the first may still arrive, so there is no way back."""
        world.twin.hold("before", 1)
        worker = world.site.start_worker()
        image = generate()
        world.wait_held()
        worker.kill()
        world.twin.fail_next("429")
        world.pass_time(121)
        world.work()
        assert posts(world.twin) == 2
        image.refresh_from_db()
        assert image.status == Status.SUBMITTING
        with pytest.raises(ValidationError) as caught:
            image.cancel()
        assert caught.value.code == "already_sent"
        world.twin.release()
        wait_until(lambda: world.twin.ledger)
        world.recover()
        one_of_each(world)

    @staticmethod
    def kill_while_held(world: World, when: Any) -> None:
        world.twin.hold(when, 1)
        worker = world.site.start_worker()
        image = generate()
        world.wait_held()
        worker.kill()
        world.twin.release(drop=True)
        image.refresh_from_db()
        assert (image.status, image.job_id) == (Status.SUBMITTING, None)


class TestIdenticalPrompts:
    """Four drafts of one prompt differ in nothing that is sent: still one to one."""

    @PROVIDERS
    def test_killed_with_four_of_them_in_flight(self, world: World) -> None:
        world.twin.hold("after", 4)
        worker = world.site.start_worker()
        GeneratedImage.objects.generate_many([{"prompt": "A fox"}] * 4)
        world.wait_held(4)
        worker.kill()
        world.twin.release(drop=True)
        world.recover()
        one_of_each(world, 4)
        assert posts(world.twin) == 4

    @PROVIDERS
    def test_two_of_them_made_and_two_not(self, world: World) -> None:
        world.twin.fail_next("cut-before", 2)
        GeneratedImage.objects.generate_many([{"prompt": "A fox"}] * 2)
        world.work()
        world.twin.hold("after", 2)
        worker = world.site.start_worker()
        GeneratedImage.objects.generate_many([{"prompt": "A fox"}] * 2)
        world.wait_held(2)
        worker.kill()
        world.twin.release(drop=True)
        world.recover()
        one_of_each(world, 4)

    @PROVIDERS
    def test_one_in_doubt_meets_the_job_of_one_in_flight(self, world: World) -> None:
        """A worker waits for the answer to its POST while another one looks for evidence."""
        world.twin.fail_next("cut-before")
        doubtful = generate("A fox")
        world.work()
        doubtful.refresh_from_db()
        assert doubtful.status == Status.SUBMITTING

        world.twin.hold("after", 1)
        worker = world.site.start_worker()
        other = generate("A fox")
        world.wait_held()
        GeneratedImage.objects.filter(pk=doubtful.pk).update(next_check_at=doubtful.created_at)
        world.work()
        held = GeneratedImage.objects.filter(pk=other.pk).values_list("claim", flat=True).get()
        world.twin.release()
        wait_until(
            lambda: not GeneratedImage.objects.filter(claim=held).exists(), tell=world.site.describe
        )
        # Alive, it could be in the middle of a call while minutes pass in a moment.
        worker.kill()
        world.recover()
        one_of_each(world, 2)


class TestTheParentOfAWorkerOnly:
    """One POST, though its child lives on and a second worker starts."""

    def test_its_child_lives_on(self, world: World) -> None:
        world.twin.hold("after", 1)
        worker = world.site.start_worker()
        image = generate()
        world.wait_held()
        worker.kill(with_children=False)
        world.site.start_worker()
        world.site.start_sync()
        world.work()
        world.twin.release()
        world.wait_status(image, Status.COMPLETED)
        wait_until(world.is_quiet, tell=world.site.describe)
        one_of_each(world)
        assert posts(world.twin) == 1

    def test_its_child_finishes_alone_after_the_lease_was_lost(self, world: World) -> None:
        """The child was away so long that another worker took over; then its answer comes."""
        world.twin.hold("after", 1)
        worker = world.site.start_worker()
        image = generate()
        world.wait_held()
        worker.kill(with_children=False)
        world.recover()
        image.refresh_from_db()
        assert image.status == Status.COMPLETED
        world.twin.release()
        wait_until(lambda: not worker.family() or world.twin.held == 0)
        time.sleep(0.3)  # for the child to take its answer in; whether it did does not matter
        world.recover()
        one_of_each(world)
        assert posts(world.twin) == 1


@WITH_WEBHOOKS
class TestInTheWebhookView:
    """Found by poll, or fetched once."""

    def test_before_the_commit(self, world: World) -> None:
        web = world.site.start_web()
        world.stops.put("webhook.in")
        image = generate()
        world.work()
        world.wait_for_stop("webhook.in")
        with world.database_locked(GeneratedImage):
            world.stops.lift()
            time.sleep(0.3)  # for the view to come to its UPDATE
            web.kill()
        image.refresh_from_db()
        assert image.status == Status.SUBMITTED
        world.recover()
        one_of_each(world)

    def test_after_the_commit(self, world: World) -> None:
        web = world.site.start_web()
        world.stops.put("webhook.out")
        image = generate()
        world.work()
        world.wait_for_stop("webhook.out")
        web.kill()
        world.stops.lift()
        image.refresh_from_db()
        assert image.status == Status.FETCHING
        world.site.start_web()  # the provider's next try arrives here
        world.recover()
        wait_until(lambda: [one.status for one in world.twin.webhook_deliveries][1:] == [204])
        one_of_each(world)
        assert reads(world.twin) == 1

    @pytest.mark.parametrize(
        ("mark", "status"),
        [("", Status.FETCHING), ("[fail]", Status.FAILED)],
        ids=["made", "failed"],
    )
    def test_a_call_that_comes_before_the_answer(
        self, world: World, mark: str, status: Status
    ) -> None:
        """The worker dies without the answer to its POST; the webhook has named the job."""
        web = world.site.start_web()
        world.twin.hold("after", 1)
        sync = world.site.start_sync()
        image = generate(f"A fox {mark}")
        world.wait_held()
        world.stops.put("original.before")
        world.wait_status(image, status)
        sync.kill()
        web.kill()
        world.stops.lift()
        world.twin.release(drop=True)
        world.recover()
        oracle.check(world.twin, world.site)
        assert posts(world.twin) == len(world.twin.ledger) == 1

    @pytest.mark.parametrize("mark", ["[duplicate-webhook]", "[late-webhook]", "[bad-signature]"])
    def test_calls_that_come_twice_late_or_unsigned(self, world: World, mark: str) -> None:
        world.site.start_web()
        generate(f"A fox {mark}")
        world.work()
        world.pass_time(10)
        wait_until(lambda: len(world.twin.webhook_deliveries) >= 1)
        world.recover()
        wait_until(lambda: {one.status for one in world.twin.webhook_deliveries} == {204})
        one_of_each(world)


def reads(twin: Simulator) -> int:
    return sum(one.path.startswith("/images/") for one in twin.requests)


class TestWhileTheFileComesHome:
    """One object of each kind, linked; no orphan, no temporary file after the next pass."""

    def test_downloading(self, world: World) -> None:
        worker = world.site.start_worker()
        world.site.start_sync("--wake")
        generate("A fox [drip]")
        wait_until(world.parts, tell=world.site.describe)
        worker.kill()
        world.site.end()
        assert world.parts()
        world.mend_files()
        world.recover()
        one_of_each(world)
        assert world.parts() == set()

    @pytest.mark.parametrize("storage", ["StoppingStorage", "DistantStorage"])
    @pytest.mark.parametrize(
        "place",
        [
            pytest.param("original.before", id="writing"),
            pytest.param("original.after", id="between storage and commit"),
            pytest.param("width.before", id="between the file and its widths"),
            pytest.param("width.after", id="between the first width and the second"),
        ],
    )
    def test_in_the_storage(self, world: World, place: str) -> None:
        generate()
        world.work()  # sent; what follows is the victim's
        world.stops.put(place)
        victim = world.site.start_sync()
        world.wait_for_stop(place)
        victim.kill()
        world.stops.lift()
        world.recover()
        one_of_each(world)
        assert not StoredObject.objects.filter(linked_at=None, deleted_at=None).exists()

    def test_a_hung_worker_finishes_writing_after_another_has(
        self, world: World, settings: Any
    ) -> None:
        """It lost its claim while it hung: what it wrote is removed, the other's file stays."""
        generate()
        world.work()
        world.stops.put("original.after")
        world.site.start_sync()
        world.wait_for_stop("original.after")
        world.pass_time(121)  # its lease runs out
        settings.STORAGES = {
            **settings.STORAGES,
            "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        }
        world.recover()
        world.stops.lift()
        wait_until(lambda: len(world.site.files()) == 3, tell=world.site.describe)
        wait_until(
            lambda: StoredObject.objects.filter(deleted_at=None).count() == 3,
            tell=world.site.describe,
        )
        one_of_each(world)


class TestTheWholeMachineOff:
    @pytest.mark.parametrize("simulator_options", [{"seconds_per_job": 1}], ids=[""])
    def test_for_two_hours(self, world: World) -> None:
        """Everything is finished afterwards: pictures at every step of their way."""
        worker = world.site.start_worker()
        world.site.start_sync("--wake")
        generate("Being fetched [drip]")
        wait_until(world.parts, tell=world.site.describe)
        rendering = generate("Being rendered [slow]")
        world.wait_status(rendering, Status.SUBMITTED, Status.PROCESSING)
        world.twin.hold("after", 1)
        sending = generate("Being sent")
        world.wait_held()
        for process in (worker, *world.site.processes):
            process.kill()
        world.twin.release(drop=True)
        waiting = generate("Waiting")
        for image, status in ((sending, Status.SUBMITTING), (waiting, Status.PENDING)):
            image.refresh_from_db()
            assert image.status == status

        world.mend_files()
        world.pass_time(7200)
        world.recover()
        one_of_each(world, 4)

    @pytest.mark.parametrize("simulator_options", [{"result_ttl": 3600}], ids=[""])
    def test_longer_than_results_are_kept(self, world: World) -> None:
        """Failed, ``result_expired``, visible; never generated again by itself."""
        worker = world.site.start_worker()
        image = generate("A fox [slow]")
        world.wait_status(image, Status.SUBMITTED, Status.PROCESSING)
        worker.kill()
        world.pass_time(7200)
        world.recover()
        for _pass in range(3):
            world.pass_time(24 * 3600)
            world.work()
        image.refresh_from_db()
        assert (image.status, image.error_code) == (Status.FAILED, ErrorCode.RESULT_EXPIRED)
        assert image.error_message
        assert posts(world.twin) == 1
        oracle.check(world.twin, world.site)
        with pytest.raises(ValidationError) as caught:
            image.retry()
        assert caught.value.code == "confirm_charge"


class TestTheDatabaseGoesAway:
    def test_postgres_breaks_every_connection(self, world: World) -> None:
        if connection.vendor != "postgresql":
            pytest.skip("SQLite has no connections to break")
        world.twin.hold("after", 1)
        world.site.start_worker()
        world.site.start_sync()
        generate()
        world.wait_held()
        with other_connection() as other, other.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid NOT IN (pg_backend_pid(), %s)",
                [own_backend()],
            )
            assert cursor.fetchone()[0] >= 1
        world.twin.release()
        world.recover()
        one_of_each(world)
        assert posts(world.twin) == 1


def own_backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


class TestRedisAway:
    """A picture is never refused for want of a queue, and nobody waits for one."""

    def test_down_while_pressing(self, queue_server: QueueServer, world: World) -> None:
        queue_server.stop()
        image = generate()
        assert image.status == Status.PENDING
        world.recover()
        one_of_each(world)

    @WITH_WEBHOOKS
    def test_mute(self, world: World, settings: Any) -> None:
        """It takes connections and never answers. Whoever asks gives up after two seconds."""
        with mute_server() as port:
            world.site.redis_url = f"redis://127.0.0.1:{port}/0"
            world.site.start_web()
            settings.RQ_QUEUES = world.site.queues
            answer(world, "GET", "/ideogram/status/", timeout=30)  # the first one loads everything

            assert answer(world, "GET", "/press/?prompt=A+fox").status == 200
            image = GeneratedImage.objects.get()
            assert image.status == Status.PENDING
            world.stops.put("webhook.in")
            world.work()  # the provider calls, and stands at the door
            world.wait_for_stop("webhook.in")
            call = _the_call(world)
            world.stops.lift()
            assert answer(world, "POST", *call).status == 204
            image.refresh_from_db()
            assert image.status != Status.SUBMITTED
            world.recover()
            one_of_each(world)


def _the_call(world: World) -> tuple[str, bytes, dict[str, str]]:
    """The provider's webhook call, to be made with a short patience."""
    (job,) = world.twin.jobs
    sent: Any = job["input"]
    body = json.dumps(
        {
            "event": "completed",
            "jobId": job["id"],
            "status": "COMPLETED",
            "progress": 100,
            "result": job["result"],
            "model": job["model"],
            "creditCost": job["creditCost"],
            "completedAt": job["completedAt"],
        }
    ).encode()
    path = sent["webhookUrl"].removeprefix(world.site.base_url)
    return path, body, {"X-Webhook-Signature": str(signature(body, KEY, "hex"))}


def answer(
    world: World,
    method: str,
    path: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    timeout: float = 2,
) -> http.client.HTTPResponse:
    client = http.client.HTTPConnection("127.0.0.1", world.site.port, timeout=timeout)
    try:
        client.request(method, path, body, headers or {})
        response = client.getresponse()
        response.read()
        return response
    finally:
        client.close()


@contextmanager
def mute_server() -> Iterator[int]:
    """Accepts everybody and says nothing."""
    taken: list[socket.socket] = []

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                taken.append(listener.accept()[0])

    with socket.create_server(("127.0.0.1", free_port()), backlog=64) as listener:
        thread = threading.Thread(target=accept, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    for one in taken:
        one.close()


@WITH_WEBHOOKS
class TestTwoEnvironmentsOnOneKey:
    """Each has its own database; the provider's list shows both the other's jobs."""

    @PROVIDERS
    def test_neither_adopts_the_jobs_of_the_other(self, world: World, databases: Databases) -> None:
        world.twin.fail_next("cut")
        ours = generate("The same words")
        world.work()
        assert len(world.twin.ledger) == 1

        with using_database(databases.make()):
            world.twin.fail_next("cut-before")
            theirs = generate("The same words")
            world.work()
            for _pass in range(4):
                world.pass_time(61)
                world.work()
            theirs.refresh_from_db()
            assert theirs.status == Status.COMPLETED
            their_job = Charge.objects.get().job_id

        for _pass in range(4):
            world.pass_time(61)
            world.work()
        ours.refresh_from_db()
        assert ours.status == Status.COMPLETED
        our_job = Charge.objects.get().job_id
        assert [entry.job_id for entry in world.twin.ledger] == [our_job, their_job]


def a_picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (400, 300), "teal").save(buffer, "PNG")
    return buffer.getvalue()
