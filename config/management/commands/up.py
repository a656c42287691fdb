"""`manage.py up`: run the database, web server and worker until Ctrl-C."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from config.postgres import launch


class Command(BaseCommand):
    """Wrapper of `config.postgres.launch`, which works without Django so that `bin/run` starts faster."""

    help = "Start the database, web server and worker on this machine and supervise them until Ctrl-C or SIGTERM."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        launch.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        code = launch.main(**{name: options[name] for name in ("host", "port", "seed", "stop_db")})
        if code:
            raise SystemExit(code)
