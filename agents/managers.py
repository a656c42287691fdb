"""Managers for tables with rows shared between tenants."""

from typing import Any

from django.db import models
from django.db.models import Q

from config.tenancy.managers import ScopedQuerySet
from config.tenancy.scope import require_scope


class SharedManager(models.Manager.from_queryset(ScopedQuerySet)):  # type: ignore[misc]
    """Manager for the scope's rows and public rows of other tenants.

    Raises:
        ScopeRequiredError: if no scope is active.
    """

    def shared(self, tenant_id: Any) -> Q:
        """Return the filter for rows of other tenants that this tenant can see."""
        return Q(is_public=True)

    def get_queryset(self) -> Any:
        scope = require_scope()
        rows = super().get_queryset()
        if scope.tenant_id is None:
            return rows
        return rows.filter(Q(tenant_id=scope.tenant_id) | self.shared(scope.tenant_id))


class PromptManager(SharedManager):
    """Manager for the scope's prompts and factory prompts."""

    def shared(self, tenant_id: Any) -> Q:
        return Q(tenant_id=None)


class PurchaseManager(SharedManager):
    """Manager for the purchases and sales of the scope's tenant."""

    def shared(self, tenant_id: Any) -> Q:
        return Q(seller_tenant_id=tenant_id)
