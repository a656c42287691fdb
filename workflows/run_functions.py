"""SQL functions of runs: lanes, commits of steps and the end of a run.

They run with the rights of their caller. Each locks the run before its steps. The statements after the lock see what
the previous holder committed, so of two last predecessors of a join one sees both. A function saves the round trips
between the statements; PostgreSQL keeps their plans for the connection.
"""

QUEUE, TASK = "workflows", "workflows.tasks.run_lane"


def define_function(name: str, arguments: str, returns: str, body: str) -> tuple[str, str]:
    """Return the SQL that creates and the SQL that drops a function."""
    types = ", ".join(
        part.split()[1] for part in arguments.split(", ") if not part.strip().startswith("OUT ")
    )
    create = f"""
CREATE OR REPLACE FUNCTION {name}({arguments}) {returns} LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
{body.strip()}
$$;
REVOKE ALL ON FUNCTION {name}({types}) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {name}({types}) TO conclave_app;
"""
    return create, f"DROP FUNCTION {name}({types});\n"


# `again`: the lane has used up a time slice.
_QUEUE_LANE = define_function(
    "workflows_queue_lane",
    "tenant uuid, place integer, again boolean",
    "RETURNS void",
    f"""
DECLARE made bigint;
BEGIN
  INSERT INTO procrastinate_jobs (queue_name, task_name, args)
  VALUES ('{QUEUE}', '{TASK}', jsonb_build_object('tenant_id', tenant, 'lane', place, 'again', again))
    RETURNING id INTO made;
  UPDATE workflows_workflowlane SET status = 'queued', job = made WHERE tenant_id = tenant AND lane = place;
END
""",
)

# Queues idle lanes for steps that became ready. The lock on the gate ends with the transaction. A lane that goes idle
# waits for it and looks again: without the gate the lane would not see the step, and this function no idle lane.
_KICK = define_function(
    "workflows_kick",
    "tenant uuid, wanted integer",
    "RETURNS integer",
    """
DECLARE place integer; queued integer := 0;
BEGIN
  PERFORM FROM workflows_workflowgate WHERE tenant_id = tenant FOR KEY SHARE;
  IF NOT FOUND THEN
    INSERT INTO workflows_workflowgate (tenant_id) VALUES (tenant) ON CONFLICT DO NOTHING;
    INSERT INTO workflows_workflowlane (tenant_id, lane)
      SELECT tenant, n FROM workflows_workflowgate g, generate_series(0, g.lanes - 1) n WHERE g.tenant_id = tenant
      ON CONFLICT DO NOTHING;
    PERFORM FROM workflows_workflowgate WHERE tenant_id = tenant FOR KEY SHARE;
  END IF;
  WHILE queued < wanted LOOP
    SELECT lane INTO place FROM workflows_workflowlane WHERE tenant_id = tenant AND status = 'idle'
      ORDER BY lane LIMIT 1 FOR UPDATE SKIP LOCKED;
    EXIT WHEN NOT FOUND;
    PERFORM workflows_queue_lane(tenant, place, false);
    queued := queued + 1;
  END LOOP;
  RETURN queued;
END
""",
)

# Ends the job of a lane: behind the other lanes if there is work, else idle. False: there is work, and `again` is
# false, so the job continues.
_RELEASE_LANE = define_function(
    "workflows_release_lane",
    "tenant uuid, place integer, me bigint, again boolean",
    "RETURNS boolean",
    """
BEGIN
  PERFORM FROM workflows_workflowgate WHERE tenant_id = tenant FOR UPDATE;
  PERFORM FROM workflows_workflowlane WHERE tenant_id = tenant AND lane = place AND job = me FOR UPDATE;
  IF NOT FOUND THEN RETURN true; END IF;
  IF EXISTS (SELECT FROM workflows_stepexecution WHERE tenant_id = tenant AND status = 'ready') THEN
    IF again THEN PERFORM workflows_queue_lane(tenant, place, true); END IF;
    RETURN again;
  END IF;
  UPDATE workflows_workflowlane SET status = 'idle', job = NULL WHERE tenant_id = tenant AND lane = place;
  RETURN true;
END
""",
)

