"""Setting words in a picture with the font that Pillow brings along.

That font (Aileron) holds little more than ASCII. Accents are therefore drawn by hand over their
letters; for other alphabets a font of the operating system is used where there is one.
"""

import unicodedata
from collections.abc import Callable, Sequence
from functools import partial

from PIL import Image, ImageDraw, ImageFilter, ImageFont

Box = tuple[int, int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Marks = list[tuple[int, str]]
_Strokes = tuple[tuple[tuple[float, float], ...], ...]

_SPELLED = str.maketrans(
    {
        "ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l",
        "Ł": "L", "đ": "d", "Đ": "D", "ı": "i", "–": "-", "—": "-", "‑": "-", "×": "x", "•": "-",
        "„": "“", "«": "“", "»": "”", "\u00a0": " ", "\n": " ", "\t": " ", "\r": " ",
    }
)  # fmt: skip
_IN_BUNDLED_FONT = frozenset(map(chr, range(32, 127))) | frozenset("“”‘’…")
# Combining marks as strokes in units of the letter's width: x from its middle, y upwards.
_STROKES: dict[str, _Strokes] = {
    "\u0300": (((-0.22, 0.26), (0.08, 0.08)),),
    "\u0301": (((0.22, 0.26), (-0.08, 0.08)),),
    "\u0302": (((-0.24, 0.07), (0.0, 0.26), (0.24, 0.07)),),
    "\u030c": (((-0.24, 0.26), (0.0, 0.07), (0.24, 0.26)),),
    "\u0303": (((-0.28, 0.08), (-0.12, 0.2), (0.1, 0.1), (0.28, 0.22)),),
    "\u0304": (((-0.25, 0.15), (0.25, 0.15)),),
    "\u0306": (((-0.24, 0.26), (-0.1, 0.1), (0.1, 0.1), (0.24, 0.26)),),
    "\u030b": (((0.0, 0.28), (-0.18, 0.08)), ((0.32, 0.28), (0.12, 0.08))),
    "\u0308": (((-0.2, 0.14), (-0.19, 0.14)), ((0.19, 0.14), (0.2, 0.14))),
    "\u0307": (((0.0, 0.14), (0.01, 0.14)),),
    "\u030a": (((-0.12, 0.2), (0.0, 0.32), (0.12, 0.2), (0.0, 0.08), (-0.12, 0.2)),),
}
_SYSTEM_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "Arial Unicode.ttf",
    "arial.ttf",
)


