"""What the server says: one value object for every reply."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A reply to one request, or the refusal to give one."""

    status: int
    body: bytes = b""
    content_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    """Close the connection without sending a byte."""
    stream: Iterator[bytes] | None = None
    """Pieces to send instead of `body`, each when it comes."""
    stream_length: int = 0
    """The `Content-Length` announced for `stream`, in bytes."""


def to_json(value: object) -> bytes:
    """Encode as JavaScript's `JSON.stringify` would: compact, not escaped to ASCII.

    Lone surrogates, which JSON can carry and UTF-8 cannot, become question marks.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def reply(status: int, value: object, *, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with `value` as JSON."""
    return Answer(status=status, body=to_json(value), headers=headers or {})


def refusal(
    status: int, sentence: str, *, headers: Mapping[str, str] | None = None, **extra: object
) -> Answer:
    """Answer `{"error": sentence}` plus `extra` (Apiframe API reference, Errors)."""
    return reply(status, {"error": sentence, **extra}, headers=headers)


def cut() -> Answer:
    """Close the connection instead of answering."""
    return Answer(status=0, cut=True)
