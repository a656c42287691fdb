"""Demo plans and bills, and daily usage and costs of the demo conversations."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from config.demo.generator import SINCE, UNTIL, DemoState, create_once, day_start, micro
from tenants.models import (
    BillingRecord,
    CostRecord,
    Engagement,
    Subscription,
    SubscriptionPlan,
    Tenant,
    TenantQuota,
    UsageMetric,
)

# After the conversations, whose usage it sums up.
POSITION = 40
TABLES = (UsageMetric, CostRecord, Engagement)
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
    """Create metrics and costs from the calls of the conversations, which must exist."""
    state.insert(UsageMetric, ("metric_type", "metric_value", "period_start", "period_end"), _metrics(state))
    state.insert(CostRecord, ("service", "amount", "usage_data", "date"), _costs(state))


def _metrics(state: DemoState) -> Iterator[tuple[Any, ...]]:
    for number, day in enumerate(state.days):
        start = day_start(number)
        counted = {
            "agent_executions": day.calls.total(),
            "tokens": day.tokens.total(),
            "api_calls": day.calls.total() * 3,
        }
        for kind, value in counted.items():
            yield state.id_on(number), kind, value, start, start + timedelta(days=1)


def _costs(state: DemoState) -> Iterator[tuple[Any, ...]]:
    for number, day in enumerate(state.days):
        for provider in sorted(day.cost):
            if day.cost[provider]:
                used = {"calls": day.calls[provider], "tokens": day.tokens[provider]}
                yield (
                    state.id_on(number),
                    provider,
                    micro(day.cost[provider]),
                    used,
                    day_start(number).date(),
                )


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
