"""Requests to web search services: Tavily and SerpApi."""

import json
from typing import Any, NamedTuple
from urllib.parse import urljoin

from agents.choices import WebSearchProvider
from agents.runtime.builtin_tools import ToolError
from agents.runtime.connection_check import EndpointError
from agents.runtime.providers import BREAKER_FAILURES, classify_error, http_client

ADDRESSES = {
    WebSearchProvider.TAVILY: "https://api.tavily.com",
    WebSearchProvider.SERPAPI: "https://serpapi.com",
}
PATHS = {WebSearchProvider.TAVILY: "/search", WebSearchProvider.SERPAPI: "/search.json"}
MAX_RESULTS = 10
MAX_TEXT_LENGTH = 1_000
MAX_QUERY_LENGTH = 400
MAX_RESPONSE_BYTES = 1024 * 1024
TIMEOUT_SECONDS = 20
# SerpApi reports an empty result as an error.
NO_RESULTS = "hasn't returned any results"
MESSAGES = {
    "authentication": "The search service rejected the API key.",
    "rate_limited": "The search service limits requests. Try again later.",
    "timeout": "The search service did not answer in time.",
    "unreachable": "The search service cannot be reached.",
    "bad_response": "The search service returned an invalid response.",
}


class SearchAccount(NamedTuple):
    """An account at a web search service."""

    id: Any
    platform: str
    base_url: str
    api_key: str


class WebSearchError(ToolError):
    """A search failed; the message is for the model. `counts` is true for outages of the service."""

    def __init__(self, message: str, *, counts: bool = False) -> None:
        super().__init__(message)
        self.counts = counts


async def search_web(account: SearchAccount, query: str, count: int) -> list[dict[str, str]]:
    """Return at most `count` results, best first, each with `title`, `url` and `text`.

    Raises:
        ToolError: the query is empty or too long.
        WebSearchError: the service failed.
    """
    query = " ".join(query.split())
    if not query or len(query) > MAX_QUERY_LENGTH:
        raise ToolError(f"The query must have between 1 and {MAX_QUERY_LENGTH} characters.")
    count = max(1, min(count, MAX_RESULTS))
    try:
        body = await _request(account, query, count)
        rows = _read_results(account.platform, body)
        return [_to_result(*row) for row in rows if row[1].startswith(("https://", "http://"))][:count]
    except Exception as error:  # noqa: BLE001 (the caller reports any failure)
        failure = classify_error(error)
        # Without the cause, whose text may contain the key: SerpApi expects it in the URL.
        message = MESSAGES.get(failure.kind, "The search service failed.")
        raise WebSearchError(message, counts=failure.kind in BREAKER_FAILURES) from None


async def _request(account: SearchAccount, query: str, count: int) -> Any:
    address = account.base_url or ADDRESSES[WebSearchProvider(account.platform)]
    url = urljoin(address, PATHS[WebSearchProvider(account.platform)])
    options: dict[str, Any]
    if account.platform == WebSearchProvider.TAVILY:
        method, options = "POST", {"json": {"query": query, "max_results": count, "search_depth": "basic"}}
        options["headers"] = {"Authorization": f"Bearer {account.api_key}"}
    else:
        parameters = {"engine": "google", "q": query, "num": str(count), "api_key": account.api_key}
        method, options = "GET", {"params": parameters}
    content = b""
    async with (
        http_client(TIMEOUT_SECONDS) as client,
        client.stream(method, url, **options) as response,
    ):
        if not response.is_success:
            raise EndpointError(response.status_code)
        async for piece in response.aiter_bytes():
            content += piece
            if len(content) > MAX_RESPONSE_BYTES:
                raise ValueError("The response is too large.")
    return json.loads(content)


def _read_results(platform: str, body: Any) -> list[tuple[str, str, str]]:
    """Return title, URL and text of each result.

    Raises:
        ValueError: the response has another format, or states an error.
    """
    if not isinstance(body, dict):
        raise ValueError("The response is not an object.")
    if platform == WebSearchProvider.TAVILY:
        rows, names = body.get("results"), ("title", "url", "content")
    else:
        if isinstance(error := body.get("error"), str):
            if NO_RESULTS in error:
                return []
            raise ValueError("The service reports an error.")
        rows, names = body.get("organic_results", []), ("title", "link", "snippet")
    if not isinstance(rows, list):
        raise ValueError("The response has no results.")
    found = [row for row in rows if isinstance(row, dict)]
    return [tuple(str(row.get(name) or "") for name in names) for row in found]  # type: ignore[misc]


def _to_result(title: str, url: str, text: str) -> dict[str, str]:
    return {"title": title[:300], "url": url[:2_000], "text": text[:MAX_TEXT_LENGTH]}
