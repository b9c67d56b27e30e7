"""The form field."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms.boundfield import BoundField
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf, wording
from ideogram_django.forms import describing, narrowing, offering, ordering, sources
from ideogram_django.forms.access import may, shown_to, viewable
from ideogram_django.forms.answers import Answer, GenerationRequest, UploadedPicture, flat
from ideogram_django.forms.plans import Plan
from ideogram_django.forms.relatives import Relatives, relatives_of
from ideogram_django.forms.within import FieldWithinForm
from ideogram_django.lifecycle import uploading
from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import IN_PROGRESS, Status
from ideogram_django.widgets import GeneratedImageWidget, Make, Offer, Submitted, Terms


class GeneratedImageField(FieldWithinForm):
    """A picture: chosen, uploaded, or wanted.

    ``clean()`` returns a :class:`GeneratedImage`, an :class:`UploadedPicture`, a
    :class:`GenerationRequest` (nothing is spent yet), or None. Where the form asked for words for
    a picture that exists, they wait on it until a :class:`.fields.GeneratedImageField` is saved.
    Keywords beside Django's:

    ``user``: who fills in the form; without one the picture can only be kept or removed.
    ``allow_upload``: by default for users who may add pictures.
    ``queryset``, ``limit_choices_to``: narrow what can be chosen further, here and in the dialog.
    The condition stands in the page, where whoever fills in the form can read it.
    ``prompt_template``, ``model``, ``aspect_ratio`` and the API's other parameters: what a new
    picture is to be like. ``profile``: the name of a prompt profile, which comes before them; its
    template is used where the field has none.
    """

    widget = GeneratedImageWidget
    compact = False
    """One picture at a time and no words for it: a hundred rows of a list have more inputs than
    Django takes from one form (``DATA_UPLOAD_MAX_NUMBER_FIELDS``) as it is."""
    default_error_messages = {
        "several": _("Choose a picture, upload one, or have one made: only one of these."),
        "unknown": _("There is no such picture, or you may not use it."),
        "unfinished": _("This picture was never finished. Choose another one."),
        "may_not_generate": _("You may not have pictures made."),
        "may_not_upload": _("You may not upload pictures."),
        "not_multipart": _(
            "The file did not arrive, because this page does not send files. Tell whoever made it: "
            'its form needs enctype="multipart/form-data".'
        ),
        "not_ticked": _(
            "You changed the prompt. Tick “Make on save” to have this picture made, or undo "
            "the change."
        ),
        "switched_off": _("Making pictures is switched off on this site."),
        "price_unseen": _("This page is out of date. Load it again."),
    }

    def get_bound_field(self, form: Any, field_name: str) -> BoundField:
        """Get to know the form, and have the widget ask what can be done in it."""
        self._enter(form, field_name)
        # Admins wrap the widgets of foreign keys.
        inner = getattr(self.widget, "widget", self.widget)
        inner.make_offer = self.offer
        return super().get_bound_field(form, field_name)

    def offer(self, submitted: Submitted) -> Offer:
        """What this user may do here, for the widget."""
        current = self._current()
        may_choose = bool(getattr(self.user, "is_authenticated", False))
        relatives = relatives_of(current) if current is not None else Relatives([])
        found = relatives.of(current) if current is not None and may_choose else []
        drafts = ordering.earlier_drafts(self.user, submitted, current, found) if may_choose else []
        if drafts:
            relatives = Relatives([*drafts, *([current] if current else [])])
        before = current.replaces if current is not None and current.replaces_id else None
        seen = shown_to(self.user, [*found, before])
        plan = self.plan if self.may_generate else None
        return Offer(
            current=current,
            required=self.required,
            may_choose=may_choose,
            choices=narrowing.sign(self._choosable) if may_choose else None,
            may_browse=may(self.user, "view") and self.user.is_staff,
            may_view=may(self.user, "view"),
            may_upload=self.may_upload,
            may_describe=self._column is not None
            and not self.compact
            and (
                self.may_upload or self.may_generate or describing.may_describe(self.user, current)
            ),
            words=self._words,
            make=self._make(plan) if plan else None,
            why_not=plan.problem if plan else "",
            stale=self._stale(current),
            drafts=drafts,
            relatives=[one for one in found if one in seen],
            before=before if before in seen else None,
            typical=relatives.typical,
            pause=relatives.pause,
        )

    def _stale(self, current: GeneratedImage | None) -> str:
        record, column = self._record, self._column
        if record is None or column is None or record.pk is None:
            return ""
        changed = sources.changed(current, record, column.name)
        return wording.out_of_date(sources.described(type(record), changed))

    def _make(self, plan: Plan) -> Make | None:
        make = offering.make_for(plan, self._record, self._column)
        if make is None:
            return None
        make = replace(make, left=self.money.left(self.user))
        return replace(make, count=0) if self.compact else make

    def has_changed(self, initial: Any, data: Any) -> bool:
        if self.disabled:
            return False
        if not isinstance(data, Submitted):
            return bool(getattr(initial, "pk", initial) != getattr(data, "pk", data))
        if data.choice and self._is_initial(data.choice):  # chosen by its number
            data = replace(data, chosen=None)
        return bool(data.touched)

    def clean(self, value: Any) -> Answer:
        answer = self._answer(value) if isinstance(value, Submitted) else self._plain(value)
        if answer is None and self.required:
            raise self._error("required")
        self.run_validators(answer)
        return answer

    def _answer(self, value: Submitted) -> Answer:
        chosen = value.choice and not self._is_initial(value.choice)
        if value.upload_lost:
            raise self._error("not_multipart")
        # A prompt that was changed for drafts which are there now asks for nothing more.
        wants = value.make or (value.edited and not value.picked)
        ways = (chosen, value.picked, value.upload, wants, value.emptied)
        if sum(map(bool, ways)) > 1:
            raise self._error("several")
        answer = self._one_way(value, chosen=bool(chosen), wants=wants)
        return self._described(value, answer)

    def _one_way(self, value: Submitted, *, chosen: bool, wants: bool) -> Answer:
        if value.make:
            return self._request(value)
        if wants:
            raise self._error("not_ticked")
        if value.upload is not None:
            return self._upload(value)
        if chosen:
            return self._chosen(value.choice)
        if value.picked:
            return self._picked(value.picked)
        return None if value.emptied else self._kept(value)

    def _described(self, value: Submitted, answer: Answer) -> Answer:
        """The answer with the new words for it, if there are any."""
        if value.words is None or answer is None or self._column is None:
            return answer
        try:
            return describing.describe(answer, value.words, value.words_before, self.user)
        except describing.WordsClashError as clash:
            self._words = clash.theirs
            raise

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

    def _chosen(self, reference: str) -> GeneratedImage:
        pictures = narrowing.within(viewable(self.user), self._choosable)
        return self._usable(self._find(pictures, reference))

    def _picked(self, reference: str) -> GeneratedImage:
        """A draft of this user's, or one that stood beside the current picture.

        ``queryset`` is about the gallery; it does not forbid what the field itself offered.
        """
        picture = self._find(viewable(self.user), reference)
        current = self._current()
        offered = picture is not None and (
            picture.requested_by_id == self.user.pk
            or (
                current is not None
                and (
                    picture.pk == current.replaces_id
                    or picture in relatives_of(current).of(current)
                )
            )
        )
        return self._usable(picture) if offered else self._chosen(reference)

    @staticmethod
    def _find(pictures: QuerySet[GeneratedImage], reference: str) -> GeneratedImage | None:
        key = {"uuid": reference} if "-" in reference else {"pk": reference}
        try:
            return pictures.get(**key)
        except (GeneratedImage.DoesNotExist, ValueError, OverflowError, ValidationError):
            return None

    def _usable(self, picture: GeneratedImage | None) -> GeneratedImage:
        if picture is None:
            raise self._error("unknown")
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
        if self.compact and Terms.read(value.terms) is None:
            # A list is saved as a whole: what is made there was ticked, beside its price.
            raise self._error("price_unseen")
        try:
            request = self._filled(
                ordering.request_for(self.plan, value, self._record, user=self.user)
            )
        except ValidationError as error:
            raise flat(error) from error
        ordering.check_limits(request, self.user)
        return request

    def _filled(self, request: GenerationRequest) -> GenerationRequest:
        """The request with the record's new values in its prompt, where all are known by now.

        Those that this form cleans later are cleaned here for once. Where that fails, the form is
        not valid anyway.
        """
        record = self._record
        if record is None or not request.gaps:
            return request
        draft = copy.copy(record)
        try:
            for name in {gap.partition(".")[0] for gap in request.gaps}:
                if name in self._form.cleaned_data:
                    setattr(draft, name, self._form.cleaned_data[name])
                elif name in self._form.fields:
                    setattr(draft, name, self._clean_ahead(name))
        except (ValidationError, ValueError):
            return request
        return request.filled_from(draft)

    def _clean_ahead(self, name: str) -> Any:
        bound = self._form[name]
        if bound.field.disabled:
            return bound.field.clean(bound.initial)
        if isinstance(bound.field, forms.FileField):
            return bound.field.clean(bound.data, bound.initial)
        return bound.field.clean(bound.data)

    def _error(self, code: str) -> ValidationError:
        return ValidationError(self.error_messages[code], code=code)
