"""Twenty-five attacks of one tenant on another, in SQL, in the hat that the application wears.

They stand for everything a mistake in our code could send. Text of a stranger as SQL is not among them:
whoever writes SQL in a tenant's scope could set the tenant too, so the application has no such place.

Each function is an attack; its name is the report's, its docstring says what it tries. A table where an
attack makes no sense gets the nearest one that does.
"""

import json
import os
from typing import Any
from uuid import uuid4

import psycopg

from config.db.ids import uuid7
from config.isolation.ground import Reference
from config.isolation.matrix import REFUSED, Attack, Attempt, Leak

# Unique over all tenants, and no oracle: nobody guesses 256 random bits.
UNGUESSABLE = frozenset({("accounts_apikey", "key_hash")})
# What a check asks for beside a reference.
BESIDE = {("accounts_roleassignment", "engagement_id"): {"scope": "engagement"}}
CALLABLE_DEFINERS = frozenset({"conclave_record_event", "conclave_hit"})
FOREIGN_KEY, DUPLICATE = "23503", "23505"


def read_by_id(a: Attempt) -> None:
    """Read a row by its id; the control: the own row must be there."""
    state, rows, _ = a.run("SELECT {owner} FROM {t} WHERE id = %s", a.mine)
    if state or len(rows) != 1:
        raise Leak(f"the own row is out of reach ({state or 'no row'}): this proves nothing")
    a.no_rows("SELECT {owner} FROM {t} WHERE id = %s", a.theirs)
    a.no_rows("SELECT t FROM {t} t WHERE id = %s", a.theirs)


def list_all(a: Attempt) -> None:
    """Read without any filter, and with one that is always true."""
    a.mine_only("SELECT {owner} FROM {t}")
    a.mine_only("SELECT {owner} FROM {t} WHERE id = %s OR true", a.theirs)
    a.mine_only("SELECT {owner} FROM {t} ORDER BY id LIMIT 1")


def filter_and_count(a: Attempt) -> None:
    """Ask for the other tenant by name, count its rows, ask whether there are any."""
    a.no_rows("SELECT id FROM {t} WHERE {owner} = %s", a.their_mark)
    a.no_rows("SELECT id FROM {t} WHERE {owner} = ANY (%s)", [a.their_mark])
    a.zero("SELECT count(*) FROM {t} WHERE {owner} = %s", a.their_mark)
    a.zero("SELECT exists (SELECT FROM {t} WHERE id = %s)", a.theirs)


def derived_rows(a: Attempt) -> None:
    """Go round by join, lateral, common table expression, union, window and aggregate."""
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
    """Make an error that depends on rows out of reach."""
    state, _, _ = a.run("SELECT 1 / (CASE WHEN {owner} = %s THEN 0 ELSE 1 END) FROM {t}", a.their_mark)
    if state not in ("", REFUSED):
        raise Leak(f"the filter met the victim's row: {state}")
    state, _, _ = a.run("SELECT id FROM {t} WHERE 1 / (CASE WHEN id = %s THEN 0 ELSE 1 END) > 0", a.theirs)
    if state not in ("", REFUSED):
        raise Leak(f"the filter met the victim's row: {state}")


def explain_analyze(a: Attempt) -> None:
    """Let the plan's account tell how many rows there are."""
    rows = a.rows("EXPLAIN (ANALYZE, FORMAT JSON) SELECT FROM {t} WHERE {owner} = %s", a.their_mark)
    if rows and rows[0][0][0]["Plan"]["Actual Rows"]:
        raise Leak("the plan counts the victim's rows")


def lock_rows(a: Attempt) -> None:
    """Lock a row, which would hold the victim up and show that it exists."""
    a.no_rows("SELECT id FROM {t} WHERE id = %s FOR UPDATE NOWAIT", a.theirs)
    a.no_rows("SELECT id FROM {t} WHERE {owner} = %s FOR KEY SHARE", a.their_mark)


