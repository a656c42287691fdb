"""Webhook endpoints and deliveries."""

from django.core.exceptions import ValidationError
from django.core.validators import MinLengthValidator
from django.db import models
from django.db.models.functions import Now

from config.db.constraints import choices_constraint
from config.db.partitions import PartitionedMixin
from config.encryption.fields import EncryptedTextField
from config.http.fetch import FetchError, check_url
from config.tenancy.models import MemberForeignKey, PartitionedTimestampMixin, TenantForeignKey, TenantModel
from tenants.choices import DeliveryStatus
from tenants.event_types import EVENT_TYPES


def validate_webhook_url(value: str) -> None:
    """Require a URL that the guarded client accepts.

    Raises:
        ValidationError: The syntax, the scheme or the port is not allowed.
    """
    try:
        check_url(value)
    except FetchError as error:
        raise ValidationError(str(error)) from error


def validate_event_types(value: object) -> None:
    """Require a list of known event types.

    Raises:
        ValidationError: It contains something else.
    """
    if not isinstance(value, list):
        raise ValidationError("Enter a list of event types.")
    if unknown := [each for each in value if not isinstance(each, str) or each not in EVENT_TYPES]:
        raise ValidationError(f"Unknown event types: {', '.join(map(str, unknown))}.")


class WebhookEndpoint(TenantModel):
    """A URL that receives events of the tenant, signed with the endpoint's secret."""

    url = models.CharField(
        max_length=2000,
        validators=[validate_webhook_url],
        help_text="URL that receives the events by POST.",
    )
    description = models.CharField(max_length=255, blank=True, default="", help_text="What it is used for.")
    event_types = models.JSONField(
        default=list,
        blank=True,
        validators=[validate_event_types],
        help_text="Types of events to send. Empty: all.",
    )
    is_enabled = models.BooleanField(
        default=True, help_text="Whether events are sent. Deliveries of a disabled endpoint wait."
    )
    secret = EncryptedTextField(
        validators=[MinLengthValidator(1)],
        editable=False,
        help_text="Secret that signs the requests (`whsec_…`), encrypted.",
    )
    previous_secret = EncryptedTextField(
        null=True, blank=True, editable=False, help_text="Secret before the rotation, encrypted."
    )
    rotation_ends_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Until when the previous secret signs too."
    )
    created_by = MemberForeignKey(editable=False, help_text="Member who added the endpoint.")

    def __str__(self) -> str:
        return self.url


class WebhookDelivery(PartitionedTimestampMixin, PartitionedMixin, TenantModel):
    """The sending of one event to one endpoint, with its latest attempts."""

    audit_exempt = "itself a log, written by the worker"
    row_security = {
        "verbs": "SELECT, INSERT, UPDATE",
        "columns": (
            "status",
            "attempt_count",
            "attempts_left",
            "next_attempt_at",
            "response_status",
            "error",
            "attempts",
            "completed_at",
        ),
    }

    updated_at = None
    endpoint = TenantForeignKey(
        "tenants.WebhookEndpoint",
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="deliveries",
        help_text="Endpoint that receives the event.",
    )
    event_id = models.UUIDField(help_text="ID of the event, sent as `webhook-id`.")
    event_type = models.CharField(max_length=100, help_text="Type of the event.")
    status = models.CharField(
        max_length=20,
        choices=DeliveryStatus,
        default=DeliveryStatus.PENDING,
        help_text="Status of the delivery.",
    )
    attempt_count = models.PositiveIntegerField(default=0, help_text="Number of attempts.")
    attempts_left = models.PositiveSmallIntegerField(help_text="Number of attempts before it is given up.")
    next_attempt_at = models.DateTimeField(
        db_default=Now(), help_text="Time of the next attempt; during an attempt, the end of its time limit."
    )
    response_status = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="HTTP status of the latest response."
    )
    error = models.CharField(max_length=255, blank=True, default="", help_text="Error of the latest attempt.")
    attempts = models.JSONField(
        default=list,
        blank=True,
        help_text="Latest attempts: `at`, `status`, `milliseconds`, `error` and `response`, the start of the body.",
    )
    completed_at = models.DateTimeField(null=True, blank=True, help_text="When it succeeded or was given up.")

    class Meta(TenantModel.Meta):
        verbose_name_plural = "webhook deliveries"
        indexes = [
            models.Index(fields=["tenant", "endpoint", "-id"], name="tenants_delivery_endpoint"),
            models.Index(fields=["tenant", "event_id"], name="tenants_delivery_event"),
            models.Index(
                fields=["tenant", "endpoint", "next_attempt_at"],
                condition=models.Q(status="pending"),
                name="tenants_delivery_due",
            ),
        ]
        constraints = [
            choices_constraint("status", DeliveryStatus.values, name="tenants_delivery_status_known")
        ]

    def __str__(self) -> str:
        return f"{self.event_type}: {self.status}"
