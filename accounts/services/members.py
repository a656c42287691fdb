"""Users and memberships."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.choices import MemberRole, MemberStatus
from accounts.models import Membership, Role, User

DEFAULT_ROLES = (
    (
        "agent-builder",
        "Agent builder",
        ["agents:read", "agents:write", "agents:execute", "integrations:read"],
    ),
    ("knowledge-editor", "Knowledge editor", ["collections:read", "collections:write"]),
    ("auditor", "Auditor", ["audit:read", "security:read", "usage:read"]),
)


class LastAdministratorError(ValidationError):
    """The change would leave the organisation without an active administrator."""


def get_or_create_user(email: str, password: str | None = None, **fields: Any) -> User:
    """Return the user with this e-mail address, creating one if needed.

    Call it outside any scope, or in the platform scope for a user with rights on the platform.
    """
    email = email.strip().lower()
    found = User.objects.filter(email=email).first()
    if found:
        return found
    try:
        with transaction.atomic():
            return User.objects.create_user(email, password, **fields)
    except IntegrityError:
        return User.objects.get(email=email)


def add_member(user: User, *, tenant_id: Any = None, role: str = MemberRole.USER) -> Membership:
    """Make `user` an active member of the current tenant (of `tenant_id` in the platform scope)."""
    member = Membership(
        tenant_id=tenant_id, user=user, role=role, status=MemberStatus.ACTIVE, joined_at=timezone.now()
    )
    if tenant_id is None:
        # Users who are not yet members are not visible within the tenant, so validation would fail.
        member.full_clean(exclude=["tenant", "user"])
    member.save()
    return member


def require_other_administrator(leaving: Membership) -> None:
    """Lock the administrators and require one other than `leaving`.

    Raises:
        LastAdministratorError: `leaving` is the only active administrator.
    """
    admins = Membership.objects.filter(
        tenant_id=leaving.tenant_id, role=MemberRole.ADMIN, status=MemberStatus.ACTIVE
    )
    # A fixed lock order prevents two administrators from removing each other concurrently.
    admin_ids = list(admins.order_by("id").select_for_update(of=("self",)).values_list("id", flat=True))
    if admin_ids == [leaving.pk]:
        raise LastAdministratorError("The organisation needs at least one active administrator.")


def set_up_tenant(*, tenant: Any, admin: User | None = None, **_: Any) -> None:
    """Add the administrator, if given, and the default roles to a new tenant."""
    if admin is not None:
        add_member(admin, tenant_id=tenant.pk, role=MemberRole.ADMIN)
    Role.objects.bulk_create(
        Role(tenant_id=tenant.pk, slug=slug, name=name, permissions=permissions, is_system=True)
        for slug, name, permissions in DEFAULT_ROLES
    )
