"""The model field."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from django.core import checks
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.signals import post_save

from ideogram_django import forms, staleness
from ideogram_django.forms import describing, prompts, sources, taking
from ideogram_django.forms.plans import Plan
from ideogram_django.forms.within import DEFAULTS
from ideogram_django.lifecycle import using, wishes
from ideogram_django.profiles.applying import Profiles
from ideogram_django.widgets import GeneratedImageWidget

if TYPE_CHECKING:
    _ForeignKey = models.ForeignKey[Any, Any]
else:
    _ForeignKey = models.ForeignKey


_GIVEN = "_ideogram_given"


def _saved(instance: models.Model, **kwargs: Any) -> None:
    """``post_save`` of a record that got pictures from a form."""
    for field, picture in instance.__dict__.pop(_GIVEN, {}).items():
        using.attached(picture, instance, field)


class GeneratedImageField(_ForeignKey):
    """A foreign key to a picture, whose forms can also upload one or have one made.

    ``prompt_template`` (``"{title}, editorial illustration"``; gaps are columns, over foreign
    keys with dots), ``model``, ``aspect_ratio`` and the API's other parameters are defaults for
    new pictures. ``profile`` names a prompt profile, which comes before them and whose template
    is used where the field has none. They never enter a migration: there this is a plain foreign
    key.

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
            # A profile stands in the database, which no check may ask.
            if name not in ("prompt_template", "profile")
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
        for name in ("using", "empty_label", "to_field_name", "blank"):
            kwargs.pop(name, None)
        kwargs.setdefault("limit_choices_to", self.remote_field.limit_choices_to)
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

    def plan(self) -> Plan:
        """How new pictures are made here. One query where the field names a prompt profile."""
        return Plan.of(self.request_defaults, Profiles(), model=self.model)

    def is_stale(self, record: models.Model) -> bool:
        """Whether this record's picture is out of date; see :mod:`ideogram_django.staleness`."""
        return staleness.is_stale(record, self.name)

    @property
    def _unclaimed(self) -> str:
        return f"_{self.name}_unclaimed"

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
            picture = self._picture(wanted, model_instance)
            setattr(model_instance, self.name, picture)
            model_instance.__dict__.pop(self._waiting, None)
            self._tell(model_instance, picture)
        self._use(model_instance)
        return super().pre_save(model_instance, add)

    def contribute_to_class(self, cls: Any, name: str, *args: Any, **kwargs: Any) -> None:
        super().contribute_to_class(cls, name, *args, **kwargs)
        if not cls._meta.abstract:
            models.signals.post_save.connect(self._saved, sender=cls)

    def _saved(self, instance: models.Model, **kwargs: Any) -> None:
        """A new record has its key only now: tell the pictures that were made for it."""
        if instance.__dict__.pop(self._unclaimed, False):
            self._claim(getattr(instance, self.name), instance)

    def _claim(self, picture: Any, record: models.Model) -> None:
        if record.pk is None:
            record.__dict__[self._unclaimed] = True
        else:
            sources.claim(picture, record, self.plan().template, self)

    def _use(self, record: models.Model) -> None:
        """What follows for a picture from being chosen in a form, and the words it got there."""
        picture = getattr(record, self.name) if self.is_cached(record) else None
        if picture is not None and picture.pk is not None:
            if picture.target_field == self.name and not picture.target_id:
                self._claim(picture, record)
            if self._before in record.__dict__:
                taking.exchange(picture, self._with_key(record.__dict__[self._before]), record)
                self._tell(record, picture)
            describing.write(picture)
        record.__dict__.pop(self._before, None)

    def _tell(self, record: models.Model, picture: Any) -> None:
        """Have the site told once the record is saved: before that it may not even have a key."""
        record.__dict__.setdefault(_GIVEN, {})[self.name] = picture
        # For the class that is being saved, which may be a proxy or a child of the field's own.
        post_save.connect(_saved, sender=type(record), dispatch_uid="ideogram_django.attached")

    def _with_key(self, key: Any) -> Any:
        """The picture that the record had before."""
        pictures: Any = self.remote_field.model._base_manager.select_related("replaces")
        return pictures.filter(pk=key).first() if key is not None else None

    def _picture(self, wanted: Any, record: models.Model) -> Any:
        before = getattr(record, self.name) if getattr(record, self.attname) else None
        columns = sources.columns(record, self.plan().template, self)
        return taking.fulfil(wanted, record, before, **columns)
