"""SQL functions that write the security log, in one statement each.

They belong to the owner of the table, since an event may concern several tenants: all those of the person who signs
in, for example. A scope of one tenant records events of this tenant only.
"""

import json

from audit.security_rules import AUDITED, RULES

_COLUMNS = (
    "actor_email", "target_type", "target_id", "user_agent", "request_id", "session_id", "error_code",
)  # fmt: skip
_TEXTS = ", ".join(f"coalesce(event ->> '{name}', '')" for name in _COLUMNS)

RECORD = f"""
CREATE FUNCTION conclave_store_security_event(event jsonb, rule jsonb, tenants uuid[]) RETURNS SETOF uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  levels CONSTANT text[] := '{{INFO,WARNING,ERROR,CRITICAL}}';
  event_type CONSTANT text := rule ->> 'event_type';
  source CONSTANT text := coalesce(event ->> 'actor', event ->> 'actor_user_id', event ->> 'ip_address', '');
  burst CONSTANT int := rule ->> 'burst';
  minutes CONSTANT bigint := rule ->> 'minutes';
  level int := array_position(levels, rule ->> 'severity');
  recent int;
  minute CONSTANT text := lpad(to_hex((extract(epoch FROM date_trunc('minute', now())) * 1000)::bigint), 12, '0');
BEGIN
  IF (rule ->> 'per_minute')::boolean THEN
    SELECT hits INTO recent FROM conclave_hit('security:' || event_type || ':' || source, 60 * minutes::int);
  ELSE
    -- Without a lock on a counter: these events share the transaction of a change, and two could wait for each other.
    SELECT 1 + count(*) INTO recent FROM (SELECT FROM audit_securityauditlog l
      WHERE (l.tenant_id = tenants[1] OR (tenants[1] IS NULL AND l.tenant_id IS NULL))
        AND l.event_type = rule ->> 'event_type' AND l.actor_user_id = (event ->> 'actor_user_id')::uuid
        AND l.id >= rpad(lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - 60000 * minutes), 12, '0'),
          32, '0')::uuid
      LIMIT 10 * burst) events;
  END IF;
  level := least(level + (recent >= burst)::int + (recent >= 10 * burst)::int, array_length(levels, 1));
  RETURN QUERY INSERT INTO audit_securityauditlog AS log (
    id, tenant_id, event_type, event_category, severity, requires_review, actor_user_id, ip_address, action, result,
    target_details, details, occurrences, last_occurred_at, review_comments, actor_role,
    {", ".join(_COLUMNS)})
  SELECT
    -- Events of one minute that share a row have the same ID: its time is the minute, the rest a hash.
    CASE WHEN (rule ->> 'per_minute')::boolean
      THEN (minute || '7' || substr(hash.hex, 1, 3) || '8' || substr(hash.hex, 4, 15))::uuid ELSE uuidv7() END,
    t.tenant, event_type, split_part(event_type, '.', 1), levels[level],
    (rule ->> 'review')::boolean OR recent >= burst,
    (event ->> 'actor_user_id')::uuid, (event ->> 'ip_address')::inet, event ->> 'action',
    coalesce(event ->> 'result', 'success'), coalesce(event -> 'target_details', '{{}}'),
    coalesce(event -> 'details', '{{}}'), 1, clock_timestamp(), '[]', coalesce(
      (SELECT m.role FROM accounts_membership m
        WHERE m.tenant_id = t.tenant AND m.user_id = (event ->> 'actor_user_id')::uuid), ''),
    {_TEXTS}
  FROM unnest(coalesce(nullif(tenants, '{{}}'), ARRAY[NULL::uuid])) AS t(tenant),
    LATERAL (SELECT encode(sha256(convert_to(
      concat_ws('|', coalesce(t.tenant::text, ''), event_type, source), 'UTF8')), 'hex')) AS hash(hex)
  ON CONFLICT (id) DO UPDATE SET
    occurrences = log.occurrences + 1, last_occurred_at = excluded.last_occurred_at,
    severity = levels[greatest(array_position(levels, log.severity::text),
      array_position(levels, excluded.severity::text))],
    requires_review = log.requires_review OR excluded.requires_review
  RETURNING log.id;
END $$;
REVOKE ALL ON FUNCTION conclave_store_security_event(jsonb, jsonb, uuid[]) FROM PUBLIC;

CREATE FUNCTION conclave_record_security_event(event jsonb, rule jsonb, tenants uuid[]) RETURNS SETOF uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  scoped CONSTANT uuid := conclave_current_tenant();
  person uuid := event ->> 'actor_user_id';
BEGIN
  IF scoped IS NOT NULL THEN
    tenants := ARRAY[scoped];
  ELSIF conclave_identity_scope() IS NOT TRUE AND conclave_platform_scope() IS NOT TRUE THEN
    RAISE EXCEPTION 'the scope is not proved' USING ERRCODE = 'insufficient_privilege';
  ELSIF tenants IS NULL THEN
    IF person IS NULL AND coalesce(event ->> 'actor_email', '') <> '' THEN
      -- The attempt concerns the tenants of the account, which is the target: who acted is unknown.
      SELECT u.id INTO person FROM accounts_user u WHERE u.email = lower(event ->> 'actor_email');
      IF FOUND THEN
        event := event || jsonb_build_object(
          'actor', 'target:' || person, 'target_type', 'accounts.user', 'target_id', person);
      END IF;
    END IF;
    SELECT array_agg(m.tenant_id) INTO tenants FROM accounts_membership m
      WHERE m.user_id = person AND m.status = 'active';
  END IF;
  RETURN QUERY SELECT * FROM conclave_store_security_event(event, rule, tenants);
END $$;
REVOKE ALL ON FUNCTION conclave_record_security_event(jsonb, jsonb, uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conclave_record_security_event(jsonb, jsonb, uuid[])
  TO conclave_app, conclave_identity, conclave_operator;
"""
RECORD_DROP = """
DROP FUNCTION conclave_record_security_event(jsonb, jsonb, uuid[]);
DROP FUNCTION conclave_store_security_event(jsonb, jsonb, uuid[]);
"""


