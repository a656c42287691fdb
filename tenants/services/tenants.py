"""Creation of tenants."""

from typing import Any

from config.tenancy.scope import platform_scope
from tenants.models import Tenant
from tenants.signals import tenant_created


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
        tenant = Tenant(slug=slug, name=name, **fields)
        tenant.full_clean()
        tenant.save()
        tenant_created.send(sender=Tenant, tenant=tenant, admin=admin)
    return tenant
