"""Fetching a page that a tenant named, within bounds.

The name is resolved once; each of its addresses must be public (or in `settings.FETCH_NETWORKS`), and that very
address is connected to, so a name that resolves differently the next time gains nothing. Redirects are followed
here, one by one, each of them checked anew. No proxy, cookie or credential of this process is used.
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

from config.net.addresses import may_reach

PORTS = {"http": 80, "https": 443}
MAX_REDIRECTS = 5
STEP_SECONDS = 10.0
AGENT = "Conclave/1 (document reader)"
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class FetchError(Exception):
    """The page cannot be fetched; the message says why, for a person, and tells nothing of this network."""


class OutOfBounds(httpcore.ConnectError):
    """The name leads to an address that may not be reached."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page on its way: where it was found in the end, its media type, and its bytes."""

    url: str
    media_type: str
    chunks: Iterator[bytes]


class _GuardedBackend(httpcore.SyncBackend):
    """Connects to addresses within bounds alone."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = OutOfBounds("out of bounds")
        for address in _addresses(host, port):
            try:
                return super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        raise OutOfBounds("no page is served there")


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError("name not known") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    bounds = settings.FETCH_NETWORKS
    return addresses if all(may_reach(address, bounds) for address in addresses) else []


def check_url(url: str) -> str:
    """`url` when it is one that may be fetched by its looks.

    Raises:
        FetchError: for another scheme, a port that is not allowed, a user name, no host, odd characters.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise FetchError("This is not a URL.") from error
    if parts.scheme not in PORTS or not parts.hostname:
        raise FetchError("Only http:// and https:// URLs are fetched.")
    if parts.username is not None or parts.password is not None:
        raise FetchError("A URL must not hold a user name or a password.")
    allowed = sorted({*PORTS.values(), *settings.FETCH_PORTS})
    if port not in allowed:
        raise FetchError(f"Port {port} is not allowed; allowed are {', '.join(map(str, allowed))}.")
    if any(character.isspace() or not character.isprintable() for character in url):
        raise FetchError("This is not a URL.")
    return url


@contextmanager
def fetched(url: str, *, max_bytes: int, seconds: float = 60) -> Iterator[Page]:
    """The page at `url`, read while the block runs.

    Raises:
        FetchError: when it is out of bounds, does not answer with success, is larger than `max_bytes` or takes
            longer than `seconds`; also while its bytes are read.
    """
    transport = httpx.HTTPTransport(trust_env=False)
    transport._pool._network_backend = _GuardedBackend()  # type: ignore[attr-defined]
    end = time.monotonic() + seconds
    try:
        with httpx.Client(
            transport=transport, trust_env=False, timeout=STEP_SECONDS, headers={"User-Agent": AGENT}
        ) as client:
            response = _followed(client, check_url(url), end)
            try:
                kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
                yield Page(str(response.url), kind, _bounded(response, max_bytes, end))
            finally:
                response.close()
    except httpx.InvalidURL as error:
        raise FetchError("This is not a URL.") from error
    except httpx.HTTPError as error:
        raise FetchError("The page cannot be reached.") from error


def _followed(client: httpx.Client, url: str, end: float) -> httpx.Response:
    for _ in range(MAX_REDIRECTS + 1):
        client.cookies.clear()
        response = client.send(client.build_request("GET", url), stream=True)
        if response.status_code not in REDIRECTS:
            if response.status_code != httpx.codes.OK:
                response.close()
                raise FetchError(f"The page answered {response.status_code}.")
            return response
        response.close()
        url = check_url(urljoin(url, response.headers.get("location", "")))
        if time.monotonic() > end:
            raise FetchError("The page took too long.")
    raise FetchError(f"More than {MAX_REDIRECTS} redirects.")


def _bounded(response: httpx.Response, max_bytes: int, end: float) -> Iterator[bytes]:
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
            raise FetchError("The page took too long.")
        yield piece
