"""SQL functions about invitations, users before a tenant is known, and passwords."""

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

# No role reads a hash (`accounts.passwords`). The application proves a scope with this actor for one user and one
# statement, so SQL injected into another statement of sign-in can neither guess nor set a password.
PASSWORDS = """
CREATE FUNCTION conclave_password_user() RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF public.conclave_identity_scope() IS NOT TRUE OR public.conclave_current_user() IS NULL
      OR current_setting('app.actor') <> 'system:password' THEN
    RAISE EXCEPTION 'passwords are used in a scope of their user' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN public.conclave_current_user();
END $$;
-- The hash with its digest replaced by as many letters: algorithm, parameters and salt. Bcrypt appends the digest to
-- the salt. Null without a usable password.
CREATE FUNCTION conclave_password_parameters() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  person uuid := public.conclave_password_user();
  hash text := (SELECT password FROM public.accounts_user WHERE id = person AND NOT starts_with(password, '!'));
  digest int := CASE WHEN starts_with(hash, 'bcrypt') THEN 31 ELSE length(substring(hash FROM '[^$]*$')) END;
BEGIN
  RETURN left(hash, greatest(length(hash) - digest, 0)) || repeat('A', digest);
END $$;
CREATE FUNCTION conclave_password_matches(hash text) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE person uuid := public.conclave_password_user();
BEGIN
  -- The time to compare digests reveals nothing about the hash.
  RETURN EXISTS (SELECT FROM public.accounts_user
    WHERE id = person AND sha256(convert_to(password, 'UTF8')) = sha256(convert_to(hash, 'UTF8')));
END $$;
CREATE FUNCTION conclave_set_password(hash text, changed_at timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE person uuid := public.conclave_password_user();
BEGIN
  UPDATE public.accounts_user SET password = hash, password_changed_at = changed_at WHERE id = person;
END $$;
-- Stronger parameters for the same password, whose time stays.
CREATE FUNCTION conclave_replace_hash(old text, new text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE person uuid := public.conclave_password_user();
BEGIN
  UPDATE public.accounts_user SET password = new WHERE id = person AND password = old;
END $$;
REVOKE ALL ON FUNCTION conclave_password_user() FROM PUBLIC;
REVOKE ALL ON FUNCTION conclave_password_parameters() FROM PUBLIC;
REVOKE ALL ON FUNCTION conclave_password_matches(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION conclave_set_password(text, timestamptz) FROM PUBLIC;
REVOKE ALL ON FUNCTION conclave_replace_hash(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conclave_password_parameters() TO conclave_identity;
GRANT EXECUTE ON FUNCTION conclave_password_matches(text) TO conclave_identity;
GRANT EXECUTE ON FUNCTION conclave_set_password(text, timestamptz) TO conclave_identity;
GRANT EXECUTE ON FUNCTION conclave_replace_hash(text, text) TO conclave_identity;
"""
PASSWORDS_DROP = """
DROP FUNCTION conclave_replace_hash(text, text);
DROP FUNCTION conclave_set_password(text, timestamptz);
DROP FUNCTION conclave_password_matches(text);
DROP FUNCTION conclave_password_parameters();
DROP FUNCTION conclave_password_user();
"""

# Outside every scope, as `conclave_authenticate_key`: the digest of a key is a secret already.
PLATFORM_KEYS = """
CREATE FUNCTION conclave_authenticate_platform_key(digest bytea) RETURNS TABLE (
  key_id uuid, key_usable boolean, scopes jsonb, rate_limit int, hits int, resets_in int
) LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT k.id, k.status = 'active' AND (k.expires_at IS NULL OR k.expires_at > now()), k.scopes, k.rate_limit,
    h.hits, h.resets_in
  FROM public.accounts_platformkey k CROSS JOIN LATERAL public.conclave_hit('platform-key:' || k.id, 60) h
  WHERE k.key_hash = digest;
  UPDATE public.accounts_platformkey k SET last_used_at = now() WHERE k.key_hash = digest
    AND (k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute');
END $$;
REVOKE ALL ON FUNCTION conclave_authenticate_platform_key(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conclave_authenticate_platform_key(bytea) TO conclave_identity;
"""
PLATFORM_KEYS_DROP = "DROP FUNCTION conclave_authenticate_platform_key(bytea);"
