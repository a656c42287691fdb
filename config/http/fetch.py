"""Fetch web pages from URLs that tenants provide, with SSRF protection.

The host is resolved once. Every resolved address must be public or in `settings.FETCH_NETWORKS`, and the connection
goes to that address, which defeats DNS rebinding. Each redirect is checked the same way. No proxies, cookies or
credentials of this process are used.
"""

import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpcore
import httpx
from django.conf import settings

from config.http.ssrf import may_reach

PORTS = {"http": 80, "https": 443}
MAX_REDIRECTS = 5
STEP_SECONDS = 10.0
USER_AGENT = "Conclave/1 (document reader)"
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class FetchError(Exception):
    """The page cannot be fetched. The message is for users and reveals nothing about the network."""


class AddressNotAllowedError(httpcore.ConnectError):
    """The host resolves to an address that must not be reached."""


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """A response being read: its final URL, media type and body."""

    url: str
    media_type: str
    chunks: Iterator[bytes]


class _GuardedBackend(httpcore.SyncBackend):
    """Network backend that connects only to allowed addresses."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = AddressNotAllowedError("address not allowed")
        for address in _resolve_addresses(host, port):
            try:
                return super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        raise AddressNotAllowedError("Unix sockets are not allowed")


def _resolve_addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError("host not found") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    bounds = settings.FETCH_NETWORKS
    return addresses if all(may_reach(address, bounds) for address in addresses) else []


def check_url(url: str) -> str:
    """Return `url` if its syntax allows fetching it.

    Raises:
        FetchError: the URL has another scheme, a disallowed port, credentials, no host or invalid characters.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise FetchError("Enter a valid URL.") from error
    if parts.scheme not in PORTS or not parts.hostname:
        raise FetchError("Only http:// and https:// URLs are supported.")
    if parts.username is not None or parts.password is not None:
        raise FetchError("The URL must not contain a user name or password.")
    allowed = sorted({*PORTS.values(), *settings.FETCH_PORTS})
    if port not in allowed:
        raise FetchError(f"Port {port} is not allowed. Allowed ports: {', '.join(map(str, allowed))}.")
    if any(character.isspace() or not character.isprintable() for character in url):
        raise FetchError("Enter a valid URL.")
    return url


@contextmanager
def fetch_page(url: str, *, max_bytes: int, seconds: float = 60) -> Iterator[FetchedPage]:
    """Fetch `url` and yield the page. The body can be read inside the block.

    Raises:
        FetchError: the address is not allowed, the status is not 200, the page is larger than `max_bytes`, or it takes
            longer than `seconds`. Also raised while the body is read.
    """
    transport = httpx.HTTPTransport(trust_env=False)
    transport._pool._network_backend = _GuardedBackend()  # type: ignore[attr-defined]
    end = time.monotonic() + seconds
    try:
        with httpx.Client(
            transport=transport, trust_env=False, timeout=STEP_SECONDS, headers={"User-Agent": USER_AGENT}
        ) as client:
            response = _follow_redirects(client, check_url(url), end)
            try:
                kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
                yield FetchedPage(str(response.url), kind, _iter_bounded(response, max_bytes, end))
            finally:
                response.close()
    except httpx.InvalidURL as error:
        raise FetchError("Enter a valid URL.") from error
    except httpx.HTTPError as error:
        raise FetchError("The page cannot be reached.") from error


def _follow_redirects(client: httpx.Client, url: str, end: float) -> httpx.Response:
    for _ in range(MAX_REDIRECTS + 1):
        client.cookies.clear()
        response = client.send(client.build_request("GET", url), stream=True)
        if response.status_code not in REDIRECTS:
            if response.status_code != httpx.codes.OK:
                response.close()
                raise FetchError(f"The server responded with status {response.status_code}.")
            return response
        response.close()
        url = check_url(urljoin(url, response.headers.get("location", "")))
        if time.monotonic() > end:
            raise FetchError("The request timed out.")
    raise FetchError(f"The page redirects more than {MAX_REDIRECTS} times.")


def _iter_bounded(response: httpx.Response, max_bytes: int, end: float) -> Iterator[bytes]:
    too_large = FetchError(f"The page is larger than {max_bytes // 1024 // 1024} MB.")
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length) > max_bytes:
        raise too_large
    size = 0
    for piece in response.iter_bytes(65536):
        size += len(piece)
        if size > max_bytes:
            raise too_large
        if time.monotonic() > end:
            raise FetchError("The request timed out.")
        yield piece
