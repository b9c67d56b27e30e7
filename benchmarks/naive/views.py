"""The naive app's webhook, and a view that does nothing at all: the server's own limit."""

from __future__ import annotations

import hashlib
import hmac
import json

import django_rq
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from benchmarks.naive.jobs import fetch
from benchmarks.naive.models import Picture


@csrf_exempt
def bare(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=204)


@csrf_exempt
def webhook(request: HttpRequest) -> HttpResponse:
    """Check the signature, get and save the row, enqueue the download."""
    key = hashlib.sha256(settings.IDEOGRAM_DJANGO["API_KEY"].encode()).hexdigest()
    expected = hmac.new(key.encode(), request.body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(
        f"sha256={expected}", request.headers.get("X-Webhook-Signature", "")
    ):
        return HttpResponse(status=401)
    data = json.loads(request.body)
    try:
        picture = Picture.objects.get(remote_id=data["jobId"])
    except Picture.DoesNotExist:
        return HttpResponse(status=404)
    if data["status"] == "COMPLETED":
        picture.status = "completed"
        picture.finished_at = timezone.now()
        picture.save()
        django_rq.enqueue(fetch, picture.pk, data["result"]["images"][0])
    return HttpResponse(status=204)
