"""Meter events of what happens, and their roll-up into metrics and costs."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, connections, transaction

from agents.testing import FakeOpenAI, call_tool, say
from agents.tests.factories import AgentFactory, AgentRunFactory, IntegrationFactory, LlmUsageFactory
from config.api import request_counts
from config.db.ids import uuid7
from config.tenancy.scope import platform_scope, tenant_scope
from config.testing.roles import as_platform
from knowledge.tests.factories import ChunkFactory, DocumentFactory, RagQueryFactory
from tenants.models import CostRecord, MeterEvent, UsageMetric
from tenants.services import metering
from tenants.services.metering import roll_up_usage
from tenants.tests.factories import EngagementFactory, MeterEventFactory

NOON = datetime(2026, 11, 2, 12, 30, tzinfo=UTC)
DAY = NOON.replace(hour=0, minute=0)


def list_events(**filters):
    return sorted(MeterEvent.objects.filter(**filters).values_list("metric_type", "quantity", "service"))


def roll_up():
    """Roll up in the test's transaction, which belongs to another scope."""
    with as_platform():
        return metering._roll_up_batch(metering.BATCH)


def read_metrics(interval="day"):
    rows = UsageMetric.objects.filter(interval=interval).order_by("id")
    return sorted((row.metric_type, row.period_start, row.metric_value, row.cost) for row in rows)


def test_turn_meters_tokens_runs_and_tools(tenant, api_client):
    with FakeOpenAI(call_tool("calculator", expression="6 * 7"), say("It is 42.")) as server:
        client = api_client()
        with tenant_scope(tenant, actor="system:test"):
            account = IntegrationFactory(base_url=server.base_url)
            options = {"model_provider": "openai-compatible", "model_name": "m", "integration": account}
            agent = AgentFactory(slug="guide", tools=["calculator"], **options)
        body = {"agent": "guide", "message": "What is 6 * 7?"}
        answer = client.post("/api/v1/conversations/", body, content_type="application/json").json()["answer"]
    with tenant_scope(tenant, actor="system:test"):
        events = list(MeterEvent.objects.all())
    assert {event.metric_type for event in events} == {"tokens", "agent_executions", "tool_executions"}
    assert sum(event.quantity for event in events if event.metric_type == "tokens") == answer["token_count"]
    assert {event.key_id for event in events} == {client.key.pk}
    assert {event.agent_id for event in events} == {agent.pk}
    assert {event.user_id for event in events} == {client.key.user_id}


def test_usage_row_leaves_one_event_in_its_transaction(scope):
    engagement = EngagementFactory()
    row = LlmUsageFactory(model="m", provider="openai", prompt_cost=Decimal("0.25"), agent_id=uuid7())
    event = MeterEvent.objects.get()
    assert (event.quantity, event.completion_tokens, event.cost) == (15, 5, Decimal("0.25"))
    assert (event.model, event.service, event.agent_id) == ("m", "openai", row.agent_id)
    assert (event.occurred_at, event.engagement_id) == (row.created_at, None)
    with tenant_scope(scope.tenant_id, user=scope.user_id, engagement=engagement):
        AgentRunFactory()
    assert MeterEvent.objects.get(engagement_id=engagement.pk).metric_type == "agent_executions"


def test_documents_searches_and_embeddings_are_metered(scope):
    document = DocumentFactory(file_size=0, checksum="")
    document.file_size, document.checksum = 2_000, "a" * 64
    document.save()
    document.title = "Another title"
    document.save()
    RagQueryFactory(collection=document.collection)
    ChunkFactory(document=document, collection=document.collection, embedding_model="lexical-hash-384")
    assert list_events() == [
        ("documents", 1, ""),
        ("embeddings", 1, "embedder"),
        ("rag_queries", 1, "search"),
        ("storage_bytes", 2_000, ""),
    ]


def test_requested_embeddings_are_metered(tenant, api_client):
    client = api_client()
    body = {"model": "lexical-hash-384", "input": ["high water", "low water"]}
    response = client.post("/v1/embeddings", body, content_type="application/json")
    assert response.status_code == 200, response.content
    with tenant_scope(tenant, actor="system:test"):
        event = MeterEvent.objects.get()
    assert (event.metric_type, event.quantity, event.model) == ("embeddings", 2, "lexical-hash-384")
    assert event.key_id == client.key.pk


def test_event_recorded_twice_counts_once(scope):
    event = MeterEventFactory.build(tenant_id=scope.tenant_id, id=uuid7())
    for _ in range(2):
        MeterEvent.objects.bulk_create([event], ignore_conflicts=True)
        assert roll_up() <= 1
    assert [value for _, _, value, _ in read_metrics()] == [1_500]


def test_roll_up_adds_hours_days_and_costs(scope):
    for minutes in (0, 10, 70):
        occurred = NOON + timedelta(minutes=minutes)
        MeterEventFactory(occurred_at=occurred, quantity=10, cost=Decimal("0.5"), service="openai")
    assert roll_up() == 3
    assert roll_up() == 0
    hour = NOON.replace(minute=0)
    hours = [("tokens", hour, 20, 1), ("tokens", hour + timedelta(hours=1), 10, Decimal("0.5"))]
    assert read_metrics("hour") == hours
    assert read_metrics("day") == [("tokens", DAY, 30, Decimal("1.5"))]
    cost = CostRecord.objects.get()
    assert (cost.amount, cost.service, cost.date, cost.currency) == (
        Decimal("1.5"),
        "openai",
        DAY.date(),
        "USD",
    )
    assert cost.usage_data == {"calls": 3, "tokens": 30}


