"""What may go, what has to stay, and that doing it twice does no more."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.utils import timezone

from ideogram_django import conf
from ideogram_django.drains import housekeeping, retention
from ideogram_django.models import Charge, GeneratedImage, StoredObject
from ideogram_django.simulator import Simulator
from ideogram_django.statuses import ChargeState
from tests.drain import configured, drain, drain_to_end, twin
from tests.magazine.models import Article

__all__ = ["twin"]


def finished(prompt: str = "A fox", **options: Any) -> GeneratedImage:
    image = GeneratedImage.objects.generate(prompt, **options)
    drain_to_end(image)
    return image


def make_old() -> None:
    before = timezone.now() - timedelta(days=31)
    GeneratedImage.objects.update(created_at=before)
    Charge.objects.update(created_at=before)


def test_old_unused_pictures_go_and_the_rest_stays(twin: Simulator, settings: Any) -> None:
    unused, used, picked, fresh = (finished(name) for name in ("a", "b", "c", "d"))
    Article.objects.create(title="Night trains", hero=used)
    GeneratedImage.objects.filter(pk=picked.pk).update(picked=True)
    make_old()
    GeneratedImage.objects.filter(pk=fresh.pk).update(created_at=timezone.now())
    drain()
    assert GeneratedImage.objects.count() == 4  # no RETENTION, nothing goes

    name = unused.file.name
    with configured(settings, RETENTION=30):
        drain(2)
    assert set(GeneratedImage.objects.values_list("pk", flat=True)) == {
        used.pk,
        picked.pk,
        fresh.pk,
    }
    assert not default_storage.exists(name)
    assert default_storage.exists(used.file.name)
    assert Charge.objects.count() == 4
    assert set(Charge.objects.values_list("body", flat=True)) == {""}
    with configured(settings, RETENTION=30):
        assert retention.expire(conf.current()) == 0


def test_unfinished_pictures_never_expire(twin: Simulator, settings: Any) -> None:
    GeneratedImage.objects.generate("A fox")
    make_old()
    with configured(settings, RETENTION=30):
        assert retention.expire(conf.current()) == 0
    assert GeneratedImage.objects.count() == 1


def test_erasing_a_person(twin: Simulator, django_user_model: Any) -> None:
    editor = django_user_model.objects.create_user("editor")
    other = django_user_model.objects.create_user("other")
    used = finished("my secret idea", requested_by=editor)
    finished("another secret", requested_by=editor)
    kept = finished("not mine", requested_by=other)
    Article.objects.create(title="Night trains", hero=used)

    call_command("ideogram_housekeeping", erase_user="editor")
    call_command("ideogram_housekeeping", erase_user="editor")

    used.refresh_from_db()
    assert (used.prompt, used.requested_by) == ("", None)
    assert default_storage.exists(used.file.name)
    assert set(GeneratedImage.objects.values_list("pk", flat=True)) == {used.pk, kept.pk}
    assert "secret" not in str(list(Charge.objects.values()))
    assert Charge.objects.filter(state=ChargeState.SETTLED).count() == 3
    assert Charge.objects.get(user_label="other").user == other


def test_erasing_says_what_is_still_being_made(twin: Simulator, django_user_model: Any) -> None:
    editor = django_user_model.objects.create_user("editor")
    GeneratedImage.objects.generate("A fox", requested_by=editor)
    with pytest.raises(CommandError, match="1 pictures are still being made"):
        call_command("ideogram_housekeeping", erase_user="editor")
    with pytest.raises(CommandError, match="no user 'nobody'"):
        call_command("ideogram_housekeeping", erase_user="nobody")


def test_the_report_names_what_differs_and_changes_nothing(
    twin: Simulator, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    image = finished()
    default_storage.save("ideogram/2020/01/somebody-elses.png", ContentFile(b"x"))
    Path(default_storage.path(image.renditions[0]["name"])).unlink()
    StoredObject.objects.create(name="ideogram/half.png", storage="default", kind="original")
    found = retention.report(conf.current())
    assert found.missing == [image.renditions[0]["name"]]
    assert found.unlinked == ["ideogram/half.png"]
    assert found.unknown == ["ideogram/2020/01/somebody-elses.png"]
    with pytest.raises(CommandError):
        call_command("ideogram_housekeeping", orphans=True)
    assert "somebody-elses.png" in capsys.readouterr().out
    assert retention.report(conf.current()) == found


def test_the_sweep_takes_only_noted_names(twin: Simulator) -> None:
    finished()
    other = default_storage.save("ideogram/2020/01/somebody-elses.png", ContentFile(b"x"))
    dead = StoredObject.objects.create(
        name=default_storage.save("ideogram/dead.png", ContentFile(b"x")),
        storage="default",
        kind="original",
    )
    assert housekeeping.sweep(conf.current()) == 0  # perhaps still being written
    StoredObject.objects.filter(pk=dead.pk).update(created_at=timezone.now() - timedelta(hours=1))
    assert housekeeping.sweep(conf.current()) == 1
    assert housekeeping.sweep(conf.current()) == 0
    assert default_storage.exists(other)
    assert not default_storage.exists("ideogram/dead.png")


def test_what_cannot_be_deleted_does_not_stand_in_the_way(twin: Simulator) -> None:
    for number in range(housekeeping.CHUNK):
        StoredObject.objects.create(
            name=f"ideogram/{number}.png", storage="a bucket that is gone", kind="original"
        )
    dead = default_storage.save("ideogram/dead.png", ContentFile(b"x"))
    StoredObject.objects.create(name=dead, storage="default", kind="original")
    StoredObject.objects.update(created_at=timezone.now() - timedelta(hours=1))
    assert housekeeping.sweep(conf.current()) == 0
    assert housekeeping.sweep(conf.current()) == 1
    assert not default_storage.exists(dead)


def test_a_deleted_picture_that_was_never_sent_gives_its_money_back(twin: Simulator) -> None:
    image = GeneratedImage.objects.generate("A fox")
    image.delete()
    assert housekeeping.sweep(conf.current()) == 1
    assert Charge.objects.get().state == ChargeState.RELEASED


def test_a_deleted_picture_that_may_have_been_sent_is_settled(twin: Simulator) -> None:
    image = GeneratedImage.objects.generate("A fox [forever]")
    drain()
    image.delete()
    assert housekeeping.sweep(conf.current()) == 1
    assert Charge.objects.get().state == ChargeState.SETTLED
