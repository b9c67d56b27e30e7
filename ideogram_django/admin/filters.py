"""The gallery's filters. Those that would offer nothing to choose hide themselves."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ideogram_django import usage, wording
from ideogram_django.apiframe import catalogue
from ideogram_django.models import GeneratedImage, ProfileVersion, PromptProfile, Run
from ideogram_django.statuses import IN_PROGRESS, ErrorCode, Status

FOLDED = "admin/ideogram_django/filter.html"
"""The template of filters that stay folded until they are used: eight lists are a long page."""
FEW_PEOPLE = 12
OWN_WORK = "own"
NEWEST = 1000
"""Pictures whose models, styles, shapes and makers are offered as filters."""

Choices = list[tuple[str, str]]
Pictures = QuerySet[GeneratedImage]


class _Filter(admin.SimpleListFilter):
    """``conditions``: what each value asks for, where that does not depend on the request."""

    conditions: dict[str, Q] = {}

    def queryset(self, request: HttpRequest, queryset: Pictures) -> Pictures:
        value = self.value()
        if not value:
            return queryset
        condition = self.condition(request, value)
        return queryset.none() if condition is None else queryset.filter(condition)

    def condition(self, request: HttpRequest, value: str) -> Q | None:
        """``None``: no picture is like that."""
        return self.conditions.get(value)


class BatchFilter(_Filter):
    """Shown only while one request's pictures are looked at."""

    title = _("request")
    parameter_name = "batch"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        value = self.value()
        return [(value, gettext("This request"))] if _is_uuid(value) and value else []

    def condition(self, request: HttpRequest, value: str) -> Q | None:
        return Q(batch=value)


class RunFilter(_Filter):
    """Shown only while one bulk run's pictures are looked at.

    Elsewhere the gallery leaves out what a run has not started yet; see :class:`PictureList`.
    """

    title = _("bulk run")
    parameter_name = "run"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        value = self.value()
        if not value or not _is_uuid(value):
            return []
        return [(value, str(Run.objects.filter(uuid=value).first() or gettext("This run")))]

    def condition(self, request: HttpRequest, value: str) -> Q | None:
        return Q(run__uuid=value)


class ErrorFilter(_Filter):
    """Shown only while one kind of failure is looked at."""

    title = _("kind of failure")
    parameter_name = "error"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        value = self.value()
        if value not in ErrorCode.values:
            return []
        return [(value, str(ErrorCode(value).label))]

    def condition(self, request: HttpRequest, value: str) -> Q | None:
        return Q(error_code=value) & ~Q(error_code="")  # what the index is about


