"""Authenticated credentials: an API key or a session, with its tenant, scopes and rate limit."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from config.db.prepared import run_prepared

from .scopes import allows, beyond


@dataclass(frozen=True, slots=True)
class RefusedKey:
    """The API key of a refused request, with its tenant and user."""

    id: UUID
    tenant_id: UUID
    user_id: UUID


class CredentialRefusedError(Exception):
    """A valid credential whose tenant or membership is not active.

    Args:
        code: The machine-readable reason, such as `tenant_suspended`.
        key: The API key, if the credential is one.
    """

    def __init__(self, code: str, detail: str, key: RefusedKey | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.key = key


class UnusableKeyError(CredentialRefusedError):
    """A revoked or expired API key, or one of a user who is not active. Clients learn only that it is refused."""


@dataclass(frozen=True, slots=True)
class Rate:
    """State of a rate limit window: requests made, requests allowed, seconds until it resets."""

    hits: int
    limit: int
    reset: int

    @property
    def exceeded(self) -> bool:
        return self.hits > self.limit

    def headers(self) -> dict[str, str]:
        """The header fields of `draft-ietf-httpapi-ratelimit-headers`, in the form that most clients support."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(max(self.limit - self.hits, 0)),
            "RateLimit-Reset": str(max(self.reset, 0)),
        }


def rate_headers(minute: Rate | None, tenant: Rate | None) -> dict[str, str]:
    """Return the header fields of the rate limit and of the tenant's limit on requests.

    `RateLimit-*` describe the limit with fewer requests left. `RateLimit` lists both, as later drafts do.
    """
    if tenant is None:
        return minute.headers() if minute else {}
    rates = {"minute": minute, "organisation": tenant}
    known = {name: rate for name, rate in rates.items() if rate is not None}
    tightest = min(known.values(), key=lambda rate: rate.limit - rate.hits)
    listed = (f'"{name}";r={max(rate.limit - rate.hits, 0)};t={rate.reset}' for name, rate in known.items())
    return tightest.headers() | {"RateLimit": ", ".join(listed)}


@dataclass(frozen=True, slots=True)
class Principal:
    """The user behind a credential, with the attributes that Django and DRF read; needs no query."""

    id: UUID
    is_authenticated: bool = True
    is_anonymous: bool = False
    is_active: bool = True

    @property
    def pk(self) -> UUID:
        return self.id


@dataclass(frozen=True, slots=True)
class Credential:
    """The credential that authenticated a request.

    `scopes` come from the user's role and extra permissions; `key_scopes` restrict them further (None: no
    restriction). An action is allowed when both allow it.
    """

    kind: str
    id: UUID
    tenant_id: UUID
    tenant_slug: str
    user_id: UUID
    role: str
    scopes: frozenset[str]
    key_scopes: frozenset[str] | None
    rate: Rate | None = field(default=None, compare=False)
    # The engagement to which the request is limited.
    engagement_id: UUID | None = None

    @property
    def actor(self) -> str:
        """Return the actor that the audit log records."""
        return f"{'key' if self.kind == 'key' else 'user'}:{self.id}"

    def allows(self, resource: str, verb: str) -> bool:
        """Return whether both the user's scopes and the key's scopes allow `<resource>:<verb>`."""
        if not allows(self.scopes, resource, verb):
            return False
        return self.key_scopes is None or allows(self.key_scopes, resource, verb)

    def beyond(self, scopes: Iterable[object]) -> list[str]:
        """Return the scopes that the user or the key does not cover, sorted, as text."""
        wanted = list(scopes)
        exceeding = set(beyond(self.scopes, wanted))
        if self.key_scopes is not None:
            exceeding.update(beyond(self.key_scopes, wanted))
        return sorted(exceeding)

    def covers(self, scope: str) -> bool:
        """Return whether this credential covers `scope`, wildcards included."""
        return not self.beyond([scope])


@dataclass(frozen=True, slots=True)
class PlatformCredential:
    """The platform API key that authenticated a request. It has no tenant and no user."""

    id: UUID
    scopes: frozenset[str]
    rate: Rate | None = field(default=None, compare=False)
    tenant_id: None = None
    user_id: None = None
    engagement_id: None = None

    @property
    def actor(self) -> str:
        """Return the actor that the audit log records."""
        return f"platform-key:{self.id}"

    def allows(self, resource: str, verb: str) -> bool:
        """Return whether the key has the scope `<resource>:<verb>`."""
        return f"{resource}:{verb}" in self.scopes


CREDENTIALS = (Credential, PlatformCredential)


def count_hit(bucket: str, limit: int, seconds: int = 60) -> Rate:
    """Count one request in `bucket`, in the database, so that the limit holds across processes."""
    sql = "SELECT hits, resets_in FROM conclave_hit(%s, %s)"
    ((hits, reset),) = run_prepared(sql, [bucket, seconds], proved=False)
    return Rate(hits, limit, reset)
