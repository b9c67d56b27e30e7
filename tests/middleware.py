"""What surrounds every page of the test project.

It stands in the settings because a server that lives as long as the session reads them once: what
a test adds to MIDDLEWARE never reaches the pages that a browser asks it for.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.middleware.locale import LocaleMiddleware

POLICY = "default-src 'self'"


class StrictPolicy:
    """A site that allows nothing inline and nothing from elsewhere."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["Content-Security-Policy"] = POLICY
        return response


class BrowsersLanguage(LocaleMiddleware):
    """A site that speaks the language a browser asks for. The test client asks for none."""

    def process_request(self, request: HttpRequest) -> None:
        if "Accept-Language" in request.headers:
            super().process_request(request)

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        return response
