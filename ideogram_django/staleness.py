"""Pictures that are out of date: their record says something else than when they were made.

A picture that was made for a field of a record remembers what it was made from. One that was
uploaded or chosen from the gallery does not, and is never out of date; nor does another template,
or another version of a prompt profile, make one so.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models, router, transaction
from django.db.models import Prefetch, QuerySet, prefetch_related_objects
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ideogram_django.forms import prompts, sources
from ideogram_django.forms.answers import flat
from ideogram_django.forms.plans import TEMPLATE, Plan, typed_for
from ideogram_django.lifecycle import wishes
from ideogram_django.models import GeneratedImage
from ideogram_django.profiles.applying import Profiles
from ideogram_django.widgets import stand_in

CHUNK = 2000
"""Records that are looked at together; each chunk costs the same few queries."""


def is_stale(record: models.Model, name: str) -> bool:
    """Whether the picture in this field of the record is out of date."""
    return bool(changes(record, name))


def changes(record: models.Model, name: str) -> list[str]:
    """What changed since the picture was made, as people call it: ``["Title"]``.

    Two queries at most, none where picture and relations are at hand; see :func:`bring`.
    """
    field = _field(type(record), name)
    found = sources.changed(getattr(record, field.name), record, field.name)
    return sources.described(type(record), found)


def made_from(record: models.Model, name: str, template: str = "") -> dict[str, Any]:
    """What a picture for this field has to remember of the record, as options of ``generate()``.

    For pictures that code asks for; forms, :func:`refresh` and the admin's action do it by
    themselves. ``template``: by default the field's own, else that of its prompt profile.
    """
    field = _field(type(record), name)
    return sources.columns(record, template or field.plan().template, field)


def stale_records(queryset: QuerySet[Any], name: str) -> list[Any]:
    """Those of the records whose picture is out of date, in the queryset's order.

    Looks now. A few queries for each 2,000 records that have a picture which could be.
    """
    field = _field(queryset.model, name)
    could_be = queryset.filter(
        **{
            f"{name}__target_type": ContentType.objects.get_for_model(queryset.model),
            f"{name}__target_field": field.name,
        }
    ).exclude(**{f"{name}__source_fingerprint": ""})
    rows = could_be.select_related(name).iterator(chunk_size=CHUNK)
    found = []
    for records in _chunks(rows):
        bring(records, name)
        found += [record for record in records if is_stale(record, name)]
    return found


def bring(records: Sequence[models.Model], name: str) -> None:
    """Fetch what :func:`is_stale` needs for all of them: one query for each table."""
    if not records:
        return
    pictures = Prefetch(name, queryset=GeneratedImage.objects.for_display())
    prefetch_related_objects(records, pictures)
    found = [image for record in records if (image := getattr(record, name)) is not None]
    _bring_columns(records, (column for image in found for column in image.source_digests))


def _bring_columns(records: Sequence[models.Model], columns: Iterable[str]) -> None:
    """Of "author.name" the author; of "author" as well, who is called by name."""
    paths = dict.fromkeys(
        path
        for column in dict.fromkeys(columns)
        for path in (column.rpartition(".")[0].replace(".", "__"), column.replace(".", "__"))
    )
    model = type(records[0])
    prefetch_related_objects(records, *(path for path in paths if _leads_somewhere(model, path)))


def price_of(records: Iterable[models.Model], name: str) -> tuple[Decimal, str]:
    """What :func:`refresh_all` would cost, with the currency; nothing is spent.

    Raises ``ValidationError`` as that does.
    """
    wanted = list(_requests(list(records), name, {}))
    profiles = Profiles()
    prices = [wishes.check(one, profiles=profiles).price for one in wanted]
    if not prices:
        return Decimal(0), ""
    return sum((price.amount for price in prices), Decimal(0)), prices[0].currency


def refresh(
    record: models.Model,
    name: str,
    *,
    requested_by: Any = None,
    request_id: uuid.UUID | None = None,
    **options: Any,
) -> GeneratedImage:
    """Have a new picture made from what the record says now; it takes the old one's place.

    Pages show the old one until the new one is there, and it can be put back: it is what the new
    one ``replaces``. ``options`` come before the field's defaults. Raises ``ValidationError``
    before anything is spent, also where what the template names is empty.
    """
    made = refresh_all([record], name, requested_by=requested_by, request_id=request_id, **options)
    return made[0]


def refresh_all(
    records: Iterable[models.Model],
    name: str,
    *,
    requested_by: Any = None,
    request_id: uuid.UUID | None = None,
    **options: Any,
) -> list[GeneratedImage]:
    """As :func:`refresh`, for many records of one model: all or none."""
    found = list(records)
    if not found:
        return []
    field = _field(type(found[0]), name)
    manager = type(found[0])._base_manager.using(router.db_for_write(type(found[0])))
    with transaction.atomic():
        images = GeneratedImage.objects.generate_many(
            list(_requests(found, name, options)),
            requested_by=requested_by,
            request_id=request_id,
        )
        by_key = {str(record.pk): record for record in found}
        for image in images:
            record = by_key.get(image.target_id)
            if record is None:
                continue
            rows = manager.filter(pk=record.pk)
            before = getattr(record, field.attname)
            # Somebody may have given the record another picture meanwhile: it keeps that one. The
            # second of two presses gets the first one's pictures, and finds them there.
            given = rows.filter(**{field.attname: before}).update(**{field.attname: image.pk})
            if given or rows.filter(**{field.attname: image.pk}).exists():
                setattr(record, field.name, image)
    return images


def _requests(
    records: Sequence[models.Model], name: str, options: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    if not records:
        return
    model = type(records[0])
    field = _field(model, name)
    profiles = Profiles()
    own = {one: options.pop(one) for one in ("profile", TEMPLATE) if one in options}
    plan = Plan.of({**field.request_defaults, **own}, profiles, model=model)
    if plan.problem:
        raise ValidationError(plan.problem, code="profile")
    if not plan.template:
        raise ValidationError(
            _("There is no template to make the prompt from."), code="no_template"
        )
    prefetch_related_objects(records, Prefetch(name, GeneratedImage.objects.for_display()))
    _bring_columns(records, sources.names(plan.template))
    gaps = prompts.gaps(plan.template)
    for record in records:
        try:
            if holes := prompts.empty(gaps, record):
                raise prompts.missing(prompts.title(model, hole) for hole in holes)
            text = typed_for(record, plan.template)
            wishes.check({**plan.options, **options, "prompt": text}, profiles=profiles)
        except ValidationError as error:
            if len(records) == 1:
                raise
            sentences = " ".join(flat(error).messages)
            raise ValidationError(
                gettext("%(record)s: %(problem)s"),
                code="invalid",
                params={"record": record, "problem": sentences},
            ) from error
        old = getattr(record, field.name)
        yield {
            **plan.options,
            **options,
            **sources.columns(record, plan.template, field),
            "prompt": text,
            # Where that one never came, the one before it, which pages show.
            "replaces": stand_in(old) or old,
        }


def _field(model: type[models.Model], name: str) -> Any:
    """The picture field; ``LookupError`` where that is none."""
    try:
        field: Any = model._meta.get_field(name)
    except FieldDoesNotExist as error:
        raise LookupError(name) from error
    if not hasattr(field, "request_defaults"):
        raise LookupError(f"{model._meta.label}.{name} is no GeneratedImageField.")
    return field


def _leads_somewhere(model: type[models.Model], path: str) -> bool:
    for part in path.split("__"):
        try:
            column = sources.column(model, part)
        except LookupError:
            return False
        if not column.is_relation:
            return False
        model = column.related_model
    return True


def _chunks(rows: Iterable[Any]) -> Iterator[list[Any]]:
    chunk: list[Any] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    yield chunk
