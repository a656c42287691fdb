"""Security events and their review."""

from django.db import models

from audit.choices import AuditStatus, EventCategory, ReviewState, Severity
from config.db.constraints import TENANT_CLAUSE, choices_constraint
from config.db.partitions import PartitionedMixin
from config.tenancy.managers import ScopedManager, ScopedQuerySet
from config.tenancy.models import BaseModel, PartitionedTimestampMixin

REVIEW = ("requires_review", "reviewed_at", "reviewed_by", "assigned_to", "review_comments")


class SecurityAuditLog(PartitionedTimestampMixin, PartitionedMixin, BaseModel):
    """A security event: sign-in, denied access, or change of permissions or configuration.

    Holds plain IDs, because events outlive the tenants and users they refer to.
    """

    scope_kind = "tenant"
    audit_exempt = "an audit log itself"
    row_security = {
        "read": TENANT_CLAUSE,
        "verbs": "SELECT, INSERT, UPDATE",
        "columns": REVIEW,
        "identity": "SELECT, INSERT",
        "identity_rows": "tenant_id IS NULL",
        "operator": "SELECT, INSERT, UPDATE",
        "operator_columns": REVIEW,
    }

    updated_at = None
    tenant_id = models.UUIDField(null=True, blank=True, help_text="Affected tenant, if any.")
    event_type = models.CharField(max_length=100, help_text="Type of event, such as `auth.login_failed`.")
    event_category = models.CharField(max_length=50, choices=EventCategory, help_text="Event category.")
    severity = models.CharField(
        max_length=20,
        choices=Severity,
        default=Severity.INFO,
        db_default=Severity.INFO,
        help_text="Severity.",
    )
    actor_user_id = models.UUIDField(null=True, blank=True, help_text="User who acted, if known.")
    actor_email = models.CharField(max_length=255, blank=True, default="", help_text="E-mail entered.")
    actor_role = models.CharField(max_length=50, blank=True, default="", help_text="Role at that time.")
    target_type = models.CharField(
        max_length=50, blank=True, default="", help_text="Type of resource affected."
    )
    target_id = models.CharField(max_length=255, blank=True, default="", help_text="ID of the resource.")
    target_details = models.JSONField(default=dict, db_default={}, blank=True, help_text="Resource details.")
    ip_address = models.GenericIPAddressField(null=True, blank=True, help_text="IP address.")
    user_agent = models.TextField(blank=True, default="", help_text="User agent.")
    request_id = models.CharField(max_length=255, blank=True, default="", help_text="Request ID.")
    session_id = models.CharField(
        max_length=255, blank=True, default="", help_text="Hash of the session key."
    )
    action = models.CharField(max_length=100, help_text="Attempted action.")
    result = models.CharField(max_length=20, choices=AuditStatus, help_text="Result of the action.")
    error_code = models.CharField(max_length=50, blank=True, default="", help_text="Error code.")
    details = models.JSONField(default=dict, db_default={}, blank=True, help_text="Additional details.")
    occurrences = models.PositiveIntegerField(
        default=1, help_text="Number of occurrences in this minute; later ones are counted instead of stored."
    )
    last_occurred_at = models.DateTimeField(null=True, blank=True, help_text="Latest occurrence.")
    requires_review = models.BooleanField(
        default=False, db_default=False, help_text="Whether the event needs review."
    )
    assigned_to = models.UUIDField(null=True, blank=True, help_text="Member who reviews the event.")
    review_comments = models.JSONField(
        default=list, blank=True, help_text="Comments on the review: `text`, `user_id` and `created_at`."
    )
    reviewed_at = models.DateTimeField(null=True, blank=True, help_text="When the review was closed.")
    reviewed_by = models.UUIDField(null=True, blank=True, help_text="User who closed the review.")

    review_state = models.GeneratedField(
        expression=models.Case(
            models.When(reviewed_at__isnull=False, then=models.Value(ReviewState.CLOSED.value)),
            models.When(requires_review=False, then=models.Value(ReviewState.NONE.value)),
            models.When(assigned_to__isnull=False, then=models.Value(ReviewState.ASSIGNED.value)),
            default=models.Value(ReviewState.OPEN.value),
        ),
        output_field=models.CharField(max_length=20),
        db_persist=True,
        choices=ReviewState,
        help_text="State of the review.",
    )

    objects = ScopedManager()
    unscoped = models.Manager.from_queryset(ScopedQuerySet)()

    class Meta(BaseModel.Meta):
        base_manager_name = "unscoped"
        indexes = [
            models.Index(fields=["tenant_id", "-id"], name="audit_security_latest"),
            models.Index(fields=["tenant_id", "event_type", "-id"], name="audit_security_event"),
            models.Index(fields=["tenant_id", "actor_user_id", "-id"], name="audit_security_actor"),
            models.Index(
                fields=["tenant_id", "-id"],
                condition=models.Q(requires_review=True, reviewed_at=None),
                name="audit_security_to_review",
            ),
        ]
        constraints = [
            choices_constraint("event_category", EventCategory.values, name="audit_security_category_known"),
            choices_constraint("severity", Severity.values, name="audit_security_severity_known"),
            choices_constraint("result", AuditStatus.values, name="audit_security_result_known"),
            choices_constraint("review_state", ReviewState.values, name="audit_security_review_known"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type}: {self.result}"
