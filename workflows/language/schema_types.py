"""CEL types of values that a JSON Schema or the kind of a step declares, by qualified name.

describe_schema("input", {"properties": {"topic": {"type": "string"}}}) -> {"input.topic": "string"}
"""

import re
from collections.abc import Callable
from typing import Any

from workflows.choices import StepKind

from .bodies import AgentBody, ApprovalBody, FormBody, StepBody

MAX_DEPTH = 5
NAME = re.compile(r"^[A-Za-z_]\w*$", re.ASCII)
# Numbers are not listed: 2 is an integer at run time, 2.5 is not.
SCALARS = {"string": "string", "boolean": "bool", "integer": "int"}
OBJECT: dict[str, Any] = {"type": "object"}
TEXT: dict[str, Any] = {"type": "string"}
INTEGER: dict[str, Any] = {"type": "integer"}
ANY: dict[str, Any] = {}
OUTPUTS: dict[StepKind, dict[str, Any]] = {
    StepKind.RETRIEVAL: {"type": "object"},
    StepKind.HTTP: {"type": "object", "properties": {"status": INTEGER, "headers": OBJECT, "body": ANY}},
    StepKind.CONDITION: {"type": "boolean"},
    StepKind.SWITCH: TEXT,
    StepKind.MAP: {
        "type": "object",
        "properties": {"total": INTEGER, "succeeded": INTEGER, "failed": INTEGER, "result": ANY},
    },
}


def describe_schema(name: str, schema: Any, depth: int = 0) -> dict[str, str]:
    """Return the type of `name` and of its declared members; unknown types are left out."""
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return {}
    kind = _get_type(schema)
    found = {name: kind} if kind else {}
    properties = schema.get("properties")
    if isinstance(properties, dict) and not _is_variable(schema):
        for member, inner in properties.items():
            if NAME.match(member):
                found |= describe_schema(f"{name}.{member}", inner, depth + 1)
    return found


def describe_output(step: StepBody) -> dict[str, str]:
    """Return the types of `steps.<id>` of a step."""
    identifier: str = step.id  # type: ignore[attr-defined]
    if not NAME.match(identifier):
        return {}
    name = f"steps.{identifier}"
    found = describe_schema(f"{name}.output", _get_output_schema(step))
    # A skipped step has no output, so a comparison with null stays possible.
    return {each: kind for each, kind in found.items() if each != f"{name}.output" or kind == "bool"} | {
        f"{name}.status": "string"
    }


def list_undeclared(schema: dict[str, Any]) -> Callable[[str], bool]:
    """Return a function that tells whether an object of this schema has an undeclared member of a name."""
    properties = schema.get("properties")
    is_open = not isinstance(properties, dict) or _is_variable(schema) or schema.get("additionalProperties")
    return lambda name: not is_open and name not in (properties or {})


def _get_output_schema(step: StepBody) -> dict[str, Any]:
    if isinstance(step, AgentBody):
        answer = {"object": step.output_schema} if step.output_schema else {}
        return {"type": "object", "properties": {"text": TEXT, **answer}}
    if isinstance(step, ApprovalBody | FormBody):
        decision = {"decision": TEXT} if isinstance(step, ApprovalBody) else {}
        return {"type": "object", "properties": {**decision, "values": step.form or {}}}
    return OUTPUTS.get(StepKind(step.kind), {})  # type: ignore[attr-defined]


def _get_type(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if not isinstance(kind, str) or _is_variable(schema):
        return ""
    if kind == "array":
        inner = _get_type(schema["items"]) if isinstance(schema.get("items"), dict) else ""
        return f"list<{inner or 'dyn'}>"
    return "map" if kind == "object" else SCALARS.get(kind, "")


def _is_variable(schema: dict[str, Any]) -> bool:
    """Whether other keywords than `type` and `properties` decide on the type."""
    return any(
        keyword in schema for keyword in ("$ref", "anyOf", "oneOf", "allOf", "if", "patternProperties")
    )
