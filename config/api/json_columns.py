"""JSON columns in the OpenAPI document: their Pydantic schemas as components."""

from typing import Any

from django.db import models
from drf_spectacular.plumbing import ResolvedComponent
from pydantic import BaseModel

from config.db.json_schema import get_json_schemas

REFERENCE = "#/components/schemas/{model}"


def is_json_column(schema: dict[str, Any]) -> bool:
    """Return whether a component is the schema of a JSON column. Only Pydantic adds titles."""
    return "title" in schema


def describe_json_column(field: Any, registry: Any) -> dict[str, Any] | None:
    """Return the schema of a serializer field, or None if its column has no schema.

    Args:
        registry: Receives the components that the schema refers to.
    """
    model = getattr(getattr(field.parent, "Meta", None), "model", None)
    if model is None or field.source not in {each.name for each in model._meta.concrete_fields}:
        return None
    column = model._meta.get_field(field.source)
    shapes = get_json_schemas(column) if isinstance(column, models.JSONField) else ()
    references = [_register(shape, registry) for shape in shapes]
    return references[0] if len(references) == 1 else {"anyOf": references} if references else None


def _register(shape: type[BaseModel], registry: Any) -> dict[str, Any]:
    """Add the components of a schema and return the reference to it."""
    built = shape.model_json_schema(ref_template=REFERENCE)
    parts = built.pop("$defs", {})
    for name, schema in {**parts, shape.__name__: built}.items():
        if schema.get("type") == "object":
            schema.setdefault("additionalProperties", True)
        component = ResolvedComponent(name=name, type=ResolvedComponent.SCHEMA, schema=schema, object=name)
        registry.register_on_missing(component)
    return {"$ref": REFERENCE.format(model=shape.__name__)}
