"""Finding a tenant by the name that people use."""

from django.core.exceptions import ObjectDoesNotExist

from tenants.models import Tenant


class TenantUnavailable(ObjectDoesNotExist):
    """There is no such tenant, or it may not work now; the message says which."""


def tenant_by_slug(slug: str) -> Tenant:
    """The active tenant called `slug`; call it outside every scope.

    Raises:
        TenantUnavailable: when there is none, or it is suspended or deleted.
    """
    tenant = Tenant.objects.filter(slug=slug, deleted_at=None).first()
    if tenant is None:
        raise TenantUnavailable(f"there is no tenant «{slug}»")
    if not tenant.is_active:
        raise TenantUnavailable(f"tenant «{slug}» is {tenant.get_status_display().lower()}")
    return tenant
