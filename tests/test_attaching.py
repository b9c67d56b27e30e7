"""Proposals of a run: nothing is given to a record unasked, nothing of its own is overwritten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from ideogram_django.drains.attaching import Copy
from ideogram_django.models import GeneratedImage, Run, StoredObject
from ideogram_django.runs import approving, targets
from ideogram_django.statuses import Decision, Status
from tests.magazine.models import Article

pytestmark = pytest.mark.django_db


def articles(count: int = 2) -> list[Article]:
    return [Article.objects.create(title=f"Harbour {number}") for number in range(1, count + 1)]


def run_for(records: list[Article], field: str, **options: Any) -> Run:
    column = Article._meta.get_field(field)
    requests = [{"prompt": one.title, **targets.columns(one, column)} for one in records]
    return Run.objects.prepare(requests, **{"name": "Heroes", "approve": True, **options})


def finish(run: Run, ideogram: Any) -> list[GeneratedImage]:
    run.start()
    ideogram.step()
    ideogram.finish()
    return list(run.pictures)


def uploaded(ideogram_media: Path, article: Article, name: str = "own.png") -> None:
    article.cover.save(name, ContentFile(b"own"))


def content(file: Any) -> bytes:
    return Path(file.path).read_bytes()


def covers(media: Path) -> set[str]:
    return {path.name for path in (media / "covers").glob("*")}


def decisions(run: Run) -> list[Decision]:
    return [approving.decision(image) for image in run.pictures]


# --- foreign keys -------------------------------------------------------------------------------


def test_nothing_is_given_before_it_is_approved(ideogram):
    first, second = articles()
    run = run_for([first, second], "hero")
    images = finish(run, ideogram)
    assert decisions(run) == [Decision.OPEN, Decision.OPEN]
    assert list(approving.undecided(run)) == images
    first.refresh_from_db()
    assert first.hero is None

    assert approving.approve(images[0])

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.hero, second.hero) == (images[0], None)
    assert images[0].picked
    assert decisions(run) == [Decision.USED, Decision.OPEN]
    assert list(approving.undecided(run)) == [images[1]]


def test_what_the_record_showed_before_is_remembered(ideogram):
    old = GeneratedImage.objects.generate("Old")
    ideogram.finish()
    (article,) = articles(1)
    Article.objects.update(hero=old)
    article.refresh_from_db()
    (image,) = finish(run_for([article], "hero"), ideogram)
    assert image.replaces is None
    assert approving.approve(image)
    assert image.replaces == old


def test_a_record_that_was_changed_meanwhile_keeps_what_it_has(ideogram):
    (article,) = articles(1)
    run = run_for([article], "hero")
    (image,) = finish(run, ideogram)
    chosen = GeneratedImage.objects.generate("Chosen by hand")
    Article.objects.update(hero=chosen)

    assert not approving.approve(image)

    article.refresh_from_db()
    assert article.hero == chosen
    assert decisions(run) == [Decision.OPEN]
    assert not image.picked
    Article.objects.all().delete()
    assert not approving.approve(image)


def test_approved_twice_is_approved_once(ideogram):
    (article,) = articles(1)
    (image,) = finish(run_for([article], "hero"), ideogram)
    second = GeneratedImage.objects.get(pk=image.pk)
    assert approving.approve(image)
    assert approving.approve(second)
    assert not approving.reject(second)
    article.refresh_from_db()
    assert article.hero == image


def test_a_rejected_one_can_be_used_after_all(ideogram):
    (article,) = articles(1)
    run = run_for([article], "hero")
    (image,) = finish(run, ideogram)
    assert approving.reject(image)
    assert decisions(run) == [Decision.REJECTED]
    assert not approving.undecided(run).exists()
    assert approving.approve(image)
    article.refresh_from_db()
    assert article.hero == image
    assert decisions(run) == [Decision.USED]


def test_an_unfinished_picture_cannot_be_approved():
    (article,) = articles(1)
    run = run_for([article], "hero")
    assert not approving.approve(run.images.get())
    assert decisions(run) == [Decision.COMING]


# --- without asking -----------------------------------------------------------------------------


def test_without_asking_a_foreign_key_points_to_what_is_to_come(ideogram):
    old = GeneratedImage.objects.generate("Old")
    ideogram.finish()
    first, second = articles()
    Article.objects.filter(pk=first.pk).update(hero=old)
    first.refresh_from_db()
    run = run_for([first, second], "hero", approve=False)
    Article.objects.filter(pk=second.pk).update(hero=old)

    run.start()

    images = list(run.pictures)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.hero, second.hero) == (images[0], old)


def test_stopping_gives_back_what_was_never_made(ideogram):
    old = GeneratedImage.objects.generate("Old")
    ideogram.finish()
    records = articles(3)
    Article.objects.update(hero=old)
    for one in records:
        one.refresh_from_db()
    run = run_for(records, "hero", approve=False, at_once=1)
    run.start()
    ideogram.step()  # the first one is sent
    run.stop()

    made = run.images.exclude(status=Status.DRAFT).get()
    assert [Article.objects.get(pk=one.pk).hero for one in records] == [made, old, old]


def test_a_failure_that_is_tried_again_gives_its_place_to_the_next(ideogram):
    (article,) = articles(1)
    run = run_for([article], "hero", approve=False)
    ideogram.fail_next("fail")
    (failed,) = finish(run, ideogram)
    article.refresh_from_db()
    assert (article.hero, failed.status) == (failed, Status.FAILED)

    again = run.try_failures_again()
    (image,) = finish(again, ideogram)

    article.refresh_from_db()
    assert article.hero == image
    assert image.status == Status.COMPLETED


# --- file fields --------------------------------------------------------------------------------


def test_a_file_field_gets_its_copy_when_it_is_approved(ideogram, ideogram_media):
    first, second = articles()
    run = run_for([first, second], "cover")
    images = finish(run, ideogram)
    first.refresh_from_db()
    assert not first.cover
    assert covers(ideogram_media) == set()

    assert approving.approve(images[0])
    assert decisions(run) == [Decision.COPYING, Decision.OPEN]
    assert not approving.reject(images[0])
    ideogram.step()

    first.refresh_from_db()
    assert first.cover.name == f"covers/{images[0].uuid}.png"
    assert content(first.cover) == content(GeneratedImage.objects.get(pk=images[0].pk).file)
    assert decisions(run) == [Decision.USED, Decision.OPEN]
    assert covers(ideogram_media) == {f"{images[0].uuid}.png"}


def test_without_asking_a_file_field_is_filled_by_itself(ideogram):
    (article,) = articles(1)
    finish(run_for([article], "cover", approve=False), ideogram)
    article.refresh_from_db()
    assert article.cover.name.startswith("covers/")


def test_a_file_that_was_uploaded_before_the_approval_stays(ideogram, ideogram_media):
    (article,) = articles(1)
    run = run_for([article], "cover")
    (image,) = finish(run, ideogram)
    uploaded(ideogram_media, article)
    assert not approving.approve(image)
    ideogram.step()
    article.refresh_from_db()
    assert content(article.cover) == b"own"
    assert covers(ideogram_media) == {"own.png"}


def test_a_file_that_was_uploaded_after_the_approval_stays_too(ideogram, ideogram_media):
    (article,) = articles(1)
    run = run_for([article], "cover")
    (image,) = finish(run, ideogram)
    assert approving.approve(image)
    uploaded(ideogram_media, article)
    ideogram.step()
    article.refresh_from_db()
    assert content(article.cover) == b"own"
    assert decisions(run) == [Decision.KEPT]
    assert covers(ideogram_media) == {"own.png"}


def test_a_copy_that_came_too_late_is_deleted_again(ideogram, ideogram_media, monkeypatch):
    """Somebody saves a file while ours is being written."""
    (article,) = articles(1)
    run = run_for([article], "cover")
    (image,) = finish(run, ideogram)
    assert approving.approve(image)
    link = Copy.link

    def too_late(copy: Copy, name: str) -> bool:
        Article.objects.update(cover="covers/own.png")
        return link(copy, name)

    monkeypatch.setattr(Copy, "link", too_late)
    ideogram.step()
    article.refresh_from_db()
    assert article.cover.name == "covers/own.png"
    assert covers(ideogram_media) == set()
    assert decisions(run) == [Decision.KEPT]


def tries(image: GeneratedImage, ideogram: Any) -> int:
    """Passes until nothing is due for the picture any more."""
    for number in range(1, 20):
        ideogram.step()
        if not GeneratedImage.objects.filter(pk=image.pk, next_check_at__isnull=False).exists():
            return number
    raise AssertionError("It is tried for ever.")


@pytest.mark.parametrize(
    "upload_to",
    [
        lambda record, name: record.nobody.name,
        lambda record, name: f"../{name}",
        lambda record, name: f"{'x' * 200}/{name}",
    ],
    ids=["raises", "leads out", "too long"],
)
def test_a_place_that_is_none_is_not_tried_for_ever(
    ideogram, ideogram_media, monkeypatch, upload_to
):
    (article,) = articles(1)
    run = run_for([article], "cover")
    (image,) = finish(run, ideogram)
    monkeypatch.setattr(Article._meta.get_field("cover"), "upload_to", upload_to)
    assert approving.approve(image)
    assert tries(image, ideogram) < 10
    article.refresh_from_db()
    assert not article.cover
    image.refresh_from_db()
    assert image.status == Status.COMPLETED

    monkeypatch.undo()  # the site's developer has mended it
    assert approving.approve(image)
    ideogram.step()
    article.refresh_from_db()
    assert article.cover.name == f"covers/{image.uuid}.png"


def test_a_name_that_is_too_long_for_the_column_is_cut(ideogram, monkeypatch):
    (article,) = articles(1)
    run = run_for([article], "cover")
    (image,) = finish(run, ideogram)
    field = Article._meta.get_field("cover")
    monkeypatch.setattr(field, "upload_to", lambda record, name: f"covers/{'x' * 70}{name}")
    assert approving.approve(image)
    ideogram.step()
    article.refresh_from_db()
    assert article.cover
    assert len(article.cover.name) <= field.max_length


def test_a_copy_that_the_table_refuses_is_deleted_and_not_made_for_ever(
    ideogram, ideogram_media, monkeypatch
):
    (article,) = articles(1)
    run = run_for([article], "cover")
    (image,) = finish(run, ideogram)
    columns = Copy._columns
    monkeypatch.setattr(Copy, "_columns", lambda copy, name: {**columns(copy, name), "title": None})
    assert approving.approve(image)
    assert tries(image, ideogram) < 10
    assert covers(ideogram_media) == set()


def test_no_stored_object_of_ours_is_a_records_file(ideogram):
    (article,) = articles(1)
    finish(run_for([article], "cover", approve=False), ideogram)
    article.refresh_from_db()
    assert article.cover.name not in set(StoredObject.objects.values_list("name", flat=True))


def test_a_field_that_is_gone_harms_nothing(ideogram):
    (article,) = articles(1)
    run = run_for([article], "cover", approve=False)
    run.images.update(target_field="sleeve")
    (image,) = finish(run, ideogram)
    assert image.status == Status.COMPLETED
    assert not approving.approve(image)
