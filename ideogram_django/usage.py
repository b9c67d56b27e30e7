"""Which records of the site show a picture.

Looked up through foreign keys, hidden ones too: a ``GeneratedImageField`` has
``related_name="+"``. A many-to-many field comes as the foreign key of its through model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Exists, ManyToOneRel, Model, OuterRef

if TYPE_CHECKING:
    from ideogram_django.models import GeneratedImage
    from ideogram_django.querysets import GeneratedImageQuerySet

OURS = "ideogram_django"
PLACE = "place"
"""The one model of ours whose rows show pictures; the others only keep books about them."""


def relations(model: type[Model]) -> list[ManyToOneRel]:
    """The foreign keys by which pictures are shown, in the order of their labels."""
    found = [
        relation
        for relation in model._meta.get_fields(include_hidden=True)
        if isinstance(relation, ManyToOneRel)
        and isinstance(relation.related_model, type)
        and _shows(relation.related_model)
    ]
    return sorted(found, key=name)


def _shows(model: type[Model]) -> bool:
    return model._meta.app_label != OURS or model._meta.model_name == PLACE


def name(relation: ManyToOneRel) -> str:
    """``articles.article.hero``: one place where pictures are used."""
    return f"{_users(relation)._meta.label_lower}.{relation.field.name}"


def used(
    rows: GeneratedImageQuerySet, relation: ManyToOneRel | None = None
) -> GeneratedImageQuerySet:
    """Those that a record points at; with ``relation``, through this foreign key.

    Asked from the records, of which there are fewer: pictures are looked up by key.
    """
    places = relations(rows.model) if relation is None else [relation]
    keys = [
        _users(place)
        ._base_manager.filter(**{f"{place.field.attname}__isnull": False})
        .order_by()
        .values(place.field.attname)
        for place in places
    ]
    if not keys:
        return rows.none()
    return rows.filter(pk__in=keys[0].union(*keys[1:]) if keys[1:] else keys[0])


def unused(rows: GeneratedImageQuerySet) -> GeneratedImageQuerySet:
    """Those that no record points at."""
    for place in relations(rows.model):
        rows = rows.exclude(_pointed_at(place))
    return rows


def records(image: GeneratedImage, *, most: int) -> list[Model]:
    """Up to ``most`` records that show this picture, also as a copy in a file field of theirs."""
    found: list[Model] = []
    for relation in relations(type(image)):
        if len(found) < most:
            users = _users(relation)._default_manager
            found += users.filter(**{relation.field.name: image.pk})[: most - len(found)]
    if len(found) < most and image.attached_at is not None and image.target_type is not None:
        target = image.target_type.model_class()
        if target is not None:
            found += target._default_manager.filter(pk=image.target_id)[:1]
    return found


def _users(relation: ManyToOneRel) -> Any:
    return relation.related_model


def _pointed_at(relation: ManyToOneRel) -> Exists:
    records = _users(relation)._base_manager
    return Exists(records.filter(**{relation.field.attname: OuterRef("pk")}))
