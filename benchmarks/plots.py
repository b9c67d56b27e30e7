"""Plots as SVG, written by hand: the same numbers give the same bytes, whoever draws them.

No plotting library: bars and lines are all that is wanted, and this way the pictures carry no
dates, fonts or paths, follow a reader's dark mode, and need nothing installed.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from benchmarks.rounds import Result
from benchmarks.table import number

WIDTH = 720
ROW = 34
STYLE = """<style>
  text { font: 13px system-ui, sans-serif; fill: #333 }
  .title { font-weight: 600 } .quiet { fill: #666 } .axis { stroke: #999; fill: none }
  .other { fill: #9aa5b1 } .ours { fill: #417690 } .spread { stroke: #333; stroke-width: 1.5 }
  .line0 { stroke: #417690 } .line1 { stroke: #ba2121 } .line2 { stroke: #8a6d1b }
  .line3 { stroke: #4c8c4a } .line4 { stroke: #7b519d } .line5 { stroke: #666 }
  polyline { fill: none; stroke-width: 1.8 }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd } .quiet { fill: #aaa } .axis { stroke: #777 }
    .other { fill: #6b7682 } .ours { fill: #79aec8 } .spread { stroke: #ddd }
    .line0 { stroke: #79aec8 } .line1 { stroke: #e88 } .line2 { stroke: #d4b75f }
    .line3 { stroke: #8cc78a } .line4 { stroke: #b694d6 } .line5 { stroke: #aaa }
  }
</style>"""


def bars(result: Result) -> str:
    """A bar for each variant, its spread as a line; by powers of ten where they lie far apart."""
    values = {name: list(of) for name, of in result.samples.items()}
    medians = {name: statistics.median(of) for name, of in values.items()}
    largest = max(max(of) for of in values.values())
    smallest = min(min(of) for of in values.values())
    logarithmic = smallest > 0 and largest / smallest > 30
    floor = 10 ** math.floor(math.log10(smallest)) if logarithmic else 0.0
    left, right = 280, 110

    def x(value: float) -> float:
        room = WIDTH - left - right
        if not logarithmic:
            return left + room * value / (largest or 1)
        return left + room * math.log10(max(value, floor) / floor) / math.log10(largest / floor)

    height = 44 + ROW * len(values) + 10
    where = f", {result.where}" if result.where else ""
    scale = " (each step tenfold)" if logarithmic else ""
    better = "more is better" if result.better == "higher" else "less is better"
    parts = [
        _text(12, 20, f"{result.figure}  {result.title}{where}", "title"),
        _text(12, 38, f"{result.unit}, {better}{scale}", "quiet"),
    ]
    for row, (name, of) in enumerate(values.items()):
        y = 50 + ROW * row
        kind = "ours" if result.is_ours(name) else "other"
        wide = max(x(medians[name]) - left, 1)
        parts.append(_text(left - 8, y + 16, name, anchor="end"))
        parts.append(
            f'<rect class="{kind}" x="{left}" y="{y}" width="{wide:.1f}" height="22" rx="2"/>'
        )
        if len(of) > 1:
            parts.append(f'<path class="spread" d="M{x(min(of)):.1f} {y + 11}H{x(max(of)):.1f}"/>')
        parts.append(_text(max(x(max(of)), x(medians[name])) + 6, y + 16, number(medians[name])))
    if logarithmic:
        for power in range(round(math.log10(floor)), math.floor(math.log10(largest)) + 1):
            at = x(10.0**power)
            parts.insert(2, f'<path class="axis" d="M{at:.1f} 46V{height - 8}" opacity=".35"/>')
    return _svg(height, f"{result.figure}: {result.title}{where}", parts)


def lines(
    title: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    unit: str,
    across: str,
) -> str:
    """A line for each series of points, such as the memory of a process over time."""
    left, right, top, bottom = 70, 180, 50, 44
    height = 340
    points = [point for of in series.values() for point in of]
    most_x = max((at for at, _value in points), default=1) or 1
    most_y = max((value for _at, value in points), default=1) * 1.05 or 1
    room_x, room_y = WIDTH - left - right, height - top - bottom

    def place(at: float, value: float) -> str:
        return f"{left + room_x * at / most_x:.1f},{top + room_y * (1 - value / most_y):.1f}"

    parts = [
        _text(12, 20, title, "title"),
        _text(12, 38, unit, "quiet"),
        f'<path class="axis" d="M{left} {top}V{height - bottom}H{WIDTH - right}"/>',
        _text(left + room_x / 2, height - 10, across, "quiet", anchor="middle"),
    ]
    for step in range(5):
        share = step / 4
        parts.append(
            _text(left - 8, top + room_y * (1 - share) + 4, number(most_y * share), anchor="end")
        )
        parts.append(
            _text(
                left + room_x * share, height - bottom + 18, number(most_x * share), anchor="middle"
            )
        )
    for count, (name, of) in enumerate(series.items()):
        kind = f"line{count % 6}"
        shown = " ".join(place(at, value) for at, value in of)
        parts.append(f'<polyline class="{kind}" points="{shown}"/>')
        y = top + 14 + 20 * count
        parts.append(
            f'<path class="{kind}" stroke-width="3" d="M{WIDTH - right + 10} {y - 4}h18"/>'
        )
        parts.append(_text(WIDTH - right + 34, y, name))
    return _svg(height, title, parts)


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(height: float, title: str, parts: Sequence[str]) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img">',
            f"<title>{escape(title)}</title>",
            STYLE,
            *parts,
            "</svg>",
            "",
        ]
    )
