"""D7: news of 100 visible pictures, in one small request.

Target: at most 1/12 of the time that reloading the same page takes. Red line: 1/5. At most 3
queries, those for session and person included, and none of them depends on the rows. Of the other
ways, one request for each picture is shown as well.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from benchmarks import galleries
from benchmarks.figures.d6 import GALLERY, TIMES, _client, queries_for, seconds_for
from benchmarks.rounds import Judged, Result, in_turn, ratios
from benchmarks.world import World

SHOWN = 100
RELOAD, EACH, OURS = "the page anew", "a request for each picture", "this app"


def measure(world: World) -> list[Result]:
    return [_on(world, database) for database in world.databases]


def _on(world: World, database: Any) -> Result:
    site = galleries.big(world, database)
    with site.member() as member:
        addresses = member.call(news_addresses)
        path = GALLERY + "?status=in_progress"
        samples = in_turn(
            {
                RELOAD: lambda: 1000 * float(member.call(seconds_for, path=path)),
                EACH: lambda: 1000 * float(member.call(seconds_one_by_one)),
                OURS: partial(
                    lambda news: 1000 * float(member.call(seconds_for, path=news)), addresses
                ),
            },
            world.rounds,
        )
        queries = member.call(queries_for, path=addresses)
    return Result(
        figure="D7",
        title=f"News of {SHOWN} visible pictures",
        where=site.where,
        unit="ms",
        better="lower",
        samples=samples,
        ours=OURS,
        judged=[
            Judged(
                what="of the page's time",
                values=ratios(samples[OURS], samples[RELOAD]),
                better="lower",
                target=1 / 12,
                red=1 / 5,
            ),
            Judged(what="queries", values=[queries], unit="", better="lower", target=3),
        ],
    )


# --- in the site's process ------------------------------------------------------------------------


def _news(count: int) -> list[str]:
    from ideogram_django.models import GeneratedImage

    newest = GeneratedImage.objects.in_progress().order_by("-pk")
    return [str(uuid) for uuid in newest.values_list("uuid", flat=True)[:count]]


def news_addresses() -> str:
    return f"/ideogram/status/?ids={','.join(_news(SHOWN))}"


def seconds_one_by_one() -> float:
    """What a page that asks about every picture by itself would cost the server."""
    client = _client()
    addresses = [f"/ideogram/status/?ids={uuid}" for uuid in _news(SHOWN)]
    times = []
    for _time in range(min(TIMES, 2)):
        begun = time.perf_counter()
        for address in addresses:
            client.get(address)
        times.append(time.perf_counter() - begun)
    return min(times)
