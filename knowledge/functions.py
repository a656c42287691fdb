"""SQL functions that promote and demote the vectors of a tenant.

They are DDL, so the owner runs them, through SECURITY DEFINER for the worker. Each is one transaction of the
caller's, in this order: stage, bind, validate, catch_up, swap. What is not attached yet is called staged; it has the
partition's final name. Locks that others would wait for are asked for with a short `lock_timeout`: the
caller tries again (SQLSTATE 55P03).
"""

# The functions that a worker calls.
CALLED = ", ".join(
    f"conclave_vectors_{function}"
    for function in (
        "census(text)",
        "discard(text, uuid)",
        "stage(text, uuid, int, int)",
        "bind(text, uuid)",
        "catch_up(text, uuid, xid8, int)",
        "validate(text, uuid)",
        "swap(text, uuid, xid8)",
        "demote(text, uuid, bigint)",
    )
)
VECTORS = """
CREATE FUNCTION conclave_vectors_part(parent text, tenant uuid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_partitioned_table p JOIN pg_attribute a ON a.attrelid = p.partrelid
      WHERE p.partrelid = to_regclass(format('public.%I', parent)) AND p.partstrat = 'l'
        AND a.attname = 'embedding')
  THEN RAISE EXCEPTION '% is not a vector table', parent USING ERRCODE = 'invalid_parameter_value'; END IF;
  RETURN parent || '_t' || replace(tenant::text, '-', '');
END $$;

-- Count the vectors of each tenant and say whether it has a separate partition, even an empty one.
CREATE FUNCTION conclave_vectors_census(parent text)
RETURNS TABLE (tenant_id uuid, vectors bigint, own boolean, attached boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM conclave_vectors_part(parent, '00000000-0000-0000-0000-000000000000');
  RETURN QUERY EXECUTE format($q$
    WITH held AS (SELECT v.tenant_id, count(*) AS vectors FROM public.%1$I v GROUP BY 1),
    parts AS (SELECT right(c.relname, 32)::uuid AS tenant_id, c.relispartition AS attached FROM pg_class c
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
        AND c.relname ~ ('^' || %1$L || '_t[0-9a-f]{32}$'))
    SELECT coalesce(h.tenant_id, p.tenant_id), coalesce(h.vectors, 0), p.tenant_id IS NOT NULL,
      coalesce(p.attached, false)
    FROM held h FULL JOIN parts p ON p.tenant_id = h.tenant_id ORDER BY 2 DESC, 1$q$, parent);
END $$;

-- Drop what an earlier promotion left behind.
CREATE FUNCTION conclave_vectors_discard(parent text, tenant uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '40ms' AS $$
DECLARE part text := conclave_vectors_part(parent, tenant);
BEGIN
  IF NOT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(format('public.%I', part)) AND NOT relispartition)
  THEN RETURN false; END IF;
  EXECUTE format('DROP TABLE public.%I', part);
  RETURN true;
END $$;

-- Copy the tenant's vectors into a staging table and build its index, without blocking other transactions.
-- Return the number of copied rows and the oldest transaction that the copy may not include.
CREATE FUNCTION conclave_vectors_stage(parent text, tenant uuid, links int, effort int,
  OUT copied bigint, OUT since xid8)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET maintenance_work_mem = '256MB' AS $$
DECLARE part text := conclave_vectors_part(parent, tenant);
BEGIN
  EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES'
    ' INCLUDING STORAGE, CHECK (tenant_id = %L))', part, parent, tenant);
  EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', part);
  EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', part);
  EXECUTE format('CREATE POLICY owner_only ON public.%I FOR ALL TO %I USING (true)', part, current_user);
  since := pg_snapshot_xmin(pg_current_snapshot());
  EXECUTE format('INSERT INTO public.%I (id, tenant_id, collection_id, embedding) SELECT id, tenant_id, collection_id,'
    ' embedding FROM public.%I WHERE tenant_id = %L', part, parent, tenant);
  GET DIAGNOSTICS copied = ROW_COUNT;
  EXECUTE format('CREATE INDEX ON public.%I USING hnsw (embedding public.halfvec_cosine_ops)'
    ' WITH (m = %s, ef_construction = %s)', part, links, effort);
  EXECUTE format('ANALYZE public.%I', part);
END $$;

-- Give the staged table the parent's foreign keys: from now on deletions of chunks reach it too.
-- Not before the index is built, since a cascade would wait for that.
CREATE FUNCTION conclave_vectors_bind(parent text, tenant uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '40ms' AS $$
DECLARE part text := conclave_vectors_part(parent, tenant); key record;
BEGIN
  FOR key IN SELECT conname, pg_get_constraintdef(oid) AS def FROM pg_constraint
    WHERE conrelid = format('public.%I', parent)::regclass AND contype = 'f' ORDER BY conname
  LOOP EXECUTE format('ALTER TABLE public.%I ADD CONSTRAINT %I %s NOT VALID', part, key.conname, key.def); END LOOP;
END $$;

-- Copy what changed since the copy, at most `most` rows: a deletion of one of their chunks waits for this
-- transaction, and a row whose chunk is deleted meanwhile aborts it (the caller retries).
-- Returns how many came, and the `since` that holds when they were fewer than `most`.
CREATE FUNCTION conclave_vectors_catch_up(parent text, tenant uuid, since xid8, most int,
  OUT brought int, OUT upcoming xid8)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET work_mem = '128MB' SET enable_nestloop = off AS $$
DECLARE part text := conclave_vectors_part(parent, tenant);
BEGIN
  upcoming := pg_snapshot_xmin(pg_current_snapshot());
  EXECUTE format($q$
    INSERT INTO public.%1$I AS s (id, tenant_id, collection_id, embedding)
    SELECT v.id, v.tenant_id, v.collection_id, v.embedding FROM public.%2$I v LEFT JOIN public.%1$I h
      ON h.id = v.id
    WHERE v.tenant_id = %3$L AND age(v.xmin) <= age(%4$L::xid8::xid)
      AND (h.collection_id, h.embedding) IS DISTINCT FROM (v.collection_id, v.embedding) LIMIT %5$L
    ON CONFLICT (tenant_id, id) DO UPDATE SET collection_id = excluded.collection_id, embedding = excluded.embedding$q$,
    part, parent || '_default', tenant, since, most);
  GET DIAGNOSTICS brought = ROW_COUNT;
END $$;

-- Once the keys are there: drop what was deleted before, and say that they hold, so that attaching need not look.
CREATE FUNCTION conclave_vectors_validate(parent text, tenant uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET work_mem = '128MB' AS $$
DECLARE part text := conclave_vectors_part(parent, tenant); key record;
BEGIN
  -- Statistics may be older than the rows: a nested loop over all of them would never end.
  PERFORM set_config('enable_nestloop', 'off', true);
  EXECUTE format('DELETE FROM public.%1$I s WHERE NOT EXISTS (SELECT FROM public.%2$I v WHERE v.tenant_id = %3$L'
    ' AND v.id = s.id)', part, parent, tenant);
  PERFORM set_config('enable_nestloop', 'on', true);
  FOR key IN SELECT conname FROM pg_constraint
    WHERE conrelid = format('public.%I', part)::regclass AND contype = 'f' AND NOT convalidated
  LOOP EXECUTE format('ALTER TABLE public.%I VALIDATE CONSTRAINT %I', part, key.conname); END LOOP;
END $$;

-- Moves a tenant from the default partition to a separate one. The rows are moved under row locks, while other
-- sessions continue to insert and read. The tables are locked only to apply later changes and to attach the partition.
-- A writer that waits for one of the rows holds a lock on the table, so `lock_timeout` ends the move, never a write.
-- Rows written meanwhile are moved in passes before the lock: indexing them under the lock made writers wait.
CREATE FUNCTION conclave_vectors_swap(parent text, tenant uuid, since xid8,
  OUT moved bigint, OUT locked_ms double precision)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '40ms'
SET work_mem = '128MB' SET enable_nestloop = off AS $$
DECLARE
  part text := conclave_vectors_part(parent, tenant);
  rest text := parent || '_default';
  began timestamptz;
  late text;
  brought bigint;
BEGIN
  EXECUTE format($q$
    WITH gone AS (
      DELETE FROM public.%2$I v WHERE tenant_id = %3$L RETURNING v.id, v.collection_id,
        CASE WHEN age(v.xmin) <= age(%4$L::xid8::xid) THEN v.embedding END AS embedding
    ), fresh AS (
      INSERT INTO public.%1$I AS s (id, tenant_id, collection_id, embedding)
      SELECT id, %3$L, collection_id, embedding FROM gone WHERE embedding IS NOT NULL
      ON CONFLICT (tenant_id, id) DO UPDATE SET collection_id = excluded.collection_id, embedding = excluded.embedding
      WHERE (s.collection_id, s.embedding) IS DISTINCT FROM (excluded.collection_id, excluded.embedding)
    )
    DELETE FROM public.%1$I s WHERE NOT EXISTS (SELECT FROM gone g WHERE g.id = s.id)$q$, part, rest, tenant, since);
  EXECUTE format('SELECT count(*) FROM public.%I', part) INTO moved;
  late := format($q$
    WITH late AS (DELETE FROM public.%2$I WHERE tenant_id = %3$L RETURNING id, tenant_id, collection_id, embedding)
    INSERT INTO public.%1$I (id, tenant_id, collection_id, embedding) SELECT * FROM late
    ON CONFLICT (tenant_id, id) DO UPDATE SET collection_id = excluded.collection_id, embedding = excluded.embedding
    $q$, part, rest, tenant);
  FOR pass IN 1..10 LOOP
    EXECUTE late;
    GET DIAGNOSTICS brought = ROW_COUNT;
    EXIT WHEN brought < 3;
  END LOOP;
  began := clock_timestamp();
  EXECUTE format('LOCK TABLE public.knowledge_collection, public.knowledge_chunk, public.%I'
    ' IN ACCESS EXCLUSIVE MODE', parent);
  EXECUTE late;
  EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES IN (%L)', parent, part, tenant);
  locked_ms := extract(epoch FROM clock_timestamp() - began) * 1000;
END $$;

-- Moves a tenant back to the default partition. Only for small tenants, because all other sessions wait meanwhile.
CREATE FUNCTION conclave_vectors_demote(parent text, tenant uuid, most bigint,
  OUT moved bigint, OUT locked_ms double precision)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '40ms' AS $$
DECLARE
  part text := conclave_vectors_part(parent, tenant);
  began timestamptz := clock_timestamp();
BEGIN
  EXECUTE format('LOCK TABLE public.knowledge_collection, public.knowledge_chunk, public.%I'
    ' IN ACCESS EXCLUSIVE MODE', parent);
  EXECUTE format('SELECT count(*) FROM public.%I', part) INTO moved;
  IF moved > most THEN
    RAISE EXCEPTION '% has % vectors, more than %', part, moved, most
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  EXECUTE format('ALTER TABLE public.%I DETACH PARTITION public.%I', parent, part);
  EXECUTE format('INSERT INTO public.%I (id, tenant_id, collection_id, embedding)'
    ' SELECT id, tenant_id, collection_id, embedding FROM public.%I', parent, part);
  EXECUTE format('DROP TABLE public.%I', part);
  locked_ms := extract(epoch FROM clock_timestamp() - began) * 1000;
END $$;

REVOKE ALL ON FUNCTION {CALLED} FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {CALLED} TO conclave_queue;
""".replace("{CALLED}", CALLED)
VECTORS_DROP = f"DROP FUNCTION {CALLED}, conclave_vectors_part(text, uuid);"

