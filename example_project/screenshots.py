"""Takes the pictures in ``docs/images`` again: ``.venv/bin/python example_project/screenshots.py``.

Starts a demo of its own in a folder that is thrown away, walks through it in Chromium as a new
editor would (``docs/editors.md`` is that walk in words), and photographs each stop. Names as
arguments take only these, as in ``screenshots.py gallery phone``; the walk is made all the same.

Needs what ``python3 run.py test`` installs, and a Chromium: the one that $CHROMIUM names, the
system's, or Playwright's own. Look at what comes out before you commit it.
"""

from __future__ import annotations

import argparse
import calendar
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, sync_playwright

HERE = Path(__file__).resolve().parent
IMAGES = HERE.parent / "docs" / "images"
WIDTH, PHONE = 1280, 390
PATIENCE = 60_000
"""Milliseconds that a picture may take on a busy machine."""
PICTURES = "/admin/ideogram_django/generatedimage/"
ARTICLES = "/admin/articles/article/"
PROFILES = "/admin/ideogram_django/promptprofile/"
RUNS = "/admin/ideogram_django/run/"

LIGHTHOUSE = (
    "A lighthouse on a rocky coast at dusk, gulls in the wind, "
    "a poster that says “Keep the light on”"
)
BREAD = "Loaves on a wooden counter in the first light, editorial illustration"
REFUSED = "A famous cartoon mouse in red shorts, waving from a balloon"
UNDER_WAY = "A harbour market at six in the morning, crates of fish, low sun"
ALTERNATIVE = "A lighthouse at dusk, its beam above the sea."
SUFFIX = "Two colours on off-white paper, coarse grain, a wide white border."
HARBOURS = "\n".join(
    ("prompt,aspect_ratio", *(f"A harbour in {month},4:3" for month in calendar.month_name[1:]))
)


@dataclass
class Photographer:
    """Photographs what was asked for, and passes by the rest."""

    browser: Browser
    wanted: set[str]
    base_url: str = ""
    taken: list[str] = field(default_factory=list)

    def log_in(self, **options: Any) -> Page:
        """The admin in a window of its own, for an editor."""
        settings = {"width": WIDTH, "height": 800, "locale": "en-US", **options}
        size = {"width": settings.pop("width"), "height": settings.pop("height")}
        context = self.browser.new_context(
            viewport=size,  # type: ignore[arg-type]
            base_url=self.base_url,
            reduced_motion="reduce",
            **settings,
        )
        context.set_default_timeout(PATIENCE)
        # More room for the page itself, as one click on the « beside it gives.
        context.add_init_script("localStorage.setItem('django.admin.navSidebarIsOpen', 'false')")
        page = context.new_page()
        page.goto("/admin/")
        page.fill("[name=username]", "editor")
        page.fill("[name=password]", "editor")
        page.press("[name=password]", "Enter")
        page.wait_for_url("**/admin/")
        return page

    def take(
        self,
        page: Page,
        name: str,
        *,
        only: Locator | None = None,
        below: Locator | None = None,
        height: int = 0,
    ) -> None:
        """The whole page or the rest from ``below``, or ``height`` pixels of it; or one part."""
        if self.wanted and name not in self.wanted:
            return
        width = page.evaluate("innerWidth")
        before = page.evaluate("innerHeight")
        # As tall as the page, so that what sticks to the window's end does not cover anything.
        full = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": width, "height": full if below or not height else height})
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_load_state("networkidle")
        page.wait_for_function(
            "Array.from(document.images).every(i => i.complete || !i.getClientRects().length)"
        )
        if only is not None:
            shot = only.screenshot()
        else:
            box = below.bounding_box() if below is not None else None
            top = box["y"] - 10 if box else 0
            part = {"x": 0, "y": top, "width": width, "height": height or full - top}
            shot = page.screenshot(clip=part)  # type: ignore[arg-type]
        save(shot, IMAGES / f"{name}.png")
        print(f"  {name}", flush=True)
        page.set_viewport_size({"width": width, "height": before})
        self.taken.append(name)


