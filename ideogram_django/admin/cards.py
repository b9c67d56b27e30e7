"""What the gallery says about each picture that it shows, and about all of them together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.db.models import Count
from django.http import HttpRequest
from django.urls import NoReverseMatch
from django.utils.formats import date_format
from django.utils.text import Truncator, get_text_list
from django.utils.timezone import is_aware, localtime
from django.utils.translation import gettext, ngettext

from ideogram_django import wording
from ideogram_django.admin.filters import RunFilter
from ideogram_django.admin.looks import is_grid
from ideogram_django.estimates import typical_seconds
from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import Status

Money = Callable[[Decimal | None, str], str]
"""Says an amount: :func:`wording.money`, or what remembers its answers."""
PROMPT_SHOWN = 140
_NO_KEY = 9_182_736_455_463_728
_NO_BATCH = UUID(int=_NO_KEY)
"""Of no picture, and digits that no address has by chance."""


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
    face: Face | None = None
    """For the grid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """What the grid alone shows of a picture, as it stands in the page.

    Worked out here and not in the template, where each look-up, filter and translation is made
    anew for every card: a page has a hundred.
    """

    key: str
    select: str
    """The name of the box that selects it; empty where there is none."""
    thumbnail: str
    width: str
    height: str
    prompt: str
    status: str
    """In a word."""
    in_progress: bool
    failed: bool
    has_bar: bool
    progress: str
    maker: str
    made: str
    """For programs."""
    made_exactly: str
    made_on: str


def card_of(image: GeneratedImage) -> Card:
    """What the page has found out about it; outside the gallery, what can be said of it alone."""
    card: Card | None = getattr(image, "ideogram_card", None)
    return card if card is not None else make_card(image, sentence=wording.sentence(image))


def make_card(
    image: GeneratedImage, *, sentence: str, money: Money = wording.money, **facts: Any
) -> Card:
    return Card(
        image=image,
        name=str(image),  # sixty characters at most
        model=wording.model_label(image.model),
        price=price_text(image, money),
        sentence=sentence,
        shape=wording.shape_of(image),
        lacks_alt=(
            image.status == Status.COMPLETED and not image.alt_text and not image.decorative
        ),
        **facts,
    )


def price_text(image: GeneratedImage, money: Money = wording.money) -> str:
    """What it cost; before that is known, what it is expected to cost."""
    if image.status == Status.CANCELLED:
        return ""
    if image.cost is not None:
        return money(image.cost, image.currency)
    text = money(image.price, image.currency)
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
    ideogram_may_act = False
    """Whether pictures can be selected, for an action."""
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
        self.ideogram_may_act = "action_checkbox" in self.list_display
        facts = _Facts(
            self, wording.Teller(typical=typical, pause=pause), self._sheet_sizes(images)
        )
        self.ideogram_cards = []
        for image in images:
            card = facts.card(image)
            image.ideogram_card = card  # type: ignore[attr-defined]
            self.ideogram_cards.append(card)
        self.ideogram_total = total_text(images)
        if self.ideogram_grid:  # the cards say it all; cells that nobody sees need not be made
            self.list_display = []

    def _sheet_sizes(self, images: list[GeneratedImage]) -> dict[Any, int]:
        """How many pictures each request of this page made. Bulk work has no sheet."""
        batches = {one.batch for one in images if one.batch is not None and not one.bulk}
        if not batches:
            return {}
        rows = self.root_queryset.order_by().filter(batch__in=batches)
        return dict(rows.values_list("batch").annotate(Count("pk")))


class _Facts:
    """Finds out what the cards of one page say; what they have in common, once for all of them."""

    def __init__(
        self, pictures: PictureList, says: wording.Teller, sizes: Mapping[Any, int]
    ) -> None:
        self._list = pictures
        self._says = says
        self._money = cache(wording.money)
        self._sizes = sizes
        self._sheets = self._address("sheet", _NO_BATCH) if sizes and not pictures.is_popup else ""
        self._steps = self._address("step", _NO_KEY) if pictures.ideogram_may_pick else ""
        self._pages = ""
        if type(pictures).url_for_result is ChangeList.url_for_result:
            self._pages = self._page_url_of(GeneratedImage(pk=_NO_KEY))
        self._select = gettext("Select %(name)s")
        self._sheet = gettext("Sheet of %(count)d")
        self._days: dict[Any, str] = {}

    def card(self, image: GeneratedImage) -> Card:
        pictures = self._list
        url = self._page_url(image)
        page_url = "" if pictures.is_popup else url
        may_pick = pictures.ideogram_may_pick and bool(image.file)
        size = self._sizes.get(image.batch, 1)
        sheet_url = self._sheets.replace(str(_NO_BATCH), str(image.batch)) if size > 1 else ""
        return make_card(
            image,
            sentence=self._says.sentence(image),
            money=self._money,
            url=url,
            page_url=page_url,
            alt_url=f"{page_url}#id_alt_text" if pictures.ideogram_may_pick else page_url,
            step_url=self._steps.replace(str(_NO_KEY), str(image.pk)) if may_pick else "",
            value=image.serializable_value(str(pictures.to_field or pictures.pk_attname)),
            sheet_url=sheet_url,
            sheet=self._sheet % {"count": size} if sheet_url else "",
            may_pick=may_pick,
            face=self._face(image) if pictures.ideogram_grid else None,
        )

    def _face(self, image: GeneratedImage) -> Face:
        name = str(image)
        prompt = image.prompt or name
        made = image.created_at
        if is_aware(made):
            made = localtime(made)
        day = made.date()
        if day not in self._days:
            self._days[day] = date_format(made, "SHORT_DATE_FORMAT")
        in_progress = image.is_in_progress
        return Face(
            key=str(image.pk),
            select=self._select % {"name": name} if self._list.ideogram_may_act else "",
            thumbnail=image.thumbnail_url,
            width=str(image.width or ""),
            height="" if image.height is None else str(image.height),
            prompt=prompt if len(prompt) <= PROMPT_SHOWN else Truncator(prompt).chars(PROMPT_SHOWN),
            status=self._says.label(image),
            in_progress=in_progress,
            failed=image.status == Status.FAILED,
            has_bar=in_progress or not image.is_finished,
            progress="" if image.progress is None else str(image.progress),
            maker="" if image.requested_by is None else str(image.requested_by),
            made=made.isoformat(),
            made_exactly=date_format(made, "DATETIME_FORMAT"),
            made_on=self._days[day],
        )

    # Addresses differ in the picture alone, and to look one up takes as long as all else on its
    # card. So one is looked up, of a picture that there is not, and filled in for the others.

    def _page_url(self, image: GeneratedImage) -> str:
        if self._pages:
            return self._pages.replace(str(_NO_KEY), str(image.pk))
        return self._page_url_of(image)  # a theme's list has addresses of its own

    def _page_url_of(self, image: GeneratedImage) -> str:
        pictures = self._list
        filters: Any = {"preserved_filters": pictures.preserved_filters, "opts": pictures.opts}
        return add_preserved_filters(
            filters, pictures.url_for_result(image), pictures.is_popup, pictures.to_field
        )

    def _address(self, name: str, stand_in: Any) -> str:
        model_admin: Any = self._list.model_admin
        try:
            return str(model_admin.admin_url(name, stand_in))
        except NoReverseMatch:  # a site's subclass may do without the sheet
            return ""


@cache
def picture_list_on(base: type[ChangeList]) -> type[PictureList]:
    """The list above, on top of what a theme has made of Django's."""
    if issubclass(PictureList, base):
        return PictureList
    if issubclass(base, PictureList):
        return base
    return type("PictureList", (PictureList, base), {})
