"""What a site's own scripts do: catalogues, looks, money, housekeeping."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from django.contrib.auth.models import User
from django.core.files import File
from django.db.models import Sum
from prometheus_client import CollectorRegistry

from ideogram_django import staleness
from ideogram_django.exceptions import (
    AccountError,
    BlockedError,
    DeadlineExceeded,
    IdeogramError,
    InvalidPayloadError,
    InvalidRequest,
    InvalidSignatureError,
    JobNotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PictureError,
    Problem,
    ProviderError,
    RateLimitedError,
    RejectedError,
)
from ideogram_django.metrics import Collector
from ideogram_django.models import (
    Charge,
    EditorPreference,
    GeneratedImage,
    Place,
    ProfileVersion,
    PromptProfile,
    ProviderState,
    Run,
    SampleSheet,
    SpendingLimit,
    SpendingPeriod,
    StoredObject,
)
from ideogram_django.statuses import (
    AT_PROVIDER,
    FINISHED,
    IN_PROGRESS,
    OPEN_ERRORS,
    ChargeState,
    Decision,
    ErrorCode,
    ObjectKind,
    PauseCode,
    Period,
    RunPause,
    RunState,
    Status,
)
from tests.sample_site.models import Product

LASTING = (AccountError, BlockedError, RejectedError, JobNotFoundError)
PASSING = (NotSentError, RateLimitedError, OutcomeUnknownError, DeadlineExceeded)
FOREIGN = (InvalidPayloadError, InvalidSignatureError, PictureError)


def house_style() -> ProfileVersion:
    profile = PromptProfile.objects.create(name="house", description="For the catalogue")
    version = ProfileVersion(
        profile=profile, number=1, suffix="plain background", style_type="REALISTIC"
    )
    version.save()
    assert not SampleSheet.objects.filter(version=version).exists()
    assert profile.revise(suffix="plain background") is None
    assert profile.current == version
    assert version.locked == {"style_type": "REALISTIC"}
    assert version.compose("A kettle") == "A kettle plain background"
    return version


def catalogue(names: Iterable[str], buyer: User) -> Run:
    """A run over the whole catalogue, within a ceiling."""
    run = Run.objects.prepare(
        [{"prompt": name} for name in names],
        name="Catalogue",
        requested_by=buyer,
        ceiling=Decimal("10"),
        profile="house",
    )
    run.start()
    run.halt()
    run.limit_to(Decimal("5"))
    run.resume()
    return run


def outcome(run: Run) -> str:
    report = run.report()
    if not run.is_over and report.in_progress:
        return f"{report.percent} %, {run.pictures.in_progress().count()} in progress"
    if report.failed:
        again = run.try_failures_again()
        again.stop()
        return f"{again.get_state_display()}; {RunState.STOPPED}, {RunPause.CEILING}"
    if any(image.attached_at is None and image.target_id for image in run.pictures):
        return str(Decision.OPEN.label)
    return f"{report.completed} of {report.count} for {report.committed} {run.currency}"


def running(buyer: User) -> int:
    return Run.objects.viewable_by(buyer).running().count()


def second_thoughts(buyer: User) -> None:
    Run.objects.prepare([{"prompt": "A mistake"}], name="Never", requested_by=buyer).discard()


def brought_up_to_date(buyer: User) -> str:
    """Products whose picture shows what they were called before."""
    staleness.bring(list(Product.objects.all()), "photo")
    found: list[Product] = staleness.stale_records(Product.objects.order_by("pk"), "photo")
    amount, currency = staleness.price_of(found, "photo")
    if not found:
        return "Nothing to do."
    first, *others = found
    assert staleness.is_stale(first, "photo")
    told = f"{staleness.changes(first, 'photo')}: {amount:.2f} {currency}"
    staleness.refresh(first, "photo", requested_by=buyer)
    staleness.refresh_all(others, "photo", requested_by=buyer)
    return told


def by_hand(product: Product) -> GeneratedImage:
    return GeneratedImage.objects.generate(
        f"{product.name}, from below", **staleness.made_from(product, "photo")
    )


def allow(buyer: User) -> None:
    SpendingLimit.objects.create(amount=Decimal("100"), period=Period.MONTH)
    SpendingLimit.objects.create(user=buyer, amount=Decimal("5"), period=Period.DAY)


def spent() -> Decimal:
    settled = Charge.objects.filter(state=ChargeState.SETTLED)
    total: Decimal | None = settled.aggregate(total=Sum("charged"))["total"]
    committed = SpendingPeriod.objects.aggregate(total=Sum("committed"))["total"]
    assert committed is None or total is None or committed >= 0
    return total or Decimal(0)


def standing() -> str:
    state = ProviderState.load()
    return state.pause_message if state.is_paused else str(PauseCode.FORBIDDEN.label)


def take_in(path: Path, buyer: User) -> GeneratedImage:
    with path.open("rb") as file:
        image = GeneratedImage.objects.from_upload(File(file), requested_by=buyer, alt_text="Own")
    Place.objects.create(key="banner", name="Banner", image=image)
    EditorPreference.objects.create(user=buyer, gallery_look="list")
    return image


def counts() -> dict[str, int]:
    pictures = GeneratedImage.objects
    return {
        "drafts": pictures.drafts().count(),
        "completed": pictures.completed().count(),
        "failed": pictures.failed().filter(error_code__in=OPEN_ERRORS).count(),
        "in progress": pictures.in_progress().filter(status__in=AT_PROVIDER).count(),
        "used": pictures.used().count(),
        "unused": pictures.unused().filter(status__in=FINISHED).count(),
        "shown": len(pictures.for_display()),
        "files": StoredObject.objects.filter(kind=ObjectKind.ORIGINAL).count(),
        "refused": pictures.failed().filter(error_code=ErrorCode.REFUSED).count(),
        "moving": pictures.filter(status__in=IN_PROGRESS).exclude(status=Status.DRAFT).count(),
        "products": Product.objects.count(),
    }


def patiently(names: Iterable[str]) -> list[GeneratedImage]:
    """For a script: stay until all are there."""
    images = GeneratedImage.objects.generate_many([{"prompt": name} for name in names])
    return [image.wait(timeout=60) for image in images]


def told(error: IdeogramError) -> str:
    if isinstance(error, InvalidRequest):
        problems: list[Problem] = [one for found in error.problems.values() for one in found]
        return "; ".join(str(problem) for problem in problems)
    if isinstance(error, ProviderError) and isinstance(error, LASTING):
        return f"{error.status_code}: {error.detail}"
    return "later" if isinstance(error, PASSING) else type(error).__name__


def figures() -> CollectorRegistry:
    """What the shop's own monitoring asks for, with the pictures in it."""
    registry = CollectorRegistry()
    registry.register(Collector())
    return registry
