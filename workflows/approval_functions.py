"""SQL functions and triggers of approvals."""

# The worker has no scope when it looks for approvals to remind, escalate or expire. It learns IDs only.
DUE_APPROVALS = """
CREATE FUNCTION conclave_due_approvals(most int) RETURNS TABLE (tenant_id uuid, approval_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT a.tenant_id, a.id FROM public.workflows_approval a
  JOIN public.tenants_tenant t ON t.id = a.tenant_id AND t.status = 'active' AND t.deleted_at IS NULL
  WHERE a.status = 'pending' AND a.next_action_at <= statement_timestamp()
  ORDER BY a.next_action_at LIMIT most
$$;
REVOKE ALL ON FUNCTION conclave_due_approvals(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conclave_due_approvals(int) TO conclave_queue;
"""
DUE_APPROVALS_DROP = "DROP FUNCTION conclave_due_approvals(int);"

# The link in an e-mail is found by the digest of its token, before a tenant is known.
APPROVAL_LINK = """
CREATE FUNCTION conclave_approval_link(digest bytea) RETURNS TABLE (
  link_id uuid, tenant_id uuid, approval_id uuid, user_id uuid
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  IF public.conclave_identity_scope() IS NOT TRUE THEN
    RAISE EXCEPTION 'links of approvals are read outside tenants' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN QUERY SELECT l.id, l.tenant_id, l.approval_id, l.user_id
  FROM public.workflows_approvallink l
    JOIN public.workflows_approval a ON a.tenant_id = l.tenant_id AND a.id = l.approval_id
    JOIN public.tenants_tenant t ON t.id = l.tenant_id
    JOIN public.accounts_membership m ON m.tenant_id = l.tenant_id AND m.user_id = l.user_id
    JOIN public.accounts_user u ON u.id = l.user_id
  WHERE l.token_digest = digest AND l.used_at IS NULL AND l.expires_at > now()
    AND a.status = 'pending' AND (a.expires_at IS NULL OR a.expires_at > now())
    AND t.status = 'active' AND t.deleted_at IS NULL AND m.status = 'active' AND u.is_active;
END $$;
REVOKE ALL ON FUNCTION conclave_approval_link(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conclave_approval_link(bytea) TO conclave_identity;
"""
APPROVAL_LINK_DROP = "DROP FUNCTION conclave_approval_link(bytea);"

# Roles that can start workflows decide earlier requests without an assignee.
APPROVAL_CANDIDATES = """
INSERT INTO workflows_approvalassignee (tenant_id, approval_id, user_id)
SELECT tenant_id, id, assigned_to_id FROM workflows_approval WHERE assigned_to_id IS NOT NULL;
UPDATE workflows_approval SET candidate_roles = '["admin", "analyst", "user"]' WHERE assigned_to_id IS NULL;
"""
APPROVAL_CANDIDATES_UNDO = """
UPDATE workflows_approval SET status = 'expired' WHERE status = 'cancelled';
UPDATE workflows_approval a SET assigned_to_id = (SELECT user_id FROM workflows_approvalassignee s
  WHERE s.tenant_id = a.tenant_id AND s.approval_id = a.id AND s.delegated_to_id IS NULL ORDER BY s.id LIMIT 1);
"""

# A step that ends while people are asked cancels their approval: the run was cancelled, or the step took too long.
CANCEL_APPROVALS = """
CREATE FUNCTION workflows_cancel_approvals() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  UPDATE workflows_approval SET status = 'cancelled'
  WHERE tenant_id = NEW.tenant_id AND step_id = NEW.id AND status = 'pending';
  RETURN NULL;
END $$;
CREATE TRIGGER workflows_stepexecution_approvals AFTER UPDATE OF status ON workflows_stepexecution
  FOR EACH ROW WHEN (OLD.status = 'waiting' AND NEW.kind IN ('approval', 'form') AND NEW.status <> 'waiting')
  EXECUTE FUNCTION workflows_cancel_approvals();
"""
CANCEL_APPROVALS_DROP = """
DROP TRIGGER workflows_stepexecution_approvals ON workflows_stepexecution;
DROP FUNCTION workflows_cancel_approvals();
"""
