"""Materialized reports: figures, visibility and refresh permissions."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from agents.models import AgentActivityDaily, UsageDaily
from agents.tests.factories import AgentRunFactory, LlmUsageFactory
from config.db.ids import uuid7
from config.db.reports import refresh_report, report_models
from config.db.session import OPERATOR, READER, Scope
from config.tasks import refresh_reports
from config.tenancy.scope import platform_scope, tenant_scope
from config.testing.factories import factory_for
from config.testing.roles import as_platform, as_role
from conversations.models import ConversationActivityDaily
from conversations.tests.factories import ConversationFactory, MessageFactory
from workflows.models import AgentPerformanceDaily, WorkflowRunsDaily
from workflows.services.performance import compute_performance
from workflows.tests.factories import AgentTaskFactory, WorkflowExecutionFactory, WorkflowFactory

REFUSED = "42501"
REPORTS = sorted(report_models(), key=lambda model: model._meta.label)


def label(model):
    return model._meta.label


def refresh_and_list(model, *, gently=False):
    with as_platform():
        refresh_report(model, gently=gently)
    return model.objects.get()


def test_usage_adds_up_calls_tokens_and_cost(scope):
    for tokens in (10, 20):
        LlmUsageFactory(
            provider="openai", model="m", prompt_tokens=tokens, prompt_cost="0.1", latency_ms=tokens
        )
    LlmUsageFactory(provider="openai", model="m", status_code=500, prompt_tokens=0)
    row = refresh_and_list(UsageDaily)

    assert (row.calls, row.failed_calls, row.prompt_tokens, row.completion_tokens) == (3, 1, 30, 15)
    assert (row.total_cost, row.avg_latency_ms) == (Decimal("0.2"), 15)
    assert row.date == timezone.now().date()


def test_activity_of_an_agent_has_percentiles(scope):
    agent = uuid7()
    for milliseconds in range(1, 101):
        AgentRunFactory(agent_id=agent, execution_time_ms=milliseconds, tokens_used=2)
    AgentRunFactory(agent_id=agent, status="failed", execution_time_ms=None, tokens_used=None)
    row = refresh_and_list(AgentActivityDaily)

    assert (row.runs, row.failed_runs, row.tokens_used) == (101, 1, 200)
    assert (row.p50_ms, row.p95_ms, row.p99_ms) == (50, 95, 99)


def test_conversations_are_counted_once(scope):
    for conversation in (ConversationFactory(), ConversationFactory()):
        for role, status in (("user", "completed"), ("assistant", "completed"), ("assistant", "failed")):
            MessageFactory(conversation=conversation, role=role, status=status, token_count=5)
    row = refresh_and_list(ConversationActivityDaily)

    assert (row.conversations, row.people, row.questions, row.answers, row.failed_answers) == (2, 1, 2, 4, 2)
    assert row.token_count == 30


def test_runs_of_a_workflow_are_counted_by_outcome(scope):
    workflow, now = WorkflowFactory(), timezone.now()
    for status, seconds in (("completed", 10), ("completed", 20), ("failed", 30)):
        WorkflowExecutionFactory(
            workflow=workflow, status=status, started_at=now, completed_at=now + timedelta(seconds=seconds)
        )
    row = refresh_and_list(WorkflowRunsDaily)

    assert (row.runs, row.completed_runs, row.failed_runs) == (3, 2, 1)
    assert (row.avg_seconds, row.p95_seconds) == (20, 30)


def test_a_report_refreshed_gently_is_the_same_and_new_rows_appear(scope):
    LlmUsageFactory(model="m")
    first = refresh_and_list(UsageDaily)
    LlmUsageFactory(model="m")

    assert refresh_and_list(UsageDaily, gently=True).calls == first.calls + 1
    assert refresh_and_list(UsageDaily).pk == first.pk


@pytest.mark.parametrize("model", REPORTS, ids=label)
def test_another_tenant_sees_nothing(model, tenant, member, other_tenant):
    with tenant_scope(tenant, user=member.user):
        own = factory_for(model)()
        assert list(model.objects.all()) == [own]
    with tenant_scope(other_tenant, actor="system:test"):
        assert model.unscoped.count() == 0
        assert not model.unscoped.filter(pk=own.pk).exists()
    with platform_scope(reason="test"):
        assert model.unscoped.filter(pk=own.pk).exists()


def refusal(statement, scope_=None):
    """Return the SQLSTATE of the failed `statement`."""
    context = as_role(scope_) if scope_ else transaction.atomic()
    with pytest.raises(DatabaseError) as caught, context, connection.cursor() as cursor:
        cursor.execute(statement)
    return caught.value.__cause__.sqlstate


@pytest.mark.parametrize("model", REPORTS, ids=label)
def test_what_is_kept_is_out_of_reach(model, scope, tenant):
    factory_for(model)()
    statement = f"SELECT count(*) FROM {model._meta.db_table}_kept"

    assert refusal(statement) == REFUSED
    assert refusal(statement, Scope(READER, tenant.pk)) == REFUSED
    assert refusal(statement, Scope(OPERATOR)) == REFUSED


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT conclave_refresh_report('agents_usagedaily', true)",
        "REFRESH MATERIALIZED VIEW agents_usagedaily_kept",
        "INSERT INTO agents_usagedaily (id) VALUES (uuidv7())",
        "UPDATE agents_usagedaily SET calls = 1",
        "DELETE FROM agents_usagedaily",
    ],
)
def test_tenants_neither_compute_nor_write(scope, statement):
    assert refusal(statement) == REFUSED


def test_only_reports_are_refreshed(scope):
    statement = "SELECT conclave_refresh_report('agents_agent', true)"

    assert refusal(statement, Scope(OPERATOR)) == "22023"


@pytest.mark.django_db(transaction=True)
def test_the_job_computes_all_of_them_as_the_worker(tenant, member, second_connection):
    with tenant_scope(tenant, user=member.user):
        LlmUsageFactory(model="m")
        WorkflowExecutionFactory()
    with second_connection("conclave_worker") as worker:
        for model in REPORTS:
            worker.execute("SELECT conclave_refresh_report(%s, true)", [model._meta.db_table])
    with tenant_scope(tenant, user=member.user):
        assert (UsageDaily.objects.get().calls, WorkflowRunsDaily.objects.get().runs) == (1, 1)
    assert refresh_reports.name == "config.tasks.refresh_reports"


# --- performance of agents -----------------------------------------------------------------------


def tasks(moment, *seconds, **fields):
    for each in seconds:
        AgentTaskFactory(
            id=uuid7(moment),
            started_at=moment,
            completed_at=moment + timedelta(seconds=each),
            duration_seconds=each,
            **fields,
        )


def test_performance_has_percentiles_and_shares(scope):
    now = timezone.now()
    tasks(now, *range(1, 100), tokens_used=3, cost="0.5")
    tasks(now, 100, status="failed", retry_count=2, tokens_used=3, cost="0.5")
    with as_role(None):
        assert compute_performance(now.date(), now.date()) == 1
    row = AgentPerformanceDaily.objects.get()

    assert (row.total_tasks, row.successful_tasks, row.failed_tasks) == (100, 99, 1)
    assert (row.p50_duration_seconds, row.p95_duration_seconds, row.p99_duration_seconds) == (50, 95, 99)
    assert (row.error_rate, row.retry_rate, row.total_tokens_used) == (0.01, 0.01, 300)
    assert row.total_cost == 50


def test_performance_computed_again_replaces_the_day(scope):
    now = timezone.now()
    tasks(now, 1)
    with as_role(None):
        compute_performance(now.date(), now.date())
    tasks(now, 3)
    with as_role(None):
        compute_performance(now.date(), now.date())

    assert AgentPerformanceDaily.objects.get().avg_duration_seconds == 2


def test_performance_of_other_days_and_tenants_stays_apart(scope, other_tenant):
    now = timezone.now()
    tasks(now - timedelta(days=1), 7)
    with as_role(None), tenant_scope(other_tenant, actor="system:test"):
        tasks(now, 9)
    with as_role(None):
        assert compute_performance(now.date(), now.date()) == 1

    assert AgentPerformanceDaily.objects.count() == 0
