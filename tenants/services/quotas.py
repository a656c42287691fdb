"""Limits of a tenant: its quotas, else its own limits, else its plan's.

`QUOTA_SQL` is a SELECT of (resource, period, limit_value) for use in other statements; its parameter is
`tenant`. A hard quota without a limit lifts the limits of the tenant and the plan. A soft quota keeps them.
"""

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Func, UUIDField, Value

from config.tenancy.scope import require_tenant_id
from tenants.models import SubscriptionPlan, Tenant

QUOTA_SQL = """
SELECT DISTINCT ON (resource, period) resource, period, limit_value
FROM (
  SELECT resource, period, limit_value::numeric, 1 AS place FROM tenants_tenantquota
  WHERE tenant_id = %(tenant)s AND is_hard AND (valid_until IS NULL OR valid_until > now())
  UNION ALL
  SELECT w.resource, w.period, w.limit_value, 2 FROM tenants_tenant t CROSS JOIN LATERAL (VALUES
    ('tokens', 'month', t.max_monthly_tokens::numeric), ('requests', 'day', t.max_daily_requests::numeric),
    ('requests', 'month', t.api_quota_monthly::numeric)) AS w (resource, period, limit_value)
  WHERE t.id = %(tenant)s AND w.limit_value IS NOT NULL
  UNION ALL
  SELECT w.resource, w.period, w.limit_value, 3 FROM tenants_subscriptionplan p CROSS JOIN LATERAL (VALUES
    ('tokens', 'month', p.max_monthly_tokens::numeric), ('requests', 'day', p.max_daily_requests::numeric),
    ('requests', 'month', p.api_quota_monthly::numeric)) AS w (resource, period, limit_value)
  WHERE p.id = tenants_plan_of(%(tenant)s) AND w.limit_value IS NOT NULL
) AS known ORDER BY resource, period, place
"""


@dataclass(frozen=True, slots=True)
class Quota:
    """Hard limit of the tenant on `resource` (`tenants.choices.QuotaResource`) in each `period`."""

    resource: str
    period: str
    limit: int


def quotas() -> list[Quota]:
    """Return the hard limits of the scope's tenant."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT * FROM ({QUOTA_SQL}) AS q WHERE limit_value IS NOT NULL", {"tenant": require_tenant_id()}
        )
        return [Quota(resource, period, int(limit)) for resource, period, limit in cursor.fetchall()]


def get_key_rate_ceiling(tenant_id: UUID | None = None) -> int:
    """Return the highest rate limit of an API key in a tenant.

    It is in requests per minute. The default tenant is that of the scope.
    """
    tenant_id = tenant_id or require_tenant_id()
    own = Tenant.objects.filter(pk=tenant_id).values_list("max_key_rate_limit", flat=True).get()
    if own is not None:
        return own
    plan = Func(Value(tenant_id, UUIDField()), function="tenants_plan_of", output_field=UUIDField())
    planned = SubscriptionPlan.objects.filter(pk=plan).values_list("max_key_rate_limit", flat=True).first()
    return settings.API_KEY_MAX_RATE if planned is None else planned
