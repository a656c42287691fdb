"""Rows that are found by what they mean: the action `similar`, and the job behind every write."""

from typing import Any, ClassVar

from django.http import HttpResponse
from rest_framework import serializers

from config.api.serializers import reader
from config.api.views import json_response
from workflows.services.meaning import defer_embedding


class LikenessSerializer(serializers.Serializer):
    """What rows should be near to."""

    text = serializers.CharField(max_length=4000, help_text="Words to compare with.")
    limit = serializers.IntegerField(min_value=1, max_value=50, default=10, help_text="At most so many.")


class Embedded:
    """Mix-in of a viewset whose rows have vectors: what is made or changed is embedded by a job."""

    verbs: ClassVar[dict[str, str]] = {"similar": "read"}

    def perform_create(self, serializer: Any) -> Any:
        made = super().perform_create(serializer)  # type: ignore[misc]
        defer_embedding()
        return made

    def perform_update(self, serializer: Any) -> None:
        super().perform_update(serializer)  # type: ignore[misc]
        defer_embedding()

    def asked(self, serializer_class: Any = LikenessSerializer) -> Any:
        """What the body asks for."""
        asked = serializer_class(data=self.request.data)  # type: ignore[attr-defined]
        asked.is_valid(raise_exception=True)
        return asked.validated_data

    def near(self, name: str, found: list[Any]) -> HttpResponse:
        """The rows, nearest first, each under `name` beside its distance."""
        show = reader(self.serializer_class).to_representation  # type: ignore[attr-defined]
        return json_response(
            {"results": [{name: show(each), "distance": float(each.distance)} for each in found]}
        )


def near_serializer(name: str, serializer_class: Any) -> Any:
    """The shape of what `near` answers, for the API's description."""
    model = serializer_class.Meta.model.__name__
    distance = serializers.FloatField(help_text="Cosine distance: 0 is the same, 1 has nothing in common.")
    one = type(
        f"Near{model}Serializer", (serializers.Serializer,), {name: serializer_class(), "distance": distance}
    )
    return type(f"Near{model}sSerializer", (serializers.Serializer,), {"results": one(many=True)})
