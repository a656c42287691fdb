"""The commission of the market, and triggers that write the ledger of sellers and keep it and payouts consistent."""

from agents.models.templates import COMMISSION

# Tenants cannot read all settings, but the policy of purchases needs this one.
COMMISSION_SQL = f"""
CREATE FUNCTION agents_commission() RETURNS numeric LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce((SELECT CASE WHEN value ~ '^(0(\\.[0-9]{{1,3}})?|1(\\.0{{1,3}})?)$' THEN value::numeric END
    FROM public.tenants_systemsetting WHERE key = 'marketplace.commission'), {COMMISSION})
$$;
REVOKE ALL ON FUNCTION agents_commission() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION agents_commission() TO conclave_app, conclave_operator;
"""
COMMISSION_DROP = "DROP FUNCTION agents_commission();"

_ENTRY = "tenant_id, purchase_id, template_id, kind, price, platform_fee, amount, occurred_at"
PAYOUT_MOVES = """
CREATE OR REPLACE FUNCTION agents_payout_moves() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  movable text[] := ARRAY['status', 'transaction_id', 'error', 'refusals', 'paid_at', 'updated_at'];
BEGIN
  IF OLD.status = 'paid' OR (to_jsonb(NEW) - movable) IS DISTINCT FROM (to_jsonb(OLD) - movable) THEN
    RAISE EXCEPTION 'the terms of a payout and a paid payout cannot be changed' USING ERRCODE = 'check_violation',
      CONSTRAINT = 'agents_payout_moves';
  END IF;
  RETURN NEW;
END $$;
"""
# A refund has no entry without the sale before it, and a deleted seller has none.
LEDGER = f"""
CREATE FUNCTION agents_enter_purchase() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO public.agents_ledgerentry ({_ENTRY})
  SELECT NEW.seller_tenant_id, NEW.id, NEW.template_id, k.kind, k.sign * NEW.price, k.sign * NEW.platform_fee,
    k.sign * NEW.seller_payout, k.moment
  FROM (VALUES ('sale', 1, coalesce(NEW.paid_at, now())), ('refund', -1, coalesce(NEW.refunded_at, now())))
    AS k (kind, sign, moment)
  WHERE (k.kind = 'sale' OR NEW.payment_status = 'refunded')
    AND EXISTS (SELECT FROM public.tenants_tenant WHERE id = NEW.seller_tenant_id)
  ON CONFLICT (tenant_id, purchase_id, kind) DO NOTHING;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION agents_enter_purchase() FROM PUBLIC;
CREATE TRIGGER agents_purchase_entered AFTER INSERT OR UPDATE OF payment_status ON agents_templatepurchase
  FOR EACH ROW WHEN (NEW.payment_status <> 'pending') EXECUTE FUNCTION agents_enter_purchase();

CREATE FUNCTION agents_entry_stays() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (to_jsonb(NEW) - 'payout_id' - 'updated_at') IS DISTINCT FROM (to_jsonb(OLD) - 'payout_id' - 'updated_at')
    OR (NEW.payout_id IS DISTINCT FROM OLD.payout_id
      AND EXISTS (SELECT FROM public.agents_payout WHERE id = OLD.payout_id))
  THEN
    RAISE EXCEPTION 'ledger entries cannot be changed, and stay in their payout' USING ERRCODE = 'check_violation',
      CONSTRAINT = 'agents_ledgerentry_stays';
  END IF;
  RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION agents_entry_stays() FROM PUBLIC;
CREATE TRIGGER agents_entry_stays BEFORE UPDATE ON agents_ledgerentry
  FOR EACH ROW EXECUTE FUNCTION agents_entry_stays();

CREATE FUNCTION agents_check_payouts() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (
    SELECT FROM public.agents_payout p WHERE (p.tenant_id, p.id) IN (SELECT tenant_id, payout_id FROM new_rows)
      AND (p.sold, p.platform_fee, p.amount, p.currency, p.sale_count, p.refund_count) <> (
        SELECT sum(e.price), sum(e.platform_fee), sum(e.amount), min(e.currency),
          count(*) FILTER (WHERE e.kind = 'sale'), count(*) FILTER (WHERE e.kind = 'refund')
        FROM public.agents_ledgerentry e WHERE e.tenant_id = p.tenant_id AND e.payout_id = p.id))
  THEN
    RAISE EXCEPTION 'the amounts of a payout are the sums of its ledger entries' USING ERRCODE = 'check_violation',
      CONSTRAINT = 'agents_payout_sums';
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION agents_check_payouts() FROM PUBLIC;
CREATE TRIGGER agents_payout_sums AFTER UPDATE ON agents_ledgerentry REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION agents_check_payouts();

{PAYOUT_MOVES}CREATE TRIGGER agents_payout_moves BEFORE UPDATE ON agents_payout
  FOR EACH ROW EXECUTE FUNCTION agents_payout_moves();
"""
LEDGER_DROP = """
DROP TRIGGER agents_payout_moves ON agents_payout;
DROP FUNCTION agents_payout_moves();
DROP TRIGGER agents_payout_sums ON agents_ledgerentry;
DROP FUNCTION agents_check_payouts();
DROP TRIGGER agents_entry_stays ON agents_ledgerentry;
DROP FUNCTION agents_entry_stays();
DROP TRIGGER agents_purchase_entered ON agents_templatepurchase;
DROP FUNCTION agents_enter_purchase();
"""
# The ledger of purchases that were made before it.
LEDGER_FILL = f"""
INSERT INTO agents_ledgerentry ({_ENTRY})
SELECT p.seller_tenant_id, p.id, p.template_id, k.kind, k.sign * p.price, k.sign * p.platform_fee,
  k.sign * p.seller_payout, CASE k.kind WHEN 'sale' THEN coalesce(p.paid_at, p.purchased_at)
    ELSE coalesce(p.refunded_at, p.updated_at) END
FROM agents_templatepurchase p JOIN tenants_tenant t ON t.id = p.seller_tenant_id
  CROSS JOIN (VALUES ('sale', 1), ('refund', -1)) AS k (kind, sign)
WHERE p.payment_status = 'refunded' OR (p.payment_status = 'completed' AND k.kind = 'sale');
"""