class StatusFilter(_Filter):
    """What an editor asks about: five groups instead of nine states."""

    title = _("status")
    parameter_name = "status"
    conditions = {
        "in_progress": Q(status__in=IN_PROGRESS),
        **{
            str(status): Q(status=status)
            for status in (Status.COMPLETED, Status.FAILED, Status.DRAFT, Status.CANCELLED)
        },
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [
            ("in_progress", gettext("In progress")),
            (str(Status.COMPLETED), gettext("Finished")),
            (str(Status.FAILED), gettext("Failed")),
            (str(Status.DRAFT), gettext("Drafts")),
            (str(Status.CANCELLED), gettext("Cancelled")),
        ]


class PickedFilter(_Filter):
    title = _("choice")
    parameter_name = "picked"
    conditions = {"yes": Q(picked=True), "no": Q(picked=False)}

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [("yes", gettext("Picked")), ("no", gettext("Not picked"))]


class AltTextFilter(_Filter):
    """Among finished pictures: nobody has to describe one that is not there yet."""

    title = _("alternative text")
    parameter_name = "alt"
    template = FOLDED
    conditions = {
        "missing": Q(status=Status.COMPLETED, decorative=False, alt_text=""),
        "given": Q(status=Status.COMPLETED, decorative=False) & ~Q(alt_text=""),
        "decorative": Q(status=Status.COMPLETED, decorative=True),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [
            ("missing", gettext("Missing")),
            ("given", gettext("Given")),
            ("decorative", gettext("Decorative, needs none")),
        ]


class PlaceFilter(admin.SimpleListFilter):
    """Where pictures are used: anywhere, nowhere, and each place where there are several."""

    title = _("where used")
    parameter_name = "used"
    template = FOLDED

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        places = usage.relations(GeneratedImage)
        if not places:
            return []
        found = [("anywhere", gettext("Used")), ("nowhere", gettext("Not used"))]
        if len(places) > 1:
            found += [(usage.name(place), place_label(place)) for place in places]
        return found

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = self.value()
        if not value:
            return queryset
        if value == "anywhere":
            return queryset.used()
        if value == "nowhere":
            return queryset.unused()
        for place in usage.relations(GeneratedImage):
            if usage.name(place) == value:
                return queryset.used(place)
        return queryset.none()


def place_label(place: Any) -> str:
    """``Article: hero``."""
    model = place.related_model._meta
    return gettext("%(model)s: %(field)s") % {
        "model": capfirst(str(model.verbose_name)),
        "field": place.field.verbose_name,
    }


class ProfileFilter(_Filter):
    """The prompt profiles that there are; one that is gone is found by the address."""

    title = _("prompt profile")
    parameter_name = "profile"
    template = FOLDED

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        names = list(PromptProfile.objects.order_by("name").values_list("name", flat=True))
        value = self.value()
        return [(one, one) for one in dict.fromkeys([*names, *([value] if value else [])])]

    def condition(self, request: HttpRequest, value: str) -> Q | None:
        return Q(profile=value) & ~Q(profile="")  # what the index is about


class VersionFilter(_Filter):
    """Of the profile that is looked at: which pictures its version 3 made."""

    title = _("version of the profile")
    parameter_name = "version"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        profile = request.GET.get("profile", "")
        if not profile:
            return []
        versions = ProfileVersion.objects.filter(profile__name=profile)
        numbers = [str(one) for one in versions.values_list("number", flat=True)]
        value = self.value()
        return [(one, one) for one in dict.fromkeys([*numbers, *([value] if value else [])])]

    def condition(self, request: HttpRequest, value: str) -> Q | None:
        sound = value.isascii() and value.isdecimal() and len(value) < 9
        return Q(profile_version=int(value)) if sound else None


class _ValueFilter(_Filter):
    """One column's values, where pictures differ in it: those of the newest, and the chosen one."""

    column = ""
    number = 0
    """The column's place in what :func:`_newest` gives."""
    template = FOLDED

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        values = {one[self.number] for one in _newest(request, model_admin)}
        found = dict(self.offered(values)) if len(values) > 1 else {}
        chosen = self.value()
        if chosen and chosen not in found:  # older pictures may have it
            found |= dict(self.offered({*values, chosen}))
        return list(found.items())

    def offered(self, values: set[str]) -> Iterator[tuple[str, str]]:
        """Value and label for each; repeated ones fall together."""
        raise NotImplementedError

    def condition(self, request: HttpRequest, value: str) -> Q | None:
        return Q(**{self.column: value})


class ModelFilter(_ValueFilter):
    title = _("model")
    parameter_name = "model"
    column = "model"
    number = 0

    def offered(self, values: set[str]) -> Iterator[tuple[str, str]]:
        known = {model: place for place, model in enumerate(catalogue.MODELS)}
        for model in sorted(values, key=lambda one: (known.get(one, len(known)), one)):
            yield model or OWN_WORK, wording.model_label(model)

    def condition(self, request: HttpRequest, value: str) -> Q | None:
        return Q(model="" if value == OWN_WORK else value)


class StyleFilter(_ValueFilter):
    title = _("style")
    parameter_name = "style"
    column = "style_type__iexact"
    number = 1

    def offered(self, values: set[str]) -> Iterator[tuple[str, str]]:
        # Model families spell the same style differently.
        for style in sorted({value.casefold() for value in values} - {""}):
            yield style, wording.style_label(style)


class ShapeFilter(_ValueFilter):
    title = _("shape")
    parameter_name = "shape"
    column = "aspect_ratio"
    number = 2

    def offered(self, values: set[str]) -> Iterator[tuple[str, str]]:
        for shape in sorted(values - {""}, key=_width):
            yield shape, shape


def _newest(request: Any, model_admin: Any) -> list[tuple[str, str, str, Any]]:
    """Model, style, shape and maker of the newest pictures, each combination once.

    One query for all filters of a page, whose cost does not grow with the gallery. What only older
    pictures have is not offered, but found all the same.
    """
    key = "_ideogram_newest"
    if not hasattr(request, key):
        rows = model_admin.get_queryset(request).order_by("-pk")
        columns = rows.values_list("model", "style_type", "aspect_ratio", "requested_by")
        setattr(request, key, list(dict.fromkeys(columns[:NEWEST])))
    found: list[tuple[str, str, str, Any]] = getattr(request, key)
    return found


def _width(shape: str) -> tuple[float, str]:
    """To sort shapes from tall to wide."""
    width, _colon, height = shape.partition(":")
    if width.isdecimal() and height.isdecimal() and int(height):
        return int(width) / int(height), shape
    return 0, shape


class WhoFilter(admin.SimpleListFilter):
    """My own pictures; and where only a few people make pictures, each of them."""

    title = _("who")
    parameter_name = "who"
    template = FOLDED

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        mine = [("me", gettext("Me"))]
        makers = {maker for *_request, maker in _newest(request, model_admin)}
        chosen = self._chosen()
        if len(makers | chosen) < 2:  # everything is one person's, or nobody's
            return []
        few = makers if len(makers - {None}) <= FEW_PEOPLE else set()
        people = (few | chosen) - {None, request.user.pk}
        others = get_user_model()._default_manager.filter(pk__in=people) if people else []
        return mine + sorted(((str(one.pk), str(one)) for one in others), key=lambda one: one[1])

    def _chosen(self) -> set[Any]:
        """The person that is asked for, whose pictures may all be older ones."""
        key = get_user_model()._meta.pk
        try:
            return {key.to_python(self.value())} if self.value() not in (None, "me") else set()
        except ValidationError:
            return set()

    def queryset(self, request: HttpRequest, queryset: Pictures) -> Pictures:
        value = self.value()
        if value == "me":
            return queryset.filter(requested_by=request.user.pk)
        known = {key for key, _label in self.lookup_choices}
        return queryset.filter(**{"requested_by": value}) if value in known else queryset


class WhenFilter(admin.DateFieldListFilter):
    template = FOLDED

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = _("when")


def _is_uuid(text: str | None) -> bool:
    try:
        uuid.UUID(text or "")
    except ValueError:
        return False
    return True
