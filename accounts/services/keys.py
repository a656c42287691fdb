"""Creation, changes and revocation of API keys."""

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts.choices import ApiKeyStatus
from accounts.keys import generate_key
from accounts.models import ApiKey
from accounts.services.grants import Caller, GrantRefusedError, require_covered, require_grantable
from tenants.services.quotas import get_key_rate_ceiling

DEFAULT_RATE = 100
ALL_SCOPES = ["*"]
CHECKED_FIELDS = ("user_id", "scopes", "rate_limit", "expires_at")


class NotOwnKeyError(GrantRefusedError):
    """Only administrators create and change API keys of other users."""

    code = "not_own_key"


class KeyLimits:
    """Limits of the caller and the plan on an API key, each read at most once."""

    def __init__(self, caller: Caller | None, tenant_id: UUID | None = None) -> None:
        self.caller, self.tenant_id = caller, tenant_id

    @cached_property
    def calling_key(self) -> ApiKey | None:
        """The API key of the caller, or None."""
        if self.caller is None or self.caller.kind != "key":
            return None
        return ApiKey.objects.get(pk=self.caller.id)

    @cached_property
    def rate_ceiling(self) -> int:
        """The highest rate limit that the plan allows."""
        return get_key_rate_ceiling(self.tenant_id)

    @property
    def default_rate(self) -> int:
        """The rate limit of a new key that states none."""
        own = self.calling_key
        return min(DEFAULT_RATE, self.rate_ceiling, own.rate_limit if own else DEFAULT_RATE)


def create_api_key(
    *,
    name: str,
    user_id: UUID,
    caller: Caller | None = None,
    scopes: list[str] | None = None,
    rate_limit: int | None = None,
    expires_at: datetime | None = None,
    engagement_id: UUID | None = None,
    metadata: dict[str, Any] | None = None,
) -> tuple[ApiKey, str]:
    """Create an API key for a member and return it with its secret.

    Args:
        caller: Whose permissions limit the key; None for commands.
        engagement_id: Limits the key to an engagement; by default to that of the scope, if any.
        rate_limit: By default 100, or the limit of the plan or of the calling key if it is lower.

    Raises:
        ValidationError: The user is not a member, or the rate limit is out of bounds.
        GrantRefusedError: The caller lacks permissions that the key would have.
    """
    limits = KeyLimits(caller)
    minted = generate_key()
    key = ApiKey(
        name=name,
        user_id=user_id,
        scopes=ALL_SCOPES if scopes is None else scopes,
        rate_limit=limits.default_rate if rate_limit is None else rate_limit,
        expires_at=expires_at,
        engagement_id=engagement_id,
        metadata=metadata or {},
        key_hash=minted.digest,
        key_prefix=minted.prefix,
    )
    check_api_key({name: getattr(key, name) for name in CHECKED_FIELDS}, caller=caller, limits=limits)
    key.full_clean(exclude=["tenant"])
    key.save()
    return key, minted.secret


def check_api_key(
    values: Mapping[str, Any],
    *,
    caller: Caller | None,
    key: ApiKey | None = None,
    limits: KeyLimits | None = None,
) -> None:
    """Check that the caller may create a key with `values`, or change those of `key`.

    Args:
        limits: Limits that were already read.

    Raises:
        ValidationError: The rate limit exceeds the plan's, or the key has expired.
        GrantRefusedError: The caller lacks permissions that the key has or would have.
    """
    limits = limits or KeyLimits(caller, key.tenant_id if key else None)
    changed = {name: value for name, value in values.items() if key is None or value != getattr(key, name)}
    user_id = values["user_id"] if key is None else key.user_id
    if caller is not None:
        if user_id != caller.user_id and caller.beyond(ALL_SCOPES):
            raise NotOwnKeyError("Only an administrator can create and change API keys of another user.")
        if key is not None:
            require_covered(caller, key)
        # A key never exceeds its user's permissions, so `*` on the user's own key grants nothing more.
        if "scopes" in changed and (changed["scopes"] != ALL_SCOPES or caller.kind == "key"):
            require_grantable(caller, changed["scopes"])
        _check_limits(changed, limits.calling_key)
    if "expires_at" in changed and key is not None and is_expired(key):
        raise ValidationError(
            {"expires_at": "The API key has expired and cannot be extended. Create a new API key instead."}
        )
    if "rate_limit" in changed and changed["rate_limit"] > (ceiling := limits.rate_ceiling):
        raise ValidationError(
            {"rate_limit": f"Your plan allows at most {ceiling} requests per minute for an API key."}
        )


def is_expired(key: ApiKey) -> bool:
    """Return whether the key has expired."""
    due = key.expires_at is not None and key.expires_at <= timezone.now()
    return due or key.status == ApiKeyStatus.EXPIRED


def revoke_api_key(key: ApiKey, *, caller: Caller | None = None) -> None:
    """Revoke a key permanently; it remains in the list.

    Raises:
        ValidationError: The key is already revoked.
        GrantRefusedError: The caller lacks permissions of the key.
    """
    if caller is not None:
        require_covered(caller, key)
    if key.status == ApiKeyStatus.REVOKED:
        raise ValidationError("This API key is already revoked.")
    key.status = ApiKeyStatus.REVOKED
    key.save(update_fields=["status", "updated_at"])


def _check_limits(changed: Mapping[str, Any], own: ApiKey | None) -> None:
    """Require that a calling key grants no later expiry and no higher rate limit than its own."""
    if own is None:
        return
    expiry = changed.get("expires_at", own.expires_at)
    if own.expires_at and (expiry is None or expiry > own.expires_at):
        raise GrantRefusedError("An API key cannot grant a later expiry than its own.")
    if changed.get("rate_limit", 0) > own.rate_limit:
        raise GrantRefusedError("An API key cannot grant a higher rate limit than its own.")
