"""What a picture field knows: its form's record and picture, who fills it in, and what they may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import FieldDoesNotExist
from django.db.models import ForeignKey, Model, QuerySet

from ideogram_django.forms import narrowing, offering
from ideogram_django.forms.access import may, viewable
from ideogram_django.forms.plans import Plan
from ideogram_django.lifecycle import PARAMETERS
from ideogram_django.models import GeneratedImage
from ideogram_django.profiles.applying import Profiles
from ideogram_django.widgets import Words

DEFAULTS = ("prompt_template", "profile", "model", *PARAMETERS)
"""Keywords of both fields that say what a new picture is to be like."""


class FieldWithinForm(forms.Field):
    """A field that looks around in its form. See :class:`.fields.GeneratedImageField`."""

    def __init__(
        self,
        *,
        user: Any = None,
        allow_upload: bool | None = None,
        queryset: QuerySet[GeneratedImage] | None = None,
        limit_choices_to: Any = None,
        **kwargs: Any,
    ) -> None:
        self.defaults: Mapping[str, Any] = {
            name: kwargs.pop(name) for name in DEFAULTS if name in kwargs
        }
        self.user = user
        self.allow_upload = allow_upload
        self.queryset = queryset
        self.limit_choices_to = limit_choices_to
        self._form: Any = None
        self._name = ""
        self._initial: Any = None
        self._words: Words | None = None
        self.profiles = Profiles()
        self.money = offering.Money()
        """Both are looked up once; a formset gives all its fields the same."""
        super().__init__(**kwargs)

    def __deepcopy__(self, memo: Any) -> FieldWithinForm:
        """Each form has a copy, and looks profiles and money up anew."""
        copied: FieldWithinForm = super().__deepcopy__(memo)
        copied.profiles, copied.money = Profiles(), offering.Money()
        return copied

    def _enter(self, form: Any, name: str) -> None:
        """Get to know the form: its record fills the template, its initial picture is kept."""
        self._form = form
        self._name = name
        self._initial = self._trusted(form.get_initial_for_field(self, name))

    def _trusted(self, initial: Any) -> Any:
        """The initial picture, unless it came from an address and the user may not see it."""
        key = getattr(initial, "pk", initial)
        column = self._column
        if key is None or self._record is None or column is None:
            return initial
        if getattr(self._record, column.attname) == key:
            return initial
        return initial if viewable(self.user).filter(pk=key).exists() else None

    @property
    def _record(self) -> Model | None:
        return getattr(self._form, "instance", None)

    @property
    def _column(self) -> ForeignKey[Any, Any] | None:
        """The record's own foreign key, if this field stands for one."""
        try:
            column = self._record._meta.get_field(self._name) if self._record else None
        except FieldDoesNotExist:
            return None
        return column if isinstance(column, ForeignKey) else None

    def _current(self) -> GeneratedImage | None:
        """The picture that the form began with; fetched once, not at all where it is at hand."""
        if self._initial and not isinstance(self._initial, GeneratedImage):
            column, record = self._column, self._record
            cached = column and record and column.is_cached(record) and getattr(record, self._name)
            if not cached or cached.pk != self._initial:
                pictures = GeneratedImage.objects.for_display()
                cached = pictures.filter(pk=self._initial).first()
            self._initial = cached
        return self._initial or None

    def _is_initial(self, reference: str) -> bool:
        current = self._current()
        return current is not None and reference in (str(current.pk), str(current.uuid))

    @property
    def plan(self) -> Plan:
        """How new pictures are made here."""
        record = self._record
        model = None if record is None else type(record)
        return Plan.of(self.defaults, self.profiles, model=model)

    @property
    def may_generate(self) -> bool:
        return may(self.user, "generate")

    @property
    def may_upload(self) -> bool:
        return may(self.user, "add") if self.allow_upload is None else self.allow_upload

    @property
    def _choosable(self) -> QuerySet[GeneratedImage] | None:
        return narrowing.choosable(self.queryset, self.limit_choices_to)
