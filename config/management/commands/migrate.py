"""`manage.py migrate`: Django's command with faster migration states."""

from typing import Any

from django.core.management.commands import migrate

from config.db.migration_state import lazy_model_rendering


class Command(migrate.Command):
    """Django's `migrate`; `config.db.migration_state` describes the difference."""

    def handle(self, *args: Any, **options: Any) -> None:
        with lazy_model_rendering():
            super().handle(*args, **options)
