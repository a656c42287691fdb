"""Attacks that read rows or target their protection: roles, schema, functions, statistics."""

import os
from uuid import uuid4

import psycopg

from config.db.ids import uuid7
from config.testing.isolation.runner import INSUFFICIENT_PRIVILEGE, AttackAttempt, LeakDetected

# `agents_commission` returns a rate of the platform, the same for all tenants.
# `conclave_prompt_counted` counts uses and ratings of prompts and returns no rows. In a tenant's scope,
# `conclave_record_security_event` writes only events of this tenant. The functions of policies return
# ids that the current user may see.
CALLABLE_DEFINERS = frozenset(
    {
        "conclave_record_event",
        "conclave_record_security_event",
        "conclave_hit",
        "agents_commission",
        "conclave_prompt_counted",
        "conclave_joined_conversations",
        "conclave_projects",
        "conclave_calendars",
        # These return the attacker's own scope.
        "conclave_current_tenant",
        "conclave_current_user",
        "conclave_current_engagement",
        "conclave_platform_scope",
        "conclave_identity_scope",
    }
)

UNREACHABLE_ROLES = (
    "conclave_owner",
    "conclave_audit",
    "conclave_queue",
    "conclave_worker",
    "conclave_identity",
    "conclave_operator",
    "postgres",
)


def read_by_id(a: AttackAttempt) -> None:
    """Read a row by its id; the attacker's own row serves as the control."""
    state, rows, _ = a.run("SELECT {owner} FROM {t} WHERE id = %s", a.mine)
    if state or len(rows) != 1:
        raise LeakDetected(f"the attacker cannot read its own row ({state or 'no row'}): this proves nothing")
    a.assert_no_rows("SELECT {owner} FROM {t} WHERE id = %s", a.theirs)
    a.assert_no_rows("SELECT t FROM {t} t WHERE id = %s", a.theirs)


def list_all(a: AttackAttempt) -> None:
    """Read without a filter and with one that is always true."""
    a.assert_own_rows_only("SELECT {owner} FROM {t}")
    a.assert_own_rows_only("SELECT {owner} FROM {t} WHERE id = %s OR true", a.theirs)
    a.assert_own_rows_only("SELECT {owner} FROM {t} ORDER BY id LIMIT 1")


def filter_and_count(a: AttackAttempt) -> None:
    """Filter by the other tenant, count its rows and test whether they exist."""
    a.assert_no_rows("SELECT id FROM {t} WHERE {owner} = %s", a.victim_owner_value)
    a.assert_no_rows("SELECT id FROM {t} WHERE {owner} = ANY (%s)", [a.victim_owner_value])
    a.assert_zero("SELECT count(*) FROM {t} WHERE {owner} = %s", a.victim_owner_value)
    a.assert_zero("SELECT exists (SELECT FROM {t} WHERE id = %s)", a.theirs)


def derived_rows(a: AttackAttempt) -> None:
    """Read through joins, LATERAL, CTEs, UNION, window functions and aggregates."""
    a.assert_no_rows(
        "SELECT b.id FROM {t} a FULL JOIN {t} b ON true WHERE b.{owner} = %s", a.victim_owner_value
    )
    a.assert_no_rows(
        "SELECT x.id FROM (VALUES (1)) v, LATERAL (SELECT * FROM {t} OFFSET 0) x WHERE x.id = %s", a.theirs
    )
    a.assert_own_rows_only("WITH every AS MATERIALIZED (SELECT * FROM {t}) SELECT {owner} FROM every")
    a.assert_own_rows_only("SELECT {owner} FROM {t} UNION SELECT {owner} FROM {t}")
    a.assert_own_rows_only("SELECT max({owner}::text) OVER () FROM {t}")
    text = a.rows("SELECT string_agg(t::text, ' ') FROM {t} t")
    if text and a.victim_owner_value in (text[0][0] or ""):
        raise LeakDetected("the aggregate names the victim")


