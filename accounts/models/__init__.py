"""Models of accounts."""

from .keys import ApiKey
from .memberships import Membership, Role, RoleAssignment
from .users import User

__all__ = ["ApiKey", "Membership", "Role", "RoleAssignment", "User"]
