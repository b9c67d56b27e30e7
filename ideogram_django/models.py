"""The picture and its family."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Collection
from pathlib import PurePosixPath
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.conf import settings as django_settings
from django.core.files.storage import storages
from django.core.files.utils import validate_file_name
from django.db import models, transaction
from django.db.models.signals import post_init, pre_init
from django.utils.deconstruct import deconstructible
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf, hooks, lifecycle, loading
from ideogram_django.budget.amounts import plain
from ideogram_django.budget.models import MONEY, Charge, SpendingLimit, SpendingPeriod
from ideogram_django.pictures.formats import AVIF, WEBP
from ideogram_django.profiles.models import ProfileVersion, PromptProfile, SampleSheet
from ideogram_django.querysets import GeneratedImageQuerySet
from ideogram_django.runs.models import Run
from ideogram_django.statuses import (
    FINISHED,
    IN_PROGRESS,
    OWN_WORK,
    SENTENCES,
    ErrorCode,
    ObjectKind,
    PauseCode,
    Status,
)

__all__ = [
    "Charge",
    "EditorPreference",
    "GeneratedImage",
    "PictureStorage",
    "Place",
    "ProfileVersion",
    "PromptProfile",
    "ProviderState",
    "Run",
    "SampleSheet",
    "SpendingLimit",
    "SpendingPeriod",
    "StoredObject",
    "picture_path",
]

logger = logging.getLogger(__name__)


@deconstructible(path="ideogram_django.models.PictureStorage")
class PictureStorage:
    """The storage that ``STORAGE`` names, looked up at each use.

    A callable given to ``FileField(storage=…)`` runs at import, where a missing alias raises
    before any system check can explain it, and a ``LazyObject`` is unwrapped by the migration
    writer, which would put the site's setting into the migration. Hence a plain delegate.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copying and pickling ask before there is any setting
            raise AttributeError(name)
        return getattr(storages[conf.current().STORAGE], name)


picture_storage = PictureStorage()

LONGEST_NAME = 200
"""Of a file in the storage; the names of its smaller widths are longer than its own."""


def picture_path(instance: object, filename: str) -> str:
    """A name that nothing else has: from the site's hooks, by default below ``UPLOAD_TO``.

    Migrations hold this function's path, so it must not move.
    """
    image = cast("GeneratedImage", instance)
    chosen = hooks.current()
    if type(chosen).file_name is not hooks.Hooks.file_name:
        try:
            return _own_name(chosen.file_name(image, filename), filename)
        except Exception:  # the picture is paid for, and a site's code may raise anything
            logger.exception("The hook gave no usable file name for %s", image.uuid)
    return hooks.Hooks.file_name(chosen, image, filename)


def _own_name(name: str, filename: str) -> str:
    """A site's name with a random part and the right ending. ``ValueError``, if it is no path."""
    suffix = PurePosixPath(filename).suffix.lower()
    path = PurePosixPath(name.strip())
    validate_file_name(path, allow_relative_path=True)
    stem = path.stem if path.suffix.lower() == suffix else path.name
    unique = str(path.with_name(f"{stem}-{uuid.uuid4().hex[:12]}{suffix}"))
    if len(unique) > LONGEST_NAME:
        raise ValueError(f"{unique!r} is longer than {LONGEST_NAME} characters")
    return unique


