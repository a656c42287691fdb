"""SQL functions that cancel, pause, close and redrive runs."""

from workflows.run_functions import END_RUN, define_function

# Kinds whose effects outside may have happened when an attempt is interrupted.
EFFECT_KINDS = ("agent", "expert_group", "http", "mcp", "tool")
_EFFECTS = ",".join(EFFECT_KINDS)

# Cancels the steps of a run that are not finished. The outcome of effects outside that were under way is unknown.
_CANCEL_STEPS = define_function(
    "workflows_cancel_steps",
    "tenant uuid, run uuid",
    "RETURNS void",
    f"""
DECLARE effects text[] := '{{{_EFFECTS}}}';
BEGIN
  UPDATE workflows_stepexecution SET claim = claim + 1, completed_at = clock_timestamp(), lane_job = NULL,
    status = CASE WHEN status = 'running' AND kind = ANY (effects) THEN 'failed' ELSE 'cancelled' END,
    error_code = CASE WHEN status = 'running' AND kind = ANY (effects) THEN 'interrupted' ELSE 'cancelled' END
    WHERE tenant_id = tenant AND execution_id = run AND status IN ('pending', 'ready', 'running', 'waiting');
END
""",
)

# Runs that wait or are paused keep their time limit.
_PAUSE_RUN = define_function(
    "workflows_pause_run",
    "tenant uuid, run uuid",
    "RETURNS boolean",
    """
BEGIN
  UPDATE workflows_workflowexecution SET status = 'paused',
    waiting_since = coalesce(waiting_since, clock_timestamp())
    WHERE tenant_id = tenant AND id = run AND status IN ('running', 'waiting');
  IF NOT FOUND THEN RETURN false; END IF;
  UPDATE workflows_stepexecution SET status = 'pending'
    WHERE tenant_id = tenant AND execution_id = run AND status = 'ready';
  PERFORM workflows_record_event(tenant, run, 'run.paused', '{}');
  RETURN true;
END
""",
)
_RESUME_RUN = define_function(
    "workflows_resume_run",
    "tenant uuid, run uuid",
    "RETURNS boolean",
    """
DECLARE ready integer;
BEGIN
  UPDATE workflows_workflowexecution SET status = 'running', waiting_since = NULL,
    deadline_at = deadline_at + (clock_timestamp() - waiting_since)
    WHERE tenant_id = tenant AND id = run AND status = 'paused';
  IF NOT FOUND THEN RETURN false; END IF;
  PERFORM workflows_record_event(tenant, run, 'run.resumed', '{}');
  UPDATE workflows_stepexecution SET status = 'ready'
    WHERE tenant_id = tenant AND execution_id = run AND status = 'pending';
  GET DIAGNOSTICS ready = ROW_COUNT;
  IF ready > 0 THEN PERFORM workflows_kick(tenant, ready); END IF;
  PERFORM workflows_settle_run(tenant, run);
  RETURN true;
END
""",
)

# Cancels the open steps of a failed run and starts the first step that closes it.
_CLOSE_RUN = define_function(
    "workflows_close_run",
    "tenant uuid, run uuid, message text, spec jsonb",
    "RETURNS boolean",
    """
BEGIN
  UPDATE workflows_workflowexecution SET status = 'compensating', error_message = message, waiting_since = NULL
    WHERE tenant_id = tenant AND id = run AND completed_at IS NULL AND status <> 'compensating';
  IF NOT FOUND THEN RETURN false; END IF;
  PERFORM workflows_cancel_steps(tenant, run);
  PERFORM workflows_record_event(tenant, run, 'run.compensating', '{}');
  PERFORM workflows_insert_step(tenant, run, spec, NULL);
  PERFORM workflows_kick(tenant, 1);
  RETURN true;
END
""",
)

# Starts the latest attempts in `steps` again, and takes the end of the run out of the statistics.
_REDRIVE_RUN = define_function(
    "workflows_redrive_run",
    "tenant uuid, run uuid, steps uuid[], seconds float8, renewed boolean",
    "RETURNS integer",
    """
DECLARE r record; ready integer;
BEGIN
  SELECT status AS outcome, workflow_id INTO r FROM workflows_workflowexecution
    WHERE tenant_id = tenant AND id = run AND status IN ('failed', 'cancelled') FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN 0; END IF;
  UPDATE workflows_workflowexecution SET status = 'running', completed_at = NULL, error_message = '',
    redrive_count = redrive_count + 1, deadline_at = clock_timestamp() + make_interval(secs => seconds)
    WHERE tenant_id = tenant AND id = run;
  INSERT INTO workflows_stepexecution (tenant_id, execution_id, step_id, kind, item, attempt, status, priority,
    time_limit, idempotency_key, input_data, error_message, metadata)
  SELECT tenant, run, s.step_id, s.kind, s.item, s.attempt + 1, 'ready', s.priority, s.time_limit,
    CASE WHEN renewed THEN concat(run, ':', s.step_id, ':', s.item, ':', e.redrive_count) ELSE s.idempotency_key END,
    '{}', '', jsonb_build_object('base', s.attempt)
  FROM workflows_stepexecution s JOIN workflows_workflowexecution e ON e.tenant_id = tenant AND e.id = run
  WHERE s.tenant_id = tenant AND s.execution_id = run AND s.id = ANY (steps);
  GET DIAGNOSTICS ready = ROW_COUNT;
  PERFORM workflows_record_event(tenant, run, 'run.redriven', '{}');
  UPDATE workflows_workflow SET run_count = run_count - 1,
    error_count = error_count - CASE WHEN r.outcome = 'failed' THEN 1 ELSE 0 END
    WHERE tenant_id = tenant AND id = r.workflow_id;
  IF ready > 0 THEN PERFORM workflows_kick(tenant, ready); END IF;
  RETURN ready;
END
""",
)

_ALL = (_CANCEL_STEPS, _PAUSE_RUN, _RESUME_RUN, _CLOSE_RUN, _REDRIVE_RUN)
CONTROL = "".join(create for create, _ in _ALL) + END_RUN[0]
CONTROL_DROP = "".join(drop for _, drop in reversed(_ALL))
