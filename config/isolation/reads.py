"""Attacks that read rows or target their protection: roles, schema, functions, statistics."""

import os
from uuid import uuid4

import psycopg

from config.db.ids import uuid7
from config.isolation.matrix import REFUSED, Attempt, Leak

# The last function counts uses and ratings of prompts and returns no rows.
CALLABLE_DEFINERS = frozenset({"conclave_record_event", "conclave_hit", "conclave_prompt_counted"})


def read_by_id(a: Attempt) -> None:
    """Read a row by its id; the attacker's own row serves as the control."""
    state, rows, _ = a.run("SELECT {owner} FROM {t} WHERE id = %s", a.mine)
    if state or len(rows) != 1:
        raise Leak(f"the attacker cannot read its own row ({state or 'no row'}): this proves nothing")
    a.no_rows("SELECT {owner} FROM {t} WHERE id = %s", a.theirs)
    a.no_rows("SELECT t FROM {t} t WHERE id = %s", a.theirs)


def list_all(a: Attempt) -> None:
    """Read without a filter and with one that is always true."""
    a.mine_only("SELECT {owner} FROM {t}")
    a.mine_only("SELECT {owner} FROM {t} WHERE id = %s OR true", a.theirs)
    a.mine_only("SELECT {owner} FROM {t} ORDER BY id LIMIT 1")


def filter_and_count(a: Attempt) -> None:
    """Filter by the other tenant, count its rows and test whether they exist."""
    a.no_rows("SELECT id FROM {t} WHERE {owner} = %s", a.their_mark)
    a.no_rows("SELECT id FROM {t} WHERE {owner} = ANY (%s)", [a.their_mark])
    a.zero("SELECT count(*) FROM {t} WHERE {owner} = %s", a.their_mark)
    a.zero("SELECT exists (SELECT FROM {t} WHERE id = %s)", a.theirs)


def derived_rows(a: Attempt) -> None:
    """Read through joins, LATERAL, CTEs, UNION, window functions and aggregates."""
    a.no_rows("SELECT b.id FROM {t} a FULL JOIN {t} b ON true WHERE b.{owner} = %s", a.their_mark)
    a.no_rows(
        "SELECT x.id FROM (VALUES (1)) v, LATERAL (SELECT * FROM {t} OFFSET 0) x WHERE x.id = %s", a.theirs
    )
    a.mine_only("WITH every AS MATERIALIZED (SELECT * FROM {t}) SELECT {owner} FROM every")
    a.mine_only("SELECT {owner} FROM {t} UNION SELECT {owner} FROM {t}")
    a.mine_only("SELECT max({owner}::text) OVER () FROM {t}")
    text = a.rows("SELECT string_agg(t::text, ' ') FROM {t} t")
    if text and a.their_mark in (text[0][0] or ""):
        raise Leak("the aggregate names the victim")


def error_oracle(a: Attempt) -> None:
    """Provoke an error that depends on rows of the victim."""
    state, _, _ = a.run("SELECT 1 / (CASE WHEN {owner} = %s THEN 0 ELSE 1 END) FROM {t}", a.their_mark)
    if state not in ("", REFUSED):
        raise Leak(f"the filter met the victim's row: {state}")
    state, _, _ = a.run("SELECT id FROM {t} WHERE 1 / (CASE WHEN id = %s THEN 0 ELSE 1 END) > 0", a.theirs)
    if state not in ("", REFUSED):
        raise Leak(f"the filter met the victim's row: {state}")


def explain_analyze(a: Attempt) -> None:
    """Read row counts from EXPLAIN ANALYZE."""
    rows = a.rows("EXPLAIN (ANALYZE, FORMAT JSON) SELECT FROM {t} WHERE {owner} = %s", a.their_mark)
    if rows and rows[0][0][0]["Plan"]["Actual Rows"]:
        raise Leak("the plan counts the victim's rows")


def lock_rows(a: Attempt) -> None:
    """Lock a row, which would block the victim and reveal that the row exists."""
    a.no_rows("SELECT id FROM {t} WHERE id = %s FOR UPDATE NOWAIT", a.theirs)
    a.no_rows("SELECT id FROM {t} WHERE {owner} = %s FOR KEY SHARE", a.their_mark)


def cursor_rows(a: Attempt) -> None:
    """Read through cursors over the victim's rows."""
    with a.undone():
        if not a.run(
            "DECLARE thief NO SCROLL CURSOR FOR SELECT {owner} FROM {t} WHERE {owner} = %s", a.their_mark
        )[0]:
            a.no_rows("FETCH ALL FROM thief")
    with a.undone():
        if not a.run("DECLARE thief CURSOR WITH HOLD FOR SELECT {owner} FROM {t}")[0]:
            a.mine_only("FETCH ALL FROM thief")


