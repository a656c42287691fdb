"""`manage.py migrate`: Django's own, with states that are cheap to make."""

from typing import Any

from django.core.management.commands import migrate

from config.db.states import quick_states


class Command(migrate.Command):
    """As Django's; see `config.db.states` for what is different inside."""

    def handle(self, *args: Any, **options: Any) -> None:
        with quick_states():
            super().handle(*args, **options)
