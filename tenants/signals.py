"""Signals of tenants, for the apps that depend on them."""

from django.dispatch import Signal

# Sent in the platform scope that creates a tenant, with `tenant` and `admin` (a user, or None).
tenant_created = Signal()
# Sent outside any scope before the rows of a tenant are deleted, with `tenant_id`. It may be sent more than once.
tenant_deleting = Signal()
# Sent in the platform scope of an action of the platform, with `action` (such as `tenant.suspended`), `resource` (the
# row), `tenant_id` (the tenant whose log shows it, or None) and `details` (no personal data).
platform_action = Signal()
# Sent in the transaction that relays events, with `tenant_id` and `events`: ID, type and named user of each.
events_relayed = Signal()
