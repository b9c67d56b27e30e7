"""Results as a table: for a terminal, and in Markdown for the documentation."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.rounds import Judged, Result


def number(value: float) -> str:
    """Three significant digits, thousands told apart."""
    if value and abs(value) < 0.001:
        return f"{value:.1e}"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def with_unit(value: float, unit: str) -> str:
    """A number as a table shows it."""
    return f"{number(value)}{unit if unit in ('', '×') else f' {unit}'}"


def spread(values: Sequence[float]) -> str:
    """The smallest and the largest of several."""
    if len(values) < 2:
        return ""
    return f"{number(min(values))} – {number(max(values))}"


def bound(judged: Judged) -> str:
    """The target in a few characters."""
    sign = "≥" if judged.better == "higher" else "≤"
    return f"{sign} {with_unit(judged.target, judged.unit)}"


def rows_of(result: Result) -> list[tuple[str, str, str]]:
    """Each variant: its name, its median with the unit, and its spread."""
    return [
        (name, f"{number(statistics.median(values))} {result.unit}", spread(values))
        for name, values in result.samples.items()
    ]


def verdict(judged: Judged) -> str:
    if judged.met:
        return "met"
    return "missed" if judged.red_held else "behind the red line"


def as_text(results: Sequence[Result]) -> str:
    """For a terminal."""
    lines = []
    for result in results:
        where = f" ({result.where})" if result.where else ""
        lines += ["", f"{result.figure}  {result.title}{where}"]
        rows = rows_of(result)
        width = max((len(name) for name, _value, _spread in rows), default=0)
        for name, value, of in rows:
            mark = "→" if result.is_ours(name) else " "
            lines.append(f"  {mark} {name:<{width}}  {value:>20}  {of}")
        for one in result.judged:
            here = with_unit(one.median, one.unit)
            lines.append(f"    {one.what}: {here}  (target {bound(one)}: {verdict(one)})")
        lines += [
            f"    {name}: {value if isinstance(value, str) else number(value)}"
            for name, value in result.facts.items()
        ]
    return "\n".join(lines)


def as_markdown(result: Result) -> str:
    """For a page: the variants, then what is judged."""
    lines = [
        f"| {result.title}{', ' + result.where if result.where else ''} | Median | Spread |",
        "| --- | ---: | ---: |",
    ]
    for name, value, of in rows_of(result):
        shown = f"**{name}**" if result.is_ours(name) else name
        lines.append(f"| {shown} | {value} | {of} |")
    if result.judged:
        lines += ["", "| Judged | Here | Target | |", "| --- | ---: | ---: | --- |"]
        for one in result.judged:
            here = with_unit(one.median, one.unit)
            lines.append(f"| {one.what} | {here} | {bound(one)} | {verdict(one)} |")
    if result.facts:
        told = (
            f"{name} {value if isinstance(value, str) else number(value)}"
            for name, value in result.facts.items()
        )
        lines += ["", f"Also: {'; '.join(told)}."]
    return "\n".join(lines)