def cursor_rows(a: Attempt) -> None:
    """Read through a cursor that was opened for the victim's tenant, then for the own."""
    with a.undone():
        if not a.run(
            "DECLARE thief NO SCROLL CURSOR FOR SELECT {owner} FROM {t} WHERE {owner} = %s", a.their_mark
        )[0]:
            a.no_rows("FETCH ALL FROM thief")
    with a.undone():
        if not a.run("DECLARE thief CURSOR WITH HOLD FOR SELECT {owner} FROM {t}")[0]:
            a.mine_only("FETCH ALL FROM thief")


def copy_out(a: Attempt) -> None:
    """Copy the table out, to the client, a file, a program."""
    for source in ("(SELECT {owner} FROM {t})", "{t} ({owner})"):
        a.statements += 1
        try:
            with a.undone(), a.connection.cursor().copy(a._named(f"COPY {source} TO STDOUT")) as copy:
                text = b"".join(bytes(block) for block in copy).decode()
        except psycopg.errors.InsufficientPrivilege:
            continue
        if a.their_mark in text:
            raise Leak(f"COPY {source} brought the victim's rows")
    a.refused("COPY (SELECT 1) TO '/dev/null'")
    a.refused("COPY (SELECT 1) TO PROGRAM 'true'")


def cached_plan(a: Attempt) -> None:
    """Run a statement that was planned for the victim, on the same connection."""
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
    """Work with no tenant, an empty one, or nonsense."""
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
    """Take another role than the scope's, or none."""
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
    raise Leak("the public login may wear the operator's hat")


def row_security_off(a: Attempt) -> None:
    """Switch row-level security off for the session."""
    a.run("SET LOCAL row_security = off")
    a.refused("SELECT id FROM {t} WHERE {owner} = %s", a.their_mark)


def partition_directly(a: Attempt) -> None:
    """Read and write a partition past its parent, whose policies it lacks; elsewhere the table itself."""
    for partition in a.target.partitions:
        a.refused(f'SELECT FROM "{partition}"')
        a.refused(f'DELETE FROM "{partition}"')
    a.mine_only("SELECT {owner} FROM ONLY {t}")


def change_schema(a: Attempt) -> None:
    """Truncate, drop or alter what protects the table."""
    a.refused("TRUNCATE {t} CASCADE")
    for change in ("DISABLE ROW LEVEL SECURITY", "NO FORCE ROW LEVEL SECURITY", "OWNER TO conclave_app"):
        a.refused("ALTER TABLE {t} " + change)
    a.refused("ALTER TABLE {t} DISABLE TRIGGER ALL")
    a.refused("CREATE POLICY open ON {t} USING (true)")
    a.refused("DROP TABLE {t} CASCADE")
    a.refused("CREATE TABLE public.copied AS SELECT * FROM {t}")
    a.refused("ALTER FUNCTION public.conclave_current_tenant() IMMUTABLE")
    a.refused("SET LOCAL session_replication_role = replica")


def own_functions(a: Attempt) -> None:
    """See rows through a view of one's own, or a cheap function that tells what it is given."""
    a.run("CREATE TEMP VIEW spy AS SELECT {owner} FROM {t}")
    if not a.run("SELECT 'pg_temp.spy'::regclass")[0]:
        a.mine_only("SELECT * FROM pg_temp.spy")
    a.run(
        "CREATE FUNCTION pg_temp.tell(v text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001"
        " AS $$ BEGIN RAISE NOTICE '%', v; RETURN true; END $$",
    )
    a.mine_only("SELECT {owner} FROM {t} WHERE pg_temp.tell({owner}::text)")
    if any(a.their_mark in notice for notice in a.notices):
        raise Leak("a function in the filter was shown the victim's row")


