"""Pictures and things that only look like pictures; every file is made here."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import threading
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageDraw, PngImagePlugin

from ideogram_django.exceptions import PictureError
from ideogram_django.pictures import renditions, verifying
from ideogram_django.pictures.verifying import verify

LIMIT = 1_000_000


def drawn(mode="RGB", size=(400, 200)):
    """Red on the left, blue on the right, a diagonal across: turns and flips show."""
    image = Image.new("RGB", size, "blue")
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, size[0] // 2, size[1]), fill="red")
    pen.line((0, 0, *size), fill="white", width=3)
    return image.convert(mode)


def encoded(kind, image=None, **options):
    file = io.BytesIO()
    (image or drawn()).save(file, kind, **options)
    return file.getvalue()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, *extra, data=b"", depth=8, colour=2):
    """A PNG that claims any size, with ``extra`` chunks before the pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(data, 9))
    chunks = (chunk(b"IHDR", header), *extra, pixels, chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def refusal(content, **changes):
    with pytest.raises(PictureError) as caught:
        verify(io.BytesIO(content), **{"max_pixels": LIMIT, "widths": (100,), **changes})
    return caught.value.code, caught.value.permanent


def make_renditions(file, **options):
    return verify(file, **options).renditions


def opened(rendition):
    return Image.open(io.BytesIO(rendition.content), formats=["WEBP"])


class TestVerify:
    @pytest.mark.parametrize(
        ("kind", "extension", "content_type"),
        [
            ("PNG", "png", "image/png"),
            ("JPEG", "jpg", "image/jpeg"),
            ("WEBP", "webp", "image/webp"),
        ],
    )
    def test_what_it_is(self, kind, extension, content_type):
        verified = verify(io.BytesIO(encoded(kind)), max_pixels=LIMIT)
        assert (verified.width, verified.height) == (400, 200)
        assert (verified.format, verified.extension) == (kind, extension)
        assert verified.content_type == content_type
        assert verified.renditions == ()

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_the_file_is_left_open_and_unchanged(self, kind):
        content = encoded(kind)
        file = io.BytesIO(content)
        file.seek(7)
        verify(file, max_pixels=LIMIT, widths=(100,))
        assert file.getvalue() == content

    @pytest.mark.parametrize(
        "content",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b"<!doctype html><script>alert(1)</script>", id="html"),
            pytest.param(b'<svg xmlns="http://www.w3.org/2000/svg"/>', id="svg"),
            pytest.param(b"%PDF-1.7\n", id="pdf"),
            pytest.param(encoded("GIF"), id="gif"),
            pytest.param(encoded("BMP"), id="bmp"),
            pytest.param(encoded("TIFF"), id="tiff"),
            pytest.param(encoded("ICO"), id="ico"),
            pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n", id="eps"),
            pytest.param(b"\x89PNG\r\n\x1a\n", id="png signature alone"),
            pytest.param(b"\x89PNG\r\n\x1a\n<html>", id="html behind a png signature"),
            pytest.param(b"\xff\xd8\xff", id="jpeg signature alone"),
            pytest.param(b"\xff\xd8\xff\xe0<script>", id="html behind a jpeg signature"),
            pytest.param(b"RIFF\x00\x00\x00\x00WEBP", id="webp signature alone"),
            pytest.param(b"RIFF\x40\x00\x00\x00WEBPVP8X" + bytes(40), id="webp without pixels"),
            pytest.param(b"RIFF\x40\x00\x00\x00WEBPHTML" + bytes(40), id="webp unknown chunk"),
            pytest.param(b"RIFF\x40\x00\x00\x00WAVEfmt " + bytes(40), id="wave"),
            pytest.param(png(0, 0), id="png of no size"),
            pytest.param(png(10, 10, data=b""), id="png without pixels"),
            pytest.param(png(10, 10, data=bytes(5), colour=9), id="png of unknown colours"),
            pytest.param(png(10, 10, chunk(b"\xff\xfe\x00\x01", b"")), id="png chunk names"),
        ],
    )
    def test_not_a_picture(self, content):
        assert refusal(content) == ("not_a_picture", True)

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    @pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.95])
    def test_cut_short(self, kind, part):
        noise = Image.effect_noise((300, 300), 90).convert("RGB")
        content = encoded(kind, noise)
        assert refusal(content[: int(len(content) * part)]) == ("not_a_picture", True)

    def test_only_the_first_frame_of_a_moving_picture(self):
        frames = [drawn(), Image.new("RGB", (400, 200), "lime")]
        for kind in ("PNG", "WEBP"):
            content = encoded(kind, frames[0], save_all=True, append_images=frames[1:])
            verified = verify(io.BytesIO(content), max_pixels=LIMIT, widths=(40,))
            red, green, _blue = opened(verified.renditions[0]).convert("RGB").getpixel((5, 15))
            assert red > 200
            assert green < 60

    def test_several_pictures_in_one_jpeg(self):
        """Phones write these; Pillow calls them MPO."""
        content = encoded("MPO", drawn(), save_all=True, append_images=[drawn()])
        assert verify(io.BytesIO(content), max_pixels=LIMIT).format == "JPEG"

    def test_what_follows_the_picture_is_left_alone(self):
        content = encoded("PNG") + b"<html>PK\x03\x04"
        assert verify(io.BytesIO(content), max_pixels=LIMIT).content_type == "image/png"

    @pytest.mark.parametrize("position", range(1, 9))
    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_turned_upright(self, kind, position):
        exif = Image.Exif()
        exif[0x0112] = position
        content = encoded(kind, exif=exif)
        verified = verify(io.BytesIO(content), max_pixels=LIMIT, widths=(100,))
        expected = (400, 200) if position < 5 else (200, 400)
        assert (verified.width, verified.height) == expected
        [rendition] = verified.renditions
        assert (rendition.width, rendition.height) == (100, 50 if position < 5 else 200)
        reds = {  # where the red half ends up, by EXIF's own definition of the eight positions
            **dict.fromkeys((1, 4), (0.1, 0.5)),
            **dict.fromkeys((2, 3), (0.9, 0.5)),
            **dict.fromkeys((5, 6), (0.5, 0.1)),
            **dict.fromkeys((7, 8), (0.5, 0.9)),
        }
        image = opened(rendition).convert("RGB")
        x, y = (int(share * side) for share, side in zip(reds[position], image.size, strict=True))
        red, _green, blue = image.getpixel((min(x + 2, image.width - 1), y))
        assert red > 200
        assert blue < 60

    @pytest.mark.parametrize(
        "exif",
        [b"", b"Exif\0\0", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"nonsense", b"\xff" * 60_000],
    )
    @pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
    def test_damaged_metadata_counts_as_upright(self, exif):
        content = encoded("JPEG", exif=exif)
        assert verify(io.BytesIO(content), max_pixels=LIMIT, widths=(100,)).width == 400

    def test_threads_decode_one_at_a_time(self, monkeypatch):
        busy, most = [], []
        decode = verifying._decode

        def watched(*args):
            busy.append(1)
            most.append(len(busy))
            try:
                return decode(*args)
            finally:
                busy.pop()

        monkeypatch.setattr(verifying, "_decode", watched)
        content = encoded("PNG", size_of(900, 900))
        threads = [
            threading.Thread(target=lambda: verify(io.BytesIO(content), max_pixels=LIMIT))
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most == [1] * 6

    def test_the_lock_is_free_after_a_refusal(self):
        refusal(b"\x89PNG\r\n\x1a\n")
        assert verify(io.BytesIO(encoded("PNG")), max_pixels=LIMIT).width == 400

    def test_an_alarm_in_the_middle_is_not_swallowed(self, monkeypatch):
        class JobTimeout(Exception):  # noqa: N818 - as rq's JobTimeoutException: a plain Exception
            pass

        def alarmed(*_args):
            raise JobTimeout

        monkeypatch.setattr(Image.Image, "load", alarmed)
        monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", alarmed)
        with pytest.raises(JobTimeout):
            verify(io.BytesIO(encoded("PNG")), max_pixels=LIMIT)

    @pytest.mark.parametrize(
        "error",
        [
            *(OSError("broken"), SyntaxError(), ValueError(), EOFError(), struct.error()),
            *(zlib.error(), IndexError(), KeyError(), TypeError(), OverflowError()),
        ],
        ids=lambda error: f"{type(error).__module__}.{type(error).__name__}",
    )
    def test_whatever_pillow_raises_is_a_refusal(self, monkeypatch, error):
        asked = []

        def fail(*_args, **options):
            asked.append(options)
            raise error

        monkeypatch.setattr(Image, "open", fail)
        content = encoded("PNG")
        assert refusal(content) == ("not_a_picture", True)
        assert asked == [{"formats": ["PNG"]}]

    @pytest.mark.parametrize(
        "error",
        [OSError(), SyntaxError(), ValueError(), TypeError(), KeyError(), struct.error()],
        ids=repr,
    )
    def test_whatever_metadata_raises_means_upright(self, monkeypatch, error):
        def fail(*_args):
            raise error

        monkeypatch.setattr(Image.Exif, "load", fail)
        assert verify(io.BytesIO(encoded("PNG")), max_pixels=LIMIT).width == 400

    def test_a_disk_error_is_not_taken_for_a_bad_picture(self):
        class Failing(io.BytesIO):
            def read(self, *args):
                if self.tell() > 16:
                    raise OSError(5, "Input/output error")
                return super().read(*args)

        with pytest.raises(OSError, match="Input/output"):
            verify(Failing(encoded("PNG")), max_pixels=LIMIT)

    @given(st.data())
    def test_damage_anywhere_is_either_a_picture_or_a_refusal(self, data):
        kind = data.draw(st.sampled_from(sorted(SAMPLES)))
        content = bytearray(SAMPLES[kind])
        for _ in range(data.draw(st.integers(1, 6))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        try:
            verify(io.BytesIO(bytes(content)), max_pixels=LIMIT, widths=(20,))
        except PictureError as error:
            code = error.code
        else:
            code = None
        assert code in (None, "not_a_picture", "too_many_pixels")


class TestBombs:
    def test_the_limit_is_the_last_size_that_passes(self):
        content = encoded("PNG")
        assert verify(io.BytesIO(content), max_pixels=80_000).width == 400
        assert refusal(content, max_pixels=79_999) == ("too_many_pixels", True)

    @pytest.mark.parametrize("size", [(13_000, 13_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
    def test_a_png_that_claims_to_be_huge(self, size):
        assert refusal(png(*size)) == ("too_many_pixels", True)

    @pytest.mark.parametrize("size", [(1001, 1000), (16_384, 16_384)])
    def test_webp_that_claims_to_be_huge(self, size):
        width, height = size
        extended = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        lossless = b"\x2f" + ((width - 1) | (height - 1) << 14).to_bytes(4, "little") + bytes(9)
        lossy = bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", min(width, 16_383), height & 16_383)
        for name, data in ((b"VP8X", extended), (b"VP8L", lossless), (b"VP8 ", lossy)):
            if name == b"VP8 " and width == 16_384:
                continue  # its fields end at 16,383
            body = b"WEBP" + name + struct.pack("<I", len(data)) + data + bytes(16)
            content = b"RIFF" + struct.pack("<I", len(body)) + body
            assert refusal(content) == ("too_many_pixels", True)

    def test_a_jpeg_that_claims_to_be_huge(self):
        content = bytearray(encoded("JPEG"))
        frame = content.index(b"\xff\xc0")
        content[frame + 5 : frame + 9] = struct.pack(">HH", 65_500, 65_500)
        assert refusal(bytes(content)) == ("too_many_pixels", True)

    def test_memory_does_not_move(self):
        """169 million pixels in 160 kB, in a process of its own: decoded they take 500 MiB."""
        script = (
            "import io, resource, struct, sys, zlib\n"
            "from tests.test_verifying import png, refusal\n"
            "packer = zlib.compressobj(9)\n"
            "row = bytes(1 + 13_000)\n"
            "data = b''.join(packer.compress(row) for _ in range(13_000)) + packer.flush()\n"
            "content = png(13_000, 13_000, colour=0).replace(zlib.compress(b'', 9), data)\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "assert refusal(content, max_pixels=25_000_000) == ('too_many_pixels', True)\n"
            "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "print(len(content), after - before)\n"
        )
        pytest.importorskip("resource")
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script],
            capture_output=True,
            text=True,
            check=True,
        )
        size, growth = map(int, done.stdout.split())
        assert 100_000 < size < 300_000
        assert growth < 16 * 1024  # KiB

    def test_text_that_unfolds_without_end(self):
        bomb = chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(50_000_000), 9))
        assert refusal(png(1, 1, bomb, data=bytes(4))) == ("not_a_picture", True)

    def test_a_profile_that_unfolds_without_end(self):
        bomb = chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(50_000_000), 9))
        content = png(200, 1, bomb, data=bytes(601))
        try:
            [rendition] = verify(io.BytesIO(content), max_pixels=LIMIT, widths=(100,)).renditions
        except PictureError as error:
            assert error.code == "not_a_picture"  # noqa: PT017 - either is harmless
        else:
            assert len(rendition.content) < 1000

    def test_a_jpeg_of_a_thousand_scans(self):
        content = encoded("JPEG", progressive=True)
        last = content.rindex(b"\xff\xda")
        again = content[last : content.rindex(b"\xff\xd9")]
        assert refusal(content[:-2] + again * 1000 + b"\xff\xd9") == ("not_a_picture", True)
        few = content[:-2] + again * 20 + b"\xff\xd9"
        assert verify(io.BytesIO(few), max_pixels=LIMIT).format == "JPEG"

    def test_scan_marks_outside_of_the_picture_do_not_count(self):
        marks = b"\xff\xda" * 5000
        content = encoded("JPEG", comment=marks[:60_000]) + marks
        assert verify(io.BytesIO(content), max_pixels=LIMIT).format == "JPEG"


