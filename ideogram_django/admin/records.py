"""Pictures for records of any model: the prompt of each, and what would be replaced."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import models
from django.utils.translation import gettext

from ideogram_django import conf
from ideogram_django.admin import frozen
from ideogram_django.budget import ledger
from ideogram_django.forms import prompts
from ideogram_django.lifecycle import using, wishes
from ideogram_django.models import GeneratedImage

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
    prompt: str
    old: Any = None
    """What the field holds now: a picture, a file, or nothing."""
    problems: list[str] = field(default_factory=list)
    price: ledger.Price | None = None

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
        plan.rows = [_row(one, image, prompt, options, settings) for one in records]
        return plan

    @property
    def good(self) -> list[RecordRow]:
        return [row for row in self.rows if not row.problems]

    @property
    def empty(self) -> list[RecordRow]:
        return [row for row in self.good if not row.old]

    @property
    def fingerprint(self) -> str:
        return frozen.fingerprint(
            [sorted(self.options.items())]
            + [
                (str(row.record.pk), row.prompt, getattr(row.old, "pk", str(row.old)), row.price)
                for row in self.good
            ]
        )


def _row(
    record: Any,
    image: Any,
    prompt: str | Callable[[Any], str],
    options: Mapping[str, Any],
    settings: conf.AppSettings,
) -> RecordRow:
    row = RecordRow(record=record, prompt="", old=getattr(record, image.name) or None)
    try:
        row.prompt = (
            prompts.fill(prompt, record) if isinstance(prompt, str) else str(prompt(record))
        )
    except LookupError as unknown:
        row.problems = [
            gettext("The prompt names “%(name)s”, which is no column.") % {"name": unknown.args[0]}
        ]
        return row
    blank = (
        [name for name in prompts.gaps(prompt) if not prompts.fill(f"{{{name}}}", record)]
        if isinstance(prompt, str)
        else []
    )
    if blank:
        row.problems = [gettext("“%(name)s” is empty.") % {"name": ", ".join(blank)}]
        return row
    try:
        row.price = wishes.check({**options, "prompt": row.prompt}, settings).price
    except ValidationError as error:
        row.problems = list(error.messages)
    return row


def make_for(
    rows: Sequence[RecordRow], plan: RecordPlan, *, requested_by: Any, request_id: uuid.UUID
) -> list[GeneratedImage]:
    """Make the pictures and give each to its record. Call inside ``atomic()``.

    A foreign key points to the new picture at once, which stands in for the old one until it is
    there; an ``ImageField`` gets its file when the picture is finished. A record whose field was
    changed meanwhile keeps what it has.
    """
    model = plan.field.model
    target = ContentType.objects.get_for_model(model)
    images = GeneratedImage.objects.generate_many(
        [
            {
                **plan.options,
                "prompt": row.prompt,
                "replaces": row.old_image,
                "target_type": target,
                "target_id": str(row.record.pk),
                "target_field": plan.field.name,
                "target_before": str(row.record.serializable_value(plan.field.attname) or ""),
            }
            for row in rows
        ],
        requested_by=requested_by,
        request_id=request_id,
    )
    if isinstance(plan.field, models.ForeignKey):
        column = plan.field.attname
        records = {str(row.record.pk): row.record for row in rows}
        for image in images:
            # Told by the picture itself, not by its place in the list: the second of two presses
            # gets the first one's pictures back, and then finds nothing left to change.
            unchanged = model._base_manager.filter(
                pk=image.target_id, **{column: image.replaces_id}
            )
            if unchanged.update(**{column: image.pk}) and image.target_id in records:
                record = records[image.target_id]
                setattr(record, plan.field.name, image)
                using.attached(image, record, plan.field.name)
    return images
