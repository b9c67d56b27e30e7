"""Pictures for records of any model: the prompt of each, what would be replaced, and the run."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import models
from django.utils.translation import gettext

from ideogram_django import conf
from ideogram_django.admin import frozen
from ideogram_django.budget import ledger
from ideogram_django.forms import prompts, sources
from ideogram_django.lifecycle import wishes
from ideogram_django.models import GeneratedImage, Run
from ideogram_django.profiles.applying import Profiles
from ideogram_django.runs import targets

DEFAULT_PROMPT = "{title}, editorial illustration"


def image_field(model: type[models.Model], name: str = "") -> Any:
    """The field that is to hold the picture: a foreign key to pictures, or an ``ImageField``.

    Without a name it must be the model's only one; ``ImproperlyConfigured`` otherwise.
    """
    if name:
        found = model._meta.get_field(name)
        if not _holds_pictures(found):
            raise ImproperlyConfigured(f"{model._meta.label}.{name} cannot hold a picture.")
        return found
    every = [one for one in model._meta.get_fields() if _holds_pictures(one)]
    if len(every) != 1:
        raise ImproperlyConfigured(
            f"{model._meta.label} has {len(every)} fields that can hold a picture. Set "
            "generate_images_field on its admin."
        )
    return every[0]


def _holds_pictures(one: Any) -> bool:
    if isinstance(one, models.ForeignKey):
        return one.related_model is GeneratedImage
    return isinstance(one, models.ImageField)


@dataclass(slots=True)
class RecordRow:
    """One record, the exact text that would be sent, and what stands against it."""

    record: Any
    text: str = ""
    """What the record gives: the template with its gaps filled."""
    prompt: str = ""
    """What is sent: the text as the prompt profile frames it."""
    old: Any = None
    """What the field holds now: a picture, a file, or nothing."""
    problems: list[str] = field(default_factory=list)
    price: ledger.Price | None = None
    source: Mapping[str, Any] = field(default_factory=dict)
    """What the text is made from, as columns of the new picture; nothing of a function's."""

    @property
    def old_image(self) -> GeneratedImage | None:
        return self.old if isinstance(self.old, GeneratedImage) else None


@dataclass(slots=True)
class RecordPlan:
    """What would be made for the chosen records, worked out afresh each time."""

    field: Any
    options: Mapping[str, Any]
    rows: list[RecordRow] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        records: Sequence[Any],
        image: Any,
        *,
        prompt: str | Callable[[Any], str],
        options: Mapping[str, Any],
        settings: conf.AppSettings,
    ) -> RecordPlan:
        plan = cls(field=image, options=options)
        look_up = _Rows(image, prompt, options, settings)
        plan.rows = [look_up.row(one) for one in records]
        return plan

    @property
    def good(self) -> list[RecordRow]:
        return [row for row in self.rows if not row.problems]

    @property
    def empty(self) -> list[RecordRow]:
        return [row for row in self.good if not row.old]

    def affordable(self, room: Decimal) -> list[RecordRow]:
        """The first of the good rows, as far as so much money goes."""
        chosen, total = [], Decimal(0)
        for row in self.good:
            total += row.price.amount if row.price else 0
            if total > room:
                break
            chosen.append(row)
        return chosen

    @property
    def fingerprint(self) -> str:
        return frozen.fingerprint(
            [sorted(self.options.items())]
            + [
                (str(row.record.pk), row.prompt, getattr(row.old, "pk", str(row.old)), row.price)
                for row in self.good
            ]
        )


class _Rows:
    """Works out rows, each profile looked up once."""

    def __init__(
        self,
        image: Any,
        prompt: str | Callable[[Any], str],
        options: Mapping[str, Any],
        settings: conf.AppSettings,
    ) -> None:
        self.image = image
        self.prompt = prompt
        self.options = options
        self.settings = settings
        self.profiles = Profiles()

    def row(self, record: Any) -> RecordRow:
        row = RecordRow(record=record, old=getattr(record, self.image.name) or None)
        try:
            row.text = row.prompt = self._text(record)
            row.problems = self._empty(record)
            if isinstance(self.prompt, str):
                row.source = sources.of(record, sources.names(self.prompt))
        except LookupError as unknown:
            text = gettext("The prompt names “%(name)s”, which is no column, or no filter.")
            row.problems = [text % {"name": unknown.args[0]}]
        if row.problems:
            return row
        try:
            wish = wishes.check({**self.options, "prompt": row.text}, self.settings, self.profiles)
        except ValidationError as error:
            row.problems = list(error.messages)
        else:
            row.price, row.prompt = wish.price, wish.request.prompt
        return row

    def _text(self, record: Any) -> str:
        if isinstance(self.prompt, str):
            return prompts.fill(self.prompt, record)
        return str(self.prompt(record))

    def _empty(self, record: Any) -> list[str]:
        if not isinstance(self.prompt, str):
            return []
        blank = prompts.empty(prompts.gaps(self.prompt), record)
        if not blank:
            return []
        return [gettext("“%(name)s” is empty.") % {"name": ", ".join(blank)}]


def prepare_for(
    rows: Sequence[RecordRow],
    plan: RecordPlan,
    *,
    name: str,
    approve: bool,
    requested_by: Any,
    request_id: uuid.UUID,
) -> Run:
    """A prepared run with a picture for each record. It never costs more than was shown.

    With ``approve`` each record gets its picture when somebody has approved it. Without, a
    foreign key points to the new picture once the run is started, which stands in for the old
    one until it is there; an ``ImageField`` gets its file when the picture is finished.
    """
    return Run.objects.prepare(
        [
            {
                **plan.options,
                **targets.columns(row.record, plan.field),
                **row.source,
                "prompt": row.text,
                # What is only proposed replaces nothing yet.
                "replaces": None if approve else row.old_image,
            }
            for row in rows
        ],
        name=name,
        requested_by=requested_by,
        approve=approve,
        source=str(plan.field.model._meta.verbose_name_plural),
        ceiling=sum((row.price.amount for row in rows if row.price), Decimal(0)),
        run_id=request_id,
    )
