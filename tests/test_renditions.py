"""Stored copies by width and format, and the colour of a placeholder: drawn, stored, caught up."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from PIL import Image, ImageCms, features

from ideogram_django.models import GeneratedImage, StoredObject
from ideogram_django.pictures import renditions
from ideogram_django.pictures.verifying import Verified, verify
from ideogram_django.simulator import Simulator
from tests.drain import configured, drain, drain_to_end, make_due, twin
from tests.test_life import assert_storage_is_honest

__all__ = ["twin"]

BOTH = ("webp", "avif")


def png(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def copies_of(image: Image.Image, kind: str = "PNG", **options: Any) -> Verified:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return verify(file, max_pixels=1_000_000, widths=(50, 100), formats=BOTH)


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def stored(image: GeneratedImage) -> list[tuple[str, int]]:
    image.refresh_from_db()
    return [(one["format"], one["width"]) for one in image.renditions]


# --- which ones ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "widths", "formats", "expected"),
    [
        ((200, 100), (50, 100), ["webp"], [("webp", 50), ("webp", 100)]),
        ((200, 100), (100, 50, 100, 0, -3), ["webp"], [("webp", 50), ("webp", 100)]),
        ((200, 100), (200, 400), ["webp"], []),
        ((200, 100), (100, 400), ["avif"], [("avif", 100), ("avif", 200)]),
        (
            (200, 100),
            (50,),
            ["avif", "webp"],
            [("webp", 50), ("avif", 50), ("avif", 200)],
        ),
        ((200, 100), (), ["webp"], []),
        ((200, 100), (), ["avif"], [("avif", 200)]),
        ((200, 100), (50,), [], []),
        ((40, 40_000), (10, 20), BOTH, [("webp", 10), ("avif", 10), ("avif", 20), ("avif", 40)]),
        ((40, 80_000), (10,), BOTH, [("avif", 10)]),
    ],
)
def test_which_copies_a_picture_gets(
    size: tuple[int, int],
    widths: tuple[int, ...],
    formats: list[str],
    expected: list[tuple[str, int]],
) -> None:
    assert renditions.planned(size, widths, formats) == expected


def test_both_formats_in_one_pass() -> None:
    copies = copies_of(Image.new("RGB", (200, 100), "teal")).renditions

    assert [(one.format, one.width, one.height) for one in copies] == [
        ("webp", 50, 25),
        ("avif", 50, 25),
        ("webp", 100, 50),
        ("avif", 100, 50),
        ("avif", 200, 100),
    ]
    for one in copies:
        found = opened(one.content)
        assert (found.format, found.size) == (one.format.upper(), (one.width, one.height))


def test_avif_keeps_profile_and_transparency_and_drops_the_rest() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    clear = Image.new("RGBA", (200, 100), "red")
    clear.paste((0, 0, 0, 0), (0, 0, 100, 100))

    for one in copies_of(clear, icc_profile=profile, exif=exif).renditions:
        found = opened(one.content)
        assert found.info["icc_profile"] == profile
        assert not found.getexif()
        assert found.mode == "RGBA"
        assert found.getchannel("A").getpixel((2, 2)) < 10
        assert found.getchannel("A").getpixel((one.width - 3, 2)) > 245


def test_avif_is_upright_in_full_width_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned to the right
    picture = Image.new("RGB", (200, 100), "blue")
    picture.paste("red", (0, 0, 100, 100))

    verified = copies_of(picture, "JPEG", exif=exif)

    assert (verified.width, verified.height) == (100, 200)
    for one in verified.renditions:
        found = opened(one.content).convert("RGB")
        assert found.size == (one.width, one.height)
        red, _green, blue = found.getpixel((one.width // 2, one.height // 4))
        assert red > 200
        assert blue < 60


def test_a_format_that_pillow_lacks_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda feature: feature != "avif")
    copies = copies_of(Image.new("RGB", (200, 100))).renditions
    assert [(one.format, one.width) for one in copies] == [("webp", 50), ("webp", 100)]


# --- the colour ---------------------------------------------------------------------------------


def near(found: str, expected: tuple[int, int, int]) -> bool:
    channels = tuple(int(found[start : start + 2], 16) for start in (1, 3, 5))
    return all(abs(one - other) < 12 for one, other in zip(channels, expected, strict=True))


def test_the_colour_is_the_one_that_most_of_it_has() -> None:
    picture = Image.new("RGB", (300, 200), (20, 40, 90))
    picture.paste((250, 240, 200), (0, 0, 110, 200))
    assert near(copies_of(picture).color, (20, 40, 90))


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "I;16"])
def test_every_kind_of_picture_has_a_colour(mode: str) -> None:
    picture = Image.new("L", (200, 100), 255)
    if mode == "I;16":
        picture = Image.frombytes("I;16", (200, 100), b"\xff\xff" * 20_000)
    elif mode != "L":
        picture = picture.convert(mode)
    assert near(copies_of(picture).color, (255, 255, 255))


def test_what_is_clear_has_no_say() -> None:
    picture = Image.new("RGBA", (200, 100), (255, 0, 0, 0))
    picture.paste((0, 90, 0, 255), (0, 0, 40, 100))
    assert near(copies_of(picture).color, (0, 90, 0))
    assert copies_of(Image.new("RGBA", (200, 100), (255, 0, 0, 0))).color == ""


# --- in the storage -----------------------------------------------------------------------------


def test_both_formats_are_stored_and_owned(twin: Simulator, settings: Any) -> None:
    with configured(settings, FORMATS=["avif", "webp"]):
        image = GeneratedImage.objects.generate("A fox", aspect_ratio="16:9")
        drain_to_end(image)

    assert stored(image) == [
        ("webp", 64),
        ("avif", 64),
        ("webp", 160),
        ("avif", 160),
        ("avif", image.width),
    ]
    for one in image.renditions:
        with default_storage.open(one["name"]) as file:
            found = Image.open(file)
            assert (found.format, found.size) == (
                one["format"].upper(),
                (one["width"], one["height"]),
            )
    assert_storage_is_honest()
    assert len(image.color) == 7
    names = [one["name"] for one in image.renditions]
    assert image.thumbnail_url == default_storage.url(names[0])

    image.delete()
    drain()
    assert not any(default_storage.exists(name) for name in names)


def test_an_upload_has_its_colour_at_once_and_its_copies_soon(
    twin: Simulator, settings: Any
) -> None:
    content = png(Image.new("RGB", (200, 100), (20, 40, 90)))
    with configured(settings, FORMATS=BOTH):
        image = GeneratedImage.objects.from_upload(ContentFile(content, name="a.png"))
        assert near(image.color, (20, 40, 90))
        assert image.thumbnail_url == image.url
        drain_to_end(image)
    assert stored(image) == [
        ("webp", 64),
        ("avif", 64),
        ("webp", 160),
        ("avif", 160),
        ("avif", 200),
    ]


def test_copies_for_new_settings_are_made_and_the_others_left_alone(
    twin: Simulator, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    image = GeneratedImage.objects.generate("A fox")
    drain_to_end(image)
    before = image.renditions
    assert stored(image) == [("webp", 64), ("webp", 160)]

    with configured(settings, FORMATS=BOTH, WIDTHS=[64, 100]):
        call_command("ideogram_housekeeping", widths=True)
        assert "more copies: 1." in capsys.readouterr().out
        drain_to_end(image)
        assert stored(image) == [
            ("webp", 64),
            ("avif", 64),
            ("webp", 100),
            ("avif", 100),
            ("webp", 160),
            ("avif", image.width),
        ]
        assert [one for one in image.renditions if one in before] == before
        call_command("ideogram_housekeeping", widths=True)
        assert "more copies: 0." in capsys.readouterr().out
    assert_storage_is_honest()


def test_copies_of_an_older_release_name_no_format(twin: Simulator, settings: Any) -> None:
    """They are WebP, and are not made again."""
    image = GeneratedImage.objects.generate("A fox")
    drain_to_end(image)
    old = [{name: one[name] for name in ("name", "width", "height")} for one in image.renditions]
    GeneratedImage.objects.update(renditions=old, color="")

    call_command("ideogram_housekeeping", widths=True)
    drain_to_end(image)
    assert image.renditions == old

    with configured(settings, FORMATS=BOTH):
        call_command("ideogram_housekeeping", widths=True)
        drain_to_end(image)
    assert [one.get("format") for one in image.renditions] == [None, "avif", None, "avif", "avif"]
    assert len(image.color) == 7
    assert image.thumbnail_url == default_storage.url(old[0]["name"])


def test_a_format_that_pillow_lacks_is_not_asked_for_again_and_again(
    twin: Simulator, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "check", lambda feature: feature != "avif")
    with configured(settings, FORMATS=BOTH):
        image = GeneratedImage.objects.generate("A fox")
        drain_to_end(image)
        call_command("ideogram_housekeeping", widths=True)
        image.refresh_from_db()
        assert image.next_check_at is None
        make_due()
        drain()
    assert stored(image) == [("webp", 64), ("webp", 160)]
    assert StoredObject.objects.filter(kind="width", deleted_at=None).count() == 2


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"renditions": []}, "a/lake.png"),
        ({"renditions": [{"name": "w", "width": 320}]}, "w"),
        (
            {
                "renditions": [
                    {"name": "a", "width": 64, "format": "avif"},
                    {"name": "w", "width": 320, "format": "webp"},
                ]
            },
            "w",
        ),
        ({"renditions": [{"name": "a", "width": 64, "format": "avif"}]}, "a"),
        ({"renditions": [{"name": "a", "width": 640, "format": "avif"}]}, "a/lake.png"),
    ],
)
def test_the_thumbnail(columns: dict[str, Any], expected: str) -> None:
    image = GeneratedImage(file="a/lake.png", width=640, height=480, **columns)
    assert image.thumbnail_url == f"/media/{expected}"
