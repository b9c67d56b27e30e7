"""Backgrounds: seven scenes, drawn from a seeded generator."""

import math
import random
from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw, ImageFilter, ImageOps

from ideogram_django.simulator.palettes import Colour, Palette, mix


def scenes() -> dict[str, Callable[[int, int, Palette, random.Random], Image.Image]]:
    """Return the painters by name."""
    return {
        "dunes": _dunes,
        "waves": _waves,
        "forest": _forest,
        "city": _city,
        "blooms": _blooms,
        "bauhaus": _bauhaus,
        "sunburst": _sunburst,
    }


def _sky(width: int, height: int, top: Colour, middle: Colour, bottom: Colour) -> Image.Image:
    ramp = Image.linear_gradient("L").resize((width, height), Image.Resampling.BICUBIC)
    return ImageOps.colorize(ramp, black=top, mid=middle, white=bottom)


def _glow(picture: Image.Image, x: float, y: float, radius: float, colour: Colour) -> None:
    side = max(2, int(radius * 2))
    # Pillow's radial gradient has 181 at the middle of its edges: there the glow must be over.
    light = Image.radial_gradient("L").point(lambda v: int(max(0.0, 1 - v / 181) ** 2 * 230))
    picture.paste(colour, (int(x - radius), int(y - radius)), light.resize((side, side)))


def _disc(picture: Image.Image, x: float, y: float, radius: float, colour: Colour) -> None:
    side = max(4, int(radius * 4))
    mask = Image.new("L", (side, side), 0)
    ImageDraw.Draw(mask).ellipse((0, 0, side - 1, side - 1), fill=255)
    mask = mask.reduce(2)
    picture.paste(colour, (int(x - radius), int(y - radius)), mask)


def _ridge(width: int, rng: random.Random, roughness: float) -> Callable[[float], float]:
    """Return a curve of a few sines between about -1 and 1 over the picture's width."""
    parts = [
        (rng.uniform(0.6, 1.4) * 2**n, rng.uniform(0, math.tau), roughness**n) for n in range(4)
    ]
    total = sum(weight for *_, weight in parts)
    return lambda x: sum(w * math.sin(math.tau * f * x / width + p) for f, p, w in parts) / total


