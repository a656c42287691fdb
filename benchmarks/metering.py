"""Cost of metering, and sums over many meter events."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from agents.testing import FakeOpenAI, ScriptedReply
from config.postgres.logins import OWNER

from .installation import DATABASE, House, connection_to, vacuum
from .meter import Compared, Side, backends_of, compare
from .requests import Ask, ask_for_list
from .runtime import ANSWER, ask_for_chat, create_agent
from .servers import Server, product, repeated

UNMETERED = "bench_unmetered"
WITHOUT_METERS = """
DO $$ DECLARE r record; BEGIN
  FOR r IN SELECT DISTINCT t.tgrelid::regclass AS tbl, t.tgname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND p.prosrc LIKE '%INSERT INTO tenants_meterevent%'
  LOOP EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', r.tbl, r.tgname); END LOOP;
END $$;
"""
DAYS, USERS, AGENTS, MODELS, BATCH = 90, 50, 10, 4, 500_000
# Each user uses two agents, each agent one model; the events of a quarter are spread evenly.
FILL = """
SET session_replication_role = replica;
INSERT INTO tenants_meterevent (id, tenant_id, metric_type, quantity, occurred_at, completion_tokens, cost, agent_id,
    user_id, model, service)
  SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '7'
      || left(digest, 3) || '8' || substr(digest, 4, 15))::uuid, '{tenant}',
    (ARRAY['tokens', 'tokens', 'tool_executions', 'rag_queries'])[1 + n % 4], 1 + n % 900, moment, n % 300,
    CASE WHEN n % 4 < 2 THEN (n % 1000) / 100000.0 ELSE 0 END, md5('agent' || agent)::uuid, md5('user' || person)::uuid,
    'model-' || agent % {models}, 'openai'
  FROM generate_series({first}, {last}) n,
    LATERAL (SELECT '{start}'::timestamptz + interval '{days} days' * ((n - 1)::float8 / {count}) AS moment,
      (n / 4 * 7919::bigint) % {users} AS person, md5(random()::text) AS digest) p,
    LATERAL (SELECT (person + (n / 4) % 2) % {agents} AS agent) a;
"""
OPEN_EVENTS = 2_000


@dataclass(frozen=True)
class Sums:
    """Milliseconds of each sum by title, the seconds of the roll-up, and the number of metrics."""

    milliseconds: dict[str, float]
    rolling_up: float
    metrics: int


def metered_requests(house: House, *, rounds: int, count: int) -> dict[str, Compared]:
    """Compare the CPU of a chat call and of a list with and without meter triggers, counts and limits of requests."""
    with FakeOpenAI(ScriptedReply(text=ANSWER)) as model:
        create_agent(house, model.base_url, "metered")
        _copy()
        unmetered = {"CONCLAVE_DB": UNMETERED, "REQUEST_COUNT_SECONDS": "0", "REQUEST_LEASE_SECONDS": "0"}
        with (
            psycopg.connect(**connection_to(OWNER), autocommit=True) as watcher,
            product(house, "metered") as on,
            product(house, "unmetered", **unmetered) as off,
        ):

            def compared(ask: Ask) -> Compared:
                sides = [_side(server, watcher, ask) for server in (on, off)]
                return compare(*sides, rounds=rounds, count=count, warm=60)

            return {
                "list of 50 messages": compared(ask_for_list(house)),
                "chat call": compared(ask_for_chat(house, "metered")),
            }


def _side(server: Server, watcher: psycopg.Connection, ask: Ask) -> Side:
    def pids() -> dict[str, list[int]]:
        return {"app": server.workers, "database": backends_of(watcher, server.name)}

    return Side(server.name, repeated(server, 200, ask), pids)


def _copy() -> None:
    from django.db import connection

    from config.db import roles
    from config.postgres.cluster import default_cluster, run_sql

    connection.close()
    cluster = default_cluster()
    create = f"{roles.create_database_sql(UNMETERED)} TEMPLATE {roles.quote_identifier(DATABASE)} STRATEGY file_copy"
    run_sql(cluster, create, "postgres")
    run_sql(cluster, roles.grants_sql(UNMETERED) + WITHOUT_METERS, UNMETERED)
    vacuum(UNMETERED)


def usage_sums(house: House, *, events: int) -> Sums:
    """Fill a quarter with meter events, roll them up, and time the sums of `GET /api/v1/usage/`.

    Raises:
        RuntimeError: a sum differs from that of the events.
    """
    from tenants.services.metering import roll_up_usage

    end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = end - timedelta(days=DAYS)
    _fill(house, start, events)
    with _timed() as rolling_up:
        roll_up_usage(batch=BATCH)
    _fill(house, start, OPEN_EVENTS)
    vacuum(DATABASE)
    metrics = _query("SELECT count(*) FROM tenants_usagemetric")
    return Sums(_time_sums(house, start, end), rolling_up(), metrics)


def _fill(house: House, start: datetime, count: int) -> None:
    from config.db.partitions import ensure_partitions
    from config.postgres.cluster import default_cluster, run_sql
    from config.tenancy.scope import platform_scope
    from tenants.models import MeterEvent

    with platform_scope(reason="benchmark", actor="system:bench"):
        ensure_partitions(since=start, models_=[MeterEvent])
    values = {"tenant": house.tenant_id, "start": start.isoformat(), "days": DAYS, "count": count}
    fixed = {"users": USERS, "agents": AGENTS, "models": MODELS}
    for first in range(1, count + 1, BATCH):
        last = min(count, first + BATCH - 1)
        script = FILL.format(first=first, last=last, **values, **fixed)
        run_sql(default_cluster(), script, DATABASE, timeout=3600)


def _time_sums(house: House, start: datetime, end: datetime) -> dict[str, float]:
    from config.tenancy.scope import tenant_scope
    from tenants.services.usage import UsageRequest, sum_usage

    requests = {
        "the quarter": UsageRequest(start, end),
        "by agent and model": UsageRequest(start, end, groups=("agent", "model")),
        "by day": UsageRequest(start, end, interval="day"),
        "by agent, model and day": UsageRequest(start, end, interval="day", groups=("agent", "model")),
    }
    found = {}
    with tenant_scope(house.tenant_id, user=house.user_id, actor="system:bench"):
        (whole,) = sum_usage(requests["the quarter"])
        if whole["tokens"] != _query(
            "SELECT sum(quantity) FROM tenants_meterevent WHERE metric_type = 'tokens'"
        ):
            raise RuntimeError("the sum of the metrics is not that of the events")
        for title, request in requests.items():
            times = []
            for _ in range(15):
                with _timed() as seconds:
                    sum_usage(request)
                times.append(seconds() * 1000)
            found[title] = statistics.median(times)
    return found


def _query(sql: str) -> Any:
    from config.postgres.cluster import default_cluster, run_sql

    return int(run_sql(default_cluster(), sql, DATABASE, timeout=3600))


@contextmanager
def _timed() -> Iterator[Callable[[], float]]:
    """Yield a function that returns the seconds that the block took."""
    began, ended = time.perf_counter(), []
    yield lambda: ended[0]
    ended.append(time.perf_counter() - began)
