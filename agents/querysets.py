"""Which rows of shared tables a scope sees: its own, and those that others let it see."""

from typing import Any

from django.db import models
from django.db.models import Q

from tenants.managers import HouseQuerySet
from tenants.scoping import require_scope


class SharedManager(models.Manager.from_queryset(HouseQuerySet)):  # type: ignore[misc]
    """The rows of the scope's tenant, and those that are public.

    Raises:
        ScopeRequired: outside every scope.
    """

    def shared(self, tenant_id: Any) -> Q:
        """Rows that the tenant sees although they are not its own."""
        return Q(is_public=True)

    def get_queryset(self) -> Any:
        scope = require_scope()
        rows = super().get_queryset()
        if scope.tenant_id is None:
            return rows
        return rows.filter(Q(tenant_id=scope.tenant_id) | self.shared(scope.tenant_id))


class PromptManager(SharedManager):
    """The scope's prompts and the factory's."""

    def shared(self, tenant_id: Any) -> Q:
        return Q(tenant_id=None)


class PurchaseManager(SharedManager):
    """What the scope's tenant bought, and what it sold."""

    def shared(self, tenant_id: Any) -> Q:
        return Q(seller_tenant_id=tenant_id)
