"""What an action of the gallery would do with the selected pictures, and at what price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext

from ideogram_django import conf, wording
from ideogram_django.admin import frozen
from ideogram_django.admin.nextsteps import VARIATIONS
from ideogram_django.admin.offers import better, offers, request_of
from ideogram_django.budget import ledger
from ideogram_django.lifecycle.steering import fetched_free, may_cost_again, waits_for_refund
from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import Status


@dataclass(slots=True)
class Plan:
    """What an action would do now, worked out afresh for each look and for the deed."""

    action: str
    rows: list[tuple[GeneratedImage, list[dict[str, Any]], ledger.Price | None]] = field(
        default_factory=list
    )
    """Pictures with the requests that would be made from them, and the price of each."""
    skipped: list[tuple[GeneratedImage, str]] = field(default_factory=list)
    charged_before: int = 0

    @property
    def count(self) -> int:
        return sum(max(len(requests), 1) for _image, requests, _price in self.rows)

    @property
    def prices(self) -> list[ledger.Price]:
        return [
            price
            for _image, requests, price in self.rows
            if price is not None
            for _one in range(max(len(requests), 1))
        ]

    @property
    def fingerprint(self) -> str:
        return frozen.fingerprint(
            [self.action]
            + [
                (image.pk, image.attempt, image.prompt, len(r), price)
                for image, r, price in self.rows
            ]
        )


def plan(
    pictures: QuerySet[GeneratedImage], kept: frozen.FrozenList, settings: conf.AppSettings
) -> Plan:
    """What of the list can still be done with these ``pictures``. Writes nothing."""
    attempts = dict(kept.rows)
    pictures = pictures.filter(pk__in=attempts).select_related("charge", "requested_by")
    found = Plan(action=kept.action)
    available = {offer.model.id: offer for offer in offers(settings)}
    for image in pictures.order_by("pk"):
        reason, requests, model_id = _wish(image, kept.action, attempts[image.pk], settings)
        offer = available.get(model_id)
        price = offer.price(image.rendering_speed) if offer else None
        free = kept.action == "retry" and fetched_free(image)
        if not reason and price is None and not free:
            reason = gettext("Its model is no longer offered.")
        if reason:
            found.skipped.append((image, reason))
            continue
        found.rows.append((image, requests, None if free else price))
        if kept.action == "retry" and not free and may_cost_again(image):
            found.charged_before += 1
    return found


def _wish(
    image: GeneratedImage, action: str, attempt: int, settings: conf.AppSettings
) -> tuple[str, list[dict[str, Any]], str]:
    """Why not, or the requests to be made, and the model that decides the price."""
    if image.uploaded:
        return gettext("It was uploaded, not made."), [], ""
    if action == "generate":
        if image.status != Status.DRAFT:
            return gettext("It is not a draft."), [], image.model
        reason = "" if image.run_id is None else gettext("It belongs to a bulk run.")
        return reason, [], image.model
    if action == "retry":
        return _why_not_again(image, attempt), [], image.model
    if action == "variations":
        return "", [request_of(image, with_seed=False)] * VARIATIONS, image.model
    targets: Mapping[str, str] = {
        offer.model.tier: offer.model.id for offer in better(image, settings)
    }
    model_id = targets.get(action, "")
    if not model_id:
        return gettext("It was made on this model."), [], ""
    return "", [request_of(image, model_id)], model_id


def _why_not_again(image: GeneratedImage, attempt: int) -> str:
    """Why this picture is left out when others are tried again; empty if it is not."""
    advice = wording.advice(image)
    if advice is None or image.attempt != attempt:
        return gettext("It did not fail, or is being tried again.")
    if not advice.again:
        return f"{image.error_message} {advice.hint}"
    if waits_for_refund(image):
        return wording.charged(image)
    return ""
