"""The doors: the provider reports at one; pages ask for news and order drafts at the others."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.decorators import login_not_required
from django.core import signing
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, JsonResponse
from django.http.request import HttpHeaders, RawPostDataException, UnreadablePostError
from django.shortcuts import render
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_POST, require_safe

from ideogram_django import conf, wakeups, wording
from ideogram_django.apiframe import payloads, signatures
from ideogram_django.budget.amounts import plain
from ideogram_django.drains import provider
from ideogram_django.estimates import typical_seconds
from ideogram_django.exceptions import InvalidPayloadError, InvalidSignatureError
from ideogram_django.forms import narrowing, ordering
from ideogram_django.forms.access import may, viewable
from ideogram_django.lifecycle import settling, tokens, watching
from ideogram_django.lifecycle.steering import waits_for_refund
from ideogram_django.metrics import as_text
from ideogram_django.models import Charge, GeneratedImage, Run
from ideogram_django.querysets import GeneratedImageQuerySet
from ideogram_django.runs import reporting
from ideogram_django.runs.reporting import Report
from ideogram_django.widgets import (
    WIDGET_SALT,
    Offer,
    Submitted,
    sign_widget,
    strip_context,
    submitted_wish,
    unsigned,
)

__all__ = ["choose", "make", "metrics", "sign_widget", "status", "webhook"]

logger = logging.getLogger(__name__)

MOST_BYTES = 64 * 1024
"""A webhook body; the documented ones are under 1 KiB."""
SIGNATURE = HttpHeaders.to_wsgi_name(signatures.HEADER)
MOST_IDS = 200
WIDGET_MAX_AGE = 24 * 3600
CHOICES = 24
"""Pictures on one page of the form field's dialog."""
MOST_PAGES = 1000
LONGEST_NAME = 200
NEWS = (
    *("id", "uuid", "status", "uploaded", "model", "progress", "error_code", "error_detail"),
    *("file", "renditions", "width", "height", "cost", "job_id"),
    *("submitted_at", "checks", "next_check_at", "lease_until"),
)
"""The columns from which a page is told how a picture stands, and a worker that somebody looks."""
FIGURES = ("ideogram_django.view_generatedimage", "ideogram_django.view_charge")
"""What somebody may view whom the metrics tell nothing new."""


# The order of the decorators matters little, their presence a lot: the provider has neither
# session nor CSRF cookie, the row's change must survive whatever the rest of the request does,
# and a site-wide login requirement would answer the provider with a redirect.
@csrf_exempt
@login_not_required
@transaction.non_atomic_requests
@require_POST
def webhook(request: HttpRequest, uuid: UUID, token: str) -> HttpResponse:
    """What the provider says about a job.

    204 taken, or nothing to change; 400 not the documented JSON; 401 not signed (only with
    ``WEBHOOK_SIGNATURE = "required"``); 404 unknown address; 413 too large; 503 database away,
    please repeat. Never calls out and never waits for Redis longer than half a second.
    """
    attempt = tokens.read(uuid, token)
    if attempt is None:
        return HttpResponseNotFound()
    body = _body(request)
    if body is None:
        return HttpResponse(status=413)
    settings = conf.current()
    try:
        signed = bool(signatures.verify(body, request.META.get(SIGNATURE), settings.api_keys))
    except InvalidSignatureError:
        signed = False
        if settings.WEBHOOK_SIGNATURE == "required":
            return HttpResponse(status=401)
    try:
        call = payloads.parse_webhook(body)
    except InvalidPayloadError as error:
        logger.info("A webhook call for %s made no sense: %s", uuid, error)
        return HttpResponse(status=400)
    rows = GeneratedImage.objects.all()
    try:
        if signed:
            changed = settling.heard(rows, uuid, attempt, call)
        else:
            changed = settling.hinted(rows, uuid, attempt, call.job_id)
    except (OperationalError, InterfaceError):
        logger.exception("The database did not take a webhook call for %s", uuid)
        return HttpResponse(status=503)
    if changed:
        wakeups.wake()
    return HttpResponse(status=204)


