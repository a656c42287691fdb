"""SQL functions of maps."""

from workflows.run_functions import PARK_STEP, define_function

# Stores the items of a map, which waits for its helpers, and starts these. The completed items of the attempt before
# stay if the items are the same.
_BEGIN_MAP = define_function(
    "workflows_begin_map",
    "tenant uuid, step uuid, elements jsonb, helpers integer",
    "RETURNS void",
    """
DECLARE before record; missing integer[]; kept integer := 0; size integer := jsonb_array_length(elements);
BEGIN
  SELECT p.id, m.items INTO before
    FROM workflows_stepexecution s
    JOIN workflows_stepexecution p ON p.tenant_id = tenant AND p.execution_id = s.execution_id
      AND p.step_id = s.step_id AND p.item = -1 AND p.attempt < s.attempt
    JOIN workflows_mapstate m ON m.tenant_id = tenant AND m.step_id = p.id
    WHERE s.tenant_id = tenant AND s.id = step AND s.attempt > 1 ORDER BY p.attempt DESC LIMIT 1;
  IF before.items = elements THEN
    INSERT INTO workflows_mapitem (tenant_id, step_id, position, status, output_data, error_code, error_message)
    SELECT tenant, step, i.position, i.status, i.output_data, '', '' FROM workflows_mapitem i
      WHERE i.tenant_id = tenant AND i.step_id = before.id AND i.status = 'completed';
    GET DIAGNOSTICS kept = ROW_COUNT;
    missing := ARRAY(SELECT n FROM generate_series(0, size - 1) n EXCEPT SELECT i.position FROM workflows_mapitem i
      WHERE i.tenant_id = tenant AND i.step_id = step ORDER BY 1);
  END IF;
  INSERT INTO workflows_mapstate (tenant_id, step_id, items, positions, total, done)
    VALUES (tenant, step, elements, missing, size, kept);
  INSERT INTO workflows_stepexecution (tenant_id, execution_id, step_id, kind, item, attempt, status, priority,
    idempotency_key, input_data, error_message, metadata)
  SELECT tenant, s.execution_id, s.step_id, s.kind, n, s.attempt,
    CASE WHEN e.status = 'paused' THEN 'pending' ELSE 'ready' END,
    s.priority, s.idempotency_key, '{}', '', jsonb_build_object('map', s.id)
  FROM workflows_stepexecution s
    JOIN workflows_workflowexecution e ON e.tenant_id = tenant AND e.id = s.execution_id,
    generate_series(0, helpers - 1) n
  WHERE s.tenant_id = tenant AND s.id = step;
  PERFORM workflows_kick(tenant, helpers);
END
""",
)

# Commits the results of the range that begins at `finished`, and gives the helper its open range or the next one. The
# helper ends if there is none, or if more than `tolerated` items failed; the last one resumes the map.
_WORK_RANGE = define_function(
    "workflows_work_range",
    "tenant uuid, map uuid, helper uuid, fence integer, size integer, tolerated integer, finished integer,"
    " results jsonb, OUT valid boolean, OUT first integer, OUT elements jsonb, OUT places integer[]",
    "",
    """
DECLARE last integer; state record; broken integer := 0; added integer := 0; rest integer;
BEGIN
  PERFORM FROM workflows_stepexecution WHERE tenant_id = tenant AND id = helper AND claim = fence
    AND status = 'running' FOR NO KEY UPDATE;
  valid := FOUND;
  IF NOT valid THEN RETURN; END IF;
  IF finished IS NOT NULL THEN
    UPDATE workflows_maprange r SET is_done = true WHERE r.tenant_id = tenant AND r.step_id = map AND r.start = finished
      AND r.helper_id = helper AND NOT r.is_done;
    IF FOUND THEN
      INSERT INTO workflows_mapitem (tenant_id, step_id, position, status, output_data, error_code, error_message)
      SELECT tenant, map, coalesce(m.positions[finished + r.place], finished + r.place - 1), r.item ->> 'status',
        nullif(r.item -> 'output', 'null'), coalesce(r.item ->> 'error_code', ''),
        coalesce(r.item ->> 'error_message', '')
      FROM workflows_mapstate m, jsonb_array_elements(results) WITH ORDINALITY r (item, place)
      WHERE m.tenant_id = tenant AND m.step_id = map;
      SELECT count(*), count(*) FILTER (WHERE r.item ->> 'status' = 'failed') INTO added, broken
        FROM jsonb_array_elements(results) r (item);
    END IF;
  END IF;
  SELECT m.start, m.stop INTO first, last FROM workflows_maprange m
    WHERE m.tenant_id = tenant AND m.helper_id = helper AND NOT m.is_done LIMIT 1;
  -- Locked before it is read: helpers that take a range at the same time get different ones, and of two last helpers
  -- one sees both.
  SELECT m.next, m.done + added AS done, m.failed + broken AS failed, m.total,
      coalesce(cardinality(m.positions), m.total) AS stop INTO state
    FROM workflows_mapstate m WHERE m.tenant_id = tenant AND m.step_id = map FOR NO KEY UPDATE;
  rest := state.stop - state.next;
  IF first IS NULL AND rest > 0 AND state.failed <= tolerated THEN
    first := state.next;
    last := first + least(size, rest);
    INSERT INTO workflows_maprange (tenant_id, step_id, helper_id, start, stop)
      VALUES (tenant, map, helper, first, last);
    state.next := last;
  END IF;
  UPDATE workflows_mapstate m SET next = state.next, done = state.done, failed = state.failed
    WHERE m.tenant_id = tenant AND m.step_id = map;
  IF first IS NULL THEN
    PERFORM workflows_finish_attempt(tenant, helper, fence, 'completed', '{}');
    IF state.done = state.total OR state.failed > tolerated THEN
      PERFORM workflows_resume_step(tenant, map, NULL);
    END IF;
    RETURN;
  END IF;
  SELECT m.positions[first + 1:last], jsonb_path_query_array(m.items, '$[$a to $b]', jsonb_build_object(
      'a', coalesce(m.positions[first + 1], first), 'b', coalesce(m.positions[last], last - 1))) INTO places, elements
    FROM workflows_mapstate m WHERE m.tenant_id = tenant AND m.step_id = map;
  IF places IS NOT NULL THEN
    elements := (SELECT jsonb_agg(e.item ORDER BY e.place) FROM jsonb_array_elements(elements) WITH ORDINALITY
      e (item, place) WHERE places[1] + e.place - 1 = ANY (places));
  END IF;
END
""",
)
_ALL = (PARK_STEP, _BEGIN_MAP, _WORK_RANGE)
MAPS = "".join(create for create, _ in _ALL)
MAPS_DROP = "".join(drop for _, drop in reversed(_ALL[1:]))