# Sources of existing texts. Texts whose task or event is gone are deleted.
TEXT_SOURCES = """
UPDATE knowledge_embedding SET source_id = (metadata ->> 'source')::uuid, metadata = metadata - 'of' - 'source'
WHERE metadata ? 'of' AND metadata ? 'source';
UPDATE knowledge_embedding e SET source_id = r.id FROM (
  SELECT tenant_id, id, semantic_embedding_id FROM workflows_task
  UNION ALL SELECT tenant_id, id, semantic_embedding_id FROM workflows_calendarevent
) r WHERE r.tenant_id = e.tenant_id AND r.semantic_embedding_id = e.id;
DELETE FROM knowledge_embedding WHERE metadata ? 'of' AND source_id IS NULL;
"""
TEXT_SOURCES_UNDO = """
UPDATE knowledge_embedding SET metadata = metadata || jsonb_build_object('of', 'task or event', 'source', source_id)
WHERE source_id IS NOT NULL;
"""

# The lower bound of the 95 % Wilson score interval (Wilson 1927) of the share of uses that were successful: every use
# counts as a success unless it failed or was rejected.
CONFIDENCE = """
CREATE FUNCTION knowledge_pattern_confidence(occurrences integer, applied integer, failed integer)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN n > 0 THEN greatest(0, least(1,
    (p + 3.8416 / (2 * n) - 1.96 * sqrt(p * (1 - p) / n + 3.8416 / (4 * n * n))) / (1 + 3.8416 / n))) ELSE 0 END
  FROM (SELECT n, greatest(0, n - failed) / nullif(n, 0) AS p
    FROM (SELECT greatest(occurrences, applied)::double precision AS n) AS uses) AS shares
$$;
"""
CONFIDENCE_DROP = "DROP FUNCTION knowledge_pattern_confidence(integer, integer, integer);"
# Outcomes of earlier versions are known as a share only.
PATTERN_OUTCOMES = """
UPDATE knowledge_learningpattern
SET applied_count = occurrences, failure_count = round((1 - success_rate) * occurrences)
WHERE success_rate IS NOT NULL;
"""
