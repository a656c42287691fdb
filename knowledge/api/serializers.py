"""Serializers of collections, documents, chunks and queries."""

from typing import Any

from django.core.exceptions import ValidationError
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from config.api.serializers import BaseSerializer, ReadOnlySerializer
from config.api.sql_serialization import ColumnSQL, quote_identifier
from knowledge.embedders import default_embedder
from knowledge.models import Chunk, Collection, Document, RagQuery
from knowledge.services.chunks import WARNINGS, list_warnings
from knowledge.services.collections import check_model
from knowledge.services.library import keep_file_keys


class CollectionSerializer(BaseSerializer):
    """A set of documents that agents answer from."""

    class Meta:
        model = Collection
        fields = (
            "name",
            "slug",
            "description",
            "language",
            "embedding_model",
            "next_embedding_model",
            "dimensions",
            "chunk_size",
            "chunk_overlap",
            "document_count",
            "chunk_count",
            "status",
            "is_sensitive",
            "question_progress",
            "question_error",
            "settings",
            "metadata",
        )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Validate the embedding model and set its dimensions."""
        attrs = super().validate(attrs)
        if self.instance is None:
            attrs.setdefault("embedding_model", default_embedder(attrs.get("language", "")).name)
        if "embedding_model" in attrs:
            attrs["dimensions"] = self._dimensions(attrs)
        return attrs

    def _dimensions(self, attrs: dict[str, Any]) -> int:
        collection: Any = self.instance
        try:
            return check_model(collection, attrs["embedding_model"])
        except ValidationError as error:
            (found,) = error.error_dict["embedding_model"]
            text = " ".join(found.messages)
            refusal = ErrorDetail(text, code=found.code)
            raise serializers.ValidationError({"embedding_model": [refusal]}) from None


class WarningSerializer(serializers.Serializer):
    """Content of a file that the parser did not read."""

    code = serializers.CharField(help_text="Kind of content, such as `needs_ocr`.")
    count = serializers.IntegerField(help_text="Number of occurrences.")
    message = serializers.CharField(help_text="Description.")


@extend_schema_field(WarningSerializer(many=True))
class WarningsField(serializers.ReadOnlyField):
    """The parser's warnings in the metadata of a document."""

    def to_representation(self, value: dict[str, Any]) -> list[dict[str, Any]]:
        return list_warnings(value)

    def as_sql(self, model: Any, table: str) -> ColumnSQL:
        """Return the valid warnings in the metadata, or an empty array."""
        column = f"{table}.{quote_identifier('metadata')}"
        # Strict path: lax mode would also take a single object for an array.
        path = f'strict $.{WARNINGS}[*] ? (@.message.type() == "string")'
        found = f"jsonb_path_query_array({column}, '{path}', '{{}}', true)"
        return ColumnSQL(found, f"{column} ? '{WARNINGS}'")


class DocumentSerializer(BaseSerializer):
    """A document of a collection, with its indexing status, error and warnings."""

    warnings = WarningsField(source="metadata", help_text="Content of the file that was not read.")

    class Meta:
        model = Document
        fields = (
            "collection",
            "title",
            "filename",
            "source",
            "origin",
            "file_type",
            "file_size",
            "language",
            "checksum",
            "indexed_checksum",
            "status",
            "progress",
            "chunk_count",
            "error_message",
            "warnings",
            "metadata",
            "connector",
            "source_version",
            "uploaded_by",
            "uploaded_at",
        )
        read_only_fields = (
            "collection",
            "filename",
            "source",
            "file_type",
            "file_size",
            "checksum",
            "status",
            "error_message",
        )

    def validate_metadata(self, value: dict[str, Any]) -> dict[str, Any]:
        """Keep the keys that link the copies of a file."""
        return keep_file_keys(value, getattr(self.instance, "metadata", {}))


class ChunkSerializer(ReadOnlySerializer):
    """A passage of a document."""

    class Meta:
        model = Chunk
        fields = (
            "collection",
            "document",
            "chunk_index",
            "content",
            "context",
            "page",
            "start",
            "end",
            "token_count",
            "language",
            "embedding_model",
            "semantic_keywords",
            "semantic_category",
            "semantic_summary",
            "extracted_entities",
            "metadata",
        )


class RagQuerySerializer(BaseSerializer):
    """A recorded search and the user's feedback on its results."""

    class Meta:
        model = RagQuery
        fields = (
            "collection",
            "agent_id",
            "conversation_id",
            "user_id",
            "query_text",
            "results",
            "top_score",
            "retrieval_strategy",
            "filters",
            "response_time_ms",
            "user_feedback",
        )
        read_only_fields = tuple(name for name in fields if name != "user_feedback")
