"""Approval, soft deletion and restoration of user accounts."""

from functools import partial

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.utils import timezone

from accounts.choices import MemberRole, MemberStatus, UserStatus
from accounts.models import Membership, User
from accounts.services.members import require_other_administrator


def approve_user(user: User) -> bool:
    """Activate an account that waits for approval and notify its user; return whether it was waiting.

    Call it outside any scope, or in the platform scope.
    """
    with transaction.atomic():
        waiting = User.objects.filter(pk=user.pk, status=UserStatus.PENDING_APPROVAL, deleted_at=None)
        found = waiting.select_for_update(of=("self",)).first()
        if found is None:
            return False
        found.status = user.status = UserStatus.ACTIVE
        found.save(update_fields=["status", "updated_at"])
        text = f"Your account is approved. Sign in at {settings.PUBLIC_URL}/accounts/login/."
        send = partial(send_mail, "Your account is approved", text, None, [found.email], fail_silently=True)
        transaction.on_commit(send)
    return True


def soft_delete_user(user: User) -> None:
    """Mark an account as deleted and end its memberships. Call it in the platform scope.

    Sessions and API keys of the user stop working at once; rows that name the user stay.

    Raises:
        LastAdministratorError: The user is the only active administrator of an organisation.
    """
    with transaction.atomic():
        members = list(Membership.unscoped.filter(user_id=user.pk, status=MemberStatus.ACTIVE))
        for member in members:
            if member.role == MemberRole.ADMIN:
                require_other_administrator(member)
            member.status = MemberStatus.INACTIVE
            member.save(update_fields=["status", "updated_at"])
        user.deleted_at, user.is_active = timezone.now(), False
        user.save(update_fields=["deleted_at", "is_active", "updated_at"])


def restore_user(user: User) -> None:
    """Restore a deleted account; administrators reactivate its memberships. Call it in the platform scope."""
    user.deleted_at, user.is_active = None, True
    user.save(update_fields=["deleted_at", "is_active", "updated_at"])