class Typeface:
    """The font that can show `text`, in any size."""

    def __init__(self, text: str) -> None:
        self._fonts: dict[int, Font] = {}
        self._known: frozenset[str] | None = None
        self._load: Callable[[int], Font] = ImageFont.load_default
        letters, _ = self._split(text)
        foreign = {c for c in letters if c.isalnum() and c not in _IN_BUNDLED_FONT}
        self._known = frozenset[str]()
        if foreign:
            self._load, self._known = _font_for(foreign)

    def fit(
        self, text: str, width: int, height: int, largest: int, smallest: int, leading: float
    ) -> tuple[int, list[str]]:
        """Return the largest size in pixels whose wrapped lines fit, and those lines.

        At the smallest size what does not fit is left out, with an ellipsis.
        """
        size = largest
        while True:
            lines = self._wrap(text, width, size)
            room = max(1, int(height / (size * leading)))
            widest = max((self.width(line, size) for line in lines), default=0)
            if len(lines) <= room and widest <= width:
                return size, lines
            if size <= smallest:
                kept = lines[:room]
                if len(lines) > room:
                    kept[-1] = kept[-1].rstrip(" ,.;:") + "…"
                return size, kept
            size = max(smallest, int(size * 0.93))

    def width(self, text: str, size: int) -> float:
        """Return the width of one line in pixels."""
        return self._font(size).getlength(self._split(text)[0])

    def write(
        self,
        draw: ImageDraw.ImageDraw,
        at: tuple[float, float],
        text: str,
        size: int,
        fill: tuple[int, int, int] | int,
        *,
        bold: bool = False,
    ) -> None:
        """Write one line with its upper left corner at `at`."""
        letters, accents = self._split(text)
        font = self._font(size)
        stroke = max(1, size // 40) if bold else 0
        draw.text(at, letters, font=font, fill=fill, stroke_width=stroke, stroke_fill=fill)
        for index, accent in accents:
            self._write_accent(draw, at, letters, index, accent, size, fill, bold=bold)

    def _write_accent(
        self,
        draw: ImageDraw.ImageDraw,
        at: tuple[float, float],
        letters: str,
        index: int,
        accent: str,
        size: int,
        fill: tuple[int, int, int] | int,
        *,
        bold: bool,
    ) -> None:
        font = self._font(size)
        letter = letters[index]
        left = at[0] + font.getlength(letters[:index])
        middle = left + font.getlength(letter) / 2
        box = font.getbbox("a" if letter == "i" else letter)
        unit = size * 0.62
        pen = size * (0.085 if bold else 0.068)
        if accent == "\u0327":  # the cedilla hangs below
            baseline = at[1] + font.getbbox("x")[3]
            strokes: _Strokes = (((0.03, 0.0), (0.09, -0.14), (-0.1, -0.22)),)
            _draw_strokes(draw, (middle, baseline), strokes, unit, pen * 0.8, fill)
        else:
            top = at[1] + box[1] - size * 0.035
            _draw_strokes(draw, (middle, top), _STROKES.get(accent, ()), unit, pen, fill)

    def _split(self, text: str) -> tuple[str, Marks]:
        """Part letters and accents: `é` becomes `e` and an acute over index 0."""
        letters: list[str] = []
        accents: Marks = []
        for char in unicodedata.normalize("NFKD", text.translate(_SPELLED)):
            if unicodedata.combining(char):
                if letters:
                    accents.append((len(letters) - 1, char))
            elif char in _IN_BUNDLED_FONT or self._known is None or char in self._known:
                letters.append(char)
        return "".join(letters), accents

    def _wrap(self, text: str, width: int, size: int) -> list[str]:
        lines: list[str] = []
        for word in text.split():
            joined = f"{lines[-1]} {word}" if lines else word
            if lines and self.width(joined, size) <= width:
                lines[-1] = joined
            else:
                lines.extend(self._pieces(word, width, size))
        return lines

    def _pieces(self, word: str, width: int, size: int) -> list[str]:
        """Break a word only when no line could hold it."""
        pieces = [word]
        while len(pieces[-1]) > 1 and self.width(pieces[-1], size) > width:
            whole = pieces.pop()
            cut = max(1, min(len(whole) - 1, int(len(whole) * width / self.width(whole, size))))
            pieces += [whole[:cut], whole[cut:]]
            if size > 40:
                break  # a smaller size is better than a broken word
        return pieces

    def _font(self, size: int) -> Font:
        if size not in self._fonts:
            self._fonts[size] = self._load(size)
        return self._fonts[size]


def _draw_strokes(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    strokes: _Strokes,
    unit: float,
    pen: float,
    fill: tuple[int, int, int] | int,
) -> None:
    """Draw an accent four times as large, with round ends, and shrink it: smooth edges."""
    scale = 4
    half = int(unit * 0.6) + 2
    tile = Image.new("L", (half * 2 * scale, half * 2 * scale), 0)
    brush = ImageDraw.Draw(tile)
    radius = max(1.0, pen) * scale / 2
    for stroke in strokes:
        points = [((half + x * unit) * scale, (half - y * unit) * scale) for x, y in stroke]
        brush.line(points, fill=255, width=round(radius * 2), joint="curve")
        for x, y in points:
            brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    draw.bitmap((round(at[0]) - half, round(at[1]) - half), tile.reduce(scale), fill=fill)


def _font_for(letters: set[str]) -> tuple[Callable[[int], Font], frozenset[str]]:
    """Return the system font that has the most of these letters, and which it has."""
    best: tuple[Callable[[int], Font], frozenset[str]] = ImageFont.load_default, frozenset()
    for name in _SYSTEM_FONTS:
        try:
            font = ImageFont.truetype(name, 20)
        except OSError:
            continue
        # What a font lacks it draws as one and the same box.
        missing = bytes(font.getmask("\U0010fffe"))
        known = frozenset(c for c in letters if bytes(font.getmask(c)) != missing)
        if len(known) > len(best[1]):
            best = (partial(ImageFont.truetype, name), known)
    return best


def set_lines(
    picture: Image.Image,
    face: Typeface,
    lines: Sequence[str],
    at: tuple[int, int],
    size: int,
    leading: float,
    fill: tuple[int, int, int],
    *,
    bold: bool = False,
) -> None:
    """Write lines under each other, with a soft shadow that lifts them off any background."""
    shadow = Image.new("L", picture.size, 0)
    pen = ImageDraw.Draw(shadow)
    for number, line in enumerate(lines):
        face.write(pen, (at[0], at[1] + number * size * leading), line, size, 190, bold=bold)
    shadow = shadow.filter(ImageFilter.BoxBlur(max(1, size // 9)))
    picture.paste((8, 8, 14), mask=shadow)
    pen = ImageDraw.Draw(picture)
    for number, line in enumerate(lines):
        face.write(pen, (at[0], at[1] + number * size * leading), line, size, fill, bold=bold)
