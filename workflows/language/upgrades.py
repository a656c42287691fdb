"""Upgrade of earlier and foreign documents to `conclave.workflow/1`.

Accepted are lists of steps (`{"name", "type", "config"}`), graphs (`{"steps" or "nodes", "edges"}`), also below
`configuration`, and the kinds and retry policies of earlier versions. Malformed parts stay: validation names them.
"""

import re
from collections.abc import Iterable
from typing import Any

from workflows.choices import StepKind

from .steps import STEP_BODIES, StepBase

KINDS = {
    "wait": StepKind.DELAY,
    "sleep": StepKind.DELAY,
    "timer": StepKind.DELAY,
    "llm": StepKind.AGENT,
    "ai": StepKind.AGENT,
    "prompt": StepKind.AGENT,
    "expert": StepKind.AGENT,
    "function": StepKind.TOOL,
    "mcp_tool": StepKind.MCP,
    "search": StepKind.RETRIEVAL,
    "rag": StepKind.RETRIEVAL,
    "api": StepKind.HTTP,
    "request": StepKind.HTTP,
    "webhook": StepKind.HTTP,
    "if": StepKind.CONDITION,
    "decision": StepKind.CONDITION,
    "human": StepKind.APPROVAL,
    "review": StepKind.APPROVAL,
    "subworkflow": StepKind.WORKFLOW,
    "sub_workflow": StepKind.WORKFLOW,
    "event": StepKind.EMIT,
}
MEMBERS = {
    "arguments": "input",
    "args": "input",
    "parameters": "input",
    "depends_on": "needs",
    "dependencies": "needs",
    "agent_id": "agent",
    "agent_slug": "agent",
    "label": "name",
}
RETRY_MEMBERS = {
    "attempts": "maximum_attempts",
    "delay": "initial_interval",
    "factor": "backoff_coefficient",
    "longest_delay": "maximum_interval",
}
# Members of drawn graphs that only concern the drawing.
DRAWING = frozenset(
    {"position", "positionAbsolute", "x", "y", "width", "height", "style", "selected", "dragging"}
)
SOURCES, TARGETS = ("source", "from"), ("target", "to")
KNOWN = {body.model_fields["kind"].annotation.__args__[0]: body for body in STEP_BODIES}  # type: ignore[union-attr]


def upgrade_document(document: Any) -> Any:
    """Return the document in the current form. A current document is returned unchanged."""
    if isinstance(document, list):
        document = {"steps": document}
    if not isinstance(document, dict) or "schema" in document:
        return document
    found = dict(document)
    if isinstance(found.get("configuration"), dict):
        found |= found.pop("configuration")
    nodes = found.pop("nodes", None)
    if "steps" not in found and nodes is not None:
        found["steps"] = nodes
    edges = found.pop("edges", None)
    if isinstance(found.get("steps"), list):
        found["steps"] = _upgrade_steps(found["steps"], edges)
    if isinstance(found.get("retry"), dict):
        found["retry"] = upgrade_retry(found["retry"])
    return found if found == document else {"schema": "conclave.workflow/1", **found}


def upgrade_retry(retry: dict[str, Any]) -> dict[str, Any]:
    """Return a retry policy with the current names of its members."""
    return _rename(retry, RETRY_MEMBERS)


def _upgrade_steps(steps: list[Any], edges: Any) -> list[Any]:
    ids: dict[str, str] = {}
    upgraded = [_upgrade_step(step, ids) for step in steps]
    if isinstance(edges, list):
        _add_edges(upgraded, edges, ids)
    return upgraded


def _upgrade_step(step: Any, ids: dict[str, str]) -> Any:
    if not isinstance(step, dict):
        return step
    is_foreign = "kind" not in step
    found = {name: value for name, value in step.items() if not (is_foreign and name in DRAWING)}
    if is_foreign:
        for member in ("config", "data"):
            if isinstance(found.get(member), dict):
                found |= {name: value for name, value in found.pop(member).items() if name not in found}
        found = _rename(found, MEMBERS)
        if "type" in found:
            found["kind"] = found.pop("type")
        _set_id(found, ids)
    if isinstance(found.get("kind"), str):
        kind = found["kind"]
        found["kind"] = str(KINDS.get(kind.lower(), kind if not is_foreign else kind.lower()))
    if isinstance(found.get("retry"), dict):
        found["retry"] = upgrade_retry(found["retry"])
    return _move_unknown_members(found) if is_foreign else found


def _rename(value: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {(name if names.get(name, name) in value else names[name]): each for name, each in value.items()}


def _set_id(step: dict[str, Any], ids: dict[str, str]) -> None:
    """Give a foreign step a valid, unique ID, and record its former name."""
    former = step.get("id", step.get("name"))
    if not isinstance(former, str | int):
        return
    wanted = re.sub(r"[^a-z0-9_]+", "_", str(former).lower()).strip("_")[:90] or "step"
    unique, number = wanted, 2
    while unique in ids.values():
        unique, number = f"{wanted}_{number}", number + 1
    ids.setdefault(str(former), unique)
    step["id"] = unique
    if isinstance(step.get("needs"), list):
        step["needs"] = [ids.get(str(each), each) for each in step["needs"]]


def _move_unknown_members(step: dict[str, Any]) -> dict[str, Any]:
    """Move members that the kind does not know into `input`."""
    body = KNOWN.get(step.get("kind"))  # type: ignore[call-overload]
    if body is None or not isinstance(step.get("input", {}), dict):
        return step
    known = {*body.model_fields, *StepBase.model_fields}
    unknown = {name: value for name, value in step.items() if name not in known}
    kept = {name: value for name, value in step.items() if name in known}
    return kept | {"input": {**unknown, **step.get("input", {})}} if unknown else kept


def _add_edges(steps: Iterable[Any], edges: list[Any], ids: dict[str, str]) -> None:
    """Turn the edges of a graph into the needs and conditions of its steps."""
    needs: dict[str, list[str]] = {}
    conditions: dict[str, list[str]] = {}
    for edge in edges:
        if not isinstance(edge, dict):
            continue
        source, target = _get_end(edge, SOURCES, ids), _get_end(edge, TARGETS, ids)
        if source not in needs.setdefault(target, []):
            needs[target].append(source)
        if isinstance(edge.get("condition"), str) and edge["condition"].strip():
            conditions.setdefault(target, []).append(_get_condition(source, edge["condition"].strip()))
    for step in steps:
        if isinstance(step, dict) and isinstance(step.get("id"), str):
            step.setdefault("needs", needs.get(step["id"], []))
            if step["id"] in conditions:
                step.setdefault("when", " || ".join(conditions[step["id"]]))


def _get_end(edge: dict[str, Any], names: tuple[str, str], ids: dict[str, str]) -> str:
    value = str(edge.get(names[0], edge.get(names[1], "")))
    return ids.get(value, value)


def _get_condition(source: str, condition: str) -> str:
    """Return the condition of an edge as an expression; `true` and `false` are outputs of its source."""
    if condition.lower() in ("true", "false"):
        return f"steps[{source!r}].output == {condition.lower()}".replace("'", '"')
    return condition
