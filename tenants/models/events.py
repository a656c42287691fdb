"""Outgoing events."""

from django.db import models

from config.db.partitions import PartitionedMixin
from config.db.types import CurrentTransactionId, TransactionIdField
from config.tenancy.models import PartitionedTimestampMixin, TenantModel


class OutboxEvent(PartitionedTimestampMixin, PartitionedMixin, TenantModel):
    """An event, stored in the transaction of the change that it reports.

    Consumers read events in the order of (`xid`, `id`) and only below the oldest transaction in progress, so that no
    event with a lower position appears later.
    """

    audit_exempt = "itself a log of changes that are audited"
    row_security = {"verbs": "SELECT, INSERT, UPDATE", "columns": ("relayed_at",)}

    updated_at = None
    type = models.CharField(max_length=100, help_text="Type of event, such as `document.indexed`.")
    key = models.CharField(
        max_length=255, blank=True, default="", help_text="Key of which only one event is published."
    )
    data = models.JSONField(default=dict, help_text="Data, in the schema of the type.")
    xid = TransactionIdField(
        db_default=CurrentTransactionId(), editable=False, help_text="Transaction that wrote the event."
    )
    relayed_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When deliveries and notifications were queued."
    )

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "type", "-id"], name="tenants_outbox_type"),
            models.Index(fields=["tenant", "key"], condition=~models.Q(key=""), name="tenants_outbox_key"),
            models.Index(
                fields=["tenant", "xid", "id"],
                condition=models.Q(relayed_at=None),
                name="tenants_outbox_waiting",
            ),
        ]

    def __str__(self) -> str:
        return self.type
