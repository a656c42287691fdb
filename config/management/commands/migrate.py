"""`manage.py migrate`: Django's command with faster migration states."""

from typing import Any

from django.core.management.commands import migrate

from config.db.states import quick_states


class Command(migrate.Command):
    """Django's `migrate`; `config.db.states` describes the difference."""

    def handle(self, *args: Any, **options: Any) -> None:
        with quick_states():
            super().handle(*args, **options)
