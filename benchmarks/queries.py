"""Cost of row-level security: the same statements and role on databases with and without it."""

from uuid import UUID

import psycopg
from psycopg import Connection

from config.postgres.logins import OWNER, TENANT
from config.tenancy.managers import min_id_bound

from .installation import DATABASE, PLAIN, House, connection_to, vacuum
from .meter import Compared, Side, backends_of, compare

# Repetitions per unit of `--count`: enough to fill many ticks of the CPU clock.
REPEATS = {"point get": 30, "latest 50": 8, "count": 20}
# As in the product: the bound on the id excludes the partitions before the conversation.
STATEMENTS = {
    "point get": "SELECT * FROM conversations_message WHERE tenant_id = %(tenant)s AND id = %(message)s",
    "latest 50": "SELECT * FROM conversations_message WHERE tenant_id = %(tenant)s"
    " AND conversation_id = %(conversation)s AND id >= %(oldest)s ORDER BY id DESC LIMIT 50",
    "count": "SELECT count(*) FROM conversations_message WHERE tenant_id = %(tenant)s"
    " AND conversation_id = %(conversation)s AND id >= %(oldest)s",
}


def messages_of(house: House) -> list[dict[str, object]]:
    """Return the parameters of `STATEMENTS` for messages of the tenant."""
    with psycopg.connect(**connection_to(OWNER)) as owner:
        rows = owner.execute(
            "SELECT id, conversation_id FROM conversations_message WHERE tenant_id = %s ORDER BY id LIMIT 500",
            [house.tenant_id],
        ).fetchall()
    return [
        {"tenant": house.tenant_id, "message": one, "conversation": other, "oldest": min_id_bound(other)}
        for one, other in rows
    ]


def _side(connection: Connection, watcher: Connection, name: str, sql: str, params: list[dict]) -> Side:
    def run(count: int) -> None:
        for number in range(count):
            if not connection.execute(sql, params[number % len(params)]).fetchall():
                raise RuntimeError(f"{name}: no row")

    return Side(name, run, lambda: {"database": backends_of(watcher, name)})


def _opened(house: House, database: str, name: str) -> Connection:
    connection = psycopg.connect(**connection_to(TENANT, database), application_name=name, autocommit=True)
    open_session(connection, house.tenant_id)
    return connection


def open_session(connection: Connection, tenant: UUID) -> None:
    """Set the tenant's scope for the session, proved for a day."""
    from config.db.scope_proofs import prove_scope
    from config.db.session import APP, Scope, session_sql

    values = Scope(APP, tenant).values()
    connection.execute(session_sql(local=False), [*values, prove_scope(values, 24 * 3600)])


def row_level_security(house: House, *, rounds: int, count: int) -> dict[str, Compared]:
    """Compare the backend CPU of each statement with and without policies."""
    params = messages_of(house)
    for database in (DATABASE, PLAIN):
        # Equal statistics, hence equal plans, regardless of earlier benchmarks.
        vacuum(database)
    with (
        psycopg.connect(**connection_to(OWNER), autocommit=True) as watcher,
        _opened(house, DATABASE, "rls on") as on,
        _opened(house, PLAIN, "rls off") as off,
    ):
        return {
            title: compare(
                _side(on, watcher, "rls on", sql, params),
                _side(off, watcher, "rls off", sql, params),
                rounds=rounds,
                count=count * REPEATS[title],
                warm=100,
            )
            for title, sql in STATEMENTS.items()
        }