def _layer(
    picture: Image.Image, outline: Sequence[tuple[float, float]], colour: Colour, *, shadow: int = 0
) -> None:
    """Fill everything below an outline, smoothly edged; `shadow` in pixels as of cut paper."""
    width, height = picture.size
    mask = Image.new("L", (width * 2, height * 2), 0)
    corners = [
        (0.0, height * 2.0),
        *((x * 2, y * 2) for x, y in outline),
        (width * 2.0, height * 2.0),
    ]
    ImageDraw.Draw(mask).polygon(corners, fill=255)
    mask = mask.reduce(2)
    if shadow:
        soft = mask.filter(ImageFilter.BoxBlur(shadow)).point(lambda v: v * 60 // 255)
        picture.paste((0, 0, 0), (0, -shadow // 2), soft)
    picture.paste(colour, mask=mask)


def _dunes(width: int, height: int, palette: Palette, rng: random.Random) -> Image.Image:
    picture = _sky(width, height, palette.dark, palette.mid, palette.light)
    x, y = width * rng.uniform(0.2, 0.8), height * rng.uniform(0.22, 0.42)
    sun = min(width, height) * rng.uniform(0.07, 0.13)
    _glow(picture, x, y, sun * 5, palette.accent)
    _disc(picture, x, y, sun, mix(palette.accent, palette.light, 0.55))
    layers = 6
    for n in range(layers):
        curve = _ridge(width, rng, 0.45)
        base = height * (0.46 + 0.1 * n)
        swing = height * (0.10 - 0.008 * n)
        outline = [(px, base + swing * curve(px)) for px in range(0, width + 9, 8)]
        haze = mix(mix(palette.mid, palette.light, 0.35), palette.deep, (n + 0.6) / layers)
        _layer(picture, outline, haze)
    return picture


def _waves(width: int, height: int, palette: Palette, rng: random.Random) -> Image.Image:
    picture = _sky(
        width, height, palette.light, mix(palette.light, palette.accent, 0.4), palette.accent
    )
    sun = min(width, height) * rng.uniform(0.12, 0.2)
    _disc(picture, width * rng.uniform(0.25, 0.75), height * 0.3, sun, palette.accent)
    layers = 7
    for n in range(layers):
        length = width / rng.uniform(1.6, 3.4)
        phase = rng.uniform(0, math.tau)
        tilt = rng.uniform(-0.06, 0.06) * height
        base = height * (0.3 + 0.105 * n)
        outline = [
            (
                px,
                base
                + tilt * px / width
                + height * 0.045 * math.sin(math.tau * px / length + phase),
            )
            for px in range(0, width + 9, 8)
        ]
        ramp = (palette.light, palette.mid, palette.dark, palette.deep)
        place = (n + 1) / layers * 3
        index = min(2, int(place))
        colour = mix(ramp[index], ramp[index + 1], place - index)
        _layer(picture, outline, colour, shadow=max(2, height // 60))
    return picture


def _forest(width: int, height: int, palette: Palette, rng: random.Random) -> Image.Image:
    picture = _sky(
        width, height, mix(palette.mid, palette.light, 0.3), palette.light, palette.light
    )
    x = width * rng.uniform(0.3, 0.7)
    _glow(picture, x, height * 0.3, min(width, height) * 0.5, palette.accent)
    _disc(
        picture, x, height * 0.3, min(width, height) * 0.08, mix(palette.accent, palette.light, 0.6)
    )
    layers = 5
    for n in range(layers):
        tree = height * (0.11 + 0.05 * n)
        curve = _ridge(width, rng, 0.4)
        base = height * (0.5 + 0.12 * n)
        outline: list[tuple[float, float]] = [(0, base)]
        px = -tree * 0.3
        while px < width + tree:
            ground = base + height * 0.05 * curve(px)
            tall = tree * rng.uniform(0.6, 1.25)
            half = tall * 0.21
            # A spruce: three skirts on each side, mirrored.
            side = [(1.0, 0.0), (0.42, 0.34), (0.74, 0.34), (0.28, 0.66), (0.5, 0.66), (0.0, 1.0)]
            left = [(px - half * w, ground - tall * h) for w, h in side]
            right = [(px + half * w, ground - tall * h) for w, h in reversed(side[:-1])]
            outline += left + right
            px += half * rng.uniform(1.5, 3.0)
        colour = mix(mix(palette.mid, palette.light, 0.45), palette.deep, (n + 0.5) / layers)
        _layer(picture, outline, colour)
    return picture


def _city(width: int, height: int, palette: Palette, rng: random.Random) -> Image.Image:
    picture = _sky(width, height, palette.deep, palette.mid, palette.accent)
    x, y = width * rng.uniform(0.2, 0.8), height * 0.25
    _glow(picture, x, y, min(width, height) * 0.45, palette.light)
    _disc(picture, x, y, min(width, height) * 0.09, palette.light)
    pen = ImageDraw.Draw(picture)
    layers = 3
    for n in range(layers):
        colour = mix(palette.mid, palette.deep, (n + 1) / layers)
        lit = mix(colour, palette.accent, 0.85)
        px = -rng.uniform(0, width * 0.05)
        while px < width:
            wide = width * rng.uniform(0.05, 0.1)
            top = height * (0.62 + 0.12 * n - rng.uniform(0, 0.3 - 0.05 * n))
            pen.rectangle((px, top, px + wide, height), fill=colour)
            if rng.random() < 0.3:
                pen.rectangle(
                    (px + wide * 0.47, top - height * 0.06, px + wide * 0.53, top), fill=colour
                )
            cell = max(4, int(width * 0.0105))
            for wy in range(int(top) + cell, height, cell * 2):
                for wx in range(int(px) + cell, int(px + wide) - cell, cell * 2):
                    if rng.random() < 0.3:
                        pen.rectangle((wx, wy, wx + cell * 0.7, wy + cell), fill=lit)
            px += wide + rng.choice((0, 0, width * 0.01))
    return picture


def _blooms(width: int, height: int, palette: Palette, rng: random.Random) -> Image.Image:
    # Painted small and enlarged: blur for the price of a resize.
    small = (max(16, width // 8), max(16, height // 8))
    picture = Image.new("RGB", small, palette.dark)
    pen = ImageDraw.Draw(picture)
    colours = (
        palette.mid,
        palette.accent,
        palette.light,
        palette.deep,
        palette.mid,
        palette.accent,
    )
    for colour in (*colours, *colours):
        radius = max(small) * rng.uniform(0.1, 0.28)
        x, y = rng.uniform(0, small[0]), rng.uniform(0, small[1])
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    picture = picture.filter(ImageFilter.GaussianBlur(max(small) * 0.07))
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    rings = Image.new("L", (width * 2, height * 2), 0)
    pen = ImageDraw.Draw(rings)
    x, y = width * 2 * rng.uniform(0.2, 0.8), height * 2 * rng.uniform(0.15, 0.6)
    for n in range(1, 9):
        radius = min(width, height) * 0.13 * n
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=110, width=3)
    picture.paste(palette.light, mask=rings.reduce(2))
    return picture


def _bauhaus(width: int, height: int, palette: Palette, rng: random.Random) -> Image.Image:
    cell = max(12, max(width, height) // 7)
    picture = Image.new("RGB", (width * 2, height * 2), palette.light)
    pen = ImageDraw.Draw(picture)
    inks = (palette.deep, palette.dark, palette.mid, palette.accent)
    side = cell * 2
    for top in range(0, height * 2, side):
        for left in range(0, width * 2, side):
            ground, figure = rng.sample((*inks, palette.light), 2)
            pen.rectangle((left, top, left + side, top + side), fill=ground)
            shape = rng.randrange(5)
            if shape == 0:
                x, y = left + side * rng.randint(0, 1), top + side * rng.randint(0, 1)
                quarter = Image.new("L", (side, side), 0)
                ImageDraw.Draw(quarter).ellipse(
                    (x - left - side, y - top - side, x - left + side, y - top + side), fill=255
                )
                picture.paste(figure, (left, top), quarter)
            elif shape == 1:
                start = rng.choice((0, 90, 180, 270))
                pen.pieslice((left, top, left + side, top + side), start, start + 180, fill=figure)
            elif shape == 2:
                inset = side * 0.2
                box = (left + inset, top + inset, left + side - inset, top + side - inset)
                pen.ellipse(box, fill=figure)
            elif shape == 3:
                corners = [
                    (left, top),
                    (left + side, top),
                    (left + side, top + side),
                    (left, top + side),
                ]
                corners.pop(rng.randrange(4))
                pen.polygon(corners, fill=figure)
            else:
                for n in range(4):
                    bar = top + side * (n * 2 + 0.5) / 8
                    pen.rectangle((left, bar, left + side, bar + side / 8), fill=figure)
    return picture.reduce(2)


def _sunburst(width: int, height: int, palette: Palette, rng: random.Random) -> Image.Image:
    picture = Image.new("RGB", (width * 2, height * 2), palette.accent)
    pen = ImageDraw.Draw(picture)
    x, y = width * 2 * rng.uniform(0.35, 0.65), height * 2 * rng.uniform(0.4, 0.6)
    far = (width + height) * 2
    rays = rng.choice((14, 18, 22))
    turn = rng.uniform(0, 360)
    light = mix(palette.accent, palette.light, 0.55)
    for n in range(rays):
        start = turn + n * 360 / rays
        box = (x - far, y - far, x + far, y + far)
        pen.pieslice(box, start, start + 180 / rays, fill=light)
    core = min(width, height)
    for share, colour in (
        (0.78, palette.light),
        (0.68, palette.mid),
        (0.5, palette.dark),
        (0.34, palette.deep),
    ):
        radius = core * share * 0.85
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return picture.reduce(2)
