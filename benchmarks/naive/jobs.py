"""The naive app's jobs: one for each picture, from the order to the file."""

from __future__ import annotations

import time

import requests
from django.conf import settings
from django.core.files.base import ContentFile
from django.utils import timezone

from benchmarks.naive.models import Picture


def order(pk: int) -> str:
    """Send one picture's request; the job's id."""
    picture = Picture.objects.get(pk=pk)
    answer = requests.post(
        f"{settings.IDEOGRAM_DJANGO['API_BASE_URL']}/v2/images/generate",
        json={"model": picture.model, "prompt": picture.prompt},
        headers={"X-API-Key": settings.IDEOGRAM_DJANGO["API_KEY"]},
        timeout=60,
    )
    answer.raise_for_status()
    picture.remote_id = answer.json()["jobId"]
    picture.status = "submitted"
    picture.save()
    return str(picture.remote_id)


def submit_and_poll(pk: int) -> None:
    """What a worker does for one picture, until it is there: it blocks for as long."""
    remote_id = order(pk)
    picture = Picture.objects.get(pk=pk)
    while True:
        answer = requests.get(
            f"{settings.IDEOGRAM_DJANGO['API_BASE_URL']}/v2/jobs/{remote_id}",
            headers={"X-API-Key": settings.IDEOGRAM_DJANGO["API_KEY"]},
            timeout=60,
        )
        answer.raise_for_status()
        job = answer.json()
        if job["status"] in ("COMPLETED", "FAILED"):
            break
        time.sleep(2)
    if job["status"] == "COMPLETED":
        content = requests.get(job["result"]["images"][0], timeout=60).content
        picture.image.save(f"{picture.pk}.png", ContentFile(content), save=False)
    picture.status = job["status"].lower()
    picture.finished_at = timezone.now()
    picture.save()


def fetch(pk: int, url: str) -> None:
    """After a webhook: bring the file home, all of it through memory."""
    picture = Picture.objects.get(pk=pk)
    picture.image.save(f"{pk}.png", ContentFile(requests.get(url, timeout=60).content))