_RECORD_EVENT = define_function(
    "workflows_record_event",
    "tenant uuid, run uuid, kind text, data jsonb",
    "RETURNS void",
    """
DECLARE place integer;
BEGIN
  UPDATE workflows_workflowexecution SET event_count = event_count + 1 WHERE tenant_id = tenant AND id = run
    RETURNING event_count INTO place;
  INSERT INTO workflows_workflowevent (tenant_id, execution_id, sequence_number, kind, data)
    VALUES (tenant, run, place, kind, data);
END
""",
)

_RECORD_STEP = define_function(
    "workflows_record_step",
    "tenant uuid, run uuid, step uuid, event text",
    "RETURNS void",
    """
BEGIN
  PERFORM workflows_record_event(tenant, run, event, jsonb_build_object('step_id', s.step_id, 'attempt', s.attempt,
    'step_execution_id', s.id)) FROM workflows_stepexecution s WHERE s.tenant_id = tenant AND s.id = step;
END
""",
)

# Inserts the first attempt of a step; the caller holds the lock of the run. With `me` the step is claimed at once.
# Returns null if the step exists.
_INSERT_STEP = define_function(
    "workflows_insert_step",
    "tenant uuid, run uuid, spec jsonb, me bigint",
    "RETURNS jsonb",
    """
DECLARE made jsonb; moment timestamptz := clock_timestamp();
BEGIN
  INSERT INTO workflows_stepexecution (tenant_id, execution_id, step_id, kind, item, attempt, status, priority,
    lane_job, claim, takeovers, started_at, time_limit, deadline_at, expires_at, idempotency_key, input_data,
    error_message, metadata)
  SELECT tenant, run, spec ->> 'step_id', spec ->> 'kind', -1, 1,
    CASE WHEN t.held THEN 'pending' WHEN me IS NULL THEN 'ready' ELSE 'running' END,
    e.priority + coalesce((spec ->> 'priority')::smallint, 0), t.claimer, CASE WHEN t.claimer IS NULL THEN 0 ELSE 1 END,
    0, CASE WHEN t.claimer IS NOT NULL THEN moment END, (spec ->> 'timeout')::float8, t.deadline,
    least(t.deadline, CASE WHEN t.claimer IS NOT NULL
      THEN moment + make_interval(secs => (spec ->> 'timeout')::float8) END),
    concat(e.id, ':', spec ->> 'step_id', ':-1:', e.redrive_count), '{}', '', '{}'
  FROM workflows_workflowexecution e CROSS JOIN LATERAL (
    SELECT e.status IN ('pending', 'paused') AS held,
      CASE WHEN e.status NOT IN ('pending', 'paused') THEN me END AS claimer,
      moment + make_interval(secs => (spec ->> 'deadline')::float8) AS deadline) AS t
  WHERE e.tenant_id = tenant AND e.id = run
  ON CONFLICT DO NOTHING
  RETURNING jsonb_build_object('id', id, 'step_id', step_id, 'status', status, 'idempotency_key', idempotency_key)
    INTO made;
  RETURN made;
END
""",
)

_BEGIN_RUN = define_function(
    "workflows_begin_run",
    "tenant uuid, run uuid, steps jsonb",
    "RETURNS void",
    """
DECLARE ready integer;
BEGIN
  SELECT count(*) FILTER (WHERE made ->> 'status' = 'ready') INTO ready FROM (
    SELECT workflows_insert_step(tenant, run, s.spec, NULL) AS made
    FROM jsonb_array_elements(steps) WITH ORDINALITY s (spec, place) ORDER BY s.place) AS inserted;
  PERFORM workflows_record_event(tenant, run, 'run.started', '{}');
  IF ready > 0 THEN PERFORM workflows_kick(tenant, ready); END IF;
END
""",
)

# A run whose steps all wait is waiting, which its time limit does not count.
_SETTLE_RUN = define_function(
    "workflows_settle_run",
    "tenant uuid, run uuid",
    "RETURNS void",
    """
BEGIN
  UPDATE workflows_workflowexecution SET status = 'waiting', waiting_since = clock_timestamp()
    WHERE tenant_id = tenant AND id = run AND status = 'running' AND NOT EXISTS (
      SELECT FROM workflows_stepexecution WHERE tenant_id = tenant AND execution_id = run
        AND status IN ('pending', 'ready', 'running'));
  IF FOUND THEN PERFORM workflows_record_event(tenant, run, 'run.waiting', '{}'); END IF;
END
""",
)
_WAKE_RUN = define_function(
    "workflows_wake_run",
    "tenant uuid, run uuid",
    "RETURNS void",
    """
BEGIN
  UPDATE workflows_workflowexecution SET status = 'running', waiting_since = NULL,
    deadline_at = deadline_at + (clock_timestamp() - waiting_since)
    WHERE tenant_id = tenant AND id = run AND status = 'waiting';
  IF FOUND THEN PERFORM workflows_record_event(tenant, run, 'run.resumed', '{}'); END IF;
END
""",
)

