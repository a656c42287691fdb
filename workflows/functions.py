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