def error_oracle(a: AttackAttempt) -> None:
    """Provoke an error that depends on rows of the victim."""
    state, _, _ = a.run(
        "SELECT 1 / (CASE WHEN {owner} = %s THEN 0 ELSE 1 END) FROM {t}", a.victim_owner_value
    )
    if state not in ("", INSUFFICIENT_PRIVILEGE):
        raise LeakDetected(f"the filter met the victim's row: {state}")
    state, _, _ = a.run("SELECT id FROM {t} WHERE 1 / (CASE WHEN id = %s THEN 0 ELSE 1 END) > 0", a.theirs)
    if state not in ("", INSUFFICIENT_PRIVILEGE):
        raise LeakDetected(f"the filter met the victim's row: {state}")


def explain_analyze(a: AttackAttempt) -> None:
    """Read row counts from EXPLAIN ANALYZE."""
    rows = a.rows("EXPLAIN (ANALYZE, FORMAT JSON) SELECT FROM {t} WHERE {owner} = %s", a.victim_owner_value)
    if rows and rows[0][0][0]["Plan"]["Actual Rows"]:
        raise LeakDetected("the plan counts the victim's rows")


def lock_rows(a: AttackAttempt) -> None:
    """Lock a row, which would block the victim and reveal that the row exists."""
    a.assert_no_rows("SELECT id FROM {t} WHERE id = %s FOR UPDATE NOWAIT", a.theirs)
    a.assert_no_rows("SELECT id FROM {t} WHERE {owner} = %s FOR KEY SHARE", a.victim_owner_value)


def cursor_rows(a: AttackAttempt) -> None:
    """Read through cursors over the victim's rows."""
    with a.rolled_back():
        if not a.run(
            "DECLARE thief NO SCROLL CURSOR FOR SELECT {owner} FROM {t} WHERE {owner} = %s",
            a.victim_owner_value,
        )[0]:
            a.assert_no_rows("FETCH ALL FROM thief")
    with a.rolled_back():
        if not a.run("DECLARE thief CURSOR WITH HOLD FOR SELECT {owner} FROM {t}")[0]:
            a.assert_own_rows_only("FETCH ALL FROM thief")


def copy_out(a: AttackAttempt) -> None:
    """COPY the table to the client, a file and a program."""
    for source in ("(SELECT {owner} FROM {t})", "{t} ({owner})"):
        a.statements += 1
        try:
            with a.rolled_back(), a.connection.cursor().copy(a._named(f"COPY {source} TO STDOUT")) as copy:
                text = b"".join(bytes(block) for block in copy).decode()
        except psycopg.errors.InsufficientPrivilege:
            continue
        except psycopg.errors.WrongObjectType:
            if a.target.is_report:  # COPY does not accept a view by name
                continue
            raise
        if a.victim_owner_value in text:
            raise LeakDetected(f"COPY {source} returned the victim's rows")
    a.assert_refused("COPY (SELECT 1) TO '/dev/null'")
    a.assert_refused("COPY (SELECT 1) TO PROGRAM 'true'")


def cached_plan(a: AttackAttempt) -> None:
    """Run a statement that was planned for the victim on the same connection."""
    name = f"plan_{uuid4().hex[:8]}"
    a.run("SELECT set_config('plan_cache_mode', 'force_generic_plan', true)")
    a.set_scope(a.victim, a.setting("role"))
    state, _, _ = a.run(f"PREPARE {name} (uuid) AS SELECT count(*) FROM {{t}} WHERE id = $1")
    try:
        if not state:
            a.rows(f"EXECUTE {name} ('{a.theirs}')")
        a.set_scope(a.me, a.setting("role"))
        if not state:
            a.assert_zero(f"EXECUTE {name} ('{a.theirs}')")
    finally:
        if not state:
            a.run(f"DEALLOCATE {name}")


