"""What the gallery says about each picture that it shows, and about all of them together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.db.models import Count
from django.http import HttpRequest
from django.urls import NoReverseMatch
from django.utils.text import get_text_list
from django.utils.translation import gettext, ngettext

from ideogram_django import wording
from ideogram_django.admin.filters import RunFilter
from ideogram_django.admin.looks import is_grid
from ideogram_django.estimates import typical_seconds
from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One picture in the grid, or one row of the list."""

    image: GeneratedImage
    url: str = ""
    page_url: str = ""
    """The picture's own page; none where a click chooses the picture for another form."""
    alt_url: str = ""
    """Where the missing alternative text can be given."""
    step_url: str = ""
    value: Any = None
    name: str
    """What it is called where somebody cannot see it."""
    model: str
    price: str
    sentence: str
    shape: tuple[int, int]
    sheet_url: str = ""
    sheet: str = ""
    may_pick: bool = False
    lacks_alt: bool


def card_of(image: GeneratedImage) -> Card:
    """What the page has found out about it; outside the gallery, what can be said of it alone."""
    card: Card | None = getattr(image, "ideogram_card", None)
    return card if card is not None else make_card(image, sentence=wording.sentence(image))


def make_card(image: GeneratedImage, *, sentence: str, **facts: Any) -> Card:
    return Card(
        image=image,
        name=str(image),  # sixty characters at most
        model=wording.model_label(image.model),
        price=price_text(image),
        sentence=sentence,
        shape=wording.shape_of(image),
        lacks_alt=(
            image.status == Status.COMPLETED and not image.alt_text and not image.decorative
        ),
        **facts,
    )


def price_text(image: GeneratedImage) -> str:
    """What it cost; before that is known, what it is expected to cost."""
    if image.status == Status.CANCELLED:
        return ""
    if image.cost is not None:
        return wording.money(image.cost, image.currency)
    text = wording.money(image.price, image.currency)
    if image.status == Status.DRAFT and text:
        return gettext("%(price)s if made") % {"price": text}
    return text


def total_text(images: Iterable[GeneratedImage]) -> str:
    """``24 pictures shown · $1.44``: currencies told apart, and nothing for what is not spent."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    count = 0
    for image in images:
        count += 1
        amount = image.price if image.cost is None else image.cost
        if amount and image.status not in (Status.DRAFT, Status.CANCELLED) and not image.uploaded:
            sums[image.currency] += amount
    if not sums:
        return ngettext("%(count)d picture shown", "%(count)d pictures shown", count) % {
            "count": count
        }
    amounts = [wording.money(sums[currency], currency) for currency in sorted(sums)]
    return ngettext(
        "%(count)d picture shown · %(total)s", "%(count)d pictures shown · %(total)s", count
    ) % {"count": count, "total": get_text_list(amounts, gettext("and"))}


class PictureList(ChangeList):
    """Django's list, with what the gallery's templates need."""

    ideogram_grid = False
    ideogram_may_pick = False
    ideogram_may_add = False
    ideogram_cards: list[Card] = []
    ideogram_total = ""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Without what a bulk run has not started yet: a thousand drafts that nobody works on."""
        rows = super().get_queryset(request, *args, **kwargs)
        if RunFilter.parameter_name in request.GET:
            return rows
        return rows.exclude(status=Status.DRAFT, run__isnull=False)

    def get_ordering(self, request: HttpRequest, queryset: Any) -> Any:
        # The numbers in ?o= count the list's columns; the grid has others, and none to press.
        if is_grid(request):
            self.params.pop(ORDER_VAR, None)
        ordering: Any = super().get_ordering(request, queryset)
        if list(ordering) == ["-id"] and any(name.startswith("created_at") for name in request.GET):
            # The same order, as the index over the times has it: no sorting of a whole year.
            return ["-created_at", "-id"]
        return ordering

    def ideogram_look_up(self, *, pause: str) -> None:
        """Everything about the pictures of this page, in a fixed number of queries.

        ``pause``: why nothing is sent at the moment.
        """
        images: list[GeneratedImage] = list(self.result_list)
        typical = typical_seconds() if any(one.is_in_progress for one in images) else {}
        sizes = self._sheet_sizes(images)
        addresses = {} if self.is_popup else self._sheet_urls(sizes)
        self.ideogram_cards = []
        for image in images:
            sentence = wording.sentence(image, typical=typical, pause=pause)
            sheet_url = addresses.get(image.batch, "")
            card = self._card(image, sentence, sheet_url, sizes.get(image.batch, 1))
            image.ideogram_card = card  # type: ignore[attr-defined]
            self.ideogram_cards.append(card)
        self.ideogram_total = total_text(images)
        if self.ideogram_grid:  # the cards say it all; cells that nobody sees need not be made
            self.list_display = [one for one in self.list_display if one == "action_checkbox"]

    def _card(self, image: GeneratedImage, sentence: str, sheet_url: str, siblings: int) -> Card:
        filters: Any = {"preserved_filters": self.preserved_filters, "opts": self.opts}
        model_admin: Any = self.model_admin
        url = add_preserved_filters(
            filters, self.url_for_result(image), self.is_popup, self.to_field
        )
        page_url = "" if self.is_popup else url
        may_pick = self.ideogram_may_pick and bool(image.file)
        return make_card(
            image,
            sentence=sentence,
            url=url,
            page_url=page_url,
            alt_url=f"{page_url}#id_alt_text" if self.ideogram_may_pick else page_url,
            step_url=model_admin.admin_url("step", image.pk) if may_pick else "",
            value=image.serializable_value(str(self.to_field or self.pk_attname)),
            sheet_url=sheet_url,
            sheet=gettext("Sheet of %(count)d") % {"count": siblings} if sheet_url else "",
            may_pick=may_pick,
        )

    def _sheet_urls(self, sizes: Mapping[Any, int]) -> dict[Any, str]:
        """The sheets of requests that made several pictures, by the request."""
        model_admin: Any = self.model_admin
        several = [batch for batch, size in sizes.items() if size > 1]
        try:
            return {batch: str(model_admin.admin_url("sheet", batch)) for batch in several}
        except NoReverseMatch:  # a site's subclass may do without the sheet
            return {}

    def _sheet_sizes(self, images: list[GeneratedImage]) -> dict[Any, int]:
        """How many pictures each request of this page made. Bulk work has no sheet."""
        batches = {one.batch for one in images if one.batch is not None and not one.bulk}
        if not batches:
            return {}
        rows = self.root_queryset.order_by().filter(batch__in=batches)
        return dict(rows.values_list("batch").annotate(Count("pk")))


@cache
def picture_list_on(base: type[ChangeList]) -> type[PictureList]:
    """The list above, on top of what a theme has made of Django's."""
    if issubclass(PictureList, base):
        return PictureList
    if issubclass(base, PictureList):
        return base
    return type("PictureList", (PictureList, base), {})
