"""Examples of request bodies, generated from their JSON Schemas.

    build_example({"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}, {})
    -> {"name": "Support"}

An example has the required members and those that `SAMPLES` names. Values come from the schema's example, default,
choices, format or limits, in this order, and from `SAMPLES`.
"""

import re
from typing import Any

Schema = dict[str, Any]

SAMPLES: dict[str, Any] = {
    "agent": "support",
    "content": "How do I reset my password?",
    "description": "Answers questions about orders.",
    "display_name": "Support",
    "email": "ada@example.com",
    "embedding_model": "lexical-hash-384",
    "end_time": "2026-01-31T10:00:00Z",
    "feedback": "The second paragraph names the wrong product.",
    "filename": "handbook.pdf",
    "model_name": "gpt-5-mini",
    "model": "gpt-5-mini",
    "name": "Support",
    "query": "refund policy",
    "question": "Which supplier should we choose?",
    "slug": "support",
    "summary": "Weekly review",
    "system_prompt": "Answer in the language of the question.",
    "term": "SLA",
    "text": "Refunds are paid within 14 days.",
    "title": "Weekly review",
    "url": "https://example.com/hook",
}
IDENTIFIER = "0197f3a2-5c00-7d6e-8f90-a1b2c3d4e5f6"
FORMATS: dict[str, Any] = {
    "uuid": IDENTIFIER,
    "date": "2026-01-31",
    "date-time": "2026-01-31T09:30:00Z",
    "time": "09:30:00",
    "duration": "PT30M",
    "email": "ada@example.com",
    "uri": "https://example.com/",
    "decimal": "1.50",
    "binary": "(content of the file)",
    "ipv4": "192.0.2.1",
}
# Tried in order where a string has a pattern.
PATTERNED = ("support", "agents:read", "1.50", "1", "1.0", "00:00:5e:00:53:01", "09:30", "en", "EUR")
MAX_DEPTH = 6


def add_examples(result: Schema, generator: Any, request: Any, public: Any) -> Schema:
    """Add an example to each request body of the document that has none."""
    components = result.get("components", {}).get("schemas", {})
    for methods in result["paths"].values():
        for operation in methods.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                if not {"example", "examples"} & content.keys():
                    content["example"] = build_example(content["schema"], components)
    return result


def build_example(schema: Schema, components: Schema, name: str = "", depth: int = 0) -> Any:
    """Return a value of a schema.

    Args:
        components: Schemas by name, for references.
        name: Name of the member that has the value.
    """
    schema = _resolve(schema, components)
    if schema.get("examples"):
        return schema["examples"][0]
    for keyword in ("example", "const", "default"):
        if schema.get(keyword) not in (None, "", [], {}):
            return schema[keyword]
    if choices := [each for each in schema.get("enum", ()) if each not in (None, "")]:
        return choices[0]
    kinds = schema.get("type", "object")
    kind = next((each for each in kinds if each != "null"), "null") if isinstance(kinds, list) else kinds
    if kind == "object":
        return _build_object(schema, components, depth)
    if kind == "array":
        item = build_example(schema.get("items", {}), components, name.removesuffix("s"), depth + 1)
        return [item] * schema.get("minItems", 1)
    if kind == "string":
        return _build_string(schema, name)
    return _build_scalar(schema, kind)


def _resolve(schema: Schema, components: Schema) -> Schema:
    """Follow references, and choose the first alternative that is not null."""
    while True:
        if "$ref" in schema:
            schema = components[schema["$ref"].rpartition("/")[2]]
            continue
        alternatives = schema.get("oneOf") or schema.get("anyOf") or schema.get("allOf")
        if not alternatives:
            return schema
        rest = {key: value for key, value in schema.items() if key not in ("oneOf", "anyOf", "allOf")}
        chosen: Schema = next((each for each in alternatives if each.get("type") != "null"), {})
        schema = {**rest, **chosen}


def _build_object(schema: Schema, components: Schema, depth: int) -> Schema:
    properties = schema.get("properties", {})
    required = set(schema.get("required", ()))
    chosen = [name for name in properties if name in required or (depth == 0 and name in SAMPLES)]
    if not chosen and depth == 0:
        chosen = list(properties)[:1]
    if depth > MAX_DEPTH:
        chosen = []
    return {name: build_example(properties[name], components, name, depth + 1) for name in chosen}


def _build_string(schema: Schema, name: str) -> str:
    form = schema.get("format", "")
    sample = "" if form == "uuid" else SAMPLES.get(name, "")
    value = sample or FORMATS.get(form) or name.replace("_", " ").capitalize() or "Text"
    if pattern := schema.get("pattern"):
        value = next((each for each in (value, *PATTERNED) if re.search(pattern, each)), value)
    return str(value[: schema.get("maxLength")])


def _build_scalar(schema: Schema, kind: str) -> Any:
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    value = 1 if low is None else max(1, low + ("exclusiveMinimum" in schema))
    return value if high is None or value <= high else high
