"""Differences between versions of workflows, by path. Steps are compared by their IDs, not their places."""

from collections.abc import Iterator, Mapping
from typing import Any

from workflows.language.upgrades import upgrade_document
from workflows.models import Workflow, WorkflowVersion
from workflows.services.publishing import build_snapshot

MAX_CHANGES = 1000
STEP_LISTS = frozenset({"steps", "on_failure"})
Change = dict[str, Any]


def diff_versions(older: WorkflowVersion | None, newer: WorkflowVersion) -> list[Change]:
    """Return the changes from one version to another; without an older one, everything is new."""
    return diff_snapshots(older.snapshot if older else {}, newer.snapshot)


def diff_with_draft(version: WorkflowVersion | None, workflow: Workflow) -> list[Change]:
    """Return the changes of the draft since a version."""
    draft = build_snapshot(workflow, upgrade_document(workflow.definition))
    return diff_snapshots(version.snapshot if version else {}, draft)


def diff_snapshots(older: Mapping[str, Any], newer: Mapping[str, Any]) -> list[Change]:
    """Return the changes as `path`, `change` (`added`, `removed` or `changed`), `before` and `after`.

    The path of a step's member is `definition.steps.<id>.<member>`. At most 1,000 changes are returned.
    """
    found = []
    for change in _compare("", older, newer):
        found.append(change)
        if len(found) == MAX_CHANGES:
            break
    return found


def _compare(path: str, older: Any, newer: Any) -> Iterator[Change]:
    if older == newer:
        return
    name = path.rsplit(".", 1)[-1]
    if name in STEP_LISTS and isinstance(older, list) and isinstance(newer, list):
        before, after = _by_id(older), _by_id(newer)
        if None not in (before, after):
            yield from _compare_members(path, before or {}, after or {})
            common = [each for each in before or {} if each in (after or {})]
            moved = [each for each in after or {} if each in (before or {})]
            if common != moved:
                yield {"path": path, "change": "changed", "before": common, "after": moved}
            return
    if isinstance(older, Mapping) and isinstance(newer, Mapping):
        yield from _compare_members(path, older, newer)
        return
    yield {"path": path, "change": "changed", "before": older, "after": newer}


def _compare_members(path: str, older: Mapping[str, Any], newer: Mapping[str, Any]) -> Iterator[Change]:
    for name in sorted(older.keys() | newer.keys()):
        inner = f"{path}.{name}".lstrip(".")
        if name not in newer:
            yield {"path": inner, "change": "removed", "before": older[name], "after": None}
        elif name not in older:
            yield {"path": inner, "change": "added", "before": None, "after": newer[name]}
        else:
            yield from _compare(inner, older[name], newer[name])


def _by_id(steps: list[Any]) -> dict[str, Any] | None:
    """Return the steps by ID, or None if they are not distinct."""
    found = {step["id"]: step for step in steps if isinstance(step, dict) and isinstance(step.get("id"), str)}
    return found if len(found) == len(steps) else None
