"""Console pages for agent templates, purchases and ratings."""

from django.contrib import admin, messages

from agents.choices import PaymentStatus
from agents.models import AgentTemplate, TemplateDocument, TemplatePurchase, TemplateRating
from agents.models.templates import PUBLISHING_FIELDS, PUBLISHING_SCOPE
from agents.services.templates import complete_purchase
from agents.tasks import refund_template_purchase
from config.admin.bases import BaseModelAdmin, ReadOnlyAdmin, fieldset
from config.admin.inlines import BaseInline
from config.tenancy.scope import require_scope

from .settlement import SettlementAdmin


class TemplateDocumentInline(BaseInline):
    model = TemplateDocument
    resource = "templates"
    fields = ("document",)
    verbose_name = "document"
    verbose_name_plural = "Documents available to agents of this template"


@admin.register(AgentTemplate)
class AgentTemplateAdmin(BaseModelAdmin):
    """The organisation's own templates; other organisations' public templates are in the API."""

    resource = "templates"
    icon = "style"
    title = "Templates"
    position = 60
    owner = "user"
    list_display = ("name", "version", "is_public", "is_marketplace", "price", "rating", "usage_count")
    list_filter = ("is_public", "is_marketplace")
    search_fields = ("name", "description")
    inlines = (TemplateDocumentInline,)
    fieldsets = (
        fieldset(None, ("name", "version"), "description", "avatar_url", "system_prompt"),
        fieldset("Market", ("is_public", "is_marketplace", "price"), ("rating", "usage_count")),
        fieldset(
            "Agent settings",
            "functions",
            "personality_config",
            "model_config",
            "knowledge_sources",
            "allowed_integrations",
            "cost_limit_per_request",
        ),
        fieldset("Owner", "user", collapse=True),
    )

    def get_readonly_fields(self, request, obj=None):
        fixed = () if request.console.allows(*PUBLISHING_SCOPE) else PUBLISHING_FIELDS
        return [*super().get_readonly_fields(request, obj), *fixed]

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        tenant_id = require_scope().tenant_id
        return rows.filter(tenant_id=tenant_id) if tenant_id else rows


@admin.register(TemplateDocument)
class TemplateDocumentAdmin(BaseModelAdmin):
    resource = "templates"
    icon = "link"
    in_sidebar = False
    list_display = ("template", "document", "created_at")
    search_fields = ("template__name", "document__filename")


@admin.register(TemplatePurchase)
class TemplatePurchaseAdmin(SettlementAdmin):
    resource = "purchases"
    named_ids = {
        "template_id": "agents.AgentTemplate.name",
        "seller_tenant_id": "tenants.Tenant.name",
        "seller_id": "accounts.User.email",
    }
    icon = "shopping_cart"
    title = "Purchases"
    position = 65
    list_display = (
        "purchased_at",
        "template_id",
        "buyer",
        "price",
        "platform_fee",
        "seller_payout",
        "payment_status",
    )
    list_filter = ("payment_status",)
    search_fields = ("template_id__exact", "transaction_id__exact")
    search_help_text = "Exact template ID or transaction ID."
    fieldsets = (
        fieldset(None, ("template_id", "purchased_at"), "buyer", ("seller_tenant_id", "seller_id")),
        fieldset("US dollars", ("price", "commission_rate"), ("platform_fee", "seller_payout")),
        fieldset(
            "Payment", ("payment_status", "payment_method"), "transaction_id", ("paid_at", "refunded_at")
        ),
    )
    actions = ("confirm", "refund")

    @admin.action(description="Confirm payment", permissions=["settle"])
    def confirm(self, request, queryset):
        for purchase in queryset.filter(payment_status=PaymentStatus.PENDING, payment_method="manual"):
            complete_purchase(purchase.pk)
        self.message_user(request, "Payments confirmed.", messages.SUCCESS)

    @admin.action(description="Refund", permissions=["settle"])
    def refund(self, request, queryset):
        for purchase in queryset.filter(payment_status=PaymentStatus.COMPLETED):
            refund_template_purchase.defer(purchase_id=str(purchase.pk))
        self.message_user(request, "Refunds started.", messages.SUCCESS)


@admin.register(TemplateRating)
class TemplateRatingAdmin(ReadOnlyAdmin):
    resource = "templates"
    named_ids = {"template_id": "agents.AgentTemplate.name"}
    icon = "star"
    title = "Ratings"
    position = 66
    list_display = ("created_at", "template_id", "rating", "user")
    list_filter = ("rating",)
    search_fields = ("template_id__exact", "review")
    search_help_text = "Exact template ID, or part of the review."
    fieldsets = (fieldset(None, ("template_id", "user"), "rating", "review"),)
