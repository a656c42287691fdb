"""Demo workflows and their runs."""

from typing import Any
from uuid import UUID

from config.db.bulk import insert_many
from workflows.models import (
    Approval,
    StepExecution,
    Workflow,
    WorkflowAgent,
    WorkflowExecution,
    WorkflowTrigger,
    WorkflowVersion,
)

from .world import Progress, World, moment

EXECUTIONS = 50
WORKFLOWS: tuple[tuple[str, str, str, list[dict[str, Any]]], ...] = (
    (
        "answer-ticket",
        "Answer a ticket",
        "event",
        [
            {"id": "draft", "kind": "agent", "agent": "support"},
            {"id": "check", "kind": "agent", "agent": "reviewer"},
        ],
    ),
    (
        "weekly-report",
        "Weekly report",
        "scheduled",
        [
            {"id": "figures", "kind": "agent", "agent": "analyst"},
            {"id": "text", "kind": "agent", "agent": "writer"},
            {"id": "release", "kind": "approval", "prompt": "Send the report?"},
        ],
    ),
    (
        "review-contract",
        "Review a contract",
        "manual",
        [
            {"id": "read", "kind": "agent", "agent": "reviewer"},
            {"id": "search", "kind": "tool", "tool": "search_knowledge"},
            {"id": "decide", "kind": "approval", "prompt": "Is the contract acceptable?"},
            {"id": "summary", "kind": "agent", "agent": "writer"},
        ],
    ),
)
TRIGGERS = {
    "event": {"event": "document.ready", "filter": {}},
    "scheduled": {"cron": "0 6 * * 1", "timezone": "UTC"},
    "manual": {},
}
COLUMNS: dict[Any, tuple[str, ...]] = {
    Workflow: (
        *("id", "slug", "name", "description", "definition", "created_by_id", "last_run_at"),
        *("last_run_status", "run_count", "success_count", "error_count"),
    ),
    WorkflowAgent: ("id", "workflow_id", "agent_id"),
    WorkflowVersion: ("id", "workflow_id", "version", "snapshot", "created_by_id"),
    WorkflowTrigger: ("id", "workflow_id", "name", "trigger_type", "config"),
    WorkflowExecution: (
        *("id", "workflow_id", "workflow_version_id", "trigger_id", "trigger_type", "user_id", "status"),
        *("current_step", "steps_completed", "steps_total", "error_message", "started_at", "completed_at"),
    ),
    StepExecution: (
        *("id", "execution_id", "step_id", "kind", "agent_id", "status", "error_message"),
        *("started_at", "completed_at"),
    ),
    Approval: ("id", "step_id", "prompt", "assigned_to_id", "status", "decided_by_id", "decided_at"),
}
Rows = dict[Any, list[tuple[Any, ...]]]


def make_workflows(world: World, on_rows: Progress) -> int:
    """Create three workflows and fifty runs per scale step; requires the agents."""
    rows: Rows = {model: [] for model in COLUMNS}
    agents = {cast.slug: cast.id for cast in world.made["cast"]}
    for place, (slug, name, trigger, steps) in enumerate(WORKFLOWS):
        share = len(range(place, world.share(EXECUTIONS), len(WORKFLOWS)))
        _workflow(world, rows, agents, (slug, name, trigger), steps, share)
    return sum(
        insert_many(model, COLUMNS[model], found, constants=world.constants, on_batch=on_rows)
        for model, found in rows.items()
    )


def _workflow(
    world: World,
    rows: Rows,
    agents: dict[str, UUID],
    title: tuple[str, str, str],
    steps: list[dict[str, Any]],
    runs: int,
) -> None:
    slug, name, trigger = title
    workflow, version, start = world.id_on(0), world.id_on(1), world.id_on(1)
    definition = {"steps": steps}
    made = [_run(world, rows, agents, (workflow, version, start, trigger), steps) for _ in range(runs)]
    good = sum(status == "completed" for _, status in made)
    ended, last = max(made)
    rows[Workflow].append(
        (
            workflow,
            slug,
            name,
            f"{name}, as an example.",
            definition,
            world.admin_id,
            moment(ended),
            "success" if last == "completed" else "failed",
            runs,
            good,
            runs - good,
        )
    )
    named = sorted({step["agent"] for step in steps if "agent" in step})
    rows[WorkflowAgent] += [(world.id_on(1), workflow, agents[each]) for each in named]
    snapshot = {"name": name, "slug": slug, "definition": definition}
    rows[WorkflowVersion].append((version, workflow, 1, snapshot, world.admin_id))
    rows[WorkflowTrigger].append((start, workflow, f"{name}: {trigger}", trigger, TRIGGERS[trigger]))


def _run(
    world: World,
    rows: Rows,
    agents: dict[str, UUID],
    kept: tuple[UUID, UUID, UUID, str],
    steps: list[dict[str, Any]],
) -> tuple[int, str]:
    """Add a run; return its end time and status."""
    rng = world.rng
    workflow, version, start, trigger = kept
    began = now = world.working_moment(2 + int(rng.random() * 177))
    run, failing = world.id_at(began), rng.randrange(12 * len(steps))
    user = world.admin_id if trigger == "manual" else None
    done, error = 0, ""
    for place, step in enumerate(steps):
        now, error = _step(world, rows, agents, run, step, now, place == failing)
        if error:
            break
        done += 1
    status = "failed" if error else "completed"
    rows[WorkflowExecution].append(
        (
            run,
            workflow,
            version,
            start,
            trigger,
            user,
            status,
            steps[done]["id"] if error else "",
            done,
            len(steps),
            error,
            moment(began),
            moment(now),
        )
    )
    return now, status


def _step(
    world: World,
    rows: Rows,
    agents: dict[str, UUID],
    run: UUID,
    step: dict[str, Any],
    now: int,
    fails: bool,
) -> tuple[int, str]:
    """Add a step; return its end time and error."""
    identifier = world.id_at(now)
    ended = now + world.rng.randrange(800, 90_000)
    error = "The step took too long." if fails else ""
    status = "failed" if fails else "completed"
    rows[StepExecution].append(
        (
            identifier,
            run,
            step["id"],
            step["kind"],
            agents.get(step.get("agent", "")),
            status,
            error,
            moment(now),
            moment(ended),
        )
    )
    if step["kind"] == "approval":
        answer = "expired" if fails else "approved"
        decided = (None, None) if fails else (world.admin_id, moment(ended))
        rows[Approval].append(
            (world.id_at(now), identifier, step["prompt"], world.admin_id, answer, *decided)
        )
    return ended, error
