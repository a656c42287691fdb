"""Provisioning of tenants: the platform's keys, and tenants with an invited administrator."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError

from accounts.choices import ApiKeyStatus, MemberRole
from accounts.keys import PLATFORM_PREFIX, generate_key
from accounts.models import Invitation, PlatformKey
from accounts.services.invitations import create_invitation
from tenants.models import Tenant
from tenants.services.tenants import add_tenant
from tenants.signals import platform_action


@dataclass(frozen=True, slots=True)
class PlatformCaller:
    """The platform as the caller of a change in a tenant: it covers every permission."""

    kind: str = "platform"
    id: UUID = None  # type: ignore[assignment]
    user_id: UUID = None  # type: ignore[assignment]

    def beyond(self, scopes: Iterable[object]) -> list[str]:
        """Return no scopes: the platform covers all of them."""
        return []


def provision_tenant(*, admin_email: str, **fields: Any) -> tuple[Tenant, Invitation]:
    """Create a tenant and invite its first administrator, in the open platform scope.

    Args:
        fields: Arguments of `add_tenant`.

    Raises:
        ValidationError: A value is not valid, or the slug is taken.
    """
    tenant = add_tenant(**fields)
    invitation = create_invitation(
        email=admin_email, role=MemberRole.ADMIN, caller=PlatformCaller(), tenant_id=tenant.pk
    )
    return tenant, invitation


def create_platform_key(
    *, name: str, scopes: list[str], rate_limit: int = 60, expires_at: datetime | None = None
) -> tuple[PlatformKey, str]:
    """Create a platform API key, in the open platform scope, and return it with its secret.

    Raises:
        ValidationError: A scope is unknown or missing.
    """
    minted = generate_key(PLATFORM_PREFIX)
    key = PlatformKey(
        name=name,
        scopes=sorted(set(scopes)),
        rate_limit=rate_limit,
        expires_at=expires_at,
        key_hash=minted.digest,
        key_prefix=minted.prefix,
    )
    key.full_clean()
    key.save()
    _announce("platform_key.created", key)
    return key, minted.secret


def revoke_platform_key(key: PlatformKey) -> None:
    """Revoke a platform API key permanently, in the open platform scope.

    Raises:
        ValidationError: The key is already revoked.
    """
    if key.status == ApiKeyStatus.REVOKED:
        raise ValidationError("This platform API key is already revoked.")
    key.status = ApiKeyStatus.REVOKED
    key.save(update_fields=["status", "updated_at"])
    _announce("platform_key.revoked", key)


def _announce(action: str, key: PlatformKey) -> None:
    platform_action.send(
        sender=PlatformKey, action=action, resource=key, tenant_id=None, details={"scopes": key.scopes}
    )
