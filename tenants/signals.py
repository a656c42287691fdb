"""What happens to tenants, for the apps on their right."""

from django.dispatch import Signal

# Sent inside the platform scope that makes a tenant, with `tenant` and `admin` (a person).
tenant_created = Signal()