# Stores the result of an attempt if its claim is still valid.
FINISH_ATTEMPT = define_function(
    "workflows_finish_attempt",
    "tenant uuid, step uuid, fence integer, outcome text, fields jsonb",
    "RETURNS boolean",
    """
BEGIN
  UPDATE workflows_stepexecution SET status = outcome, completed_at = clock_timestamp(), lane_job = NULL,
    resolution = NULL, correlation = '', wake_at = NULL, expires_at = NULL, takeovers = 0,
    output_data = nullif(fields -> 'output', 'null'),
    input_data = coalesce(nullif(fields -> 'input', 'null'), input_data),
    metadata = metadata || coalesce(fields -> 'metadata', '{}'), storage_path = coalesce(fields ->> 'path', ''),
    agent_id = coalesce((fields ->> 'agent_id')::uuid, agent_id), size_bytes = coalesce((fields ->> 'size')::bigint, 0),
    error_code = coalesce(fields ->> 'error_code', ''), error_message = coalesce(fields ->> 'error_message', '')
  WHERE tenant_id = tenant AND id = step AND claim = fence AND status = 'running';
  RETURN FOUND;
END
""",
)

# `successors` are steps behind this one, with `needs` unless one predecessor suffices. The first that is ready stays
# in this lane, already claimed. `known` contains the results of the steps in `wanted`.
_COMMIT_STEP = define_function(
    "workflows_commit_step",
    "tenant uuid, run uuid, step uuid, fence integer, me bigint, outcome text, fields jsonb, successors jsonb,"
    " wanted text[], OUT done boolean, OUT ended boolean, OUT chained jsonb, OUT known jsonb",
    "",
    """
DECLARE attempt record; place integer; spec jsonb; made jsonb; ready integer := 0;
BEGIN
  ended := false;
  PERFORM FROM workflows_workflowexecution WHERE tenant_id = tenant AND id = run FOR NO KEY UPDATE;
  done := workflows_finish_attempt(tenant, step, fence, outcome, fields);
  IF NOT done THEN RETURN; END IF;
  SELECT step_id, attempt AS number INTO attempt FROM workflows_stepexecution WHERE tenant_id = tenant AND id = step;
  UPDATE workflows_workflowexecution e SET event_count = e.event_count + 1, current_step = attempt.step_id,
    steps_completed = e.steps_completed + CASE WHEN (fields ->> 'counted')::boolean THEN 1 ELSE 0 END
    WHERE e.tenant_id = tenant AND e.id = run AND e.completed_at IS NULL
    RETURNING e.event_count, e.steps_completed = e.steps_total INTO place, ended;
  IF NOT FOUND THEN ended := false; RETURN; END IF;
  INSERT INTO workflows_workflowevent (tenant_id, execution_id, sequence_number, kind, data)
    VALUES (tenant, run, place, 'step.' || outcome, jsonb_build_object('step_id', attempt.step_id, 'attempt',
      attempt.number, 'step_execution_id', step));
  FOR spec IN SELECT s.spec FROM jsonb_array_elements(successors) WITH ORDINALITY s (spec, place) ORDER BY s.place LOOP
    CONTINUE WHEN EXISTS (
      SELECT FROM jsonb_array_elements_text(spec -> 'needs') AS n (step_id)
      LEFT JOIN LATERAL (
        SELECT p.status FROM workflows_stepexecution p
        WHERE p.tenant_id = tenant AND p.execution_id = run AND p.step_id = n.step_id AND p.item = -1
        ORDER BY p.attempt DESC LIMIT 1) AS latest ON true
      WHERE latest.status IS NULL OR latest.status NOT IN ('completed', 'skipped', 'failed'));
    made := workflows_insert_step(tenant, run, spec, CASE WHEN chained IS NULL THEN me END);
    IF made ->> 'status' = 'running' THEN chained := made;
    ELSIF made ->> 'status' = 'ready' THEN ready := ready + 1;
    END IF;
  END LOOP;
  IF ready > 0 THEN PERFORM workflows_kick(tenant, ready); END IF;
  IF ready = 0 AND chained IS NULL AND NOT ended THEN PERFORM workflows_settle_run(tenant, run); END IF;
  IF cardinality(wanted) > 0 THEN known := workflows_results(tenant, run, wanted); END IF;
END
""",
)
RESULTS = define_function(
    "workflows_results",
    "tenant uuid, run uuid, wanted text[]",
    "RETURNS jsonb",
    """
BEGIN
  RETURN (SELECT jsonb_object_agg(latest.step_id, jsonb_build_object('status', latest.status, 'output',
      latest.output_data, 'error_code', latest.error_code, 'error_message', latest.error_message, 'path',
      latest.storage_path))
    FROM unnest(wanted) AS n (step_id) CROSS JOIN LATERAL (
      SELECT p.step_id, p.status, p.output_data, p.error_code, p.error_message, p.storage_path
      FROM workflows_stepexecution p
      WHERE p.tenant_id = tenant AND p.execution_id = run AND p.step_id = n.step_id AND p.item = -1
      ORDER BY p.attempt DESC LIMIT 1) AS latest);
END
""",
)

