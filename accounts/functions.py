"""SQL functions about invitations and users before a tenant is known."""

# An invitation is found by its token, or by the verified address of a signed-in user.
INVITATIONS = """
CREATE FUNCTION conclave_open_invitations(digest bytea, person uuid) RETURNS TABLE (
  invitation_id uuid, tenant_id uuid, tenant_name text, email text, role text, message text,
  expires_at timestamptz, inviter text
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  IF public.conclave_identity_scope() IS NOT TRUE THEN
    RAISE EXCEPTION 'invitations are read outside tenants' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN QUERY SELECT i.id, t.id, t.name::text, i.email::text, i.role::text, i.message, i.expires_at,
    coalesce(nullif(btrim(concat(u.first_name, ' ', u.last_name)), ''), u.email, '')::text
  FROM public.accounts_invitation i JOIN public.tenants_tenant t ON t.id = i.tenant_id
    LEFT JOIN public.accounts_user u ON u.id = i.invited_by_id
  WHERE i.status = 'pending' AND i.expires_at > now() AND t.status = 'active' AND t.deleted_at IS NULL
    AND (i.token_digest = digest OR i.email IN (
      SELECT p.email FROM public.accounts_user p WHERE p.id = person AND p.is_active AND (p.is_verified OR EXISTS (
        SELECT FROM public.account_emailaddress a
        WHERE a.user_id = p.id AND a.verified AND lower(a.email) = p.email))))
  ORDER BY i.id;
END $$;
REVOKE ALL ON FUNCTION conclave_open_invitations(bytea, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conclave_open_invitations(bytea, uuid) TO conclave_identity;
"""
INVITATIONS_DROP = "DROP FUNCTION conclave_open_invitations(bytea, uuid);"

# The tenant that the user chose last, else the oldest membership, so that a new membership changes nothing.
DEFAULT_TENANT = """
CREATE FUNCTION conclave_default_tenant(person uuid) RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF public.conclave_identity_scope() IS NOT TRUE THEN
    RAISE EXCEPTION 'memberships are read outside tenants' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN (SELECT m.tenant_id FROM public.accounts_membership m JOIN public.tenants_tenant t ON t.id = m.tenant_id
    WHERE m.user_id = person AND m.status = 'active' AND t.deleted_at IS NULL
    ORDER BY t.status <> 'active', m.last_chosen_at DESC NULLS LAST, m.id LIMIT 1);
END $$;
REVOKE ALL ON FUNCTION conclave_default_tenant(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conclave_default_tenant(uuid) TO conclave_identity;
"""
DEFAULT_TENANT_DROP = "DROP FUNCTION conclave_default_tenant(uuid);"
