"""Console pages of accounts."""

from .keys import ApiKeyAdmin
from .memberships import MembershipAdmin, RoleAdmin, RoleAssignmentAdmin
from .users import UserAdmin

__all__ = ["ApiKeyAdmin", "MembershipAdmin", "RoleAdmin", "RoleAssignmentAdmin", "UserAdmin"]
