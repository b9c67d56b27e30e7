"""The form field."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import ForeignKey, Model, QuerySet
from django.forms.boundfield import BoundField
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf
from ideogram_django.apiframe import catalogue
from ideogram_django.budget import ledger, limits
from ideogram_django.budget.amounts import price_text
from ideogram_django.exceptions import InvalidRequest
from ideogram_django.forms import prompts
from ideogram_django.forms.access import may, viewable
from ideogram_django.forms.answers import GenerationRequest, UploadedPicture, flat
from ideogram_django.lifecycle import PARAMETERS, uploading, wishes
from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import IN_PROGRESS, Status
from ideogram_django.widgets import (
    GeneratedImageWidget,
    Make,
    Offer,
    Submitted,
)

DEFAULTS = ("prompt_template", "model", *PARAMETERS)
"""Keywords of both fields that say what a new picture is to be like."""

Answer = GeneratedImage | GenerationRequest | UploadedPicture | None


class GeneratedImageField(forms.Field):
    """A picture: chosen, uploaded, or wanted.

    ``clean()`` returns a :class:`GeneratedImage`, an :class:`UploadedPicture`, a
    :class:`GenerationRequest` (nothing is spent yet), or None. Keywords beside Django's:

    ``user``: who fills in the form; without one the picture can only be kept or removed.
    ``allow_upload``: by default for users who may add pictures.
    ``queryset``: narrows what can be chosen further.
    ``prompt_template``, ``model``, ``aspect_ratio`` and the API's other parameters: what a new
    picture is to be like.
    """

    widget = GeneratedImageWidget
    default_error_messages = {
        "several": _("Choose a picture, upload one, or have one made: only one of these."),
        "unknown": _("There is no such picture, or you may not use it."),
        "unfinished": _("This picture was never finished. Choose another one."),
        "may_not_generate": _("You may not have pictures made."),
        "may_not_upload": _("You may not upload pictures."),
        "not_ticked": _(
            "You changed the prompt. Tick “Make on save” to have this picture made, or undo "
            "the change."
        ),
        "switched_off": _("Making pictures is switched off on this site."),
    }

    def __init__(
        self,
        *,
        user: Any = None,
        allow_upload: bool | None = None,
        queryset: QuerySet[GeneratedImage] | None = None,
        **kwargs: Any,
    ) -> None:
        self.defaults: Mapping[str, Any] = {
            name: kwargs.pop(name) for name in DEFAULTS if name in kwargs
        }
        self.user = user
        self.allow_upload = allow_upload
        self.queryset = queryset
        self._form: Any = None
        self._name = ""
        self._initial: Any = None
        super().__init__(**kwargs)

    def get_bound_field(self, form: Any, field_name: str) -> BoundField:
        """Get to know the form: its record fills the template, its initial picture is kept."""
        self._form = form
        self._name = field_name
        self._initial = self._trusted(form.get_initial_for_field(self, field_name))
        # Admins wrap the widgets of foreign keys.
        inner = getattr(self.widget, "widget", self.widget)
        inner.make_offer = self.offer
        return super().get_bound_field(form, field_name)

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

    def offer(self) -> Offer:
        """What this user may do here, for the widget."""
        return Offer(
            current=self._current(),
            required=self.required,
            may_choose=bool(getattr(self.user, "is_authenticated", False)),
            may_browse=may(self.user, "view") and self.user.is_staff,
            may_upload=self.may_upload,
            make=self._make() if self.may_generate else None,
        )

    @property
    def may_generate(self) -> bool:
        return may(self.user, "generate")

    @property
    def may_upload(self) -> bool:
        return may(self.user, "add") if self.allow_upload is None else self.allow_upload

    def _make(self) -> Make | None:
        settings = conf.current()
        model = self.defaults.get("model") or settings.DEFAULT_MODEL
        speed = self.defaults.get("rendering_speed") or ""
        price = ledger.price_of(settings, model, speed)
        if price is None or not settings.SPENDING_ENABLED:
            return None
        try:
            shapes = catalogue.get_model(model, settings.PRICES).aspect_ratios
        except InvalidRequest:
            shapes = ()
        text = self._offered_prompt()
        return Make(
            price=price_text(price.amount, price.currency),
            prompt=text,
            gaps=[name for name in self._gaps if f"{{{name}}}" in text],
            shape=self.defaults.get("aspect_ratio") or "",
            shapes=() if self.defaults.get("resolution") else shapes,
            longest=catalogue.MAX_PROMPT,
        )

    @property
    def _gaps(self) -> tuple[str, ...]:
        return prompts.gaps(self.defaults.get("prompt_template") or "")

    def _offered_prompt(self) -> str:
        """The exact text where the record is known, else the template."""
        template = str(self.defaults.get("prompt_template") or "")
        record = self._record
        if record is None or record.pk is None or record._state.adding:
            return template
        return prompts.fill(template, record)

    def has_changed(self, initial: Any, data: Any) -> bool:
        if self.disabled:
            return False
        if not isinstance(data, Submitted):
            return bool(getattr(initial, "pk", initial) != getattr(data, "pk", data))
        if data.choice and not (data.upload or data.make or data.edited or data.emptied):
            return not self._is_initial(data.choice)
        return data.touched

    def clean(self, value: Any) -> Answer:
        answer = self._answer(value) if isinstance(value, Submitted) else self._plain(value)
        if answer is None and self.required:
            raise self._error("required")
        self.run_validators(answer)
        return answer

    def _answer(self, value: Submitted) -> Answer:
        chosen = value.choice and not self._is_initial(value.choice)
        wants = value.make or value.edited
        if sum(map(bool, (chosen, value.upload, wants, value.emptied))) > 1:
            raise self._error("several")
        if value.make:
            return self._request(value)
        if value.edited:
            raise self._error("not_ticked")
        if value.upload is not None:
            return self._upload(value)
        if chosen:
            return self._chosen(value.choice)
        return None if value.emptied else self._kept(value)

    def _plain(self, value: Any) -> Answer:
        """A value that did not come from our widget: a disabled field's, or a caller's own."""
        if value in self.empty_values or isinstance(value, GeneratedImage):
            return value or None
        return self._current() if self._is_initial(str(value)) else self._chosen(str(value))

    def _kept(self, value: Submitted) -> GeneratedImage | None:
        current = self._current()
        if current is None and value.kept and value.chosen:  # a copy: "save as new"
            return GeneratedImage.objects.filter(uuid=value.kept).first()
        return current

    def _is_initial(self, reference: str) -> bool:
        current = self._current()
        return current is not None and reference in (str(current.pk), str(current.uuid))

    def _chosen(self, reference: str) -> GeneratedImage:
        pictures = viewable(self.user)
        if self.queryset is not None:
            pictures = pictures.filter(pk__in=self.queryset.values("pk"))
        key = {"uuid": reference} if "-" in reference else {"pk": reference}
        try:
            picture = pictures.get(**key)
        except (GeneratedImage.DoesNotExist, ValueError, OverflowError, ValidationError) as error:
            raise self._error("unknown") from error
        if picture.status not in (Status.COMPLETED, *IN_PROGRESS):
            raise self._error("unfinished")
        return picture

    def _upload(self, value: Submitted) -> UploadedPicture:
        if not self.may_upload or value.upload is None:
            raise self._error("may_not_upload")
        checked = uploading.check_upload(value.upload)
        return UploadedPicture(file=value.upload, checked=checked, requested_by=self.user)

    def _request(self, value: Submitted) -> GenerationRequest:
        if not self.may_generate:
            raise self._error("may_not_generate")
        if not conf.current().SPENDING_ENABLED:
            raise self._error("switched_off")
        options = {
            name: option for name, option in self.defaults.items() if name != "prompt_template"
        }
        if value.shape:
            options["aspect_ratio"] = value.shape
        try:
            wish = wishes.check({**options, "prompt": value.prompt})
            request = GenerationRequest(
                prompt=value.prompt,
                options=options,
                price=wish.price.amount,
                currency=wish.price.currency,
                requested_by=self.user,
                gaps=tuple(name for name in self._gaps if f"{{{name}}}" in value.prompt),
                **({"request_id": value.request_id} if value.request_id else {}),
            )
            request = self._filled(request)
        except ValidationError as error:
            raise flat(error) from error
        self._check_limits(request)
        return request

    def _filled(self, request: GenerationRequest) -> GenerationRequest:
        """The request with the record's new values in its prompt, where all are known by now.

        Fields that the form declares after this one are not: then the prompt is filled on save.
        """
        record = self._record
        if record is None or not request.gaps:
            return request
        draft = copy.copy(record)
        for name in {gap.partition(".")[0] for gap in request.gaps}:
            if name in self._form.cleaned_data:
                setattr(draft, name, self._form.cleaned_data[name])
            elif name in self._form.fields:
                return request
        return request.filled_from(draft)

    def _check_limits(self, request: GenerationRequest) -> None:
        """An early, friendly sentence; the reservation on save decides."""
        if GeneratedImage.objects.filter(request_id=request.request_id).exists():
            return  # the same form once more: it costs nothing
        for allowance in limits.allowances(self.user):
            if request.price > allowance.left:
                raise limits.over_limit(allowance, request.price)

    def _error(self, code: str) -> ValidationError:
        return ValidationError(self.error_messages[code], code=code)
