"""Demo plans and bills, and API requests of the demo conversations."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from config.demo.generator import SINCE, UNTIL, DemoState, create_once, day_start
from tenants.choices import MetricType
from tenants.models import (
    BillingRecord,
    CostRecord,
    Engagement,
    MeterEvent,
    Subscription,
    SubscriptionPlan,
    Tenant,
    TenantQuota,
    UsageMetric,
)

# After the conversations, whose usage it sums up.
POSITION = 40
TABLES = (Engagement,)
PLANS: tuple[dict[str, Any], ...] = (
    {"slug": "free", "name": "Free", "plan_type": "free", "max_users": 3, "max_agents": 2},
    {"slug": "starter", "name": "Starter", "plan_type": "starter", "price_monthly": 49, "max_users": 20},
    {
        "slug": "pro",
        "name": "Pro",
        "plan_type": "pro",
        "price_monthly": 249,
        "max_monthly_tokens": 50_000_000,
    },
    {"slug": "enterprise", "name": "Enterprise", "plan_type": "enterprise", "price_monthly": 1490},
)


def make_history(state: DemoState) -> None:
    """Create API requests for the calls of the conversations, which must exist.

    Triggers meter the calls. Metrics and costs follow with the roll-up.
    """
    MeterEvent.objects.bulk_create(
        MeterEvent(
            tenant_id=state.tenant_id,
            metric_type=MetricType.API_CALLS,
            quantity=3 * answers,
            events=3 * answers,
            occurred_at=day_start(number),
            user_id=state.admin_id,
            service="conversations",
        )
        for number, answers in enumerate(state.answers)
        if answers
    )


def delete_derived(tenant_id: UUID) -> None:
    """Delete meter events, metrics and costs within the history."""
    for model, field in ((MeterEvent, "occurred_at"), (UsageMetric, "period_start"), (CostRecord, "date")):
        period = {f"{field}__gte": SINCE, f"{field}__lt": UNTIL}
        model.unscoped.filter(tenant_id=tenant_id, **period).delete()


def make_platform_samples() -> None:
    """Create plans; requires the platform scope."""
    for fields in PLANS:
        create_once(SubscriptionPlan, {"slug": fields["slug"]}, fields)


def make_billing_samples(tenant: Tenant, plan: str) -> None:
    """Create a subscription with monthly bills and a quota; requires the platform scope."""
    chosen = SubscriptionPlan.objects.get(slug=plan)
    whose = {"tenant_id": tenant.pk}
    subscription = Subscription.unscoped.filter(**whose).first()
    if subscription is None:
        subscription = create_once(Subscription, whose, {"plan": chosen, "started_at": SINCE})
    quota = {"limit_value": chosen.max_monthly_tokens, "note": "Same limit as the plan."}
    create_once(TenantQuota, whose | {"resource": "tokens", "period": "month"}, quota)
    start = SINCE.date().replace(day=1)
    while start < UNTIL.date():
        following = (start + timedelta(days=32)).replace(day=1)
        _bill(subscription, whose | {"number": f"{tenant.slug}-{start:%Y-%m}"}, start, following)
        start = following


def _bill(subscription: Subscription, key: dict[str, Any], start: Any, following: Any) -> None:
    last, net = following == UNTIL.date(), Decimal(subscription.plan.price_monthly)
    fields = {
        "subscription": subscription,
        "status": "open" if last else "paid",
        "period_start": start,
        "period_end": following - timedelta(days=1),
        "net_amount": net,
        "tax_amount": (net * Decimal("0.22")).quantize(Decimal("0.01")),
        "lines": [{"what": subscription.plan.name, "count": 1, "price": str(net), "net": str(net)}],
    }
    create_once(BillingRecord, key, fields)
