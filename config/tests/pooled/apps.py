"""App that removes the tenant filter from all managers, so that only policies apply."""

from django.apps import AppConfig

from config.tenancy.managers import ScopedManager
from config.tenancy.scope import require_scope


def _all_rows(manager):
    require_scope()
    return super(ScopedManager, manager).get_queryset()


class PoliciesAlone(AppConfig):
    name = "config.tests.pooled"
    label = "policies_alone"

    def ready(self):
        ScopedManager.get_queryset = _all_rows
