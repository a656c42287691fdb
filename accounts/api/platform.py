"""Authentication by platform API key, and the base of the views that it opens."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from accounts import keys
from accounts.services.invitations import TooManyInvitationsError
from accounts.services.tenant_access import parse_text_list
from config.api.credentials import PlatformCredential, Rate
from config.api.exceptions import Conflict
from config.api.permissions import PlatformPermission
from config.api.views import ApiView
from config.db.session import Scope
from config.tenancy.scope import platform_scope
from tenants.services.tenants import TenantStateError

from .authentication import REALM
from .credentials import run_first

KEY_SQL = "SELECT key_id, key_usable, scopes, rate_limit, hits, resets_in FROM conclave_authenticate_platform_key(%s)"
REFUSED = "This operation requires a platform API key that is neither revoked nor expired."


class PlatformKeyRow(NamedTuple):
    """A row of the database function `conclave_authenticate_platform_key`."""

    key_id: UUID
    is_usable: bool
    scopes: Any
    rate_limit: int
    hits: int
    resets_in: int


class PlatformKeyAuthentication(BaseAuthentication):
    """Authentication by platform API key, which counts the request in the same statement."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, PlatformCredential] | None:
        scheme, _, secret = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if not scheme:
            return None
        if scheme.lower() != "bearer" or not keys.is_well_formed(secret.strip(), keys.PLATFORM_PREFIX):
            raise AuthenticationFailed(REFUSED, code="invalid_credential")
        rows = run_first(KEY_SQL, [keys.digest(secret.strip())])
        row = PlatformKeyRow(*rows[0]) if rows else None
        if row is None or not row.is_usable:
            raise AuthenticationFailed(REFUSED, code="invalid_credential")
        rate = Rate(row.hits, row.rate_limit, row.resets_in)
        scopes = frozenset(parse_text_list(row.scopes))
        return AnonymousUser(), PlatformCredential(row.key_id, scopes, rate)

    def authenticate_header(self, request: Request) -> str:
        return REALM


class PlatformView(ApiView):
    """Base of views for platform API keys. The handler runs in the platform scope."""

    authentication_classes = [PlatformKeyAuthentication]
    permission_classes = [PlatformPermission]

    @contextmanager
    def scoped(self, *, read_only: bool = False) -> Iterator[Scope]:
        """Open the platform scope of the key: one transaction."""
        request = self.request
        reason = f"API: {request.method} {request._request.path}"
        with platform_scope(reason=reason, actor=self.request.auth.actor) as scope:  # type: ignore[union-attr]
            yield scope

    def handle_exception(self, exc: Exception) -> Any:
        if isinstance(exc, TenantStateError):
            exc = Conflict(exc.message, code=exc.code)
        elif isinstance(exc, TooManyInvitationsError):
            exc = Throttled(wait=exc.seconds)
        return super().handle_exception(exc)
