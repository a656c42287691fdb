"""allauth adapters."""

import base64
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.stagekit import clear_login
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings

from accounts.choices import UserStatus
from accounts.services.invitations import list_open_invitations
from accounts.services.users import approve_user
from config.encryption.keyring import get_data_key, open_with, seal_with, sealed_version

CONTEXT = "platform|mfa_authenticator|data"


class AccountAdapter(DefaultAccountAdapter):
    """Sign-up policy: public sign-up is open only when `SIGNUP_OPEN` is set."""

    def is_open_for_signup(self, request: Any) -> bool:
        return bool(settings.SIGNUP_OPEN)

    def new_user(self, request: Any) -> Any:
        """Return a new user, who waits for approval if `SIGNUP_APPROVAL` is set."""
        user = super().new_user(request)
        if settings.SIGNUP_APPROVAL:
            user.status = UserStatus.PENDING_APPROVAL
        return user

    def pre_login(self, request: Any, user: Any, **options: Any) -> Any:
        """Reject users whose account is not active; an open invitation approves a waiting account."""
        if user.status == UserStatus.PENDING_APPROVAL and list_open_invitations(user):
            approve_user(user)
        # After sign-up the e-mail address is verified first, which does not sign in.
        if user.status != UserStatus.ACTIVE and not options["signup"]:
            clear_login(request)
            return self.respond_user_inactive(request, user)
        return super().pre_login(request, user, **options)


class MfaAdapter(DefaultMFAAdapter):
    """Adapter that encrypts TOTP secrets and recovery codes with the platform's data key."""

    def encrypt(self, text: str) -> str:
        version, key = get_data_key(None, None)
        return base64.b64encode(seal_with(key, version, CONTEXT, text.encode())).decode()

    def decrypt(self, encrypted_text: str) -> str:
        sealed = base64.b64decode(encrypted_text)
        _, key = get_data_key(None, sealed_version(sealed))
        return open_with(key, CONTEXT, sealed).decode()
