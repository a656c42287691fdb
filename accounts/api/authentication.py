"""DRF authentication classes: API keys as bearer tokens, users by session."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import DisallowedHost
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.choices import UserStatus
from accounts.services.engagement_access import choose_engagement_access
from accounts.services.tenant_access import TenantAccess, choose_tenant_access, list_tenant_access
from config.api.credentials import Credential, CredentialRefusedError, Principal, UnusableKeyError, count_hit
from config.api.exceptions import EngagementNotFound, Forbidden, Invalid, TenantNotFound

from .credentials import credential_of, enter_engagement, limit_credential, resolve_key

UNKNOWN_KEY = "The API key is unknown, revoked or expired."
REALM = 'Bearer realm="conclave"'
TENANT_HEADER = "X-Tenant"


class ApiKeyAuthentication(BaseAuthentication):
    """Authentication by API key, which counts the request in the same statement."""

    def authenticate(self, request: Request) -> tuple[Principal, Credential] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        scheme, _, secret = header.partition(" ")
        if scheme.lower() != "bearer":
            raise AuthenticationFailed("Use the Bearer authentication scheme.", code="invalid_credential")
        try:
            credential = resolve_key(secret.strip())
        except UnusableKeyError as refusal:
            raise AuthenticationFailed(UNKNOWN_KEY, code="invalid_credential") from refusal
        except CredentialRefusedError as refusal:
            raise Forbidden(str(refusal), code=refusal.code) from refusal
        if credential is None:
            raise AuthenticationFailed(UNKNOWN_KEY, code="invalid_credential")
        if named_tenant(request) not in ("", credential.tenant_slug):
            raise Invalid(
                f"The API key belongs to another organisation than the one in {TENANT_HEADER}.",
                code="tenant_mismatch",
            )
        credential = limit_to_engagement(credential, named_engagement(request))
        return Principal(credential.user_id), credential

    def authenticate_header(self, request: Request) -> str:
        return REALM


class PersonAuthentication(SessionAuthentication):
    """Authentication by session, with CSRF protection, without a tenant."""

    def authenticate(self, request: Request) -> tuple[Any, Credential | None] | None:
        user = getattr(request._request, "user", None)
        if user is None or not user.is_active or getattr(user, "status", None) != UserStatus.ACTIVE:
            return None
        self.enforce_csrf(request)
        return user, None

    def authenticate_header(self, request: Request) -> str:
        return REALM


class ScopedSessionAuthentication(PersonAuthentication):
    """Authentication by session, with CSRF protection, in one of the user's tenants."""

    def authenticate(self, request: Request) -> tuple[Any, Credential | None] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        user, _ = found
        rate = count_hit(f"user:{user.pk}", settings.API_DEFAULT_RATE)
        seat = choose_seat(
            list_tenant_access(user.pk), wanted_tenant(request), user, request._request.session
        )
        try:
            credential = credential_of(user.pk, seat, rate)
        except CredentialRefusedError as refusal:
            raise Forbidden(str(refusal), code=refusal.code) from None
        if named := named_engagement(request):
            return user, limit_to_engagement(credential, named)
        chosen = choose_engagement_access(seat, user.pk, request._request.session)
        return user, limit_credential(credential, chosen) if chosen else credential


def named_tenant(request: Request) -> str:
    """Return the tenant slug in the X-Tenant header, or an empty string."""
    return str(request.META.get("HTTP_X_TENANT", "")).strip()


def named_engagement(request: Request) -> str:
    """Return the engagement in the X-Engagement header, or an empty string."""
    return str(request.META.get("HTTP_X_ENGAGEMENT", "")).strip()


def limit_to_engagement(credential: Credential, named: str) -> Credential:
    """Return the credential limited to the named engagement, if one is named.

    Raises:
        EngagementNotFound: The user may not enter it, whether or not it exists.
    """
    if not named:
        return credential
    try:
        entered = enter_engagement(credential, UUID(named))
    except ValueError:
        entered = None
    if entered is None:
        raise EngagementNotFound
    return entered


def wanted_tenant(request: Request) -> str:
    """Return the tenant slug from the X-Tenant header, or from the subdomain if `TENANT_DOMAIN` is set."""
    named = named_tenant(request)
    domain = settings.TENANT_DOMAIN
    if named or not domain:
        return named
    try:
        host = request.get_host().partition(":")[0]
    except DisallowedHost:
        return ""
    return host.removesuffix(f".{domain}") if host.endswith(f".{domain}") else ""


def choose_seat(seats: list[TenantAccess], wanted: str, user: Any, session: Any) -> TenantAccess:
    """Return the membership that the request names, or that of the session.

    Raises:
        TenantNotFound: The user is not a member of the named tenant, whether or not it exists.
        Forbidden: The user has no active membership.
    """
    if wanted:
        for seat in seats:
            if seat.slug == wanted:
                return seat
        raise TenantNotFound
    chosen = choose_tenant_access(seats, user.pk, session)
    if chosen is None:
        raise Forbidden("You are not an active member of any organisation.", code="membership_inactive")
    return chosen
