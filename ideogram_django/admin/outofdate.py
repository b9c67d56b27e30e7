"""Out of date or not: a column and a filter for the list of any model with a picture field."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ideogram_django import staleness, wording

STALE = "stale"


class OutOfDate:
    """A column: ``list_display = ["title", OutOfDate("hero")]``. Says what has changed.

    With :class:`GeneratedImageFieldMixin` it costs a page a few queries, however many rows.
    """

    short_description = _("Picture up to date")
    empty_value_display = "–"

    def __init__(self, field: str) -> None:
        self.field = field
        self.__name__ = f"{field}_out_of_date"

    def __call__(self, record: Any) -> str:
        picture = getattr(record, self.field)
        if picture is None:
            return ""
        changed = staleness.changes(record, self.field)
        if changed:
            return wording.out_of_date(changed)
        return gettext("Yes") if picture.source_fingerprint else ""


class OutOfDateFilter(admin.FieldListFilter):
    """``list_filter = [("hero", OutOfDateFilter)]``: "Picture: out of date"."""

    def __init__(
        self,
        field: Any,
        request: HttpRequest,
        params: dict[str, Any],
        model: Any,
        model_admin: Any,
        field_path: str,
    ) -> None:
        self.parameter = f"{field_path}_stale"
        super().__init__(field, request, params, model, model_admin, field_path)
        self.title = field.verbose_name
        given: Any = self.used_parameters.get(self.parameter) or [""]
        self.value = str(given[-1])  # an address may name it several times

    def expected_parameters(self) -> list[str | None]:
        return [self.parameter]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value != STALE:
            return queryset
        found = staleness.stale_records(queryset, self.field_path)
        return queryset.filter(pk__in=[record.pk for record in found])

    def choices(self, changelist: Any) -> Any:
        for value, label in (("", gettext("All")), (STALE, gettext("Out of date"))):
            yield {
                "selected": self.value == value,
                "query_string": changelist.get_query_string(
                    {self.parameter: value} if value else {}, [] if value else [self.parameter]
                ),
                "display": label,
            }
