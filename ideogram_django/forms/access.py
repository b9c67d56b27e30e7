"""Who may do what with pictures at the rim: the site's hooks, asked in one place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ideogram_django import hooks
from ideogram_django.models import GeneratedImage
from ideogram_django.querysets import GeneratedImageQuerySet


def viewable(user: Any) -> GeneratedImageQuerySet:
    """The pictures that this user may look at, and so may choose."""
    return GeneratedImage.objects.all().visible_to(user)


def may(user: Any, verb: str) -> bool:
    """``generate``, ``add``, ``view``, ``change`` or ``delete`` pictures."""
    return hooks.current().may(user, verb)


def shown_to(user: Any, pictures: Iterable[GeneratedImage | None]) -> list[GeneratedImage]:
    """As :func:`viewable`, of pictures that are at hand.

    One query for all of them; none on a site whose hooks hide nothing.
    """
    found = [picture for picture in pictures if picture is not None]
    if not found or not getattr(user, "is_authenticated", False) or not user.is_active:
        return []
    site = hooks.current()
    if hooks.hides_pictures(site):
        keys = [picture.pk for picture in found]
        seen = set(viewable(user).filter(pk__in=keys).values_list("pk", flat=True))
        return [picture for picture in found if picture.pk in seen]
    if site.may(user, "view"):
        return found
    return [picture for picture in found if picture.requested_by_id == user.pk]
