"""The life of a picture. Nothing else changes a status.

``transitions`` says which status may follow which and moves rows by guarded UPDATEs. ``wishes``
are checked and priced; ``requesting`` makes rows of them; ``steering`` is what people may ask of a
row. ``sending`` gets a request to the provider, once; ``settling`` takes in what the provider
answers and what became of the file; ``watching`` says how often it is asked, and asks sooner while
somebody looks on; ``uploading`` takes in people's own work, ``adopting`` what was made before.

These modules take instances and querysets and never import the models, so that models and
querysets can offer them as their verbs.
"""

from __future__ import annotations

from ideogram_django.lifecycle.requesting import (
    draft_many,
    generate,
    generate_many,
    rerender,
    variations,
)
from ideogram_django.lifecycle.steering import (
    cancel,
    edit_draft,
    hold,
    refresh,
    retry,
    start,
    start_many,
)
from ideogram_django.lifecycle.wishes import PARAMETERS

__all__ = [
    "PARAMETERS",
    "cancel",
    "draft_many",
    "edit_draft",
    "generate",
    "generate_many",
    "hold",
    "refresh",
    "rerender",
    "retry",
    "start",
    "start_many",
    "variations",
]