def test_late_events_and_a_clock_that_jumps_back_are_added(scope):
    MeterEventFactory(occurred_at=NOON, quantity=10)
    roll_up()
    MeterEventFactory(occurred_at=NOON - timedelta(days=400), quantity=7)
    MeterEventFactory(occurred_at=NOON, quantity=5, id=uuid7(NOON - timedelta(days=1)))
    roll_up()
    assert [value for _, _, value, _ in read_metrics()] == [7, 15]


def test_failed_roll_up_changes_nothing(scope, monkeypatch):
    MeterEventFactory(occurred_at=NOON, quantity=10)
    monkeypatch.setattr(
        metering, "ROLL_UP", metering.ROLL_UP.replace("count(*) FROM due", "count(*) / 0 FROM due")
    )
    with pytest.raises(DatabaseError, match="division by zero"), transaction.atomic():
        roll_up()
    monkeypatch.undo()
    assert read_metrics() == []
    roll_up()
    assert [value for _, _, value, _ in read_metrics()] == [10]


@pytest.mark.django_db(transaction=True)
def test_parallel_writers_and_roll_ups_count_each_event_once(tenant):
    done = threading.Event()

    def write(number):
        for _ in range(10):
            with tenant_scope(tenant, actor="system:test"):
                LlmUsageFactory.create_batch(2, agent_id=uuid7() if number else None)
        connections.close_all()

    def roll_up_until_done(_):
        while not done.is_set():
            roll_up_usage(batch=7)
        connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        readers = [pool.submit(roll_up_until_done, 0) for _ in range(2)]
        list(pool.map(write, range(4)))
        done.set()
        for each in readers:
            each.result()
    roll_up_usage()
    with platform_scope(reason="read all metrics"):
        values = UsageMetric.objects.filter(tenant_id=tenant.pk).values_list(
            "interval", "metric_value", "events"
        )
        for interval in ("hour", "day"):
            found = [row[1:] for row in values if row[0] == interval]
            assert (sum(row[0] for row in found), sum(row[1] for row in found)) == (80 * 15, 80)
        assert not MeterEvent.objects.filter(is_rolled_up=False).exists()


def test_api_requests_are_counted_by_key_and_resource(tenant, api_client, settings, monkeypatch):
    settings.REQUEST_COUNT_SECONDS = 60
    monkeypatch.setattr(request_counts, "_buffer", request_counts.RequestBuffer())
    monkeypatch.setattr(request_counts.RequestBuffer, "_run", lambda self: None)
    client = api_client()
    for url in ("agents", "agents", "collections", "no-such-page"):
        client.get(f"/api/v1/{url}/")
    request_counts.flush_request_counts()
    request_counts.flush_request_counts()
    with tenant_scope(tenant, actor="system:test"):
        assert list_events() == [("api_calls", 1, "collections"), ("api_calls", 2, "agents")]
        assert set(MeterEvent.objects.values_list("key_id", "user_id")) == {
            (client.key.pk, client.key.user_id)
        }


def test_repeated_write_of_counts_changes_nothing(tenant, api_key, monkeypatch):
    buffer = request_counts.RequestBuffer()
    monkeypatch.setattr(buffer, "_run", lambda: None)
    source = request_counts.RequestSource(tenant.pk, uuid7(), None, None, "agents", 1_800_000_000)
    buffer.add(source)
    buffer._waiting[uuid7()] = (source, 3)
    waiting = dict(buffer._waiting)
    buffer.flush()
    buffer._waiting = waiting
    buffer.flush()
    with tenant_scope(tenant, actor="system:test"):
        assert list_events() == [("api_calls", 1, "agents"), ("api_calls", 3, "agents")]


@pytest.mark.security("forged usage")
def test_tenant_cannot_change_or_forge_usage(scope, other_tenant, attacks):
    event = MeterEventFactory()
    statements = (
        ("UPDATE tenants_meterevent SET quantity = 0 WHERE id = %s", [event.pk]),
        ("UPDATE tenants_meterevent SET is_rolled_up = true WHERE id = %s", [event.pk]),
        ("DELETE FROM tenants_meterevent WHERE id = %s", [event.pk]),
        (
            "INSERT INTO tenants_meterevent (tenant_id, metric_type, occurred_at) VALUES (%s, 'tokens', now())",
            [other_tenant.pk],
        ),
    )
    for statement, values in statements:
        attacks.attempt(succeeded=_runs(statement, values))


@pytest.mark.security("forged usage", mutation=True)
def test_usage_could_be_changed_with_the_privilege(scope, attacks):
    event = MeterEventFactory()
    with as_platform():
        attacks.attempt(
            succeeded=_runs("UPDATE tenants_meterevent SET quantity = 0 WHERE id = %s", [event.pk])
        )


def _runs(statement, values):
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.rowcount > 0
    except DatabaseError:
        return False
