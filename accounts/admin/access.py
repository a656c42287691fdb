"""Console access of a request: user, tenant or platform scope, and permissions."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone

from accounts.services.tenant_access import (
    TENANT_KEY,
    TenantAccess,
    choose_tenant_access,
    list_tenant_access,
    remember_tenant,
)
from config.api.scopes import allows, beyond
from config.tenancy.scope import platform_scope, tenant_scope

PLATFORM_KEY = "console_platform"
PLATFORM_STAY = timedelta(minutes=30)


@dataclass(slots=True)
class Access:
    """Access of one request to a tenant or to the platform scope."""

    user: Any
    tenant_accesses: list[TenantAccess]
    tenant_access: TenantAccess | None = None
    reason: str = ""
    until: float = 0
    scopes: frozenset[str] = frozenset()

    @property
    def is_platform(self) -> bool:
        return bool(self.reason)

    @property
    def is_staff(self) -> bool:
        """Whether the user is platform staff and can open the platform scope."""
        return bool(self.user.is_active and (self.user.is_staff or self.user.is_superuser))

    @property
    def may_enter(self) -> bool:
        return self.is_platform or self.is_staff or self.tenant_access is not None

    @property
    def minutes_left(self) -> int:
        return max(0, int(self.until - timezone.now().timestamp()) // 60)

    def allows(self, resource: str, verb: str) -> bool:
        """Return whether `<resource>:<verb>` is granted; False if `resource` is empty."""
        return bool(resource) and allows(self.scopes, resource, verb)

    @property
    def kind(self) -> str:
        return "session"

    @property
    def id(self) -> UUID:
        return self.user_id

    @property
    def user_id(self) -> UUID:
        return self.user.pk

    def beyond(self, scopes: Iterable[object]) -> list[str]:
        """Return the scopes that the user does not cover, sorted, as text."""
        return beyond(self.scopes, scopes)

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Open the database scope of this request.

        Raises:
            ProgrammingError: The database login cannot use the operator role.
        """
        if self.is_platform:
            with platform_scope(reason=self.reason, user=self.user):
                yield
        elif self.tenant_access is not None:
            with tenant_scope(self.tenant_access.tenant_id, user=self.user):
                yield
        else:
            raise LookupError("the request has neither a tenant nor a reason for the platform scope")


def access_of(request: HttpRequest) -> Access:
    """Return the console access of a signed-in user.

    Call it outside any scope, because it reads the session.
    """
    access = Access(request.user, list_tenant_access(request.user.pk))
    entry = request.session.get(PLATFORM_KEY) if access.is_staff else None
    if entry and entry["until"] > timezone.now().timestamp():
        access.reason, access.until = entry["reason"], entry["until"]
        access.scopes = frozenset({"*:*"})
        return access
    access.tenant_access = choose_tenant_access(access.tenant_accesses, access.user_id, request.session)
    if access.tenant_access is not None:
        access.scopes = access.tenant_access.scopes
    return access


def enter_platform(request: HttpRequest, reason: str) -> None:
    """Store the reason for platform access in the session, for a limited time."""
    until = timezone.now() + PLATFORM_STAY
    request.session[PLATFORM_KEY] = {"reason": reason, "until": until.timestamp()}


def leave_platform(request: HttpRequest) -> None:
    """Remove the platform access from the session."""
    request.session.pop(PLATFORM_KEY, None)


def choose_tenant(request: Any, tenant_access: TenantAccess) -> None:
    """Select a tenant, also for later sessions, and leave the platform scope."""
    leave_platform(request)
    remember_tenant(request.user, tenant_access.tenant_id)
    request.session[TENANT_KEY] = str(tenant_access.tenant_id)