def physical_access(a: Attempt) -> None:
    """Go by place on disk, by sample, by statistics."""
    a.mine_only("SELECT {owner} FROM {t} WHERE ctid = ANY (ARRAY['(0,1)', '(0,2)', '(0,3)', '(0,4)']::tid[])")
    a.mine_only("SELECT {owner} FROM {t} TABLESAMPLE SYSTEM (100)")
    a.refused("SELECT FROM pg_statistic")
    rows = a.rows(
        "SELECT concat(most_common_vals::text, histogram_bounds::text) FROM pg_stats WHERE tablename = %s",
        a.target.table,
    )
    if any(a.theirs in text or a.their_mark in text for (text,) in rows):
        raise Leak("the planner's statistics show the victim's values")
    a.refused("SELECT pg_read_file('PG_VERSION')")


def definer_functions(a: Attempt) -> None:
    """Call functions that run with their owner's rights."""
    low, high = uuid7(), uuid7()
    a.refused(
        "SELECT conclave_make_partition(%s, %s, %s, %s)", a.target.table, f"{a.target.table}_p1", low, high
    )
    a.refused("SELECT conclave_authenticate_key(%s)", os.urandom(32))
    a.refused("SELECT conclave_memberships_of(%s)", a.ground.users[a.victim])
    a.refused("SELECT conclave_audit_seal()")
    a.refused("SELECT conclave_audit_verify()")
    a.refused("SELECT conclave_audit_write('x.y', 'z', %s, '', null, null, '{{}}')", a.victim)
    callable_ = a.rows(
        "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace"
        " AND prorettype <> 'trigger'::regtype AND has_function_privilege(oid, 'EXECUTE')"
    )
    if unknown := {name for (name,) in callable_} - CALLABLE_DEFINERS:
        raise Leak(f"may call {', '.join(sorted(unknown))}")


def update_foreign(a: Attempt) -> None:
    """Change the victim's row, by id and by tenant, with and without RETURNING."""
    column = "updated_at" if "updated_at" in a.target.columns else a.target.owner
    for condition, value in (("id = %s", a.theirs), ("{owner} = %s", a.their_mark)):
        a.untouched(f"UPDATE {{t}} SET {column} = {column} WHERE {condition}", value)
        a.no_rows(f"UPDATE {{t}} SET {column} = {column} WHERE {condition} RETURNING id", value)


def change_owner(a: Attempt) -> None:
    """Steal the victim's row, and push the own row into the victim's tenant."""
    a.untouched("UPDATE {t} SET {owner} = %s WHERE id = %s", a.my_mark, a.theirs)
    a.refused("UPDATE {t} SET {owner} = %s WHERE id = %s", a.their_mark, a.mine)


def delete_foreign(a: Attempt) -> None:
    """Delete the victim's row, by id and by tenant."""
    a.untouched("DELETE FROM {t} WHERE id = %s", a.theirs)
    a.untouched("DELETE FROM {t} WHERE {owner} = %s", a.their_mark)
    a.no_rows("DELETE FROM {t} WHERE {owner} = %s RETURNING id", a.their_mark)


def insert_foreign(a: Attempt) -> None:
    """Put a row into the victim's tenant, with and without RETURNING."""
    row = _fresh(a, a.victim) | {a.target.owner: a.their_mark}
    a.refused(*_insert(a, row))
    statement, *params = _insert(a, row)
    a.refused(statement + " RETURNING id", *params)


def upsert_and_merge(a: Attempt) -> None:
    """Reach the victim's row through a conflict on its id, and through MERGE."""
    row = _fresh(a, a.me) | {"id": a.theirs}
    if a.target.owner != "id":
        row[a.target.owner] = a.my_mark
    statement, *params = _insert(a, row)
    a.refused(
        f"{statement} ON CONFLICT (id) DO UPDATE SET {a.target.owner} = excluded.{a.target.owner}", *params
    )
    a.untouched(
        "MERGE INTO {t} USING (SELECT %s::uuid AS wanted) s ON {t}.id = s.wanted"
        " WHEN MATCHED THEN UPDATE SET {owner} = {t}.{owner}",
        a.theirs,
    )
    a.untouched(
        "MERGE INTO {t} USING (SELECT %s::uuid AS wanted) s ON {t}.id = s.wanted WHEN MATCHED THEN DELETE",
        a.theirs,
    )


