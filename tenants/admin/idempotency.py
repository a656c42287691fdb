"""Stored responses of idempotent requests."""

from django.contrib import admin

from config.admin.bases import ReadOnlyAdmin
from tenants.models import IdempotencyKey


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin):
    resource = "audit"
    icon = "repeat"
    position = 90
    in_sidebar = False
    list_display = ("key", "credential", "status_code", "created_at")
    search_fields = ("key__exact",)
    fields = ("key", "credential", "fingerprint", "status_code", "headers")
