"""allauth adapters."""

import base64
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings

from config.encryption.keyring import get_data_key, open_with, seal_with, sealed_version

CONTEXT = "platform|mfa_authenticator|data"


class AccountAdapter(DefaultAccountAdapter):
    """Sign-up policy: public sign-up is open only when `SIGNUP_OPEN` is set."""

    def is_open_for_signup(self, request: Any) -> bool:
        return bool(settings.SIGNUP_OPEN)


class MfaAdapter(DefaultMFAAdapter):
    """Adapter that encrypts TOTP secrets and recovery codes with the platform's data key."""

    def encrypt(self, text: str) -> str:
        version, key = get_data_key(None, None)
        return base64.b64encode(seal_with(key, version, CONTEXT, text.encode())).decode()

    def decrypt(self, encrypted_text: str) -> str:
        sealed = base64.b64decode(encrypted_text)
        _, key = get_data_key(None, sealed_version(sealed))
        return open_with(key, CONTEXT, sealed).decode()
