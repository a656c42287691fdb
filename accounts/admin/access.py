"""Console access of a request: user, tenant or platform scope, and permissions."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone

from accounts.choices import Theme
from accounts.services.engagement_access import (
    ENGAGEMENT_KEY,
    EngagementAccess,
    choose_engagement_access,
    list_engagement_access,
)
from accounts.services.preferences import Preferences, get_preferences
from accounts.services.tenant_access import (
    TENANT_KEY,
    TenantAccess,
    choose_tenant_access,
    list_tenant_access,
    remember_tenant,
)
from config.api.scopes import allows, beyond
from config.tenancy.scope import platform_scope, tenant_scope
from tenants.schemas import Branding
from tenants.services.branding import build_palette, get_branding
from tenants.services.system_settings import CONSOLE_NOTICE, get_system_setting

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
    engagement: EngagementAccess | None = None
    preferences: Preferences = field(default_factory=Preferences)
    branding: Branding = field(default_factory=Branding)
    notice: str = ""

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
        """Open the database scope of this request; activate the user's language and time zone.

        Raises:
            ProgrammingError: The database login cannot use the operator role.
        """
        if self.is_platform:
            with platform_scope(reason=self.reason, user=self.user):
                self.notice = get_system_setting(CONSOLE_NOTICE)
                yield
        elif self.tenant_access is not None:
            with tenant_scope(self.tenant_access.tenant_id, user=self.user, engagement=self.engagement):
                self._load_appearance(self.tenant_access.tenant_id)
                with self.preferences.activated():
                    yield
        else:
            raise LookupError("the request has neither a tenant nor a reason for the platform scope")

    @contextmanager
    def localized(self) -> Iterator[None]:
        """Activate the preferences of the user in the selected tenant, without a scope."""
        chosen = self.tenant_access
        if chosen is not None and chosen.is_open and not self.is_platform:
            with tenant_scope(chosen.tenant_id, user=self.user):
                self._load_appearance(chosen.tenant_id)
        with self.preferences.activated():
            yield

    def _load_appearance(self, tenant_id: UUID) -> None:
        self.preferences, self.branding = get_preferences(self.user_id), get_branding(tenant_id)
        self.notice = get_system_setting(CONSOLE_NOTICE)


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
        if chosen := choose_engagement_access(access.tenant_access, access.user_id, request.session):
            access.engagement, access.scopes = chosen, access.scopes | chosen.scopes
    return access


def build_appearance(access: Access, colors: dict[str, Any]) -> dict[str, Any]:
    """Return the template context of the user's theme and the tenant's branding.

    Args:
        colors: Palettes by name, of the installation.
    """
    branding = access.branding
    shown: dict[str, Any] = {"site_header": branding.name, "site_icon": branding.logo}
    if theme := access.preferences.theme:
        # Without a theme, the console offers the browser's choice in the account menu.
        shown["theme"] = "auto" if theme == Theme.SYSTEM else theme
    if branding.primary_color:
        shown["colors"] = {**colors, "primary": build_palette(branding.primary_color)}
    return {name: value for name, value in shown.items() if value}


def list_engagements(access: Access) -> list[EngagementAccess]:
    """Return the engagements of the selected tenant that the user may enter.

    Call it outside any scope.
    """
    chosen = access.tenant_access
    return list_engagement_access(chosen.tenant_id, access.user_id, chosen.scopes) if chosen else []


def choose_engagement(request: HttpRequest, tenant_id: UUID, engagement_id: UUID | None) -> None:
    """Limit the session to an engagement, or to none."""
    request.session[ENGAGEMENT_KEY] = f"{tenant_id}/{engagement_id}" if engagement_id else ""


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
