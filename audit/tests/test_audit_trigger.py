"""The audit trigger: recorded, redacted and rejected writes."""

import psycopg
import pytest
from django.db import ProgrammingError, connection, transaction

from agents.models import Agent
from agents.tests.factories import AgentFactory, IntegrationFactory
from audit.models import AuditLog
from audit.services import record_event
from audit.tests.factories import AuditSealFactory
from config.db.session import RequestInfo, request_info
from config.tenancy.scope import tenant_scope
from config.testing.database import connect
from knowledge.models import Chunk
from knowledge.tests.factories import ChunkFactory, DocumentFactory


def execute(statement, *params):
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.rowcount


def log(row, action):
    return list(AuditLog.objects.filter(resource_id=str(row.pk), action=action).order_by("id"))


def test_creation_records_the_whole_row(scope):
    agent = AgentFactory(name="Ada")
    (entry,) = log(agent, "agent.created")

    assert entry.old_values is None
    assert entry.new_values["name"] == "Ada"
    assert entry.resource_type == "agents.agent"
    assert entry.tenant_id == scope.tenant_id


def test_update_records_changed_columns_only(scope):
    agent = AgentFactory(name="Ada")
    agent.name = "Grace"
    agent.save()
    (entry,) = log(agent, "agent.updated")

    assert entry.old_values == {"name": "Ada"}
    assert entry.new_values == {"name": "Grace"}


def test_update_that_changes_nothing_records_nothing(scope):
    agent = AgentFactory()
    agent.save()

    assert log(agent, "agent.updated") == []


def test_deletion_records_what_was_lost(scope):
    agent = AgentFactory(name="Ada")
    Agent.objects.filter(pk=agent.pk).delete()
    (entry,) = log(agent, "agent.deleted")

    assert entry.old_values["name"] == "Ada"
    assert entry.new_values is None


def test_every_entry_says_who_from_where_and_through_which_login(tenant, member):
    info = RequestInfo(ip="192.0.2.7", request_id="r-1", user_agent="curl")
    token = request_info.set(info)
    try:
        with tenant_scope(tenant, user=member.user, actor="key:1"):
            (entry,) = log(AgentFactory(), "agent.created")
    finally:
        request_info.reset(token)

    assert (entry.actor, entry.user_id, entry.db_user) == ("key:1", member.user.pk, "conclave_test")
    assert (entry.ip_address, entry.request_id, entry.user_agent) == ("192.0.2.7", "r-1", "curl")


def test_bulk_raw_and_queryset_writes_are_seen(scope):
    rows = Agent.objects.bulk_create(
        [Agent(tenant_id=scope.tenant_id, name=f"n{n}", slug=f"n{n}") for n in range(3)]
    )
    Agent.objects.update(description="x")
    execute("UPDATE agents_agent SET description = 'y'")
    execute("DELETE FROM agents_agent")

    for row in rows:
        found = (
            AuditLog.objects.filter(resource_id=str(row.pk)).order_by("id").values_list("action", flat=True)
        )
        assert list(found) == ["agent.created", "agent.updated", "agent.updated", "agent.deleted"]


def test_cascade_is_seen(scope):
    document = DocumentFactory()
    execute("DELETE FROM knowledge_collection WHERE id = %s", document.collection_id)

    assert len(log(document, "document.deleted")) == 1


def test_secret_is_named_but_hidden_before_and_after(scope):
    row = IntegrationFactory(credentials={"api_key": "sk-one"})
    row.credentials = {"api_key": "sk-two"}
    row.save()
    row.credentials = None
    row.save()
    first, second = log(row, "integration.updated")

    assert first.old_values == first.new_values == {"credentials": "[redacted]"}
    assert second.new_values == {"credentials": None}


