"""The picture field inside any admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.core.exceptions import ValidationError
from django.forms import Media
from django.http import HttpRequest, HttpResponseRedirect

from ideogram_django import hooks, staleness
from ideogram_django.admin.base import THEME
from ideogram_django.admin.outofdate import OutOfDate
from ideogram_django.fields import GeneratedImageField as PictureColumn
from ideogram_django.forms import GeneratedImageField, GeneratedImageFormSetMixin
from ideogram_django.models import GeneratedImage
from ideogram_django.widgets import GeneratedImageWidget

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = object


class GeneratedImageFieldMixin(_ModelAdmin):
    """For a ``ModelAdmin`` or an inline whose model has a ``GeneratedImageField``.

    Tells the form field who fills it in, which is what allows choosing, uploading and, with the
    permission, having pictures made. Uploading needs no permission beside the admin's own.
    """

    @property
    def media(self) -> Media:
        return super().media + Media(css={"all": [THEME]})

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Our widget, named before a theme's base class names a select for every foreign key."""
        if isinstance(db_field, PictureColumn):
            if db_field.name not in [
                *self.raw_id_fields,
                *self.radio_fields,
                *self.get_autocomplete_fields(request),
            ]:
                kwargs.setdefault("widget", GeneratedImageWidget)
            elif request is not None:
                # Django's own field would take the number of any picture.
                pictures = GeneratedImage.objects.all()
                kwargs.setdefault("queryset", hooks.current().visible(pictures, request.user))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(field, GeneratedImageField):
            field.user = request.user
            if field.allow_upload is None:
                field.allow_upload = True
            # The admin's own "add" and "change" links beside ours would lead to half a form.
            if isinstance(field.widget, RelatedFieldWidgetWrapper):
                field.widget = field.widget.widget
        return field

    def get_formset(self, *args: Any, **kwargs: Any) -> Any:
        """Of an inline. Ten rows ask for their pictures as often as one."""
        formset = super().get_formset(*args, **kwargs)  # type: ignore[misc]
        return type(formset.__name__, (GeneratedImageFormSetMixin, formset), {})

    def get_changelist_formset(self, request: HttpRequest, **kwargs: Any) -> Any:
        """Of ``list_editable``."""
        formset = super().get_changelist_formset(request, **kwargs)
        for field in formset.form.base_fields.values():
            if isinstance(field, GeneratedImageField):
                field.compact = True
        return type(formset.__name__, (GeneratedImageFormSetMixin, formset), {})

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """With what the columns "out of date" need, in a few queries for the whole page."""
        changes = super().get_changelist_instance(request)
        for column in changes.list_display:
            if isinstance(column, OutOfDate):
                staleness.bring(list(changes.result_list), column.field)
        return changes

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """As always; where the money ran out between checking and saving, a sentence."""
        return self._or_a_sentence(super().changeform_view, request, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._or_a_sentence(super().changelist_view, request, *args, **kwargs)

    @staticmethod
    def _or_a_sentence(view: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return view(request, *args, **kwargs)
        except ValidationError as error:
            if request.method != "POST":
                raise
            # The view's transaction is rolled back: nothing was saved, nothing was spent.
            for message in error.messages:
                messages.error(request, message)
            return HttpResponseRedirect(request.get_full_path())
