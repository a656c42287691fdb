"""Synchronous downloads of many files with one guarded client.

Each redirect is checked, and credentials are sent to one origin and nowhere else. A body is written to a temporary
file, which is on disk if it is large.
"""

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

from django.conf import settings

from config.http.fetch import READ_SIZE, FetchError, check_url
from config.http.requests import get_origin
from config.http.ssrf import Resolver, guarded_client, resolve_host

if TYPE_CHECKING:
    from httpx2 import URL, Response

MAX_SPOOLED = 1024 * 1024
STEP_SECONDS = 15.0
ENCODINGS = frozenset({"identity", "gzip"})


@dataclass(frozen=True, slots=True)
class DownloadRequest:
    """A file to download.

    Args:
        credentials: headers for the origin of `url` only.
        max_redirects: redirects to follow; a response beyond is returned with its `location`.
        accepts: whether a body of this media type is read; any by default.
    """

    url: str
    max_bytes: int
    seconds: float = 60.0
    headers: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    max_redirects: int = 0
    accepts: Callable[[str], bool] | None = None


@dataclass(frozen=True, slots=True)
class Download:
    """A response: names of headers are in lower case, and `body` is None if it was not read."""

    url: str
    status: int
    headers: dict[str, str]
    media_type: str = ""
    charset: str | None = None
    body: IO[bytes] | None = None
    size: int = 0
    location: str = ""


class DownloadSession:
    """A guarded client in a separate event loop. Use it as a context manager, in one thread."""

    def __init__(self, user_agent: str, *, resolver: Resolver = resolve_host) -> None:
        self._user_agent, self._resolver = user_agent, resolver

    def __enter__(self) -> Self:
        self._runner = asyncio.Runner()
        self._client = guarded_client(
            settings.FETCH_NETWORKS,
            keepalive=1,
            timeout=STEP_SECONDS,
            resolver=self._resolver,
            headers={"User-Agent": self._user_agent, "Accept-Encoding": ", ".join(sorted(ENCODINGS))},
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._runner.run(self._client.aclose())
        finally:
            self._runner.close()

    def download(self, request: DownloadRequest) -> Download:
        """Return the response with any status. Only a body with status 200 is read.

        Raises:
            FetchError: the URL or its address is not allowed, the server cannot be reached, or a limit is exceeded.
        """
        import httpx2

        try:
            return self._runner.run(self._download(request))
        except TimeoutError as error:
            raise FetchError("The server did not respond in time.") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as error:
            # Same message for forbidden and unreachable addresses, so that it does not reveal the internal network.
            raise FetchError("The server cannot be reached.") from error

    async def _download(self, request: DownloadRequest) -> Download:
        url = check_url(request.url)
        origin = get_origin(str(url))
        async with asyncio.timeout(request.seconds):
            for left in range(request.max_redirects, -1, -1):
                self._client.cookies.clear()
                is_origin = get_origin(str(url)) == origin
                headers = {**request.headers, **(request.credentials if is_origin else {})}
                built = self._client.build_request("GET", url, headers=headers)
                response = await self._client.send(built, stream=True)
                try:
                    if not (left and response.has_redirect_location):
                        return await _read_response(response, request)
                    url = _get_location(url, response)
                finally:
                    await response.aclose()
        raise FetchError(f"The server redirects more than {request.max_redirects} times.")


def _get_location(url: "URL", response: "Response") -> "URL":
    return check_url(str(url.join(response.headers["Location"])))


async def _read_response(response: "Response", request: DownloadRequest) -> Download:
    headers = {name.lower(): value for name, value in response.headers.items()}
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    found: dict[str, Any] = {"url": str(response.url), "status": response.status_code, "headers": headers}
    if response.has_redirect_location:
        return Download(**found, location=str(response.url.join(response.headers["Location"])))
    is_accepted = request.accepts is None or request.accepts(media_type)
    if response.status_code != HTTPStatus.OK or not is_accepted:
        return Download(**found, media_type=media_type)
    if headers.get("content-encoding", "identity").lower() not in ENCODINGS:
        raise FetchError("The server uses an unsupported content encoding.")
    body: IO[bytes] = tempfile.SpooledTemporaryFile(MAX_SPOOLED)  # noqa: SIM115 - the caller closes it
    size = 0
    try:
        async for piece in response.aiter_bytes(READ_SIZE):
            size += len(piece)
            if size > request.max_bytes:
                raise FetchError(f"The file is larger than {request.max_bytes} bytes.")
            body.write(piece)
    except BaseException:
        body.close()
        raise
    body.seek(0)
    return Download(**found, media_type=media_type, charset=response.charset_encoding, body=body, size=size)
