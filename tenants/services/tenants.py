"""Creation, suspension and resumption of tenants."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone

from config.tenancy.scope import platform_scope
from tenants.choices import RegionStatus, SubscriptionStatus, TenantRegionStatus, TenantStatus
from tenants.models import Region, Subscription, SubscriptionPlan, Tenant, TenantRegion
from tenants.signals import platform_action, tenant_created


class TenantStateError(ValidationError):
    """The action is not possible in the current state of the tenant. The API answers 409 with `code`."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message, code=code)


def create_tenant(*, slug: str, name: str, admin: Any, actor: str = "", **fields: Any) -> Tenant:
    """Create a tenant with `admin` as administrator and the default roles.

    Args:
        admin: An existing user (`accounts.User`).
        actor: The actor in the audit log; defaults to the platform.
        fields: Other columns of the tenant, such as limits.

    Raises:
        django.core.exceptions.ValidationError: The slug is taken or malformed, or the plan is
            unknown.
    """
    with platform_scope(reason=f"create tenant {slug}", actor=actor):
        return add_tenant(slug=slug, name=name, admin=admin, **fields)


def add_tenant(
    *,
    slug: str,
    name: str,
    admin: Any = None,
    plan: SubscriptionPlan | None = None,
    region: Region | None = None,
    **fields: Any,
) -> Tenant:
    """Create a tenant with the default roles, in the open platform scope.

    Args:
        admin: The first administrator, an existing user.
        plan: The plan to subscribe to.
        region: The primary region; defaults to the default region, if there is one.

    Raises:
        django.core.exceptions.ValidationError: The slug is taken or malformed.
    """
    if plan is not None:
        fields["plan_type"] = plan.plan_type
    tenant = Tenant(slug=slug, name=name, **fields)
    tenant.full_clean()
    tenant.save()
    if plan is not None:
        _subscribe(tenant, plan)
    region = region or Region.objects.filter(is_default=True, status=RegionStatus.ACTIVE).first()
    if region is not None:
        TenantRegion(
            tenant=tenant, region=region, status=TenantRegionStatus.ACTIVE, activated_at=timezone.now()
        ).save()
    tenant_created.send(sender=Tenant, tenant=tenant, admin=admin)
    _announce("tenant.created", tenant)
    return tenant


def find_plan(slug: str) -> SubscriptionPlan | None:
    """Return the active plan with this slug, in the open platform scope."""
    return SubscriptionPlan.objects.filter(slug=slug, is_active=True).first()


def find_region(code: str) -> Region | None:
    """Return the active region with this code, in the open platform scope."""
    return Region.objects.filter(code=code, status=RegionStatus.ACTIVE).first()


def suspend_tenant(tenant: Tenant, *, reason: str = "") -> None:
    """Refuse all requests of a tenant, in the open platform scope. Suspending it again changes nothing.

    Raises:
        TenantStateError: The tenant is being deleted.
    """
    _set_status(tenant, TenantStatus.SUSPENDED, "tenant.suspended", reason)


def resume_tenant(tenant: Tenant, *, reason: str = "") -> None:
    """Accept the requests of a suspended tenant again, in the open platform scope.

    Raises:
        TenantStateError: The tenant is being deleted.
    """
    _set_status(tenant, TenantStatus.ACTIVE, "tenant.resumed", reason)


def lock_tenant(tenant: Tenant) -> Tenant:
    """Lock the tenant's row and return its current values.

    Raises:
        TenantStateError: The tenant is being deleted.
    """
    locked = Tenant.objects.select_for_update().filter(pk=tenant.pk).first()
    if locked is None or locked.status == TenantStatus.DELETED or locked.deleted_at is not None:
        raise TenantStateError("The organisation is deleted or being deleted.", "tenant_deleted")
    return locked


def _set_status(tenant: Tenant, status: TenantStatus, action: str, reason: str) -> None:
    locked = lock_tenant(tenant)
    if locked.status != status:
        locked.status = status
        locked.save(update_fields=["status", "updated_at"])
        _announce(action, locked, **({"reason": reason} if reason else {}))
    tenant.status, tenant.updated_at = locked.status, locked.updated_at


def _announce(action: str, tenant: Tenant, **details: Any) -> None:
    platform_action.send(sender=Tenant, action=action, resource=tenant, tenant_id=tenant.pk, details=details)


def _subscribe(tenant: Tenant, plan: SubscriptionPlan) -> None:
    """Subscribe a new tenant to a plan, with the plan's trial."""
    now, trial = timezone.now(), timedelta(days=plan.trial_days)
    Subscription(
        tenant=tenant,
        plan=plan,
        status=SubscriptionStatus.TRIAL if trial else SubscriptionStatus.ACTIVE,
        started_at=now,
        expires_at=now + trial if trial else None,
    ).save()
