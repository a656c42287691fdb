"""Cross-encoders behind an endpoint in the format of Cohere, Jina or Text Embeddings Inference.

A cross-encoder reads query and passage together (Nogueira and Cho, "Passage Re-ranking with BERT", 2019).
"""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
from django.conf import settings

from config.http.tls import ssl_context
from knowledge.rerankers.base import RerankError, RerankPauseError, check_scores

MAX_RESPONSE = 1_000_000
MAX_TEXT = 8000
# After a failure, searches do not wait for the endpoint for this time.
PAUSE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Shape:
    """Path, request and response of a kind of endpoint."""

    path: str
    default_url: str
    build_body: Callable[[str, str, Sequence[str]], dict[str, Any]]
    read_pairs: Callable[[Any], list[tuple[Any, Any]]]


def _build_documents(model: str, query: str, texts: Sequence[str]) -> dict[str, Any]:
    body = {"query": query, "documents": list(texts), "top_n": len(texts)}
    return body | ({"model": model} if model else {})


def _build_texts(model: str, query: str, texts: Sequence[str]) -> dict[str, Any]:
    # The server has one model, so the request names none.
    return {"query": query, "texts": list(texts), "truncate": True}


def _read_results(answer: Any) -> list[tuple[Any, Any]]:
    return [(row["index"], row["relevance_score"]) for row in answer["results"]]


def _read_scores(answer: Any) -> list[tuple[Any, Any]]:
    return [(row["index"], row["score"]) for row in answer]


SHAPES = {
    "cohere": Shape("v2/rerank", "https://api.cohere.com", _build_documents, _read_results),
    "jina": Shape("v1/rerank", "https://api.jina.ai", _build_documents, _read_results),
    "tei": Shape("rerank", "http://127.0.0.1:8080", _build_texts, _read_scores),
}


@dataclass
class EndpointReranker:
    """Requests scores of passages; fails at once for a while after a failure.

    `timeout` is the time limit of the whole request in seconds.
    """

    shape: str = "cohere"
    base_url: str = ""
    api_key: str = field(default="", repr=False)
    model: str = ""
    timeout: float = 2.0
    pause: float = PAUSE_SECONDS
    _failed_at: float | None = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __call__(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return one score per text.

        Raises:
            RerankError: If the endpoint fails, is slow or gives an invalid answer.
        """
        with self._lock:
            failed_at = self._failed_at
        if failed_at is not None and time.monotonic() - failed_at < self.pause:
            raise RerankPauseError("the reranker failed recently and was not asked")
        try:
            scores = self._request(query, [text[:MAX_TEXT] for text in texts])
        except RerankError:
            with self._lock:
                self._failed_at = time.monotonic()
            raise
        with self._lock:
            self._failed_at = None
        return scores

    def _request(self, query: str, texts: list[str]) -> list[float]:
        shape = SHAPES.get(self.shape)
        if shape is None:
            raise RerankError(f"unknown RERANKER_SHAPE; supported are {', '.join(SHAPES)}")
        body = self._post(shape, shape.build_body(self.model, query, texts))
        try:
            pairs = shape.read_pairs(json.loads(body))
        except (ValueError, KeyError, TypeError, RecursionError):
            raise RerankError("the reranker gave no scores") from None
        return _order_scores(pairs, len(texts))

    def _post(self, shape: Shape, body: dict[str, Any]) -> bytes:
        """Return the body of the response; the error never contains the URL or key."""
        url = f"{(self.base_url or shape.default_url).rstrip('/')}/{shape.path}"
        headers = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        deadline = time.monotonic() + self.timeout
        try:
            with (
                httpx.Client(timeout=self.timeout, verify=ssl_context(trust_env=True)) as client,
                client.stream("POST", url, json=body, headers=headers) as response,
            ):
                if not response.is_success:
                    raise RerankError(f"the reranker answered {response.status_code}")
                return _read_body(response, deadline)
        except httpx.TimeoutException:
            raise RerankError("the reranker did not answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise RerankError(f"the reranker cannot be reached ({type(error).__name__})") from None


def _read_body(response: httpx.Response, deadline: float) -> bytes:
    body = bytearray()
    for piece in response.iter_bytes():
        body += piece
        if len(body) > MAX_RESPONSE:
            raise RerankError("the answer of the reranker is too long")
        if time.monotonic() > deadline:
            raise RerankError("the reranker did not answer in time")
    return bytes(body)


def _order_scores(pairs: list[tuple[Any, Any]], count: int) -> list[float]:
    """Return the scores in the order of the texts; each text must have exactly one."""
    scores: dict[int, float] = {}
    for index, score in pairs:
        if type(index) is not int or not 0 <= index < count or index in scores:
            raise RerankError("the reranker gave an invalid index")
        if type(score) not in {int, float}:
            raise RerankError("the reranker gave scores that are not numbers")
        scores[index] = score
    return check_scores([scores[index] for index in sorted(scores)], count)


def get_endpoint_reranker() -> EndpointReranker | None:
    """Return the reranker in the settings, or None if they name neither an endpoint nor a key."""
    if not (settings.RERANKER_URL or settings.RERANKER_KEY):
        return None
    return _create_reranker(
        settings.RERANKER_SHAPE,
        settings.RERANKER_URL,
        settings.RERANKER_KEY,
        settings.RERANKER_MODEL,
        settings.RERANKER_TIMEOUT,
    )


@cache
def _create_reranker(*options: Any) -> EndpointReranker:
    """Cache rerankers per process, because they remember failures."""
    return EndpointReranker(*options)
