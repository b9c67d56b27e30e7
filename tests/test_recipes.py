"""Recipes: a library written down, thrown away and made again; and what strangers may write."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shlex
import shutil
import tracemalloc
import uuid
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ideogram_django import conf
from ideogram_django.drains import retention
from ideogram_django.models import Charge, GeneratedImage, Run, StoredObject
from ideogram_django.recipes import exporting, lines
from ideogram_django.statuses import Status
from ideogram_django.testing import Ideogram
from tests.pictures import png

pytestmark = pytest.mark.django_db

DOCUMENT = Path(__file__).parent.parent / "docs" / "recipes.md"
Entry = dict[str, Any]


def export(*arguments: str) -> str:
    out = io.StringIO()
    call_command("ideogram_export", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def entries(text: str) -> list[Entry]:
    header, *rest = [json.loads(line) for line in text.splitlines()]
    assert header == {"format": "ideogram_django recipes", "version": 1}
    return rest


def written(path: Path, *recipes: Entry | str | bytes) -> Path:
    """A file of recipes; what is not a dict is a line as it stands."""
    rows: list[Entry | str | bytes] = [lines.header(), *recipes]
    path.write_bytes(
        b"".join(
            (
                row
                if isinstance(row, bytes)
                else (row if isinstance(row, str) else json.dumps(row)).encode()
            )
            + b"\n"
            for row in rows
        )
    )
    return path


def take_in(path: Path | str, *arguments: str) -> str:
    out = io.StringIO()
    call_command("ideogram_import", str(path), *arguments, stdout=out, stderr=out)
    return out.getvalue()


def entry(content: bytes | None = None, **changes: Any) -> Entry:
    """A recipe as a stranger may write it, with only what is needed."""
    found: Entry = {
        "uuid": str(uuid.uuid4()),
        "status": "completed" if content else "draft",
        "prompt": "Ships in the harbour",
        "model": "ideogram-v4-turbo",
    }
    if content:
        found |= {"sha256": hashlib.sha256(content).hexdigest(), "file": "ideogram/ships.png"}
    return found | changes


@pytest.fixture
def editor() -> User:
    return User.objects.create_user("editor")


@pytest.fixture
def library(ideogram: Ideogram, editor: User) -> list[GeneratedImage]:
    """A family: drafts of one request, a final made from one, what replaces it, own work."""
    objects = GeneratedImage.objects
    drafts = objects.generate_many(
        [{"prompt": "Häfen, “offen bis 10”"}] * 2,
        requested_by=editor,
        aspect_ratio="16:9",
        alt_text="Ships",
        profile="season",
        profile_version=3,
        typed_prompt="Häfen",
    )
    ideogram.finish()
    objects.filter(pk=drafts[0].pk).update(picked=True)
    objects.filter(pk=drafts[1].pk).update(decorative=True, alt_text="")
    upload = objects.from_upload(ContentFile(png(), "ship.png"), requested_by=editor)
    final = drafts[0].rerender(model="ideogram-v4-quality", replaces=drafts[1])
    styled = objects.generate("Again", reference_image=upload, seed=7)
    ideogram.finish()
    waiting = objects.create(prompt="Not yet", model="ideogram-v4-turbo", parent=final)
    # Long ago, so that what is kept is told from what is set anew.
    objects.update(created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    return [*drafts, upload, final, styled, waiting]


def empty_the_database() -> None:
    GeneratedImage.objects.update(parent=None, replaces=None, charge=None, uploaded=True)
    GeneratedImage.objects.all().delete()
    StoredObject.objects.all().delete()
    Charge.objects.all().delete()
    Run.objects.all().delete()


# --- the round trip -------------------------------------------------------------------------------


def test_a_library_is_made_again_from_recipes_and_files(
    library: list[GeneratedImage], ideogram: Ideogram, ideogram_media: Path, tmp_path: Path
) -> None:
    copies, path = tmp_path / "copies", tmp_path / "library.jsonl"
    before = export("--files", str(copies), "--out", str(path))
    assert before == ""
    text = path.read_text("utf-8")
    assert len(entries(text)) == len(library)
    spent = ideogram.twin.credits
    empty_the_database()
    shutil.rmtree(ideogram_media)

    told = take_in(path, "--files", str(copies))

    assert re.search(r"5 taken over.*1 saved as drafts", told, re.DOTALL)
    after = entries(export())
    names = {one.pop("uuid"): one.pop("file") for one in after}
    wanted = entries(text)
    assert [one.pop("uuid") for one in wanted] == list(names)
    for one in wanted:
        one.pop("file")
    assert after == wanted  # but for the names, which a copy may not share
    assert len({name for name in names.values() if name}) == 5
    assert Charge.objects.count() == 0
    assert ideogram.twin.credits == spent
    ideogram.finish()
    assert all(image.renditions for image in GeneratedImage.objects.completed())
    assert ideogram.twin.credits == spent


def test_family_links_come_back(library: list[GeneratedImage], tmp_path: Path) -> None:
    path = tmp_path / "library.jsonl"
    export("--files", str(tmp_path / "copies"), "--out", str(path))
    drafts, upload, final, styled, waiting = library[:2], *library[2:]
    empty_the_database()
    take_in(path, "--files", str(tmp_path / "copies"))

    found = {image.uuid: image for image in GeneratedImage.objects.all()}
    assert found[final.uuid].parent == found[drafts[0].uuid]
    assert found[final.uuid].replaces == found[drafts[1].uuid]
    assert found[waiting.uuid].parent == found[final.uuid]
    assert found[drafts[0].uuid].batch == found[drafts[1].uuid].batch is not None
    assert found[styled.uuid].reference_image == f"picture:{upload.uuid}"
    assert found[upload.uuid].uploaded
    assert not found[final.uuid].uploaded


def test_the_same_import_twice_changes_nothing(
    library: list[GeneratedImage], tmp_path: Path
) -> None:
    path = tmp_path / "library.jsonl"
    export("--files", str(tmp_path / "copies"), "--out", str(path))
    empty_the_database()
    take_in(path, "--files", str(tmp_path / "copies"))
    rows, objects = list(GeneratedImage.objects.values()), list(StoredObject.objects.values())

    assert "6 here already" in take_in(path, "--files", str(tmp_path / "copies"))
    assert list(GeneratedImage.objects.values()) == rows
    assert list(StoredObject.objects.values()) == objects


def test_a_kept_storage_needs_no_copies(
    library: list[GeneratedImage], ideogram: Ideogram, tmp_path: Path
) -> None:
    path = tmp_path / "library.jsonl"
    export("--out", str(path))
    names = {one["uuid"]: one["file"] for one in entries(path.read_text("utf-8"))}
    empty_the_database()

    take_in(path)

    finished = GeneratedImage.objects.completed()
    assert {str(image.uuid): image.file.name for image in finished} == {
        one: name for one, name in names.items() if name
    }
    noted = StoredObject.objects.filter(linked_at__isnull=False, image__isnull=False)
    assert set(noted.values_list("name", flat=True)) == {name for name in names.values() if name}
    ideogram.finish()
    assert retention.report(conf.current()).missing == []


def test_drafts_and_pictures_of_another_library_are_left_alone_by_hash(
    library: list[GeneratedImage], tmp_path: Path
) -> None:
    """The file is here under another uuid: what points at it, points at the one that is here."""
    upload = library[2]
    theirs = entry(png(), uploaded=True, uuid=str(uuid.uuid4()))
    child = entry(
        parent=theirs["uuid"], parameters={"reference_image": f"picture:{theirs['uuid']}"}
    )
    told = take_in(written(tmp_path / "theirs.jsonl", child, theirs))

    assert "1 here already, under another id: the same file" in told
    image = GeneratedImage.objects.get(uuid=child["uuid"])
    assert image.parent == upload
    assert image.reference_image == f"picture:{upload.uuid}"
    again = list(GeneratedImage.objects.values())
    take_in(tmp_path / "theirs.jsonl")
    assert list(GeneratedImage.objects.values()) == again


def test_two_pictures_with_one_file_stay_two(
    ideogram: Ideogram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ideogram_django.recipes.importing.BATCH", 1)
    for _number in range(2):
        GeneratedImage.objects.from_upload(ContentFile(png(), "ship.png"))
    path = tmp_path / "library.jsonl"
    export("--files", str(tmp_path / "copies"), "--out", str(path))
    assert len(list((tmp_path / "copies").iterdir())) == 1
    empty_the_database()
    take_in(path, "--files", str(tmp_path / "copies"))
    assert GeneratedImage.objects.count() == 2


def test_what_came_later_is_linked_later(ideogram: Ideogram, tmp_path: Path) -> None:
    """The child's file came first, the parent's with a second import."""
    parent, child = entry(png("navy")), entry(png("teal"))
    child["parent"] = parent["uuid"]
    path = written(tmp_path / "two.jsonl", parent, child)
    folder = tmp_path / "copies"
    folder.mkdir()
    (folder / f"{child['sha256']}.png").write_bytes(png("teal"))
    take_in(path, "--files", str(folder))
    assert GeneratedImage.objects.get(uuid=child["uuid"]).parent is None

    (folder / f"{parent['sha256']}.png").write_bytes(png("navy"))
    assert "1 picture linked" in take_in(path, "--files", str(folder))
    assert str(GeneratedImage.objects.get(uuid=child["uuid"]).parent.uuid) == parent["uuid"]


def test_a_picture_that_was_taken_over_can_be_made_again_and_is_no_own_work(
    ideogram: Ideogram, tmp_path: Path, admin_client: Any
) -> None:
    one = entry(png(), typed_prompt="Ships")
    folder = tmp_path / "copies"
    folder.mkdir()
    (folder / f"{one['sha256']}.png").write_bytes(png())
    take_in(written(tmp_path / "one.jsonl", one), "--files", str(folder))
    image = GeneratedImage.objects.get()
    ideogram.finish()

    page = admin_client.get(f"/admin/ideogram_django/generatedimage/{image.pk}/change/")
    assert page.status_code == 200
    assert b"Own work" not in page.content
    (again,) = image.variations(1)
    ideogram.finish()
    again.refresh_from_db()
    assert again.status == Status.COMPLETED
    ideogram.assert_charged(credits=3)


# --- what is missing ------------------------------------------------------------------------------


def missing(count: int = 3, **changes: Any) -> list[Entry]:
    return [
        entry(png(size=(10 + number, 10)), prompt=f"Harbour {number}", **changes)
        for number in range(count)
    ]


def test_what_is_missing_is_priced_and_nothing_is_written(
    ideogram: Ideogram, tmp_path: Path
) -> None:
    recipes = [*missing(2), *missing(1, model="ideogram-v4-quality")]
    told = take_in(written(tmp_path / "gone.jsonl", *recipes))

    assert "3 missing" in told
    assert "To make what is missing: 3 pictures · $0.16." in told
    assert re.search(rf"{recipes[2]['uuid']}  \$0\.10  Harbour 0", told)
    assert GeneratedImage.objects.count() == 0
    ideogram.assert_nothing_spent()


def test_missing_pictures_are_made_as_a_run_and_only_once(
    ideogram: Ideogram, tmp_path: Path, editor: User
) -> None:
    first, *rest = missing(4, picked=True, alt_text="Ships", profile="season", profile_version=2)
    child = entry(png("red"), parent=first["uuid"], prompt="Its child")
    path = written(tmp_path / "gone.jsonl", child, first, *rest)
    told = take_in(path, "--make-missing", "--yes", "--user", "editor")

    run = Run.objects.get()
    assert f"“Import of gone.jsonl” ({run.uuid})" in told
    assert run.requested_by == editor
    ideogram.finish()
    run.refresh_from_db()
    assert run.state == Run.State.FINISHED
    image = GeneratedImage.objects.get(uuid=first["uuid"])
    assert (image.status, image.picked, image.alt_text) == (Status.COMPLETED, True, "Ships")
    assert (image.profile, image.profile_version) == ("season", 2)
    assert GeneratedImage.objects.get(uuid=child["uuid"]).parent == image
    assert run.report().charged == 5 * Decimal("0.03")
    ideogram.assert_charged(credits=15)

    assert "5 here already" in take_in(path, "--make-missing", "--yes")
    ideogram.finish()
    ideogram.assert_charged(credits=15)
    assert Run.objects.count() == 1


def test_a_ceiling_is_kept(ideogram: Ideogram, tmp_path: Path) -> None:
    path = written(tmp_path / "gone.jsonl", *missing(4))
    take_in(path, "--make-missing", "--yes", "--ceiling", "0.06")
    ideogram.finish()
    run = Run.objects.get()
    assert (run.state, run.pause) == (Run.State.PAUSED, "ceiling")
    ideogram.assert_charged(credits=6)


def test_what_is_made_from_missing_pictures_comes_after_them(
    ideogram: Ideogram, tmp_path: Path
) -> None:
    """A reference that is not there yet could only fail."""
    (first,) = missing(1)
    second = entry(
        png("red"), prompt="Its like", parameters={"reference_image": f"picture:{first['uuid']}"}
    )
    third = entry(
        png("tan"),
        prompt="Both",
        parameters={
            "style_reference_images": [f"picture:{one['uuid']}" for one in (first, second)]
        },
    )
    path = written(tmp_path / "gone.jsonl", third, second, first)

    for told, prompt in (("2 missing, and made from", "Harbour 0"), ("1 missing, and", "Its like")):
        assert told in take_in(path, "--make-missing", "--yes")
        ideogram.finish()
        ideogram.assert_generated(prompt, times=1)
    take_in(path, "--make-missing", "--yes")
    ideogram.finish()
    ideogram.assert_completed(3)
    assert "3 here already" in take_in(path)


def test_a_dry_run_knows_which_references_would_be_there(
    ideogram: Ideogram, tmp_path: Path
) -> None:
    there = entry(png())
    made = entry(png("red"), parameters={"reference_image": f"picture:{there['uuid']}"})
    (tmp_path / "copies").mkdir()
    (tmp_path / "copies" / f"{there['sha256']}.png").write_bytes(png())
    path = written(tmp_path / "two.jsonl", made, there)
    looked = take_in(path, "--files", str(tmp_path / "copies"), "--dry-run")
    done = take_in(path, "--files", str(tmp_path / "copies"))
    assert looked.replace("Nothing was changed.\n", "") == done
    assert "1 missing: the file" in done


@pytest.mark.parametrize(("answer", "sentence"), [("n\n", "nothing was spent"), ("", "--yes")])
def test_nothing_is_made_without_a_yes(
    ideogram: Ideogram, tmp_path: Path, monkeypatch: Any, answer: str, sentence: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    path = written(tmp_path / "gone.jsonl", *missing(1))
    with pytest.raises(CommandError, match=sentence):
        take_in(path, "--make-missing")
    assert GeneratedImage.objects.count() == 0


def test_a_dry_run_changes_nothing(ideogram: Ideogram, tmp_path: Path) -> None:
    there = entry(png())
    folder = tmp_path / "copies"
    folder.mkdir()
    (folder / f"{there['sha256']}.png").write_bytes(png())
    path = written(tmp_path / "some.jsonl", there, entry(), *missing(1))
    told = take_in(path, "--files", str(folder), "--dry-run")
    assert re.search(r"1 taken over.*1 saved as drafts.*1 missing", told, re.DOTALL)
    assert GeneratedImage.objects.count() == 0


def test_failures_stay_behind_and_own_work_without_a_file_is_lost(
    ideogram: Ideogram, tmp_path: Path
) -> None:
    path = written(
        tmp_path / "some.jsonl",
        entry(status="failed"),
        entry(png(), uploaded=True, prompt="", model=""),
        entry(png("red"), model="ideogram-v1-gone"),
    )
    told = take_in(path)
    assert "1 left out" in told
    assert "2 lost" in told
    assert "own work cannot be made again" in told
    assert "There is no model “ideogram-v1-gone”" in told
    assert GeneratedImage.objects.count() == 0


# --- hostile and broken input ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("nonsense", "not strict JSON"),
        ("[1]", "not a JSON object"),
        ('{"uuid": 1, "uuid": 2}', "not strict JSON"),
        ("[" * 5000, "not strict JSON"),
        (b"\xff\xfe", "not strict JSON"),
        ({"status": "draft"}, "uuid: It is missing"),
        (entry(uuid="42"), "no UUID"),
        (entry(status="finished"), "There is no status"),
        (entry(prompt=7), "prompt: It must be text"),
        (entry(prompt="A\x00B"), "characters that are none"),
        (entry(prompt="A\ud800B"), "characters that are none"),
        (entry(prompt=""), "prompt: "),
        (entry(alt_text="x" * 1001), "alt_text: "),
        (entry(picked="yes"), "picked: It must be true or false"),
        (entry(parameters={"seed": -1}), "parameters: It must be a whole number"),
        (entry(parameters={"seed": 10**40}), "parameters: It must be a whole number"),
        (entry(parameters={"api_key": "x"}), "There is no parameter 'api_key'"),
        (entry(parameters={"style_reference_images": "x"}), "must be a list"),
        (entry(charge=3), "'charge': There is no such key"),
        (entry(profile="season"), "belong together"),
        (entry(created_at="2026-01-01T00:00:00"), "no time with a zone"),
        (entry(created_at="2026-13-01T00:00:00Z"), "no time with a zone"),
        (entry(created_at="0001-01-01T00:00:00+14:00"), "no time at which"),
        (entry(created_at="9999-12-31T23:59:59-14:00"), "no time at which"),
        (entry(sha256="A" * 64), "no SHA-256"),
        (entry(file="../secret.png"), "leads out of its folder"),
        (entry(file="a/../../secret.png"), "leads out of its folder"),
        (entry(file="/etc/passwd"), "leads out of its folder"),
        (entry(file="..\\secret.png"), "leads out of its folder"),
        (entry(file="a\\secret.png"), "cannot be the name"),
        (entry(file="C:secret.png"), "cannot be the name"),
        (entry(file="a\nb.png"), "cannot be the name"),
        (entry(uuid="0" * 32, parent="0" * 32), "from itself"),
        (entry(prompt="x" * 300_000), "longer than 256 KiB"),
    ],
)
def test_a_bad_line_is_told_by_number_and_nothing_is_written(
    ideogram: Ideogram, tmp_path: Path, line: Any, sentence: str
) -> None:
    path = written(tmp_path / "bad.jsonl", entry(), "", line, entry())
    with pytest.raises(CommandError, match=r"Nothing was changed") as refused:
        take_in(path)
    assert re.search(rf"^Line 4: .*{re.escape(sentence)}", str(refused.value))
    assert str(refused.value).count("Line ") == 1
    assert GeneratedImage.objects.count() == 0

    assert "1 line passed over" in take_in(path, "--skip-bad-lines")
    assert GeneratedImage.objects.count() == 2


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "It is empty"),
        (b"\n\n", "It is empty"),
        (b'{"uuid": "x"}\n', "does not begin as an export"),
        (b'{"format": "ideogram_django recipes", "version": "1"}\n', "does not begin"),
        (b'{"format": "ideogram_django recipes", "version": 2}\n', "Upgrade this site first"),
        (png(), "does not begin as an export"),
    ],
)
def test_a_file_that_is_none_is_told(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "none.jsonl"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=sentence):
        take_in(path)


def test_exports_may_be_put_one_after_another_and_begin_with_a_byte_order_mark(
    ideogram: Ideogram, tmp_path: Path
) -> None:
    path = written(tmp_path / "two.jsonl", entry(), lines.header(), entry())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert "2 saved as drafts" in take_in(path)


def test_a_wrong_hash_is_not_taken(ideogram: Ideogram, tmp_path: Path) -> None:
    one = entry(png("navy"))
    folder = tmp_path / "copies"
    folder.mkdir()
    (folder / f"{one['sha256']}.png").write_bytes(png("red"))
    told = take_in(written(tmp_path / "one.jsonl", one), "--files", str(folder))
    assert "is another file: its hash differs" in told
    assert "1 missing" in told
    assert GeneratedImage.objects.count() == 0


def test_what_is_no_picture_is_not_taken_although_its_hash_is_right(
    ideogram: Ideogram, tmp_path: Path
) -> None:
    page = b"<script>alert(1)</script>"
    one = entry(page)
    folder = tmp_path / "copies"
    folder.mkdir()
    (folder / f"{one['sha256']}.png").write_bytes(page)
    told = take_in(written(tmp_path / "one.jsonl", one), "--files", str(folder))
    assert "not a picture" in told
    assert GeneratedImage.objects.count() == StoredObject.objects.count() == 0


def test_a_file_that_is_larger_than_allowed_is_not_taken(
    ideogram: Ideogram, tmp_path: Path, settings: Any
) -> None:
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "MAX_IMAGE_BYTES": 100}
    one = entry(png())
    folder = tmp_path / "copies"
    folder.mkdir()
    (folder / f"{one['sha256']}.png").write_bytes(png())
    told = take_in(written(tmp_path / "one.jsonl", one), "--files", str(folder))
    assert "larger than this site allows" in told


def test_links_do_not_lead_out_of_the_folder_and_pipes_are_not_opened(
    ideogram: Ideogram, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.png"
    outside.write_bytes(png())
    folder = tmp_path / "copies"
    folder.mkdir()
    linked, piped = entry(png()), entry(png("red"))
    (folder / f"{linked['sha256']}.png").symlink_to(outside)
    os.mkfifo(folder / f"{piped['sha256']}.png")
    told = take_in(written(tmp_path / "two.jsonl", linked, piped), "--files", str(folder))
    assert "2 missing" in told


def test_a_file_elsewhere_in_the_storage_is_copied_so_that_it_is_not_deleted_with_the_picture(
    ideogram: Ideogram, tmp_path: Path
) -> None:
    default_storage.save("branding/logo.png", ContentFile(png()))
    one = entry(png(), file="branding/logo.png")
    take_in(written(tmp_path / "one.jsonl", one))
    image = GeneratedImage.objects.get()
    assert image.file.name.startswith("ideogram/")
    image.delete()
    call_command("ideogram_housekeeping", stdout=io.StringIO())
    assert default_storage.exists("branding/logo.png")


def test_a_file_that_is_about_to_be_swept_away_is_copied(
    library: list[GeneratedImage], ideogram: Ideogram, tmp_path: Path
) -> None:
    """The pictures were deleted, their files not yet."""
    path = tmp_path / "library.jsonl"
    export("--where", "status=completed", "--out", str(path))
    GeneratedImage.objects.all().delete()
    take_in(path)
    call_command("ideogram_housekeeping", stdout=io.StringIO())
    ideogram.finish()
    assert GeneratedImage.objects.completed().count() == 5
    for image in GeneratedImage.objects.completed():
        assert default_storage.exists(image.file.name)


# --- exporting ------------------------------------------------------------------------------------


def test_no_secret_and_no_address_of_the_provider_is_written(
    library: list[GeneratedImage], ideogram: Ideogram, settings: Any
) -> None:
    GeneratedImage.objects.filter(pk=library[4].pk).update(
        style_reference_images=["https://cdn2.apiframe.ai/a.png", "https://example.org/b.png"],
        reference_image="https://cdn2.apiframe.ai/a.png",
        extra={"token": "hidden"},
    )
    text = export()
    assert settings.IDEOGRAM_DJANGO["API_KEY"] not in text
    assert "apiframe" not in text
    assert "127.0.0.1" not in text
    assert "hidden" not in text
    (styled,) = [one for one in entries(text) if one["prompt"] == "Again"]
    assert styled["parameters"] == {
        "seed": 7,
        "style_reference_images": ["https://example.org/b.png"],
    }
    assert styled["requested_by"] == ""


def test_some_pictures_alone(library: list[GeneratedImage]) -> None:
    def count(*conditions: str) -> int:
        arguments = [part for one in conditions for part in ("--where", one)]
        return len(entries(export(*arguments)))

    assert count("status=completed") == 5
    assert count("status=draft,failed") == 1
    assert count("picked=yes") == 1
    assert count("picked=no", "status=completed") == 4
    assert count("profile=season") == count("profile=season:3") == 3
    assert count("profile=season:4") == 0
    assert count("since=2026-01-02") == count("until=2026-01-02T03:04:06Z") == 6
    assert count("since=2026-01-03") == count("until=2026-01-02") == 0


@pytest.mark.parametrize(
    "condition", ["status", "status=done", "picked=maybe", "since=soon", "cost=3", "profile=a:b"]
)
def test_a_wrong_condition_is_told_before_anything_is_written(
    condition: str, tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match=re.escape(re.split("[=:]", condition)[-1])):
        export("--where", condition, "--out", str(tmp_path / "out.jsonl"))
    assert list(tmp_path.iterdir()) == []


def test_copies_that_are_there_are_not_copied_again_and_missing_ones_are_told(
    library: list[GeneratedImage], tmp_path: Path
) -> None:
    copies = tmp_path / "copies"
    export("--files", str(copies))
    before = {path.name: path.stat().st_mtime_ns for path in copies.iterdir()}
    export("--files", str(copies))
    assert {path.name: path.stat().st_mtime_ns for path in copies.iterdir()} == before

    image = GeneratedImage.objects.get(pk=library[0].pk)
    default_storage.delete(image.file.name)
    (copies / f"{image.sha256}.png").unlink()
    with pytest.raises(
        CommandError, match=rf"{image.file.name} cannot be read .*\n1 original could"
    ):
        call_command(
            "ideogram_export", "--files", str(copies), stdout=io.StringIO(), stderr=io.StringIO()
        )


def test_a_changed_original_is_not_copied(library: list[GeneratedImage], tmp_path: Path) -> None:
    image = GeneratedImage.objects.get(pk=library[0].pk)
    Path(image.file.path).write_bytes(b"changed")
    with pytest.raises(CommandError, match="not the file that"):
        export("--files", str(tmp_path / "copies"))
    assert len(list((tmp_path / "copies").iterdir())) == 4


# --- large libraries ------------------------------------------------------------------------------


def many(count: int) -> None:
    GeneratedImage.objects.bulk_create(
        [
            GeneratedImage(prompt=f"Harbour {number}", model="ideogram-v4-turbo")
            for number in range(count)
        ],
        batch_size=2000,
    )


def test_queries_follow_the_batches_and_not_the_rows(ideogram: Ideogram, tmp_path: Path) -> None:
    many(2000)
    path = tmp_path / "library.jsonl"
    with CaptureQueriesContext(connection) as queries:
        export("--out", str(path))
    assert len(queries) == 2000 / exporting.BATCH + 1

    with CaptureQueriesContext(connection) as queries:
        assert "2000 here already" in take_in(path)
    assert len(queries) < 2000 / 200 * 6


def test_memory_does_not_grow_with_the_library(ideogram: Ideogram, tmp_path: Path) -> None:
    def peak(path: Path) -> int:
        tracemalloc.start()
        try:
            export("--out", str(path))
            take_in(path, "--dry-run")
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    many(1200)  # more than two batches of either
    small = peak(tmp_path / "small.jsonl")
    many(1200)
    assert peak(tmp_path / "large.jsonl") < 1.3 * small


# --- the documentation ----------------------------------------------------------------------------


def blocks(language: str) -> list[str]:
    found = rf"^```{language}\n(.*?)^```$"
    return re.findall(found, DOCUMENT.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_documented_commands_work(
    library: list[GeneratedImage],
    ideogram: Ideogram,
    ideogram_media: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)

    def run(block: str) -> None:
        for line in block.splitlines():
            python, manage, command, *arguments = shlex.split(line)
            assert (python, manage) == ("python", "manage.py")
            call_command(command, *arguments, stdout=io.StringIO(), stderr=io.StringIO())

    moved, chosen, made = blocks("console")
    run(moved.splitlines()[0])
    run(chosen)
    empty_the_database()
    run("\n".join(moved.splitlines()[1:]))
    assert GeneratedImage.objects.count() == 6

    empty_the_database()
    shutil.rmtree(ideogram_media)
    run(made)
    ideogram.finish()
    # Its reference picture was an upload, and that is lost.
    assert Run.objects.get().report().completed == 3


def test_the_documented_format_is_the_format(library: list[GeneratedImage]) -> None:
    header, example = map(json.loads, blocks("json"))
    assert header == lines.header()
    assert lines.recipe_of(example).picked
    assert list(example) == list(entries(export())[0])
    assert set(example) == {one.name for one in fields(lines.Recipe)}
