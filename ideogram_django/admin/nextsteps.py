"""What can be done with a picture next, by whom, and at what price: the buttons of its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext, ngettext

from ideogram_django import conf, wording
from ideogram_django.admin.offers import Offer, better, offers
from ideogram_django.budget import limits
from ideogram_django.lifecycle.steering import (
    UNUSABLE,
    fetched_free,
    may_cost_again,
    waits_for_refund,
)
from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import AT_PROVIDER, ErrorCode, Status

VARIATIONS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One button. ``name`` is what it posts; with ``url`` it is a link to another page."""

    name: str
    label: str
    help: str = ""
    main: bool = False
    url: str = ""
    amount: Decimal | None = None
    """What it would reserve; ``None``: it costs nothing."""
    blocked: bool = False
    """A spending limit leaves too little for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextSteps:
    steps: Sequence[Step]
    notes: Sequence[str] = ()
    """Sentences that stand beside the buttons: why one is missing, or cannot be pressed."""
    allowances: Sequence[limits.Allowance] = ()
    """What may still be spent, where one of them costs money."""


def next_steps(
    image: GeneratedImage,
    *,
    user: Any,
    may_spend: bool,
    may_change: bool,
    edit_url: str = "",
    settings: conf.AppSettings | None = None,
) -> NextSteps:
    """What this person can do with this picture now, the likeliest first.

    ``edit_url``: where the request can be edited and sent as another; empty where they may not.
    """
    if image.uploaded:
        return NextSteps(steps=[])
    settings = settings or conf.current()
    own = next((offer for offer in offers(settings) if offer.model.id == image.model), None)
    edit = [_edit(edit_url)] if edit_url else []
    advice = wording.advice(image)
    found: list[Step] = []
    notes: list[str] = []
    if advice is not None:
        found = _after_failure(image, advice, own, edit, may_spend, may_change or may_spend)
    elif image.status == Status.COMPLETED:
        found = [*(_more(image, own, settings) if may_spend else []), *edit]
    elif image.status == Status.DRAFT and image.run is not None and not image.run.is_over:
        notes.append(gettext("The bulk run “%(run)s” makes it.") % {"run": image.run})
    elif image.status == Status.DRAFT and may_spend and own is not None:
        label = gettext("Make · %(total)s") % {"total": own.total(1, image.rendering_speed)}
        found = [Step(name="generate", label=label, main=True, amount=_amount(own, image))]
    elif image.status == Status.PENDING and (may_change or may_spend):
        found = [Step(name="cancel", label=gettext("Cancel"), help=gettext("Costs nothing."))]
    elif image.status in AT_PROVIDER and (may_change or may_spend):
        found = [_check_again()]
    if not settings.SPENDING_ENABLED and any(step.amount for step in found):
        found = [step for step in found if not step.amount]
        notes.append(gettext("Making pictures is switched off on this site."))
    if not any(step.amount for step in found):
        return NextSteps(steps=found, notes=notes)
    allowances = limits.allowances(user)
    found, shortage = _within(allowances, found)
    return NextSteps(steps=found, notes=[*notes, *shortage], allowances=allowances)


def _after_failure(
    image: GeneratedImage,
    advice: wording.Advice,
    own: Offer | None,
    edit: list[Step],
    may_spend: bool,
    may_ask: bool,
) -> list[Step]:
    found: list[Step] = []
    free = fetched_free(image)
    # Only what the drain can look up: a job that is known, or the list of jobs for one that is not.
    known = image.job_id is not None or image.error_code == ErrorCode.OUTCOME_UNKNOWN
    if advice.ask and known and not free and may_ask:
        found.append(replace(_check_again(), main=True))
    if advice.again and may_spend:
        if free:
            found.append(
                Step(
                    name="retry",
                    label=gettext("Try again · free"),
                    help=gettext("The picture is paid for; only its file is fetched again."),
                    main=True,
                )
            )
            if image.error_code in UNUSABLE and own is not None:
                found.append(_anew(image, own, "anew"))
        elif own is not None:
            again = _anew(image, own, "retry")
            found.append(replace(again, main=not found))
    if advice.edit or (own is None and not free):
        found += [replace(step, main=not advice.again) for step in edit]
    return found


def _anew(image: GeneratedImage, own: Offer, name: str) -> Step:
    gaps = {"total": own.total(1, image.rendering_speed)}
    if may_cost_again(image) and not waits_for_refund(image):
        label = gettext("Make it again… · %(total)s more") % gaps
    else:
        label = gettext("Try again · %(total)s") % gaps
    return Step(name=name, label=label, amount=_amount(own, image))


def _more(image: GeneratedImage, own: Offer | None, settings: conf.AppSettings) -> list[Step]:
    found = [_again(offer, image) for offer in better(image, settings)]
    if found:  # said once, after the last of them
        words = gettext("A better model makes a new picture, not the same one with more detail.")
        found[-1] = replace(found[-1], help=words)
    if own is not None:
        found.append(
            Step(
                name="variations",
                label=gettext("More like this · %(total)s")
                % {"total": own.total(VARIATIONS, image.rendering_speed)},
                help=ngettext(
                    "%(count)d new picture from the same request, on a sheet of its own.",
                    "%(count)d new pictures from the same request, on a sheet of their own.",
                    VARIATIONS,
                )
                % {"count": VARIATIONS},
                amount=_amount(own, image, VARIATIONS),
            )
        )
    return found


def _again(offer: Offer, image: GeneratedImage) -> Step:
    return Step(
        name=f"again:{offer.model.id}",
        label=gettext("Finish on %(tier)s · %(total)s")
        % {"tier": offer.tier, "total": offer.total(1, image.rendering_speed)},
        main=True,
        amount=_amount(offer, image),
    )


def _amount(offer: Offer, image: GeneratedImage, count: int = 1) -> Decimal | None:
    price = offer.price(image.rendering_speed)
    return None if price is None else price.amount * count


def _edit(url: str) -> Step:
    return Step(name="edit", label=gettext("Edit the prompt and run again"), url=url)


def _check_again() -> Step:
    return Step(name="refresh", label=gettext("Check again"), help=gettext("Costs nothing."))


def _within(
    allowances: Sequence[limits.Allowance], steps: list[Step]
) -> tuple[list[Step], list[str]]:
    """Blocks what is more than is left, and says so once, for the cheapest of them."""
    short = [
        (step, error)
        for step in steps
        if step.amount and (error := limits.shortage(allowances, step.amount))
    ]
    if not short:
        return steps, []
    blocked = {step.name for step, _error in short}
    _cheapest, error = min(short, key=lambda one: one[0].amount or Decimal(0))
    return (
        [replace(step, blocked=step.name in blocked) for step in steps],
        error.messages,
    )
