"""What a site may decide in code of its own. Subclass :class:`Hooks` and name it in ``HOOKS``::

    IDEOGRAM_DJANGO = {"HOOKS": "newsroom.pictures.OurHooks", …}

Each method says what happens without you; override only what is to be otherwise.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from django.utils.module_loading import import_string

from ideogram_django import conf

if TYPE_CHECKING:
    from ideogram_django.models import GeneratedImage
    from ideogram_django.querysets import GeneratedImageQuerySet

__all__ = ["Hooks", "current", "hides_pictures", "load"]


class Hooks:
    """The default behaviour. Made anew for each question, so it keeps nothing between two."""

    def file_name(self, image: GeneratedImage, filename: str) -> str:
        """Where a file is to lie in the storage: a relative path.

        ``filename`` is a made-up name with the right ending. To a name of your own a random part
        is added, so that two pictures, and two tries of one, never meet; its ending is kept right.
        Asked once for each file; where it raises, or the name cannot be used, the default is taken
        and the error logged, for a picture that is paid for must not be lost over its name.
        """
        prefix = timezone.localtime().strftime(conf.current().UPLOAD_TO)
        suffix = PurePosixPath(filename).suffix.lower()
        return str(PurePosixPath(prefix) / f"{uuid.uuid4().hex}{suffix}")

    def credits(self, model: str, rendering_speed: str, credits: int | None) -> int | None:
        """What one picture costs, in credits; ``None``: it is not offered.

        ``credits`` is what ``PRICES`` and the catalogue say; ``rendering_speed`` the API's own
        word, ``"default"`` where nobody chose one. Holds wherever a price is shown or
        reserved, so it must be quick and give the same answer for the same question. What the
        provider charges in the end is the provider's matter.
        """
        return credits

    def may(self, user: Any, verb: str) -> bool:
        """Whether a person may ``view``, ``add``, ``change``, ``delete`` or ``generate`` pictures.

        By default Django's permissions. ``user`` may be ``None`` or anonymous. Asked by the admin,
        forms and views alike; the model API asks nobody.
        """
        return bool(
            user is not None
            and user.is_active
            and user.has_perm(f"ideogram_django.{verb}_generatedimage")
        )

    def visible(self, queryset: GeneratedImageQuerySet, user: Any) -> GeneratedImageQuerySet:
        """Those of the pictures that exist for this person at all; by default every one.

        ``user`` is logged in and active; what ``may`` forbids is taken away besides. Only narrow
        it: ``filter`` and ``exclude``.
        """
        return queryset

    def columns(self, user: Any, parent: GeneratedImage | None) -> Mapping[str, Any]:
        """Columns of a new picture, such as ``{"extra": {"tenant": 3}}``.

        ``user``: who asked for it, or ``None``; ``parent``: the picture that it is made from, if
        any. Columns are those that ``generate()`` takes, and what its caller gives comes first;
        in ``extra`` key by key.
        """
        return {}


def load(path: str) -> type[Hooks]:
    """The class with this dotted path; ``ImproperlyConfigured`` where there is none."""
    try:
        found = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(f"HOOKS names {path!r}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Hooks)):
        raise ImproperlyConfigured(f"HOOKS names {path!r}, which is no subclass of Hooks.")
    return found


def current() -> Hooks:
    """The site's hooks, as the settings stand now."""
    return load(conf.current().HOOKS)()


def hides_pictures(hooks: Hooks) -> bool:
    """Whether the site has a ``visible`` of its own, so that rows have to be asked for."""
    return type(hooks).visible is not Hooks.visible
