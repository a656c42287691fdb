"""SQL functions that the policies of projects and calendars use."""

# Run as the owner of the tables: policies of projects that read members, whose policy reads projects, would recurse.
_SHARED = """
CREATE FUNCTION {name}(writable boolean) RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 20 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  tenant uuid := public.conclave_current_tenant();
  person uuid := public.conclave_current_user();
BEGIN
  RETURN QUERY SELECT p.id FROM public.{table} p WHERE p.tenant_id = tenant AND p.user_id = person
    UNION ALL SELECT m.{column} FROM public.{members} m WHERE m.tenant_id = tenant AND m.user_id = person
      AND (NOT writable OR m.access = 'write');
END $$;
REVOKE ALL ON FUNCTION {name}(boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {name}(boolean) TO conclave_app, conclave_reader;
"""
# The projects and calendars that the current user owns or is a member of; `writable` leaves out read access.
PROJECTS = _SHARED.format(
    name="conclave_projects",
    table="workflows_project",
    members="workflows_projectmember",
    column="project_id",
)
CALENDARS = _SHARED.format(
    name="conclave_calendars",
    table="workflows_calendar",
    members="workflows_calendarmember",
    column="calendar_id",
)
SHARED_DROP = "DROP FUNCTION conclave_calendars(boolean); DROP FUNCTION conclave_projects(boolean);"

# Owners of existing rows. Projects and tasks whose user left the organisation get its first active administrator.
# Users with tasks in the project of another user become its members, because tasks now follow their project.
OWNERS = """
SELECT set_config('app.actor', 'system:migration', true);
WITH administrators AS (
  SELECT DISTINCT ON (tenant_id) tenant_id, user_id FROM accounts_membership
  WHERE role = 'admin' AND status = 'active' ORDER BY tenant_id, id
), projects AS (
  UPDATE workflows_project p SET user_id = a.user_id FROM administrators a
  WHERE a.tenant_id = p.tenant_id AND p.user_id IS NULL
)
UPDATE workflows_task t SET user_id = a.user_id FROM administrators a
WHERE a.tenant_id = t.tenant_id AND t.user_id IS NULL AND t.project_id IS NULL;
INSERT INTO workflows_projectmember (tenant_id, project_id, user_id, access)
SELECT DISTINCT t.tenant_id, t.project_id, t.user_id, 'write' FROM workflows_task t
JOIN workflows_project p ON p.tenant_id = t.tenant_id AND p.id = t.project_id
WHERE t.user_id <> p.user_id;
"""

# Outcomes of earlier versions are known as a share, and the last occurrence by the expiry, 180 days later.
INSIGHT_OUTCOMES = """
UPDATE workflows_agentlearningpattern SET failure_count = round((1 - coalesce(success_rate, 1)) * applied_count),
  last_seen_at = least(now(), greatest(created_at, last_applied_at, expires_at - interval '180 days'));
"""
INSIGHT_OUTCOMES_UNDO = "DELETE FROM workflows_agentlearningpattern WHERE embedding IS NULL;"

# The worker has no scope when it looks for due triggers. It learns IDs only, and opens a scope of each tenant.
TRIGGERS = """
CREATE FUNCTION conclave_due_triggers(most int) RETURNS TABLE (tenant_id uuid, trigger_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  (SELECT w.tenant_id, w.id FROM public.workflows_workflowtrigger w
    JOIN public.tenants_tenant t ON t.id = w.tenant_id AND t.status = 'active' AND t.deleted_at IS NULL
    WHERE w.is_enabled AND w.next_fire_at <= statement_timestamp() ORDER BY w.next_fire_at LIMIT most)
  UNION
  (SELECT DISTINCT f.tenant_id, f.trigger_id FROM public.workflows_triggerfiring f
    JOIN public.workflows_workflowtrigger w ON w.tenant_id = f.tenant_id AND w.id = f.trigger_id AND w.is_enabled
    JOIN public.workflows_workflow d ON d.tenant_id = w.tenant_id AND d.id = w.workflow_id AND d.status = 'active'
    JOIN public.tenants_tenant t ON t.id = f.tenant_id AND t.status = 'active' AND t.deleted_at IS NULL
    WHERE f.status = 'queued' AND d.deleted_at IS NULL AND NOT EXISTS (
      SELECT FROM public.workflows_workflowexecution e WHERE e.tenant_id = f.tenant_id
        AND e.trigger_id = f.trigger_id AND e.status NOT IN ('completed', 'failed', 'cancelled'))
    LIMIT most)
$$;
REVOKE ALL ON FUNCTION conclave_due_triggers(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conclave_due_triggers(int) TO conclave_queue;
-- A webhook names its trigger, but no tenant. The tenant is found before the signature is checked in its scope.
CREATE FUNCTION conclave_webhook_tenant(trigger_id uuid) RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF public.conclave_identity_scope() IS NOT TRUE THEN
    RAISE EXCEPTION 'triggers are looked up outside tenants' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN (SELECT w.tenant_id FROM public.workflows_workflowtrigger w
    JOIN public.tenants_tenant t ON t.id = w.tenant_id AND t.status = 'active' AND t.deleted_at IS NULL
    WHERE w.id = conclave_webhook_tenant.trigger_id AND w.trigger_type = 'webhook' AND w.is_enabled);
END $$;
REVOKE ALL ON FUNCTION conclave_webhook_tenant(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conclave_webhook_tenant(uuid) TO conclave_identity;
"""
TRIGGERS_DROP = "DROP FUNCTION conclave_webhook_tenant(uuid); DROP FUNCTION conclave_due_triggers(int);"

# Triggers of earlier versions: schedules become due and find their next time, and the signatures of webhooks have the
# form that they had.
EARLIER_TRIGGERS = """
UPDATE workflows_workflowtrigger SET next_fire_at = now() WHERE trigger_type = 'scheduled' AND next_fire_at IS NULL;
UPDATE workflows_workflowtrigger SET config = config || '{"scheme": "github"}'
WHERE trigger_type = 'webhook' AND jsonb_typeof(config) = 'object' AND NOT config ? 'scheme';
"""
EARLIER_TRIGGERS_UNDO = """
UPDATE workflows_workflowtrigger SET config = config - 'scheme' WHERE trigger_type = 'webhook';
"""
