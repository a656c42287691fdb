"""Serializer fields of this app."""

from typing import Any

from pydantic import BaseModel
from rest_framework import serializers

from config.db.json_schema import SchemaError, validation_errors


def nest_errors(found: list[SchemaError]) -> Any:
    """Return the errors nested as in DRF, so each points at its place in the request body."""
    tree: dict[str, Any] = {}
    for path, text in found:
        if not path:
            return [text]
        branch = tree
        for step in path[:-1]:
            inner = branch.setdefault(str(step), {})
            branch = inner if isinstance(inner, dict) else {}
        branch.setdefault(str(path[-1]), [text])
    return tree


class SchemaField(serializers.JSONField):
    """A JSON field validated against a Pydantic schema.

    Args:
        shape: The schema class.
    """

    def __init__(self, *, shape: type[BaseModel], **kwargs: Any) -> None:
        self.shape = shape
        kwargs.setdefault("required", False)
        kwargs.setdefault("help_text", shape.__doc__)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        if found := validation_errors(self.shape, value):
            raise serializers.ValidationError(nest_errors(found))
        return value
