"""Lanes: the places in which a tenant's steps run.

Call these functions in the scope of the tenant, unless they say otherwise.
"""

from typing import Any
from uuid import UUID

from django.db import connection

from config.db.prepared import run_prepared
from tenants.choices import TenantStatus
from workflows.choices import StepKind
from workflows.run_functions import QUEUE
from workflows.services.commits import Attempt

# Steps of these kinds take no time; a lane claims several of them at once.
QUICK_KINDS = (
    StepKind.CONDITION,
    StepKind.SWITCH,
    StepKind.JOIN,
    StepKind.DELAY,
    StepKind.WAIT_EVENT,
    StepKind.APPROVAL,
    StepKind.FORM,
    StepKind.TRANSFORM,
    StepKind.WORKFLOW,
    StepKind.EMIT,
)
MAX_CLAIMS = 10
KICK_SQL = "SELECT workflows_kick(%(tenant)s, %(steps)s)"
ENTER_SQL = """
UPDATE workflows_workflowlane l SET status = 'running' FROM tenants_tenant t
WHERE l.tenant_id = %(tenant)s AND l.lane = %(lane)s AND l.job = %(job)s AND t.id = %(tenant)s
RETURNING t.status = %(active)s AND t.deleted_at IS NULL
"""
RELEASE_SQL = "SELECT workflows_release_lane(%(tenant)s, %(lane)s, %(job)s, %(again)s)"
WAITING_SQL = f"""
SELECT EXISTS (SELECT FROM procrastinate_jobs
  WHERE queue_name = '{QUEUE}' AND status = 'todo' AND args ->> 'tenant_id' <> %s)
"""
LEAVE_SQL = """
UPDATE workflows_workflowlane SET status = 'idle', job = NULL
WHERE tenant_id = %(tenant)s AND lane = %(lane)s AND job = %(job)s RETURNING lane
"""
# Every claim raises `claim`, and a loss of the worker also `takeovers`: a difference above one means that it waited.
_COLUMNS = """s.priority, s.execution_id, s.id, s.step_id, s.kind, s.claim, s.idempotency_key, s.item, s.attempt,
  coalesce((s.metadata ->> 'base')::integer, 0), s.takeovers, s.resolution::text,
  s.claim > s.takeovers + 1, s.deadline_at"""
TAKE_OVER_SQL = f"""
UPDATE workflows_stepexecution s SET claim = claim + 1, takeovers = takeovers + 1
WHERE s.tenant_id = %(tenant)s AND s.lane_job = %(job)s AND s.status = 'running' RETURNING {_COLUMNS}
"""
# A worker that is late with its heartbeat may be replaced while it lives: it claims nothing without its lane.
CLAIM_SQL = f"""
WITH ready AS (
  SELECT r.id, r.kind, row_number() OVER (ORDER BY r.priority DESC, r.id) AS place FROM (
    SELECT id, kind, priority FROM workflows_stepexecution WHERE tenant_id = %(tenant)s AND status = 'ready'
    ORDER BY priority DESC, id LIMIT %(most)s FOR UPDATE SKIP LOCKED) AS r
)
UPDATE workflows_stepexecution s SET status = 'running', lane_job = %(job)s, claim = claim + 1,
  started_at = coalesce(s.started_at, clock_timestamp()), expires_at = CASE WHEN s.started_at IS NULL
    THEN least(s.deadline_at, clock_timestamp() + make_interval(secs => s.time_limit)) ELSE s.expires_at END
FROM ready r
WHERE s.tenant_id = %(tenant)s AND s.id = r.id
  AND (r.place = 1 OR (SELECT bool_and(q.kind = ANY (%(quick)s::text[])) FROM ready q WHERE q.place <= r.place))
  AND EXISTS (SELECT FROM workflows_workflowlane WHERE tenant_id = %(tenant)s AND job = %(job)s)
RETURNING {_COLUMNS}
"""


def kick(tenant_id: UUID, steps: int = 1) -> None:
    """Queue idle lanes for steps that became ready in this transaction."""
    run_prepared(KICK_SQL, {"tenant": tenant_id, "steps": steps})


def enter_lane(tenant_id: UUID, lane: int, job: int) -> bool | None:
    """Mark the lane as running by this job.

    Returns:
        Whether the tenant is active; None if the lane belongs to another job.
    """
    values = {"tenant": tenant_id, "lane": lane, "job": job, "active": TenantStatus.ACTIVE}
    rows = run_prepared(ENTER_SQL, values)
    return bool(rows[0][0]) if rows else None


def release_lane(tenant_id: UUID, lane: int, job: int, *, again: bool) -> bool:
    """End the job of a lane unless there is work and `again` is false.

    Args:
        again: queue the lane behind those of other tenants if there is work.
    """
    values = {"tenant": tenant_id, "lane": lane, "job": job, "again": again}
    return bool(run_prepared(RELEASE_SQL, values)[0][0])


def has_waiting_lanes(tenant_id: UUID) -> bool:
    """Return whether lanes of other tenants wait for a worker. Call it outside any scope, as the worker."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING_SQL, [str(tenant_id)])
        return bool(cursor.fetchone()[0])


def leave_lane(tenant_id: UUID, lane: int, job: int) -> None:
    """Make the lane idle although there may be work, as for a suspended tenant."""
    run_prepared(LEAVE_SQL, {"tenant": tenant_id, "lane": lane, "job": job})


def take_over(tenant_id: UUID, job: int) -> list[Attempt]:
    """Claim the steps that an earlier start of this job left running."""
    return _attempts(tenant_id, run_prepared(TAKE_OVER_SQL, {"tenant": tenant_id, "job": job}))


def claim_steps(tenant_id: UUID, job: int) -> list[Attempt]:
    """Claim ready steps: several quick ones, or one other."""
    values = {"tenant": tenant_id, "job": job, "most": MAX_CLAIMS, "quick": [*QUICK_KINDS]}
    return _attempts(tenant_id, run_prepared(CLAIM_SQL, values))


def _attempts(tenant_id: UUID, rows: list[tuple[Any, ...]]) -> list[Attempt]:
    # The database returns the rows in any order; IDs are in the order of their creation.
    ordered = sorted(rows, key=lambda row: (-row[0], row[2]))
    return [Attempt(tenant_id, *row[1:]) for row in ordered]
