"""The CDN: pictures drawn when first asked for, and the files that are not what they seem."""

import struct
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator

from ideogram_django.simulator.answers import Answer, refusal
from ideogram_django.simulator.drawing import draw_png
from ideogram_django.simulator.faults import Mischief
from ideogram_django.simulator.gate import Gate
from ideogram_django.simulator.jobs import Job

_PRIVATE_ADDRESS = "http://169.254.169.254/latest/meta-data/"
_BOMB_SIDE = 20_000
_HUGE = 1 << 30
# Seconds between the bytes of a dripping file.
_DRIP_PAUSE = 0.2
_HTML = b"<!doctype html><title>Not a picture</title><script>alert(document.domain)</script>\n"


class Gallery:
    """Answers `GET /images/<jobId>-1.png`. Thread-safe; keeps the newest pictures."""

    def __init__(
        self,
        *,
        mischief: Mischief,
        gate: Gate,
        long_side: int | None,
        picture: bytes | None,
        keep: int,
    ) -> None:
        self._mischief = mischief
        self._gate = gate
        self._long_side = long_side
        self._picture_of_all = picture
        self._keep = keep
        self._lock = threading.Lock()
        self._drawn: OrderedDict[str, bytes] = OrderedDict()

    def answer(self, job: Job) -> Answer:
        """Return the file of a COMPLETED job, or what its faults make of it."""
        faults = job.faults
        if "file-503" in faults and self._mischief.first("file-503", job.id):
            return refusal(503, "Service temporarily unavailable")
        if "redirect" in faults:
            return Answer(status=302, headers={"Location": _PRIVATE_ADDRESS})
        if "hostile" in faults:
            return _png(_HTML)
        if "bomb" in faults:
            return _png(bomb_png(_BOMB_SIDE))
        if "huge" in faults:
            return Answer(
                status=200, content_type="image/png", stream=self._flood(), stream_length=_HUGE
            )
        data = self._picture(job)
        if "truncated" in faults:
            return _png(data[: len(data) // 2])
        if "drip" in faults:
            return Answer(
                status=200,
                content_type="image/png",
                stream=self._drip(data),
                stream_length=len(data),
            )
        return _png(data)

    def _picture(self, job: Job) -> bytes:
        if self._picture_of_all is not None:
            return self._picture_of_all
        with self._lock:
            if job.id in self._drawn:
                return self._drawn[job.id]
        # Outside the lock: two who ask at once may both draw, and draw the same.
        data = draw_png(job.prompt, job.params(), job.id, self._long_side)
        with self._lock:
            self._drawn[job.id] = data
            if len(self._drawn) > self._keep:
                self._drawn.popitem(last=False)
        return data

    def _drip(self, data: bytes) -> Iterator[bytes]:
        for value in data:
            yield bytes((value,))
            self._gate.pause(_DRIP_PAUSE)

    @staticmethod
    def _flood() -> Iterator[bytes]:
        block = b"\x89PNG\r\n\x1a\n" + bytes(65528)
        for _ in range(_HUGE // len(block)):
            yield block


def bomb_png(side: int) -> bytes:
    """Return a valid, small PNG of `side` times `side` black pixels."""
    packer = zlib.compressobj(9)
    rows = bytes(1 + (side + 7) // 8)
    packed = b"".join(packer.compress(rows) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _png(data: bytes) -> Answer:
    return Answer(
        status=200,
        body=data,
        content_type="image/png",
        headers={"Cache-Control": "public, max-age=86400"},
    )
