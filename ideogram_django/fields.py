"""The model field."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from django.core import checks
from django.core.exceptions import ValidationError
from django.db import models

from ideogram_django import forms
from ideogram_django.forms import describing, prompts, taking
from ideogram_django.forms.fields import DEFAULTS
from ideogram_django.lifecycle import wishes
from ideogram_django.widgets import GeneratedImageWidget

if TYPE_CHECKING:
    _ForeignKey = models.ForeignKey[Any, Any]
else:
    _ForeignKey = models.ForeignKey


class GeneratedImageField(_ForeignKey):
    """A foreign key to a picture, whose forms can also upload one or have one made.

    ``prompt_template`` (``"{title}, editorial illustration"``; gaps are columns, over foreign
    keys with dots), ``model``, ``aspect_ratio`` and the API's other parameters are defaults for
    new pictures. They never enter a migration: there this is a plain foreign key.

    A request from a form waits on the instance until ``save()`` and is paid for there. Of several
    drafts the first becomes the record's picture. Whatever the picture, pages go on showing the
    one before until it is there; a draft that a record uses counts as picked.
    """

    def __init__(
        self,
        to: Any = "ideogram_django.GeneratedImage",
        on_delete: Any = models.PROTECT,
        **kwargs: Any,
    ) -> None:
        # One attribute for all of them: Django overwrites ``self.model`` with the owner class.
        self.request_defaults: Mapping[str, Any] = MappingProxyType(
            {name: kwargs.pop(name) for name in DEFAULTS if name in kwargs}
        )
        kwargs.setdefault("null", True)
        kwargs.setdefault("blank", True)
        kwargs.setdefault("related_name", "+")
        super().__init__(to, on_delete, **kwargs)

    def deconstruct(self) -> Any:
        """A plain foreign key, so that migrations neither import us nor see our defaults."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.ForeignKey", args, kwargs

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        return [*super().check(**kwargs), *self._check_template(), *self._check_defaults()]

    def _check_template(self) -> list[checks.CheckMessage]:
        template = self.request_defaults.get("prompt_template") or ""
        return [
            checks.Error(
                f"The prompt template names “{{{gap}}}”, which is no column of "
                f"{self.model._meta.label}.",
                hint="Name fields of the model; follow foreign keys with dots: {author.name}.",
                obj=self,
                id="ideogram_django.E101",
            )
            for gap in prompts.unknown(template, self.model)
        ]

    def _check_defaults(self) -> list[checks.CheckMessage]:
        options = {
            name: value
            for name, value in self.request_defaults.items()
            if name != "prompt_template"
        }
        try:
            wishes.check({**options, "prompt": "A prompt"})
        except ValidationError as error:
            return [
                checks.Error(
                    f"No picture can be made with these defaults: {' '.join(error.messages)}",
                    obj=self,
                    id="ideogram_django.E102",
                )
            ]
        return []

    # --- forms ----------------------------------------------------------------------------------

    def formfield(self, **kwargs: Any) -> Any:
        """Our form field, unless the caller brings a widget or a form class of its own.

        ``raw_id_fields``, ``autocomplete_fields`` and ``radio_fields`` bring theirs.
        """
        if not self._ours(kwargs):
            return super().formfield(**kwargs)
        for name in ("using", "empty_label", "limit_choices_to", "to_field_name", "blank"):
            kwargs.pop(name, None)
        return models.Field.formfield(
            self, **{"form_class": forms.GeneratedImageField, **self.request_defaults, **kwargs}
        )

    @staticmethod
    def _ours(kwargs: Mapping[str, Any]) -> bool:
        widget = kwargs.get("widget", GeneratedImageWidget)
        widget_class = widget if isinstance(widget, type) else type(widget)
        form_class = kwargs.get("form_class", forms.GeneratedImageField)
        return (
            issubclass(widget_class, GeneratedImageWidget)
            and issubclass(form_class, forms.GeneratedImageField)
            and "choices_form_class" not in kwargs
        )

    def save_form_data(self, instance: models.Model, data: Any) -> None:
        """Take a form's answer. It runs for invalid forms too, so it neither spends nor stores."""
        if isinstance(data, (forms.GenerationRequest, forms.UploadedPicture)):
            instance.__dict__[self._waiting] = data
            return
        instance.__dict__.pop(self._waiting, None)
        before = getattr(instance, self.attname)
        super().save_form_data(instance, data)
        if getattr(instance, self.attname) != before:
            instance.__dict__.setdefault(self._before, before)

    @property
    def _before(self) -> str:
        return f"_{self.name}_before"

    @property
    def _waiting(self) -> str:
        return f"_{self.name}_wanted"

    def clean(self, value: Any, model_instance: models.Model | None) -> Any:
        """As a foreign key, except that a waiting request is not "empty"."""
        if value is None and model_instance and self._waiting in model_instance.__dict__:
            return value
        return super().clean(value, model_instance)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Make what a form asked for, once: Django may call this several times for one save."""
        wanted = model_instance.__dict__.get(self._waiting)
        if wanted is not None:
            setattr(model_instance, self.name, self._picture(wanted, model_instance))
            model_instance.__dict__.pop(self._waiting, None)
        self._use(model_instance)
        return super().pre_save(model_instance, add)

    def _use(self, record: models.Model) -> None:
        """What follows for a picture from being chosen in a form, and the words it got there."""
        picture = getattr(record, self.name) if self.is_cached(record) else None
        if picture is not None and picture.pk is not None:
            if self._before in record.__dict__:
                taking.exchange(picture, self._with_key(record.__dict__[self._before]))
            describing.write(picture)
        record.__dict__.pop(self._before, None)

    def _with_key(self, key: Any) -> Any:
        """The picture that the record had before."""
        pictures: Any = self.remote_field.model._base_manager.select_related("replaces")
        return pictures.filter(pk=key).first() if key is not None else None

    def _picture(self, wanted: Any, record: models.Model) -> Any:
        before = getattr(record, self.name) if getattr(record, self.attname) else None
        return taking.fulfil(wanted, record, before)