# Actions of platform API keys are recorded by `tenants.signals.platform_action`.
def audited_events_sql() -> str:
    """Return SQL of the trigger that records the audit log's rows of `AUDITED` as security events."""
    rules = {name: RULES[event_type].as_json(event_type) for name, event_type in AUDITED.items()}
    names = ", ".join(f"'{name}'" for name in rules)
    return f"""
CREATE FUNCTION conclave_audited_security_event() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  rules CONSTANT jsonb := '{json.dumps(rules)}';
BEGIN
  PERFORM conclave_store_security_event(jsonb_build_object(
    'actor', NEW.actor, 'actor_user_id', NEW.user_id, 'ip_address', host(NEW.ip_address),
    'user_agent', NEW.user_agent, 'request_id', NEW.request_id, 'result', NEW.status,
    'target_type', left(NEW.resource_type, 50), 'target_id', NEW.resource_id, 'action', left(NEW.action, 100),
    -- The names of changed columns, without values.
    'details', NEW.metadata || coalesce((SELECT jsonb_build_object('columns', jsonb_agg(name ORDER BY name))
      FROM jsonb_object_keys(coalesce(NEW.new_values, NEW.old_values)) name), '{{}}')),
    coalesce(rules -> NEW.action, rules -> NEW.resource_type), ARRAY[NEW.tenant_id]);
  RETURN NULL;
END $$;
SET LOCAL ROLE conclave_audit;
CREATE TRIGGER audit_auditlog_security AFTER INSERT ON audit_auditlog FOR EACH ROW WHEN (
  (NEW.action IN ({names}) OR NEW.resource_type IN ({names})) AND NEW.action <> 'platform.scope_opened'
  AND NEW.actor NOT LIKE 'system:%' AND NEW.actor NOT LIKE 'platform-key:%')
  EXECUTE FUNCTION conclave_audited_security_event();
SET LOCAL ROLE NONE;
REVOKE ALL ON FUNCTION conclave_audited_security_event() FROM PUBLIC;
"""


AUDITED_EVENTS_DROP = """
SET LOCAL ROLE conclave_audit;
DROP TRIGGER audit_auditlog_security ON audit_auditlog;
SET LOCAL ROLE NONE;
DROP FUNCTION conclave_audited_security_event();
"""

# Security events of high severity are outgoing events too, except those of a deleted tenant.
ALERTS = """
CREATE FUNCTION conclave_security_alert() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO tenants_outboxevent (tenant_id, type, key, data)
  SELECT t.id, 'security.alert', '', jsonb_build_object('security_event_id', NEW.id, 'event_type', NEW.event_type,
    'severity', NEW.severity, 'action', NEW.action, 'actor_user_id', NEW.actor_user_id)
  FROM tenants_tenant t WHERE t.id = NEW.tenant_id;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION conclave_security_alert() FROM PUBLIC;
CREATE TRIGGER audit_security_alert_insert AFTER INSERT ON audit_securityauditlog FOR EACH ROW
  WHEN (NEW.severity IN ('ERROR', 'CRITICAL') AND NEW.tenant_id IS NOT NULL)
  EXECUTE FUNCTION conclave_security_alert();
CREATE TRIGGER audit_security_alert_update AFTER UPDATE ON audit_securityauditlog FOR EACH ROW
  WHEN (NEW.severity IN ('ERROR', 'CRITICAL') AND NEW.severity <> OLD.severity AND NEW.tenant_id IS NOT NULL)
  EXECUTE FUNCTION conclave_security_alert();
"""
ALERTS_DROP = """
DROP TRIGGER audit_security_alert_update ON audit_securityauditlog;
DROP TRIGGER audit_security_alert_insert ON audit_securityauditlog;
DROP FUNCTION conclave_security_alert();
"""
