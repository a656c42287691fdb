"""Cost of partitions and row-level security at scale, of `migrate`, and of expiry.

A thousand tenants whose messages are skewed (the k-th has a share of 1/k), half a year of them; the same
rows in a table without partitions and policies, with the same indexes; the same statements by the same role.
"""

import os
import resource
import time
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import psycopg

from config.postgres.logins import OWNER, TENANT

from .installation import DATABASE, House, connection_to, manage, vacuum
from .meter import Compared, Side, backends_of, compare, cpu_of
from .queries import open_session

TENANTS, MONTHS, LENGTH = 1_000, 6, 100
MEASURED = 10
BARE = "bench_message"
FRESH = "bench_migrate"
# Measured seconds per side at `--count 300`: enough to fill many ticks of the CPU clock.
SECONDS = 1.5
STATEMENTS = {
    "point get": "SELECT * FROM {t} WHERE tenant_id = %(tenant)s AND id = %(message)s",
    # As in the product (`created_after_id`); both sides have both bounds.
    "latest 50": "SELECT * FROM {t} WHERE tenant_id = %(tenant)s AND conversation_id = %(conversation)s"
    " AND id >= %(oldest)s AND id < %(newest)s ORDER BY id DESC LIMIT 50",
    "tenant's latest 50": "SELECT * FROM {t} WHERE tenant_id = %(tenant)s ORDER BY id DESC LIMIT 50",
    "tenant's count": "SELECT count(*) FROM {t} WHERE tenant_id = %(tenant)s",
}
ID_AT = (
    "encode(set_byte(set_byte(substring(int8send((extract(epoch FROM {0}) * 1000)::bigint) FROM 3)"
    " || substring(uuid_send(gen_random_uuid()) FROM 7), 6, 112 + (random() * 15)::int), 8, 128), 'hex')::uuid"
)
# A conversation has a hundred messages within an hour; its number determines tenant and time.
FILL = """
SET session_replication_role = replica;
SELECT setseed(0.5);
INSERT INTO tenants_tenant (id, name, slug, status, plan_type, description, industry, company_size,
    headquarters_location, contact_name, contact_email, contact_phone, settings, branding, agent_preferences, metadata)
  SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(k), 12, '0'))::uuid, 'Tenant ' || k, 'skewed-' || k, 'active',
    'free', '', '', '', '', '', '', '', '{{}}', '{{}}', '{{}}', '{{}}' FROM generate_series(1, {tenants}) k;
CREATE TEMP TABLE drawn AS
  SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(k), 12, '0'))::uuid AS tenant_id, began, {conversation_id} AS id
  FROM generate_series(1, {tenants}) k,
    LATERAL generate_series(1, greatest(1, round({conversations} / (k * {harmonic}))::int)) n,
    LATERAL (SELECT '{since}'::timestamptz + random() * interval '{days} days' + n * interval '0' AS began) b;
INSERT INTO conversations_conversation (id, tenant_id, title, status, mode, context, metadata, message_count,
    total_tokens, total_cost, started_at)
  SELECT id, tenant_id, 'Generated', 'active', 'single', '{{}}', '{{}}', {length}, 0, 0, began FROM drawn;
INSERT INTO conversations_message (id, tenant_id, conversation_id, sequence_number, role, content, status,
    error_code, error_message, citations, model, token_count, cost, tool_calls, tool_results, tool_used,
    conversation_domain, embedding_model_used, feedback, metadata)
  SELECT {message_id}, tenant_id, id, s, CASE s % 2 WHEN 1 THEN 'user' ELSE 'assistant' END,
    repeat('Message text.  ', 12), 'completed', '', '', '[]', '', 40, 0, '[]', '[]', '', '', '', '', '{{}}'
  FROM drawn, generate_series(1, {length}) s ORDER BY 1;
CREATE TABLE {bare} (LIKE conversations_message INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING INDEXES);
INSERT INTO {bare} ({columns}) SELECT {columns} FROM conversations_message ORDER BY id;
GRANT SELECT ON {bare} TO conclave_app;
"""


