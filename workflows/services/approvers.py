"""Assignees, delegates and members with a candidate role, who decide about approvals."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts.choices import MemberRole, MemberStatus, RoleScope
from accounts.models import Membership, Role, RoleAssignment
from accounts.roles import ROLE_SCOPES
from workflows.choices import ApprovalStatus, StepStatus
from workflows.models import Approval, ApprovalAssignee, ApprovalDecision

# Roles that decide if an approval names nobody: those that can start workflows.
DEFAULT_ROLES = tuple(
    role.value
    for role in MemberRole
    if ROLE_SCOPES[role] & {"*:*", "*:execute", "workflows:execute", "workflows:*"}
)


class UnknownApproverError(ValueError):
    """An approval names a person who is not an active member, or a role that does not exist."""


@dataclass(frozen=True, slots=True)
class Approvers:
    """The members and roles that are asked."""

    user_ids: tuple[UUID, ...] = ()
    roles: tuple[str, ...] = ()


def find_approvers(names: Iterable[str]) -> Approvers:
    """Return the members and roles with these names: e-mail addresses, IDs of users, and slugs of roles.

    Raises:
        UnknownApproverError: a name belongs to no active member and no role.
    """
    members = Membership.objects.filter(status=MemberStatus.ACTIVE)
    users, roles = list[UUID](), list[str]()
    for name in dict.fromkeys(map(str, names)):
        if name in MemberRole.values or Role.objects.filter(slug=name).exists():
            roles.append(name)
            continue
        match = Q(user__email=name.lower()) if "@" in name else Q(user_id=_parse_id(name))
        user_id = members.filter(match).values_list("user_id", flat=True).first()
        if user_id is None:
            raise UnknownApproverError(f"{name} is neither an active member nor a role.")
        users.append(user_id)
    return Approvers(tuple(dict.fromkeys(users)), tuple(roles))


def _parse_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def list_roles(user_id: UUID | None) -> list[str]:
    """Return the slugs of the roles that an active member has in the whole tenant; none for anyone else."""
    members = Membership.objects.filter(status=MemberStatus.ACTIVE, user__is_active=True)
    if user_id is None or (member := members.filter(user_id=user_id).first()) is None:
        return []
    assigned = _current_assignments().filter(user_id=user_id)
    return [member.role, *assigned.values_list("role__slug", flat=True)]


def _current_assignments() -> QuerySet[RoleAssignment]:
    current = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    return RoleAssignment.objects.filter(current, is_active=True, scope=RoleScope.TENANT)


def list_candidates(approval: Approval) -> list[UUID]:
    """Return the users who can decide and have not decided, in the order of their membership."""
    roles = approval.candidate_roles
    assigned = _current_assignments().filter(role__slug__in=roles)
    members = Membership.objects.filter(status=MemberStatus.ACTIVE, user__is_active=True)
    asked = ApprovalAssignee.objects.filter(approval=approval)
    candidates = Q(user_id__in=asked.filter(delegated_to=None).values("user_id")) | (
        (Q(role__in=roles) | Q(user_id__in=assigned.values("user_id")))
        & ~Q(user_id__in=asked.values("user_id"))
    )
    decided = ApprovalDecision.objects.filter(approval=approval, user__isnull=False)
    members = members.filter(candidates).exclude(user_id__in=decided.values("user_id"))
    return list(members.order_by("id").values_list("user_id", flat=True))


def waiting_for(user_id: UUID | None) -> QuerySet[Approval]:
    """Return the pending approvals that a user can decide now and has not decided."""
    roles = list_roles(user_id)
    if not roles:
        return Approval.objects.none()
    asked = ApprovalAssignee.objects.filter(approval_id=OuterRef("pk"), user_id=user_id)
    decided = ApprovalDecision.objects.filter(approval_id=OuterRef("pk"), user_id=user_id)
    mine = Exists(asked.filter(delegated_to=None)) | (Q(candidate_roles__has_any_keys=roles) & ~Exists(asked))
    open_now = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    pending = Approval.objects.filter(status=ApprovalStatus.PENDING, step__status=StepStatus.WAITING)
    return pending.filter(open_now, mine, ~Exists(decided))


def may_decide(approval: Approval, user_id: UUID | None) -> bool:
    """Return whether a user is asked to decide, whether or not the user has decided."""
    roles = list_roles(user_id)
    if not roles:
        return False
    asked = ApprovalAssignee.objects.filter(approval=approval, user_id=user_id).first()
    if asked is not None:
        return asked.delegated_to_id is None
    return not set(roles).isdisjoint(approval.candidate_roles)