class GeneratedImage(models.Model):
    """A picture that is wanted, being made, or there."""

    Status = Status

    uuid = models.UUIDField(_("public id"), default=uuid.uuid4, unique=True, editable=False)
    request_id = models.UUIDField(null=True, blank=True, editable=False)
    request_number = models.PositiveIntegerField(default=0, editable=False)
    batch = models.UUIDField(_("sheet"), null=True, blank=True, editable=False, db_index=True)
    run: models.ForeignKey[Run | None, Run | None] = models.ForeignKey(
        Run,
        db_index=False,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="images",
        verbose_name=_("bulk run"),
    )
    bulk = models.BooleanField(_("bulk"), default=False, editable=False)
    priority = models.SmallIntegerField(_("priority"), default=0, editable=False)
    picked = models.BooleanField(_("picked"), default=False)
    parent: models.ForeignKey[GeneratedImage | None, GeneratedImage | None] = models.ForeignKey(
        "self",
        db_index=False,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="children",
        verbose_name=_("made from"),
    )
    replaces: models.ForeignKey[GeneratedImage | None, GeneratedImage | None] = models.ForeignKey(
        "self",
        db_index=False,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="replacements",
        verbose_name=_("replaces"),
    )
    requested_by = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("requested by"),
    )

    prompt = models.TextField(_("prompt"), help_text=_("The text sent to the provider."))
    typed_prompt = models.TextField(_("typed prompt"), blank=True)
    profile = models.CharField(_("prompt profile"), max_length=100, blank=True)
    profile_version = models.PositiveIntegerField(null=True, blank=True)
    source_fingerprint = models.CharField(max_length=64, blank=True, editable=False)
    source_digests = models.JSONField(default=dict, blank=True, editable=False)

    # No choices here: these values are the provider's, and each new one would be a migration
    # in every project.
    model = models.CharField(_("model"), max_length=100)
    style_type = models.CharField(_("style"), max_length=50, blank=True)
    magic_prompt_option = models.CharField(_("magic prompt"), max_length=20, blank=True)
    negative_prompt = models.TextField(_("negative prompt"), blank=True)
    rendering_speed = models.CharField(_("rendering speed"), max_length=20, blank=True)
    seed = models.BigIntegerField(_("seed"), null=True, blank=True)
    aspect_ratio = models.CharField(_("shape"), max_length=20, blank=True)
    resolution = models.CharField(_("resolution"), max_length=20, blank=True)
    reference_image = models.TextField(_("reference picture"), blank=True)
    style_reference_images = models.JSONField(_("style references"), default=list, blank=True)
    style_preset = models.CharField(_("style preset"), max_length=100, blank=True)

    status = models.CharField(
        _("status"), max_length=12, choices=Status, default=Status.DRAFT, editable=False
    )
    progress = models.PositiveSmallIntegerField(_("progress"), null=True, blank=True)
    error_code = models.CharField(_("error"), max_length=40, blank=True)
    error_detail = models.TextField(_("what the provider said"), blank=True)
    uploaded = models.BooleanField(_("own work"), default=False, editable=False)
    adopted = models.BooleanField(_("taken over"), default=False, editable=False)

    charge = models.OneToOneField(
        Charge,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("charge"),
    )
    attempt = models.PositiveSmallIntegerField(default=0, editable=False)
    job_id = models.CharField(
        _("job"), max_length=64, null=True, blank=True, unique=True, editable=False
    )
    job_hint = models.CharField(max_length=64, blank=True, editable=False)
    result_url = models.TextField(blank=True, editable=False)
    charged_credits = models.PositiveIntegerField(null=True, blank=True, editable=False)
    price = models.DecimalField(_("expected price"), null=True, blank=True, **MONEY)
    cost = models.DecimalField(_("charged"), null=True, blank=True, **MONEY)
    currency = models.CharField(_("currency"), max_length=3, blank=True)

    file = models.FileField(
        _("file"),
        upload_to=picture_path,
        storage=cast(Any, picture_storage),
        max_length=255,
        blank=True,
    )
    width = models.PositiveIntegerField(_("width"), null=True, blank=True)
    height = models.PositiveIntegerField(_("height"), null=True, blank=True)
    format = models.CharField(_("format"), max_length=10, blank=True)
    size = models.PositiveBigIntegerField(_("size in bytes"), null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True, editable=False)
    renditions = models.JSONField(default=list, blank=True, editable=False)
    color = models.CharField(_("main colour"), max_length=7, blank=True, editable=False)
    alt_text = models.CharField(
        _("alternative text"),
        max_length=1000,
        blank=True,
        help_text=_("What the picture tells people who cannot see it."),
    )
    decorative = models.BooleanField(
        _("decorative"), default=False, help_text=_("Tells nothing that the text does not.")
    )

    created_at = models.DateTimeField(_("made"), auto_now_add=True)
    submitted_at = models.DateTimeField(_("sent"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    next_check_at = models.DateTimeField(null=True, blank=True, editable=False)
    checks = models.PositiveIntegerField(default=0, editable=False)
    not_found = models.PositiveSmallIntegerField(default=0, editable=False)
    claim = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)

    target_type = models.ForeignKey(
        "contenttypes.ContentType",
        db_index=False,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    target_id = models.CharField(max_length=64, blank=True, editable=False)
    target_field = models.CharField(max_length=100, blank=True, editable=False)
    target_before = models.CharField(max_length=255, blank=True, editable=False)
    attached_at = models.DateTimeField(null=True, blank=True, editable=False)
    rejected_at = models.DateTimeField(null=True, blank=True, editable=False)
    extra = models.JSONField(
        default=dict, blank=True, editable=False, help_text=_("For the site's own data.")
    )

    objects = GeneratedImageQuerySet.as_manager()

    class Meta:
        verbose_name = _("picture")
        verbose_name_plural = _("pictures")
        ordering = ["-id"]
        permissions = [("generate_generatedimage", _("Can spend money on pictures"))]
        constraints = [
            models.UniqueConstraint(
                fields=["request_id", "request_number"],
                condition=models.Q(request_id__isnull=False),
                name="ideogram_django_one_per_request",
            ),
            models.CheckConstraint(
                condition=models.Q(status=Status.DRAFT)
                | models.Q(uploaded=True)
                | models.Q(adopted=True)
                | models.Q(charge__isnull=False),
                name="ideogram_django_charged_after_draft",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=Status.values), name="ideogram_django_status"
            ),
        ]
        indexes = [
            models.Index(fields=["status", "id"], name="ideogram_django_by_status"),
            # What a drain asks for. Its size follows the work that is waiting, not the rows.
            models.Index(
                fields=["status", "next_check_at"],
                condition=models.Q(next_check_at__isnull=False),
                name="ideogram_django_due",
            ),
            models.Index(
                fields=["run", "status"],
                condition=models.Q(run__isnull=False),
                name="ideogram_django_of_run",
            ),
            # How many pictures were made with each version of a profile, and which.
            models.Index(
                fields=["profile", "profile_version"],
                condition=~models.Q(profile=""),
                name="ideogram_django_of_profile",
            ),
            models.Index(
                fields=["claim"],
                condition=models.Q(claim__isnull=False),
                name="ideogram_django_claimed",
            ),
            # What the gallery is filtered by where few pictures may match, in its order. Where many
            # do, it finds a page of them by going back from the newest.
            models.Index(fields=["model", "id"], name="ideogram_django_by_model"),
            models.Index(fields=["created_at", "id"], name="ideogram_django_by_time"),
            models.Index(
                fields=["id"], condition=models.Q(picked=True), name="ideogram_django_picked"
            ),
            models.Index(
                fields=["status", "id"],
                condition=models.Q(status=Status.COMPLETED, alt_text="", decorative=False),
                name="ideogram_django_no_alt",
            ),
            models.Index(
                fields=["error_code", "id"],
                condition=~models.Q(error_code=""),
                name="ideogram_django_by_error",
            ),
            # Whether the very same file is here already.
            models.Index(
                fields=["sha256", "status"],
                condition=~models.Q(sha256=""),
                name="ideogram_django_by_hash",
            ),
            # Foreign keys that most pictures do not have: a large order writes nothing here.
            *(
                models.Index(
                    fields=[name],
                    condition=models.Q(**{f"{name}__isnull": False}),
                    name=f"ideogram_django_of_{name}",
                )
                for name in ("parent", "replaces", "target_type")
            ),
        ]

    def __str__(self) -> str:
        text = self.alt_text or self.prompt or str(_("Uploaded picture"))
        return text if len(text) <= 60 else f"{text[:59]}…"

    @classmethod
    def from_db(
        cls, db: str | None, field_names: Collection[str], values: Collection[Any], **state: Any
    ) -> Any:
        """As Django, by the short way where nobody listens or has a class of their own."""
        if (
            cls.__init__ is not models.Model.__init__
            or cls._meta.concrete_model is not GeneratedImage
            or (pre_init.receivers and pre_init.has_listeners(cls))
            or (post_init.receivers and post_init.has_listeners(cls))
        ):
            return super().from_db(db, field_names, values, **state)
        image = loading.loaded(cls, db, field_names, values)
        for name, value in state.items():  # Django 6.1: how to fetch what is missing
            if value is not None:
                setattr(image._state, name, value)
        return image

    # --- what a template or an API asks ---------------------------------------------------------

    @property
    def is_finished(self) -> bool:
        """Nothing more happens to it by itself."""
        return self.status in FINISHED

    @property
    def is_in_progress(self) -> bool:
        return self.status in IN_PROGRESS

    def get_status_display(self) -> str:  # type: ignore[no-redef]  # the stubs declare it too
        """The status in a word. Django's own would translate all nine of them each time."""
        try:
            return str(Status(self.status).label)
        except ValueError:
            return self.status

    @property
    def has_file(self) -> bool:
        """It is finished and there is something to show."""
        return self.status == Status.COMPLETED and bool(self.file_name)

    @property
    def file_name(self) -> str:
        """In the storage; without the object that Django makes around it at the first touch."""
        return str(vars(self).get("file") or self.file)

    @property
    def url(self) -> str:
        """Address of the original file, or an empty string while there is none."""
        return self.file.url if self.file else ""

    @property
    def thumbnail_url(self) -> str:
        """Address of the smallest stored width, or of the original where there is none.

        In WebP where there is a choice, which no browser in use refuses.
        """
        smaller = [one for one in self.renditions if one["width"] < (self.width or 0)]
        if not smaller:
            return self.url
        smallest = min(smaller, key=lambda one: (one.get("format") == AVIF, one["width"]))
        return str(picture_storage.url(smallest["name"]))

    @property
    def error_message(self) -> str:
        """A sentence that an editor understands, in the reader's language; empty if none."""
        if not self.error_code:
            return ""
        if self.error_code in ErrorCode.values:
            return str(ErrorCode(self.error_code).label)
        return self.error_detail

    @property
    def parameters(self) -> dict[str, Any]:
        """What was asked of the provider beside prompt and model; only what was set."""
        return {
            name: value
            for name in lifecycle.PARAMETERS
            if (value := getattr(self, name)) not in ("", None, [])
        }

    @property
    def sentence(self) -> str:
        """The state as a sentence, in the reader's language; for a failure, why."""
        if self.uploaded:
            return str(OWN_WORK)
        return self.error_message or str(SENTENCES.get(self.status, ""))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for an API: no secrets, no provider's address, no internal keys.

        The keys are promised: they are only ever added to. Amounts are texts, times ISO 8601. For
        a list fetch the pictures with ``select_related("parent", "run")``.
        """
        return {
            "uuid": str(self.uuid),
            "status": str(self.status),
            "label": str(self.get_status_display()),
            "sentence": self.sentence,
            "is_finished": self.is_finished,
            "progress": self.progress,
            "prompt": self.prompt,
            "typed_prompt": self.typed_prompt,
            "profile": self.profile,
            "profile_version": self.profile_version,
            "model": self.model,
            "parameters": self.parameters,
            "uploaded": self.uploaded,
            "picked": self.picked,
            "parent": str(self.parent.uuid) if self.parent else None,
            "batch": str(self.batch) if self.batch else None,
            "run": str(self.run.uuid) if self.run else None,
            "url": self.url,
            "width": self.width,
            "height": self.height,
            "format": self.format,
            "renditions": [
                {
                    "url": str(picture_storage.url(one["name"])),
                    "width": one["width"],
                    "height": one["height"],
                    "format": one.get("format", WEBP),
                }
                for one in self.renditions
            ],
            "color": self.color,
            "alt_text": self.alt_text,
            "decorative": self.decorative,
            "price": plain(self.price),
            "cost": plain(self.cost),
            "currency": self.currency,
            "error_code": self.error_code,
            "error_message": self.error_message,
            "created_at": self.created_at.isoformat() if self.created_at else None,
            "finished_at": self.finished_at.isoformat() if self.finished_at else None,
        }

    # --- what one can do with it ----------------------------------------------------------------

    def generate(self, *, requested_by: Any = None) -> None:
        """Draft → pending: reserve the price and have it made."""
        lifecycle.start(self, requested_by=requested_by)

    def retry(self, *, confirm_charge: bool = False, requested_by: Any = None) -> None:
        """Try a failed or cancelled picture again; free where its job is finished.

        Raises :class:`~django.core.exceptions.ValidationError` with code ``confirm_charge`` where
        the earlier attempt may have cost something and ``confirm_charge`` is not given.
        """
        lifecycle.retry(self, confirm_charge=confirm_charge, requested_by=requested_by)

    def cancel(self) -> None:
        """Pending → cancelled; the reservation is given back. ``ValidationError`` once sent."""
        lifecycle.cancel(self)

    def refresh(self) -> None:
        """Ask the provider again, soon; the answer arrives like any other."""
        lifecycle.refresh(self)

    def variations(self, count: int = 4, **options: Any) -> list[GeneratedImage]:
        """``count`` new pictures from the same request, linked by ``parent``."""
        return lifecycle.variations(self, count, **options)

    def rerender(self, *, model: str, **options: Any) -> GeneratedImage:
        """The same request on another model: a better picture, not the same pixels."""
        return lifecycle.rerender(self, model=model, **options)

    def wait(self, timeout: float = 60, *, interval: float = 0.2) -> GeneratedImage:
        """Block until finished; for scripts and tests, never for a request.

        Raises :class:`TimeoutError` after ``timeout`` seconds, and
        :class:`~django.db.transaction.TransactionManagementError` inside ``atomic()``, where the
        wake-up would never go out and another process's answer might never be seen.
        """
        self._refuse_to_wait_in_a_transaction()
        deadline = time.monotonic() + timeout
        while not self._has_finished():
            if time.monotonic() >= deadline:
                raise TimeoutError(f"Picture {self.uuid} is still {self.status}.")
            time.sleep(interval)
        return self

    def _refuse_to_wait_in_a_transaction(self) -> None:
        if transaction.get_connection(self._state.db).in_atomic_block:
            raise transaction.TransactionManagementError(
                "wait() inside atomic() would never end: the picture is sent after the commit."
            )

    def _has_finished(self) -> bool:
        self.refresh_from_db()
        return self.is_finished

    # --- the same from asynchronous code --------------------------------------------------------

    async def agenerate(self, *, requested_by: Any = None) -> None:
        await sync_to_async(self.generate)(requested_by=requested_by)

    async def aretry(self, *, confirm_charge: bool = False, requested_by: Any = None) -> None:
        await sync_to_async(self.retry)(confirm_charge=confirm_charge, requested_by=requested_by)

    async def acancel(self) -> None:
        await sync_to_async(self.cancel)()

    async def arefresh(self) -> None:
        await sync_to_async(self.refresh)()

    async def avariations(self, count: int = 4, **options: Any) -> list[GeneratedImage]:
        return await sync_to_async(self.variations)(count, **options)

    async def arerender(self, *, model: str, **options: Any) -> GeneratedImage:
        return await sync_to_async(self.rerender)(model=model, **options)

    async def await_finished(self, timeout: float = 60, *, interval: float = 0.2) -> GeneratedImage:
        """As :meth:`wait`, while the event loop goes on with other work."""
        await sync_to_async(self._refuse_to_wait_in_a_transaction)()
        deadline = time.monotonic() + timeout
        while not await sync_to_async(self._has_finished)():
            if time.monotonic() >= deadline:
                raise TimeoutError(f"Picture {self.uuid} is still {self.status}.")
            await asyncio.sleep(interval)
        return self


class StoredObject(models.Model):
    """One object that we wrote, or are about to write, to a storage.

    Noted before writing, linked when its picture's row commits, marked gone on deletion. Only
    names that stand here are ever deleted by a machine.
    """

    image = models.ForeignKey(
        GeneratedImage,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="objects_stored",
        verbose_name=_("picture"),
    )
    name = models.CharField(_("name"), max_length=255)
    storage = models.CharField(_("storage"), max_length=100)
    kind = models.CharField(_("kind"), max_length=10, choices=ObjectKind)
    width = models.PositiveIntegerField(_("width"), null=True, blank=True)
    claim = models.UUIDField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("noted"), auto_now_add=True)
    linked_at = models.DateTimeField(_("linked"), null=True, blank=True)
    deleted_at = models.DateTimeField(_("gone"), null=True, blank=True)
    removals = models.PositiveIntegerField(_("vain tries to delete"), default=0)

    class Meta:
        verbose_name = _("stored object")
        verbose_name_plural = _("stored objects")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["storage", "name"], name="ideogram_django_object_name"),
        ]
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=models.Q(linked_at__isnull=True, deleted_at__isnull=True),
                name="ideogram_django_unlinked",
            ),
            models.Index(
                fields=["id"],
                condition=models.Q(image__isnull=True, deleted_at__isnull=True),
                name="ideogram_django_orphaned",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Place(models.Model):
    """A fixed place on the site's pages, and the picture that hangs there now.

    Templates ask for it by ``key``. Rows are made by people alone: rendering a page never writes.
    A place that changes its look, with the season for example, has one row for each profile.
    """

    key = models.SlugField(
        _("key"),
        max_length=100,
        help_text=_(
            "The word by which a page asks for the picture of this place. Whoever builds your "
            "pages knows it."
        ),
    )
    name = models.CharField(
        _("name"),
        max_length=100,
        help_text=_("What you call this place, such as “Top of the home page”."),
    )
    profile = models.ForeignKey(
        PromptProfile,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("prompt profile"),
        help_text=_(
            "New pictures for this place are made with it. Save once to see what it adds to the "
            "prompt. Pages can ask for a place in one of several profiles."
        ),
    )
    image = models.ForeignKey(
        GeneratedImage,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("picture"),
    )

    class Meta:
        verbose_name = _("fixed place")
        verbose_name_plural = _("fixed places")
        ordering = ["name", "key"]
        constraints = [
            models.UniqueConstraint(
                fields=["key", "profile"],
                name="ideogram_django_place_profile",
                violation_error_message=_(
                    "There is a place with this key and this prompt profile already."
                ),
            ),
            models.UniqueConstraint(
                fields=["key"],
                condition=models.Q(profile__isnull=True),
                name="ideogram_django_place_plain",
                violation_error_message=_("There is a place with this key already."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ProviderState(models.Model):
    """One row: how things stand with the provider, for all processes of this site."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    # No choices: the labels are sentences, and each better wording would be a migration.
    pause_code = models.CharField(_("paused"), max_length=30, blank=True)
    stopped = models.BooleanField(_("stopped by an administrator"), default=False)
    pause_detail = models.TextField(_("what the provider said"), blank=True)
    paused_at = models.DateTimeField(_("paused since"), null=True, blank=True)
    probe_after = models.DateTimeField(null=True, blank=True, editable=False)
    not_before = models.DateTimeField(_("nothing is sent before"), null=True, blank=True)
    blocks = models.PositiveSmallIntegerField(default=0, editable=False)
    rate_until = models.DateTimeField(null=True, blank=True, editable=False)
    balance = models.PositiveIntegerField(_("credits left"), null=True, blank=True)
    balance_at = models.DateTimeField(_("balance read"), null=True, blank=True)
    last_sync = models.DateTimeField(_("last sync"), null=True, blank=True)
    last_drain = models.DateTimeField(_("last drain"), null=True, blank=True)

    class Meta:
        verbose_name = _("provider state")
        verbose_name_plural = _("provider state")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(id=1), name="ideogram_django_one_provider_state"
            ),
        ]

    def __str__(self) -> str:
        return self.pause_message or str(_("Running"))

    @classmethod
    def load(cls) -> ProviderState:
        """The row; made on first use."""
        return cls.objects.get_or_create(id=1)[0]

    @property
    def is_paused(self) -> bool:
        return self.stopped or bool(self.pause_code)

    @property
    def pause_message(self) -> str:
        """Why nothing is sent and what to do about it; empty while sending goes on."""
        if self.pause_code in PauseCode.values:
            return str(PauseCode(self.pause_code).label)
        return str(_("An administrator paused the making of pictures.")) if self.stopped else ""


class EditorPreference(models.Model):
    """How one person likes the pictures' pages. Gone with the person."""

    user = models.OneToOneField(
        django_settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("user"),
    )
    # No choices: another look is no reason for a migration in every project.
    gallery_look = models.CharField(_("look of the gallery"), max_length=10, blank=True)

    class Meta:
        verbose_name = _("editor’s preference")
        verbose_name_plural = _("editors’ preferences")
        # Nobody is given the right to change it: it is pressed, in the gallery, by its owner.
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.user)
