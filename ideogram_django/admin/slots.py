"""Reference pictures in the make form: one of the gallery, an upload, or a web address."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf
from ideogram_django.forms import UploadedPicture
from ideogram_django.lifecycle import references, uploading
from ideogram_django.models import GeneratedImage
from ideogram_django.querysets import GeneratedImageQuerySet
from ideogram_django.statuses import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What stands in one slot, unjudged."""

    own: str = ""
    """The id of a picture of this site."""
    address: str = ""
    upload: UploadedFile[bytes] | None = None

    @classmethod
    def of(cls, text: str) -> Given:
        """What a request holds: ``picture:<uuid>``, a bare id, or an address."""
        text = text.strip()
        if "/" in text:
            return cls(address=text)
        return cls(own=text.removeprefix(references.OWN))

    @property
    def text(self) -> str:
        return self.own or self.address

    @property
    def ways(self) -> int:
        return sum(map(bool, (self.own, self.address, self.upload)))


class SlotWidget(forms.Widget):
    """Three inputs under one name: ``reference_image``, ``…-address``, ``…-upload``."""

    template_name = "admin/ideogram_django/parts/slot.html"
    needs_multipart_form = True
    use_fieldset = True

    def __init__(self, attrs: Any = None) -> None:
        super().__init__(attrs)
        self.may_upload = False
        self.find: Callable[[str], GeneratedImage | None] = lambda text: None

    def id_for_label(self, id_: str, index: str | None = None) -> str:
        """None: the label is the legend of a group of inputs."""
        return ""

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return not any(
            key in data or key in files for key in (name, f"{name}-address", f"{name}-upload")
        )

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Given:
        first = Given.of(str(data.get(name) or ""))
        return Given(
            own=first.own,
            # People paste an address wherever there is room for one.
            address=str(data.get(f"{name}-address") or "").strip() or first.address,
            upload=files.get(f"{name}-upload") or None,
        )

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        given = value if isinstance(value, Given) else Given.of(str(value or ""))
        context["widget"] |= {
            "id": context["widget"]["attrs"].get("id") or f"id_{name}",
            "given": given,
            "chosen": self.find(given.own) if given.own else None,
            "may_upload": self.may_upload,
            "wrong": bool(context["widget"]["attrs"].get("aria-invalid")),
            "largest": filesizeformat(conf.current().MAX_IMAGE_BYTES),
        }
        return context


class ReferenceField(forms.Field):
    """``clean()`` returns ``picture:<uuid>``, an address, an :class:`UploadedPicture`, or ``""``.

    Nothing is stored by looking: that is for whoever takes the form.
    """

    widget = SlotWidget
    default_error_messages = {
        "several": _("Choose a picture, upload one, or give an address: only one of these."),
        "several_with_file": _(
            "Choose a picture, upload one, or give an address: only one of these. "
            "If it is to be the file, choose the file again."
        ),
        "unknown": _("There is no finished picture with the id %(id)s."),
        "may_not_upload": _("You may not upload pictures."),
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, **kwargs)
        self.pictures: GeneratedImageQuerySet | None = None
        self.may_upload = False

    def allow(self, pictures: GeneratedImageQuerySet, *, may_upload: bool) -> None:
        """What this person may use: pictures to choose from, and uploads."""
        self.pictures = pictures.filter(status=Status.COMPLETED).exclude(file="")
        self.may_upload = self.widget.may_upload = may_upload
        self.widget.find = self.find

    def find(self, text: str) -> GeneratedImage | None:
        """By its uuid, or by the number that stands in the address of its page."""
        if self.pictures is None:
            return None
        try:
            return self.pictures.filter(uuid=uuid.UUID(text)).first()
        except ValueError:
            pass
        plain = text.isascii() and text.isdecimal() and len(text) < 19
        return self.pictures.filter(pk=int(text)).first() if plain else None

    def to_python(self, value: Any) -> str | UploadedPicture:
        given = value if isinstance(value, Given) else Given.of(str(value or ""))
        if given.ways > 1:
            # A browser never fills in a file again.
            code = "several_with_file" if given.upload else "several"
            raise ValidationError(self.error_messages[code], code="several")
        if given.upload is not None:
            return self._uploaded(given.upload)
        # An address that names a picture of ours is that picture, and asks for the same rights.
        own = given.own or (references.is_own(given.address) and Given.of(given.address).own)
        if own:
            picture = self.find(own)
            if picture is None:
                raise ValidationError(
                    self.error_messages["unknown"], code="reference", params={"id": own}
                )
            return f"{references.OWN}{picture.uuid}"
        if given.address:
            self._check_address(given.address)
        return given.address

    def _uploaded(self, file: UploadedFile[bytes]) -> UploadedPicture:
        if not self.may_upload:
            raise ValidationError(self.error_messages["may_not_upload"], code="may_not_upload")
        return UploadedPicture(file=file, checked=uploading.check_upload(file))

    def _check_address(self, address: str) -> None:
        try:
            references.plain_references({"reference_image": address})
        except ValidationError as error:
            raise ValidationError(error.error_dict["reference_image"]) from error

    def has_changed(self, initial: Any, data: Any) -> bool:
        if not isinstance(data, Given):
            return super().has_changed(initial, data)
        return bool(data.upload) or data.text != Given.of(str(initial or "")).text
