"""Ordering new pictures from a field: with the form when it is saved, or at once, beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4, uuid5

from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf, wording
from ideogram_django.apiframe import catalogue
from ideogram_django.budget import ledger, limits
from ideogram_django.exceptions import InvalidRequest
from ideogram_django.forms import prompts
from ideogram_django.forms.access import may, may_look_at, viewable
from ideogram_django.forms.answers import GenerationRequest, flat
from ideogram_django.forms.relatives import Relatives
from ideogram_django.lifecycle import using, wishes
from ideogram_django.models import GeneratedImage
from ideogram_django.widgets import MOST_DRAFTS, Make, Offer, Submitted, Terms

DRAFTS = 4
"""How many are proposed where they are cheap."""


# --- what is offered ----------------------------------------------------------------------------


def make_for(defaults: Mapping[str, Any], record: Model | None) -> Make | None:
    """How a new picture can be had with a field's defaults; None where none can."""
    settings = conf.current()
    options = _options(defaults)
    model_id = options.get("model") or settings.DEFAULT_MODEL
    speed = options.get("rendering_speed") or ""
    price = ledger.price_of(settings, model_id, speed)
    if price is None or not settings.SPENDING_ENABLED:
        return None
    try:
        model = catalogue.get_model(model_id, settings.PRICES)
    except InvalidRequest:
        model = None
    drafts = model is not None and model.tier == "draft"
    template = _template(defaults)
    text = _offered(template, record)
    holes = _holes(template, record) if _saved(record) else []
    gaps = [name for name in prompts.gaps(template) if f"{{{name}}}" in text]
    titles = _titles(template, record)
    terms = _terms(options, template, titles, holes)
    return Make(
        price=wording.money(price.amount, price.currency),
        prompt=text,
        gaps=gaps,
        holes=[titles[name] for name in holes],
        shape=options.get("aspect_ratio") or "",
        shapes=model.aspect_ratios if model is not None and not options.get("resolution") else (),
        longest=catalogue.MAX_PROMPT,
        count=DRAFTS if drafts else 1,
        labels=[
            wording.make_label(count, price.amount * count, price.currency, drafts=drafts)
            for count in range(1, MOST_DRAFTS + 1)
        ],
        terms=terms.sign() if terms else "",
    )


def _terms(
    options: Mapping[str, Any], template: str, titles: Mapping[str, str], holes: list[str]
) -> Terms | None:
    try:
        wish = wishes.check({**options, "prompt": "A picture"})
    except ValidationError:
        return None  # a system check tells the developer
    return Terms(
        price=str(wish.price.amount),
        currency=wish.price.currency,
        options={"model": wish.request.model, **wish.request.parameters},
        template=template,
        labels=dict(titles),
        holes=[titles[name] for name in holes],
    )


# --- with the form ------------------------------------------------------------------------------


def request_for(
    defaults: Mapping[str, Any], value: Submitted, record: Model | None, *, user: Any
) -> GenerationRequest:
    """What the form asks for, checked and priced. ``ValidationError`` for what cannot be."""
    template = _template(defaults)
    prompt = value.prompt
    if not value.edited and _saved(record) and _holes(template, record):
        # The text that was offered has a hole; what the record says by now may fill it.
        prompt = template
    terms = Terms.read(value.terms)
    return _request(
        _options(defaults),
        value,
        prompt=prompt,
        gaps=tuple(name for name in prompts.gaps(template) if f"{{{name}}}" in prompt),
        needs_all=not value.edited,
        terms=terms,
        user=user,
    )


def check_limits(request: GenerationRequest, user: Any) -> None:
    """An early, friendly sentence; the reservation decides."""
    if GeneratedImage.objects.filter(request_id=request.request_id).exists():
        return  # the same form once more: it costs nothing
    short = limits.shortage(limits.allowances(user), request.total)
    if short is not None:
        raise short


def _request(
    options: Mapping[str, Any],
    value: Submitted,
    *,
    prompt: str,
    gaps: tuple[str, ...] = (),
    needs_all: bool = False,
    terms: Terms | None,
    user: Any,
) -> GenerationRequest:
    chosen = {**options, **({"aspect_ratio": value.shape} if value.shape else {})}
    wish = wishes.check({**chosen, "prompt": prompt})
    price = wish.price
    if terms is not None and (terms.price, terms.currency) != (str(price.amount), price.currency):
        raise ValidationError(
            _("The price has changed: it is %(price)s for each picture now. Nothing was spent."),
            code="price_changed",
            params={"price": wording.money(price.amount, price.currency)},
        )
    page = value.request_id or uuid4()
    return GenerationRequest(
        prompt=prompt,
        options=chosen,
        price=price.amount,
        currency=price.currency,
        count=_count(value.count),
        requested_by=user,
        gaps=gaps,
        needs_all=needs_all,
        # By the final text, so that a prompt is the same whoever filled its gaps: the page, for
        # drafts at once, or the saved record.
        request_id=page if gaps else uuid5(page, prompt),
    )


