"""The picture that stands for another one, and what we sign about pictures."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.core import signing

from ideogram_django.models import GeneratedImage
from ideogram_django.querysets import STAND_INS

CURRENT_SALT = "ideogram_django.field.current"
WIDGET_SALT = "ideogram_django.widget"


def stand_in(image: GeneratedImage | None) -> GeneratedImage | None:
    """The picture itself once it is there, else the nearest one that it replaces, else None.

    Pictures fetched with ``for_display()`` need no query for that.
    """
    for _step in range(STAND_INS):
        if image is None or image.has_file:
            return image
        image = image.replaces if image.replaces_id else None
    return None


def sign_current(image: GeneratedImage) -> str:
    """Proof that this picture was shown in this form, so that it may be kept, also in a copy."""
    return signing.Signer(salt=CURRENT_SALT).sign(str(image.uuid))


def sign_widget(uuids: Sequence[uuid.UUID]) -> str:
    """A token that lets a visitor of a public form see how these pictures are coming along."""
    return signing.dumps([str(uuid) for uuid in uuids], salt=WIDGET_SALT)


def unsigned(text: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(signing.Signer(salt=CURRENT_SALT).unsign(text or ""))
    except (signing.BadSignature, ValueError):
        return None
