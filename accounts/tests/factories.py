"""Factories of accounts."""

import secrets
from decimal import Decimal

import factory
from django.utils import timezone

from accounts.choices import DEFAULT_MODELS, ModelPurpose, OAuthService, PlatformScope
from accounts.keys import PLATFORM_PREFIX, generate_key
from accounts.models import (
    ApiKey,
    ExternalIdentity,
    Invitation,
    Membership,
    OAuthToken,
    PasskeyCredential,
    PlatformKey,
    RegisteredDevice,
    Role,
    RoleAssignment,
    Talent,
    TwoFactorAuth,
    User,
    UserModelChoice,
    UserProfile,
    UserSettings,
    WorkProfile,
)
from accounts.services.invitations import LIFETIME, digest_token, make_token
from config.testing.factories import BaseFactory, member_user
from config.testing.roles import as_identity, as_platform

PASSWORD = "correct horse battery staple"


class UserFactory(BaseFactory):
    """A verified user, created by sign-up or, with rights on the platform, by the operator role."""

    email = factory.Sequence(lambda n: f"person{n}@example.org")
    first_name = "Person"
    last_name = factory.Sequence(str)
    is_verified = True
    password = PASSWORD

    class Meta:
        model = User

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        with as_platform() if kwargs.get("is_staff") else as_identity():
            return model_class.objects.create_user(*args, **kwargs)


class MembershipFactory(BaseFactory):
    user = factory.SubFactory(UserFactory)
    role = "user"

    class Meta:
        model = Membership


class PlatformKeyFactory(BaseFactory):
    """A platform API key; `secret` holds the key."""

    name = "Provisioning"
    scopes = factory.LazyFunction(lambda: list(PlatformScope.values))
    rate_limit = 1_000_000

    class Meta:
        model = PlatformKey

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        minted = generate_key(PLATFORM_PREFIX)
        kwargs |= {"key_hash": minted.digest, "key_prefix": minted.prefix}
        with as_platform():
            row = super()._create(model_class, *args, **kwargs)
        row.secret = minted.secret
        return row


class InvitationFactory(BaseFactory):
    """A pending invitation; `token` holds the token of its link."""

    email = factory.Sequence(lambda n: f"invited{n}@example.org")
    role = "viewer"
    expires_at = factory.LazyFunction(lambda: timezone.now() + LIFETIME)
    sent_at = factory.LazyFunction(timezone.now)

    class Meta:
        model = Invitation

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        token = make_token()
        row = super()._create(model_class, *args, **{"token_digest": digest_token(token)} | kwargs)
        row.token = token
        return row


class RoleFactory(BaseFactory):
    name = factory.Sequence(lambda n: f"Role {n}")
    slug = factory.Sequence(lambda n: f"role-{n}")
    permissions = factory.LazyFunction(lambda: ["agents:read"])

    class Meta:
        model = Role


class RoleAssignmentFactory(BaseFactory):
    user = factory.LazyFunction(member_user)
    role = factory.SubFactory(RoleFactory)

    class Meta:
        model = RoleAssignment


class ApiKeyFactory(BaseFactory):
    """A key with all permissions of its user; `secret` holds the key to send."""

    user = factory.LazyFunction(member_user)
    name = factory.Sequence(lambda n: f"Key {n}")
    scopes = factory.LazyFunction(lambda: ["*"])
    rate_limit = 600

    class Meta:
        model = ApiKey

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        minted = generate_key()
        kwargs |= {"key_hash": minted.digest, "key_prefix": minted.prefix}
        row = super()._create(model_class, *args, **kwargs)
        row.secret = minted.secret
        return row


class OwnRowFactory(BaseFactory):
    """The row of the acting user; a second call returns the existing row."""

    user = factory.LazyFunction(member_user)

    class Meta:
        abstract = True
        django_get_or_create = ("user",)


class UserProfileFactory(OwnRowFactory):
    display_name = "Ada"
    job_title = "Engineer"
    department = "Research"
    personal_address = factory.LazyFunction(lambda: {"city": "Turin", "country": "Italy"})
    preferred_contact_method = "email"

    class Meta:
        model = UserProfile


class UserSettingsFactory(OwnRowFactory):
    language = "en"
    timezone = "Europe/Rome"

    class Meta:
        model = UserSettings


class UserModelChoiceFactory(BaseFactory):
    user = factory.LazyFunction(member_user)
    purpose = factory.Iterator(ModelPurpose.values)
    model = factory.LazyAttribute(lambda row: DEFAULT_MODELS[row.purpose])

    class Meta:
        model = UserModelChoice


class WorkProfileFactory(OwnRowFactory):
    calendar_event_weights = factory.LazyFunction(lambda: {"meeting": 1.5, "focus": 3})
    personal_goals = factory.LazyFunction(lambda: [{"title": "Learn SQL", "progress": 0.4}])
    work_style_preferences = factory.LazyFunction(lambda: {"work_start": "09:00", "focus_minutes": 90})

    class Meta:
        model = WorkProfile


class RegisteredDeviceFactory(BaseFactory):
    user = factory.LazyFunction(member_user)
    device_name = factory.Sequence(lambda n: f"Laptop {n}")
    device_type = "desktop"
    ip_address = "192.0.2.7"

    class Meta:
        model = RegisteredDevice


class TwoFactorAuthFactory(OwnRowFactory):
    is_enabled = True
    secret_key = "JBSWY3DPEHPK3PXP"
    backup_codes = factory.LazyFunction(lambda: ["4711-0815", "1234-5678"])
    security_questions = factory.LazyFunction(lambda: [{"question": "First pet?", "answer": "Schnuffi"}])

    class Meta:
        model = TwoFactorAuth


class PasskeyCredentialFactory(BaseFactory):
    user = factory.LazyFunction(member_user)
    credential_id = factory.LazyFunction(lambda: secrets.token_urlsafe(32))
    public_key = factory.LazyFunction(lambda: secrets.token_urlsafe(77))
    credential_name = factory.Sequence(lambda n: f"Key {n}")

    class Meta:
        model = PasskeyCredential


class ExternalIdentityFactory(BaseFactory):
    user = factory.LazyFunction(member_user)
    provider = "auth0"
    subject = factory.Sequence(lambda n: f"auth0|{n:024x}")
    email = factory.SelfAttribute("user.email")

    class Meta:
        model = ExternalIdentity


class OAuthTokenFactory(BaseFactory):
    user = factory.LazyFunction(member_user)
    service = factory.Iterator(OAuthService.values)
    access_token = factory.Sequence(lambda n: f"access-token-{n}")
    refresh_token = factory.Sequence(lambda n: f"refresh-token-{n}")
    service_email = factory.SelfAttribute("user.email")

    class Meta:
        model = OAuthToken


class TalentFactory(BaseFactory):
    user = factory.LazyFunction(member_user)
    skills = factory.LazyFunction(lambda: ["python", "sql"])
    experience_years = 7
    rate = Decimal("95.00")

    class Meta:
        model = Talent
