"""Which pictures a field offers to choose from, carried to the dialog that shows them.

The dialog asks a view of ours, which knows neither the form nor its field. So the page carries
the field's own condition, under our signature: who reads the page can read it, and not change it.
"""

from __future__ import annotations

import json
from typing import Any

from django.core import signing
from django.core.exceptions import EmptyResultSet
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from ideogram_django.models import GeneratedImage
from ideogram_django.querysets import GeneratedImageQuerySet

SALT = "ideogram_django.field.choices"
MAX_AGE = 24 * 3600


def choosable(
    queryset: QuerySet[GeneratedImage] | None, limit_choices_to: Any
) -> QuerySet[GeneratedImage] | None:
    """The pictures within both of Django's ways to narrow a foreign key; None for all there are."""
    limit = limit_choices_to() if callable(limit_choices_to) else limit_choices_to
    if not limit:
        return queryset
    limited: QuerySet[GeneratedImage] = GeneratedImage.objects.complex_filter(limit)
    return limited if queryset is None else within(limited, queryset)


def within(
    pictures: QuerySet[GeneratedImage], choices: QuerySet[GeneratedImage] | None
) -> QuerySet[GeneratedImage]:
    """Of ``pictures`` those that are among the choices, each once."""
    return pictures if choices is None else pictures.filter(pk__in=choices.values("pk"))


def sign(choices: QuerySet[GeneratedImage] | None) -> str | None:
    """The condition as text for :func:`narrow`; None where it cannot be written down.

    Runs no query: the pictures are looked up when the dialog asks for them.
    """
    if choices is None:
        return ""
    try:
        sql, params = choices.values("pk").query.get_compiler(choices.db).as_sql()
        plain = json.loads(json.dumps(params, cls=DjangoJSONEncoder))
    except EmptyResultSet:
        sql, plain = "", []
    except TypeError:  # a value that only the database's own driver knows
        return None
    return signing.dumps([sql, plain], salt=SALT, compress=True)


def narrow(pictures: GeneratedImageQuerySet, signed: str) -> GeneratedImageQuerySet:
    """Those of ``pictures`` that the field offers; none for what we did not sign of late."""
    if not signed:
        return pictures
    try:
        sql, params = signing.loads(signed, salt=SALT, max_age=MAX_AGE)
    except signing.BadSignature:
        return pictures.none()
    if not sql:
        return pictures.none()
    # The text is a queryset's own, compiled by Django and signed by us.
    return pictures.filter(pk__in=RawSQL(sql, params))  # noqa: S611
