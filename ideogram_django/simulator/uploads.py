"""`POST /v2/uploads`: one file of a multipart body, its type told by its first bytes."""

import re
import threading
import uuid
from collections import OrderedDict
from dataclasses import dataclass

from ideogram_django.simulator.clock import Clock, iso

_MEBIBYTE = 1024 * 1024
IMAGE_LIMIT = 25 * _MEBIBYTE
VIDEO_LIMIT = 50 * _MEBIBYTE
# Simulated seconds; the documentation says one to two hours.
_LIFETIME = 2 * 60 * 60
_KEPT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file on the short-lived storage."""

    id: str
    kind: str
    content_type: str
    data: bytes
    expires_at: float

    def public(self, base_url: str) -> dict[str, object]:
        """Return the answer to the upload (Apiframe API reference, Uploads)."""
        return {
            "id": self.id,
            "url": f"{base_url}/uploads/{self.id}",
            "kind": self.kind,
            "contentType": self.content_type,
            "byteSize": len(self.data),
            "expiresAt": iso(self.expires_at),
        }


class UploadStore:
    """The newest uploads, in memory. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._uploads: OrderedDict[str, Upload] = OrderedDict()

    def add(self, data: bytes) -> Upload | str:
        """Keep a file, or return the sentence that refuses it."""
        found = sniff(data)
        if found is None:
            return "Unsupported file type"
        kind, content_type = found
        limit = VIDEO_LIMIT if kind == "video" else IMAGE_LIMIT
        if len(data) > limit:
            return f"File too large. Maximum is {limit // _MEBIBYTE} MB"
        upload = Upload(
            id=str(uuid.uuid4()),
            kind=kind,
            content_type=content_type,
            data=data,
            expires_at=self._clock.now() + _LIFETIME,
        )
        with self._lock:
            self._uploads[upload.id] = upload
            if len(self._uploads) > _KEPT:
                self._uploads.popitem(last=False)
        return upload

    def get(self, upload_id: str) -> Upload | None:
        """Return an upload that has not expired."""
        with self._lock:
            upload = self._uploads.get(upload_id)
        if upload is None or self._clock.now() >= upload.expires_at:
            return None
        return upload


def sniff(data: bytes) -> tuple[str, str] | None:
    """Return kind and content type by the magic bytes; the declared type is ignored."""
    starts = (
        (b"\x89PNG\r\n\x1a\n", "image", "image/png"),
        (b"\xff\xd8\xff", "image", "image/jpeg"),
        (b"GIF87a", "image", "image/gif"),
        (b"GIF89a", "image", "image/gif"),
        (b"\x1aE\xdf\xa3", "video", "video/webm"),
        (b"ID3", "audio", "audio/mpeg"),
        (b"\xff\xfb", "audio", "audio/mpeg"),
        (b"OggS", "audio", "audio/ogg"),
    )
    for start, kind, content_type in starts:
        if data.startswith(start):
            return kind, content_type
    if data[:4] == b"RIFF":
        riff = {b"WEBP": ("image", "image/webp"), b"WAVE": ("audio", "audio/wav")}
        return riff.get(data[8:12])
    if data[4:8] == b"ftyp":
        brands = {b"M4A ": ("audio", "audio/mp4"), b"qt  ": ("video", "video/quicktime")}
        return brands.get(data[8:12], ("video", "video/mp4"))
    return None


def file_field(body: bytes, content_type: str) -> bytes | None:
    """Return the bytes of the multipart field `file`, or None.

    By hand: the parser of `email` rewrites line endings, which a binary file does not survive.
    """
    match = re.search(r'multipart/form-data;.*boundary="?([^";]+)"?', content_type, re.IGNORECASE)
    if match is None:
        return None
    delimiter = b"\r\n--" + match[1].encode("latin-1", "replace")
    for part in (b"\r\n" + body).split(delimiter)[1:-1]:
        head, separator, data = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        if separator and re.search(rb'[;\s]name="?file"?(;|\s|$)', head, re.IGNORECASE):
            return data
    return None
