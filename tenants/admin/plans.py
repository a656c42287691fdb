"""Plans, subscriptions, quotas and bills."""

from django.contrib import admin

from config.admin.bases import BaseModelAdmin, fieldset
from tenants.models import BillingRecord, Subscription, SubscriptionPlan, TenantQuota

from .platform_grants import PlatformGrantAdmin
from .tenant import LIMITS


@admin.register(SubscriptionPlan)
class SubscriptionPlanAdmin(BaseModelAdmin):
    resource = "plans"
    icon = "sell"
    title = "Plans"
    position = 30
    list_display = ("name", "slug", "plan_type", "price_monthly", "price_yearly", "currency", "is_active")
    list_filter = ("plan_type", "is_active")
    search_fields = ("name", "slug")
    ordering = ("price_monthly", "slug")
    fieldsets = (
        fieldset(None, ("name", "slug"), ("plan_type", "is_active"), "description"),
        fieldset("Price", ("price_monthly", "price_yearly"), ("currency", "trial_days", "grace_days")),
        LIMITS,
        fieldset("Features", "features"),
    )


@admin.register(Subscription)
class SubscriptionAdmin(PlatformGrantAdmin):
    resource = "billing"
    icon = "card_membership"
    position = 32
    list_display = ("plan", "status", "billing_interval", "started_at", "expires_at")
    list_filter = ("status", "billing_interval", "plan")
    search_fields = ("plan__name", "external_id__exact")
    fieldsets = (
        fieldset(None, "plan", ("status", "billing_interval")),
        fieldset(
            "Time",
            ("started_at", "expires_at", "cancelled_at"),
            ("current_period_start", "current_period_end"),
        ),
        fieldset("Data", "external_id", "metadata", collapse=True),
    )


@admin.register(TenantQuota)
class TenantQuotaAdmin(PlatformGrantAdmin):
    resource = "billing"
    icon = "speed"
    title = "Limits"
    position = 34
    list_display = ("resource", "period", "limit_value", "warn_at_percent", "is_hard", "valid_until")
    list_filter = ("resource", "period", "is_hard")
    search_fields = ("resource__exact", "note")
    fieldsets = (
        fieldset(None, ("resource", "period"), ("limit_value", "warn_at_percent"), "is_hard"),
        fieldset("Why", "valid_until", "note"),
    )


@admin.register(BillingRecord)
class BillingRecordAdmin(PlatformGrantAdmin):
    resource = "billing"
    icon = "receipt_long"
    title = "Bills"
    position = 36
    list_display = ("number", "status", "period_start", "period_end", "total_amount", "currency", "paid_at")
    list_filter = ("status", "currency")
    search_fields = ("number", "transaction_id__exact")
    date_hierarchy = "period_start"
    fieldsets = (
        fieldset(None, ("number", "status"), "subscription", ("period_start", "period_end")),
        fieldset("Amounts", ("net_amount", "tax_amount"), ("total_amount", "currency"), "lines"),
        fieldset("Payment", ("issued_at", "due_at", "paid_at"), ("payment_method", "transaction_id")),
        fieldset("Data", "metadata", collapse=True),
    )
    readonly_fields = ("total_amount",)