def copy_out(a: Attempt) -> None:
    """COPY the table to the client, a file and a program."""
    for source in ("(SELECT {owner} FROM {t})", "{t} ({owner})"):
        a.statements += 1
        try:
            with a.undone(), a.connection.cursor().copy(a._named(f"COPY {source} TO STDOUT")) as copy:
                text = b"".join(bytes(block) for block in copy).decode()
        except psycopg.errors.InsufficientPrivilege:
            continue
        except psycopg.errors.WrongObjectType:
            if a.target.is_report:  # COPY does not accept a view by name
                continue
            raise
        if a.their_mark in text:
            raise Leak(f"COPY {source} brought the victim's rows")
    a.refused("COPY (SELECT 1) TO '/dev/null'")
    a.refused("COPY (SELECT 1) TO PROGRAM 'true'")


def cached_plan(a: Attempt) -> None:
    """Run a statement that was planned for the victim on the same connection."""
    name = f"plan_{uuid4().hex[:8]}"
    a.run("SELECT set_config('plan_cache_mode', 'force_generic_plan', true)")
    a.stamp(a.victim, _hat(a))
    state, _, _ = a.run(f"PREPARE {name} (uuid) AS SELECT count(*) FROM {{t}} WHERE id = $1")
    try:
        if not state:
            a.rows(f"EXECUTE {name} ('{a.theirs}')")
        a.stamp(a.me, _hat(a))
        if not state:
            a.zero(f"EXECUTE {name} ('{a.theirs}')")
    finally:
        if not state:
            a.run(f"DEALLOCATE {name}")


def _hat(a: Attempt) -> str:
    return a.run("SELECT current_setting('role')")[1][0][0]


def unset_tenant(a: Attempt) -> None:
    """Use no tenant, an empty one and invalid ones."""
    for value in ("", str(uuid4())):
        a.run("SELECT set_config('app.current_tenant_id', %s, true)", value)
        a.no_rows("SELECT id FROM {t} WHERE {owner} = %s", a.their_mark)
        a.zero("SELECT count(*) FROM {t}")
    for value in ("garbage", "' OR true --", "00000000"):
        a.run("SELECT set_config('app.current_tenant_id', %s, true)", value)
        _, rows, _ = a.run("SELECT id FROM {t}")
        if rows:
            raise Leak(f"rows for the tenant {value!r}")
    a.run("RESET app.current_tenant_id")
    a.zero("SELECT count(*) FROM {t}")


def other_role(a: Attempt) -> None:
    """Switch to other roles, or to none."""
    for role in ("conclave_owner", "conclave_audit", "conclave_queue", "conclave_worker", "postgres"):
        a.refused(f"SET LOCAL ROLE {role}")
    a.refused("SET SESSION AUTHORIZATION postgres")
    a.stamp(a.me, "conclave_reader")
    a.no_rows("SELECT id FROM {t} WHERE {owner} = %s", a.their_mark)
    if not a.target.is_identity:
        a.stamp(a.me, "conclave_identity")
        a.no_rows("SELECT id FROM {t} WHERE {owner} = %s", a.their_mark)
        a.run("RESET ROLE")
        a.no_rows("SELECT id FROM {t} WHERE {owner} = %s", a.their_mark)
    try:
        a.statements += 1
        with a.public.transaction(force_rollback=True):
            a.public.execute("SET LOCAL ROLE conclave_operator")
    except psycopg.errors.InsufficientPrivilege:
        return
    raise Leak("the public login can use the operator role")


def row_security_off(a: Attempt) -> None:
    """Disable row-level security for the session."""
    a.run("SET LOCAL row_security = off")
    if a.target.is_report:  # its view has no policies and still filters
        a.no_rows("SELECT id FROM {t} WHERE {owner} = %s", a.their_mark)
        return
    a.refused("SELECT id FROM {t} WHERE {owner} = %s", a.their_mark)


def partition_directly(a: Attempt) -> None:
    """Access partitions directly, bypassing the policies of the parent."""
    for partition in a.target.partitions:
        a.refused(f'SELECT FROM "{partition}"')
        a.refused(f'DELETE FROM "{partition}"')
    a.mine_only("SELECT {owner} FROM ONLY {t}")