def _count(text: str) -> int:
    count = int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else 0
    if text and not 1 <= count <= MOST_DRAFTS:
        raise ValidationError(
            _("Choose between 1 and %(most)d pictures."),
            code="count",
            params={"most": MOST_DRAFTS},
        )
    return count or 1


# --- at once ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """What can be picked from now, and what went wrong, if anything did."""

    offer: Offer
    problem: str = ""


def order(user: Any, value: Submitted) -> Ordered:
    """Make drafts before the form is saved.

    The same ``request_id`` with the same wish gives the same drafts and no second charge. Where
    anything is wrong, nothing is spent, and what could be picked from before stays.
    """
    problem = ""
    drafts: list[GeneratedImage] = []
    try:
        drafts = _made(user, value, Terms.read(value.terms))
    except ValidationError as error:
        problem = " ".join(flat(error).messages)
    pictures = GeneratedImage.objects.for_display()
    current = pictures.filter(uuid=value.kept).first() if value.kept else None
    found = Relatives([current]).of(current) if current is not None else []
    earlier = earlier_drafts(user, value, current, found)
    shown = drafts or earlier
    told = Relatives([*shown, *found])
    return Ordered(
        problem=problem,
        offer=Offer(
            current=current,
            may_view=may(user, "view"),
            drafts=shown,
            relatives=[
                one for one in [*(earlier if drafts else []), *found] if may_look_at(user, one)
            ],
            before=_before(current, user),
            typical=told.typical,
            pause=told.pause,
        ),
    )


def _made(user: Any, value: Submitted, terms: Terms | None) -> list[GeneratedImage]:
    if not may(user, "generate"):
        raise ValidationError(_("You may not have pictures made."), code="may_not_generate")
    if not conf.current().SPENDING_ENABLED:
        raise ValidationError(_("Making pictures is switched off on this site."), code="off")
    if terms is None or value.request_id is None:
        raise ValidationError(_("This page is out of date. Load it again."), code="terms")
    _check_gaps(value, terms)
    request = _request(terms.options, value, prompt=value.prompt, terms=terms, user=user)
    check_limits(request, user)
    return request.generate_all()


def _check_gaps(value: Submitted, terms: Terms) -> None:
    """Everything was filled in by the page, with something."""
    if terms.holes and not value.edited:
        raise prompts.missing(terms.holes)
    if holes := prompts.guessed_empty(terms.template, value.prompt):
        raise prompts.missing(terms.labels[name] for name in holes)
    left = [title for name, title in terms.labels.items() if f"{{{name}}}" in value.prompt]
    if left:
        raise ValidationError(
            _(
                "The prompt still has braces in it, which are filled in when you save: "
                "%(names)s. Write the words in their place, or tick “Make on save”."
            ),
            code="gaps",
            params={"names": ", ".join(left)},
        )


def earlier_drafts(
    user: Any,
    value: Submitted,
    current: GeneratedImage | None,
    relatives: Sequence[GeneratedImage],
) -> list[GeneratedImage]:
    """The drafts of which one is picked at the moment, if they were made from this very form."""
    known = [*([current] if current else []), *relatives]
    if not value.picked or value.picked in [str(one.uuid) for one in known]:
        return []
    try:
        picked = viewable(user).filter(uuid=value.picked).first()
    except ValidationError:
        return []
    if picked is None or (current is not None and picked.pk == current.replaces_id):
        return []
    return list(using.drafts_of(picked).order_by("request_number")[:MOST_DRAFTS])


def _before(current: GeneratedImage | None, user: Any) -> GeneratedImage | None:
    before = current.replaces if current is not None and current.replaces_id else None
    return before if before is not None and may_look_at(user, before) else None


# --- parts --------------------------------------------------------------------------------------


def _options(defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in defaults.items() if name != "prompt_template"}


def _template(defaults: Mapping[str, Any]) -> str:
    return str(defaults.get("prompt_template") or "")


def _saved(record: Model | None) -> bool:
    return record is not None and record.pk is not None and not record._state.adding


def _offered(template: str, record: Model | None) -> str:
    """The exact text where the record is known, else the template."""
    if record is None or not _saved(record):
        return template
    return prompts.fill(template, record)


def _holes(template: str, record: Model | None) -> list[str]:
    """The gaps that this saved record fills with nothing."""
    return prompts.empty(prompts.gaps(template), record) if record is not None else []


def _titles(template: str, record: Model | None) -> dict[str, str]:
    """What people call the gaps; where no model says, the name itself."""
    return {
        name: name if record is None else prompts.title(type(record), name)
        for name in prompts.gaps(template)
    }
