"""Triggers that keep published versions and purchases immutable, and meter the usage of agents."""

from tenants.triggers import create_meter, drop_meter

# Deleting the publisher clears `created_by_id`; everything else is immutable.
VERSIONS = """
CREATE FUNCTION agents_version_stays() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (to_jsonb(NEW) - 'created_by_id') IS DISTINCT FROM (to_jsonb(OLD) - 'created_by_id')
    OR (NEW.created_by_id IS NOT NULL AND NEW.created_by_id IS DISTINCT FROM OLD.created_by_id)
  THEN
    RAISE EXCEPTION 'published versions cannot be changed' USING ERRCODE = 'check_violation',
      CONSTRAINT = 'agents_agentversion_stays';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER agents_version_stays BEFORE UPDATE ON agents_agentversion
  FOR EACH ROW EXECUTE FUNCTION agents_version_stays();
"""
VERSIONS_DROP = """
DROP TRIGGER agents_version_stays ON agents_agentversion;
DROP FUNCTION agents_version_stays();
"""

# The terms of a purchase are immutable; its status moves from pending to completed to refunded.
PURCHASES = """
CREATE FUNCTION agents_purchase_moves() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (NEW.tenant_id, NEW.template_id, NEW.seller_tenant_id, NEW.seller_id, NEW.price, NEW.commission_rate,
      NEW.purchased_at)
    IS DISTINCT FROM (OLD.tenant_id, OLD.template_id, OLD.seller_tenant_id, OLD.seller_id, OLD.price,
      OLD.commission_rate, OLD.purchased_at)
    OR (OLD.payment_status, NEW.payment_status) NOT IN (
      ('pending', 'pending'), ('pending', 'completed'), ('completed', 'completed'), ('completed', 'refunded'),
      ('refunded', 'refunded'))
    OR (OLD.payment_status <> 'pending' AND NEW.transaction_id <> OLD.transaction_id)
  THEN
    RAISE EXCEPTION 'the terms of a purchase and a final status cannot be changed' USING ERRCODE = 'check_violation',
      CONSTRAINT = 'agents_templatepurchase_moves';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER agents_purchase_moves BEFORE UPDATE ON agents_templatepurchase
  FOR EACH ROW EXECUTE FUNCTION agents_purchase_moves();
"""
PURCHASES_DROP = """
DROP TRIGGER agents_purchase_moves ON agents_templatepurchase;
DROP FUNCTION agents_purchase_moves();
"""

# Each text of a prompt stays as a version, whichever way it changed. Factory prompts have no tenant, and a composite
# foreign key with a null does not cascade, so their versions are deleted here.
PROMPTS = """
CREATE FUNCTION agents_record_prompt() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    DELETE FROM public.agents_promptversion WHERE tenant_id IS NULL AND prompt_id = OLD.id;
    RETURN NULL;
  END IF;
  INSERT INTO public.agents_promptversion (tenant_id, user_id, prompt_id, version, prompt_text, note, created_by_id)
  SELECT NEW.tenant_id, NEW.user_id, NEW.id, greatest(NEW.version, coalesce(max(version), 0) + 1), NEW.prompt_text,
    NEW.change_note, public.conclave_current_user()
  FROM public.agents_promptversion WHERE prompt_id = NEW.id;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION agents_record_prompt() FROM PUBLIC;
CREATE TRIGGER agents_prompt_made AFTER INSERT ON agents_systemprompt
  FOR EACH ROW EXECUTE FUNCTION agents_record_prompt();
CREATE TRIGGER agents_prompt_changed AFTER UPDATE OF prompt_text ON agents_systemprompt
  FOR EACH ROW WHEN (OLD.prompt_text <> NEW.prompt_text) EXECUTE FUNCTION agents_record_prompt();
CREATE TRIGGER agents_prompt_deleted AFTER DELETE ON agents_systemprompt
  FOR EACH ROW WHEN (OLD.tenant_id IS NULL) EXECUTE FUNCTION agents_record_prompt();
"""
PROMPTS_DROP = """
DROP TRIGGER agents_prompt_made ON agents_systemprompt;
DROP TRIGGER agents_prompt_changed ON agents_systemprompt;
DROP TRIGGER agents_prompt_deleted ON agents_systemprompt;
DROP FUNCTION agents_record_prompt();
"""
# Earlier texts are not known.
PROMPT_VERSIONS = """
INSERT INTO agents_promptversion (tenant_id, user_id, prompt_id, version, prompt_text, note)
SELECT tenant_id, user_id, id, version, prompt_text, '' FROM agents_systemprompt;
"""

METERS = create_meter(
    "agents_llmusage",
    "tenant_id, metric_type, quantity, events, completion_tokens, cost, occurred_at, user_id, agent_id, model, service",
    "SELECT tenant_id, 'tokens', total_tokens, 1, completion_tokens, total_cost, created_at, user_id, agent_id, model,"
    " provider FROM new_rows",
) + create_meter(
    "agents_agentrun",
    "tenant_id, metric_type, quantity, events, occurred_at, user_id, agent_id",
    "SELECT tenant_id, 'agent_executions', 1, 1, created_at, user_id, agent_id FROM new_rows",
)
METERS_DROP = drop_meter("agents_llmusage") + drop_meter("agents_agentrun")
