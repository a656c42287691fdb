"""`manage.py partitions`: list, create and expire partitions."""

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, models

from config.db.partitions import (
    ensure_partitions,
    existing_partitions,
    expire_all,
    partitioned_models,
    periods_ahead,
)


class Command(BaseCommand):
    """Creates missing future partitions, then lists all; runs as the schema owner."""

    help = "Create future partitions, drop expired ones (--expire), and list all."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--ahead",
            type=int,
            default=settings.PARTITIONS_AHEAD,
            help="Number of periods to create after the current one.",
        )
        parser.add_argument(
            "--since", type=_parse_day, help="Create partitions from this day on, for importing old rows."
        )
        parser.add_argument(
            "--expire", type=_parse_day, metavar="BEFORE", help="Drop partitions that end before this day."
        )
        parser.add_argument("--table", action="append", default=[], help="Only this table; can be repeated.")
        parser.add_argument("--list", action="store_true", help="List only; change nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = self._models(options["table"])
        if not options["list"]:
            for name in ensure_partitions(ahead=options["ahead"], since=options["since"], models_=chosen):
                self.stdout.write(self.style.SUCCESS(f"created {name}"))
            if options["expire"]:
                self._expire(chosen, options["expire"])
        for model in chosen:
            self._show(model)

    def _models(self, tables: list[str]) -> list[type[models.Model]]:
        known = {model._meta.db_table: model for model in partitioned_models()}
        if unknown := set(tables) - set(known):
            raise CommandError(
                f"not partitioned: {', '.join(sorted(unknown))}; choose from {', '.join(known)}"
            )
        return [known[table] for table in tables] or list(known.values())

    def _expire(self, chosen: list[type[models.Model]], before: datetime) -> None:
        try:
            for _, dropped in expire_all(chosen, before=before):
                for name in dropped:
                    self.stdout.write(self.style.WARNING(f"dropped {name}"))
        except DatabaseError as error:
            raise CommandError(f"not all partitions were dropped: {str(error).splitlines()[0]}") from error

    def _show(self, model: type[models.Model]) -> None:
        table, period = model._meta.db_table, model.partition_period  # type: ignore[attr-defined]
        names = existing_partitions(table)
        span = f"{names[0]} to {names[-1]}" if names else "none"
        self.stdout.write(
            f"{table}: {len(names)} by {period}, {periods_ahead(model)} ahead of the current one ({span})"
        )


def _parse_day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise CommandError(f"{text!r} is not a valid date; use the format 2026-01-31") from error
