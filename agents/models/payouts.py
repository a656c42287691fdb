"""The ledger of sellers in the market, and their payouts."""

from django.db import models

from agents.choices import LedgerEntryKind, PayoutMethod, PayoutStatus
from config.db.constraints import choices_constraint, unique_per_tenant
from config.tenancy.models import TenantForeignKey, TenantModel


class Payout(TenantModel):
    """A payment of the seller's share of the sales until the end of a month.

    Its amount is the sum of its ledger entries, which a trigger checks. Only the platform writes it.
    """

    row_security = {"verbs": "SELECT"}

    period_start = models.DateField(help_text="First day of the month.")
    period_end = models.DateField(help_text="Last day of the month, in UTC.")
    sale_count = models.PositiveIntegerField(help_text="Number of sales.")
    refund_count = models.PositiveIntegerField(help_text="Number of refunds.")
    sold = models.DecimalField(max_digits=14, decimal_places=2, help_text="Prices of sales less refunds.")
    platform_fee = models.DecimalField(
        max_digits=14, decimal_places=2, help_text="The platform's share of that."
    )
    amount = models.DecimalField(max_digits=14, decimal_places=2, help_text="The seller's share of that.")
    currency = models.CharField(max_length=3, default="USD", help_text="Currency as an ISO 4217 code.")
    status = models.CharField(
        max_length=20,
        choices=PayoutStatus,
        default=PayoutStatus.PENDING,
        db_default=PayoutStatus.PENDING,
        help_text="Payout status.",
    )
    method = models.CharField(max_length=20, choices=PayoutMethod, help_text="How it is paid.")
    destination = models.CharField(
        max_length=255, blank=True, default="", help_text="Account of the seller at the payment provider."
    )
    transaction_id = models.CharField(
        max_length=255, blank=True, default="", help_text="ID at the payment provider, or a reference."
    )
    error = models.CharField(
        max_length=500, blank=True, default="", help_text="Why the latest attempt failed."
    )
    refusals = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Number of attempts that the payment provider refused."
    )
    paid_at = models.DateTimeField(null=True, blank=True, help_text="When it was paid.")

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "status"], name="agents_payout_status")]
        constraints = [
            unique_per_tenant(
                "period_start", "currency", suffix="month_once", message="This month already has a payout."
            ),
            choices_constraint("status", PayoutStatus.values),
            choices_constraint("method", PayoutMethod.values),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="agents_payout_amount"),
            models.CheckConstraint(
                condition=models.Q(amount=models.F("sold") - models.F("platform_fee")),
                name="agents_payout_share",
                violation_error_message="The amount must be the sales less the platform's share.",
            ),
            models.CheckConstraint(
                condition=models.Q(period_end__gte=models.F("period_start")),
                name="agents_payout_period",
                violation_error_message="The period must not end before it starts.",
            ),
            models.CheckConstraint(
                condition=models.Q(status=PayoutStatus.PAID, paid_at__isnull=False)
                | (~models.Q(status=PayoutStatus.PAID) & models.Q(paid_at=None)),
                name="agents_payout_paid_at",
                violation_error_message="A payout has a payment time if and only if it is paid.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} of {self.period_start:%Y-%m}"


class LedgerEntry(TenantModel):
    """A sale or a refund in the ledger of the seller's organisation.

    A trigger on purchases writes it when a purchase is paid or refunded. It stays if the buyer's organisation is
    deleted. The amounts of refunds are negative.
    """

    row_security = {"verbs": "SELECT"}
    audit_level = "statement"

    purchase_id = models.UUIDField(help_text="The purchase.")
    template_id = models.UUIDField(help_text="The template.")
    kind = models.CharField(max_length=20, choices=LedgerEntryKind, help_text="Kind of entry.")
    price = models.DecimalField(max_digits=10, decimal_places=2, help_text="Price paid or refunded.")
    platform_fee = models.DecimalField(
        max_digits=10, decimal_places=2, help_text="The platform's share of the price."
    )
    amount = models.DecimalField(
        max_digits=10, decimal_places=2, help_text="The seller's share of the price."
    )
    currency = models.CharField(
        max_length=3, default="USD", db_default="USD", help_text="Currency as an ISO 4217 code."
    )
    occurred_at = models.DateTimeField(help_text="When the purchase was paid or refunded.")
    payout = TenantForeignKey(
        Payout,
        models.SET_NULL,
        related_name="entries",
        help_text="Payout that contains it. Null: not paid out.",
    )

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "payout"], name="agents_ledgerentry_payout"),
            models.Index(fields=["tenant", "-occurred_at"], name="agents_ledgerentry_latest"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "purchase_id", "kind"], name="agents_ledgerentry_purchase_once"
            ),
            choices_constraint("kind", LedgerEntryKind.values),
            models.CheckConstraint(
                condition=models.Q(amount=models.F("price") - models.F("platform_fee")),
                name="agents_ledgerentry_share",
                violation_error_message="The amount must be the price less the platform's share.",
            ),
            models.CheckConstraint(
                condition=models.Q(kind=LedgerEntryKind.SALE, amount__gte=0)
                | models.Q(kind=LedgerEntryKind.REFUND, amount__lte=0),
                name="agents_ledgerentry_sign",
                violation_error_message="A sale is not negative, and a refund is not positive.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.price} {self.currency}"
