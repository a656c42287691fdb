"""POST /v1/embeddings, with a local embedder or a model of a tenant integration."""

import base64
import struct
from typing import Annotated, Any, Literal

from django.http import HttpResponse
from pydantic import Field, StringConstraints

from agents.runtime.concurrency import waiting_for_model
from config.api.views import json_response
from conversations.api.compat import CompatView, ModelNotFoundError
from conversations.api.parameters import EMBEDDINGS
from conversations.api.wire_models import CompatError, WireModel, validate_schema
from conversations.completions import embeddings
from conversations.completions.turns import UnknownModelError

from .errors import error_body
from .models import offline_embedders
from .schemas import Name

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


class EmbeddingsView(CompatView):
    """Embeddings of texts."""

    dialect = staticmethod(error_body)
    accepts_idempotency_key = False

    def post(self, request: Any) -> HttpResponse:
        """Return one vector per text, as numbers or as base64 of little-endian 4-byte floats."""
        body = validate_schema(EmbeddingRequest, request.data)
        texts = _to_list(body.input)
        vectors, tokens = self._embed(body.model, texts)
        if body.dimensions not in (None, len(vectors[0])):
            raise CompatError("dimensions", f"This model only supports {len(vectors[0])} dimensions.")
        shown = _as_base64 if body.encoding_format == "base64" else list
        data = [
            {"object": "embedding", "index": place, "embedding": shown(vector)}
            for place, vector in enumerate(vectors)
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return json_response({"object": "list", "data": data, "model": body.model, "usage": usage})

    def _embed(self, model: str, texts: list[str | list[int]]) -> tuple[list[list[float]], int]:
        if model in offline_embedders():
            self.require("collections", "read")
            try:
                return embeddings.embed_locally(model, embeddings.decode_tokens(texts))
            except embeddings.TokensError as error:
                raise CompatError("input", str(error)) from None
        self.require("integrations", "execute")
        try:
            with waiting_for_model(self.credential.tenant_id):
                return embeddings.embed_with_integration(model, texts, self.caller())
        except UnknownModelError:
            raise ModelNotFoundError(model) from None


def _to_list(given: str | list[str] | list[int] | list[list[int]]) -> list[str | list[int]]:
    """Return the texts or token arrays; a list of numbers is one token array."""
    if isinstance(given, str) or isinstance(given[0], int):
        return [given]  # type: ignore[list-item]
    return list(given)  # type: ignore[arg-type]


def _as_base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
