"""Tenant lookup by slug."""

from django.core.exceptions import ObjectDoesNotExist

from tenants.models import Tenant


class TenantUnavailableError(ObjectDoesNotExist):
    """The tenant does not exist or is not active."""


def get_tenant_by_slug(slug: str) -> Tenant:
    """Return the active tenant with this slug. Call it outside any scope.

    Raises:
        TenantUnavailableError: The tenant does not exist, is suspended or is deleted.
    """
    tenant = Tenant.objects.filter(slug=slug, deleted_at=None).first()
    if tenant is None:
        raise TenantUnavailableError(f"Tenant '{slug}' does not exist.")
    if not tenant.is_active:
        raise TenantUnavailableError(f"Tenant '{slug}' is {tenant.get_status_display().lower()}.")
    return tenant
