"""Meter events, usage metrics and costs."""

from decimal import Decimal

from django.contrib.postgres.indexes import GinIndex
from django.db import models

from config.db.constraints import choices_constraint
from config.db.partitions import PartitionedByQuarterMixin, PartitionedMixin
from config.tenancy.models import PartitionedTimestampMixin, TenantModel
from tenants.choices import MetricType, UsageInterval

from .plans import CURRENCY


class AttributedUsageModel(TenantModel):
    """Base of usage rows: what caused the usage. Holds plain IDs, because it outlives their rows."""

    updated_at = None
    engagement_id = models.UUIDField(null=True, blank=True, help_text="Engagement of the usage.")
    agent_id = models.UUIDField(null=True, blank=True, help_text="Agent that caused the usage.")
    user_id = models.UUIDField(null=True, blank=True, help_text="User who caused the usage.")
    key_id = models.UUIDField(null=True, blank=True, help_text="API key that caused the usage.")
    model = models.CharField(max_length=100, blank=True, db_default="", help_text="Model used.")
    service = models.CharField(
        max_length=100, blank=True, db_default="", help_text="Provider, tool or API resource used."
    )
    events = models.PositiveBigIntegerField(db_default=1, help_text="Number of calls or rows.")
    completion_tokens = models.PositiveBigIntegerField(
        db_default=0, help_text="Output tokens among the tokens."
    )
    cost = models.DecimalField(
        max_digits=18, decimal_places=6, db_default=Decimal(0), help_text="In US dollars."
    )

    class Meta(TenantModel.Meta):
        abstract = True


class MeterEvent(PartitionedTimestampMixin, PartitionedMixin, AttributedUsageModel):
    """Usage that happened, recorded in its transaction and added to the metrics once."""

    audit_exempt = "itself a log, append-only for tenants"
    row_security = {"verbs": "SELECT, INSERT"}

    metric_type = models.CharField(max_length=50, choices=MetricType, help_text="Metric.")
    quantity = models.PositiveBigIntegerField(db_default=1, help_text="Amount, in the unit of the metric.")
    occurred_at = models.DateTimeField(help_text="When it happened; may be before the creation time.")
    is_rolled_up = models.BooleanField(
        db_default=False, editable=False, help_text="Whether the metrics include it."
    )

    class Meta(AttributedUsageModel.Meta):
        indexes = [
            models.Index(
                fields=["tenant", "id"],
                name="tenants_meterevent_open",
                condition=models.Q(is_rolled_up=False),
            )
        ]
        constraints = [
            choices_constraint("metric_type", MetricType.values, name="tenants_meterevent_type_known"),
            models.CheckConstraint(condition=models.Q(cost__gte=0), name="tenants_meterevent_cost"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} {self.metric_type}"


class UsageMetric(PartitionedTimestampMixin, PartitionedMixin, AttributedUsageModel):
    """Usage of a metric in a period. Its ID is derived from the period and from what caused the usage."""

    audit_exempt = "itself a log, append-only for tenants"
    row_security = {"verbs": "SELECT, INSERT"}

    metric_type = models.CharField(max_length=50, choices=MetricType, help_text="Metric.")
    metric_value = models.PositiveBigIntegerField(help_text="Value of the metric.")
    interval = models.CharField(
        max_length=10, choices=UsageInterval, db_default=UsageInterval.DAY, help_text="Length of the period."
    )
    metadata = models.JSONField(default=dict, blank=True, help_text="Additional details.")
    period_start = models.DateTimeField(help_text="Start of the period.")
    period_end = models.DateTimeField(help_text="End of the period.")

    class Meta(AttributedUsageModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "-id"], name="tenants_usagemetric_latest"),
            models.Index(fields=["tenant", "interval", "id"], name="tenants_usagemetric_interval"),
            models.Index(
                fields=["tenant", "metric_type", "period_start", "period_end"],
                name="tenants_usagemetric_period",
            ),
            models.Index(fields=["tenant", "agent_id", "-id"], name="tenants_usagemetric_agent"),
            models.Index(fields=["tenant", "user_id", "-id"], name="tenants_usagemetric_user"),
            GinIndex(fields=["metadata"], name="tenants_usagemetric_metadata"),
        ]
        constraints = [
            choices_constraint("metric_type", MetricType.values, name="tenants_usagemetric_type_known"),
            choices_constraint("interval", UsageInterval.values, name="tenants_usagemetric_interval_known"),
            models.CheckConstraint(
                condition=models.Q(period_end__gte=models.F("period_start")),
                name="tenants_usagemetric_period_order",
                violation_error_message="The period must not end before it starts.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.metric_value} {self.metric_type}"


class CostRecord(PartitionedTimestampMixin, PartitionedByQuarterMixin, TenantModel):
    """Cost of a service on a day. Holds plain IDs, because it outlives their rows."""

    audit_exempt = "itself a log, append-only for tenants"
    row_security = {"verbs": "SELECT, INSERT"}

    updated_at = None
    user_id = models.UUIDField(null=True, blank=True, help_text="User who caused the cost.")
    service = models.CharField(max_length=100, help_text="Service that charged.")
    amount = models.DecimalField(max_digits=14, decimal_places=6, help_text="Amount.")
    currency = models.CharField(
        max_length=3,
        default="USD",
        db_default="USD",
        validators=[CURRENCY],
        help_text="Currency as an ISO 4217 code.",
    )
    usage_data = models.JSONField(default=dict, blank=True, help_text="Details of the usage.")
    date = models.DateField(help_text="Day of the usage.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "-id"], name="tenants_costrecord_latest"),
            models.Index(fields=["tenant", "service", "-date"], name="tenants_costrecord_service"),
            models.Index(fields=["tenant", "-date"], name="tenants_costrecord_date"),
            models.Index(fields=["tenant", "user_id", "-id"], name="tenants_costrecord_user"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(amount__gte=0),
                name="tenants_costrecord_amount",
                violation_error_message="The amount cannot be negative.",
            ),
            models.CheckConstraint(
                condition=models.Q(currency__regex=r"^[A-Z]{3}$"), name="tenants_costrecord_currency"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.amount} {self.currency}"