class TestRenditions:
    def test_smaller_widths_alone_narrowest_first(self):
        verified = verify(
            io.BytesIO(encoded("PNG")), max_pixels=LIMIT, widths=(320, 80, 400, 640, 80, 0, -5)
        )
        assert [(r.width, r.height) for r in verified.renditions] == [(80, 40), (320, 160)]
        for rendition in verified.renditions:
            assert opened(rendition).size == (rendition.width, rendition.height)

    def test_a_small_picture_has_none(self):
        verified = verify(io.BytesIO(encoded("PNG")), max_pixels=LIMIT, widths=(400, 1280))
        assert verified.renditions == ()

    def test_made_again_they_are_the_same(self):
        content = encoded("JPEG")
        verified = verify(io.BytesIO(content), max_pixels=LIMIT, widths=(80, 320))
        again = make_renditions(io.BytesIO(content), widths=(320, 80), max_pixels=LIMIT)
        assert again == verified.renditions

    def test_made_again_the_same_limits_hold(self):
        with pytest.raises(PictureError, match="pixels"):
            make_renditions(io.BytesIO(encoded("PNG")), widths=(80,), max_pixels=100)

    @pytest.mark.parametrize(
        ("kind", "mode"),
        [
            *(("PNG", mode) for mode in ("1", "L", "P", "RGB", "I;16")),
            *(("JPEG", mode) for mode in ("L", "RGB", "CMYK")),
            ("WEBP", "RGB"),
        ],
    )
    def test_every_colour_mode(self, kind, mode):
        image = drawn("L").convert("I;16") if mode == "I;16" else drawn(mode)
        if mode == "I;16":
            image = Image.frombytes("I;16", (400, 200), struct.pack("<H", 0xC000) * 80_000)
        [rendition] = make_renditions(
            io.BytesIO(encoded(kind, image)), widths=(100,), max_pixels=LIMIT
        )
        copy = opened(rendition)
        assert copy.mode == "RGB"
        if mode in ("P", "RGB", "CMYK"):
            red, _green, blue = copy.getpixel((10, 40))
            assert red > 200
            assert blue < 60
        if mode == "I;16":
            assert all(abs(value - 0xC0) < 4 for value in copy.getpixel((10, 40)))

    @pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB"])
    def test_transparency_is_kept(self, mode):
        clear, options = drawn("RGBA"), {}
        clear.paste((0, 0, 0, 0), (0, 0, 100, 200))
        if mode == "P":
            clear, options = drawn("P"), {}
            options["transparency"] = clear.getpixel((10, 150))
        elif mode == "RGB":
            clear, options = drawn(), {"transparency": (255, 0, 0)}
        else:
            clear = clear.convert(mode)
        content = encoded("PNG", clear, **options)
        for rendition in make_renditions(io.BytesIO(content), widths=(50, 100), max_pixels=LIMIT):
            copy = opened(rendition)
            assert copy.mode == "RGBA"
            alpha = copy.getchannel("A")
            assert alpha.getpixel((2, rendition.height * 3 // 4)) < 10
            assert alpha.getpixel((rendition.width - 3, 2)) > 245

    def test_metadata_is_left_out_and_a_fitting_profile_kept(self):
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        exif = Image.Exif()
        exif[0x010F] = "a camera"
        content = encoded("JPEG", icc_profile=profile, exif=exif, xmp=b"<x:xmpmeta/>")
        [rendition] = make_renditions(io.BytesIO(content), widths=(100,), max_pixels=LIMIT)
        copy = opened(rendition)
        assert copy.info["icc_profile"] == profile
        assert not copy.getexif()
        assert "xmp" not in copy.info

    @pytest.mark.parametrize(
        "profile",
        [b"short", bytes(16) + b"CMYK" + bytes(100), bytes(16) + b"RGB " + bytes(500_000)],
    )
    def test_other_profiles_are_dropped(self, profile):
        content = encoded("JPEG", icc_profile=profile)
        [rendition] = make_renditions(io.BytesIO(content), widths=(100,), max_pixels=LIMIT)
        assert "icc_profile" not in opened(rendition).info

    def test_too_tall_for_webp(self):
        """At 20 wide this one would be 20,000 tall; at 10 it fits."""
        content = encoded("PNG", size_of(40, 40_000))
        found = make_renditions(io.BytesIO(content), widths=(10, 20), max_pixels=2_000_000)
        assert [(r.width, r.height) for r in found] == [(10, 10_000)]
        assert renditions.MAX_SIDES["webp"] < 20_000

    def test_very_flat_pictures_keep_one_pixel(self):
        content = encoded("PNG", size_of(2000, 1))
        [rendition] = make_renditions(io.BytesIO(content), widths=(100,), max_pixels=LIMIT)
        assert (rendition.width, rendition.height) == (100, 1)


def size_of(width, height):
    return Image.new("RGB", (width, height), "teal")


SAMPLES = {
    kind: encoded(kind, drawn(size=(64, 48)), **options)
    for kind, options in {
        "PNG": {},
        "JPEG": {"exif": Image.Exif(), "progressive": True},
        "WEBP": {"lossless": True},
    }.items()
}
