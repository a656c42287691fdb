"""Filters of changelists."""

from datetime import timedelta

from django.apps import apps
from django.contrib import admin
from django.utils import timezone


class TenantFilter(admin.SimpleListFilter):
    """One tenant of all; for the platform scope."""

    title = "organisation"
    parameter_name = "tenant"

    def lookups(self, request, model_admin):
        tenants = apps.get_model("tenants", "Tenant").objects.order_by("name").values_list("pk", "name")
        return [(str(pk), name) for pk, name in tenants[:500]]

    def queryset(self, request, queryset):
        known = {pk for pk, _ in self.lookup_choices}
        return queryset.filter(tenant_id=self.value()) if self.value() in known else queryset


class AgeFilter(admin.SimpleListFilter):
    """How long ago a row was made, read off its id, so that partitions are pruned."""

    title = "made"
    parameter_name = "made"
    SPANS = {
        "hour": timedelta(hours=1),
        "day": timedelta(days=1),
        "week": timedelta(days=7),
        "month": timedelta(days=30),
    }

    def lookups(self, request, model_admin):
        return [
            ("hour", "in the last hour"),
            ("day", "in the last 24 hours"),
            ("week", "in the last 7 days"),
            ("month", "in the last 30 days"),
        ]

    def queryset(self, request, queryset):
        span = self.SPANS.get(self.value() or "")
        now = timezone.now()
        return queryset.between(now - span, now + timedelta(minutes=1)) if span else queryset
