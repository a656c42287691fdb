"""Changes to members of projects and calendars, which only the owner makes."""

from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError

from workflows.models import CalendarMember, ProjectMember

Member = ProjectMember | CalendarMember


def get_shared(member: Member) -> Any:
    """Return the project or calendar of the member."""
    return member.project if isinstance(member, ProjectMember) else member.calendar


def save_member(member: Member, *, actor: UUID | None) -> Member:
    """Store a new or changed member.

    Raises:
        PermissionDenied: `actor` does not own the project or calendar.
        ValidationError: the member is the owner.
    """
    shared = get_shared(member)
    if shared.user_id != actor:
        raise PermissionDenied("Only the owner can change members.")
    if member.user_id == actor:
        raise ValidationError({"user": "The owner needs no membership. Choose another user."})
    member.save()
    return member


def remove_member(member: Member, *, actor: UUID | None) -> None:
    """Remove a member. The owner removes members, and members can remove themselves.

    Raises:
        PermissionDenied: `actor` is neither the owner nor the member.
    """
    if actor not in (member.user_id, get_shared(member).user_id):
        raise PermissionDenied("Only the owner and the member can do this.")
    member.delete()
