"""Steps that become ready by time or lost their worker. Call these functions in the scope of the tenant."""

from uuid import UUID

from django.db import connection

from config.db.prepared import run_prepared
from workflows.services.lanes import kick

BATCH = 500
_READY = "CASE WHEN e.status = 'paused' THEN 'pending' ELSE 'ready' END"
WAKE_SQL = f"""
UPDATE workflows_stepexecution s SET status = {_READY}, wake_at = NULL, correlation = ''
FROM (
  SELECT id FROM workflows_stepexecution WHERE tenant_id = %(tenant)s AND status = 'waiting'
    AND wake_at <= statement_timestamp() ORDER BY wake_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS due,
  workflows_workflowexecution e
WHERE s.tenant_id = %(tenant)s AND s.id = due.id AND e.tenant_id = %(tenant)s AND e.id = s.execution_id
RETURNING s.id
"""
# The lane that claims the step finds the error. A body that still runs has lost its claim.
EXPIRE_SQL = f"""
UPDATE workflows_stepexecution s SET status = {_READY}, lane_job = NULL, wake_at = NULL, correlation = '',
  expires_at = NULL, resolution = jsonb_build_object('error', CASE WHEN s.deadline_at <= statement_timestamp()
    THEN jsonb_build_object('code', 'deadline_exceeded', 'message', 'The deadline of the step is over.',
      'retryable', false)
    ELSE jsonb_build_object('code', 'timeout', 'message',
      concat('The attempt took longer than ', s.time_limit, ' seconds.'), 'retryable', true) END)
FROM (
  SELECT id FROM workflows_stepexecution WHERE tenant_id = %(tenant)s AND status IN ('ready', 'running', 'waiting')
    AND expires_at <= statement_timestamp() ORDER BY expires_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS due,
  workflows_workflowexecution e
WHERE s.tenant_id = %(tenant)s AND s.id = due.id AND e.tenant_id = %(tenant)s AND e.id = s.execution_id
RETURNING s.id
"""
_NO_JOB = "NOT EXISTS (SELECT FROM procrastinate_jobs j WHERE j.id = {} AND j.status IN ('todo', 'doing'))"
FREE_LANES_SQL = f"""
UPDATE workflows_workflowlane l SET status = 'idle', job = NULL FROM (
  SELECT id FROM workflows_workflowlane k WHERE k.tenant_id = %(tenant)s AND k.status <> 'idle'
    AND {_NO_JOB.format("k.job")} FOR UPDATE SKIP LOCKED) AS lost
WHERE l.tenant_id = %(tenant)s AND l.id = lost.id RETURNING l.lane
"""
FREE_STEPS_SQL = f"""
UPDATE workflows_stepexecution s SET status = 'ready', lane_job = NULL, takeovers = takeovers + 1 FROM (
  SELECT id FROM workflows_stepexecution k WHERE k.tenant_id = %(tenant)s AND k.status = 'running'
    AND k.lane_job IS NOT NULL AND {_NO_JOB.format("k.lane_job")} LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS lost
WHERE s.tenant_id = %(tenant)s AND s.id = lost.id RETURNING s.id
"""
READY_SQL = (
    "SELECT id FROM workflows_stepexecution WHERE tenant_id = %(tenant)s AND status = 'ready' LIMIT %(limit)s"
)
MAX_KICKS = 64


def list_due_tenants() -> list[UUID]:
    """Return the tenants whose steps or runs are due. Call it outside any scope, as the worker."""
    return _list_tenants("SELECT tenant_id FROM conclave_due_workflows()")


def list_lost_tenants() -> list[UUID]:
    """Return the tenants with lanes or steps that no job runs. Call it outside any scope, as the worker."""
    return _list_tenants("SELECT tenant_id FROM conclave_lost_workflows()")


def _list_tenants(sql: str) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return [tenant_id for (tenant_id,) in cursor.fetchall()]


def wake_steps(tenant_id: UUID) -> int:
    """Make the steps ready whose wait or time limit is over, and return their number."""
    values = {"tenant": tenant_id, "limit": BATCH}
    # The time limit of an attempt includes its wait.
    count = len(run_prepared(EXPIRE_SQL, values)) + len(run_prepared(WAKE_SQL, values))
    if count:
        kick(tenant_id, min(count, MAX_KICKS))
    return count


def repair_lanes(tenant_id: UUID) -> int:
    """Free the lanes and steps whose job failed or is gone, and return the number of these steps."""
    values = {"tenant": tenant_id, "limit": BATCH}
    run_prepared(FREE_LANES_SQL, {"tenant": tenant_id})
    count = len(run_prepared(FREE_STEPS_SQL, values))
    if ready := len(run_prepared(READY_SQL, {"tenant": tenant_id, "limit": MAX_KICKS})):
        kick(tenant_id, ready)
    return count