def migrate_seconds(house: House) -> tuple[float, float]:
    """Return the wall and CPU seconds of `manage.py migrate` on an empty database with compiled modules."""
    from config.db import roles
    from config.postgres.cluster import default_cluster, run_sql

    cluster = default_cluster()
    run_sql(cluster, roles.create_database_sql(FRESH), "postgres")
    run_sql(cluster, roles.grants_sql(FRESH), FRESH)
    os.environ["CONCLAVE_DB"] = FRESH
    cached = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(house.var / "pycache")}
    before_us = {key: os.environ.get(key) for key in cached}
    os.environ |= cached
    try:
        manage("makemigrations", "--check", "--dry-run", "-v0")  # compiles
        began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        manage("migrate", "-v0")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        wall = time.perf_counter() - began
    finally:
        os.environ["CONCLAVE_DB"] = DATABASE
        for key, value in before_us.items():
            os.environ.pop(key) if value is None else os.environ.update({key: value})
    run_sql(cluster, f"DROP DATABASE {FRESH}", "postgres")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def fill(messages: int) -> int:
    """Create the tenants and about `messages` messages in both tables; return the number of messages."""
    from config.db.partitions import ensure_partitions
    from config.postgres.cluster import default_cluster, run_sql
    from config.tenancy.scope import platform_scope
    from conversations.models import Message

    since = _since()
    with platform_scope(reason="partitions for the benchmark", actor="system:bench"):
        ensure_partitions(since=since, models_=[Message])
    cluster = default_cluster()
    columns = ", ".join(
        f'"{field.column}"' for field in Message._meta.local_concrete_fields if not field.generated
    )
    script = FILL.format(
        tenants=TENANTS,
        conversations=messages / LENGTH,
        harmonic=sum(1 / k for k in range(1, TENANTS + 1)),
        since=since.isoformat(),
        days=(datetime.now(UTC) - since).days - 1,
        length=LENGTH,
        conversation_id=ID_AT.format("began"),
        message_id=ID_AT.format("(began + s * interval '30 seconds')"),
        columns=columns,
        bare=BARE,
    )
    run_sql(cluster, script, DATABASE, timeout=3600)
    vacuum(DATABASE)
    return int(run_sql(cluster, f"SELECT count(*) FROM {BARE}", DATABASE))


def _since() -> datetime:
    return (datetime.now(UTC) - timedelta(days=30 * MONTHS)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )


def _asked() -> list[dict[str, Any]]:
    """Return messages of a medium-sized tenant with their conversations."""
    from config.tenancy.managers import max_id_bound, min_id_bound

    newest = max_id_bound()
    with psycopg.connect(**connection_to(OWNER)) as owner:
        rows = owner.execute(
            "SELECT tenant_id, id, conversation_id FROM conversations_message"
            " WHERE tenant_id = %s"
            " ORDER BY md5(id::text) LIMIT 500",
            [UUID(f"00000000-0000-7000-8000-{MEASURED:012x}")],
        ).fetchall()
    return [
        {
            "tenant": tenant,
            "message": message,
            "conversation": talk,
            "oldest": min_id_bound(talk),
            "newest": newest,
        }
        for tenant, message, talk in rows
    ]


class Sending(StrEnum):
    """How a statement and its values reach PostgreSQL; the same on both sides."""

    # As the API's repeated statements (`prepared_cursor`): the serving logins keep every plan.
    KEPT = "kept plan"
    # As Django's ORM does: values in the text, planned at each call.
    TEXT = "values in the text"
    # PostgreSQL's default: it keeps the bare table's plan and replans for the partitioned one, because its estimate
    # of a kept plan includes the partitions that are excluded only at execution.
    PREPARED = "prepared"


def partitioned_and_bare(house: House, *, rounds: int, count: int, sending: Sending) -> dict[str, Compared]:
    """Compare the backend and client CPU of each statement on the product's table and the bare one."""
    asked = _asked()
    found = {}
    with psycopg.connect(**connection_to(OWNER), autocommit=True) as watcher:
        for title, statement in STATEMENTS.items():
            sides = [
                _side(watcher, f"{title} {table} {sending}", statement.format(t=table), asked, sending)
                for table in ("conversations_message", BARE)
            ]
            times = _times(sides[1], count)
            found[title] = compare(*sides, rounds=rounds, count=times, warm=20)
    return found


def _times(side: Side, count: int) -> int:
    """Return the repetitions of a statement per round; slow statements run less often."""
    side.run(20)
    began = time.perf_counter()
    side.run(20)
    return max(20, int(SECONDS * count / 300 / ((time.perf_counter() - began) / 20)))


def _side(
    watcher: psycopg.Connection[Any], name: str, sql: str, asked: list[dict[str, Any]], sending: Sending
) -> Side:
    name = name[:63]  # as PostgreSQL cuts it
    connection = psycopg.connect(**connection_to(TENANT), application_name=name, autocommit=True)
    if sending == Sending.TEXT:
        connection.cursor_factory = psycopg.ClientCursor
    open_session(connection, asked[0]["tenant"])
    if sending == Sending.PREPARED:
        connection.execute("SET plan_cache_mode = auto")

    def run(count: int) -> None:
        for number in range(count):
            if not connection.execute(sql, asked[number % len(asked)]).fetchall():
                raise RuntimeError(f"{name}: no row")

    return Side(name, run, lambda: {"database": backends_of(watcher, name), "client": [os.getpid()]})


def expiry_ms() -> tuple[list[float], float]:
    """Return the milliseconds per expired month (detached concurrently, dropped) and the mean CPU."""
    from django.db import connection

    from config.db.partitions import expire_partitions, period_start
    from conversations.models import Message

    took = []
    with connection.creation._as_owner():  # type: ignore[attr-defined]
        connection.ensure_connection()
        backend = connection.connection.info.backend_pid
        spent = cpu_of(backend)
        before = period_start(_since() + timedelta(days=32), "month")
        while before < datetime.now(UTC):
            began = time.perf_counter()
            if dropped := expire_partitions(Message, before=before):
                took.append((time.perf_counter() - began) * 1000 / len(dropped))
            before = period_start(before + timedelta(days=32), "month")
        spent = cpu_of(backend) - spent
    return took, spent * 1000 / len(took)
