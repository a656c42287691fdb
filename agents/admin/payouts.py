"""Console pages for payouts and the ledger of sellers."""

from django.contrib import admin, messages

from agents.choices import PayoutMethod, PayoutStatus
from agents.models import LedgerEntry, Payout
from agents.services.payouts import confirm_manual_payout
from agents.tasks import send_payout
from config.admin.bases import ReadOnlyAdmin, fieldset
from config.admin.inlines import ReadOnlyInline

from .settlement import SettlementAdmin


class LedgerEntryInline(ReadOnlyInline):
    model = LedgerEntry
    resource = "purchases"
    fields = ("occurred_at", "kind", "price", "platform_fee", "amount")
    verbose_name_plural = "Sales and refunds"


@admin.register(Payout)
class PayoutAdmin(SettlementAdmin):
    """The statement of each month with a payout."""

    resource = "purchases"
    icon = "payments"
    title = "Payouts"
    position = 67
    list_display = ("period_start", "sold", "platform_fee", "amount", "currency", "status", "method")
    list_filter = ("status", "method")
    search_fields = ("transaction_id__exact",)
    search_help_text = "Exact transaction ID."
    inlines = (LedgerEntryInline,)
    fieldsets = (
        fieldset(None, ("period_start", "period_end"), ("sale_count", "refund_count")),
        fieldset("Amount", ("sold", "platform_fee"), ("amount", "currency")),
        fieldset("Payment", ("status", "paid_at"), ("method", "destination"), "transaction_id", "error"),
    )
    actions = ("confirm", "send")

    @admin.action(description="Confirm payment by hand", permissions=["settle"])
    def confirm(self, request, queryset):
        by_hand = queryset.exclude(status=PayoutStatus.PAID).exclude(
            method=PayoutMethod.STRIPE, status=PayoutStatus.PENDING
        )
        selected, confirmed = len(queryset), list(by_hand)
        for payout in confirmed:
            confirm_manual_payout(payout.pk)
        if skipped := selected - len(confirmed):
            reason = "They are paid, or Stripe pays them."
            self.message_user(request, f"{skipped} payouts skipped. {reason}", messages.WARNING)
        self.message_user(request, f"{len(confirmed)} payments confirmed.", messages.SUCCESS)

    @admin.action(description="Pay by Stripe", permissions=["settle"])
    def send(self, request, queryset):
        for payout in queryset.filter(method=PayoutMethod.STRIPE).exclude(status=PayoutStatus.PAID):
            send_payout.defer(payout_id=str(payout.pk))
        self.message_user(request, "Payments started.", messages.SUCCESS)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    resource = "purchases"
    named_ids = {"template_id": "agents.AgentTemplate.name"}
    icon = "receipt_long"
    title = "Sales and refunds"
    position = 68
    list_display = ("occurred_at", "kind", "template_id", "price", "platform_fee", "amount", "payout")
    list_filter = ("kind",)
    search_fields = ("purchase_id__exact", "template_id__exact")
    search_help_text = "Exact purchase ID or template ID."
    date_hierarchy = "occurred_at"
    fieldsets = (
        fieldset(None, ("kind", "occurred_at"), ("template_id", "purchase_id")),
        fieldset("Amount", ("price", "platform_fee"), ("amount", "currency"), "payout"),
    )
