"""Sessions of ``requests`` whose safety does not depend on what the caller remembers."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import DEFAULT_CA_BUNDLE_PATH, HTTPAdapter
from requests_hardened.client import HTTPSession
from requests_hardened.config import Config

from ideogram_django.transport.addresses import origin
from ideogram_django.transport.connections import pool_classes
from ideogram_django.transport.deadlines import TLSSocket

DEFAULT_TIMEOUT = (5.0, 60.0)
"""Seconds to connect, and between two bytes, for a caller who gives no ``timeout``."""


@cache
def tls_context() -> ssl.SSLContext:
    """The process's one TLS context: reading the certificates costs 20 ms, so it is done once.

    Trusts certifi's bundle, as requests does, and the machine's own store.
    """
    context = ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)
    context.load_default_certs()
    context.sslsocket_class = TLSSocket
    return context


class _Adapter(HTTPAdapter):
    def __init__(self, *, pool_size: int, pool_classes: dict[str, Any]) -> None:
        self._pool_classes = pool_classes
        super().__init__(pool_maxsize=pool_size, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=tls_context(), **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pool_classes

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        context = tls_context()
        manager = super().proxy_manager_for(
            proxy, ssl_context=context, proxy_ssl_context=context, **kwargs
        )
        manager.pool_classes_by_scheme = self._pool_classes
        return manager

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Leave verification to the shared context; requests would load the bundle again here."""
        conn.cert_reqs = "CERT_REQUIRED"


class _Session(HTTPSession):
    """requests-hardened applies time-out and user agent; the rest cannot be forgotten either."""

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        kwargs.update(verify=True, allow_redirects=False)
        return super().send(request, **kwargs)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """No redirects: requests would read all of a redirect's body into memory just to look."""
        return None


def _open(
    pool_size: int, user_agent: str, proxies: Mapping[str, str] | None, classes: dict[str, Any]
) -> requests.Session:
    for proxy in (proxies or {}).values():
        if proxy.partition("://")[0].lower() not in ("http", "https"):
            raise ValueError("Only http:// and https:// proxies are supported.")
    session: requests.Session = _Session(
        Config(
            ip_filter_enable=False,  # done at the socket, for every address, see _dial
            ip_filter_allow_loopback_ips=False,
            never_redirect=True,
            default_timeout=DEFAULT_TIMEOUT,
            user_agent_override=user_agent,
        )
    )
    session.trust_env = False  # neither the environment's proxies nor .netrc
    session.proxies = dict(proxies or {})
    session.headers["User-Agent"] = user_agent
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    adapter = _Adapter(pool_size=pool_size, pool_classes=classes)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def open_session(
    *, pool_size: int, user_agent: str, proxies: Mapping[str, str] | None = None
) -> requests.Session:
    """A session for a server that the settings name: any address is allowed.

    Keeps ``pool_size`` connections per host. Never repeats a request by itself, never follows a
    redirect, stores no cookies, ignores the environment, always verifies certificates.
    """
    return _open(pool_size, user_agent, proxies, pool_classes(False, None))


def open_fetch_session(
    *,
    pool_size: int,
    user_agent: str,
    proxies: Mapping[str, str] | None = None,
    exempt_origin: str | None = None,
) -> requests.Session:
    """A session for addresses that strangers name: as :func:`open_session`, public hosts alone.

    A name is resolved once; if *any* of its addresses is not public, :class:`AddressRefusedError`
    is raised, else one of these very addresses is connected to. The name stays the one that TLS
    verifies. ``exempt_origin`` ("http://127.0.0.1:8001") is let through. With a proxy the proxy
    resolves the name and no address can be checked here: the caller's list of hosts must do.
    """
    exempt = origin(exempt_origin) if exempt_origin else None
    return _open(pool_size, user_agent, proxies, pool_classes(True, exempt))
