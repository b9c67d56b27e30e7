"""Ordering new pictures from a field: with the form when it is saved, or at once, beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any
from uuid import uuid4, uuid5

from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf, wording
from ideogram_django.budget import limits
from ideogram_django.forms import offering, prompts
from ideogram_django.forms.access import may, shown_to, viewable
from ideogram_django.forms.answers import GenerationRequest, flat
from ideogram_django.forms.plans import Plan
from ideogram_django.forms.relatives import Relatives
from ideogram_django.lifecycle import using, wishes
from ideogram_django.models import GeneratedImage
from ideogram_django.widgets import MOST_DRAFTS, Offer, Submitted, Terms

SOURCE = ("source_fingerprint", "source_digests")


# --- with the form ------------------------------------------------------------------------------


def request_for(
    plan: Plan, value: Submitted, record: Model | None, *, user: Any
) -> GenerationRequest:
    """What the form asks for, checked and priced. ``ValidationError`` for what cannot be."""
    if plan.problem:
        raise ValidationError(plan.problem, code="profile")
    template = plan.template
    prompt = value.prompt
    if not value.edited and offering.is_saved(record) and offering.holes_of(template, record):
        # The text that was offered has a hole; what the record says by now may fill it.
        prompt = template
    terms = Terms.read(value.terms)
    gaps = tuple(name for name in prompts.gaps(template) if f"{{{name}}}" in prompt)
    request = _request(
        plan.options,
        value,
        prompt=prompt,
        gaps=gaps,
        needs_all=not value.edited,
        terms=terms,
        user=user,
    )
    if gaps or terms is None:
        return request
    # The text was made from what the record said when it was offered, edited or not.
    source = {name: terms.made_for[name] for name in SOURCE if name in terms.made_for}
    return replace(request, source=MappingProxyType(source))


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
    if terms is not None and terms.version != wish.columns.get("profile_version"):
        raise ValidationError(
            _(
                "The prompt profile was changed meanwhile. Look at the text that will be sent, "
                "and send the form again. Nothing was spent."
            ),
            code="profile_changed",
        )
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
    left: Sequence[str] = ()
    """What may still be spent now."""


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
    relatives = [*(earlier if drafts else []), *found]
    before = current.replaces if current is not None and current.replaces_id else None
    seen = shown_to(user, [*relatives, before])
    return Ordered(
        problem=problem,
        left=offering.money_left(user),
        offer=Offer(
            current=current,
            may_view=may(user, "view"),
            drafts=shown,
            relatives=[one for one in relatives if one in seen],
            before=before if before in seen else None,
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
    columns = dict(terms.made_for)
    if columns:
        columns["target_type"] = ContentType.objects.get_for_id(columns["target_type"])
    return request.generate_all(**columns)


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
