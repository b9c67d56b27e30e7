"""What follows from a form's answer when the record that it is for is saved.

The same for a :class:`.fields.GeneratedImageField` and for a foreign key that is none.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Model

from ideogram_django.forms.answers import GenerationRequest, UploadedPicture
from ideogram_django.lifecycle import using
from ideogram_django.models import GeneratedImage
from ideogram_django.widgets import stand_in


def fulfil(
    wanted: GenerationRequest | UploadedPicture,
    record: Model,
    before: GeneratedImage | None,
    **columns: Any,
) -> GeneratedImage:
    """Have the picture made, or store the one uploaded. Call it inside the save's transaction.

    ``columns``: what a picture that is made remembers of the record.

    Pages go on showing the old picture until the new one is there. Where that one never came
    either, the one before it: a chain of failures must not lead away from it.
    """
    if isinstance(wanted, UploadedPicture):
        picture = wanted.store()
        using.follow(picture, stand_in(before))
        return picture
    picture = wanted.filled_from(record).generate(
        replaces=stand_in(before) or before, **columns | dict(wanted.source)
    )
    using.follow(picture, stand_in(before))  # it was made before the form was saved
    using.pick(picture)
    return picture


def exchange(picture: GeneratedImage, before: GeneratedImage | None, record: Model) -> None:
    """The record uses this picture from now on, in place of another one or of none."""
    using.follow(picture, stand_in(before))
    using.pick(picture)
    if before is not None and before.replaces_id == picture.pk:
        using.unpick(before, record)
