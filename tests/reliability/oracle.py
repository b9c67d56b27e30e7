"""One judge for all tests of this folder: what must hold whatever was killed."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections import Counter
from decimal import Decimal
from typing import Any

from django.db import connection
from PIL import Image
from redis import Redis, RedisError

from ideogram_django.models import Charge, GeneratedImage, SpendingPeriod, StoredObject
from ideogram_django.simulator import Simulator
from ideogram_django.statuses import ChargeState, ErrorCode, ObjectKind, Status
from tests.site import Site


def check(twin: Simulator, site: Site) -> None:
    """Fail with everything that is wrong. Call once nothing is left to do."""
    found = problems(twin, site)
    assert not found, "\n".join([*found, site.describe()[:6000]])


def problems(twin: Simulator, site: Site) -> list[str]:
    return [
        *pictures(),
        *money(twin),
        *storage(site),
        *secrets(site),
    ]


def pictures() -> list[str]:
    """Every picture is in one honest final state, and nobody holds it."""
    found = []
    for image in GeneratedImage.objects.exclude(status=Status.DRAFT):
        name = f"Picture {image.pk} ({image.prompt[:40]!r}, {image.status})"
        if not image.is_finished or image.next_check_at or image.claim or image.lease_until:
            found.append(f"{name} is not at an end")
        if (image.status == Status.FAILED) != bool(image.error_code):
            found.append(f"{name} has the error {image.error_code!r}")
        if (image.status == Status.COMPLETED) != bool(image.file):
            found.append(f"{name} has the file {image.file.name!r}")
        if image.uploaded:
            continue
        if not _is_booked(image):
            found.append(f"{name} costs {image.cost}, its charge says {image.charge}")
    return found


def _is_booked(image: GeneratedImage) -> bool:
    """Its charge is closed, at what the picture says that it cost."""
    charge = image.charge
    if charge is None or charge.state == ChargeState.RESERVED:
        return False
    return image.cost == charge.charged or image.status == Status.CANCELLED or unsent(image)


def unsent(image: GeneratedImage) -> bool:
    """The provider refused it: it never cost anything."""
    return image.error_code in (ErrorCode.REJECTED, ErrorCode.REFERENCE_FAILED)


def money(twin: Simulator) -> list[str]:
    """The provider's ledger and ours tell the same story, entry by entry and to the cent."""
    found = []
    taken = {entry.job_id: entry for entry in twin.ledger}
    ours = {charge.job_id: charge for charge in Charge.objects.exclude(job_id__isnull=True)}
    for job_id in taken.keys() - ours.keys():
        found.append(f"The provider charged job {job_id}, which no charge of ours names")
    for job_id in ours.keys() - taken.keys():
        found.append(f"A charge names job {job_id}, which the provider does not know")
    for job_id in ours.keys() & taken.keys():
        charge, entry = ours[job_id], taken[job_id]
        credits = 0 if entry.refunded else entry.credits
        if (charge.charged_credits, charge.charged) != (credits, credits * charge.credit_price):
            found.append(
                f"Job {job_id} cost {credits} credits; we booked {charge.charged_credits}, "
                f"{charge.charged} {charge.currency} ({charge.state})"
            )
    for charge in Charge.objects.filter(job_id__isnull=True).exclude(state=ChargeState.RELEASED):
        found.append(f"Charge {charge.pk} is {charge.state} and names no job")
    for charge in Charge.objects.exclude(other_job_ids=[]):
        found.append(f"Charge {charge.pk} has more than one job: {charge.other_job_ids}")
    spent = sum(0 if entry.refunded else entry.credits for entry in twin.ledger)
    booked = sum(c.charged or Decimal(0) for c in Charge.objects.all())
    if booked != spent * Decimal("0.01"):
        found.append(f"The provider took {spent} credits in all, we booked {booked}")
    return found + limits()


