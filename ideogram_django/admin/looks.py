"""Grid or list: how each person likes the gallery."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from ideogram_django.models import EditorPreference

SESSION_KEY = "ideogram_django_view"
GRID, LIST = "grid", "list"


def look_of(request: HttpRequest) -> str:
    """The person's look. Read once per session: the pages after the first ask only the session."""
    look = request.session.get(SESSION_KEY)
    if look not in (GRID, LIST):
        mine = EditorPreference.objects.filter(user=request.user.pk)
        stored = mine.values_list("gallery_look", flat=True).first()
        look = request.session[SESSION_KEY] = LIST if stored == LIST else GRID
    return str(look)


def is_grid(request: HttpRequest) -> bool:
    return look_of(request) == GRID


def remember(request: HttpRequest, wanted: str) -> None:
    """For this session at once, and for every one that this person begins later."""
    look = LIST if wanted == LIST else GRID
    user: Any = request.user
    EditorPreference.objects.update_or_create(user=user, defaults={"gallery_look": look})
    request.session[SESSION_KEY] = look
