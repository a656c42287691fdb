"""Models of accounts."""

from .invitations import Invitation
from .keys import ApiKey
from .memberships import Membership, Role, RoleAssignment
from .platform_keys import PlatformKey
from .profiles import UserModelChoice, UserProfile, UserSettings, WorkProfile
from .security import ExternalIdentity, OAuthToken, PasskeyCredential, RegisteredDevice, TwoFactorAuth
from .talents import Talent
from .users import User

__all__ = [
    "ApiKey",
    "ExternalIdentity",
    "Invitation",
    "Membership",
    "OAuthToken",
    "PasskeyCredential",
    "PlatformKey",
    "RegisteredDevice",
    "Role",
    "RoleAssignment",
    "Talent",
    "TwoFactorAuth",
    "User",
    "UserModelChoice",
    "UserProfile",
    "UserSettings",
    "WorkProfile",
]
