"""Owners of MCP servers in the registry."""

from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from agents.models import McpServer, McpServerConfig
from config.db.session import OPERATOR, Scope
from config.tenancy.scope import ScopedTransaction

SCOPE = Scope(OPERATOR, actor="system:tenant_deletion", reason="release the MCP servers of a tenant")


def release_shared_servers(*, tenant_id: UUID, **_: Any) -> None:
    """Take the owner from servers that other tenants can use, so that these outlive the tenant.

    Call it outside any scope.
    """
    others = McpServerConfig.unscoped.filter(mcp_server_id=OuterRef("pk")).exclude(tenant_id=tenant_id)
    with ScopedTransaction(SCOPE):
        owned = McpServer.objects.filter(owner_id=tenant_id)
        owned.filter(Q(is_public=True) | Exists(others)).update(owner=None)