def change_schema(a: Attempt) -> None:
    """Truncate, drop or alter the table and its protection."""
    if a.target.is_report:
        _change_view(a)
        return
    a.refused("TRUNCATE {t} CASCADE")
    for change in ("DISABLE ROW LEVEL SECURITY", "NO FORCE ROW LEVEL SECURITY", "OWNER TO conclave_app"):
        a.refused("ALTER TABLE {t} " + change)
    a.refused("ALTER TABLE {t} DISABLE TRIGGER ALL")
    a.refused("CREATE POLICY open ON {t} USING (true)")
    a.refused("DROP TABLE {t} CASCADE")
    a.refused("CREATE TABLE public.copied AS SELECT * FROM {t}")
    a.refused("ALTER FUNCTION public.conclave_current_tenant() IMMUTABLE")
    a.refused("SET LOCAL session_replication_role = replica")


def _change_view(a: Attempt) -> None:
    a.refused("ALTER VIEW {t} SET (security_barrier = false)")
    a.refused("ALTER VIEW {t} OWNER TO conclave_app")
    a.refused(f"CREATE OR REPLACE VIEW {{t}} AS SELECT * FROM {a.target.partitions[0]}")
    a.refused("DROP VIEW {t} CASCADE")
    a.refused(f"REFRESH MATERIALIZED VIEW {a.target.partitions[0]}")
    a.refused(f"DROP TRIGGER {a.target.table}_forbid ON {{t}}")


def own_functions(a: Attempt) -> None:
    """Read through a temporary view and a leaky low-cost function."""
    a.run("CREATE TEMP VIEW spy AS SELECT {owner} FROM {t}")
    if not a.run("SELECT 'pg_temp.spy'::regclass")[0]:
        a.mine_only("SELECT * FROM pg_temp.spy")
    a.run(
        "CREATE FUNCTION pg_temp.tell(v uuid) RETURNS boolean LANGUAGE plpgsql COST 0.0000001"
        " AS $$ BEGIN RAISE NOTICE '%', v; RETURN true; END $$",
    )
    a.mine_only("SELECT {owner} FROM {t} WHERE pg_temp.tell({owner})")
    if any(a.their_mark in notice for notice in a.notices):
        raise Leak("a function in the filter received the victim's row")


def physical_access(a: Attempt) -> None:
    """Read by ctid, TABLESAMPLE and planner statistics."""
    if a.target.is_report:  # a view has no ctid; its materialized view has
        a.refused(f"SELECT FROM {a.target.partitions[0]} WHERE ctid = '(0,1)'")
        a.refused(f"SELECT FROM {a.target.partitions[0]} TABLESAMPLE SYSTEM (100)")
    else:
        a.mine_only(
            "SELECT {owner} FROM {t} WHERE ctid = ANY (ARRAY['(0,1)', '(0,2)', '(0,3)', '(0,4)']::tid[])"
        )
        a.mine_only("SELECT {owner} FROM {t} TABLESAMPLE SYSTEM (100)")
    a.refused("SELECT FROM pg_statistic")
    rows = a.rows(
        "SELECT concat(most_common_vals::text, histogram_bounds::text) FROM pg_stats WHERE tablename = ANY (%s)",
        [a.target.table, *a.target.partitions],
    )
    if any(a.theirs in text or a.their_mark in text for (text,) in rows):
        raise Leak("the planner's statistics show the victim's values")
    a.refused("SELECT pg_read_file('PG_VERSION')")


def definer_functions(a: Attempt) -> None:
    """Call SECURITY DEFINER functions."""
    low, high = uuid7(), uuid7()
    a.refused(
        "SELECT conclave_make_partition(%s, %s, %s, %s)", a.target.table, f"{a.target.table}_p1", low, high
    )
    a.refused("SELECT conclave_authenticate_key(%s)", os.urandom(32))
    a.refused("SELECT conclave_memberships_of(%s)", a.ground.users[a.victim])
    a.refused("SELECT conclave_audit_seal()")
    a.refused("SELECT conclave_audit_verify()")
    a.refused("SELECT conclave_refresh_report('agents_usagedaily', true)")
    a.refused("SELECT conclave_audit_write('x.y', 'z', %s, '', null, null, '{{}}')", a.victim)
    a.run("CREATE TEMP TABLE forged (id uuid, tenant_id uuid)")
    for function in ("conclave_audit_row", "conclave_audit_statement"):
        a.refused(
            f"CREATE TRIGGER forge AFTER INSERT ON forged FOR EACH ROW EXECUTE FUNCTION {function}('x.y', '{{{{}}}}')"
        )
    callable_ = a.rows(
        "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace"
        " AND prorettype <> 'trigger'::regtype AND has_function_privilege(oid, 'EXECUTE')"
    )
    if unknown := {name for (name,) in callable_} - CALLABLE_DEFINERS:
        raise Leak(f"may call {', '.join(sorted(unknown))}")
