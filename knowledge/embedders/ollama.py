"""Embeddings from Ollama's `POST /api/embed`."""

from typing import Any, ClassVar

from knowledge.embedders.openai import OpenAIEmbedder


class OllamaEmbedder(OpenAIEmbedder):
    """Requests vectors from Ollama, which truncates texts that exceed the context of the model."""

    kind: ClassVar[str] = "ollama"
    default_base_url: ClassVar[str] = "http://127.0.0.1:11434"
    path: ClassVar[str] = "api/embed"

    def build_body(self, texts: list[str]) -> dict[str, Any]:
        """Return the body of a request."""
        size = {"dimensions": self.dimensions} if self.send_dimensions else {}
        return {"model": self.model, "input": texts, "truncate": True, **size}

    def read_rows(self, answer: Any) -> list[Any]:
        """Return the vectors of an answer in the order of the texts."""
        return list(answer["embeddings"])