_RETRY_STEP = define_function(
    "workflows_retry_step",
    "tenant uuid, run uuid, step uuid, fence integer, seconds float8, fields jsonb",
    "RETURNS boolean",
    """
BEGIN
  PERFORM FROM workflows_workflowexecution WHERE tenant_id = tenant AND id = run FOR NO KEY UPDATE;
  IF NOT workflows_finish_attempt(tenant, step, fence, 'failed', fields) THEN RETURN false; END IF;
  INSERT INTO workflows_stepexecution (tenant_id, execution_id, step_id, kind, item, attempt, status, priority, wake_at,
    time_limit, deadline_at, expires_at, idempotency_key, input_data, error_message, metadata)
  SELECT tenant, run, s.step_id, s.kind, s.item, s.attempt + 1, 'waiting', s.priority,
    clock_timestamp() + make_interval(secs => seconds), s.time_limit, s.deadline_at, s.deadline_at, s.idempotency_key,
    '{}', '', CASE WHEN s.metadata ? 'base' THEN jsonb_build_object('base', s.metadata -> 'base') ELSE '{}' END
  FROM workflows_stepexecution s JOIN workflows_workflowexecution e ON e.tenant_id = tenant AND e.id = run
  WHERE s.tenant_id = tenant AND s.id = step AND e.completed_at IS NULL;
  IF FOUND THEN
    PERFORM workflows_record_step(tenant, run, step, 'step.retried');
  END IF;
  RETURN true;
END
""",
)

# `fields` are stored with the wait.
PARK_STEP = define_function(
    "workflows_park_step",
    "tenant uuid, run uuid, step uuid, fence integer, moment timestamptz, key text, fields jsonb",
    "RETURNS boolean",
    """
BEGIN
  PERFORM FROM workflows_workflowexecution WHERE tenant_id = tenant AND id = run AND completed_at IS NULL
    FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN false; END IF;
  UPDATE workflows_stepexecution SET status = 'waiting', wake_at = moment, correlation = key, lane_job = NULL,
    takeovers = 0, input_data = coalesce(nullif(fields -> 'input', 'null'), input_data)
    WHERE tenant_id = tenant AND id = step AND claim = fence AND status = 'running';
  IF NOT FOUND THEN RETURN false; END IF;
  PERFORM workflows_record_step(tenant, run, step, 'step.waiting');
  -- The helpers of a map start in the same transaction.
  IF key <> 'map' THEN PERFORM workflows_settle_run(tenant, run); END IF;
  RETURN true;
END
""",
)
# Makes a waiting step ready. A lane runs it and takes `result` if it is given. False: the step no longer waits.
_RESUME_STEP = define_function(
    "workflows_resume_step",
    "tenant uuid, step uuid, result jsonb",
    "RETURNS boolean",
    """
DECLARE state text;
BEGIN
  UPDATE workflows_stepexecution s SET resolution = result, wake_at = NULL, correlation = '',
    status = CASE WHEN e.status = 'paused' THEN 'pending' ELSE 'ready' END
    FROM workflows_workflowexecution e
    WHERE s.tenant_id = tenant AND s.id = step AND s.status = 'waiting'
      AND e.tenant_id = tenant AND e.id = s.execution_id AND e.completed_at IS NULL
    RETURNING s.status INTO state;
  IF NOT FOUND THEN RETURN false; END IF;
  IF state = 'ready' THEN PERFORM workflows_kick(tenant, 1); END IF;
  RETURN true;
END
""",
)

