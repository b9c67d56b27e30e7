"""Promise 1 on real processes: never lost, never paid twice, whoever dies in between."""

from __future__ import annotations

import pytest

from ideogram_django.models import Charge, GeneratedImage, StoredObject
from ideogram_django.simulator import Simulator
from tests.site import QueueServer, Site, wait_until

pytestmark = pytest.mark.redis


def finished(site: Site, image: GeneratedImage) -> GeneratedImage:
    """Wait until nothing is left to do for a picture."""

    def done() -> bool:
        image.refresh_from_db()
        return image.is_finished and image.next_check_at is None

    wait_until(done, tell=site.describe)
    return image


def one_of_each(site: Site, simulator: Simulator, image: GeneratedImage) -> None:
    """One job, one charge, one picture; every file belongs to it."""
    assert image.status == image.Status.COMPLETED, site.describe()
    assert [charge.credits for charge in simulator.ledger] == [3]
    assert simulator.credits == 997
    charge = Charge.objects.get()
    assert (charge.state, charge.charged_credits, charge.job_id) == (
        "settled",
        3,
        simulator.ledger[0].job_id,
    )
    names = {image.file.name, *(rendition["name"] for rendition in image.renditions)}
    assert len(names) == 3
    assert site.files() == names == set(StoredObject.objects.values_list("name", flat=True))


def posts(simulator: Simulator) -> int:
    return sum(request.method == "POST" for request in simulator.requests)


@pytest.mark.parametrize("webhooks", [True])
def test_a_picture_comes_by_webhook(site: Site, simulator: Simulator) -> None:
    site.start_web()
    site.start_worker()

    image = finished(site, GeneratedImage.objects.generate("A fox in the snow"))

    one_of_each(site, simulator, image)
    assert [(call.event, call.status) for call in simulator.webhook_deliveries] == [
        ("completed", 204)
    ]
    assert not any(request.path.startswith("/v2/jobs") for request in simulator.requests)


def test_a_picture_comes_by_polling(site: Site, simulator: Simulator) -> None:
    site.start_worker()
    site.start_sync("--wake")

    image = finished(site, GeneratedImage.objects.generate("A fox in the snow"))

    one_of_each(site, simulator, image)
    assert simulator.webhook_deliveries == []


@pytest.mark.parametrize("webhooks", [True])
def test_a_lost_webhook_is_made_good_by_sync(site: Site, simulator: Simulator) -> None:
    site.changes["FIRST_POLL_WITH_WEBHOOK"] = 1
    site.start_web()
    site.start_worker()
    site.start_sync()

    image = finished(site, GeneratedImage.objects.generate("A fox [no-webhook]"))

    one_of_each(site, simulator, image)


def test_redis_is_down_when_the_editor_presses_the_button(
    queue_server: QueueServer, site: Site, simulator: Simulator
) -> None:
    site.start_worker()
    queue_server.stop()

    image = GeneratedImage.objects.generate("A fox in the snow")
    assert GeneratedImage.objects.get().status == image.Status.PENDING
    assert simulator.ledger == []

    queue_server.start()
    site.start_worker()
    site.start_sync("--wake")
    one_of_each(site, simulator, finished(site, image))


def test_sync_alone_finishes_without_redis(
    queue_server: QueueServer, site: Site, simulator: Simulator
) -> None:
    queue_server.stop()
    site.start_sync()

    image = finished(site, GeneratedImage.objects.generate("A fox in the snow"))

    one_of_each(site, simulator, image)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "simulator_options", [{}, {"honours_idempotency": False}], ids=["key honoured", "key ignored"]
)
def test_a_worker_killed_in_the_middle_of_a_submission(
    site: Site, simulator: Simulator, when: str
) -> None:
    """``after``: the provider has made and charged the job, and nobody has noted its id."""
    site.changes["LEASE"] = 3
    simulator.hold(when, 1)
    worker = site.start_worker()
    image = GeneratedImage.objects.generate("A fox in the snow")
    assert simulator.wait_until_held(timeout=60), site.describe()

    worker.kill()
    simulator.release(drop=True)
    image.refresh_from_db()
    assert (image.status, image.job_id) == (image.Status.SUBMITTING, None)

    site.start_worker()
    site.start_sync()
    one_of_each(site, simulator, finished(site, image))


def test_only_the_parent_of_a_worker_dies(site: Site, simulator: Simulator) -> None:
    simulator.hold("after", 1)
    worker = site.start_worker()
    image = GeneratedImage.objects.generate("A fox in the snow")
    assert simulator.wait_until_held(timeout=60), site.describe()

    worker.kill(with_children=False)
    site.start_worker()
    site.start_sync()
    simulator.release()

    one_of_each(site, simulator, finished(site, image))
    assert posts(simulator) == 1


def test_two_workers_and_sync_make_ten_pictures_once(site: Site, simulator: Simulator) -> None:
    for _number in range(2):
        site.start_worker()
    site.start_sync()

    images = GeneratedImage.objects.generate_many([{"prompt": f"Fox {n}"} for n in range(10)])
    for image in images:
        assert finished(site, image).status == image.Status.COMPLETED, site.describe()

    assert len(simulator.ledger) == 10
    assert posts(simulator) == 10
    assert len(site.files()) == StoredObject.objects.count() == 30
