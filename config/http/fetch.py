"""Fetching of web pages from URLs that users and models provide.

Each redirect is checked and is a separate request of a guarded client (`config.http.ssrf`), without cookies,
credentials or proxies.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings

from config.http.ssrf import Resolver, guarded_client, resolve_host

if TYPE_CHECKING:
    from httpx2 import URL, AsyncClient, Response

PORTS = {"http": 80, "https": 443}
MAX_REDIRECTS = 5
MAX_URL_LENGTH = 2_000
READ_SIZE = 64 * 1024
IDENTITY = frozenset({"identity"})


class FetchError(Exception):
    """The page cannot be fetched. The message is for users and reveals nothing about the network."""


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """A response being read: its final URL, status, media type and charset; `chunks` yields the body."""

    url: str
    status: int
    media_type: str
    charset: str | None
    chunks: AsyncIterator[bytes]


def check_url(address: str) -> "URL":
    """Return the parsed URL if its syntax allows fetching it; its addresses are checked when connecting.

    Raises:
        FetchError: the URL is too long, or has another scheme, a disallowed port, credentials, no host or invalid
            characters.
    """
    import httpx2

    odd = any(character.isspace() or not character.isprintable() for character in address)
    if odd or len(address) > MAX_URL_LENGTH:
        raise FetchError("Enter a valid URL.")
    try:
        url, authority = httpx2.URL(address), urlsplit(address).netloc
    except (httpx2.InvalidURL, ValueError) as error:
        raise FetchError("Enter a valid URL.") from error
    if url.scheme not in PORTS or not url.host:
        raise FetchError("Only http:// and https:// URLs are supported.")
    if url.userinfo or "@" in authority:
        raise FetchError("The URL must not contain a user name or password.")
    port, allowed = url.port or PORTS[url.scheme], sorted({*PORTS.values(), *settings.FETCH_PORTS})
    if port not in allowed:
        raise FetchError(f"Port {port} is not allowed. Allowed ports: {', '.join(map(str, allowed))}.")
    return url


@asynccontextmanager
async def fetch_page(
    url: str,
    *,
    max_bytes: int,
    seconds: float,
    headers: dict[str, str],
    step_seconds: float | None = None,
    encodings: Collection[str] = IDENTITY,
    resolver: Resolver = resolve_host,
) -> AsyncIterator[FetchedPage]:
    """Fetch `url` and yield the page, whose body can be read inside the block.

    Args:
        max_bytes: maximum size of the decoded body.
        seconds: time limit of all requests, including the block.
        step_seconds: time limit of each step, such as connecting; default: `seconds`.
        encodings: accepted content encodings.

    Raises:
        FetchError: the URL or its address is not allowed, or the page exceeds a limit. Also raised while the body is
            read.
    """
    import httpx2

    headers = {**headers, "Accept-Encoding": ", ".join(sorted(encodings))}
    options = {"headers": headers, "timeout": step_seconds or seconds, "resolver": resolver}
    try:
        async with asyncio.timeout(seconds), guarded_client(settings.FETCH_NETWORKS, **options) as client:
            response = await _follow_redirects(client, check_url(url))
            try:
                if response.headers.get("Content-Encoding", "identity").lower() not in encodings:
                    raise FetchError("The page uses an unsupported content encoding.")
                yield _open_page(response, max_bytes)
            finally:
                await response.aclose()
    except TimeoutError as error:
        raise FetchError("The page did not respond in time.") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as error:
        # Same message for forbidden and unreachable addresses, so that it does not reveal the internal network.
        raise FetchError("The page cannot be reached.") from error


async def _follow_redirects(client: "AsyncClient", url: "URL") -> "Response":
    for _ in range(MAX_REDIRECTS + 1):
        client.cookies.clear()
        response = await client.send(client.build_request("GET", url), stream=True)
        if not response.has_redirect_location:
            return response
        await response.aclose()
        url = check_url(str(url.join(response.headers["Location"])))
    raise FetchError(f"The page redirects more than {MAX_REDIRECTS} times.")


def _open_page(response: "Response", max_bytes: int) -> FetchedPage:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    body = _iter_bounded(response, max_bytes)
    return FetchedPage(str(response.url), response.status_code, kind, response.charset_encoding, body)


async def _iter_bounded(response: "Response", max_bytes: int) -> AsyncIterator[bytes]:
    limit = f"{max_bytes // 1024**2} MB" if max_bytes >= 1024**2 else f"{max_bytes} bytes"
    too_large = FetchError(f"The page is larger than {limit}.")
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > max_bytes:
        raise too_large
    size = 0
    async for piece in response.aiter_bytes(READ_SIZE):
        size += len(piece)
        if size > max_bytes:
            raise too_large
        yield piece
