"""Reading a public page for an agent, who may have been told the address by anybody.

Each hop is checked where its connection is made (`agents.runtime.addresses`): the name is resolved once, every
address it has must be public, and that very address is connected to. No proxy, no cookies, no credentials.
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
    """The page cannot be had; the message is for the model."""


@dataclass(frozen=True, slots=True)
class Page:
    """What was read: where in the end, how it was answered, and its text, cut at `MOST_CHARACTERS`."""

    url: str
    status: int
    content_type: str
    text: str
    truncated: bool


def may_fetch(address: str) -> bool:
    """Whether `address` is public, or in one of `settings.FETCH_NETWORKS`."""
    plain = address.partition("%")[0]
    return is_public(plain) or any(
        ip_address(plain) in ip_network(network) for network in settings.FETCH_NETWORKS
    )


async def fetch(url: str, *, resolver: Resolver = resolve) -> Page:
    """The text of the page at `url`, redirects followed and checked one by one.

    Raises:
        FetchRefused: for an address that is out of bounds, and when there is no readable page.
    """
    import httpx2

    try:
        async with asyncio.timeout(settings.FETCH_SECONDS), _client(resolver) as client:
            return await _follow(client, url)
    except TimeoutError as error:
        raise FetchRefused("The page did not come in time.") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError, OSError) as error:
        # One answer for an address that is out of bounds and one that does not answer: neither says what is there.
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
    """`address` as a URL that may be asked for; where it leads is checked when it is connected to.

    Raises:
        FetchRefused: saying what is wrong with it.
    """
    import httpx2

    if len(address) > MOST_URL or any(ord(sign) < 33 for sign in address):
        raise FetchRefused("This is no address of a page.")
    try:
        url = httpx2.URL(address)
    except (httpx2.InvalidURL, ValueError) as error:
        raise FetchRefused("This is no address of a page.") from error
    if url.scheme not in PORTS or not url.host:
        raise FetchRefused("Only addresses that begin with http:// or https:// can be fetched.")
    if url.userinfo:
        raise FetchRefused("An address must hold no name and password.")
    if (url.port or PORTS[url.scheme]) not in {*PORTS.values(), *settings.FETCH_PORTS}:
        raise FetchRefused("Pages are fetched from the ports 80 and 443 only.")
    return url


async def _read(response: "Response", url: "URL") -> Page:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if not kind.startswith(READABLE) and not kind.endswith(("+json", "+xml")):
        raise FetchRefused(f"This is no text, but {kind[:100] or 'of no stated type'}.")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise FetchRefused("The page came compressed, which was not asked for.")
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > settings.FETCH_MAX_BYTES:
            raise FetchRefused(f"The page has more than {settings.FETCH_MAX_BYTES} bytes.")
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
