"""Users."""

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models, transaction
from django.utils import timezone

from accounts.choices import UserStatus
from accounts.fields import PasswordHashField, PlatformRightField
from accounts.managers import UserManager
from config.db.constraints import choices_constraint
from config.db.session import apply_scope, current_scope, request_scope
from config.tenancy.models import GlobalModel

PLATFORM_RIGHTS = ("is_staff", "is_superuser")
# Columns that sign-in work may change.
IDENTITY_COLUMNS = (
    "password",
    "last_login",
    "email",
    "username",
    "first_name",
    "last_name",
    "avatar_url",
    "status",
    "is_active",
    "is_verified",
    "deleted_at",
    "password_changed_at",
    "updated_at",
)


class User(AbstractBaseUser, GlobalModel):
    """A user account, shared by all tenants; a `Membership` links it to a tenant."""

    row_security = {
        "read": "id IN (SELECT user_id FROM accounts_membership)",
        "verbs": "SELECT",
        "identity": "SELECT, INSERT, UPDATE",
        "identity_columns": IDENTITY_COLUMNS,
        "identity_insert": "NOT (is_staff OR is_superuser)",
        "hidden": ("password", *PLATFORM_RIGHTS),
        "withheld": ("password", *PLATFORM_RIGHTS),
    }
    audit_redact = ("password",)
    audit_omit = ("last_login",)
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: list[str] = []

    password = PasswordHashField("password", max_length=128)
    email = models.EmailField(max_length=255, unique=True, help_text="Sign-in e-mail address, in lower case.")
    username = models.CharField(max_length=150, blank=True, default="", help_text="Fallback display name.")
    first_name = models.CharField(max_length=100, blank=True, default="", help_text="First name.")
    last_name = models.CharField(max_length=100, blank=True, default="", help_text="Last name.")
    avatar_url = models.URLField(max_length=500, blank=True, default="", help_text="Profile picture.")
    status = models.CharField(
        max_length=20,
        choices=UserStatus,
        default=UserStatus.ACTIVE,
        help_text="Status of the account.",
    )
    is_active = models.BooleanField(default=True, help_text="Designates whether the user can sign in.")
    is_staff = PlatformRightField(default=False, help_text="Staff with access to the platform scope.")
    is_superuser = PlatformRightField(default=False, help_text="Platform staff with all permissions.")
    is_verified = models.BooleanField(default=False, help_text="Whether the e-mail address is verified.")
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="Deletion time.")
    password_changed_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Time at which the password was last set."
    )

    objects = UserManager()

    # None until the row exists.
    _stored_rights: tuple[Any, ...] | None = None

    class Meta(GlobalModel.Meta):
        indexes = [models.Index(fields=["status"], name="accounts_user_status")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(email=models.functions.Lower("email")), name="accounts_user_email_lower"
            ),
            models.CheckConstraint(
                condition=models.Q(email__regex=r"^[^@\s]+@[^@\s]+$"), name="accounts_user_email_form"
            ),
            choices_constraint("status", UserStatus.values),
        ]

    def __str__(self) -> str:
        return self.full_name or self.email

    @classmethod
    def from_db(cls, *args: Any) -> Any:
        user = super().from_db(*args)
        user._stored_rights = user._rights()
        return user

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        super().refresh_from_db(*args, **kwargs)
        self._stored_rights = self._rights()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the user; outside a scope, record the request in the audit log.

        Only the platform scope may write rights, so they are written only if they changed.
        """
        if kwargs.get("update_fields") is None and self._rights() == self._stored_rights:
            kwargs["update_fields"] = IDENTITY_COLUMNS
        if current_scope() is not None or (scope := request_scope()) is None:
            super().save(*args, **kwargs)
        else:
            with transaction.atomic(), apply_scope(scope):
                super().save(*args, **kwargs)
        self._stored_rights = self._rights()

    def _rights(self) -> tuple[Any, ...]:
        return tuple(self.__dict__.get(name) for name in PLATFORM_RIGHTS)

    def set_password(self, raw_password: str | None) -> None:
        """Set the password and the time of the change; rehashing keeps the time."""
        super().set_password(raw_password)
        self.password_changed_at = timezone.now()

    def clean(self) -> None:
        self.email = (self.email or "").strip().lower()

    @property
    def full_name(self) -> str:
        """Return the first and last name, or the username if both are empty."""
        return f"{self.first_name} {self.last_name}".strip() or self.username

    def get_full_name(self) -> str:
        return self.full_name or self.email

    def get_short_name(self) -> str:
        return self.first_name or self.email

    # The console checks permissions in config.admin.bases; Django's model permissions are not used.
    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return bool(self.is_active and self.is_superuser)

    def has_perms(self, perm_list: Any, obj: Any = None) -> bool:
        return all(self.has_perm(perm, obj) for perm in perm_list)

    def has_module_perms(self, app_label: str) -> bool:
        return self.has_perm(app_label)
