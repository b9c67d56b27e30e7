"""D8: a template page with 100 generated pictures, its query included.

Target: at most twice the time of ``{{ image.url }}`` on objects that are loaded already, and at
most 1.5 times its own time where every place has a history of 100 pictures among a million. Red
line: 6 times. At most half the time of a query per tag, and one query for the page.
(The prototype whose target this is read four columns and wrote one address; ours, by
``with_pictures()``, reads fifteen, and the tag looks for the file and writes three addresses of
it. Beside it the same page with all of a picture's seventy columns, as ``select_related`` brings
them.)

``{{ image.url }}`` says an address; our tag also looks whether the file is there, and writes
``srcset``, ``width``, ``height`` and the alternative text. Peers: a query per tag; easy-thumbnails
and sorl-thumbnail, warm (every thumbnail made), where they are installed.
"""

from __future__ import annotations

import importlib.util
import time
from functools import partial
from typing import Any

from benchmarks import galleries
from benchmarks.processes import Member
from benchmarks.rounds import Judged, Result, in_turn, ratios
from benchmarks.world import World

SHOWN = 100
TIMES = 5
BARE = "limit: {{ image.url }}, loaded before"
OURS, OURS_LONG = "this app", "this app, long histories"
OURS_WHOLE = "this app, all columns by select_related"
TAGS = "{% load ideogram %}{% for one in articles %}{% generated_image one.hero %}{% endfor %}"
NAIVE, EASY, SORL = "a query per tag", "easy-thumbnails, warm", "sorl-thumbnail, warm"
PEERS = {EASY: "easy_thumbnails", SORL: "sorl.thumbnail"}
TEMPLATES = {
    BARE: "{% for one in loaded %}<img src='{{ one.url }}' alt='{{ one.alt_text }}'>{% endfor %}",
    OURS: TAGS,
    OURS_WHOLE: TAGS,
    NAIVE: "{% load naive_images %}{% for one in plain %}{% naive_image one %}{% endfor %}",
    EASY: (
        "{% load thumbnail %}{% for one in plain %}{% thumbnail one.picture 32x32 as small %}"
        "<img src='{{ small.url }}' width='{{ small.width }}'>{% endfor %}"
    ),
    SORL: (
        "{% load thumbnail %}{% for one in plain %}{% thumbnail one.picture '32x32' as small %}"
        "<img src='{{ small.url }}' width='{{ small.width }}'>{% endthumbnail %}{% endfor %}"
    ),
}


def measure(world: World) -> list[Result]:
    return [_on(world, database) for database in world.databases]


def _on(world: World, database: Any) -> Result:
    few, many = galleries.small(world, database), galleries.big(world, database)
    peers = {name: app for name, app in PEERS.items() if _is_here(app)}
    with few.member() as here, many.member() as there:
        for member in (here, there):
            member.call(hang_up, count=SHOWN)

        def page(member: Member, name: str) -> float:
            return 1000 * float(member.call(seconds_for, name=name))

        variants = {
            BARE: partial(page, here, BARE),
            NAIVE: partial(page, here, NAIVE),
            OURS: partial(page, here, OURS),
            OURS_LONG: partial(page, there, OURS),
            OURS_WHOLE: partial(page, here, OURS_WHOLE),
        }
        # Both peers call their library "thumbnail", so that each has a process of its own.
        others = {name: few.member(BENCH_APPS=app) for name, app in peers.items()}
        opened: dict[str, Member] = {}
        try:
            for name, entered in others.items():
                opened[name] = entered.__enter__()
                opened[name].call(prepare_peer)
                variants[name] = partial(page, opened[name], name)
            samples = in_turn(variants, world.rounds)
        finally:
            for name in opened:
                others[name].__exit__(None, None, None)
        queries = here.call(queries_for, name=OURS)
    return Result(
        figure="D8",
        title=f"A template page with {SHOWN} pictures",
        where=few.where,
        unit="ms",
        better="lower",
        samples=samples,
        ours=OURS,
        judged=[
            Judged(
                what="times {{ image.url }} alone",
                values=ratios(samples[OURS], samples[BARE]),
                better="lower",
                target=2,
                red=6,
            ),
            Judged(
                what="of the time of a query per tag",
                values=ratios(samples[OURS], samples[NAIVE]),
                better="lower",
                target=0.5,
                red=1,
            ),
            Judged(
                what="times its own time, long histories",
                values=ratios(samples[OURS_LONG], samples[OURS]),
                better="lower",
                target=1.5,
                red=3,
            ),
            Judged(what="queries", values=[queries], unit="", better="lower", target=1),
        ],
        facts={
            "not measured": ", ".join(sorted(set(PEERS) - set(peers))),
        }
        if set(PEERS) - set(peers)
        else {},
    )


def _is_here(app: str) -> bool:
    try:
        return importlib.util.find_spec(app) is not None
    except ModuleNotFoundError:
        return False


# --- in the site's process ------------------------------------------------------------------------


def hang_up(count: int) -> None:
    """Articles with the last picture of a history each, whose files are there."""
    import io
    from pathlib import Path

    from django.conf import settings
    from PIL import Image

    from benchmarks.naive.models import Article
    from ideogram_django.models import GeneratedImage

    out = io.BytesIO()
    Image.new("RGB", (64, 64), "#369").save(out, "JPEG")
    media = Path(settings.MEDIA_ROOT)
    (media / "ideogram").mkdir(parents=True, exist_ok=True)
    (media / "naive").mkdir(parents=True, exist_ok=True)
    Article.objects.all().delete()
    images = GeneratedImage.objects.completed().filter(replacements__isnull=True, uploaded=False)
    chosen = list(images.order_by("-pk")[:count])
    if len(chosen) < count:
        chosen = list(GeneratedImage.objects.completed().order_by("-pk")[:count])
    for number, image in enumerate(chosen):
        for name in (image.file.name, *(one["name"] for one in image.renditions)):
            (media / str(name)).write_bytes(out.getvalue())
        (media / f"naive/{number}.jpg").write_bytes(out.getvalue())
        Article.objects.create(title=f"Article {number}", hero=image, picture=f"naive/{number}.jpg")


def prepare_peer() -> None:
    """Their tables, and all thumbnails made."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0, run_syncdb=True)


def _page(name: str) -> str:
    from django.template import Context, Template

    from benchmarks.naive.models import Article
    from ideogram_django.querysets import with_pictures

    if name in (OURS, OURS_WHOLE):
        every = Article.objects.all()
        articles = with_pictures(every, "hero") if name == OURS else every.select_related("hero")
        return str(_template(name, Template).render(Context({"articles": articles})))
    if name == BARE:
        return str(_template(name, Template).render(Context({"loaded": _loaded()})))
    return str(_template(name, Template).render(Context({"plain": Article.objects.all()})))


_kept: dict[str, Any] = {}


def _template(name: str, make: Any) -> Any:
    if name not in _kept:
        _kept[name] = make(TEMPLATES[name])
    return _kept[name]


def _loaded() -> Any:
    from benchmarks.naive.models import Article

    if "loaded" not in _kept:
        _kept["loaded"] = [one.hero for one in Article.objects.select_related("hero")]
    return _kept["loaded"]


def seconds_for(name: str) -> float:
    """The fastest of several renderings, after two that fill caches."""
    times = []
    for _time in range(TIMES + 2):
        begun = time.perf_counter()
        html = _page(name)
        times.append(time.perf_counter() - begun)
    if html.count("<img") != SHOWN:
        raise ValueError(f"{name} shows {html.count('<img')} pictures: {html[:300]}")
    return min(times[2:])


def queries_for(name: str) -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        _page(name)
    return len(queries)
