"""JSON Schema of the definition language, for editors and other tools."""

from typing import Any

from .definition import WorkflowDefinition


def build_language_schema() -> dict[str, Any]:
    """Return the JSON Schema of documents."""
    built = _remove_titles(WorkflowDefinition.model_json_schema())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "conclave.workflow/1",
        **built,
    }


def _remove_titles(schema: Any) -> Any:
    """Return a schema without the titles that repeat the names of members."""
    if isinstance(schema, list):
        return [_remove_titles(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _remove_titles(each)
        for name, each in schema.items()
        if not (name == "title" and isinstance(each, str))
    }
