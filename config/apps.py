"""App configurations of the project package and the console."""

from django.apps import AppConfig
from django.contrib import admin
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core import checks
from django.db.migrations import Migration
from django.db.models.signals import post_migrate, pre_migrate


def group_plan(plan: list[tuple[Migration, bool]], **_: object) -> None:
    """Group the operations of the migrations of a plan, so that Django renders the models rarely."""
    from config.db.operations import group_operations

    for migration, _backwards in plan:
        migration.operations = group_operations(migration.operations)


def _make_partitions(using: str, **_: object) -> None:
    from django.db import connections

    from config.db.partitions import ensure_partitions, partitioned_models

    # Tables can be missing while migrations are unapplied.
    tables = set(connections[using].introspection.table_names())
    if present := [model for model in partitioned_models() if model._meta.db_table in tables]:
        ensure_partitions(models_=present)


def _install_scope_keys(using: str, **_: object) -> None:
    from django.db import connections, transaction

    from config.db.scope_proofs import install_keys

    connection = connections[using]
    if "conclave_scope_key" in connection.introspection.table_names():
        with transaction.atomic(using=using), connection.cursor() as cursor:
            install_keys(cursor)


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        # Both signals are sent once per app. Only after the last post_migrate do all tables exist.
        from django.apps import apps

        from config.api import checks as _api  # noqa: F401 - registers itself
        from config.tenancy import checks as _models  # noqa: F401 - registers itself

        senders = [app for app in apps.get_app_configs() if app.models_module is not None]
        first, last = senders[0], senders[-1]
        pre_migrate.connect(group_plan, sender=first, dispatch_uid="conclave.groups")
        post_migrate.connect(_make_partitions, sender=last, dispatch_uid="conclave.partitions")
        post_migrate.connect(_install_scope_keys, sender=last, dispatch_uid="conclave.scope_keys")


def check_console(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Check the admin classes after loading them."""
    admin.autodiscover()
    return check_admin_app(app_configs, **kwargs)


class ConsoleConfig(SimpleAdminConfig):
    """The admin, whose classes the URL configuration and the system check load.

    Loading them takes a third of the start of a command that needs neither.
    """

    default_site = "config.admin.site.ConsoleSite"

    def ready(self) -> None:
        checks.register(check_dependencies, checks.Tags.admin)
        checks.register(check_console, checks.Tags.admin)
