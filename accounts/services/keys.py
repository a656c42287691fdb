"""Creation and revocation of API keys."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError

from accounts.choices import ApiKeyStatus
from accounts.keys import generate_key
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
    """Create an API key for a member and return it with its secret.

    Raises:
        ValidationError: The user is not a member, or the rate limit is below one.
    """
    minted = generate_key()
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
    """Revoke a key permanently; it remains in the list.

    Raises:
        ValidationError: The key is already revoked.
    """
    if key.status == ApiKeyStatus.REVOKED:
        raise ValidationError("This API key is already revoked.")
    key.status = ApiKeyStatus.REVOKED
    key.save(update_fields=["status", "updated_at"])
