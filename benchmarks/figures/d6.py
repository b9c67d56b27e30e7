"""D6: the gallery of the admin with 100 pictures on a page.

(a) Beside a plain admin of the same table, five columns: at most 1.3 times its time; red line: 2.5
times. (b) Itself among a million pictures and among ten thousand: at most 1.2 times, on the first
page, the last one that it links to and every filter. (c) The bytes of its images, beside those of
the full-size files: at most 1 to 100. The number of queries does not depend on the rows.

The plain admin is what Django's documentation teaches: it counts all rows on every page, shows
text alone, and its list lies in the same big table. In the site's process, through the whole stack
of middleware, by Django's test client. Search is shown, and not judged: without an index of its
own (PostgreSQL's ``pg_trgm``) it has to read on until it has found a page.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from benchmarks import galleries
from benchmarks.processes import Member
from benchmarks.rounds import Judged, Result, in_turn, ratios
from benchmarks.world import World

GALLERY = "/admin/ideogram_django/generatedimage/"
PLAIN_LIST = "/plain/ideogram_django/generatedimage/"
PLAIN, OURS, OURS_SMALL = "a plain admin, many pictures", "the gallery, many", "the gallery, few"
LAST = "last page"
PAGES: Mapping[str, str] = {
    "first page": "",
    LAST: "?p={last}",
    "status: failed": "?status=failed",
    "status: in progress": "?status=in_progress",
    "picked": "?picked=yes",
    "mine, of which there are none": "?who=me",
    "without alternative text": "?alt=missing",
    "one model": "?model=ideogram-v4-quality",
    "one style": "?style=design",
    "one shape": "?shape=16:9",
    "this year": "?created_at__gte={year}",
    "of the future, of which there are none": "?created_at__gte=2200-01-01+00%3A00%3A00%2B00%3A00",
    "used nowhere": "?used=nowhere",
    "used somewhere": "?used=anywhere",
}
SEARCHES: Mapping[str, str] = {
    "search that finds many": "?q=lighthouse",
    "search that finds none": "?q=zzzz",
}
TIMES = 5


def measure(world: World) -> list[Result]:
    found = []
    for database in world.databases:
        found += _on(world, database)
    return [*found, _bytes(world)]


def _on(world: World, database: Any) -> list[Result]:
    few, many = galleries.small(world, database), galleries.big(world, database)
    with few.member() as here, many.member() as there:

        def each(member: Member, path: str) -> float:
            return 1000 * float(member.call(seconds_for, path=path))

        def paged(member: Member, query: str) -> str:
            last = member.call(last_page)
            return GALLERY + query.format(last=last, year="2026-01-01+00%3A00%3A00%2B00%3A00")

        samples = in_turn(
            {
                PLAIN: partial(each, there, PLAIN_LIST),
                OURS: partial(each, there, GALLERY),
                OURS_SMALL: partial(each, here, GALLERY),
            },
            world.rounds,
        )
        queries = {
            "queries, few pictures": here.call(queries_for, path=GALLERY),
            "queries, many pictures": there.call(queries_for, path=GALLERY),
            "queries, plain admin": there.call(queries_for, path=PLAIN_LIST),
        }
        grown: dict[str, Sequence[float]] = {}
        for name, query in {**PAGES, **SEARCHES}.items():
            times = in_turn(
                {
                    OURS: partial(each, there, paged(there, query)),
                    OURS_SMALL: partial(each, here, paged(here, query)),
                },
                world.rounds,
            )
            grown[name] = ratios(times[OURS], times[OURS_SMALL])
            queries[f"ms, many pictures, {name}"] = round(statistics.median(times[OURS]), 1)
    first = Result(
        figure="D6",
        title="A page of the gallery with 100 pictures",
        where=few.where,
        unit="ms",
        better="lower",
        samples=samples,
        ours=OURS,
        judged=[
            Judged(
                what="times a plain admin's time",
                values=ratios(samples[OURS], samples[PLAIN]),
                better="lower",
                target=1.3,
                red=2.5,
            )
        ],
        facts=queries,
    )
    growth = Result(
        figure="D6",
        title="The gallery's time among many pictures, by its time among few",
        where=few.where,
        unit="×",
        better="lower",
        samples=grown,
        judged=[
            Judged(
                what=f"times the time among few: {name}",
                values=grown[name],
                better="lower",
                target=1.2,
                red=3,
            )
            for name in PAGES
        ],
    )
    return [first, growth]


def _bytes(world: World) -> Result:
    sizes = world.site("sqlite").call(image_bytes)
    return Result(
        figure="D6",
        title="Bytes of the images on that page, by those of the full-size files",
        unit="×",
        better="lower",
        samples={"thumbnails": [sizes["small"] / sizes["full"]], "full-size files": [1.0]},
        ours="thumbnails",
        judged=[
            Judged(
                what="of the full-size files' bytes",
                values=[sizes["small"] / sizes["full"]],
                better="lower",
                target=0.01,
                red=0.05,
            )
        ],
        facts={"bytes of a full-size file": sizes["full"], "of its thumbnail": sizes["small"]},
    )


# --- in the site's process ------------------------------------------------------------------------

_clients: list[Any] = []


def _client() -> Any:
    from django.contrib import admin
    from django.contrib.auth import get_user_model
    from django.test import Client

    from ideogram_django.models import GeneratedImage

    if not _clients:
        gallery: Any = admin.site.get_model_admin(GeneratedImage)
        gallery.list_per_page = 100
        client = Client()
        client.force_login(get_user_model().objects.get(username="root"))
        _clients.append(client)
    return _clients[0]


def seconds_for(path: str) -> float:
    """The fastest of several requests for a page that was asked for before."""
    import time

    client = _client()
    times = []
    for _time in range(TIMES + 1):
        begun = time.perf_counter()
        answer = client.get(path)
        times.append(time.perf_counter() - begun)
        if answer.status_code != 200:
            raise ValueError(f"{path}: {answer.status_code}")
    return min(times[1:])


def queries_for(path: str) -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    _client().get(path)
    with CaptureQueriesContext(connection) as queries:
        _client().get(path)
    return len(queries)


def last_page() -> int:
    """The last page that the first one links to."""
    paginator = _client().get(GALLERY).context_data["cl"].paginator
    return int(paginator.num_pages)


def image_bytes() -> dict[str, int]:
    """A picture as the provider might send it, and the copy that the gallery shows of it."""
    import io

    from django.core.files.base import ContentFile

    from benchmarks.pictures import like_a_photograph
    from ideogram_django import conf
    from ideogram_django.pictures import verifying

    content = like_a_photograph()
    settings = conf.current()
    verified = verifying.verify(
        io.BytesIO(content),
        max_pixels=settings.MAX_IMAGE_PIXELS,
        widths=settings.WIDTHS,
        formats=settings.FORMATS,
    )
    smallest = min(verified.renditions, key=lambda one: one.width)
    return {"full": len(content), "small": ContentFile(smallest.content).size}
