"""The asynchronous twins, on a real event loop, over real transactions."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connections, transaction

from ideogram_django.drains import loop
from ideogram_django.models import Charge, GeneratedImage
from ideogram_django.querysets import GeneratedImageQuerySet
from ideogram_django.simulator import Simulator
from ideogram_django.statuses import Status
from tests.drain import drain_to_end, make_due, twin
from tests.test_make import png

__all__ = ["twin"]

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def worker() -> Iterator[None]:
    """A drain in a thread of its own, as another process would run it."""
    stop = threading.Event()

    def work() -> None:
        try:
            while not stop.is_set():
                make_due()
                loop.work(sync=True, linger=0)
                stop.wait(0.02)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_one_and_many_are_made(twin: Simulator) -> None:
    user = User.objects.create_user("editor")

    async def story() -> list[GeneratedImage]:
        one = await GeneratedImage.objects.agenerate("A fox", requested_by=user)
        return [one, *await GeneratedImage.objects.agenerate_many([{"prompt": "A hare"}] * 2)]

    images = async_to_sync(story)()
    assert [image.status for image in images] == [Status.PENDING] * 3
    assert [image.requested_by for image in images] == [user, None, None]
    drain_to_end(*images)
    assert Charge.objects.count() == 3


def test_a_draft_is_started_cancelled_and_tried_again(twin: Simulator) -> None:
    async def story() -> tuple[str, str, str]:
        image = await GeneratedImage.objects.acreate(prompt="A fox", model="ideogram-v4-turbo")
        await image.agenerate()
        started = image.status
        await image.acancel()
        cancelled = image.status
        await image.aretry()
        return started, cancelled, image.status

    assert async_to_sync(story)() == (Status.PENDING, Status.CANCELLED, Status.PENDING)


def test_what_is_refused_is_raised_as_ever(twin: Simulator) -> None:
    async def story() -> None:
        image = await GeneratedImage.objects.agenerate("A fox")
        with pytest.raises(ValidationError) as refused:
            await image.aretry()
        assert refused.value.code == "not_failed"
        with pytest.raises(ValidationError):
            await GeneratedImage.objects.agenerate("")

    async_to_sync(story)()
    assert GeneratedImage.objects.count() == 1


def test_variations_another_model_and_a_second_look(twin: Simulator) -> None:
    image = GeneratedImage.objects.generate("A fox")
    drain_to_end(image)

    async def story() -> tuple[list[GeneratedImage], GeneratedImage]:
        more = await image.avariations(2)
        final = await image.arerender(model="ideogram-v4-quality")
        await final.arefresh()
        return more, final

    more, final = async_to_sync(story)()
    assert {one.parent_id for one in [*more, final]} == {image.pk}
    assert final.model == "ideogram-v4-quality"
    final.refresh_from_db()
    assert final.next_check_at is not None


def test_an_upload(twin: Simulator) -> None:
    async def story() -> GeneratedImage:
        return await GeneratedImage.objects.afrom_upload(png(), alt_text="A square")

    image = async_to_sync(story)()
    assert (image.status, image.alt_text, image.width) == (Status.COMPLETED, "A square", 64)


def test_waiting_leaves_the_loop_to_others(twin: Simulator) -> None:
    async def story() -> None:
        image = await GeneratedImage.objects.agenerate("A fox")
        waiting = asyncio.create_task(image.await_finished(timeout=5, interval=30))
        for _turn in range(20):
            assert await GeneratedImage.objects.acount() == 1
        # A loop that stood still for the interval would have come to the end of the waiting.
        assert not waiting.done()
        waiting.cancel()

    async_to_sync(story)()


def test_several_are_waited_for_together(twin: Simulator) -> None:
    async def story() -> list[str]:
        images = [await GeneratedImage.objects.agenerate(f"A fox {n}") for n in range(3)]
        waiting = (image.await_finished(timeout=30, interval=0.05) for image in images)
        return [image.status for image in await asyncio.gather(*waiting)]

    with worker():
        assert async_to_sync(story)() == [Status.COMPLETED] * 3


def test_waiting_has_an_end_and_no_transaction() -> None:
    async def story() -> None:
        image = await GeneratedImage.objects.agenerate("A fox")
        with pytest.raises(TimeoutError, match="still pending"):
            await image.await_finished(timeout=0)

        def inside() -> None:
            with transaction.atomic():
                async_to_sync(image.await_finished)()

        with pytest.raises(transaction.TransactionManagementError):
            await sync_to_async(inside)()

    async_to_sync(story)()


@pytest.mark.parametrize(
    ("owner", "verb"),
    [
        (GeneratedImage, "generate"),
        (GeneratedImage, "retry"),
        (GeneratedImage, "cancel"),
        (GeneratedImage, "refresh"),
        (GeneratedImage, "variations"),
        (GeneratedImage, "rerender"),
        (GeneratedImageQuerySet, "generate"),
        (GeneratedImageQuerySet, "generate_many"),
        (GeneratedImageQuerySet, "from_upload"),
    ],
)
def test_a_twin_takes_what_the_other_takes(owner: type, verb: str) -> None:
    plain, twin = getattr(owner, verb), getattr(owner, f"a{verb}")
    assert inspect.iscoroutinefunction(twin)
    assert inspect.signature(plain).parameters == inspect.signature(twin).parameters