def reference_foreign(a: Attempt) -> None:
    """Refer to the victim's row from an own one: refused, and in the words for an id that does not exist."""
    for reference in a.target.references:
        foreign = a.ground.rows[reference.target, a.victim][reference.target_column]
        theirs = _answers(a, reference, foreign)
        missing = _answers(a, reference, str(uuid7()))
        if "" in theirs:
            raise Leak(f"{reference.column} accepts the victim's {reference.target}")
        if theirs != missing and reference.column != "id":
            raise Leak(f"{reference.column} answers {theirs} for the victim's row, {missing} for none")
        if FOREIGN_KEY not in missing and missing != [REFUSED, REFUSED]:
            raise Leak(f"{reference.column} was never asked: {missing}")


def _answers(a: Attempt, reference: Reference, value: str) -> list[str]:
    """The SQLSTATEs of an insert and an update that refer to `value`."""
    extra = BESIDE.get((a.target.table, reference.column), {})
    row = _fresh(a, a.me) | {each.column: None for each in a.target.references if each.nullable}
    row |= extra | {reference.column: value}
    states = []
    with a.undone():
        states.append(a.run(*_insert(a, row))[0])
    changes = ", ".join(f"{column} = %s" for column in (reference.column, *extra))
    with a.undone():
        states.append(a.run(f"UPDATE {{t}} SET {changes} WHERE id = %s", value, *extra.values(), a.mine)[0])
    return states


def unique_oracle(a: Attempt) -> None:
    """Take the victim's names and slugs: they must be free in one's own tenant."""
    row = a.ground.rows[a.target.table, a.victim] | {"id": str(uuid7())}
    row |= {each.column: a.ground.rows[a.target.table, a.me][each.column] for each in a.target.references}
    if a.target.owner != "id":
        row |= {a.target.owner: a.my_mark}
    row |= {name: _other(kind, row[name]) for name, kind in a.target.unique.items() if _is_random(a, name)}
    a.run("DELETE FROM {t} WHERE id = %s", a.mine)
    state, _, _ = a.run(*_insert(a, row))
    mine = a.ground.rows[a.target.table, a.me]
    if state == DUPLICATE and a.target.unique and all(row[name] == mine[name] for name in a.target.unique):
        return  # an own row that may not be deleted has the very values
    if state not in ("", REFUSED, FOREIGN_KEY):
        raise Leak(f"the victim's values answer {state}")


def _is_random(a: Attempt, column: str) -> bool:
    return (a.target.table, column) in UNGUESSABLE


def _insert(a: Attempt, row: dict[str, Any]) -> tuple[Any, ...]:
    names = ", ".join(f'"{column}"' for column in a.target.columns)
    statement = f"INSERT INTO {{t}} ({names}) SELECT {names} FROM jsonb_populate_record(NULL::{{t}}, %s)"
    return statement, json.dumps(row)


def _fresh(a: Attempt, tenant: str) -> dict[str, Any]:
    """A copy of the tenant's row with an id of its own and nothing that must be unique."""
    row = dict(a.ground.rows[a.target.table, tenant])
    row["id"] = str(uuid7())
    return row | {name: _other(kind, row[name]) for name, kind in a.target.unique.items()}


def _other(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "bytea":
        return "\\x" + os.urandom(32).hex()
    if kind in ("integer", "smallint", "bigint"):
        return 2000 + os.urandom(1)[0]
    return f"{value[:40]}-{uuid4().hex[:8]}"


ATTACKS: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (
        read_by_id,
        list_all,
        filter_and_count,
        derived_rows,
        error_oracle,
        explain_analyze,
        lock_rows,
        cursor_rows,
        copy_out,
        cached_plan,
        unset_tenant,
        other_role,
        row_security_off,
        partition_directly,
        change_schema,
        own_functions,
        physical_access,
        definer_functions,
        update_foreign,
        change_owner,
        delete_foreign,
        insert_foreign,
        upsert_and_merge,
        reference_foreign,
        unique_oracle,
    )
}
