"""The life of a picture. Nothing else changes a status.

``transitions`` says which status may follow which and moves rows by guarded UPDATEs;
``requesting`` is what people ask for; ``sending`` gets a request to the provider, once;
``settling`` takes in what the provider answers; ``storing`` brings the file home.

These modules take instances and querysets and never import the models, so that models and
querysets can offer them as their verbs.
"""

from __future__ import annotations

from ideogram_django.lifecycle.requesting import (
    PARAMETERS,
    cancel,
    draft_many,
    edit_draft,
    generate,
    generate_many,
    refresh,
    rerender,
    retry,
    start,
    start_many,
    variations,
)

__all__ = [
    "PARAMETERS",
    "cancel",
    "draft_many",
    "edit_draft",
    "generate",
    "generate_many",
    "refresh",
    "rerender",
    "retry",
    "start",
    "start_many",
    "variations",
]
