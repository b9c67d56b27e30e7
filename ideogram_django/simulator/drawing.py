"""A picture for every prompt: its words, readable, on a generated background.

The background follows from the prompt and the seed, or from the prompt and the job where no seed
was given, so that four drafts of one prompt differ as they do at the provider.
"""

import hashlib
import io
import random
import re
from collections.abc import Mapping

from PIL import Image, ImageDraw

from ideogram_django.simulator.faults import without_marks
from ideogram_django.simulator.lettering import Typeface, set_lines
from ideogram_django.simulator.palettes import Palette, palettes
from ideogram_django.simulator.scenes import scenes

_QUOTED = re.compile(r"[\"“„«]([^\"“”„«»]{1,80})[\"”“»]")
_RATIO = re.compile(r"([0-9]{1,2}):([0-9]{1,2})")
_RESOLUTION = re.compile(r"([0-9]{2,4})x([0-9]{2,4})")
_PAPER = (252, 249, 243)
_LONG_SIDE = 1280
_SQUARE_SIDE = 1024
_LARGEST_SIDE = 3328
_WORDS = {
    "city": "city street skyline town office building night urban berlin london paris tokyo",
    "forest": "forest tree trees wood woods pine spruce bear fox deer autumn garden",
    "waves": "sea ocean wave waves beach river lake boat ship sail fish harbour water",
    "dunes": "mountain mountains desert dune dunes hill hills landscape sunset sunrise valley",
}
_COLOURS = {
    "sea": "sea ocean blue water lake ice winter",
    "forest": "forest green tree trees garden nature leaf tea",
    "desert": "desert orange autumn coffee bread warm fire",
    "night": "night moon stars space jazz winter",
    "rose": "rose pink love flower flowers wedding spring",
    "dusk": "sunset dusk purple summer evening",
}


def picture_size(params: Mapping[str, object], long_side: int | None) -> tuple[int, int]:
    """Return width and height in pixels for these `ideogramParams`."""
    width, height = _SQUARE_SIDE, _SQUARE_SIDE
    resolution = _RESOLUTION.fullmatch(str(params.get("resolution", "")))
    ratio = _RATIO.fullmatch(str(params.get("aspect_ratio", "")))
    if resolution is not None:
        width, height = (max(16, min(_LARGEST_SIDE, int(n))) for n in resolution.groups())
    elif ratio is not None and ratio[1] != ratio[2] and "0" not in (ratio[1], ratio[2]):
        across, down = int(ratio[1]), int(ratio[2])
        largest = max(across, down)
        width, height = _LONG_SIDE * across // largest, _LONG_SIDE * down // largest
    if long_side is not None:
        largest = max(width, height)
        width, height = (max(1, n * long_side // largest) for n in (width, height))
    return width, height


def draw_png(
    prompt: str, params: Mapping[str, object], variation: str, long_side: int | None = None
) -> bytes:
    """Return the PNG of a job; `variation` tells apart jobs with the same request."""
    text = " ".join(without_marks(prompt).split()).encode("utf-8", "replace").decode()
    width, height = picture_size(params, long_side)
    seed = f"{text}|{params.get('seed', variation)}"
    rng = random.Random(hashlib.sha256(seed.encode()).digest())  # noqa: S311 - art
    style = str(params.get("style_type", "AUTO")).upper()
    palette_name, scene_name = _mood(text, style, rng)
    palette = palettes()[palette_name]
    picture = scenes()[scene_name](width, height, palette, rng)
    if min(width, height) >= 128 and text:
        _set_words(picture, text, palette)
    output = io.BytesIO()
    picture.save(output, "PNG", compress_level=3)
    return output.getvalue()


def _mood(text: str, style: str, rng: random.Random) -> tuple[str, str]:
    """Choose palette and scene: by words of the prompt, by style, else by chance."""
    words = set(re.findall(r"[a-z]+", text.lower()))
    fitting = [name for name, known in _WORDS.items() if words & set(known.split())]
    colours = [name for name, known in _COLOURS.items() if words & set(known.split())]
    if style == "DESIGN" or (_QUOTED.search(text) and not fitting):
        return rng.choice(colours or ["bauhaus", "mint", "rose", "sea"]), rng.choice(
            ["bauhaus", "sunburst", "waves", "blooms"]
        )
    pictures = ["dunes", "forest", "city", "waves", "blooms"]
    if style == "REALISTIC":
        pictures = ["dunes", "forest", "city"]
    return rng.choice(colours or list(palettes())), rng.choice(fitting or pictures)


def _set_words(picture: Image.Image, text: str, palette: Palette) -> None:
    """Quoted words large, as Ideogram letters them; the prompt under them as a caption."""
    width, height = picture.size
    margin = round(min(width, height) * 0.07)
    room = width - 2 * margin
    face = Typeface(text)
    quoted = _QUOTED.search(text)
    caption, headline = text, ""
    if quoted is not None and len(text) <= 600:
        headline = quoted[1].strip()
    smallest = max(9, min(width, height) // 60)
    large = max(smallest, round(min(height * 0.16, width * 0.12)))
    small = max(smallest, round(min(width, height) * 0.038))
    lines: list[str] = []
    size = 0
    if headline:
        size, lines = face.fit(headline, room, round(height * 0.5), large, smallest, 1.12)
        caption_size, caption_lines = face.fit(
            caption, min(room, height * 2), round(height * 0.24), small, smallest, 1.4
        )
    else:
        biggest = round(large * 0.66) if len(caption) < 60 else round(large * 0.5)
        caption_size, caption_lines = face.fit(
            caption, room, round(height * 0.82), max(smallest, biggest), smallest, 1.34
        )
    leading = 1.4 if headline else 1.34
    caption_height = round(len(caption_lines) * caption_size * leading)
    headline_height = round(len(lines) * size * 1.12)
    gap = round(margin * 0.5) if headline else 0
    top = height - margin - caption_height - gap - headline_height
    if not any(line.strip() for line in (*lines, *caption_lines)):
        return
    _darken(picture, palette, top, margin)
    if lines:
        set_lines(picture, face, lines, (margin, top), size, 1.12, _PAPER, bold=True)
    rule = top - round(margin * 0.45)
    if rule > margin * 0.3:
        pen = ImageDraw.Draw(picture)
        pen.rectangle(
            (margin, rule, margin + min(width, height) * 0.09, rule + max(2, height // 160)),
            fill=palette.accent,
        )
    at = (margin, top + headline_height + gap)
    set_lines(picture, face, caption_lines, at, caption_size, leading, _PAPER)


def _darken(picture: Image.Image, palette: Palette, top: int, margin: int) -> None:
    """Lay a shade in the palette's deepest colour under the words, fading out above them."""
    width, height = picture.size
    fade = max(margin * 2, height // 6)
    shade = Image.new("L", (1, height), 0)
    for y in range(height):
        depth = (y - (top - fade)) / fade
        shade.putpixel((0, y), round(205 * max(0.0, min(1.0, depth)) ** 1.3))
    picture.paste(palette.deep, mask=shade.resize((width, height)))
