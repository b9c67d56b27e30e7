"""Eight palettes of five colours."""

from dataclasses import dataclass

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Palette:
    """Five colours from deep to light; the fourth is the accent."""

    deep: Colour
    dark: Colour
    mid: Colour
    accent: Colour
    light: Colour


def palettes() -> dict[str, Palette]:
    """Return the palettes by name."""
    rows = {
        "dusk": ("1d1b3a", "4b2e6b", "b0487b", "ff8c5a", "ffe3b8"),
        "sea": ("06283d", "0f4c6e", "2b8aa6", "f4b860", "e3f4f4"),
        "forest": ("0e2a22", "1f4d3a", "5b8c5a", "f2c14e", "eef4dc"),
        "desert": ("3a1a14", "7a3423", "d0683f", "f9b24e", "fdebd0"),
        "night": ("0b1030", "1f2a63", "4a5fc1", "f6d365", "dfe7ff"),
        "rose": ("34142b", "7b2d52", "d4668f", "ffc2a1", "fff0e6"),
        "mint": ("12343b", "2d6e6e", "63b7a5", "ff9b71", "f2f7ee"),
        "bauhaus": ("1c1f2b", "27476e", "d64933", "f4b942", "f3ead7"),
    }
    return {name: Palette(*(_colour(text) for text in colours)) for name, colours in rows.items()}


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """Return the colour that lies `share` of the way from one to the other."""
    r, g, b = (round(a + (c - a) * share) for a, c in zip(one, other, strict=True))
    return r, g, b


def _colour(text: str) -> Colour:
    return int(text[:2], 16), int(text[2:4], 16), int(text[4:], 16)
