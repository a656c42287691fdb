"""`manage.py up`: database, schema, demo, web server and worker, until Ctrl-C."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from config import launch


class Command(BaseCommand):
    """Thin: `config.launch` does it without Django, which is how `bin/run` starts faster."""

    help = "Bring everything up on this machine and keep it up until Ctrl-C or SIGTERM."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        launch.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        code = launch.main(**{name: options[name] for name in ("host", "port", "seed", "stop_db")})
        if code:
            raise SystemExit(code)
