"""Similarity search: the action `similar` and the embedding of changed rows."""

from typing import Any, ClassVar

from django.http import HttpResponse
from rest_framework import serializers

from config.api.serializers import cached_serializer
from config.api.views import json_response
from workflows.services.similarity import defer_embedding


class SimilarRequestSerializer(serializers.Serializer):
    """A similarity query."""

    text = serializers.CharField(max_length=4000, help_text="Text to compare with.")
    limit = serializers.IntegerField(
        min_value=1, max_value=50, default=10, help_text="Maximum number of results."
    )


class SimilarityMixin:
    """Viewset mixin for similarity search; a job embeds created and changed rows."""

    verbs: ClassVar[dict[str, str]] = {"similar": "read"}

    def perform_create(self, serializer: Any) -> Any:
        made = super().perform_create(serializer)  # type: ignore[misc]
        defer_embedding()
        return made

    def perform_update(self, serializer: Any) -> None:
        super().perform_update(serializer)  # type: ignore[misc]
        defer_embedding()

    def request_data(self, serializer_class: Any = SimilarRequestSerializer) -> Any:
        """Return the validated request body."""
        request_data = serializer_class(data=self.request.data)  # type: ignore[attr-defined]
        request_data.is_valid(raise_exception=True)
        return request_data.validated_data

    def similar_response(self, name: str, found: list[Any]) -> HttpResponse:
        """Return a response with each row under `name` and its distance."""
        show = cached_serializer(self.serializer_class).to_representation  # type: ignore[attr-defined]
        return json_response(
            {"results": [{name: show(each), "distance": float(each.distance)} for each in found]}
        )


def build_similar_serializer(name: str, serializer_class: Any) -> Any:
    """Return the response serializer of `near`, for the OpenAPI schema."""
    model = serializer_class.Meta.model.__name__
    distance = serializers.FloatField(
        help_text="Cosine distance: 0 for identical texts, 1 for unrelated texts."
    )
    one = type(
        f"Near{model}Serializer", (serializers.Serializer,), {name: serializer_class(), "distance": distance}
    )
    return type(f"Near{model}sSerializer", (serializers.Serializer,), {"results": one(many=True)})
