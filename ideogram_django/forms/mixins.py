"""For forms outside the admin, and for formsets anywhere."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import prefetch_related_objects
from django.utils.functional import cached_property

from ideogram_django.forms import prompts
from ideogram_django.forms.answers import GenerationRequest
from ideogram_django.forms.fields import GeneratedImageField
from ideogram_django.forms.offering import Money
from ideogram_django.forms.plans import Plan
from ideogram_django.forms.relatives import together
from ideogram_django.profiles.applying import Profiles


class GeneratedImageFormMixin:
    """``MyForm(request.POST, request.FILES, user=request.user)``.

    Hands ``user`` to the picture fields. Of a model form, ``save()`` is one transaction, so that
    the picture is paid for if and only if the record is saved.
    """

    fields: dict[str, Any]

    def __init__(self, *args: Any, user: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        for field in self.fields.values():
            if isinstance(field, GeneratedImageField):
                field.user = user

    def _post_clean(self) -> None:
        """Check prompts whose gaps only the finished record fills, before anything is saved."""
        super()._post_clean()  # type: ignore[misc]
        form: Any = self
        record = getattr(form, "instance", None)
        for name, value in list(form.cleaned_data.items()):
            if record is not None and isinstance(value, GenerationRequest):
                try:
                    value.filled_from(record)
                except ValidationError as error:
                    form.add_error(name, error.messages)

    def save(self, commit: bool = True) -> Any:
        form: Any = super()
        with transaction.atomic():
            return form.save(commit)


class GeneratedImageFormSetMixin:
    """Before ``BaseModelFormSet``: the pictures of all its records come with a few queries."""

    form: Any

    @cached_property
    def _profiles(self) -> Profiles:
        return Profiles()

    @cached_property
    def _money(self) -> Money:
        return Money()

    def add_fields(self, form: Any, index: int | None) -> None:
        """As always; all rows look the prompt profiles up together, and what may be spent."""
        super().add_fields(form, index)  # type: ignore[misc]
        for field in form.fields.values():
            if isinstance(field, GeneratedImageField):
                field.profiles, field.money = self._profiles, self._money

    def get_queryset(self) -> Any:
        formset: Any = super()
        fetched = hasattr(self, "_queryset")
        records = formset.get_queryset()
        if not fetched:
            fields = self._picture_fields()
            gaps = [gap for field in fields.values() for gap in self._gaps(field)]
            # What the prompts are made from: one query for each table, not for each record.
            paths = dict.fromkeys(gap.rpartition(".")[0].replace(".", "__") for gap in gaps)
            prefetch_related_objects(list(records), *filter(None, paths))
            together(list(records), list(fields))
        return records

    def _gaps(self, field: GeneratedImageField) -> tuple[str, ...]:
        """Of a field of the form's class, which outlives this request."""
        plan = Plan.of(field.defaults, self._profiles, model=self.form._meta.model)
        return prompts.gaps(plan.template)

    def _picture_fields(self) -> dict[str, GeneratedImageField]:
        columns = {column.name for column in self.form._meta.model._meta.concrete_fields}
        return {
            name: field
            for name, field in self.form.base_fields.items()
            if isinstance(field, GeneratedImageField) and name in columns
        }
