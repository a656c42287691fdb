"""Memberships, roles and role assignments."""

from django.db import models
from django.db.models.functions import Now

from accounts.choices import MemberRole, MemberStatus, RoleScope
from config.tenancy.models import MemberForeignKey, TenantForeignKey, TenantModel


class Membership(TenantModel):
    """A user's membership in a tenant: role, status and additional permissions."""

    user = models.ForeignKey(
        "accounts.User", on_delete=models.CASCADE, related_name="memberships", help_text="The person."
    )
    role = models.CharField(
        max_length=50, choices=MemberRole, default=MemberRole.USER, help_text="Decides the basic permissions."
    )
    status = models.CharField(
        max_length=20,
        choices=MemberStatus,
        default=MemberStatus.ACTIVE,
        help_text="Only active members work.",
    )
    permissions = models.JSONField(
        default=list, blank=True, help_text='Further permissions, such as ["agents:execute"].'
    )
    joined_at = models.DateTimeField(null=True, blank=True, help_text="When the invitation was accepted.")

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "status"], name="accounts_membership_status")]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "user"],
                name="accounts_membership_once",
                violation_error_message="This person is a member already.",
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=MemberRole.values), name="accounts_membership_role_known"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=MemberStatus.values), name="accounts_membership_status_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.get_role_display()})"


class Role(TenantModel):
    """A named set of permissions defined by a tenant."""

    name = models.CharField(max_length=100, help_text="Name of the role.")
    slug = models.SlugField(max_length=100, help_text="Name in the API.")
    description = models.TextField(blank=True, default="", help_text="What people with it do.")
    permissions = models.JSONField(
        default=list, blank=True, help_text='Permissions, such as ["agents:read", "agents:execute"].'
    )
    is_system = models.BooleanField(default=False, editable=False, help_text="Came with the tenant.")

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "slug"],
                name="accounts_role_slug",
                violation_error_message="A role with this slug exists already.",
            )
        ]

    def __str__(self) -> str:
        return self.name


class RoleAssignment(TenantModel):
    """A role assigned to a user for a tenant or an engagement, with optional expiry."""

    user = MemberForeignKey(models.CASCADE, related_name="role_assignments", help_text="Who has the role.")
    role = TenantForeignKey(Role, models.CASCADE, related_name="assignments", help_text="The role.")
    scope = models.CharField(
        max_length=20, choices=RoleScope, default=RoleScope.TENANT, help_text="How far it reaches."
    )
    engagement = TenantForeignKey(
        "tenants.Engagement",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        help_text="The engagement it is bound to.",
    )
    is_active = models.BooleanField(default=True, help_text="Cleared: it does not count.")
    granted_at = models.DateTimeField(db_default=Now(), help_text="When it was given.")
    granted_by = MemberForeignKey(help_text="Who gave it.", editable=False)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="When it ends.")

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "user", "role", "engagement"],
                nulls_distinct=False,
                name="accounts_roleassignment_once",
                violation_error_message="This person has the role already.",
            ),
            models.CheckConstraint(
                condition=models.Q(scope=RoleScope.TENANT, engagement=None)
                | models.Q(scope=RoleScope.ENGAGEMENT, engagement__isnull=False),
                name="accounts_roleassignment_role_scope",
                violation_error_message="An engagement's role names the engagement, a tenant's does not.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} for {self.user}"
