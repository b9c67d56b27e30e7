"""Connections that are dialled by us: resolved once, every address checked, deadline kept."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Sequence
from http.client import HTTPException
from typing import Any

import requests
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
)
from urllib3.exceptions import ProxyError as TunnelError

from ideogram_django.exceptions import DeadlineExceeded, IdeogramError
from ideogram_django.transport.addresses import Origin, is_public
from ideogram_django.transport.deadlines import Socket, in_time, time_left

AddressInfo = tuple[Any, ...]
"""Family, kind, protocol, name and address, as :func:`socket.getaddrinfo` returns them."""


class AddressRefusedError(IdeogramError):
    """A host name leads to an address that is not on the public internet."""


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _look_up(host: str, port: int) -> Sequence[AddressInfo]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _resolve(host: str, port: int) -> Sequence[AddressInfo]:
    """``getaddrinfo``, which cannot be interrupted: under a deadline a thread waits for it."""
    left = time_left()
    if left is None or _is_literal(host):
        return _look_up(host, port)
    found: list[Sequence[AddressInfo]] = []
    failed: list[Exception] = []

    def look_up() -> None:
        try:
            found.append(_look_up(host, port))
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=look_up, name="ideogram-dns", daemon=True)
    thread.start()
    thread.join(max(left, 0))
    if failed:
        raise failed[0]
    if not found:
        raise TimeoutError("name resolution timed out")
    return found[0]


def _connect(
    addresses: Sequence[AddressInfo], timeout: float | None, options: Any
) -> socket.socket:
    """Connect to the first of these addresses that answers; never asks the resolver again."""
    failure: OSError = OSError("the name has no address")
    for family, kind, protocol, _name, address in addresses:
        try:
            sock = Socket(family, kind, protocol)
        except OSError as error:  # a machine without IPv6
            failure = error
            continue
        try:
            for option in options or ():
                sock.setsockopt(*option)
            sock.settimeout(timeout)
            in_time(sock, sock.connect, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:  # a job's alarm must not leave the socket behind
            sock.close()
            raise
        else:
            return sock
    raise failure


def _dial(connection: HTTPConnection, public_only: bool) -> socket.socket:
    """Resolve once, check every address, connect to a checked one. Errors as urllib3 names them."""
    host = connection.host.strip("[]")
    try:
        found = _resolve(host, connection.port)
        if public_only:
            refused = [info[4][0] for info in found if not is_public(info[4][0])]
            if refused:
                raise AddressRefusedError(f"{host} leads to {refused[0]}, which is not public.")
        return _connect(found, connection.timeout, connection.socket_options)
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, f"Connecting to {host} timed out") from error
    except socket.gaierror as error:
        raise NameResolutionError(host, connection, error) from error
    except (OSError, UnicodeError) as error:
        raise NewConnectionError(connection, f"Connecting to {host} failed: {error}") from error


def pool_classes(public_only: bool, exempt: Origin | None) -> dict[str, Any]:
    """Connection pools by scheme, whose connections are dialled by us.

    ``exempt`` is the one origin that may lie on an address that is not public. A connection to a
    proxy is never checked: proxies usually stand inside.
    """

    def checks(connection: HTTPConnection, scheme: str) -> bool:
        target = (scheme, connection.host.strip("[]").lower(), connection.port)
        return public_only and connection.proxy is None and target != exempt

    class Connection(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _dial(self, checks(self, "http"))

    class TLSConnection(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _dial(self, checks(self, "https"))

        def connect(self) -> None:
            """Tell failures before the request from later ones: see :func:`never_sent`."""
            try:
                super().connect()
            except TimeoutError as error:
                raise ConnectTimeoutError(self, "The TLS handshake timed out") from error
            except (OSError, HTTPException) as error:
                raise NewConnectionError(self, f"No TLS connection came about: {error}") from error

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connection

    class TLSPool(HTTPSConnectionPool):
        ConnectionCls = TLSConnection

    return {"http": Pool, "https": TLSPool}


def never_sent(error: BaseException | None) -> bool:
    """Whether a failed request surely never reached the server: no connection came about.

    Takes what a session raised, or the :class:`DeadlineExceeded` of the block around it.
    """
    if isinstance(error, DeadlineExceeded):
        return never_sent(error.__cause__)
    if isinstance(error, requests.ConnectionError):
        return never_sent(error.args[0] if error.args else None)
    if isinstance(error, MaxRetryError):
        return never_sent(error.reason)
    if isinstance(error, TunnelError):
        return never_sent(error.original_error)
    return isinstance(error, (NewConnectionError, ConnectTimeoutError, AddressRefusedError))
