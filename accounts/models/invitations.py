"""Invitations to become a member of a tenant."""

from django.db import models

from accounts.choices import InvitationStatus, MemberRole
from config.db.constraints import choices_constraint, unique_per_tenant
from config.tenancy.models import MemberForeignKey, TenantModel


class Invitation(TenantModel):
    """An invitation of an e-mail address to a tenant.

    The row refers to no user before the invited person accepts, so it reveals nothing about the address. Only a
    digest of the token in the link is stored.
    """

    row_security = {"hidden": ("token_digest",)}
    audit_redact = ("token_digest",)

    email = models.EmailField(max_length=255, help_text="Invited e-mail address, in lower case.")
    role = models.CharField(
        max_length=50, choices=MemberRole, default=MemberRole.USER, help_text="Role after acceptance."
    )
    message = models.TextField(
        max_length=1000, blank=True, default="", help_text="Message to the invited person."
    )
    status = models.CharField(
        max_length=20,
        choices=InvitationStatus,
        default=InvitationStatus.PENDING,
        editable=False,
        help_text="Status of the invitation.",
    )
    token_digest = models.BinaryField(
        null=True, unique=True, editable=False, help_text="SHA-256 of the token in the link."
    )
    expires_at = models.DateTimeField(
        help_text="Expiry time. By default 7 days after the invitation is sent."
    )
    sent_at = models.DateTimeField(editable=False, help_text="Time at which the latest e-mail was sent.")
    settled_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Time at which it was accepted, declined or revoked."
    )
    invited_by = MemberForeignKey(models.CASCADE, null=True, editable=False, help_text="User who invited.")
    accepted_by = MemberForeignKey(models.CASCADE, null=True, editable=False, help_text="User who accepted.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "status"], name="accounts_invitation_status"),
            models.Index(
                fields=["email"],
                condition=models.Q(status=InvitationStatus.PENDING),
                name="accounts_invitation_pending",
            ),
        ]
        constraints = [
            unique_per_tenant(
                "email",
                suffix="open",
                condition=models.Q(status=InvitationStatus.PENDING),
                message="An invitation to this address is already open.",
            ),
            choices_constraint("role", MemberRole.values),
            choices_constraint("status", InvitationStatus.values),
            models.CheckConstraint(
                condition=models.Q(email=models.functions.Lower("email")),
                name="accounts_invitation_email_lower",
            ),
            models.CheckConstraint(
                condition=models.Q(status=InvitationStatus.PENDING) | models.Q(token_digest=None),
                name="accounts_invitation_token_once",
                violation_error_message="Only a pending invitation has a token.",
            ),
        ]

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        self.email = (self.email or "").strip().lower()