END_RUN = define_function(
    "workflows_end_run",
    "tenant uuid, run uuid, outcome text, result jsonb, message text, OUT ended boolean, OUT workflow uuid,"
    " OUT parent uuid",
    "",
    """
DECLARE r record; follower uuid; ready integer; started boolean;
BEGIN
  SELECT status <> 'pending' INTO started FROM workflows_workflowexecution
    WHERE tenant_id = tenant AND id = run AND completed_at IS NULL FOR NO KEY UPDATE;
  UPDATE workflows_workflowexecution SET status = outcome, output_data = result, error_message = message,
    completed_at = clock_timestamp(), waiting_since = NULL
    WHERE tenant_id = tenant AND id = run AND completed_at IS NULL
    RETURNING workflow_id, parent_step_id, concurrency_key, started_at INTO r;
  ended := FOUND;
  IF NOT ended THEN RETURN; END IF;
  workflow := r.workflow_id;
  parent := r.parent_step_id;
  PERFORM workflows_cancel_steps(tenant, run);
  PERFORM workflows_record_event(tenant, run, 'run.' || outcome, '{}');
  IF started AND r.concurrency_key <> '' THEN
    PERFORM pg_advisory_xact_lock(hashtextextended(concat('conclave.runs.', r.workflow_id, r.concurrency_key), 0));
    SELECT id INTO follower FROM workflows_workflowexecution WHERE tenant_id = tenant AND workflow_id = r.workflow_id
      AND concurrency_key = r.concurrency_key AND status = 'pending' ORDER BY priority DESC, id LIMIT 1
      FOR UPDATE SKIP LOCKED;
    IF FOUND THEN
      UPDATE workflows_workflowexecution SET status = 'running', started_at = clock_timestamp(),
        deadline_at = deadline_at + (clock_timestamp() - started_at) WHERE tenant_id = tenant AND id = follower;
      UPDATE workflows_stepexecution SET status = 'ready' WHERE tenant_id = tenant AND execution_id = follower
        AND status = 'pending';
      GET DIAGNOSTICS ready = ROW_COUNT;
      PERFORM workflows_kick(tenant, ready);
    END IF;
  END IF;
  UPDATE workflows_workflow SET run_count = run_count + 1,
    success_count = success_count + CASE WHEN outcome = 'completed' THEN 1 ELSE 0 END,
    error_count = error_count + CASE WHEN outcome = 'failed' THEN 1 ELSE 0 END,
    last_run_at = greatest(last_run_at, r.started_at),
    last_run_status = CASE WHEN outcome = 'cancelled' OR last_run_at > r.started_at THEN last_run_status
      WHEN outcome = 'failed' THEN 'failed'
      WHEN EXISTS (SELECT FROM workflows_stepexecution s WHERE s.tenant_id = tenant AND s.execution_id = run
        AND s.item = -1 AND s.status = 'failed' AND NOT EXISTS (SELECT FROM workflows_stepexecution l
          WHERE l.tenant_id = tenant AND l.execution_id = run AND l.step_id = s.step_id AND l.item = -1
            AND l.attempt > s.attempt)) THEN 'partial'
      ELSE 'success' END
    WHERE tenant_id = tenant AND id = r.workflow_id;
END
""",
)

_ALL = (
    _QUEUE_LANE, _KICK, _RELEASE_LANE, _RECORD_EVENT, _RECORD_STEP, _INSERT_STEP, _BEGIN_RUN, _SETTLE_RUN, _WAKE_RUN,
    FINISH_ATTEMPT, RESULTS, _COMMIT_STEP, _RETRY_STEP, PARK_STEP, _RESUME_STEP, END_RUN,
)  # fmt: skip
RUNS = "".join(create for create, _ in _ALL)
RUNS_DROP = "".join(drop for _, drop in reversed(_ALL))
