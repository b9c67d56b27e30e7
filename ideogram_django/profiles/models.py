"""A profile and its versions. A version never changes: pictures remember its number."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.validators import MaxLengthValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from ideogram_django.apiframe.catalogue import MAX_PROMPT

LOCKED = ("model", "style_type", "aspect_ratio", "negative_prompt", "style_preset")
"""What a version can fix, beside the words before and after. Empty: free."""
WORDS = ("template", "prefix", "suffix")


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

    def compose(self, text: str) -> str:
        """The prompt that is sent for ``text``, which somebody typed or a record gave."""
        whole = self.template.replace("{prompt}", text) if "{prompt}" in self.template else text
        return " ".join(part for part in (self.prefix, whole, self.suffix) if part.strip())
