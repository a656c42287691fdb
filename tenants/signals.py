"""Signals of tenants, for the apps that depend on them."""

from django.dispatch import Signal

# Sent in the platform scope that creates a tenant, with `tenant` and `admin` (a user).
tenant_created = Signal()