@dataclass
class Demo:
    """One running demo: its site, and the twin that plays the provider."""

    base_url: str
    twin: str

    def strike(self, fault: str, count: int = 1) -> None:
        """Let the next pictures meet a fault, so that no prompt has to ask for it."""
        self._tell("faults", {"next": {fault: count}})

    def finish(self) -> None:
        self._tell("finish", {})

    def _tell(self, name: str, body: dict[str, Any]) -> None:
        data, kind = json.dumps(body).encode(), {"Content-Type": "application/json"}
        request = Request(f"{self.twin}/_simulator/{name}", data, kind)  # noqa: S310 - loopback
        with build_opener(ProxyHandler({})).open(request, timeout=20) as answer:
            answer.read()


@contextmanager
def demo(state: Path, **environment: str) -> Iterator[Demo]:
    """A demo in this folder, until the block ends."""
    foreign = ("REDIS_URL", "IDEOGRAM_", "DEMO_", "WEBHOOK_", "MAGAZINE_")
    own = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    process = subprocess.Popen(
        [sys.executable, str(HERE / "demo.py"), "--state", str(state), "--port", "8500"],
        env={**own, **environment},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        greeting = ""
        for line in process.stdout or ():
            greeting += line
            if "Ctrl-C ends" in line:
                break
        site = re.findall(r"The magazine: +(http://[\d.:]+)/", greeting)
        twin = re.findall(r"offline twin, (http://[\d.:]+\d)", greeting)
        if not site or not twin:
            sys.exit(f"The demo did not start.\n{greeting}")
        yield Demo(site[0], twin[0])
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(40)


def save(shot: bytes, path: Path) -> None:
    """As a PNG of fewer shades, which nobody sees and which saves a third of its size."""
    image = Image.open(io.BytesIO(shot)).convert("RGB")
    image.point([round(shade / 5) * 5 for shade in range(256)] * 3).save(path, optimize=True)


def wait_for(page: Page, *statuses: str, among: str = "") -> None:
    """Until the pictures of this page have these statuses, and no other, all of them."""
    page.wait_for_function(
        """([among, wanted]) => {
            const found = new Set(Array.from(
                document.querySelectorAll(among + ' [data-ideogram-image]'),
                picture => picture.dataset.ideogramStatus));
            return found.size === wanted.length && wanted.every(one => found.has(one));
        }""",
        arg=[among, list(statuses)],
    )


def ask_for(page: Page, prompt: str, count: int) -> None:
    """Fill in the form; the button is left to the caller."""
    page.goto(f"{PICTURES}add/")
    page.fill("[name=prompt]", prompt)
    page.check("[name=aspect_ratio][value='16:9']")
    page.check(f"[name=count][value='{count}']")


def press_make(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^Make")).first.click()
    page.locator("[data-ideogram-status]").first.wait_for(state="attached")


def open_article(page: Page, title: str) -> Locator:
    page.goto(ARTICLES)
    page.get_by_role("link", name=title).first.click()
    return page.locator(".field-hero")


def save_and_stay(page: Page) -> None:
    with page.expect_navigation():
        page.click("[name=_continue]")


def walk(camera: Photographer, site: Demo) -> None:
    """All stops in Django's own look."""
    page = camera.log_in()
    page.goto(PICTURES)
    wait_for(page, "completed")  # the demo's own, so that no fault strikes them
    sheet = a_sheet(camera, site, page)
    an_article_with_a_chosen_picture(camera, page)
    an_article_with_drafts(camera, page)
    an_article_saved_early(camera, site, page)
    a_failure(camera, site, page)
    many_articles(camera, page)
    the_gallery(camera, site, page)

    page = camera.log_in(color_scheme="dark")
    page.goto(sheet)
    camera.take(page, "dark")
    page = camera.log_in(locale="ar")
    page.goto(PICTURES)
    camera.take(page, "rtl", height=900)
    page = camera.log_in(width=PHONE, height=844, is_mobile=True, has_touch=True)
    page.goto(sheet)
    camera.take(page, "phone", height=1500)


def a_sheet(camera: Photographer, site: Demo, page: Page) -> str:
    """Four drafts: watch them arrive, pick, compare, finish; the address of the sheet."""
    ask_for(page, LIGHTHOUSE, 4)
    camera.take(page, "make")
    site.strike("slow", 2)
    press_make(page)
    sheet = page.url
    wait_for(page, "completed", "processing", among="#ideogram-sheet-cards")
    page.get_by_role("radio").nth(1).wait_for()  # the sheet itself has caught up
    camera.take(page, "filling")
    site.finish()
    wait_for(page, "completed", among="#ideogram-sheet-cards")

    page.get_by_role("radio", name="Picture 3").check()
    page.get_by_role("button", name="Pick this one").click()
    page.get_by_role("button", name="Take back").wait_for()
    page.goto(sheet)
    for number in (1, 3):
        page.get_by_role("checkbox", name=re.compile(f"Picture {number}$")).check()
    camera.take(page, "compare")

    page.goto(sheet)
    page.get_by_role("radio", name="Picture 3").check()
    page.get_by_role("button", name="Finish on Quality").click()
    final = page.locator("#ideogram-sheet-finals")
    final.get_by_role("button", name="Pick").click()
    final.get_by_role("button", name="Picked").wait_for()
    page.goto(sheet)
    camera.take(page, "final")
    final.get_by_role("link").first.click()
    page.get_by_label("Alternative text").fill(ALTERNATIVE)
    save_and_stay(page)
    return sheet


def an_article_with_a_chosen_picture(camera: Photographer, page: Page) -> None:
    field = open_article(page, "The lighthouse that learned")
    field.get_by_role("button", name="Choose from the gallery").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("searchbox").fill("lighthouse")
    pictures = dialog.locator("[data-ideogram-results] button")
    pictures.first.wait_for()
    page.wait_for_load_state("networkidle")
    camera.take(page, "choose", only=dialog)
    pictures.first.click()
    field.get_by_text("Used when you save:").first.wait_for()
    save_and_stay(page)
    page.goto(PICTURES)
    with page.expect_navigation():
        page.get_by_role("link", name="A lighthouse").first.click()
    camera.take(page, "picture")


def an_article_with_drafts(camera: Photographer, page: Page) -> None:
    field = open_article(page, "The last typewriter clinic")
    field.get_by_text("Make a new picture").click()
    field.get_by_role("button", name="Make 4 drafts").click()
    wait_for(page, "completed", among=".ideogram-drafts")
    field.get_by_role("radio", name="Draft 2").check()
    camera.take(page, "field", below=page.locator(".field-author"))
    field.get_by_label("Alternative text").fill("A typewriter on a workbench, open.")
    save_and_stay(page)


def an_article_saved_early(camera: Photographer, site: Demo, page: Page) -> None:
    field = open_article(page, "A baker counts in loaves")
    field.get_by_text("Make a new picture").click()
    field.get_by_label("Prompt").fill(BREAD)
    site.strike("slow", 4)
    field.get_by_role("button", name="Make 4 drafts").click()
    field.get_by_role("radio", name="Draft 1").wait_for()
    save_and_stay(page)
    camera.take(page, "early", below=page.locator(".field-author"))
    site.finish()
    wait_for(page, "completed")


def many_articles(camera: Photographer, page: Page) -> None:
    page.goto(ARTICLES)
    for title in ("What the orchestra", "Seeds for a roof", "The museum of"):
        page.get_by_role("row", name=re.compile(title)).get_by_role("checkbox").check()
    page.select_option("[name=action]", "generate_images")
    page.click("[name=index]")
    camera.take(page, "confirm", height=640)
    page.get_by_role("button", name=re.compile("^Make")).click()
    page.wait_for_load_state()


def a_failure(camera: Photographer, site: Demo, page: Page) -> None:
    site.strike("policy")
    ask_for(page, REFUSED, 1)
    press_make(page)
    wait_for(page, "failed")
    # The credits come back a moment after the failure.
    for _ in range(20):
        page.goto(page.url)
        if page.get_by_text("Nothing was charged.").is_visible():
            break
    camera.take(page, "failed", height=760)


def the_gallery(camera: Photographer, site: Demo, page: Page) -> None:
    page.goto(PICTURES)
    wait_for(page, "completed", "failed")
    site.strike("slow", 2)
    ask_for(page, UNDER_WAY, 2)
    page.get_by_role("radio", name="Balanced").first.check()
    press_make(page)
    wait_for(page, "processing", among="#ideogram-sheet-cards")
    page.goto(PICTURES)
    camera.take(page, "gallery", height=1120)
    site.finish()
    wait_for(page, "completed", "failed")
    page.goto("/")
    camera.take(page, "magazine", height=940)


def walk_in_bulk(camera: Photographer, site: Demo) -> None:
    """Looks, runs, and pictures that are out of date."""
    page = camera.log_in()
    a_profile(camera, page)
    pictures_that_are_out_of_date(camera, page)
    a_run(camera, site, page)


def a_profile(camera: Photographer, page: Page) -> None:
    """Two versions, each with its sample sheet."""
    page.goto(PROFILES)
    page.get_by_role("link", name="season").click()
    samples = page.locator("#ideogram-samples")
    for _version in range(2):
        page.get_by_role("button", name="Make a sample sheet").click()
        samples.locator("[data-ideogram-image]").first.wait_for()
        wait_for(page, "completed", among="#ideogram-samples")
        page.get_by_label("Always after").fill(SUFFIX)
        save_and_stay(page)
    camera.take(page, "profile", below=samples, height=605)


def pictures_that_are_out_of_date(camera: Photographer, page: Page) -> None:
    for title in ("A baker counts in loaves", "How to draw a map"):
        open_article(page, title)
        page.fill("[name=title]", f"{page.input_value('[name=title]')}, in winter")
        save_and_stay(page)
    page.goto(ARTICLES)
    camera.take(page, "outdated", height=560)


def a_run(camera: Photographer, site: Demo, page: Page) -> None:
    """From a file, with a ceiling; and one of articles, whose pictures wait for a yes."""
    page.goto(f"{RUNS}add/")
    page.get_by_label("Name").fill("The harbour, month by month")
    file = {"name": "harbours.csv", "mimeType": "text/csv", "buffer": HARBOURS.encode()}
    page.get_by_label("CSV file").set_input_files(files=[file])  # type: ignore[list-item]
    page.get_by_label("At once").fill("4")
    page.get_by_label("Ceiling").fill("0.30")
    page.get_by_role("button", name="Look it over").click()
    page.get_by_role("button", name=re.compile("^Start")).click()
    page.get_by_text(re.compile("[4-6] of 12 pictures are done")).wait_for()
    site.strike("slow", 4)
    page.get_by_text(re.compile("8 of 12 pictures are done")).wait_for()
    camera.take(page, "run", height=990)
    site.finish()

    page.goto(ARTICLES)
    for title in ("A baker counts in", "How to draw a map"):
        page.get_by_role("row", name=re.compile(title)).get_by_role("checkbox").check()
    page.select_option("[name=action]", "generate_images")
    page.click("[name=index]")
    page.get_by_role("button", name=re.compile("^Make")).click()
    page.get_by_role("link", name="Look at 2 proposals").click()
    camera.take(page, "approve", height=690)


def walk_in_unfold(camera: Photographer) -> None:
    page = camera.log_in()
    page.goto(PICTURES)
    camera.take(page, "unfold", height=1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", help="take only these")
    wanted = set(parser.parse_args().names)
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with tempfile.TemporaryDirectory(prefix="screenshots-") as folder, sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        camera = Photographer(browser, wanted)
        with demo(Path(folder)) as site:
            camera.base_url = site.base_url
            walk(camera, site)
        with demo(Path(folder), MAGAZINE_ADMIN="unfold") as site:
            camera.base_url = site.base_url
            walk_in_unfold(camera)
        with demo(Path(folder)) as site:
            camera.base_url = site.base_url
            walk_in_bulk(camera, site)
        browser.close()
    if unknown := wanted - set(camera.taken):
        sys.exit(f"There is no such stop: {', '.join(sorted(unknown))}")


if __name__ == "__main__":
    main()
