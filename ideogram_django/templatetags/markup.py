"""The templates of pictures, loaded once for a page, and what they make."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from django.apps import apps
from django.template import Context
from django.template.backends.django import Template as DjangoTemplate
from django.template.base import render_value_in_context
from django.template.loader import get_template
from django.utils._os import safe_join
from django.utils.safestring import SafeString

WHOLE = "ideogram_django/generated_image.html"
PICTURE = "ideogram_django/generated_image_picture.html"
PLACEHOLDER = "ideogram_django/generated_image_placeholder.html"

_MARK = secrets.token_hex(16)
_MARKS = re.compile(rf"{_MARK}-(\w+)-")


def mark(name: str) -> str:
    """Stands for the text of this name in what a frame is made of."""
    return f"{_MARK}-{name}-"


def frame(html: str) -> str:
    """Made of HTML with marks: ``frame(html) % texts`` has the texts in their place."""
    return _MARKS.sub(r"%(\1)s", html.replace("%", "%%"))


class Markup:
    """One for a page."""

    def __init__(self) -> None:
        self._parts: dict[str, Any] = {}

    def render(self, part: str, values: Mapping[str, Any]) -> SafeString:
        """The whole template, with the one of this name as its part."""
        # One of the site's own perhaps has no such part.
        values = {**values, "part": self._part(part) if self._ours_around else part}
        if self._context is None:
            return SafeString(self._whole.render(values))
        with self._context.push(values):
            return SafeString(self._whole.template.render(self._context))

    def text(self, value: Any) -> str:
        """A value as our templates write it."""
        if type(value) is str:
            return escape(value)
        return str(render_value_in_context(value, self._context or Context()))

    @cached_property
    def writes_only(self) -> bool:
        """Whether these are our templates, which only write a picture's texts out, and escape."""
        escapes = self._context is not None and self._context.autoescape
        return bool(escapes and self._ours_around and _is_ours(self._part(PICTURE)))

    @cached_property
    def _ours_around(self) -> bool:
        return self._context is not None and _is_ours(self._whole)

    @cached_property
    def _whole(self) -> Any:
        return get_template(WHOLE)

    @cached_property
    def _context(self) -> Context | None:
        """One for all; None where the site's own template is in another language."""
        if not isinstance(self._whole, DjangoTemplate):
            return None
        return Context(autoescape=self._whole.backend.engine.autoescape)

    def _part(self, name: str) -> Any:
        if name not in self._parts:
            self._parts[name] = self._whole.backend.get_template(name)
        return self._parts[name]


def _is_ours(template: Any) -> bool:
    """Whether it comes from where Django finds this app's templates."""
    folder = Path(apps.get_app_config("ideogram_django").path, "templates")
    return bool(template.origin.name == safe_join(folder, template.origin.template_name))
