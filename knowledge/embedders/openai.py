"""Embeddings from an endpoint compatible with OpenAI's `POST /v1/embeddings`."""

import math
import time
from collections.abc import Sequence
from typing import Any

import httpx

from config.http.tls import ssl_context
from knowledge.embedders.base import EmbeddingError, Vector

DEFAULT_BASE_URL = "https://api.openai.com/v1"
BATCH = 64
MAX_WAIT = 10.0


class OpenAIEmbedder:
    """Requests vectors in batches; retries 429, 5xx and lost connections.

    `timeout` is in seconds for each step of a request. Responses are validated: one finite vector of the right
    length per text.
    """

    def __init__(
        self,
        *,
        model: str,
        dimensions: int,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float = 30.0,
        retries: int = 2,
        backoff: float = 0.5,
    ) -> None:
        self.name = f"openai:{model}"
        self.model = model
        self.dimensions = dimensions
        self.retries = retries
        self.backoff = backoff
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._settings: dict[str, Any] = {
            "base_url": base_url or DEFAULT_BASE_URL,
            "headers": headers,
            "timeout": timeout,
            "verify": ssl_context(trust_env=True),
        }

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return one vector per text, in order; raise EmbeddingError on failure."""
        with httpx.Client(**self._settings) as client:
            batches = [texts[at : at + BATCH] for at in range(0, len(texts), BATCH)]
            return [vector for batch in batches for vector in self._batch(client, batch)]

    def embed_query(self, text: str) -> Vector:
        """Return the vector of a query; raise EmbeddingError on failure."""
        return self.embed([text])[0]

    def _batch(self, client: httpx.Client, texts: Sequence[str]) -> list[Vector]:
        # Endpoints reject empty inputs, and a chunk may be empty after cleaning.
        body = {"model": self.model, "input": [text or " " for text in texts], "encoding_format": "float"}
        response = self._post(client, body)
        try:
            rows = sorted(response.json()["data"], key=lambda row: row["index"])
            vectors = [[float(value) for value in row["embedding"]] for row in rows]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise EmbeddingError("the embeddings endpoint gave no embeddings") from None
        self._check(vectors, len(texts))
        return vectors

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
                response = client.post("embeddings", json=body)
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


def _retry_after(response: httpx.Response) -> float:
    try:
        return max(0.0, float(response.headers.get("Retry-After", 0)))
    except ValueError:
        return 0.0
