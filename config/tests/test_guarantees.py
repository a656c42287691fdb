"""Guarantees about keys, checks, indexes and partitions (G6 to G14, G22)."""

import re

import pytest
from django.apps import apps
from django.contrib.auth.hashers import get_hashers, make_password
from django.db import IntegrityError, connection, transaction
from django.test import override_settings

from config.settings import base
from config.tenancy.models import SoftDeleteMixin
from config.testing.factories import factory_for, project_models
from config.testing.roles import as_platform

MODELS = project_models()
UNIQUE = [
    ("tenants.Tenant", {"slug"}),
    # An address is unique per user, and a membership per tenant and user.
    ("accounts.User", {"email"}),
    ("accounts.Membership", {"tenant_id", "user_id"}),
    ("agents.Agent", {"tenant_id", "slug"}),
    ("accounts.ApiKey", {"key_hash"}),
    ("knowledge.Collection", {"tenant_id", "slug"}),
    ("workflows.Workflow", {"tenant_id", "slug"}),
    ("agents.McpServerConfig", {"tenant_id", "mcp_server_id"}),
    ("agents.TemplateRating", {"tenant_id", "user_id", "template_id"}),
    ("knowledge.Chunk", {"tenant_id", "document_id", "chunk_index"}),
    ("accounts.OAuthToken", {"tenant_id", "user_id", "service"}),
    ("agents.SystemPrompt", {"tenant_id", "user_id", "prompt_key"}),
    ("workflows.AssetDependency", {"tenant_id", "source_id", "target_id", "dependency_type"}),
    ("agents.PlatformCredential", {"tenant_id", "platform_adapter_id", "credential_name"}),
    ("agents.PlatformAdapter", {"adapter_name", "version"}),
    ("workflows.AgentPerformanceDaily", {"tenant_id", "date", "agent_name", "flow_type"}),
    ("accounts.PasskeyCredential", {"credential_id"}),
    ("conversations.SessionSummary", {"tenant_id", "conversation_id"}),
]
BOUNDS = [
    ("agents.Agent", "temperature", "2.01"),
    ("agents.Agent", "temperature", "-0.01"),
    ("agents.Agent", "max_tokens", 0),
    ("agents.TemplateRating", "rating", 0),
    ("agents.TemplateRating", "rating", 6),
    ("knowledge.Collection", "chunk_size", 0),
    ("knowledge.LearningPattern", "confidence", "1.0001"),
    ("knowledge.RagQuery", "top_score", 1.1),
    ("workflows.AgentLearningPattern", "confidence_score", 1.1),
    ("workflows.AgentLearningPattern", "confidence_score", -0.1),
    ("accounts.User", "email", "nobody"),
]
UNCHECKED = {
    "agents.LlmUsage.feature_context": "written by the runtime alone",
    "audit.AuditLog.status": "written by the database's own functions alone",
}
# Tables without `updated_at`, or without timestamps.
UNDATED = {
    "audit.SecurityAuditLog": "an event; its review has a separate time",
    "conversations.MessageEmbedding": "derived from a message, recreated with it",
    "knowledge.Chunk": "derived from a document, recreated with it",
    "knowledge.ChunkVector1024": "derived from a chunk, whose times are its own",
    "knowledge.ChunkVector1536": "derived from a chunk, whose times are its own",
    "knowledge.ChunkVector384": "derived from a chunk, whose times are its own",
    "knowledge.ChunkVector768": "derived from a chunk, whose times are its own",
    "knowledge.ChunkVectorDraft": "derived from a chunk, whose times are its own",
    "knowledge.RagQuery": "an event; only its feedback changes",
    "knowledge.TermRelation": "made and deleted, never changed",
    "tenants.OutboxEvent": "an event; only the time when it was relayed is added",
    "tenants.WebhookDelivery": "a log with the time of each attempt",
}
NAMED_INDEXES = [
    ("conversations.Message", ["conversation_id", "sequence_number"]),
    ("conversations.Conversation", ["started_at"]),
    ("agents.Agent", ["status"]),
    ("audit.AuditLog", ["action"]),
    ("audit.SecurityAuditLog", ["actor_user_id"]),
    ("knowledge.Document", ["uploaded_at DESC"]),
    ("tenants.Tenant", ["plan_type"]),
]
GIN = [
    ("agents.Agent", "capabilities"),
    ("agents.Agent", "tags"),
    ("agents.Agent", "metadata"),
    ("accounts.Talent", "skills"),
    ("conversations.Conversation", "metadata"),
    ("conversations.Message", "metadata"),
    ("knowledge.Term", "tags"),
    ("knowledge.Document", "metadata"),
    ("tenants.UsageMetric", "metadata"),
    ("workflows.Workflow", "tags"),
    ("workflows.Task", "semantic_tags"),
    ("workflows.CalendarEvent", "semantic_tags"),
]
VECTORS = [
    ("knowledge.Embedding", 384),
    ("knowledge.LearningPattern", 1536),
    ("knowledge.TermEmbedding", 1536),
    ("conversations.MessageEmbedding", 1536),
    ("workflows.AssetEmbedding", 1536),
    ("workflows.AgentLearningPattern", 1536),
]
STATES_READ_ELSEWISE = {
    "accounts.PlatformKey": "an installation has few",
    "audit.AuditLog": "read by time and resource; nearly every row is a success",
    "conversations.Message": "read with its conversation",
    "tenants.TenantDeletion": "an installation has few",
    "tenants.TenantKey": "a tenant has few",
    "workflows.MapItem": "read with its map",
}
ZONED = "timestamp with time zone"
PERIODS = {
    "audit.AuditLog": "month",
    "audit.SecurityAuditLog": "month",
    "conversations.Message": "month",
    "conversations.ToolExecution": "month",
    "agents.LlmUsage": "month",
    "agents.AgentRun": "month",
    "tenants.MeterEvent": "month",
    "tenants.UsageMetric": "month",
    "workflows.AgentTask": "week",
    "tenants.CostRecord": "quarter",
}


