"""What stands on a contact sheet: its pictures, what came of them, and what they cost."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import Case, Count, F, Max, Min, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce

from ideogram_django import conf, wording
from ideogram_django.admin.spends import Spends, spending
from ideogram_django.estimates import seconds_left, typical_seconds
from ideogram_django.lifecycle import using
from ideogram_django.models import GeneratedImage, picture_storage
from ideogram_django.pictures.formats import AVIF, srcset
from ideogram_django.statuses import FINISHED, Status

MOST_FINALS = 48

Address = Callable[..., str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One picture of the sheet."""

    image: GeneratedImage
    number: int
    place: int
    """On this page, from 1; the style sheet counts by it."""
    sentence: str
    srcset: str
    shape: tuple[int, int]
    chosen: bool
    spends: Sequence[Spends]

    @property
    def ready(self) -> bool:
        """Whether it can be chosen."""
        return _ready(self.image)


class Contents:
    """One page of the pictures that one request asked for. Few queries, however many there are."""

    def __init__(
        self, pictures: QuerySet[GeneratedImage], batch: uuid.UUID, *, page: int, size: int
    ) -> None:
        self.pictures = pictures
        self.batch = batch
        self.all = pictures.filter(batch=batch)
        self.facts = self.all.aggregate(
            count=Count("pk"),
            finished=Count("pk", filter=Q(status__in=FINISHED)),
            failed=Count("pk", filter=Q(status=Status.FAILED)),
            saved=Count("pk", filter=Q(status=Status.DRAFT)),
            prompts=Count("prompt", distinct=True),
            first_model=Min("model"),
            last_model=Max("model"),
            currency=Max("currency"),
            total=Sum(
                Case(
                    When(status=Status.CANCELLED, then=Value(None)),
                    default=Coalesce(F("cost"), F("price")),
                )
            ),
        )
        self.count: int = self.facts["count"]
        self.pages = max(-(-self.count // size), 1)
        self.page = min(page, self.pages)
        self.start = (self.page - 1) * size
        rows = self.all.select_related("charge", "parent").order_by("pk")
        self.images = list(rows[self.start : self.start + size])

    # --- one of them ----------------------------------------------------------------------------

    def find(self, key: str) -> GeneratedImage | None:
        return next((image for image in self.images if str(image.pk) == key), None)

    def number(self, image: GeneratedImage) -> int:
        """What the page calls it: its place on the whole sheet."""
        return self._numbers[image.pk]

    @cached_property
    def _numbers(self) -> dict[int | None, int]:
        return {image.pk: self.start + place for place, image in enumerate(self.images, 1)}

    def rivals(self, image: GeneratedImage) -> QuerySet[GeneratedImage]:
        """Those of the sheet, and itself, of which one is picked."""
        return using.drafts_of(image, self.all).order_by("pk")

    def chosen(self, wanted: str) -> GeneratedImage | None:
        """The wanted one; else the picked one, the one worked with last, or the first there is."""
        ready = [image for image in self.images if _ready(image)]
        found = [image for image in ready if str(image.pk) == wanted]
        found += [image for image in ready if image.picked]
        last = next((one.parent_id for one in reversed(self._finals)), None)
        found += [image for image in ready if image.pk == last]
        return next(iter([*found, *ready]), None)

    # --- what the page shows --------------------------------------------------------------------

    @property
    def mixed(self) -> bool:
        """Whether there is more than one prompt."""
        return bool(self.facts["prompts"] > 1)

    def summary(self) -> dict[str, Any]:
        """The request in a few words, and how far it is."""
        first = self.images[0]
        one_model = self.facts["first_model"] == self.facts["last_model"]
        facts = [wording.model_label(first.model)] if one_model else []
        if not self.mixed:
            style = wording.style_label(first.style_type) if first.style_type else ""
            facts += [style, first.aspect_ratio or first.resolution.replace("x", " × ")]
        return {
            "image": first,
            "facts": [fact for fact in facts if fact],
            "total": wording.money(self.facts["total"], self.facts["currency"]),
            "finished": self.facts["finished"],
            "failed": self.facts["failed"],
            "waiting": self.count - self.facts["finished"] - self.facts["saved"],
            "slowest": self._slowest,
            "left": wording.remaining(self._slowest, self._typical) if self._slowest else "",
        }

    def shape(self) -> tuple[int, int]:
        """What the place of the large picture is shaped like while there is none."""
        return wording.shape_of(self.images[0])

    def cards(
        self,
        *,
        chosen: GeneratedImage | None,
        user: Any,
        may_spend: bool,
        settings: conf.AppSettings,
    ) -> list[Card]:
        allowed = may_spend and settings.SPENDING_ENABLED
        spends = spending(user, settings, self._finals) if allowed else None
        return [
            Card(
                image=image,
                number=self.start + place,
                place=place,
                sentence=self._sentence(image),
                srcset=_srcset(image),
                shape=wording.shape_of(image),
                chosen=image == chosen,
                spends=spends(image) if spends and _ready(image) else [],
            )
            for place, image in enumerate(self.images, 1)
        ]

    def finals(self, address: Address) -> list[dict[str, Any]]:
        """What was made on another model from these pictures."""
        return [
            {
                "image": image,
                "model": wording.model_label(image.model),
                "number": self._numbers[image.parent_id],
                "shape": wording.shape_of(image),
                "srcset": _srcset(image),
                "sentence": self._sentence(image),
                "price": wording.money(
                    image.price if image.cost is None else image.cost, image.currency
                ),
                "url": address("change", image.pk),
                "step_url": address("step", image.pk),
            }
            for image in self._finals
        ]

    def others(self, address: Address) -> list[dict[str, Any]]:
        """Sheets that were made from pictures of this one: more like them."""
        rows = (
            self._children.filter(model=F("parent__model"), batch__isnull=False)
            .order_by("batch")
            .values("batch", "parent")
            .annotate(count=Count("pk"), first=Min("pk"))
            .order_by("first")[:MOST_FINALS]
        )
        return [
            {
                "url": address("sheet", row["batch"]),
                "count": row["count"],
                "number": self._numbers[row["parent"]],
            }
            for row in rows
        ]

    def source(self, address: Address) -> dict[str, Any] | None:
        """The one picture that all of these were made from."""
        parents = {image.parent_id for image in self.images}
        parent = self.images[0].parent
        if len(parents) > 1 or parent is None:
            return None
        if parent.batch is None or parent.batch == self.batch:
            return {"image": parent, "url": address("change", parent.pk)}
        return {"image": parent, "url": f"{address('sheet', parent.batch)}?chosen={parent.pk}"}

    # --- asked for once -------------------------------------------------------------------------

    @property
    def _children(self) -> QuerySet[GeneratedImage]:
        return self.pictures.filter(parent__in=[image.pk for image in self.images])

    @cached_property
    def _finals(self) -> list[GeneratedImage]:
        rows = self._children.exclude(model=F("parent__model")).order_by("-pk")[:MOST_FINALS]
        return sorted(rows, key=lambda image: image.pk)

    @cached_property
    def _typical(self) -> Mapping[str, float]:
        shown = [*self.images, *self._finals]
        return typical_seconds() if any(image.is_in_progress for image in shown) else {}

    @cached_property
    def _pause(self) -> str:
        return wording.pause_message([*self.images, *self._finals])

    @cached_property
    def _slowest(self) -> GeneratedImage | None:
        """Of those under way, the one that will probably be there last."""
        under_way = [image for image in self.images if image.is_in_progress]
        known = [(seconds_left(image, self._typical), image) for image in under_way]
        guessed = [(left, image) for left, image in known if left is not None]
        if guessed:
            return max(guessed, key=lambda one: one[0])[1]
        return under_way[-1] if under_way else None

    def _sentence(self, image: GeneratedImage) -> str:
        return wording.sentence(image, typical=self._typical, pause=self._pause)


def _ready(image: GeneratedImage) -> bool:
    return image.status == Status.COMPLETED and bool(image.file)


def _srcset(image: GeneratedImage) -> str:
    """The stored widths and the original, for the browser to choose from."""
    if not image.file or not image.width or not image.renditions:
        return ""
    # An image alone offers no way around a format that the browser does not take.
    copies = [one for one in image.renditions if one.get("format") != AVIF]
    files = [(picture_storage.url(one["name"]), one["width"]) for one in copies]
    return srcset([*files, (image.url, image.width)])
