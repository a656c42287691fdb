"""Memberships, roles and role assignments."""

from django.db import models
from django.db.models.functions import Now

from accounts.choices import MemberRole, MemberStatus, RoleScope
from config.db.constraints import choices_constraint, unique_per_tenant
from config.tenancy.models import MemberForeignKey, TenantForeignKey, TenantModel


class Membership(TenantModel):
    """A user's membership in a tenant: role, status and additional permissions."""

    audit_omit = ("last_chosen_at",)

    user = models.ForeignKey(
        "accounts.User", on_delete=models.CASCADE, related_name="memberships", help_text="Member."
    )
    role = models.CharField(
        max_length=50,
        choices=MemberRole,
        default=MemberRole.USER,
        db_default=MemberRole.USER,
        help_text="Role of the member.",
    )
    status = models.CharField(
        max_length=20,
        choices=MemberStatus,
        default=MemberStatus.ACTIVE,
        help_text="Only active members have access.",
    )
    permissions = models.JSONField(
        default=list, blank=True, help_text='Additional permissions, such as ["agents:execute"].'
    )
    joined_at = models.DateTimeField(null=True, blank=True, help_text="When the member joined.")
    last_chosen_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="When the member last chose this tenant in the console.",
    )

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "status"], name="accounts_membership_status")]
        constraints = [
            unique_per_tenant("user", message="This user is already a member."),
            choices_constraint("role", MemberRole.values),
            choices_constraint("status", MemberStatus.values),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.get_role_display()})"


class Role(TenantModel):
    """A named set of permissions defined by a tenant."""

    name = models.CharField(max_length=100, help_text="Name of the role.")
    slug = models.SlugField(max_length=100, help_text="Unique name of the role in the API.")
    description = models.TextField(blank=True, default="", help_text="What the role is for.")
    permissions = models.JSONField(
        default=list, blank=True, help_text='Permissions, such as ["agents:read", "agents:execute"].'
    )
    is_system = models.BooleanField(default=False, editable=False, help_text="Predefined role.")

    class Meta(TenantModel.Meta):
        constraints = [
            unique_per_tenant("slug", suffix="slug", message="A role with this slug already exists.")
        ]

    def __str__(self) -> str:
        return self.name


class RoleAssignment(TenantModel):
    """A role assigned to a user for a tenant or an engagement, with optional expiry."""

    user = MemberForeignKey(models.CASCADE, related_name="role_assignments", help_text="User with the role.")
    role = TenantForeignKey(Role, models.CASCADE, related_name="assignments", help_text="Assigned role.")
    scope = models.CharField(
        max_length=20, choices=RoleScope, default=RoleScope.TENANT, help_text="Reach of the role."
    )
    engagement = TenantForeignKey(
        "tenants.Engagement",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        help_text="Engagement that the role applies to. Required for the engagement scope.",
    )
    is_active = models.BooleanField(
        default=True, db_default=True, help_text="Designates whether the assignment is in effect."
    )
    granted_at = models.DateTimeField(db_default=Now(), help_text="Time at which the role was assigned.")
    granted_by = MemberForeignKey(help_text="User who assigned the role.", editable=False)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Expiry time, if any.")

    class Meta(TenantModel.Meta):
        constraints = [
            unique_per_tenant(
                "user", "role", "engagement", message="This user already has this role.", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=models.Q(scope=RoleScope.TENANT, engagement=None)
                | models.Q(scope=RoleScope.ENGAGEMENT, engagement__isnull=False),
                name="accounts_roleassignment_role_scope",
                violation_error_message="Set an engagement for the engagement scope only.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} for {self.user}"
