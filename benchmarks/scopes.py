"""Cost of a transaction with a scope, with and without verification.

The alternative verifies once per transaction and keeps the tenant in a row that only its function can write.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import psycopg

from config.postgres.logins import OWNER, TENANT

from .installation import DATABASE, House, connection_to, vacuum
from .meter import Compared, Side, backends_of, compare
from .queries import STATEMENTS, messages_of

TRUSTING, ROWS = "bench_trusting", "bench_scope_rows"
READS = (1, 5)
# Reads the row of the transaction. The row is locked by its transaction and overwritten by the next one.
SCOPE_ROWS = """
SET ROLE conclave_scope;
CREATE UNLOGGED TABLE conclave_scope_row (pid int PRIMARY KEY, xid xid8, tenant uuid) WITH (fillfactor = 50);
ALTER FUNCTION conclave_current_tenant() RENAME TO conclave_verified_tenant;
CREATE FUNCTION conclave_prove_once() RETURNS void LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO public.conclave_scope_row
  VALUES (pg_backend_pid(), pg_current_xact_id(), public.conclave_verified_tenant())
  ON CONFLICT (pid) DO UPDATE SET xid = excluded.xid, tenant = excluded.tenant $$;
CREATE FUNCTION conclave_current_tenant() RETURNS uuid LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN (SELECT tenant FROM public.conclave_scope_row
    WHERE pid = pg_backend_pid() AND xid = pg_current_xact_id_if_assigned());
END $$;
RESET ROLE;
DO $$ DECLARE p record; BEGIN
  FOR p IN SELECT polname, polrelid::regclass AS name, pg_get_expr(polqual, polrelid) AS rows FROM pg_policy
    WHERE pg_get_expr(polqual, polrelid) LIKE '%conclave_verified_tenant%'
  LOOP EXECUTE format('ALTER POLICY %I ON %s USING (%s)', p.polname, p.name,
    replace(p.rows, 'conclave_verified_tenant', 'conclave_current_tenant')); END LOOP;
END $$;
"""


def make_copies() -> None:
    """Create the databases without verification, and with a row per transaction."""
    from config.db import roles
    from config.db.scope_functions import SCOPE_PROOFS_REVERT
    from config.postgres.cluster import default_cluster, run_sql

    cluster = default_cluster()
    for name, script in ((TRUSTING, f"BEGIN; {SCOPE_PROOFS_REVERT} COMMIT;"), (ROWS, SCOPE_ROWS)):
        create = f"{roles.create_database_sql(name)} TEMPLATE {roles.quote_identifier(DATABASE)} STRATEGY file_copy"
        run_sql(cluster, create, "postgres")
        run_sql(cluster, roles.grants_sql(name) + script, name)
        vacuum(name)


def proved_scopes(house: House, *, rounds: int, count: int) -> dict[str, Compared]:
    """Compare the CPU of a transaction that opens a scope and reads, per number of reads."""
    from django.db import connection

    connection.close()
    make_copies()
    params = messages_of(house)
    found = {}
    with ExitStack() as stack:
        watcher = stack.enter_context(psycopg.connect(**connection_to(OWNER), autocommit=True))
        opened = {
            name: stack.enter_context(psycopg.connect(**connection_to(TENANT, name), application_name=name))
            for name in (DATABASE, TRUSTING, ROWS)
        }
        for reads in READS:
            proved, trusting, rows = (
                _side(house, watcher, name, connection, params, reads) for name, connection in opened.items()
            )
            found[f"proof : none, {reads} reads"] = compare(
                proved, trusting, rounds=rounds, count=count, warm=100
            )
            found[f"row : none, {reads} reads"] = compare(
                rows, trusting, rounds=rounds, count=count, warm=100
            )
    return found


def _side(
    house: House,
    watcher: psycopg.Connection[Any],
    name: str,
    connection: psycopg.Connection[Any],
    params: Sequence[dict[str, object]],
    reads: int,
) -> Side:
    from config.db.session import APP, SESSION_SQL, Scope

    scope = Scope(APP, house.tenant_id, house.user_id, actor=f"user:{house.user_id}")

    def run(count: int) -> None:
        for number in range(count):
            with connection.transaction():
                connection.execute(SESSION_SQL, scope.params())
                if name == ROWS:
                    connection.execute("SELECT conclave_prove_once()")
                for read in range(reads):
                    wanted = params[(number + read) % len(params)]
                    if not connection.execute(STATEMENTS["latest 50"], wanted).fetchall():
                        raise RuntimeError(f"{name}: no row")

    return Side(name, run, lambda: {"database": backends_of(watcher, name)})