def unset_tenant(a: AttackAttempt) -> None:
    """Use no tenant, an empty one and invalid ones."""
    for value in ("", str(uuid4())):
        a.run("SELECT set_config('app.current_tenant_id', %s, true)", value)
        a.assert_no_rows("SELECT id FROM {t} WHERE {owner} = %s", a.victim_owner_value)
        a.assert_zero("SELECT count(*) FROM {t}")
    for value in ("garbage", "' OR true --", "00000000"):
        a.run("SELECT set_config('app.current_tenant_id', %s, true)", value)
        _, rows, _ = a.run("SELECT id FROM {t}")
        if rows:
            raise LeakDetected(f"rows for the tenant {value!r}")
    a.run("RESET app.current_tenant_id")
    a.assert_zero("SELECT count(*) FROM {t}")
    a.run("RESET app.scope_proof")
    a.assert_zero("SELECT count(*) FROM {t}")


def other_role(a: AttackAttempt) -> None:
    """Switch to other roles, or to none."""
    for role in UNREACHABLE_ROLES:
        a.assert_refused(f"SET LOCAL ROLE {role}")
    a.assert_refused("SET SESSION AUTHORIZATION postgres")
    a.set_scope(a.me, "conclave_reader")
    a.assert_no_rows("SELECT id FROM {t} WHERE {owner} = %s", a.victim_owner_value)
    a.run("RESET ROLE")
    a.assert_refused("SELECT id FROM public.{t} WHERE {owner} = %s", a.victim_owner_value)
    try:
        a.statements += 1
        with a.public.transaction(force_rollback=True):
            a.public.execute("SET LOCAL ROLE conclave_operator")
    except psycopg.errors.InsufficientPrivilege:
        return
    raise LeakDetected("the public login can use the operator role")


def row_security_off(a: AttackAttempt) -> None:
    """Disable row-level security for the session."""
    a.run("SET LOCAL row_security = off")
    if a.target.is_report:  # its view has no policies and still filters
        a.assert_no_rows("SELECT id FROM {t} WHERE {owner} = %s", a.victim_owner_value)
        return
    a.assert_refused("SELECT id FROM public.{t} WHERE {owner} = %s", a.victim_owner_value)


def partition_directly(a: AttackAttempt) -> None:
    """Access partitions directly, bypassing the policies of the parent."""
    for partition in a.target.partitions:
        a.assert_refused(f'SELECT FROM "{partition}"')
        a.assert_refused(f'DELETE FROM "{partition}"')
    a.assert_own_rows_only("SELECT {owner} FROM ONLY {t}")


def change_schema(a: AttackAttempt) -> None:
    """Truncate, drop or alter the table and its protection."""
    if a.target.is_report:
        _change_view(a)
        return
    a.assert_refused("TRUNCATE {t} CASCADE")
    for change in ("DISABLE ROW LEVEL SECURITY", "NO FORCE ROW LEVEL SECURITY", "OWNER TO conclave_app"):
        a.assert_refused("ALTER TABLE {t} " + change)
    a.assert_refused("ALTER TABLE {t} DISABLE TRIGGER ALL")
    a.assert_refused("CREATE POLICY open ON {t} USING (true)")
    a.assert_refused("DROP TABLE {t} CASCADE")
    a.assert_refused("CREATE TABLE public.copied AS SELECT * FROM {t}")
    a.assert_refused("ALTER FUNCTION public.conclave_current_tenant() IMMUTABLE")
    a.assert_refused("SET LOCAL session_replication_role = replica")


def _change_view(a: AttackAttempt) -> None:
    a.assert_refused("ALTER VIEW {t} SET (security_barrier = false)")
    a.assert_refused("ALTER VIEW {t} OWNER TO conclave_app")
    a.assert_refused(f"CREATE OR REPLACE VIEW {{t}} AS SELECT * FROM {a.target.partitions[0]}")
    a.assert_refused("DROP VIEW {t} CASCADE")
    a.assert_refused(f"REFRESH MATERIALIZED VIEW {a.target.partitions[0]}")
    a.assert_refused(f"DROP TRIGGER {a.target.table}_forbid ON {{t}}")


