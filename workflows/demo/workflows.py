"""Demo workflows and their runs."""

from typing import Any
from uuid import UUID

from config.demo.generator import DemoState, moment
from workflows.models import (
    Approval,
    StepExecution,
    Workflow,
    WorkflowAgent,
    WorkflowExecution,
    WorkflowTrigger,
    WorkflowVersion,
)

EXECUTIONS = 50
# The other agents of the history are inactive, because they have no account of a provider.
WORKFLOWS: tuple[tuple[str, str, str, list[dict[str, Any]]], ...] = (
    (
        "answer-ticket",
        "Answer a ticket",
        "event",
        [
            {"id": "draft", "kind": "agent", "agent": "support"},
            {"id": "check", "kind": "agent", "agent": "support"},
        ],
    ),
    (
        "weekly-report",
        "Weekly report",
        "scheduled",
        [
            {"id": "figures", "kind": "agent", "agent": "support"},
            {"id": "text", "kind": "agent", "agent": "support"},
            {"id": "release", "kind": "approval", "prompt": "Send the report?"},
        ],
    ),
    (
        "review-contract",
        "Review a contract",
        "manual",
        [
            {"id": "read", "kind": "agent", "agent": "support"},
            {"id": "date", "kind": "tool", "tool": "current_time"},
            {"id": "decide", "kind": "approval", "prompt": "Is the contract acceptable?"},
            {"id": "summary", "kind": "agent", "agent": "support"},
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
        *("slug", "name", "description", "definition", "created_by_id", "last_run_at"),
        *("last_run_status", "run_count", "success_count", "error_count"),
    ),
    WorkflowAgent: ("workflow_id", "agent_id"),
    WorkflowVersion: ("workflow_id", "version", "snapshot", "created_by_id"),
    WorkflowTrigger: ("workflow_id", "name", "trigger_type", "config"),
    WorkflowExecution: (
        *("workflow_id", "workflow_version_id", "trigger_id", "trigger_type", "user_id", "status"),
        *("current_step", "steps_completed", "steps_total", "error_message", "started_at", "completed_at"),
    ),
    StepExecution: (
        *("execution_id", "step_id", "kind", "agent_id", "status", "error_message"),
        *("started_at", "completed_at"),
    ),
    Approval: ("step_id", "prompt", "candidate_roles", "status", "decided_by_id", "decided_at"),
}
Rows = dict[Any, list[tuple[Any, ...]]]
Steps = list[dict[str, Any]]


def make_workflows(state: DemoState) -> None:
    """Create three workflows and fifty runs per scale step; requires the agents."""
    rows: Rows = {model: [] for model in COLUMNS}
    for place, (slug, name, trigger, steps) in enumerate(WORKFLOWS):
        share = len(range(place, state.share(EXECUTIONS), len(WORKFLOWS)))
        _workflow(state, rows, (slug, name, trigger), steps, share)
    for model, found in rows.items():
        state.insert(model, COLUMNS[model], found)


def _workflow(state: DemoState, rows: Rows, title: tuple[str, str, str], steps: Steps, runs: int) -> None:
    slug, name, trigger = title
    workflow, version, start = state.id_on(0), state.id_on(1), state.id_on(1)
    definition = {"steps": steps}
    made = [_run(state, rows, (workflow, version, start, trigger), steps) for _ in range(runs)]
    good = sum(status == "completed" for _, status in made)
    ended, last = max(made)
    rows[Workflow].append(
        (
            workflow,
            slug,
            name,
            f"{name}, as an example.",
            definition,
            state.admin_id,
            moment(ended),
            "success" if last == "completed" else "failed",
            runs,
            good,
            runs - good,
        )
    )
    named = sorted({step["agent"] for step in steps if "agent" in step})
    rows[WorkflowAgent] += [(state.id_on(1), workflow, state.agents[each].id) for each in named]
    snapshot = {"name": name, "slug": slug, "definition": definition}
    rows[WorkflowVersion].append((version, workflow, 1, snapshot, state.admin_id))
    rows[WorkflowTrigger].append((start, workflow, f"{name}: {trigger}", trigger, TRIGGERS[trigger]))


def _run(state: DemoState, rows: Rows, kept: tuple[UUID, UUID, UUID, str], steps: Steps) -> tuple[int, str]:
    """Add a run; return its end time and status."""
    rng = state.rng
    workflow, version, start, trigger = kept
    began = now = state.working_moment(2 + int(rng.random() * 177))
    run, failing = state.id_at(began), rng.randrange(12 * len(steps))
    user = state.admin_id if trigger == "manual" else None
    done, error = 0, ""
    for place, step in enumerate(steps):
        now, error = _step(state, rows, run, step, now, place == failing)
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
    state: DemoState, rows: Rows, run: UUID, step: dict[str, Any], now: int, fails: bool
) -> tuple[int, str]:
    """Add a step; return its end time and error."""
    identifier = state.id_at(now)
    ended = now + state.rng.randrange(800, 90_000)
    error = "The step took too long." if fails else ""
    status = "failed" if fails else "completed"
    agent = state.agents[step["agent"]].id if "agent" in step else None
    rows[StepExecution].append(
        (identifier, run, step["id"], step["kind"], agent, status, error, moment(now), moment(ended))
    )
    if step["kind"] == "approval":
        answer = "expired" if fails else "approved"
        decided = (None, None) if fails else (state.admin_id, moment(ended))
        rows[Approval].append((state.id_at(now), identifier, step["prompt"], ["admin"], answer, *decided))
    return ended, error
