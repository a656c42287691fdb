"""API keys: making and revoking them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError

from accounts.choices import ApiKeyStatus
from accounts.keys import mint
from accounts.models import ApiKey


def create_api_key(
    *,
    name: str,
    user_id: UUID,
    scopes: list[str] | None = None,
    rate_limit: int = 600,
    expires_at: datetime | None = None,
    metadata: dict[str, Any] | None = None,
) -> tuple[ApiKey, str]:
    """A key of the scope's tenant that acts as a member, and its text, which is shown this once.

    Raises:
        ValidationError: for a person who is no member, or a limit below one.
    """
    minted = mint()
    key = ApiKey(
        name=name,
        user_id=user_id,
        scopes=["*"] if scopes is None else scopes,
        rate_limit=rate_limit,
        expires_at=expires_at,
        metadata=metadata or {},
        key_hash=minted.digest,
        key_prefix=minted.prefix,
    )
    key.full_clean(exclude=["tenant"])
    key.save()
    return key, minted.secret


def revoke_api_key(key: ApiKey) -> None:
    """End a key for good; it stays listed.

    Raises:
        ValidationError: when it is revoked already.
    """
    if key.status == ApiKeyStatus.REVOKED:
        raise ValidationError("This key is revoked already.")
    key.status = ApiKeyStatus.REVOKED
    key.save(update_fields=["status", "updated_at"])
