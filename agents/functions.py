"""Functions and triggers for counters on rows shared between organisations.

Organisations cannot write these rows. Each function is owned by the schema's owner, qualifies every table name and
updates one row by ID; the lock on that row serialises concurrent updates.
"""

# The mean is recomputed from all ratings under the template's lock, so rounding errors do not add up.
RATINGS = """
CREATE FUNCTION agents_count_rating() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE template uuid;
BEGIN
  FOR template IN SELECT DISTINCT each FROM unnest(ARRAY[
      CASE WHEN TG_OP <> 'DELETE' THEN NEW.template_id END,
      CASE WHEN TG_OP <> 'INSERT' THEN OLD.template_id END]) each WHERE each IS NOT NULL ORDER BY each
  LOOP
    PERFORM 1 FROM public.agents_agenttemplate WHERE id = template FOR UPDATE;
    UPDATE public.agents_agenttemplate SET rating = coalesce(
      (SELECT round(avg(r.rating), 2) FROM public.agents_templaterating r WHERE r.template_id = template), 0)
    WHERE id = template;
  END LOOP;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION agents_count_rating() FROM PUBLIC;
CREATE TRIGGER agents_rating_counted AFTER INSERT OR DELETE OR UPDATE OF rating, template_id
  ON agents_templaterating FOR EACH ROW EXECUTE FUNCTION agents_count_rating();
"""
RATINGS_DROP = """
DROP TRIGGER agents_rating_counted ON agents_templaterating;
DROP FUNCTION agents_count_rating();
"""

MADE_AGENTS = """
CREATE FUNCTION agents_count_made_agent() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE public.agents_agenttemplate SET usage_count = usage_count + 1
  WHERE id = NEW.template_id AND (is_public OR tenant_id = NEW.tenant_id);
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION agents_count_made_agent() FROM PUBLIC;
CREATE TRIGGER agents_made_agent_counted AFTER INSERT ON agents_agent
  FOR EACH ROW WHEN (NEW.template_id IS NOT NULL) EXECUTE FUNCTION agents_count_made_agent();
"""
MADE_AGENTS_DROP = """
DROP TRIGGER agents_made_agent_counted ON agents_agent;
DROP FUNCTION agents_count_made_agent();
"""

# Counts a use of a prompt or a verdict (0 to 5) on an answer. Every organisation can count on a factory row, which
# none can write; other rows are counted only in the scope of their organisation. `before` is the previous verdict on
# the same answer. Both null counts a use; a null `verdict` withdraws `before`.
VERDICTS = """
CREATE FUNCTION conclave_prompt_counted(prompt uuid, before double precision, verdict double precision)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  known public.agents_systemprompt;
  given integer;
BEGIN
  SELECT * INTO known FROM public.agents_systemprompt
  WHERE id = prompt AND (tenant_id IS NULL OR tenant_id = public.conclave_current_tenant()) FOR UPDATE;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  IF before IS NULL AND verdict IS NULL THEN
    UPDATE public.agents_systemprompt SET usage_count = usage_count + 1, last_used_at = now() WHERE id = prompt;
    RETURN true;
  END IF;
  given := known.verdict_count + (verdict IS NOT NULL)::int - (before IS NOT NULL)::int;
  UPDATE public.agents_systemprompt SET
    verdict_count = greatest(given, 0),
    average_satisfaction = CASE WHEN given > 0 THEN least(5, greatest(0, (coalesce(known.average_satisfaction, 0)
      * known.verdict_count - coalesce(before, 0) + coalesce(verdict, 0)) / given)) END,
    success_rate = CASE WHEN given > 0 THEN least(1, greatest(0, (coalesce(known.success_rate, 0)
      * known.verdict_count - coalesce(before >= 4, false)::int + coalesce(verdict >= 4, false)::int) / given)) END
  WHERE id = prompt;
  RETURN true;
END $$;
REVOKE ALL ON FUNCTION conclave_prompt_counted(uuid, double precision, double precision) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conclave_prompt_counted(uuid, double precision, double precision) TO conclave_app;
"""
VERDICTS_DROP = "DROP FUNCTION conclave_prompt_counted(uuid, double precision, double precision);"
