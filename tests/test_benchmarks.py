"""The benchmarks' own arithmetic, and the page that shows what they measured."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import page, plots, table
from benchmarks.__main__ import FIGURES
from benchmarks.rounds import Judged, Result, in_turn, percentile, ratios

PUBLISHED = json.loads(page.REPORT.read_text())


def result(**changes: Any) -> Result:
    given: dict[str, Any] = {
        "figure": "D1",
        "title": "Pictures asked for",
        "where": "SQLite",
        "unit": "pictures/s",
        "samples": {"loop": [1.0, 3.0], "ours": [30.0, 60.0]},
        "ours": "ours",
        "judged": [Judged(what="times the loop", values=[30.0, 20.0], target=25, red=15)],
    }
    return Result(**{**given, **changes})


def test_variants_run_in_turn_and_each_once_a_round() -> None:
    order: list[str] = []

    def run(name: str) -> float:
        order.append(name)
        return float(len(order))

    samples = in_turn({name: lambda name=name: run(name) for name in "abc"}, rounds=2)
    assert order == ["a", "b", "c", "b", "c", "a"]
    assert samples == {"a": [1, 6], "b": [2, 4], "c": [3, 5]}


def test_ratios_are_taken_round_by_round() -> None:
    assert ratios([10, 90], [5, 30]) == [2, 3]


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile(range(1, 101), 0.99) == 100
    assert percentile([7], 0.5) == 7


@pytest.mark.parametrize(
    ("better", "values", "met", "held"),
    [
        ("higher", [30.0, 20.0], True, True),
        ("higher", [16.0], False, True),
        ("higher", [14.0], False, False),
        ("lower", [25.0], True, True),
        ("lower", [40.0], False, False),
    ],
)
def test_the_median_is_judged(better: Any, values: list[float], met: bool, held: bool) -> None:
    red = 15 if better == "higher" else 35
    judged = Judged(what="it", values=values, better=better, target=25, red=red)
    assert (judged.met, judged.red_held) == (met, held)


def test_without_a_red_line_the_target_is_one() -> None:
    assert not Judged(what="it", values=[24.0], target=25).red_held


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.0004, "4.0e-04"), (0.259, "0.259"), (1.5, "1.5"), (22.64, "22.6"),
     (1475.4, "1,475"), (25, "25")],
)  # fmt: skip
def test_numbers_are_short(value: float, text: str) -> None:
    assert table.number(value) == text


def test_a_report_keeps_everything() -> None:
    kept = page.report([result()], rounds=2, short=False)
    assert page.results_of(json.loads(json.dumps(kept))) == [result()]


def test_figures_that_were_not_measured_again_stay() -> None:
    old = page.report([result(), result(figure="D2")], rounds=2, short=False)
    new = page.report([result(title="Anew")], rounds=3, short=False)
    merged = page.merge(old, new)
    assert [(one["figure"], one["title"]) for one in merged["results"]] == [
        ("D1", "Anew"),
        ("D2", "Pictures asked for"),
    ]


def test_a_busy_machine_stands_beside_a_quiet_one() -> None:
    quiet = page.report([result(), result(figure="D2")], rounds=2, short=False)
    slower = result(judged=[Judged(what="times the loop", values=[9.0], target=25)])
    busy = page.report([slower], rounds=1, short=False, busy=True)
    text = page.fill("<!-- bench: summary -->\n<!-- bench: end -->", quiet, busy)
    assert "| met | 9× |" in text
    assert text.count("|  |") >= 1  # what was not measured there says nothing


def test_plots_are_well_formed_and_the_same_each_time() -> None:
    for one in (result(), result(samples={"slow": [0.5], "ours": [4000.0, 5000.0]})):
        drawn = plots.bars(one)
        assert drawn == plots.bars(one)
        root = ElementTree.fromstring(drawn)
        assert [child.text for child in root if child.tag.endswith("title")]
        assert len(re.findall(r"<rect", drawn)) == 2
    curve = plots.lines("Memory", {"web": [(0, 1), (1, 2)]}, unit="MiB", across="minutes")
    assert len(ElementTree.fromstring(curve)) > 0


# --- the page -------------------------------------------------------------------------------------


def test_the_page_says_what_was_measured() -> None:
    assert page.PAGE.read_text() == page.fill(page.PAGE.read_text(), *page.kept_reports())


def test_the_plots_show_what_was_measured() -> None:
    there = {path.name: path.read_text() for path in page.IMAGES.glob("bench-*.svg")}
    assert there == page.drawn(PUBLISHED)


def test_every_figure_has_its_part_of_the_page() -> None:
    shown = re.findall(r"<!-- bench: (D\d) -->", page.PAGE.read_text())
    assert shown == list(FIGURES)


def test_no_figure_is_written_by_hand() -> None:
    by_hand = page._PART.sub("", page.PAGE.read_text())
    assert not re.search(r"\d[\d.,]*\s*(×|%|ms|s\b|seconds|MiB|KiB|times|pictures)", by_hand)


def test_each_figure_says_how_it_is_taken() -> None:
    for path in Path(page.ROOT / "benchmarks" / "figures").glob("d*.py"):
        told = path.read_text().split('"""')[1]
        assert told.startswith(f"{path.stem.upper()}: ")
        assert re.search(r"[Tt]arget|at most|at least", told), path
