"""Limits on rows and stored bytes: no writer exceeds them, also under concurrency."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.utils import timezone

from accounts.tests.factories import MembershipFactory
from agents.models import Agent
from agents.tests.factories import AgentFactory
from config.admin.errors import to_validation_error
from config.db.constraint_messages import LIMIT_MESSAGE
from config.db.errors import exceeds_limit
from config.tenancy.scope import tenant_scope
from config.testing.roles import as_platform
from conversations.tests.factories import AttachmentFactory
from knowledge.tests.factories import DocumentFactory
from tenants.models import Engagement, Subscription, SubscriptionPlan, Tenant
from tenants.services.quotas import quotas
from tenants.tests.factories import (
    EngagementFactory,
    SubscriptionFactory,
    SubscriptionPlanFactory,
    TenantQuotaFactory,
)

GIGABYTE = 1_000_000_000


def set_limits(tenant, **limits):
    with as_platform():
        Tenant.objects.filter(pk=tenant.pk).update(**limits)


def is_refused(write):
    """Return whether the database refuses `write` because of a limit."""
    try:
        with transaction.atomic():
            write()
    except DatabaseError as error:
        if not exceeds_limit(error):
            raise
        return True
    return False


def create_engagements(tenant_id):
    """Create ten rows on a separate connection; return whether each was refused."""
    refused = []
    try:
        for _ in range(10):
            with tenant_scope(tenant_id, actor="system:test"):
                refused.append(is_refused(EngagementFactory))
        return refused
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_of_200_parallel_writes_exactly_the_limit_passes(tenant):
    set_limits(tenant, max_engagements=40)
    with ThreadPoolExecutor(20) as pool:
        refused = [each for ten in pool.map(create_engagements, [tenant.pk] * 20) for each in ten]
    assert refused.count(False) == 40
    with tenant_scope(tenant, actor="system:test"):
        assert Engagement.objects.count() == 40


def test_refusal_names_limit_plan_and_usage(api_client, tenant):
    client = api_client("admin")
    with as_platform():
        plan = SubscriptionPlanFactory(name="Small", max_engagements=1)
        SubscriptionFactory(plan=plan, tenant=tenant, status="active", expires_at=None)
    replies = [
        client.post("/api/v1/engagements/", {"name": name}, content_type="application/json")
        for name in ("One", "Two")
    ]
    assert [reply.status_code for reply in replies] == [201, 403]
    named = {
        name: replies[1].json()[name] for name in ("code", "resource", "limit", "used", "plan", "resets_at")
    }
    assert named == {
        "code": "limit_exceeded",
        "resource": "engagements",
        "limit": 1,
        "used": 1,
        "plan": "Small",
        "resets_at": None,
    }


def test_lowered_limit_keeps_rows_and_refuses_growth(tenant):
    with tenant_scope(tenant, actor="system:test"):
        Engagement.objects.bulk_create([Engagement(tenant=tenant, name=name) for name in "abc"])
    set_limits(tenant, max_engagements=2)
    with tenant_scope(tenant, actor="system:test"):
        assert Engagement.objects.update(name="renamed") == 3
        assert is_refused(EngagementFactory)
        assert Engagement.objects.count() == 3


@pytest.fixture
def subscription(scope, tenant):
    """A subscription to a plan for three engagements, beside a free plan for one."""
    with as_platform():
        SubscriptionPlanFactory(plan_type="free", price_monthly=0, max_engagements=1, max_monthly_tokens=10)
        plan = SubscriptionPlanFactory(
            plan_type="pro", grace_days=2, max_engagements=3, max_monthly_tokens=1000
        )
        return SubscriptionFactory(plan=plan, tenant=tenant, status="trial", expires_at=None)


def set_subscription(subscription, **values):
    with as_platform():
        Subscription.unscoped.filter(pk=subscription.pk).update(**values)


def get_token_limit():
    return {quota.resource: quota.limit for quota in quotas()}["tokens"]


def test_subscription_ends_by_the_clock_after_the_grace_period(subscription):
    EngagementFactory.create_batch(2)
    now = timezone.now()
    for expired_for, limit in ((timedelta(hours=47), 1000), (timedelta(hours=49), 10)):
        set_subscription(subscription, expires_at=now - expired_for)
        assert get_token_limit() == limit
    # The free plan keeps the two engagements and refuses a third.
    assert is_refused(EngagementFactory)
    assert Engagement.objects.count() == 2
    set_subscription(subscription, status="active", expires_at=now + timedelta(days=30))
    assert get_token_limit() == 1000
    assert not is_refused(EngagementFactory)


@pytest.mark.parametrize("status", ["cancelled", "expired"])
def test_ended_subscription_leaves_the_free_plan(subscription, status):
    set_subscription(subscription, status=status)
    assert get_token_limit() == 10


def test_ended_subscription_keeps_its_limits_without_a_free_plan(subscription):
    with as_platform():
        SubscriptionPlan.objects.filter(plan_type="free").update(is_active=False)
    set_subscription(subscription, status="cancelled")
    assert get_token_limit() == 1000


def test_agents_are_limited_when_created_and_when_restored(scope, tenant):
    agent = AgentFactory()
    Agent.unscoped.filter(pk=agent.pk).update(deleted_at="2026-01-01T00:00:00Z")
    AgentFactory()
    TenantQuotaFactory(resource="agents", period="total", limit_value=1)
    assert is_refused(AgentFactory)
    assert is_refused(lambda: Agent.unscoped.filter(pk=agent.pk).update(deleted_at=None))


def test_members_are_limited_when_added_and_when_reactivated(scope, tenant):
    inactive = MembershipFactory(status="inactive")
    TenantQuotaFactory(resource="users", period="total", limit_value=1)
    assert is_refused(MembershipFactory)
    assert is_refused(lambda: type(inactive).objects.filter(pk=inactive.pk).update(status="active"))


def test_documents_are_limited(scope, tenant):
    TenantQuotaFactory(resource="documents", period="total", limit_value=1)
    DocumentFactory(file_size=0)
    assert is_refused(lambda: DocumentFactory(file_size=0))


def test_documents_and_attachments_share_the_storage(scope, tenant):
    TenantQuotaFactory(resource="storage_gb", period="total", limit_value=1)
    document = DocumentFactory(file_size=GIGABYTE - 10)
    assert is_refused(lambda: AttachmentFactory(file_size=11))
    AttachmentFactory(file_size=10)
    assert is_refused(lambda: type(document).objects.filter(pk=document.pk).update(file_size=GIGABYTE))


def test_soft_quota_keeps_the_limit_of_the_tenant(scope, tenant):
    TenantQuotaFactory(resource="engagements", period="total", limit_value=9, is_hard=False)
    set_limits(tenant, max_engagements=0)
    assert is_refused(EngagementFactory)


def attack_limit(tenant, attacks):
    with tenant_scope(tenant, actor="system:test"):
        statement = "INSERT INTO tenants_engagement (tenant_id, name, description, engagement_type, status,"
        statement += " estimated_complexity) VALUES (%s, 'x', '', '', 'planning', '')"
        refused = is_refused(lambda: connection.cursor().execute(statement, [tenant.pk]))
    attacks.attempt(succeeded=not refused)


@pytest.mark.security("growth beyond a limit")
def test_raw_sql_cannot_exceed_a_limit(tenant, attacks):
    set_limits(tenant, max_engagements=0)
    attack_limit(tenant, attacks)


@pytest.mark.django_db(transaction=True)
@pytest.mark.security("growth beyond a limit", mutation=True)
def test_raw_sql_exceeds_a_limit_without_the_trigger(tenant, attacks, second_connection):
    set_limits(tenant, max_engagements=0)
    owner = second_connection("conclave_owner")
    owner.execute("ALTER TABLE tenants_engagement DISABLE TRIGGER tenants_engagement_limit_insert")
    try:
        attack_limit(tenant, attacks)
    finally:
        owner.execute("ALTER TABLE tenants_engagement ENABLE TRIGGER tenants_engagement_limit_insert")


def test_console_shows_the_limit(scope, tenant):
    set_limits(tenant, max_engagements=0)
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        EngagementFactory()
    assert to_validation_error(caught.value, Engagement).messages == [LIMIT_MESSAGE]
