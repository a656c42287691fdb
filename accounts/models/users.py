"""Users."""

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import is_password_usable
from django.db import models, transaction
from django.utils import timezone

from accounts import passwords
from accounts.choices import UserStatus
from accounts.fields import UNREADABLE_HASH, PasswordHashField, PlatformRightField, is_readable
from accounts.managers import UserManager
from config.db.constraints import choices_constraint
from config.db.session import apply_scope, current_scope, request_scope
from config.tenancy.models import GlobalModel

PLATFORM_RIGHTS = ("is_staff", "is_superuser")
# Columns that sign-in work may change.
IDENTITY_COLUMNS = (
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
    "updated_at",
)
PASSWORD_COLUMNS = ("password", "password_changed_at")


class User(AbstractBaseUser, GlobalModel):
    """A user account, shared by all tenants; a `Membership` links it to a tenant."""

    row_security = {
        "read": "id IN (SELECT user_id FROM accounts_membership)",
        "verbs": "SELECT",
        "identity": "SELECT, INSERT, UPDATE",
        "identity_columns": IDENTITY_COLUMNS,
        "identity_insert": "NOT (is_staff OR is_superuser)",
        "operator_columns": (*IDENTITY_COLUMNS, *PLATFORM_RIGHTS),
        "secret": ("password",),
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
        db_default=UserStatus.ACTIVE,
        help_text="Status of the account.",
    )
    is_active = models.BooleanField(
        default=True, db_default=True, help_text="Designates whether the user can sign in."
    )
    is_staff = PlatformRightField(default=False, help_text="Staff with access to the platform scope.")
    is_superuser = PlatformRightField(
        default=False, db_default=False, help_text="Platform staff with all permissions."
    )
    is_verified = models.BooleanField(
        default=False, db_default=False, help_text="Whether the e-mail address is verified."
    )
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="Deletion time.")
    password_changed_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="Time at which the password was last set. Null without a password.",
    )

    objects = UserManager()

    # As stored; None until the row exists.
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
        user._withhold_hash()
        return user

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        super().refresh_from_db(*args, **kwargs)
        self._stored_rights = self._rights()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the user; outside a scope, record the request in the audit log.

        Only the platform scope may write rights, so they are written only if they changed. The password of an existing
        user is set by a function of the database, outside any scope.
        """
        adding = self._state.adding
        new_hash = "" if adding else self._take_new_hash(kwargs)
        if adding and not is_password_usable(self.password):
            self.password_changed_at = None
        if current_scope() is not None or (scope := request_scope()) is None:
            super().save(*args, **kwargs)
        else:
            with transaction.atomic(), apply_scope(scope):
                super().save(*args, **kwargs)
        self._stored_rights = self._rights()
        if new_hash:
            self.password_changed_at = timezone.now() if is_password_usable(new_hash) else None
            passwords.store_hash(self.pk, new_hash, self.password_changed_at)
        if new_hash or adding:
            self._withhold_hash()

    def _take_new_hash(self, options: dict[str, Any]) -> str:
        """Return the hash to set, or an empty string, and limit `update_fields` to columns that are updated."""
        names = options.get("update_fields")
        changed = is_readable(self.password) and (names is None or "password" in names)
        if names is None:
            rights = () if self._rights() == self._stored_rights else PLATFORM_RIGHTS
            names = (*IDENTITY_COLUMNS, *rights)
        options["update_fields"] = [name for name in names if name not in PASSWORD_COLUMNS]
        return self.password if changed else ""

    def _rights(self) -> tuple[Any, ...]:
        return tuple(self.__dict__.get(name) for name in PLATFORM_RIGHTS)

    def _withhold_hash(self) -> None:
        """Replace the hash by a placeholder that changes with each password.

        Sessions, links to reset passwords and trusted browsers contain a digest of it.
        """
        if "password" in self.__dict__:
            changed_at = self.__dict__.get("password_changed_at")
            self.password = f"{UNREADABLE_HASH}{changed_at.timestamp() if changed_at else ''}"

    def set_password(self, raw_password: str | None) -> None:
        """Set the password and the time of the change."""
        super().set_password(raw_password)
        self.password_changed_at = timezone.now()

    def check_password(self, raw_password: str | None) -> bool:
        """Return whether the password is right. Call it outside any scope."""
        if is_readable(self.password):
            return bool(super().check_password(raw_password))
        return passwords.check_password(self.pk, raw_password)

    def has_usable_password(self) -> bool:
        if is_readable(self.password):
            return bool(super().has_usable_password())
        return self.password_changed_at is not None

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