def _body(request: HttpRequest) -> bytes | None:
    """The raw body, or None where it is larger than any honest one. Reads no further than that."""
    try:
        declared = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        declared = 0
    if declared > MOST_BYTES:
        return None
    try:
        body = request.read(MOST_BYTES + 1)
    except (UnreadablePostError, RawPostDataException):
        return b""
    return None if len(body) > MOST_BYTES else body


@login_not_required
@never_cache
@require_GET
def status(request: HttpRequest) -> JsonResponse:
    """Where pictures and bulk runs stand: ``?ids=<uuid>,<uuid>…``, at most 200, no unknown ones.

    For users who may view pictures, and for holders of a form's signed ``token``, which names
    the pictures that it is good for. Whoever asks is watching: what the provider is making is
    then polled as if no webhook were expected, by a worker; see :func:`watching.watch`.
    """
    user = getattr(request, "user", None)
    may_view = may(user, "view")
    allowed = _uuids(_token_ids(request.GET.get("token", "")))
    pictures = GeneratedImage.objects.filter(uuid__in=allowed)
    if may_view:
        # A token is good for what a hook hides, too: its holder was shown these pictures.
        pictures = viewable(user) | pictures if allowed else viewable(user)
    asked = _uuids(request.GET.get("ids", ""))[:MOST_IDS]
    images = _glimpses(pictures.filter(uuid__in=asked)) if may_view or allowed else []
    others = set(asked) - {image.uuid for image in images} if len(images) < len(asked) else ()
    runs = _runs(request, others)
    if not (may_view or allowed or runs):
        return JsonResponse({"error": "Not allowed."}, status=403)
    _keep_up(images)
    typical = typical_seconds() if any(image.is_in_progress for image in images) else {}
    says = wording.Teller(typical=typical, pause=wording.pause_message(images))
    found = [payload(image, says) for image in images]
    return JsonResponse({"images": [*found, *runs]})


@login_not_required
@never_cache
@require_GET
def choose(request: HttpRequest) -> HttpResponse:
    """Finished pictures to choose from, as a piece of HTML: ``?q=<words>&page=<number>``.

    Those that the user may view: all with the permission, else the user's own; of these, those
    that the field offers which signed ``choices``. 403 for nobody in particular, also where the
    site sends visitors to a login page, which no dialog could show.
    """
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return HttpResponse(status=403)
    query = request.GET.get("q", "").strip()[:200].replace("\0", "")
    page = _page_number(request.GET.get("page", ""))
    pictures = narrowing.narrow(viewable(user), request.GET.get("choices", ""))
    pictures = pictures.completed().exclude(file="")
    for word in query.split()[:10]:
        pictures = pictures.filter(Q(prompt__icontains=word) | Q(alt_text__icontains=word))
    start = (page - 1) * CHOICES
    # One more than shown tells whether there is a next page, without counting them all.
    found = list(pictures.order_by("-pk")[start : start + CHOICES + 1])
    context = {
        "pictures": found[:CHOICES],
        "query": query,
        "previous": page - 1,
        "next": page + 1 if len(found) > CHOICES else 0,
    }
    return render(request, "ideogram_django/widgets/choices.html", context)


@login_not_required
@never_cache
@csrf_protect
@require_POST
def make(request: HttpRequest) -> HttpResponse:
    """Drafts for a form's picture field, before the form is saved, as a piece of HTML.

    Takes what stands in the field's inputs by the end of their names (``prompt``, ``shape``,
    ``count``, ``request``, the signed ``terms``, …) and the field's ``name``. Whatever is wrong is
    a sentence in the answer, and then nothing was spent. 403 for people who may not spend.
    """
    user = getattr(request, "user", None)
    name = request.POST.get("name", "")[:LONGEST_NAME]
    if not may(user, "generate"):
        sentence = gettext("You may not have pictures made. If you were logged out, log in again.")
        context = strip_context(name, Offer(may_view=True), problem=sentence)
        return render(
            request, "ideogram_django/widgets/drafts.html", {"strip": context}, status=403
        )
    value = Submitted(
        kept=unsigned(request.POST.get("current")), **submitted_wish(request.POST, name)
    )
    ordered = ordering.order(user, value)
    context = strip_context(
        name,
        ordered.offer,
        picked=value.draft if ordered.problem else "",
        problem=ordered.problem,
        request_id="" if ordered.problem else str(uuid4()),
    )
    return render(
        request,
        "ideogram_django/widgets/ordered.html",
        {"strip": context, "left": ordered.left},
    )


