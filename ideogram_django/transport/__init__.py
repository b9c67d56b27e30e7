"""HTTP that cannot hurt the caller: sessions, a wall-clock deadline, public addresses.

The provider's client and the fetching of pictures go through here; nobody else opens a connection.
"""

from ideogram_django.transport.addresses import is_public, origin, sound_parts
from ideogram_django.transport.connections import AddressRefusedError, never_sent
from ideogram_django.transport.deadlines import NETWORK_ERRORS, SILENCE, deadline, time_left
from ideogram_django.transport.sessions import open_fetch_session, open_session

__all__ = [
    "NETWORK_ERRORS",
    "SILENCE",
    "AddressRefusedError",
    "deadline",
    "is_public",
    "never_sent",
    "open_fetch_session",
    "open_session",
    "origin",
    "sound_parts",
    "time_left",
]
