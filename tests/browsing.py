"""A real browser for tests: one Chromium for a file's tests, and windows on the test's own site.

What a page must never do is written down while it happens (an error of a script, an error in the
console, a broken content security policy) and fails the test at its end.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from django.contrib.auth.models import User
from django.test import Client

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

POLICY = "default-src 'self'"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FORGIVEN = re.compile(r"favicon|/media/")
"""Where nothing need be: the icon that a browser asks for, and files of pictures in a database."""


class StrictPolicy:
    """Middleware of a site that allows nothing inline and nothing from elsewhere."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["Content-Security-Policy"] = POLICY
        return response


@dataclass
class Windows:
    """Opens windows and remembers what their pages complained about."""

    browser: Browser
    contexts: list[BrowserContext] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(
        self,
        base_url: str,
        *,
        scheme: str = "light",
        width: int = 1280,
        height: int = 900,
        language: str = "en",
        javascript: bool = True,
        forced_colors: bool = False,
        reduced_motion: bool = False,
        **options: Any,
    ) -> Page:
        """A window of its own: nothing is shared with the others, cookies neither."""
        context = self.browser.new_context(
            base_url=base_url,
            color_scheme=scheme,
            viewport={"width": width, "height": height},
            locale=language,
            java_script_enabled=javascript,
            forced_colors="active" if forced_colors else "none",
            reduced_motion="reduce" if reduced_motion else "no-preference",
            **options,
        )
        self.contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._listen)
        return page

    def close(self) -> None:
        for context in self.contexts:
            context.close()
        self.contexts.clear()

    def _listen(self, said: ConsoleMessage) -> None:
        # A broken policy is such an error as well.
        if said.type == "error" and not FORGIVEN.search(str(said.location)):
            self.complaints.append(f"{said.text} ({said.location['url']})")


class Visit(Protocol):
    """Opens a page of the test's site for ``user``: by default a superuser, None for nobody."""

    def __call__(self, path: str, *, user: User | None = ..., **options: Any) -> Page: ...


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """$CHROMIUM, else the system's Chromium, else Playwright's own.

    Not for the whole session: while Playwright runs, there is an event loop in this thread, and
    tests of asynchronous code could not start one.
    """
    sync_api = pytest.importorskip("playwright.sync_api", reason="no browser: no playwright")
    # Django takes that loop for asynchronous code.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    try:
        with sync_api.sync_playwright() as playwright:
            try:
                browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
            except sync_api.Error as error:
                pytest.skip(f"no browser: {error.message.splitlines()[0]}")
            yield browser
            browser.close()
    finally:
        if before is None:
            del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
        else:
            os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before


@pytest.fixture
def windows(chromium: Browser) -> Iterator[Windows]:
    """Windows on any site; at the end no complaint may be on record."""
    windows = Windows(chromium)
    yield windows
    windows.close()
    assert windows.complaints == []


@pytest.fixture
def strict(settings: Any) -> None:
    """The site forbids everything inline, and speaks the language that a browser asks for."""
    settings.MIDDLEWARE = [
        "tests.browsing.StrictPolicy",
        *settings.MIDDLEWARE,
        "django.middleware.locale.LocaleMiddleware",
    ]


@pytest.fixture
def visit(strict: None, live_server: Any, windows: Windows) -> Visit:
    """Opens pages of the test's site, as an editor or anyone else would; see :class:`Windows`."""
    superuser: list[User] = []

    def open_page(path: str, **options: Any) -> Page:
        user = options.pop("user") if "user" in options else _superuser(superuser)
        page = windows.open(live_server.url, **options)
        if user is not None:
            client = Client()
            client.force_login(user)
            session = client.cookies["sessionid"].value
            page.context.add_cookies(
                [{"name": "sessionid", "value": session, "url": live_server.url}]
            )
        page.goto(path)
        return page

    return open_page


def _superuser(made: list[User]) -> User:
    if not made:
        made.append(User.objects.create_superuser("admin", "a@example.com", "x"))
    return made[0]
