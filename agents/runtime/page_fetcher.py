"""Fetching of public web pages for agents, whose URLs are untrusted.

Each redirect hop is checked when its connection is made (`agents.runtime.ssrf`): the host name is resolved once,
all its addresses must be public, and the connection goes to a checked address. No proxies, cookies or credentials.
"""

import asyncio
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from django.conf import settings

from agents.runtime.builtin_tools import ToolError
from agents.runtime.ssrf import Resolver, guard_client, is_public, resolve_host
from config.http.tls import ssl_context

if TYPE_CHECKING:
    from httpx2 import URL, AsyncClient, Response

MAX_REDIRECTS = 5
MAX_CHARACTERS = 20_000
MAX_URL_LENGTH = 2_000
PORTS = {"http": 80, "https": 443}
READABLE_TYPES = (
    "text/",
    "application/json",
    "application/xml",
    "application/xhtml+xml",
    "application/ld+json",
)
HEADERS = {
    "User-Agent": "Conclave-Agent/1",
    "Accept": "text/*, application/json;q=0.9",
    "Accept-Encoding": "identity",
}


class FetchError(ToolError):
    """Raised when a page cannot be fetched; the message is for the model."""


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """A fetched page: final URL, status, content type and text, truncated to `MAX_CHARACTERS`."""

    url: str
    status: int
    content_type: str
    text: str
    truncated: bool


def may_fetch(address: str) -> bool:
    """Return whether `address` is public or in `settings.FETCH_NETWORKS`."""
    plain = address.partition("%")[0]
    return is_public(plain) or any(
        ip_address(plain) in ip_network(network) for network in settings.FETCH_NETWORKS
    )


async def fetch_page(url: str, *, resolver: Resolver = resolve_host) -> FetchedPage:
    """Fetch the text of the page at `url`, checking each redirect.

    Raises:
        FetchError: if the URL is not allowed or there is no readable page.
    """
    import httpx2

    try:
        async with asyncio.timeout(settings.FETCH_SECONDS), _client(resolver) as client:
            return await _follow(client, url)
    except TimeoutError as error:
        raise FetchError("The page did not respond in time.") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError, OSError) as error:
        # Same message for forbidden and unreachable addresses, so that it does not reveal the internal network.
        raise FetchError("The page cannot be reached.") from error


def _client(resolver: Resolver) -> "AsyncClient":
    import httpx2

    limits = httpx2.Limits(max_connections=1, max_keepalive_connections=0)
    client = httpx2.AsyncClient(
        trust_env=False,
        follow_redirects=False,
        limits=limits,
        headers=HEADERS,
        timeout=settings.FETCH_SECONDS,
        verify=ssl_context(trust_env=False),
    )
    return guard_client(client, may_fetch, resolver)  # type: ignore[no-any-return]


async def _follow(client: "AsyncClient", address: str) -> FetchedPage:
    url = validate_url(address)
    for _ in range(MAX_REDIRECTS + 1):
        async with client.stream("GET", url) as response:
            if response.has_redirect_location:
                url = validate_url(str(url.join(response.headers["Location"])))
                continue
            return await _read(response, url)
    raise FetchError(f"The page redirects more than {MAX_REDIRECTS} times.")


def validate_url(address: str) -> "URL":
    """Parse and validate a URL; its addresses are checked when connecting.

    Raises:
        FetchError: if the URL is not valid or not allowed.
    """
    import httpx2

    if len(address) > MAX_URL_LENGTH or any(ord(sign) < 33 for sign in address):
        raise FetchError("Invalid URL.")
    try:
        url = httpx2.URL(address)
    except (httpx2.InvalidURL, ValueError) as error:
        raise FetchError("Invalid URL.") from error
    if url.scheme not in PORTS or not url.host:
        raise FetchError("The URL must start with http:// or https://.")
    if url.userinfo:
        raise FetchError("The URL must not contain credentials.")
    if (url.port or PORTS[url.scheme]) not in {*PORTS.values(), *settings.FETCH_PORTS}:
        raise FetchError("The URL must use port 80 or 443.")
    return url


async def _read(response: "Response", url: "URL") -> FetchedPage:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if not kind.startswith(READABLE_TYPES) and not kind.endswith(("+json", "+xml")):
        raise FetchError(f"Unsupported content type: {kind[:100] or 'none'}. Only text can be fetched.")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise FetchError("The page uses an unsupported content encoding.")
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > settings.FETCH_MAX_BYTES:
            raise FetchError(f"The page is larger than {settings.FETCH_MAX_BYTES} bytes.")
    text = _text(bytes(body), kind, response.charset_encoding)
    return FetchedPage(
        str(url), response.status_code, kind, text[:MAX_CHARACTERS], len(text) > MAX_CHARACTERS
    )


def _text(body: bytes, kind: str, charset: str | None) -> str:
    if "html" in kind:
        from knowledge.parsing.web import read_html

        draft = read_html(body, "page.html")
        parts = [draft.title, *(piece.text for piece in draft.pieces)]
        return "\n\n".join(part for part in parts if part.strip())
    try:
        return body.decode(charset or "utf-8", "replace")
    except LookupError:
        return body.decode("utf-8", "replace")
