"""Requests to HTTP services whose hosts an organisation allows.

Each redirect is a separate request of a guarded client (`config.http.ssrf`), to an allowed host only. Credentials are
sent to one origin and nowhere else.
"""

import asyncio
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings

from config.http.fetch import MAX_REDIRECTS, PORTS, READ_SIZE, FetchError, check_url
from config.http.ssrf import Resolver, guarded_client, resolve_host

if TYPE_CHECKING:
    from httpx2 import URL, AsyncClient

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,8000}")
# The client sets the headers of the connection, and credentials come from an account only.
RESERVED_HEADERS = frozenset(
    {
        *("host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect"),
        *("authorization", "proxy-authorization", "cookie", "accept-encoding"),
    }
)
# Status codes whose redirect is requested with GET and without a body, unless the method is HEAD.
GET_REDIRECTS = frozenset({301, 302, 303})


class RequestError(Exception):
    """A request that was not answered; `code` is stable, and the message reveals nothing about the network."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """A request: `credentials` are headers for `origin` only, such as `https://cms.example`."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    origin: str = ""


@dataclass(frozen=True, slots=True)
class ReceivedResponse:
    """The last response, with names of headers in lower case."""

    url: str
    status: int
    headers: dict[str, str]
    body: bytes
    charset: str | None = None


def check_header(name: str, value: str) -> str:
    """Return why the header cannot be sent, or an empty string."""
    if not HEADER_NAME.fullmatch(name) or not HEADER_VALUE.fullmatch(value):
        return "A header has an invalid name or value."
    if name.lower() in RESERVED_HEADERS:
        return f"The header {name} cannot be set."
    return ""


def get_origin(url: str) -> str:
    """Return scheme, host and port of a valid URL, such as `https://cms.example:443`."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{parts.port or PORTS.get(parts.scheme, 0)}"


def matches_host(host: str, allowed: Collection[str]) -> bool:
    """Return whether `allowed` names the host, or its domain as in `*.example.com`."""
    host = host.lower()
    return any(
        host.endswith(each[1:].lower()) if each.startswith("*.") else host == each.lower() for each in allowed
    )


async def send_request(
    request: OutgoingRequest,
    *,
    hosts: Collection[str],
    max_bytes: int,
    seconds: float,
    resolver: Resolver = resolve_host,
) -> ReceivedResponse:
    """Send the request, follow redirects and return the last response with any status.

    Args:
        hosts: allowed hosts besides that of `request.origin`.
        max_bytes: maximum size of the decoded body.
        seconds: time limit of all requests.

    Raises:
        RequestError: the URL is not allowed, or the service cannot be reached or exceeds a limit.
    """
    import httpx2

    try:
        async with (
            asyncio.timeout(seconds),
            guarded_client(settings.FETCH_NETWORKS, timeout=seconds, resolver=resolver) as client,
        ):
            for _ in range(MAX_REDIRECTS + 1):
                found = await _send(client, request, hosts, max_bytes)
                if isinstance(found, ReceivedResponse):
                    return found
                request = found
            raise RequestError("too_many_redirects", f"More than {MAX_REDIRECTS} redirects.")
    except TimeoutError as error:
        raise RequestError("timeout", f"The service did not answer within {seconds:g} seconds.") from error
    except FetchError as error:
        raise RequestError("invalid_url", str(error)) from error
    except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as error:
        # Same message for forbidden and unreachable addresses, so that it does not reveal the internal network.
        raise RequestError("unreachable", "The service cannot be reached.") from error


async def _send(
    client: "AsyncClient", request: OutgoingRequest, hosts: Collection[str], max_bytes: int
) -> ReceivedResponse | OutgoingRequest:
    """Return the response, or the request that a redirect asks for."""
    url = check_url(request.url)
    is_origin = bool(request.origin) and get_origin(str(url)) == get_origin(request.origin)
    if not is_origin and not matches_host(url.host, hosts):
        raise RequestError("host_not_allowed", "The organisation does not allow requests to this host.")
    client.cookies.clear()
    headers = {**request.headers, **(request.credentials if is_origin else {})}
    built = client.build_request(request.method, url, headers=headers, content=request.content)
    response = await client.send(built, stream=True)
    try:
        if response.has_redirect_location:
            return _redirect(request, response.status_code, url.join(response.headers["Location"]))
        body = bytearray()
        async for piece in response.aiter_bytes(READ_SIZE):
            body += piece
            if len(body) > max_bytes:
                raise RequestError("response_too_large", f"The response exceeds {max_bytes} bytes.")
    finally:
        await response.aclose()
    received = {name.lower(): value for name, value in response.headers.items()}
    return ReceivedResponse(str(url), response.status_code, received, bytes(body), response.charset_encoding)


def _redirect(request: OutgoingRequest, status: int, url: "URL") -> OutgoingRequest:
    if status in GET_REDIRECTS and request.method not in ("GET", "HEAD"):
        headers = {name: value for name, value in request.headers.items() if name.lower() != "content-type"}
        return replace(request, method="GET", content=None, headers=headers, url=str(url))
    return replace(request, url=str(url))
