"""Making tenants."""

from typing import Any

from tenants.models import Tenant
from tenants.scoping import platform_scope
from tenants.signals import tenant_created


def create_tenant(*, slug: str, name: str, admin: Any, actor: str = "", **fields: Any) -> Tenant:
    """A tenant that can be used at once: itself, `admin` as its administrator, the roles it starts with.

    Args:
        admin: an existing person (`accounts.User`).
        actor: who makes it, for the audit log; the platform itself by default.
        fields: further columns of the tenant, such as limits.

    Raises:
        django.core.exceptions.ValidationError: for a slug that is taken or malformed, or an unknown plan.
    """
    with platform_scope(reason=f"create tenant {slug}", actor=actor):
        tenant = Tenant(slug=slug, name=name, **fields)
        tenant.full_clean()
        tenant.save()
        tenant_created.send(sender=Tenant, tenant=tenant, admin=admin)
    return tenant
