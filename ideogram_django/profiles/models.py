"""A profile and its versions. A version never changes: pictures remember its number."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from ideogram_django.apiframe.catalogue import MAX_PROMPT

LOCKED = ("model", "style_type", "aspect_ratio", "negative_prompt", "style_preset")
"""What a version can fix, beside the words before and after. Empty: free."""
WORDS = ("template", "prefix", "suffix")
VALUES = (*WORDS, *LOCKED)
"""What makes one version another one."""
PROMPT = "{prompt}"
"""Where a template takes the text that somebody types."""
MOST_SUBJECTS = 8


def sample_subjects() -> str:
    """Four subjects that show what a look does to a person, a thing, a place and lettering.

    In English, as most prompts are. Migrations hold this function's path, so it must not move.
    """
    return "\n".join(
        (
            "A woman reading a newspaper in a café",
            "A red bicycle leaning against a wall",
            "A harbour at dawn, seen from above",
            "A poster that says “Open late”",
        )
    )


class PromptProfile(models.Model):
    """A look that has a name: in the admin, in code, in templates and on the command line."""

    name = models.SlugField(
        _("name"),
        max_length=100,
        unique=True,
        help_text=_("Short and lasting: code and templates use it."),
    )
    description = models.TextField(_("what it is for"), blank=True)
    is_active = models.BooleanField(
        _("in use"), default=True, help_text=_("Nothing new is made with a profile not in use.")
    )
    sample_subjects = models.TextField(
        _("subjects of the sample sheet"),
        blank=True,
        default=sample_subjects,
        help_text=_("One subject on each line, at most 8. Each becomes one picture of the sheet."),
    )
    created_at = models.DateTimeField(_("made"), auto_now_add=True)

    class Meta:
        verbose_name = _("prompt profile")
        verbose_name_plural = _("prompt profiles")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def current(self) -> ProfileVersion | None:
        """The newest version: what new pictures are made with."""
        return self.versions.order_by("-number").first()

    @property
    def subjects(self) -> list[str]:
        """What the sample sheet shows, each subject once."""
        lines = (" ".join(line.split()) for line in self.sample_subjects.splitlines())
        return list(dict.fromkeys(filter(None, lines)))

    def revise(
        self, *, by: Any = None, expected: int | None = None, **values: str
    ) -> ProfileVersion | None:
        """Make the next version with these values; what is not named stays as it is.

        ``None`` where nothing changes. ``by``: the user who did it. ``expected``: the number of
        the version that ``values`` were written for (0: none); ``ValidationError`` (code
        ``outdated``) where there is a newer one by now.
        """
        unknown = sorted(set(values) - set(VALUES))
        if unknown:
            raise TypeError(f"revise() got unexpected arguments: {', '.join(unknown)}")
        with transaction.atomic():
            type(self).objects.select_for_update().get(pk=self.pk)
            before = self.current
            number = before.number if before else 0
            wanted = {name: getattr(before, name, "") for name in VALUES} | values
            if before is not None and all(getattr(before, n) == wanted[n] for n in VALUES):
                return None
            if expected is not None and expected != number:
                raise ValidationError(
                    _("Somebody made version %(number)d of this profile meanwhile."),
                    code="outdated",
                    params={"number": number},
                )
            return ProfileVersion.objects.create(
                profile=self, number=number + 1, created_by=by, **wanted
            )


class ProfileVersion(models.Model):
    """What a profile said at one time. Add the next one instead of changing it."""

    profile = models.ForeignKey(
        PromptProfile, on_delete=models.CASCADE, related_name="versions", verbose_name=_("profile")
    )
    number = models.PositiveIntegerField(_("version"))
    template = models.TextField(
        _("template"),
        blank=True,
        validators=[MaxLengthValidator(MAX_PROMPT)],
        help_text=_(
            "What a record's prompt is made from: {title}, {author.name}. With {prompt} in it, "
            "also what becomes of a prompt that somebody types."
        ),
    )
    prefix = models.TextField(
        _("always before"), blank=True, validators=[MaxLengthValidator(MAX_PROMPT)]
    )
    suffix = models.TextField(
        _("always after"), blank=True, validators=[MaxLengthValidator(MAX_PROMPT)]
    )
    # No choices: these values are the provider's.
    model = models.CharField(_("model"), max_length=100, blank=True)
    style_type = models.CharField(_("style"), max_length=50, blank=True)
    aspect_ratio = models.CharField(_("shape"), max_length=20, blank=True)
    negative_prompt = models.TextField(_("negative prompt"), blank=True)
    style_preset = models.CharField(_("style preset"), max_length=100, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("by"),
    )
    created_at = models.DateTimeField(_("made"), auto_now_add=True)

    class Meta:
        verbose_name = _("version")
        verbose_name_plural = _("versions")
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["profile", "number"], name="ideogram_django_profile_version"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.profile} {self.number}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the version. ``TypeError`` for one that exists: pictures were made with it."""
        if not self._state.adding:
            raise TypeError("A version of a profile never changes; add the next one.")
        super().save(*args, **kwargs)

    @property
    def locked(self) -> dict[str, str]:
        """The parameters that this version fixes."""
        return {name: value for name in LOCKED if (value := getattr(self, name))}

    @property
    def record_template(self) -> str:
        """The template for a record's prompt; empty where the template frames what is typed."""
        return "" if PROMPT in self.template else self.template

    @property
    def frame(self) -> tuple[str, str]:
        """What stands before and after the text in every prompt, with the blanks between."""
        head, found, tail = self.template.partition(PROMPT)
        if not found:
            head = tail = ""
        before = f"{self.prefix} " if self.prefix.strip() else ""
        after = f" {self.suffix}" if self.suffix.strip() else ""
        return before + head, tail + after

    def compose(self, text: str) -> str:
        """The prompt that is sent for ``text``, which somebody typed or a record gave."""
        before, after = self.frame
        return f"{before}{text}{after}"


class SampleSheet(models.Model):
    """One sheet of pictures that shows what a version of a profile looks like."""

    version = models.ForeignKey(
        ProfileVersion, on_delete=models.CASCADE, related_name="sheets", verbose_name=_("version")
    )
    batch = models.UUIDField(_("sheet"), default=uuid.uuid4, unique=True)
    created_at = models.DateTimeField(_("made"), auto_now_add=True)

    class Meta:
        verbose_name = _("sample sheet")
        verbose_name_plural = _("sample sheets")
        ordering = ["-id"]
        # Made by a button of the profile's page, whose permissions count.
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.version)