def label(model):
    return model._meta.label


def query(statement, *params):
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchall()


def table(name):
    return apps.get_model(name)._meta.db_table


def indexes_of(name):
    """Return the index definitions of a model's table."""
    return [
        text
        for (text,) in query(
            "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = %s::regclass", table(name)
        )
    ]


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_every_primary_key_is_a_uuid(db, model):
    assert [field.name for field in model._meta.pk_fields] == ["id"]
    assert query(
        "SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'id'",
        model._meta.db_table,
    ) == [("uuid",)]


@pytest.mark.parametrize(("name", "columns"), UNIQUE, ids=lambda each: each if isinstance(each, str) else "")
def test_unique_as_promised(db, name, columns):
    found = query(
        "SELECT array_agg(a.attname::text) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid"
        " AND a.attnum = ANY (i.indkey::int2[]) WHERE i.indrelid = %s::regclass AND i.indisunique"
        " GROUP BY i.indexrelid",
        table(name),
    )

    assert columns in [set(each) for (each,) in found]


@pytest.mark.parametrize(("name", "column", "value"), BOUNDS)
def test_bounds_as_promised(scope, name, column, value):
    row = factory_for(apps.get_model(name))()

    with (
        pytest.raises(IntegrityError) as caught,
        as_platform(),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"UPDATE {table(name)} SET {column} = %s WHERE id = %s", [value, row.pk])
    assert caught.value.__cause__.sqlstate == "23514"


def test_enumerated_values_are_checked(db):
    checked = set(
        query(
            "SELECT c.conrelid::regclass::text, a.attname::text FROM pg_constraint c JOIN pg_attribute a"
            " ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey) WHERE c.contype = 'c'"
        )
    )
    open_ = {
        f"{label(model)}.{field.name}"
        for model in MODELS
        for field in model._meta.local_concrete_fields
        if field.choices and (model._meta.db_table, field.column) not in checked
    }

    assert open_ == set(UNCHECKED)


def test_live_rows_have_a_partial_index(db):
    hiding = [each for each in MODELS if issubclass(each, SoftDeleteMixin)]

    assert hiding
    for model in hiding:
        assert [text for text in indexes_of(label(model)) if "WHERE (deleted_at IS NULL)" in text], model


def test_every_table_has_its_timestamps(db):
    undated = set()
    for model in MODELS:
        found = query(
            "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = %s::regclass"
            " AND attname IN ('created_at', 'updated_at') ORDER BY 1",
            model._meta.db_table,
        )
        # Append-only tables have no `updated_at`.
        changes = "UPDATE" in model.row_security.get("verbs", "UPDATE")
        wanted = [("created_at", ZONED), ("updated_at", ZONED)]
        if found != wanted and (changes or found != wanted[:1]):
            undated.add(label(model))

    assert undated == set(UNDATED)


@pytest.mark.parametrize(("name", "columns"), NAMED_INDEXES)
def test_named_indexes_are_there(db, name, columns):
    wanted = ", ".join(columns if name == "tenants.Tenant" else ["tenant_id", *columns])

    assert [text for text in indexes_of(name) if f"({wanted}" in text]


def test_states_are_indexed(db):
    open_ = {
        label(model)
        for model in MODELS
        for field in model._meta.local_fields
        if field.name == "status"
        and not [text for text in indexes_of(label(model)) if re.search(rf"[(, ]{field.column}\b", text)]
    }

    assert open_ == set(STATES_READ_ELSEWISE)


@pytest.mark.parametrize(("name", "column"), GIN)
def test_queried_json_has_gin_indexes(db, name, column):
    assert [text for text in indexes_of(name) if f"USING gin ({column}" in text]


@pytest.mark.parametrize(("name", "dimensions"), VECTORS)
def test_vectors_have_indexes_by_cosine(db, name, dimensions):
    # A second column for vectors of another length, compared without an index, does not affect the guarantee.
    fields = apps.get_model(name)._meta.local_fields
    (field,) = [each for each in fields if getattr(each, "dimensions", None) == dimensions]

    assert [text for text in indexes_of(name) if f"USING hnsw ({field.column} halfvec_cosine_ops" in text]


@pytest.mark.parametrize(("name", "period"), PERIODS.items())
def test_tables_that_grow_are_partitioned(db, name, period):
    assert apps.get_model(name).partition_period == period
    assert query("SELECT relkind::text FROM pg_class WHERE oid = %s::regclass", table(name)) == [("p",)]


def test_passwords_are_hashed_by_argon2_or_bcrypt():
    with override_settings(PASSWORD_HASHERS=base.PASSWORD_HASHERS):
        first, second = [
            make_password("a long passphrase", hasher=hasher.algorithm) for hasher in get_hashers()
        ]

    assert first.startswith("argon2$argon2id$")
    assert second.startswith("bcrypt_sha256$")
