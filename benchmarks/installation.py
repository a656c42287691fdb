"""Temporary installation for benchmarks: a PostgreSQL cluster, generated tenants, the real roles.

Three databases with the same rows: the product's; `plain`, a copy without row-level security and audit
triggers; `unaudited`, a copy without audit triggers.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

BASE_DIR = Path(__file__).resolve().parent.parent
DATABASE = "conclave"
PLAIN = "bench_plain"
UNAUDITED = "bench_unaudited"
TENANTS, CONVERSATIONS, MESSAGES = 3, 20, 120
RATE_LIMIT = 2_000_000_000
WITHOUT_RLS = """
DO $$ DECLARE t regclass; BEGIN
  FOR t IN SELECT c.oid::regclass FROM pg_class c WHERE c.relrowsecurity AND c.relnamespace = 'public'::regnamespace
  LOOP EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', t);
       EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', t); END LOOP;
END $$;
"""
WITHOUT_AUDIT = """
DO $$ DECLARE r record; BEGIN
  FOR r IN SELECT DISTINCT t.tgrelid::regclass AS tbl, t.tgname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND p.proname IN ('conclave_audit_row', 'conclave_audit_statement')
  LOOP EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', r.tbl, r.tgname); END LOOP;
END $$;
"""

FILLED = "SELECT oid::regclass FROM pg_class WHERE relkind = 'r' AND pg_relation_size(oid) > 0"


@dataclass(frozen=True)
class House:
    """Properties of the installation that benchmarks use."""

    var: Path
    api_key: str = field(repr=False)
    key_digest: bytes = field(repr=False)
    tenant_id: UUID
    user_id: UUID
    conversation_ids: tuple[UUID, ...]
    agent_id: UUID

    def environment(self, **changes: str) -> dict[str, str]:
        """Return the environment of a process that uses this installation."""
        return {**os.environ, "CONCLAVE_NO_START": "1", **changes}


def _environment_of(var: Path) -> None:
    for name in ("CONCLAVE_LOGIN", "DATABASE_URL", "DATABASE_OWNER_URL", "CONCLAVE_NO_START"):
        os.environ.pop(name, None)
    # An empty text wins over a line of `.env`: benchmarks never touch an installation that is in use.
    os.environ |= {"CONCLAVE_VAR": str(var), "CONCLAVE_DB": DATABASE, "DATABASE_URL": "", "CONCLAVE_KEKS": ""}
    os.environ |= {"DJANGO_SETTINGS_MODULE": "config.settings.local", "API_KEY_PEPPER": "", "SECRET_KEY": ""}
    os.environ["CONCLAVE_SCOPE_KEYS"] = ""
    # The model of the benchmarks listens on any port.
    os.environ["MODEL_NETWORKS"] = "127.0.0.0/8"


@contextmanager
def kept_house(var: Path, *, keep: bool) -> Iterator[None]:
    """Yield an installation in `var` without tenants, created if missing; stop and, unless kept, remove it."""
    _environment_of(var)
    from config.postgres.cluster import default_cluster, destroy_cluster, ensure_running, stop_cluster

    cluster = default_cluster()
    try:
        ensure_running(cluster)
        os.environ["CONCLAVE_NO_START"] = "1"
        manage("migrate", "-v0")
        import django

        django.setup()
        yield
    finally:
        from django.db import connections

        connections.close_all()
        if keep:
            stop_cluster(cluster)
        else:
            destroy_cluster(cluster)
            shutil.rmtree(var, ignore_errors=True)


@contextmanager
def made_house() -> Iterator[House]:
    """Yield an installation; remove its server, data and secrets afterwards."""
    var = Path(tempfile.mkdtemp(prefix="conclave-bench-"))
    _environment_of(var)
    from config.postgres.cluster import default_cluster, destroy_cluster, ensure_running

    cluster = default_cluster()
    try:
        ensure_running(cluster)
        os.environ["CONCLAVE_NO_START"] = "1"
        manage("migrate", "-v0")
        import django

        django.setup()
        house = _furnished(var)
        _copies(cluster)
        yield house
    finally:
        from django.db import connections

        connections.close_all()
        destroy_cluster(cluster)
        shutil.rmtree(var, ignore_errors=True)


def manage(*arguments: str) -> None:
    """Run a command of `manage.py` on the installation.

    Raises:
        CalledProcessError: If the command fails.
    """
    subprocess.run([sys.executable, "manage.py", *arguments], cwd=BASE_DIR, check=True, env=dict(os.environ))


def _furnished(var: Path) -> House:
    from accounts.keys import digest
    from accounts.services.keys import create_api_key
    from accounts.services.members import get_or_create_user
    from config.tenancy.scope import tenant_scope
    from tenants.services.tenants import create_tenant

    made: list[House] = []
    for number in range(TENANTS):
        admin = get_or_create_user(f"admin{number}@bench.example", is_verified=True)
        tenant = create_tenant(
            slug=f"bench-{number}",
            name=f"Bench {number}",
            admin=admin,
            actor="system:bench",
            max_key_rate_limit=RATE_LIMIT,
        )
        with tenant_scope(tenant, user=admin, actor="system:bench"):
            secret = create_api_key(name="Bench", user_id=admin.pk, rate_limit=RATE_LIMIT)[1]
            agent, conversations = _conversations(admin.pk)
        made.append(House(var, secret, digest(secret), tenant.pk, admin.pk, tuple(conversations), agent))
    from django.db import connection

    connection.close()
    return made[1]


def _conversations(user_id: UUID) -> tuple[UUID, list[UUID]]:
    from agents.models import Agent
    from conversations.models import Conversation, Message
    from conversations.services.conversations import start_conversation

    agent = Agent(name="Bench", slug="bench", created_by_id=user_id)
    agent.save()
    found = []
    for number in range(CONVERSATIONS):
        conversation = start_conversation(agent, user_id=user_id, title=f"Conversation {number}")
        rows = [_message(Message, conversation, agent.pk, place) for place in range(1, MESSAGES + 1)]
        Message.objects.bulk_create(rows)
        Conversation.objects.filter(pk=conversation.pk).update(message_count=MESSAGES)
        found.append(conversation.pk)
    return agent.pk, found


def _message(model: Any, conversation: Any, agent_id: UUID, place: int) -> Any:
    """Create alternating questions and answers; each answer has two citations."""
    common = {
        "tenant_id": conversation.tenant_id,
        "conversation_id": conversation.pk,
        "sequence_number": place,
    }
    if place % 2:
        return model(role="user", user_id=conversation.user_id, content=f"Question {place}? " * 8, **common)
    citations = [
        {"document": f"guide-{part}.md", "chunk": part, "quote": f"Passage «{part}» of the guide. " * 3}
        for part in range(2)
    ]
    content = f"Answer {place}: rows of one tenant are invisible to others. " * 8
    return model(
        role="assistant",
        agent_id=agent_id,
        content=content,
        citations=citations,
        model="extractive-1",
        **common,
    )


def _copies(cluster: Any) -> None:
    from config.db import roles
    from config.postgres.cluster import run_sql

    vacuum(DATABASE)
    for name, script in ((PLAIN, WITHOUT_RLS + WITHOUT_AUDIT), (UNAUDITED, WITHOUT_AUDIT)):
        create = f"{roles.create_database_sql(name)} TEMPLATE {roles.quote_identifier(DATABASE)} STRATEGY file_copy"
        run_sql(cluster, create, "postgres")
        run_sql(cluster, roles.grants_sql(name) + script, name)
        vacuum(name)


def vacuum(database: str) -> None:
    """Vacuum and analyze tables that contain rows.

    Autovacuum ignores the others too, such as partitions created in advance. With their statistics, plans would differ
    from those of the product.
    """
    from config.postgres.cluster import default_cluster, run_sql

    cluster = default_cluster()
    tables = ", ".join(run_sql(cluster, FILLED, database).split())
    run_sql(cluster, f"VACUUM (ANALYZE) {tables}", database, timeout=3600)


def connection_to(login: str, database: str = DATABASE) -> dict[str, Any]:
    """Return psycopg's keyword arguments for `login` on one of the databases."""
    from config.postgres.cluster import connection_settings, default_cluster

    fields = connection_settings(default_cluster(), login)
    return {
        "dbname": database,
        "user": fields["USER"],
        "password": fields["PASSWORD"],
        "host": fields["HOST"],
        "port": fields["PORT"],
    }
