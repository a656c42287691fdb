"""SQL functions that tell the clock which tenants have work. They return IDs only."""

_ACTIVE = (
    "JOIN public.tenants_tenant t ON t.id = d.tenant_id AND t.status = 'active' AND t.deleted_at IS NULL"
)
# Jobs that a worker will start, runs or will start again.
_NO_JOB = (
    "NOT EXISTS (SELECT FROM public.procrastinate_jobs j WHERE j.id = {} AND j.status IN ('todo', 'doing'))"
)
_DEFINE = """
CREATE FUNCTION {name}() RETURNS TABLE (tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT DISTINCT d.tenant_id FROM ({body}) AS d {active}
$$;
REVOKE ALL ON FUNCTION {name}() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {name}() TO conclave_queue;
"""
# Waits and time limits that are over.
_DUE = """
    (SELECT s.tenant_id FROM public.workflows_stepexecution s
      WHERE s.status = 'waiting' AND s.wake_at IS NOT NULL AND s.wake_at <= statement_timestamp())
    UNION ALL
    (SELECT s.tenant_id FROM public.workflows_stepexecution s
      WHERE s.status IN ('ready', 'running', 'waiting') AND s.expires_at IS NOT NULL
        AND s.expires_at <= statement_timestamp())
    UNION ALL
    (SELECT e.tenant_id FROM public.workflows_workflowexecution e
      WHERE e.completed_at IS NULL AND e.deadline_at IS NOT NULL AND e.deadline_at <= statement_timestamp()
        AND e.status = 'running')
"""
# Lanes and steps whose job failed or is gone, and ready steps without a lane.
_LOST = f"""
    (SELECT l.tenant_id FROM public.workflows_workflowlane l
      WHERE l.status <> 'idle' AND {_NO_JOB.format("l.job")})
    UNION ALL
    (SELECT s.tenant_id FROM public.workflows_stepexecution s
      WHERE s.status = 'running' AND s.lane_job IS NOT NULL AND {_NO_JOB.format("s.lane_job")})
    UNION ALL
    (SELECT s.tenant_id FROM public.workflows_stepexecution s WHERE s.status = 'ready' AND NOT EXISTS (
      SELECT FROM public.workflows_workflowlane l WHERE l.tenant_id = s.tenant_id AND l.status <> 'idle'))
"""
CLOCK = "".join(
    _DEFINE.format(name=name, body=body, active=_ACTIVE)
    for name, body in (("conclave_due_workflows", _DUE), ("conclave_lost_workflows", _LOST))
)
CLOCK_DROP = "DROP FUNCTION conclave_lost_workflows(); DROP FUNCTION conclave_due_workflows();"
