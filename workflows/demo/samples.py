"""Samples in every demo: plans, MCP servers, templates and terms (guarantee G41).

Existing rows are not changed.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from agents.models import AgentTemplate, McpServer
from knowledge.models import Term
from tenants.models import BillingRecord, Subscription, SubscriptionPlan, Tenant, TenantQuota

from .world import SINCE, UNTIL

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
# Disabled until an operator has installed and reviewed the program.
SERVERS: tuple[dict[str, Any], ...] = (
    {
        "slug": "time",
        "name": "Time",
        "category": "system",
        "command": "mcp-server-time --local-timezone UTC",
        "description": "Returns the time in any time zone.",
    },
    {
        "slug": "fetch",
        "name": "Fetch",
        "category": "integration",
        "command": "mcp-server-fetch",
        "description": "Reads a web page as Markdown.",
    },
    {
        "slug": "git",
        "name": "Git",
        "category": "data",
        "command": "mcp-server-git --repository /srv/repository",
        "description": "Reads the history of one repository.",
        "config_schema": {"type": "object", "properties": {"token": {"type": "string"}}},
    },
)
TEMPLATES: tuple[dict[str, Any], ...] = (
    {
        "name": "Contract reader",
        "description": "Answers questions about contracts and cites the clause.",
        "system_prompt": "You read contracts. Cite the clause that supports your answer. If there is none, say so.",
        "functions": ["search_knowledge"],
        "personality_config": {"tone": "sober", "expertise": "law"},
    },
    {
        "name": "Support desk",
        "description": "Answers customers from the handbook.",
        "system_prompt": "You answer customers kindly and briefly, only from the handbook.",
        "functions": ["search_knowledge"],
        "personality_config": {"tone": "friendly", "expertise": "support"},
    },
    {
        "name": "Meeting notes",
        "description": "Turns a transcript into decisions and tasks.",
        "system_prompt": "List the decisions, then the tasks with owner and date. Do not invent anything.",
        "personality_config": {"tone": "plain", "expertise": "organisation"},
    },
)
TERMS = (
    ("RAG", "Retrieval-augmented generation: answers based on retrieved passages.", "technical"),
    ("Tenant", "An organisation that uses this installation, isolated from all others.", "technical"),
    ("Engagement", "A project inside an organisation.", "business"),
    (
        "6R",
        "Six ways to move an application: rehost, replatform, refactor, repurchase, retire, retain.",
        "technical",
    ),
    ("Wave", "A group of assets that move together.", "business"),
)


def make_platform_samples() -> None:
    """Create plans and MCP servers; requires the platform scope."""
    for fields in PLANS:
        _once(SubscriptionPlan, {"slug": fields["slug"]}, fields)
    for fields in SERVERS:
        _once(McpServer, {"slug": fields["slug"]}, fields | {"is_public": True, "status": "disabled"})


def make_billing_samples(tenant: Tenant, plan: str) -> None:
    """Create a subscription with monthly bills and a quota; requires the platform scope."""
    chosen = SubscriptionPlan.objects.get(slug=plan)
    whose = {"tenant_id": tenant.pk}
    subscription = Subscription.unscoped.filter(**whose).first()
    if subscription is None:
        subscription = _once(Subscription, whose, {"plan": chosen, "started_at": SINCE})
    quota = {"limit_value": chosen.max_monthly_tokens, "note": "Same limit as the plan."}
    _once(TenantQuota, whose | {"resource": "tokens", "period": "month"}, quota)
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
    _once(BillingRecord, key, fields)


def make_tenant_samples(user_id: Any) -> None:
    """Create templates and terms of the acting user; requires a tenant scope."""
    for fields in TEMPLATES:
        _once(AgentTemplate, {"name": fields["name"]}, fields | {"user_id": user_id, "is_public": True})
    for term, definition, context in TERMS:
        fields = {"definition": definition, "context": context, "is_public": True}
        _once(Term, {"term": term, "user_id": user_id}, fields)


def _once(model: Any, key: dict[str, Any], fields: dict[str, Any]) -> Any:
    found = model._base_manager.filter(**key).first()
    if found is None:
        found = model(**key | fields)
        found.full_clean(exclude=["tenant"])
        found.save()
    return found