def own_functions(a: AttackAttempt) -> None:
    """Read through a temporary view and a leaky low-cost function."""
    a.run("CREATE TEMP VIEW spy AS SELECT {owner} FROM {t}")
    if not a.run("SELECT 'pg_temp.spy'::regclass")[0]:
        a.assert_own_rows_only("SELECT * FROM pg_temp.spy")
    a.run(
        "CREATE FUNCTION pg_temp.tell(v uuid) RETURNS boolean LANGUAGE plpgsql COST 0.0000001"
        " AS $$ BEGIN RAISE NOTICE '%', v; RETURN true; END $$",
    )
    a.assert_own_rows_only("SELECT {owner} FROM {t} WHERE pg_temp.tell({owner})")
    if any(a.victim_owner_value in notice for notice in a.notices):
        raise LeakDetected("a function in the filter received the victim's row")


def physical_access(a: AttackAttempt) -> None:
    """Read by ctid, TABLESAMPLE and planner statistics."""
    if a.target.is_report:  # a view has no ctid; its materialized view has
        a.assert_refused(f"SELECT FROM {a.target.partitions[0]} WHERE ctid = '(0,1)'")
        a.assert_refused(f"SELECT FROM {a.target.partitions[0]} TABLESAMPLE SYSTEM (100)")
    else:
        a.assert_own_rows_only(
            "SELECT {owner} FROM {t} WHERE ctid = ANY (ARRAY['(0,1)', '(0,2)', '(0,3)', '(0,4)']::tid[])"
        )
        a.assert_own_rows_only("SELECT {owner} FROM {t} TABLESAMPLE SYSTEM (100)")
    a.assert_refused("SELECT FROM pg_statistic")
    rows = a.rows(
        "SELECT concat(most_common_vals::text, histogram_bounds::text) FROM pg_stats WHERE tablename = ANY (%s)",
        [a.target.table, *a.target.partitions],
    )
    if any(a.theirs in text or a.victim_owner_value in text for (text,) in rows):
        raise LeakDetected("the planner's statistics show the victim's values")
    a.assert_refused("SELECT pg_read_file('PG_VERSION')")


def definer_functions(a: AttackAttempt) -> None:
    """Call SECURITY DEFINER functions."""
    low, high = uuid7(), uuid7()
    a.assert_refused(
        "SELECT conclave_make_partition(%s, %s, %s, %s)", a.target.table, f"{a.target.table}_p1", low, high
    )
    a.assert_refused("SELECT conclave_authenticate_key(%s)", os.urandom(32))
    a.assert_refused("SELECT conclave_memberships_of(%s)", a.fixture.users[a.victim])
    a.assert_refused("SELECT conclave_audit_seal()")
    a.assert_refused("SELECT conclave_audit_verify()")
    a.assert_refused("SELECT conclave_refresh_report('agents_usagedaily', true)")
    a.assert_refused("SELECT conclave_audit_write('x.y', 'z', %s, '', null, null, '{{}}')", a.victim)
    a.run("CREATE TEMP TABLE forged (id uuid, tenant_id uuid)")
    for function in ("conclave_audit_row", "conclave_audit_statement"):
        a.assert_refused(
            f"CREATE TRIGGER forge AFTER INSERT ON forged FOR EACH ROW EXECUTE FUNCTION {function}('x.y', '{{{{}}}}')"
        )
    callable_ = a.rows(
        "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace"
        " AND prorettype <> 'trigger'::regtype AND has_function_privilege(oid, 'EXECUTE')"
    )
    if unknown := {name for (name,) in callable_} - CALLABLE_DEFINERS:
        raise LeakDetected(f"may call {', '.join(sorted(unknown))}")
