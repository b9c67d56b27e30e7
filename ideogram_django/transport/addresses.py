"""What a URL really says, and which addresses are ordinary public ones."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from requests import PreparedRequest, RequestException
from requests_hardened.ip_filter import EXTRA_BLOCKED_NET_RANGES

Origin = tuple[str, str, int]
"""Scheme, host and port."""

DEFAULT_PORTS = {"http": 80, "https": 443}

_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
"""The only IPv6 range that IANA hands out (RFC 4291, RFC 3587). All that wraps an IPv4 address is
outside of it: mapped, translated (::ffff:0:0:0/96, RFC 2765), NAT64 (RFC 6052, RFC 8215)."""
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.64.0.0/10",  # carrier-grade NAT, RFC 6598; clouds put metadata services here
        "168.63.129.16/32",  # Azure's platform service: looks public, answers only inside
        "192.0.0.0/24",  # IETF protocol assignments, RFC 6890; 192.0.0.192 is Oracle's metadata
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "2001::/23",  # IETF protocol assignments with Teredo (RFC 4380) and ORCHID (RFC 7343)
        "2001:db8::/32",  # documentation, RFC 3849
        "2002::/16",  # 6to4 wraps an IPv4 address, RFC 3056
        "3fff::/20",  # documentation, RFC 9637
    )
) + tuple(EXTRA_BLOCKED_NET_RANGES)


def is_public(address: str) -> bool:
    """Whether a literal IP address is ordinary unicast on the public internet.

    Stricter than ``ipaddress.is_global``, which lets addresses pass that lead inside: NAT64, 6to4,
    translated IPv4, multicast. Raises ValueError for what is no IP address.
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address) and ip not in _GLOBAL_UNICAST:
        return False
    refused = any(ip.version == network.version and ip in network for network in _NOT_PUBLIC)
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not refused


def origin(url: str) -> Origin:
    """Scheme, lower-case host and port of a URL from the settings (not of one from outside)."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme, 0)


_VISIBLE_ASCII = re.compile(r"[!-\[\]-~]{1,4096}")
"""No blank, no control character, nothing that looks like another letter, no backslash."""
_NETLOC = re.compile(r"(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:(?P<port>[1-9][0-9]{0,4}))?")


def sound_parts(url: str) -> SplitResult:
    """Split a URL from outside that leaves no room for two readings, or raise ValueError.

    Parsers differ: ``http://127.0.0.1\\@cdn.example/`` is cdn.example to ``urlsplit`` and
    127.0.0.1 to requests. So the text has to be plain, the network location nothing but host and
    port, and the host the same to ``urlsplit`` and in the request that would be sent.
    """
    if not _VISIBLE_ASCII.fullmatch(url):
        raise ValueError("It holds characters that do not belong into an address.")
    parts = urlsplit(url)
    found = _NETLOC.fullmatch(parts.netloc.lower())
    if found is None or found["host"].startswith(".") or found["host"].endswith("."):
        raise ValueError("Its host is not written plainly.")
    if ".." in found["host"]:
        raise ValueError("Its host has an empty part.")
    prepared = PreparedRequest()
    try:
        prepared.prepare_url(url, None)
    except RequestException as error:
        raise ValueError("It cannot be requested.") from error
    sent = urlsplit(str(prepared.url))
    if (sent.scheme, sent.hostname, sent.port) != (parts.scheme, parts.hostname, parts.port):
        raise ValueError("It can be read in two ways.")
    return parts