@login_not_required
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The figures of :mod:`ideogram_django.metrics` as Prometheus text.

    For whoever sends ``METRICS_TOKEN`` as a bearer token, and for staff who may view pictures and
    charges. 404 without that setting, 401 for everybody else.
    """
    token = conf.current().METRICS_TOKEN
    if not token:
        return HttpResponseNotFound()
    if not (_bears(request, token) or _may_read_figures(request)):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    text, content_type = as_text()
    return HttpResponse(text, content_type=content_type)


def _bears(request: HttpRequest, token: str) -> bool:
    kind, _blank, given = request.headers.get("Authorization", "").partition(" ")
    return kind.lower() == "bearer" and constant_time_compare(given.strip(), token)


def _may_read_figures(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)
    return bool(user is not None and user.is_staff and user.has_perms(FIGURES))


def _page_number(text: str) -> int:
    return min(max(int(text), 1), MOST_PAGES) if text.isascii() and text.isdecimal() else 1


def payload(image: GeneratedImage, says: wording.Teller | None = None) -> dict[str, Any]:
    """What a page needs to bring one picture up to date; of its columns, those in :data:`NEWS`."""
    says = says or wording.Teller()
    left = says.left(image)
    return {
        "uuid": str(image.uuid),
        "status": str(image.status),
        "label": says.label(image),
        "sentence": says.sentence(image, left=left),
        "left": left,
        "progress": image.progress,
        "finished": image.is_finished,
        "settled": not waits_for_refund(image),
        "thumbnail": image.thumbnail_url,
        "width": image.width,
        "height": image.height,
        "error": image.error_message,
        "cost": plain(image.cost),
    }


def _glimpses(pictures: GeneratedImageQuerySet) -> list[GeneratedImage]:
    """The newest first, with what their news need: no other column, and of a charge its state."""
    charges: dict[str | None, Charge | None] = {None: None}
    found = []
    # A database takes longer to sort what is this wide than Python does.
    for charge_state, *values in pictures.order_by().values_list("charge__state", *NEWS):
        if charge_state not in charges:
            charges[charge_state] = Charge(state=charge_state)
        image = GeneratedImage.from_db(pictures.db, NEWS, values)
        image._state.fields_cache["charge"] = charges[charge_state]
        found.append(image)
    return sorted(found, key=lambda image: image.pk, reverse=True)


def run_payload(run: Run, report: Report) -> dict[str, Any]:
    """The same for a bulk run. Its "status" is new whenever anything in it is."""
    return {
        "uuid": str(run.uuid),
        "status": reporting.mark(run, report),
        "label": wording.run_milestone(run, report),
        "sentence": wording.run_sentence(run, report),
        "progress": report.percent,
        "left": "",
        "finished": True,  # what depends on it is to be fetched anew
        "settled": True,
        "thumbnail": "",
        "width": None,
        "height": None,
        "error": "",
        "cost": None,
    }


def _runs(request: HttpRequest, ids: Collection[UUID]) -> list[dict[str, Any]]:
    """The runs among these ids that the user may see. No query where nothing is asked."""
    user = getattr(request, "user", None)
    if not ids or user is None or not user.is_authenticated:
        return []
    runs = list(Run.objects.viewable_by(user).filter(uuid__in=ids))
    reports = reporting.reports(runs)
    return [run_payload(run, reports[run.pk]) for run in runs]


def _keep_up(images: list[GeneratedImage]) -> None:
    """Have the provider asked about what is being watched, unless nobody may ask it now."""
    due = watching.watch(GeneratedImage.objects.all(), images, conf.current())
    if due and provider.may_call(provider.state()):
        wakeups.wake_after_commit()


def _token_ids(token: str) -> str:
    try:
        ids = signing.loads(token, salt=WIDGET_SALT, max_age=WIDGET_MAX_AGE)
    except signing.BadSignature:
        return ""
    return ",".join(ids)


def _uuids(text: str) -> list[UUID]:
    found = []
    for part in text.split(",")[: MOST_IDS + 1]:
        try:
            found.append(UUID(part.strip()))
        except ValueError:
            continue
    return found
