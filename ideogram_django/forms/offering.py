"""What a field offers to make: the text, the price and the choices, as they stand in the form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model

from ideogram_django import conf, wording
from ideogram_django.apiframe import catalogue
from ideogram_django.budget import ledger, limits
from ideogram_django.exceptions import InvalidRequest
from ideogram_django.forms import prompts, sources
from ideogram_django.forms.plans import Plan
from ideogram_django.lifecycle import wishes
from ideogram_django.widgets import MOST_DRAFTS, Make, Terms

DRAFTS = 4
"""How many are proposed where they are cheap."""


class Money:
    """What one person may still spend: looked up once, for all the fields that show it."""

    def __init__(self) -> None:
        self._left: list[str] | None = None

    def left(self, user: Any) -> list[str]:
        """A sentence for each limit that a request by this person counts against."""
        if self._left is None:
            self._left = money_left(user)
        return self._left


def money_left(user: Any) -> list[str]:
    """As :meth:`Money.left`, looked up now."""
    currency = conf.current().CURRENCY
    return [wording.money_left(one, currency) for one in limits.allowances(user)]


def make_for(plan: Plan, record: Model | None, column: Any = None) -> Make | None:
    """How a new picture can be had with a field's plan; None where none can.

    ``column``: the record's own column that the field stands for.
    """
    settings = conf.current()
    options = plan.effective
    model_id = options.get("model") or settings.DEFAULT_MODEL
    speed = options.get("rendering_speed") or ""
    price = ledger.price_of(settings, model_id, speed)
    if price is None or not settings.SPENDING_ENABLED or plan.problem:
        return None
    try:
        model = catalogue.get_model(model_id, ledger.prices(settings))
    except InvalidRequest:
        model = None
    drafts = model is not None and model.tier == "draft"
    template = plan.template
    text = _offered(template, record)
    holes = holes_of(template, record) if is_saved(record) else []
    gaps = [name for name in prompts.gaps(template) if f"{{{name}}}" in text]
    titles = _titles(template, record)
    terms = _terms(plan, titles, holes, record, column)
    open_shape = (
        model is not None and not options.get("resolution") and "aspect_ratio" not in plan.fixed
    )
    return Make(
        price=wording.money(price.amount, price.currency),
        prompt=text,
        gaps=gaps,
        holes=[titles[name] for name in holes],
        shape=options.get("aspect_ratio") or "",
        shapes=model.aspect_ratios if model is not None and open_shape else (),
        longest=catalogue.MAX_PROMPT,
        count=DRAFTS if drafts else 1,
        labels=[
            wording.make_label(count, price.amount * count, price.currency, drafts=drafts)
            for count in range(1, MOST_DRAFTS + 1)
        ],
        terms=terms.sign() if terms else "",
        profile=plan.profile,
        before=plan.before,
        after=plan.after,
        fixed=[wording.parameter(name, value) for name, value in plan.fixed.items()],
    )


def _terms(
    plan: Plan,
    titles: Mapping[str, str],
    holes: list[str],
    record: Model | None,
    column: Any,
) -> Terms | None:
    try:
        # Without the profile: what it says around the text is put there when the text is known.
        wish = wishes.check({**plan.effective, "prompt": "A picture"})
    except ValidationError:
        return None  # a system check tells the developer, the profile's page the editor
    options = {"model": wish.request.model, **wish.request.parameters}
    return Terms(
        price=str(wish.price.amount),
        currency=wish.price.currency,
        options={
            **{name: value for name, value in options.items() if name not in plan.fixed},
            **({"profile": plan.profile} if plan.profile else {}),
        },
        template=plan.template,
        labels=dict(titles),
        holes=[titles[name] for name in holes],
        version=plan.version,
        made_for=_made_for(plan, record, column),
    )


def _made_for(plan: Plan, record: Model | None, column: Any) -> dict[str, Any]:
    """For which record the text is offered, and what it was made from, as plain values."""
    if record is None or column is None:
        return {}
    found = sources.columns(record, plan.template, column)
    target = found.pop("target_type")
    if not is_saved(record):
        # What the record says is known when it is saved.
        found = {"target_id": found["target_id"], "target_field": found["target_field"]}
    return {"target_type": target.pk, **found}


def is_saved(record: Model | None) -> bool:
    return record is not None and record.pk is not None and not record._state.adding


def _offered(template: str, record: Model | None) -> str:
    """The exact text where the record is known, else the template."""
    if record is None or not is_saved(record):
        return template
    return prompts.fill(template, record)


def holes_of(template: str, record: Model | None) -> list[str]:
    """The gaps that this saved record fills with nothing."""
    return prompts.empty(prompts.gaps(template), record) if record is not None else []


def _titles(template: str, record: Model | None) -> dict[str, str]:
    """What people call the gaps; where no model says, the name itself."""
    return {
        name: name if record is None else prompts.title(type(record), name)
        for name in prompts.gaps(template)
    }
