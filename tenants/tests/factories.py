"""Factories of tenants."""

import datetime as dt
import os
from decimal import Decimal

import factory
from django.db.models import Max

from config.db.ids import uuid7
from config.encryption import keyring
from config.tenancy.models import TenantModel
from config.tenancy.scope import require_tenant_id
from config.testing.factories import BaseFactory, member_user
from config.testing.roles import as_platform
from tenants.choices import QuotaPeriod, QuotaResource, SubscriptionStatus, TenantRegionRole
from tenants.models import (
    BillingRecord,
    BridgeSync,
    CostRecord,
    CrossRegionSyncLog,
    Engagement,
    IdempotencyKey,
    MeterEvent,
    OutboxEvent,
    Region,
    ReplicationStatus,
    Subscription,
    SubscriptionPlan,
    SystemSetting,
    Tenant,
    TenantDeletion,
    TenantKey,
    TenantQuota,
    TenantRegion,
    UsageMetric,
    WebhookDelivery,
    WebhookEndpoint,
)
from tenants.services.webhooks import MAX_ATTEMPTS, generate_secret

JANUARY = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
FEBRUARY = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
LIMITED = [(resource, period) for resource in QuotaResource.values for period in QuotaPeriod.values]


class PlatformFactory(BaseFactory):
    """Base factory of rows that the operator role creates, for the tenant of the open scope."""

    class Meta:
        abstract = True

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        if issubclass(model_class, TenantModel) and "tenant" not in kwargs:
            kwargs.setdefault("tenant_id", require_tenant_id())
        with as_platform():
            return super()._create(model_class, *args, **kwargs)


class TenantFactory(PlatformFactory):
    """An active tenant."""

    name = factory.Sequence(lambda n: f"Tenant {n}")
    slug = factory.Sequence(lambda n: f"tenant-{n}")

    class Meta:
        model = Tenant


class EngagementFactory(BaseFactory):
    name = factory.Sequence(lambda n: f"Engagement {n}")

    class Meta:
        model = Engagement


class TenantDeletionFactory(PlatformFactory):
    deleted_tenant_id = factory.LazyFunction(uuid7)
    requested_by = "system:test"
    status = "completed"

    class Meta:
        model = TenantDeletion


class IdempotencyKeyFactory(BaseFactory):
    key = factory.Sequence(lambda n: f"request-{n}")
    credential = "key:test"
    fingerprint = "0" * 64
    status_code = 201
    body = b"{}"

    class Meta:
        model = IdempotencyKey


def _next_version():
    return (TenantKey._base_manager.aggregate(latest=Max("version"))["latest"] or 0) + 1


class TenantKeyFactory(BaseFactory):
    """The tenant's next data key, really wrapped; later encryption uses it."""

    tenant_id = factory.LazyFunction(require_tenant_id)
    version = factory.LazyFunction(_next_version)

    class Meta:
        model = TenantKey

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        wrapped = keyring.wrap(os.urandom(32), kwargs["tenant_id"], kwargs["version"])
        kwargs["kek_id"], kwargs["wrapped"] = wrapped
        return super()._create(model_class, *args, **kwargs)


class SubscriptionPlanFactory(PlatformFactory):
    slug = factory.LazyFunction(lambda: f"plan-{uuid7()}")
    name = factory.Sequence(lambda n: f"Plan {n}")
    plan_type = "pro"
    price_monthly = Decimal("49.00")
    price_yearly = Decimal("490.00")
    max_agents = 25

    class Meta:
        model = SubscriptionPlan


class SubscriptionFactory(PlatformFactory):
    """One that is over, for a tenant has many of those."""

    plan = factory.SubFactory(SubscriptionPlanFactory)
    status = SubscriptionStatus.EXPIRED
    started_at = JANUARY
    expires_at = FEBRUARY

    class Meta:
        model = Subscription


class TenantQuotaFactory(PlatformFactory):
    resource = factory.Sequence(lambda n: LIMITED[n % len(LIMITED)][0])
    period = factory.Sequence(lambda n: LIMITED[n % len(LIMITED)][1])
    limit_value = 1000

    class Meta:
        model = TenantQuota


class BillingRecordFactory(PlatformFactory):
    number = factory.Sequence(lambda n: f"2026-{n:06}")
    status = "open"
    period_start = dt.date(2026, 1, 1)
    period_end = dt.date(2026, 1, 31)
    net_amount = Decimal("49.00")
    tax_amount = Decimal("9.31")

    class Meta:
        model = BillingRecord


class MeterEventFactory(BaseFactory):
    metric_type = "tokens"
    quantity = 1500
    occurred_at = JANUARY

    class Meta:
        model = MeterEvent


class UsageMetricFactory(BaseFactory):
    metric_type = "tokens"
    metric_value = 1500
    period_start = JANUARY
    period_end = FEBRUARY

    class Meta:
        model = UsageMetric


class CostRecordFactory(BaseFactory):
    service = "openai"
    amount = Decimal("0.125000")
    date = dt.date(2026, 1, 15)

    class Meta:
        model = CostRecord


class RegionFactory(PlatformFactory):
    code = factory.LazyFunction(lambda: f"region-{uuid7()}")
    name = factory.Sequence(lambda n: f"Region {n}")
    country_code = "DE"

    class Meta:
        model = Region


class TenantRegionFactory(PlatformFactory):
    """A replica region, since a tenant can have several."""

    region = factory.SubFactory(RegionFactory)
    role = TenantRegionRole.REPLICA
    status = "active"

    class Meta:
        model = TenantRegion


class ReplicationStatusFactory(PlatformFactory):
    source_region = factory.SubFactory(RegionFactory)
    target_region = factory.SubFactory(RegionFactory)
    checked_at = JANUARY

    class Meta:
        model = ReplicationStatus


class CrossRegionSyncLogFactory(PlatformFactory):
    source_region = factory.SubFactory(RegionFactory)
    target_region = factory.SubFactory(RegionFactory)
    resource_type = "agents.agent"
    started_at = JANUARY

    class Meta:
        model = CrossRegionSyncLog


class SystemSettingFactory(PlatformFactory):
    """One that tenants see."""

    key = factory.LazyFunction(lambda: f"setting-{uuid7()}")
    value = "on"
    is_public = True

    class Meta:
        model = SystemSetting


class BridgeSyncFactory(BaseFactory):
    user = factory.LazyFunction(member_user)
    url = factory.Sequence(lambda n: f"https://bridge-{n}.example/api")
    api_key = "bridge-key-of-the-house"

    class Meta:
        model = BridgeSync


class OutboxEventFactory(BaseFactory):
    type = "run.completed"
    data = factory.LazyFunction(
        lambda: {"run_id": str(uuid7()), "workflow_id": str(uuid7()), "status": "failed"}
    )

    class Meta:
        model = OutboxEvent


class WebhookEndpointFactory(BaseFactory):
    url = factory.Sequence(lambda n: f"https://receiver-{n}.example/events")
    secret = factory.LazyFunction(generate_secret)

    class Meta:
        model = WebhookEndpoint


class WebhookDeliveryFactory(BaseFactory):
    endpoint = factory.SubFactory(WebhookEndpointFactory)
    event_id = factory.LazyFunction(uuid7)
    event_type = "run.completed"
    attempts_left = MAX_ATTEMPTS

    class Meta:
        model = WebhookDelivery
