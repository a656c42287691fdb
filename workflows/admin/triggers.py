"""Triggers of workflows and their firings."""

from django.contrib import admin

from config.admin.bases import BaseModelAdmin, ReadOnlyAdmin, fieldset
from config.admin.filters import CreatedFilter
from config.admin.secrets import ShowSecretMixin
from workflows.models import TriggerFiring, WorkflowTrigger
from workflows.services.triggers import SCHEDULE_COLUMNS, prepare_trigger


@admin.register(WorkflowTrigger)
class WorkflowTriggerAdmin(ShowSecretMixin, BaseModelAdmin):
    """Triggers. The secret of a webhook is shown once."""

    shown_once_because = "The secret that signs the requests is shown only once. The API can replace it."
    resource = "workflows"
    icon = "bolt"
    title = "Triggers"
    position = 20
    list_display = ("name", "workflow", "trigger_type", "is_enabled", "next_fire_at", "last_fired_at")
    list_filter = ("trigger_type", "is_enabled")
    search_fields = ("name", "workflow__name")
    fieldsets = (
        fieldset(None, ("workflow", "name"), ("trigger_type", "is_enabled"), "config"),
        fieldset("State", ("next_fire_at", "last_fired_at"), "rotation_ends_at"),
    )
    add_fieldsets = (fieldset(None, ("workflow", "name"), ("trigger_type", "is_enabled"), "config"),)

    def save_model(self, request, obj, form, change):
        # Data with the same meaning may be written in another form, so the values are compared.
        changed = [name for name in SCHEDULE_COLUMNS if form.initial.get(name) != getattr(obj, name)]
        names = prepare_trigger(obj, changed if change else SCHEDULE_COLUMNS)
        request.new_secret = obj.secret if "secret" in names else None
        super().save_model(request, obj, form, change)


@admin.register(TriggerFiring)
class TriggerFiringAdmin(ReadOnlyAdmin):
    resource = "workflows"
    icon = "electric_bolt"
    title = "Trigger firings"
    position = 25
    list_display = ("created_at", "trigger", "status", "scheduled_for", "missed", "execution")
    list_select_related = ("trigger__workflow", "execution__workflow")
    list_filter = (CreatedFilter, "status")
    search_fields = ("trigger__name", "key")
    fieldsets = (
        fieldset(None, "trigger", "key", ("status", "execution"), "error"),
        fieldset("Schedule", ("scheduled_for", "missed")),
    )
