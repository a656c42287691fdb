"""An app that takes the tenant's filter out of every manager, so that only the policies are left."""

from django.apps import AppConfig

from tenants.managers import ScopedManager
from tenants.scoping import require_scope


def _all_rows(manager):
    require_scope()
    return super(ScopedManager, manager).get_queryset()


class PoliciesAlone(AppConfig):
    name = "config.tests.pooled"
    label = "policies_alone"

    def ready(self):
        ScopedManager.get_queryset = _all_rows
