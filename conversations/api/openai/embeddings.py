"""POST /v1/embeddings, with a local embedder or a model of a tenant integration."""

import base64
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from django.http import HttpResponse
from pydantic import Field, StringConstraints

from agents.runtime.concurrency import waiting_for_model
from config.api.idempotency import RequestInProgress, ResumableResponse
from config.api.views import json_response
from conversations.api.compat import CompatView, ModelNotFoundError
from conversations.api.parameters import EMBEDDINGS
from conversations.api.wire_models import CompatError, WireModel, validate_schema
from conversations.completions import embeddings
from conversations.completions.turns import UnknownModelError
from knowledge.embedders import local_embedders

from .errors import error_body
from .schemas import Name

# Longer than a request to the endpoint of the model.
DEADLINE_SECONDS = 2 * embeddings.TIMEOUT_SECONDS
Input = Annotated[str, StringConstraints(min_length=1, max_length=200_000)]


Token = Annotated[int, Field(ge=0, lt=2**31, strict=True)]
Tokens = Annotated[list[Token], Field(min_length=1, max_length=100_000)]


class EmbeddingRequest(WireModel):
    table = EMBEDDINGS

    model: Name
    input: (
        Input
        | Annotated[list[Input], Field(min_length=1, max_length=2048)]
        | Tokens
        | Annotated[list[Tokens], Field(min_length=1, max_length=2048)]
    )
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Field(ge=1)] | None = None


@dataclass(frozen=True, slots=True)
class EmbeddingResponse(ResumableResponse[None]):
    """The response to an embedding request, which stores no rows.

    Its reference is the time after which a repeated request computes the embeddings again.
    """

    respond: Callable[[], HttpResponse]

    def begin(self) -> None:
        """Store nothing."""

    def describe(self, begun: None) -> dict[str, Any]:
        """Return the time at which the request has failed if it has no response."""
        return {"deadline": time.time() + DEADLINE_SECONDS}

    def finish(self, begun: None) -> HttpResponse:
        """Return the response."""
        return self.respond()

    def resume(self, reference: dict[str, Any]) -> HttpResponse:
        """Compute the embeddings of a request whose process has died.

        Raises:
            RequestInProgress: the first request may still be in progress.
        """
        if time.time() < reference["deadline"]:
            raise RequestInProgress
        return self.respond()

    def can_resume(self, reference: dict[str, Any]) -> bool:
        """Return False: nothing is stored before the response."""
        return False


class EmbeddingsView(CompatView):
    """Embeddings of texts."""

    dialect = staticmethod(error_body)

    def post(self, request: Any) -> HttpResponse:
        """Return one vector per text, as numbers or as base64 of little-endian 4-byte floats."""
        body = validate_schema(EmbeddingRequest, request.data)
        is_local = body.model in local_embedders()
        self.require(*(("collections", "read") if is_local else ("integrations", "execute")))
        embed = self._embed_locally if is_local else self._embed_with_integration

        def respond() -> HttpResponse:
            vectors, tokens = embed(body.model, _to_list(body.input))
            embeddings.meter_embeddings(self.caller(), body.model, len(vectors))
            return json_response(_render(body, vectors, tokens))

        return self.idempotent_request().run_in_steps(self.scoped, EmbeddingResponse(respond))  # type: ignore[no-any-return]

    def _embed_locally(self, model: str, texts: list[str | list[int]]) -> embeddings.EmbeddingResult:
        try:
            return embeddings.embed_locally(model, embeddings.decode_tokens(texts))
        except embeddings.TokensError as error:
            raise CompatError("input", str(error)) from None

    def _embed_with_integration(self, model: str, texts: list[str | list[int]]) -> embeddings.EmbeddingResult:
        try:
            with waiting_for_model(self.credential.tenant_id):
                return embeddings.embed_with_integration(model, texts, self.caller())
        except UnknownModelError:
            raise ModelNotFoundError(model) from None


def _render(body: EmbeddingRequest, vectors: list[list[float]], tokens: int) -> dict[str, Any]:
    if body.dimensions not in (None, len(vectors[0])):
        raise CompatError("dimensions", f"This model only supports {len(vectors[0])} dimensions.")
    shown = _as_base64 if body.encoding_format == "base64" else list
    data = [
        {"object": "embedding", "index": place, "embedding": shown(vector)}
        for place, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": body.model, "usage": usage}


def _to_list(given: str | list[str] | list[int] | list[list[int]]) -> list[str | list[int]]:
    """Return the texts or token arrays; a list of numbers is one token array."""
    if isinstance(given, str) or isinstance(given[0], int):
        return [given]  # type: ignore[list-item]
    return list(given)  # type: ignore[arg-type]


def _as_base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
