"""Who may do what with pictures in a form."""

from __future__ import annotations

from typing import Any

from ideogram_django.models import GeneratedImage
from ideogram_django.querysets import GeneratedImageQuerySet


def viewable(user: Any) -> GeneratedImageQuerySet:
    """The pictures that this user may look at, and so may choose."""
    pictures = GeneratedImage.objects.all()
    if not getattr(user, "is_authenticated", False) or not user.is_active:
        return pictures.none()
    if user.has_perm("ideogram_django.view_generatedimage"):
        return pictures
    return pictures.requested_by(user)


def may(user: Any, verb: str) -> bool:
    """``generate``, ``add`` or ``view`` pictures; nobody in particular may nothing."""
    return user is not None and bool(user.has_perm(f"ideogram_django.{verb}_generatedimage"))


def may_look_at(user: Any, picture: GeneratedImage) -> bool:
    """As :func:`viewable`, for a picture that is at hand."""
    if not getattr(user, "is_authenticated", False) or not user.is_active:
        return False
    return may(user, "view") or picture.requested_by_id == user.pk