def test_omitted_columns_stay_out_and_alone_make_no_entry(scope):
    chunk = ChunkFactory(content="What is in a passage stays out of the log.")
    (entry,) = log(chunk, "chunk.created")
    Chunk.objects.filter(pk=chunk.pk).update(content="changed")

    assert not {"content", "search"} & set(entry.new_values)
    assert log(chunk, "chunk.updated") == []


def test_statement_level_trigger_records_each_row_of_a_bulk(scope):
    document = DocumentFactory()
    rows = [
        Chunk(
            tenant_id=scope.tenant_id,
            document=document,
            collection_id=document.collection_id,
            chunk_index=n,
            content="x",
        )
        for n in range(5)
    ]
    Chunk.objects.bulk_create(rows)
    Chunk.objects.update(token_count=7)
    Chunk.objects.filter(chunk_index__lt=2).delete()

    counts = [len(log(row, f"chunk.{verb}")) for row in rows for verb in ("created", "updated", "deleted")]
    assert counts == [1, 1, 1] * 2 + [1, 1, 0] * 3


def test_rolled_back_change_leaves_no_entry(scope):
    agent = AgentFactory()
    sid = transaction.savepoint()
    Agent.objects.update(name="x")
    transaction.savepoint_rollback(sid)

    assert log(agent, "agent.updated") == []


@pytest.mark.parametrize(
    "statement",
    [
        (
            "INSERT INTO agents_agentversion (tenant_id, agent_id, version, snapshot, note)"
            " SELECT tenant_id, id, 1, '{}', '' FROM agents_agent"
        ),
        "UPDATE agents_agent SET name = 'x'",
        "DELETE FROM agents_agent",
    ],
)
def test_unattributed_write_is_refused(tenant, statement):
    with tenant_scope(tenant, actor="system:test"):
        AgentFactory()
    with tenant_scope(tenant), pytest.raises(ProgrammingError, match="unattributed"), transaction.atomic():
        execute(statement)


@pytest.mark.parametrize("verb", ["INSERT INTO audit_auditlog DEFAULT VALUES", "DELETE FROM audit_auditlog"])
def test_tenant_work_cannot_write_the_log(scope, verb):
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        execute(verb)


@pytest.fixture
def sealed_row(transactional_db):
    """A committed audit row and its seal."""
    return AuditSealFactory()


@pytest.mark.parametrize("table", ["audit_auditlog", "audit_auditseal"])
@pytest.mark.parametrize("role", ["conclave_owner", "conclave_audit"])
def test_log_is_append_only_even_for_its_owner(sealed_row, role, table):
    with connect("conclave_owner") as owner, owner.transaction(force_rollback=True):
        owner.execute(f"SET LOCAL ROLE {role}")
        assert owner.execute(f"SELECT count(*) > 0 FROM {table}").fetchone() == (True,)
        for verb in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}"):
            assert touched_by(owner, verb) == 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"), owner.transaction():
            owner.execute(f"TRUNCATE {table} CASCADE")


def touched_by(connection, statement):
    """Return the number of changed rows; zero if permission is denied."""
    try:
        with connection.transaction():
            return connection.execute(statement).rowcount
    except psycopg.errors.InsufficientPrivilege:
        return 0


def test_event_names_its_resource_and_details(scope):
    agent = AgentFactory()
    key = record_event("agent.published", resource=agent, metadata={"version": 3})
    entry = AuditLog.objects.get(pk=key)

    assert (entry.resource_type, entry.resource_id) == ("agents.agent", str(agent.pk))
    assert (entry.action, entry.status, entry.metadata) == ("agent.published", "success", {"version": 3})


def test_event_of_a_failure_says_why(scope):
    key = record_event("import.failed", status="failure", error_message="no such file")

    assert AuditLog.objects.filter(pk=key, status="failure", error_message="no such file").exists()


def test_event_without_an_actor_is_refused(tenant):
    with tenant_scope(tenant), pytest.raises(ProgrammingError, match="unattributed"), transaction.atomic():
        record_event("x.happened")
