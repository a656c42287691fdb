"""Commits of the engine: each is one call of an SQL function in the caller's transaction.

A commit names the claim of its attempt. After another worker has claimed it, the commit changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from config.db.prepared import run_prepared
from workflows.choices import StepStatus
from workflows.language.plan import StepOutcome

COMMIT_SQL = (
    "SELECT done, ended, chained, known FROM workflows_commit_step"
    "(%(tenant)s, %(run)s, %(step)s, %(claim)s, %(job)s, %(outcome)s, %(fields)s::jsonb, %(successors)s::jsonb,"
    " %(wanted)s::text[])"
)
RETRY_SQL = (
    "SELECT workflows_retry_step"
    "(%(tenant)s, %(run)s, %(step)s, %(claim)s, %(seconds)s::float8, %(fields)s::jsonb)"
)
PARK_SQL = (
    "SELECT workflows_park_step"
    "(%(tenant)s, %(run)s, %(step)s, %(claim)s, %(until)s::timestamptz, %(key)s, %(fields)s::jsonb)"
)
# The claim goes back, because the body did not begin. While the step waits, commits with this claim change nothing, and
# it is claimed again before it runs.
POSTPONE_SQL = """
UPDATE workflows_stepexecution SET status = 'waiting', lane_job = NULL, claim = claim - 1,
  wake_at = clock_timestamp() + make_interval(secs => %(seconds)s::float8)
WHERE tenant_id = %(tenant)s AND id = %(step)s AND claim = %(claim)s AND status = 'running' RETURNING id
"""
RESUME_SQL = "SELECT workflows_resume_step(%(tenant)s, %(step)s, %(result)s::jsonb)"
WAKE_SQL = "SELECT workflows_wake_run(%(tenant)s, %(run)s)"
RESULTS_SQL = "SELECT workflows_results(%(tenant)s, %(run)s, %(wanted)s::text[])"


@dataclass(slots=True)
class Attempt:
    """A claimed attempt of a step.

    Attributes:
        base: number of attempts before the step was started again by a person.
        resolution: output or error that ended a wait, as JSON.
        input: members of the step with resolved expressions, which are stored with the result.
        waited: whether the attempt waited before.
    """

    tenant_id: UUID
    execution_id: UUID
    id: UUID
    step_id: str
    kind: str
    claim: int
    idempotency_key: str
    item: int = -1
    attempt: int = 1
    base: int = 0
    takeovers: int = 0
    resolution: str | None = None
    waited: bool = False
    deadline_at: datetime | None = None
    input: dict[str, Any] | None = None

    def values(self) -> dict[str, Any]:
        """Return the parameters that all commits share."""
        return {"tenant": self.tenant_id, "run": self.execution_id, "step": self.id, "claim": self.claim}


@dataclass(frozen=True, slots=True)
class Commit:
    """Result of a commit.

    Attributes:
        done: False if the attempt belongs to another worker, which drops the result.
        ended: whether it was the last step of the run.
        chained: the successor that this lane runs next, already claimed.
        known: results of the steps that were asked for.
    """

    done: bool
    ended: bool
    chained: dict[str, Any] | None
    known: dict[str, StepOutcome]


def encode(value: Any) -> str:
    """Return JSON that PostgreSQL can store."""
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def commit_step(
    attempt: Attempt,
    outcome: str,
    fields: Mapping[str, Any],
    *,
    job: int | None = None,
    successors: Sequence[Mapping[str, Any]] = (),
    wanted: Iterable[str] = (),
) -> Commit:
    """Store the result of an attempt, and start the steps behind it.

    Args:
        outcome: `completed`, `skipped` or `failed`.
        fields: output, path, size, input, metadata, agent_id, error_code, error_message, and whether the step is
            `counted` as finished.
        job: job of the lane that continues with the first successor; None starts it in any lane.
        wanted: IDs of steps whose results to return.
    """
    values = attempt.values() | {
        "job": job,
        "outcome": outcome,
        "fields": encode(fields),
        "successors": encode(list(successors)),
        "wanted": list(wanted),
    }
    ((done, ended, chained, known),) = run_prepared(COMMIT_SQL, values)
    return Commit(done, ended, orjson.loads(chained) if chained else None, parse_results(known))


def retry_step(attempt: Attempt, seconds: float, fields: Mapping[str, Any]) -> bool:
    """Store a failed attempt, and the next one, which waits for some seconds."""
    ((done,),) = run_prepared(RETRY_SQL, attempt.values() | {"seconds": seconds, "fields": encode(fields)})
    return bool(done)


def park_step(attempt: Attempt, until: datetime | None, key: str, fields: Mapping[str, Any]) -> bool:
    """Let the step wait for a time, or for the event or run named by `key`."""
    values = attempt.values() | {"until": until, "key": key, "fields": encode(fields)}
    ((done,),) = run_prepared(PARK_SQL, values)
    return bool(done)


def postpone_step(attempt: Attempt, seconds: float) -> None:
    """Let a claimed step whose body has not begun wait for some seconds."""
    run_prepared(POSTPONE_SQL, attempt.values() | {"seconds": seconds})


def resume_step(tenant_id: UUID, step_execution_id: UUID, result: Mapping[str, Any] | None) -> bool:
    """End the wait of a step; a lane takes `result`, or runs the body again. False: the step does not wait."""
    values = {
        "tenant": tenant_id,
        "step": step_execution_id,
        "result": None if result is None else encode(result),
    }
    ((done,),) = run_prepared(RESUME_SQL, values)
    return bool(done)


def wake_run(tenant_id: UUID, execution_id: UUID) -> None:
    """Mark a waiting run as running."""
    run_prepared(WAKE_SQL, {"tenant": tenant_id, "run": execution_id})


def read_results(tenant_id: UUID, execution_id: UUID, wanted: Iterable[str]) -> dict[str, StepOutcome]:
    """Return the latest results of steps of a run."""
    names = list(wanted)
    if not names:
        return {}
    ((known,),) = run_prepared(RESULTS_SQL, {"tenant": tenant_id, "run": execution_id, "wanted": names})
    return parse_results(known)


def parse_results(known: str | None) -> dict[str, StepOutcome]:
    """Return the results that an SQL function collected as JSON."""
    results = orjson.loads(known) if known else {}
    return {
        name: StepOutcome(row["status"], row["output"], row["error_code"], row["error_message"], row["path"])
        for name, row in results.items()
        if row["status"] in (StepStatus.COMPLETED, StepStatus.SKIPPED, StepStatus.FAILED)
    }
