"""Triggers of agent tasks and insights."""

# A run of an agent leaves a task for the turn and one for each of its tool calls. The task of the turn has the ID of
# the run, and so of the answer, unless its week may have expired. Tasks have more readers than the conversation, so
# they contain no texts of it.
TASKS = """
CREATE FUNCTION workflows_record_tasks() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  task uuid := CASE WHEN conclave_uuid_time(NEW.id) > now() - interval '7 days' THEN NEW.id ELSE uuidv7() END;
  agent record;
  origin jsonb := jsonb_build_object('conversation_id', NEW.conversation_id, 'message_id', NEW.message_id);
  seconds double precision := NEW.execution_time_ms / 1000.0;
BEGIN
  SELECT id, name, model_provider INTO agent FROM agents_agent WHERE tenant_id = NEW.tenant_id AND id = NEW.agent_id;
  INSERT INTO workflows_agenttask (id, tenant_id, parent_task_id, flow_type, agent_id, agent_name, agent_type,
    agent_version, task_type, task_description, input_data, status, started_at, completed_at, duration_seconds,
    output_data, error_message, retry_count, tokens_used, api_calls_made, memory_used_mb, cost)
  VALUES (task, NEW.tenant_id, coalesce(NEW.meeting_id::text, ''), '', agent.id,
    left(coalesce(agent.name, NEW.agent_id::text), 100), left(coalesce(agent.model_provider, ''), 50),
    coalesce(NEW.agent_version::text, ''),
    CASE WHEN NEW.meeting_id IS NULL THEN 'turn' ELSE 'meeting_contribution' END, '', origin, NEW.status,
    clock_timestamp() - make_interval(secs => seconds), clock_timestamp(), seconds, '{}', NEW.error_message,
    coalesce(NEW.retry_count, 0), NEW.tokens_used, NEW.model_calls, NEW.memory_used_mb, coalesce(NEW.cost, 0));
  INSERT INTO workflows_agenttask (id, tenant_id, parent_task_id, flow_type, agent_id, agent_name, agent_type,
    agent_version, task_type, task_description, input_data, status, started_at, completed_at, duration_seconds,
    output_data, error_message, retry_count, api_calls_made, cost)
  SELECT called.id, NEW.tenant_id, task, '', agent.id, left(coalesce(agent.name, NEW.agent_id::text), 100),
    left(coalesce(agent.model_provider, ''), 50), coalesce(NEW.agent_version::text, ''), 'tool_call',
    called.tool_name, origin || jsonb_build_object('tool_execution_id', called.execution),
    CASE called.status WHEN 'completed' THEN 'completed' WHEN 'denied' THEN 'cancelled' ELSE 'failed' END,
    called.started_at, greatest(called.started_at, called.completed_at), called.execution_time_ms / 1000.0, '{}',
    CASE WHEN called.status <> 'completed' THEN called.status ELSE '' END, 0, 1, 0
  FROM (SELECT uuidv7() AS id, t.id AS execution, t.tool_name, t.status, t.started_at, t.completed_at,
      t.execution_time_ms
    FROM conversations_toolexecution t
    WHERE t.tenant_id = NEW.tenant_id AND t.message_id = NEW.message_id AND t.id >= NEW.message_id
    ORDER BY t.id) AS called;
  RETURN NULL;
END $$;
CREATE TRIGGER workflows_agentrun_tasks AFTER INSERT ON agents_agentrun
  FOR EACH ROW WHEN (NEW.message_id IS NOT NULL) EXECUTE FUNCTION workflows_record_tasks();
"""
TASKS_DROP = """
DROP TRIGGER workflows_agentrun_tasks ON agents_agentrun;
DROP FUNCTION workflows_record_tasks();
"""
# The `task_id` of earlier tasks, which only the demo data has, becomes their ID; references to them follow.
TASK_IDS = """
UPDATE workflows_agenttask child SET parent_task_id = parent.id::text FROM workflows_agenttask parent
WHERE child.parent_task_id <> '' AND parent.tenant_id = child.tenant_id AND parent.task_id = child.parent_task_id;
"""
# An insight learned from answers of an engagement is deleted with it: without the engagement it would apply to the
# whole organisation, or have the key of another insight. Both Django and the foreign key set the column to null.
FORGET_INSIGHTS = """
CREATE FUNCTION workflows_forget_insight() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  DELETE FROM workflows_agentlearningpattern WHERE tenant_id = OLD.tenant_id AND id = OLD.id;
  RETURN NULL;
END $$;
CREATE TRIGGER workflows_agentlearningpattern_forget BEFORE UPDATE OF engagement_id ON workflows_agentlearningpattern
  FOR EACH ROW WHEN (OLD.key <> '' AND OLD.engagement_id IS NOT NULL AND NEW.engagement_id IS NULL)
  EXECUTE FUNCTION workflows_forget_insight();
"""
FORGET_INSIGHTS_DROP = """
DROP TRIGGER workflows_agentlearningpattern_forget ON workflows_agentlearningpattern;
DROP FUNCTION workflows_forget_insight();
"""