def limits() -> list[str]:
    """What a period has committed is what its charges hold."""
    held: Counter[int] = Counter()
    amounts: dict[int, Decimal] = {}
    for charge in Charge.objects.all():
        amount = charge.expected if charge.state == ChargeState.RESERVED else charge.charged
        for period in charge.periods:
            held[period] += 1
            amounts[period] = amounts.get(period, Decimal(0)) + (amount or 0)
    return [
        f"Period {period} has {period.committed} committed; its {held[period.pk]} charges hold "
        f"{amounts.get(period.pk, Decimal(0))}"
        for period in SpendingPeriod.objects.all()
        if period.committed != amounts.get(period.pk, Decimal(0))
    ]


def storage(site: Site) -> list[str]:
    """Every object is named by a row, every row's object is whole, nothing else lies about."""
    found = []
    there = site.files()
    noted = list(StoredObject.objects.filter(deleted_at__isnull=True))
    names = [one.name for one in noted]
    for name in sorted(there - set(names)):
        found.append(f"{name} lies in the storage and no row names it")
    for name in sorted(set(names) - there):
        found.append(f"{name} is named by a row and not in the storage")
    for one in noted:
        if one.linked_at is None or one.image_id is None:
            found.append(f"{one.name} was noted and never linked")
    counts = Counter((one.image_id, one.kind, one.width) for one in noted)
    found += [f"{count} objects of one kind: {key}" for key, count in counts.items() if count > 1]
    for image in GeneratedImage.objects.completed():
        found += _whole(site, image, {one.name for one in noted if one.image_id == image.pk})
    return found


def _whole(site: Site, image: GeneratedImage, names: set[str]) -> list[str]:
    named = {image.file.name, *(one["name"] for one in image.renditions)}
    if named != names:
        return [f"Picture {image.pk} shows {sorted(named)}; its objects are {sorted(names)}"]
    if not named <= site.files():
        return [f"Picture {image.pk} has lost a file"]
    content = (site.media / str(image.file.name)).read_bytes()
    if (len(content), hashlib.sha256(content).hexdigest()) != (image.size, image.sha256):
        return [f"Picture {image.pk}: its file is not the one that was checked"]
    found = []
    with Image.open(io.BytesIO(content)) as picture:
        if picture.size != (image.width, image.height):
            found.append(f"Picture {image.pk} is {picture.size} large")
    for one in image.renditions:
        with Image.open(site.media / one["name"]) as picture:
            picture.load()
            if picture.size != (one["width"], one["height"]):
                found.append(f"Picture {image.pk}: its width {one['width']} is {picture.size}")
    if image.renditions and len(image.renditions) != sum(
        1
        for one in StoredObject.objects.filter(image=image, kind=ObjectKind.WIDTH)
        if one.deleted_at is None
    ):
        found.append(f"Picture {image.pk} has widths that it does not name")
    return found


def secrets(site: Site) -> list[str]:
    """The API key is in no row, not in Redis, not in a log."""
    key = str(site.ideogram["API_KEY"]).encode()
    return [f"The API key stands in {place}" for place, text in _texts(site) if key in text]


def _texts(site: Site) -> Any:
    for log in site.folder.glob("*.log"):
        yield f"the log {log.name}", log.read_bytes()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608
            yield f"the table {table}", repr(cursor.fetchall()).encode()
    try:
        with Redis.from_url(site.redis_url, socket_timeout=2) as server:
            for key in server.scan_iter():
                yield f"Redis under {key!r}", _redis_value(server, key)
    except (RedisError, OSError):
        return  # it is down, which is what that test is about


def _redis_value(server: Any, key: bytes) -> bytes:
    match server.type(key):
        case b"string":
            parts = [server.get(key) or b""]
        case b"hash":
            parts = [part for pair in server.hgetall(key).items() for part in pair]
        case b"list":
            parts = server.lrange(key, 0, -1)
        case b"set":
            parts = list(server.smembers(key))
        case b"zset":
            parts = server.zrange(key, 0, -1)
        case b"stream":
            parts = [repr(server.xrange(key)).encode()]
        case b"none":  # gone since it was listed
            parts = []
        case kind:
            raise AssertionError(f"The oracle cannot read {kind!r}")
    return key + b"\n" + b"\n".join(part + b"\n" + _unpacked(part) for part in parts)


def _unpacked(value: bytes) -> bytes:
    try:
        return zlib.decompress(value)
    except zlib.error:
        return b""
