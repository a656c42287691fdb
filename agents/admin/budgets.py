"""Console pages for budgets, budget counters and model prices."""

from django.contrib import admin

from agents.choices import BudgetSubject
from agents.models import Budget, BudgetCounter, BudgetReservation, ModelPrice
from config.admin.bases import BaseModelAdmin, ReadOnlyAdmin, fieldset
from config.admin.name_resolution import ResolveGenericMixin

SUBJECT_MODELS = {
    BudgetSubject.TENANT: "tenants.tenant",
    BudgetSubject.USER: "accounts.user",
    BudgetSubject.KEY: "accounts.apikey",
    BudgetSubject.AGENT: "agents.agent",
}


class SubjectNameMixin(ResolveGenericMixin):
    """Mix-in that shows the subject of a budget by name."""

    def get_object_key(self, obj):
        return SUBJECT_MODELS[obj.subject], str(obj.subject_id or "")


@admin.register(Budget)
class BudgetAdmin(SubjectNameMixin, BaseModelAdmin):
    resource = "budgets"
    icon = "savings"
    position = 44
    list_display = ("thing", "resource", "period", "limit_value", "is_active")
    list_filter = ("subject", "resource", "period", "is_active")
    search_fields = ("subject_id__exact", "note")
    search_help_text = "Exact ID of a user, key or agent, or part of the note."
    fieldsets = (
        fieldset(None, ("subject", "subject_id"), ("resource", "period"), ("limit_value", "is_active")),
        fieldset("Data", "note"),
    )


@admin.register(BudgetCounter)
class BudgetCounterAdmin(SubjectNameMixin, ReadOnlyAdmin):
    resource = "usage"
    icon = "speed"
    position = 45
    list_display = ("thing", "resource", "period", "period_start", "used", "limit_value")
    list_filter = ("subject", "resource", "period")
    search_fields = ("subject_id__exact",)
    search_help_text = "Exact ID of an organisation, user, key or agent."
    fieldsets = (
        fieldset(None, "thing", ("resource", "period", "period_start")),
        fieldset("Count", ("used", "reserved", "limit_value")),
    )


@admin.register(BudgetReservation)
class BudgetReservationAdmin(ReadOnlyAdmin):
    resource = "usage"
    icon = "hourglass"
    in_sidebar = False
    list_display = ("id", "expires_at", "created_at")
    fieldsets = (fieldset(None, "expires_at", "held"),)


@admin.register(ModelPrice)
class ModelPriceAdmin(BaseModelAdmin):
    resource = "budgets"
    icon = "sell"
    position = 46
    list_display = ("provider", "model", "input_price", "output_price", "updated_at")
    list_filter = ("provider",)
    search_fields = ("model",)
    fieldsets = (
        fieldset(None, ("provider", "model"), ("input_price", "output_price")),
        fieldset("Data", "note"),
    )
