"""Triggers that protect system roles and revoked or expired API keys.

Row-level security lets a tenant write all its roles and keys. The operator role may change system roles.
"""

FIXED_STATES = """
CREATE FUNCTION accounts_keep_system_role() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public AS $$
BEGIN
  IF current_user = 'conclave_app' AND (TG_OP <> 'UPDATE' OR
    (OLD.slug, OLD.permissions, OLD.is_system) IS DISTINCT FROM (NEW.slug, NEW.permissions, NEW.is_system)) THEN
    RAISE EXCEPTION 'a system role keeps its slug and permissions' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER accounts_role_system BEFORE UPDATE OR DELETE ON accounts_role
  FOR EACH ROW WHEN (OLD.is_system) EXECUTE FUNCTION accounts_keep_system_role();
CREATE TRIGGER accounts_role_new_system BEFORE INSERT OR UPDATE ON accounts_role
  FOR EACH ROW WHEN (NEW.is_system) EXECUTE FUNCTION accounts_keep_system_role();
CREATE FUNCTION accounts_refuse_key_revival() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public AS $$
BEGIN
  IF OLD.key_hash <> NEW.key_hash THEN
    RAISE EXCEPTION 'the hash of an API key cannot be changed' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RAISE EXCEPTION 'a revoked or expired API key cannot be used again' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER accounts_apikey_revival BEFORE UPDATE ON accounts_apikey FOR EACH ROW WHEN (
  (OLD.status <> 'active' AND NEW.status = 'active')
  OR (OLD.expires_at <= now() AND (NEW.expires_at IS NULL OR NEW.expires_at > OLD.expires_at))
  OR OLD.key_hash <> NEW.key_hash
) EXECUTE FUNCTION accounts_refuse_key_revival();
"""
FIXED_STATES_DROP = """
DROP TRIGGER accounts_apikey_revival ON accounts_apikey;
DROP FUNCTION accounts_refuse_key_revival();
DROP TRIGGER accounts_role_new_system ON accounts_role;
DROP TRIGGER accounts_role_system ON accounts_role;
DROP FUNCTION accounts_keep_system_role();
"""
