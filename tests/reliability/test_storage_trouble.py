"""Storages that fail, hang, rename, overwrite or have no path: nothing lost, no orphan."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db.models import Max

from ideogram_django.models import GeneratedImage, StoredObject
from ideogram_django.statuses import ErrorCode, Status
from tests.reliability import oracle
from tests.reliability.storages import FailingStorage, HangingStorage, RenamingStorage
from tests.reliability.world import World

pytestmark = pytest.mark.redis


def made(world: World, prompt: str = "A fox") -> GeneratedImage:
    """One picture, followed until nothing is left to do; the oracle's word on it."""
    image = GeneratedImage.objects.generate(prompt)
    world.recover()
    image.refresh_from_db()
    oracle.check(world.twin, world.site)
    return image


@pytest.fixture(autouse=True)
def _in_order() -> Iterator[None]:
    yield
    FailingStorage.fail()
    HangingStorage.seconds = 0
    RenamingStorage.fail_widths_after = None


@pytest.mark.parametrize("half", [False, True], ids=["nothing", "half a file"])
@pytest.mark.parametrize("storage", ["FailingStorage"])
def test_a_storage_that_fails_three_times(world: World, half: bool) -> None:
    """The picture is tried again; what a failed write left behind is removed."""
    FailingStorage.fail(original=3, half=half)
    image = made(world)
    assert (image.status, len(image.renditions)) == (Status.COMPLETED, 2)
    assert FailingStorage.refused == 3
    assert len(world.twin.ledger) == 1


@pytest.mark.parametrize("half", [False, True], ids=["nothing", "half a file"])
@pytest.mark.parametrize("storage", ["FailingStorage"])
def test_a_storage_that_fails_while_the_widths_are_written(world: World, half: bool) -> None:
    FailingStorage.fail(width=3, half=half)
    image = made(world)
    assert (image.status, len(image.renditions)) == (Status.COMPLETED, 2)
    assert FailingStorage.refused == 3


@pytest.mark.parametrize("storage", ["FailingStorage"])
def test_a_storage_that_fails_for_ever_and_is_repaired(world: World) -> None:
    """It stops with a sentence; after the repair trying again costs nothing."""
    FailingStorage.fail(original=1_000_000, half=True)
    image = made(world)
    assert (image.status, image.error_code) == (Status.FAILED, ErrorCode.STORAGE_FAILED)
    assert image.error_message

    FailingStorage.fail()
    image.retry()
    world.recover()
    image.refresh_from_db()
    oracle.check(world.twin, world.site)
    assert image.status == Status.COMPLETED
    assert len(world.twin.ledger) == 1


@pytest.mark.parametrize("storage", ["FailingStorage"])
def test_widths_that_can_never_be_written_cost_no_picture(world: World) -> None:
    FailingStorage.fail(width=1_000_000, half=True)
    image = made(world)
    assert (image.status, image.renditions) == (Status.COMPLETED, [])


@pytest.mark.parametrize("storage", ["HangingStorage"])
@pytest.mark.parametrize("changes", [{"LEASE": 0.3}], ids=["short lease"])
def test_a_storage_that_takes_longer_than_a_claim_holds(world: World) -> None:
    """The claim is renewed meanwhile: one download, one file."""
    HangingStorage.seconds = 1
    made(world)
    assert StoredObject.objects.count() == 3
    assert sum(one.path.startswith("/images/") for one in world.twin.requests) == 1


@pytest.mark.parametrize("storage", ["RenamingStorage"])
def test_a_storage_that_renames_is_taken_at_its_word(world: World) -> None:
    image = made(world)
    assert ".renamed" in image.file.name
    assert all(".renamed" in one["name"] for one in image.renditions)


@pytest.mark.parametrize("storage", ["RenamingStorage"])
def test_a_storage_that_renames_and_fails_at_the_second_width(world: World) -> None:
    """The first width lies under a name that nobody had noted; it must not stay there."""
    RenamingStorage.fail_widths_after = 1
    image = made(world)
    assert len(image.renditions) == 2


@pytest.mark.parametrize("storage", ["RenamingStorage"])
def test_a_storage_that_renames_for_a_worker_that_lost_its_claim(
    world: World, settings: Any
) -> None:
    """Two write the same picture; the object of the slower one is removed under its real name."""
    GeneratedImage.objects.generate("A fox")
    world.work()
    world.stops.put("original.after")
    world.site.start_sync()
    world.wait_for_stop("original.after")
    world.pass_time(121)
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    }
    world.recover()
    world.stops.lift()
    world.wait(lambda: len(world.site.files()) == 3)
    world.wait(lambda: StoredObject.objects.filter(deleted_at=None).count() == 3)
    oracle.check(world.twin, world.site)


@pytest.mark.parametrize("storage", ["DistantStorage"])
def test_a_storage_without_a_path(world: World) -> None:
    assert made(world).status == Status.COMPLETED


@pytest.mark.parametrize("storage", ["OverwritingStorage"])
def test_a_storage_that_overwrites_never_gets_the_same_name_twice(world: World) -> None:
    """Every object has a name of its own, also where the same picture is made again."""
    made(world, "The same words")
    first = {path: (world.site.media / path).read_bytes() for path in world.site.files()}
    made(world, "The same words")
    assert {path: (world.site.media / path).read_bytes() for path in first} == first
    assert len(world.site.files()) == 6


@pytest.mark.parametrize("storage", ["StoppingStorage"])
def test_a_stranger_s_file_is_never_touched(world: World) -> None:
    """Machines delete only names that a row holds; also when a picture is deleted."""
    storages["default"].save("ideogram/2026/11/somebody-elses.png", ContentFile(b"precious"))
    image = GeneratedImage.objects.generate("A fox")
    world.recover()
    GeneratedImage.objects.get(pk=image.pk).delete()
    world.pass_time(7 * 24 * 3600)
    world.work()
    assert world.site.files() == {"ideogram/2026/11/somebody-elses.png"}
    assert StoredObject.objects.aggregate(last=Max("deleted_at"))["last"] is not None
    assert len(world.twin.ledger) == 1


BUCKET = "pictures"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A bucket on a loopback S3; skips where moto, django-storages or flask are not here."""
    missing = [
        name for name in ("moto", "storages", "flask_cors") if not importlib.util.find_spec(name)
    ]
    if missing:
        pytest.skip(
            f"Needs pip install 'moto[s3,server]' 'django-storages[s3]'; missing: {missing}"
        )
    import boto3
    from moto.server import ThreadedMotoServer

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    client = boto3.client("s3", endpoint_url=address, region_name="us-east-1")
    client.create_bucket(Bucket=BUCKET)
    options = {"bucket_name": BUCKET, "endpoint_url": address, "region_name": "us-east-1"}
    yield {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    client.close()
    server.stop()


@pytest.mark.filterwarnings("ignore")
def test_a_bucket(world: World, bucket: dict[str, Any], settings: Any) -> None:
    settings.STORAGES = {**settings.STORAGES, "default": bucket}
    image = GeneratedImage.objects.generate("A fox")
    world.recover()
    image.refresh_from_db()
    assert (image.status, len(image.renditions)) == (Status.COMPLETED, 2)
    there = {one.key for one in storages["default"].bucket.objects.all()}
    assert there == set(StoredObject.objects.filter(deleted_at=None).values_list("name", flat=True))
    with storages["default"].open(image.file.name) as file:
        assert len(file.read()) == image.size
    assert world.site.files() == set()
