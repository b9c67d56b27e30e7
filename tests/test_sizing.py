"""The run of very many pictures: a small one for real, its arithmetic, and the page it fills."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks import scale, scale_page


def report(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "name": "scale",
        "pictures": 1000,
        "in_flight": 1000,
        "webhooks_lost": 99,
        "database": "PostgreSQL",
        "machine": {"cores": 2},
        "options": {"workers": 1, "concurrency": 8},
        "seconds": 120.0,
        "phases": {"sending": 10.0, "webhooks": 15.0, "finishing": 5.0},
        "redis_keys_in_flight": 4,
        "redis_keys_at_the_end": 3,
        "processor_seconds": {"worker": 4.0, "sync": 2.0, "web": 3.0, "PostgreSQL": 1.5},
        "memory": {
            "seconds": [0.0, 60.0, 120.0],
            "processes": {"worker": [60.0, 64.0, 63.0]},
            "unit": "MiB of its own",
            "thirds": {"worker": {"first": 60.0, "last": 63.0, "most": 64.0, "with code": 90.0}},
        },
        "checks": {"all finished": True, "none lost": False},
    }
    return {**given, **changes}


def test_the_page_says_what_the_runs_said() -> None:
    text = scale_page.PAGE.read_text("utf-8")
    assert text == scale_page.fill(text, scale_page.read())
    assert {
        one: (scale_page.IMAGES / f"{one}.svg").exists() for one in scale_page.read()
    } == dict.fromkeys(scale_page.read(), True)


def test_the_plots_are_those_of_the_runs() -> None:
    for name, one in scale_page.read().items():
        assert (scale_page.IMAGES / f"{name}.svg").read_text("utf-8") == scale_page.drawn(one)


def test_what_a_run_says() -> None:
    text = scale_page.fill(scale_page.PAGE.read_text("utf-8"), {"scale": report()})
    assert "| sending | 10 | 100 |" in text
    assert "| bringing home | 20 | 50 |" in text
    assert "| worker and sync | 6.0 | 10,000 |" in text
    assert "| web | 3.0 | 20,000 |" in text
    assert "| worker | 60.0 | 63.0 | 64.0 | 90.0 |" in text
    assert "- yes: all finished" in text
    assert "- **no**: none lost" in text
    assert text.count("*Not measured yet.*") == 1  # the long day


def test_a_long_run_is_thinned_for_the_page() -> None:
    count = 1000
    memory = {
        **report()["memory"],
        "seconds": list(range(count)),
        "processes": {"worker": [1.0] * count},
    }
    few = scale_page.thinned(report(memory=memory))["memory"]
    assert len(few["seconds"]) == len(few["processes"]["worker"]) == 143
    assert few["thirds"] == memory["thirds"]


def test_a_day_that_ends_larger_than_it_began_is_told() -> None:
    same = {"first": 60.0, "last": 62.0}
    thirds = {"web": same, "sync": same, "worker": {"first": 60.0, "last": 66.5}}
    assert scale.stays_flat(thirds) == {
        "web: at most 6 MiB more": True,
        "sync: at most 6 MiB more": True,
        "worker: at most 6 MiB more": False,
    }


def test_thirds_and_growth() -> None:
    values = [10.0] * 3 + [99.0] + [12.0] * 8
    assert scale.thirds(values) == {"first": 10.0, "last": 12.0, "most": 99.0}
    # Judged from when the process was warm, not from its first breath.
    assert scale.growth([1.0, *[50.0] * 30, 53.0]) == 3.0


@pytest.mark.redis
@pytest.mark.skipif(not scale.can_run(), reason="needs gunicorn, as the benchmarks install it")
def test_a_small_run(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Real processes, webhooks of which some get lost, and books that agree in the end."""
    code = scale.main(
        ["--pictures", "60", "--database", "sqlite", "--minutes", "2", "--build", str(tmp_path)]
    )
    said = json.loads((tmp_path / "scale.json").read_text())
    assert code == 0, capsys.readouterr().out
    assert said["in_flight"] == 60
    assert 0 < said["webhooks_lost"] < 20
    assert said["ledgers"]["charges"] == said["ledgers"]["jobs at the provider"] == 60
    assert (tmp_path / "scale.svg").read_text().startswith("<svg")
