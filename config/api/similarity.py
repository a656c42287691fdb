"""Similarity search: requests, responses and the mixin of the action `similar`."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse
from rest_framework import serializers

from .serializers import cached_serializer
from .views import json_response
from .viewsets import ReadOnlyTenantViewSet


class SimilarRequestSerializer(serializers.Serializer):
    """A similarity query."""

    text = serializers.CharField(max_length=4000, help_text="Text to compare with.")
    limit = serializers.IntegerField(
        min_value=1, max_value=50, default=10, help_text="Maximum number of results."
    )


class SimilarityMixin(ReadOnlyTenantViewSet):
    """Support for the action `similar`."""

    verbs = {"similar": "read"}

    def similar_response(self, name: str, found: Iterable[Any]) -> HttpResponse:
        """Return a response with each row under `name` and its distance."""
        show = cached_serializer(self.serializer_class).to_representation
        return json_response(
            {"results": [{name: show(each), "distance": float(each.distance)} for each in found]}
        )


def build_similar_serializer(name: str, serializer_class: Any, title: str = "") -> Any:
    """Return the response serializer of `similar`, for the OpenAPI schema.

    Args:
        name: The member that holds a row.
        title: Part of the component's name, by default the model's name.
    """
    title = title or serializer_class.Meta.model.__name__
    distance = serializers.FloatField(
        help_text="Cosine distance: 0 for identical texts, 1 for unrelated texts."
    )
    members = {"__doc__": f"A result of type {name} and its distance.", name: serializer_class()}
    one = type(f"Near{title}Serializer", (serializers.Serializer,), {**members, "distance": distance})
    page = {"__doc__": "Results, most similar first.", "results": one(many=True)}
    return type(f"Near{title}sSerializer", (serializers.Serializer,), page)
