"""Fetching of public web pages for agents, whose URLs are untrusted.

Each redirect hop is checked when its connection is made (`agents.runtime.addresses`): the host name is resolved once,
all its addresses must be public, and the connection goes to a checked address. No proxies, cookies or credentials.
"""

import asyncio
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from django.conf import settings

from agents.runtime.addresses import Resolver, guard, is_public, resolve
from agents.runtime.tools import ToolRefused
from config.net.tls import trusted

if TYPE_CHECKING:
    from httpx2 import URL, AsyncClient, Response

MOST_REDIRECTS = 5
MOST_CHARACTERS = 20_000
MOST_URL = 2_000
PORTS = {"http": 80, "https": 443}
READABLE = ("text/", "application/json", "application/xml", "application/xhtml+xml", "application/ld+json")
HEADERS = {
    "User-Agent": "Conclave-Agent/1",
    "Accept": "text/*, application/json;q=0.9",
    "Accept-Encoding": "identity",
}


class FetchRefused(ToolRefused):
    """Raised when a page cannot be fetched; the message is for the model."""


@dataclass(frozen=True, slots=True)
class Page:
    """A fetched page: final URL, status, content type and text, truncated to `MOST_CHARACTERS`."""

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


async def fetch(url: str, *, resolver: Resolver = resolve) -> Page:
    """Fetch the text of the page at `url`, checking each redirect.

    Raises:
        FetchRefused: if the URL is not allowed or there is no readable page.
    """
    import httpx2

    try:
        async with asyncio.timeout(settings.FETCH_SECONDS), _client(resolver) as client:
            return await _follow(client, url)
    except TimeoutError as error:
        raise FetchRefused("The page did not respond in time.") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError, OSError) as error:
        # Same message for forbidden and unreachable addresses, so that it does not reveal the internal network.
        raise FetchRefused("The page cannot be reached.") from error


def _client(resolver: Resolver) -> "AsyncClient":
    import httpx2

    limits = httpx2.Limits(max_connections=1, max_keepalive_connections=0)
    client = httpx2.AsyncClient(
        trust_env=False,
        follow_redirects=False,
        limits=limits,
        headers=HEADERS,
        timeout=settings.FETCH_SECONDS,
        verify=trusted(trust_env=False),
    )
    return guard(client, may_fetch, resolver)  # type: ignore[no-any-return]


async def _follow(client: "AsyncClient", address: str) -> Page:
    url = checked(address)
    for _ in range(MOST_REDIRECTS + 1):
        async with client.stream("GET", url) as response:
            if response.has_redirect_location:
                url = checked(str(url.join(response.headers["Location"])))
                continue
            return await _read(response, url)
    raise FetchRefused(f"The page redirects more than {MOST_REDIRECTS} times.")


def checked(address: str) -> "URL":
    """Parse and validate a URL; its addresses are checked when connecting.

    Raises:
        FetchRefused: if the URL is not valid or not allowed.
    """
    import httpx2

    if len(address) > MOST_URL or any(ord(sign) < 33 for sign in address):
        raise FetchRefused("Invalid URL.")
    try:
        url = httpx2.URL(address)
    except (httpx2.InvalidURL, ValueError) as error:
        raise FetchRefused("Invalid URL.") from error
    if url.scheme not in PORTS or not url.host:
        raise FetchRefused("The URL must start with http:// or https://.")
    if url.userinfo:
        raise FetchRefused("The URL must not contain credentials.")
    if (url.port or PORTS[url.scheme]) not in {*PORTS.values(), *settings.FETCH_PORTS}:
        raise FetchRefused("The URL must use port 80 or 443.")
    return url


async def _read(response: "Response", url: "URL") -> Page:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if not kind.startswith(READABLE) and not kind.endswith(("+json", "+xml")):
        raise FetchRefused(f"Unsupported content type: {kind[:100] or 'none'}. Only text can be fetched.")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise FetchRefused("The page uses an unsupported content encoding.")
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > settings.FETCH_MAX_BYTES:
            raise FetchRefused(f"The page is larger than {settings.FETCH_MAX_BYTES} bytes.")
    text = _text(bytes(body), kind, response.charset_encoding)
    return Page(str(url), response.status_code, kind, text[:MOST_CHARACTERS], len(text) > MOST_CHARACTERS)


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
