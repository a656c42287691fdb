"""Embeddings from an endpoint compatible with OpenAI's `POST /v1/embeddings`."""

import math
import time
from collections.abc import Sequence
from typing import Any, ClassVar

import httpx

from config.http.tls import ssl_context
from knowledge.embedders.base import EmbeddingError, Vector

DEFAULT_BASE_URL = "https://api.openai.com/v1"
BATCH = 64
MAX_WAIT = 10.0


class OpenAIEmbedder:
    """Requests vectors in batches; retries 429, 5xx and lost connections.

    Responses are validated: one finite vector of the right length per text.

    Args:
        send_dimensions: Whether to request vectors with `dimensions` numbers.
        truncate: Whether to shorten longer vectors to `dimensions` and normalize them, for models trained for it
            (Kusupati and others, "Matryoshka Representation Learning", 2022).
        query_prefix: Text before each query, as some models need.
        passage_prefix: Text before each passage.
        timeout: Seconds for each step of a request.
    """

    kind: ClassVar[str] = "openai"
    default_base_url: ClassVar[str] = DEFAULT_BASE_URL
    path: ClassVar[str] = "embeddings"

    def __init__(
        self,
        *,
        model: str,
        dimensions: int,
        base_url: str | None = None,
        api_key: str | None = None,
        send_dimensions: bool = False,
        truncate: bool = False,
        query_prefix: str = "",
        passage_prefix: str = "",
        timeout: float = 30.0,
        retries: int = 2,
        backoff: float = 0.5,
    ) -> None:
        self.name = f"{self.kind}:{model}"
        self.model = model
        self.dimensions = dimensions
        self.send_dimensions, self.truncate = send_dimensions, truncate
        self.query_prefix, self.passage_prefix = query_prefix, passage_prefix
        self.retries = retries
        self.backoff = backoff
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._settings: dict[str, Any] = {
            "base_url": base_url or self.default_base_url,
            "headers": headers,
            "timeout": timeout,
            "verify": ssl_context(trust_env=True),
        }

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return one vector per passage, in order; raise EmbeddingError on failure."""
        return self._embed([self.passage_prefix + text for text in texts])

    def embed_query(self, text: str) -> Vector:
        """Return the vector of a query; raise EmbeddingError on failure."""
        return self._embed([self.query_prefix + text])[0]

    def _embed(self, texts: Sequence[str]) -> list[Vector]:
        with httpx.Client(**self._settings) as client:
            batches = [texts[at : at + BATCH] for at in range(0, len(texts), BATCH)]
            return [vector for batch in batches for vector in self._batch(client, batch)]

    def _batch(self, client: httpx.Client, texts: Sequence[str]) -> list[Vector]:
        # Endpoints reject empty inputs, and a chunk may be empty after cleaning.
        response = self._post(client, self.build_body([text or " " for text in texts]))
        try:
            vectors = [[float(value) for value in row] for row in self.read_rows(response.json())]
            if self.truncate:
                vectors = [_shorten(vector, self.dimensions) for vector in vectors]
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            raise EmbeddingError("the embeddings endpoint gave no embeddings") from None
        self._check(vectors, len(texts))
        return vectors

    def build_body(self, texts: list[str]) -> dict[str, Any]:
        """Return the body of a request."""
        size = {"dimensions": self.dimensions} if self.send_dimensions else {}
        return {"model": self.model, "input": texts, "encoding_format": "float", **size}

    def read_rows(self, answer: Any) -> list[Any]:
        """Return the vectors of an answer in the order of the texts."""
        return [row["embedding"] for row in sorted(answer["data"], key=lambda row: row["index"])]

    def _check(self, vectors: list[Vector], count: int) -> None:
        if len(vectors) != count:
            raise EmbeddingError(f"the embeddings endpoint gave {len(vectors)} vectors for {count} texts")
        for vector in vectors:
            if len(vector) != self.dimensions:
                raise EmbeddingError(
                    f"expected {self.dimensions} dimensions, the endpoint gave {len(vector)}"
                )
            if not all(map(math.isfinite, vector)):
                raise EmbeddingError("the embeddings endpoint gave a vector with numbers that are not finite")

    def _post(self, client: httpx.Client, body: dict[str, Any]) -> httpx.Response:
        """Return the first successful response; the error never contains the URL or key."""
        problem = ""
        for attempt in range(self.retries + 1):
            asked = 0.0
            try:
                response = client.post(self.path, json=body)
            except httpx.TimeoutException:
                problem = "did not answer in time"
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                problem = f"cannot be reached ({type(error).__name__})"
            else:
                if response.is_success:
                    return response
                problem = f"answered {response.status_code}"
                if response.status_code != 429 and response.status_code < 500:
                    break
                asked = _retry_after(response)
            if attempt < self.retries:
                time.sleep(min(MAX_WAIT, max(self.backoff * 2**attempt, asked)))
        raise EmbeddingError(f"the embeddings endpoint {problem}")


def _shorten(vector: Vector, dimensions: int) -> Vector:
    """Return the first `dimensions` numbers, with length one; NaN if the length overflows."""
    part = vector[:dimensions]
    length = math.hypot(*part)
    return [value / length if math.isfinite(length) else math.nan for value in part] if length else part


def _retry_after(response: httpx.Response) -> float:
    try:
        return max(0.0, float(response.headers.get("Retry-After", 0)))
    except ValueError:
        return 0.0
