"""JSON columns with a schema in the OpenAPI document."""

import json

import pytest
from django.db import models

from config.api.docs import document
from config.api.routers import build_router
from config.db.json_schema import get_json_schemas


def typed_columns():
    for _, view, _ in build_router().registry:
        meta = getattr(getattr(view, "serializer_class", None), "Meta", None)
        for field in meta.model._meta.concrete_fields if meta else ():
            shapes = get_json_schemas(field) if isinstance(field, models.JSONField) else ()
            if shapes and field.name in meta.fields:
                name = view.serializer_class.__name__.removesuffix("Serializer")
                yield pytest.param(name, field.name, shapes, id=f"{name}.{field.name}")


@pytest.mark.parametrize(("name", "column", "shapes"), typed_columns())
def test_column_refers_to_the_components_of_its_schemas(name, column, shapes):
    components = document()["components"]["schemas"]
    member = json.dumps(components[name]["properties"][column])

    for shape in shapes:
        assert f'"#/components/schemas/{shape.__name__}"' in member
        found, built = components[shape.__name__], shape.model_json_schema()
        assert found["title"] == built["title"]
        assert found.get("required") == built.get("required")
        assert found.get("properties", {}).keys() == built.get("properties", {}).keys()


def test_several_resources_have_typed_columns():
    assert {"Workflow.definition", "WorkflowTrigger.config"} <= {each.id for each in typed_columns()}
