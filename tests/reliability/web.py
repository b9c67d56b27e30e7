"""The test site's pages: a view in which a web process can be killed, and the app's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path

from ideogram_django.models import GeneratedImage
from tests.reliability.stops import stop_at


def press(request: HttpRequest) -> HttpResponse:
    """What a button does, in a site with ``ATOMIC_REQUESTS``, or without (``plain``)."""
    stop_at("press.in")
    if "plain" in request.GET:
        return JsonResponse({"uuid": str(GeneratedImage.objects.generate("A fox").uuid)})
    with transaction.atomic():
        # Registered first, it runs first: the commit is in, the wake-up has not gone out.
        transaction.on_commit(partial(stop_at, "after-commit"))
        image = GeneratedImage.objects.generate(request.GET["prompt"])
        stop_at("before-commit")
    return JsonResponse({"uuid": str(image.uuid)})


def stops_around_webhooks(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        if "/webhook/" not in request.path:
            return get_response(request)
        stop_at("webhook.in")
        response = get_response(request)
        stop_at("webhook.out")
        return response

    return middleware


urlpatterns = [
    path("press/", press),
    path("ideogram/", include("ideogram_django.urls")),
]
