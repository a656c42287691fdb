"""Requests and responses of similarity endpoints."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse
from rest_framework import serializers

from config.api.serializers import BaseSerializer, cached_serializer
from config.api.views import json_response


class SimilarRequestSerializer(serializers.Serializer):
    """A similarity query."""

    text = serializers.CharField(max_length=4000, help_text="Text to compare with.")
    limit = serializers.IntegerField(
        min_value=1, max_value=50, default=10, help_text="Maximum number of results."
    )


def build_similar_serializer(name: str, serializer_class: type[BaseSerializer]) -> Any:
    """Return the response serializer of `similar`, for the OpenAPI schema."""
    model = serializer_class.Meta.model.__name__
    distance = serializers.FloatField(
        help_text="Cosine distance: 0 for identical texts, 1 for unrelated texts."
    )
    one = type(
        f"Near{model}Serializer", (serializers.Serializer,), {name: serializer_class(), "distance": distance}
    )
    return type(f"Near{model}sSerializer", (serializers.Serializer,), {"results": one(many=True)})


def similar_response(name: str, serializer_class: type[BaseSerializer], found: Sequence[Any]) -> HttpResponse:
    """Return a response with each row under `name`, and its distance."""
    show = cached_serializer(serializer_class).to_representation
    return json_response(
        {"results": [{name: show(each), "distance": float(each.distance)} for each in found]}
    )
