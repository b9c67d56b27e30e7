"""Variants in turn, and what their rounds say: medians, spread, ratios, targets and red lines."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Better = Literal["higher", "lower"]


def in_turn(variants: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """One value of each variant a round, in another order each time: a busy moment hits all."""
    samples: dict[str, list[float]] = {name: [] for name in variants}
    names = list(variants)
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            samples[name].append(variants[name]())
    return samples


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Round by round, because the machine is another one in each."""
    return [a / b for a, b in zip(above, below, strict=True)]


def seconds(function: Callable[[], Any]) -> float:
    """What one call takes, by the clock."""
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def percentile(values: Iterable[float], part: float) -> float:
    """The value below which ``part`` (0.99) of them lie."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A number that has a target: a ratio of two variants, or a cost by itself."""

    what: str
    """As the table says it: "times the loop's speed"."""
    values: Sequence[float]
    """One a round."""
    unit: str = "×"
    better: Better = "higher"
    target: float
    red: float | None = None
    """Where a continuous integration fails; ``None``: the target is."""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def met(self) -> bool:
        return self._holds(self.target)

    @property
    def red_held(self) -> bool:
        return self._holds(self.target if self.red is None else self.red)

    def _holds(self, bound: float) -> bool:
        return self.median >= bound if self.better == "higher" else self.median <= bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One figure on one database (or on none): what each variant did, and how that is judged."""

    figure: str
    """"D1"."""
    title: str
    """What was done: "1,000 pictures asked for"."""
    where: str = ""
    """"SQLite", "PostgreSQL", or empty where no database matters."""
    unit: str
    """Of the samples: "pictures/s"."""
    better: Better = "higher"
    samples: Mapping[str, Sequence[float]]
    """By variant, in the order of the table; one value a round."""
    ours: str = ""
    """The variant that is this app, or what several of its variants begin with."""
    judged: Sequence[Judged] = ()
    facts: Mapping[str, float | str] = field(default_factory=dict)
    """What else the run says: counts, sizes."""

    @property
    def key(self) -> str:
        return "-".join(filter(None, [self.figure, self.title, self.where]))

    def is_ours(self, variant: str) -> bool:
        return variant == self.ours or (bool(self.ours) and variant.startswith(f"{self.ours}, "))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Result:
        judged = [Judged(**one) for one in data["judged"]]
        return cls(**{**data, "judged": judged})
