"""Console pages of accounts."""

from .invitations import InvitationAdmin
from .keys import ApiKeyAdmin
from .memberships import MembershipAdmin, RoleAdmin, RoleAssignmentAdmin
from .platform_keys import PlatformKeyAdmin
from .profiles import UserModelChoiceAdmin, UserProfileAdmin, UserSettingsAdmin, WorkProfileAdmin
from .security import (
    ExternalIdentityAdmin,
    OAuthTokenAdmin,
    PasskeyCredentialAdmin,
    RegisteredDeviceAdmin,
    TwoFactorAuthAdmin,
)
from .talents import TalentAdmin
from .users import UserAdmin

__all__ = [
    "ApiKeyAdmin",
    "ExternalIdentityAdmin",
    "InvitationAdmin",
    "MembershipAdmin",
    "OAuthTokenAdmin",
    "PasskeyCredentialAdmin",
    "PlatformKeyAdmin",
    "RegisteredDeviceAdmin",
    "RoleAdmin",
    "RoleAssignmentAdmin",
    "TalentAdmin",
    "TwoFactorAuthAdmin",
    "UserAdmin",
    "UserModelChoiceAdmin",
    "UserProfileAdmin",
    "UserSettingsAdmin",
    "WorkProfileAdmin",
]
