"""`manage.py schema_docs`: generate the pages of `docs/schema/`."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from config.schema.pages import build_pages, find_stale_pages, write_pages
from config.schema.sources import FOLDER


class Command(BaseCommand):
    """Generates pages from the models and the catalog of the migrated database."""

    help = "Generate docs/schema/ from the models and the database; --check only lists stale pages."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="Write nothing; exit with an error if a page is stale."
        )
        parser.add_argument(
            "--folder", type=Path, default=FOLDER, help="Output folder (default: docs/schema)."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self._require_migrated()
        made = build_pages()
        if not options["check"]:
            for name in write_pages(made, options["folder"]):
                self.stdout.write(self.style.SUCCESS(f"{'wrote' if name in made else 'removed'} {name}"))
            self.stdout.write(f"{len(made)} pages and diagrams")
            return
        if names := find_stale_pages(made, options["folder"]):
            for name in names:
                self.stdout.write(self.style.ERROR(f"stale: {name}"))
            raise CommandError(f"{len(names)} pages are stale. Run manage.py schema_docs.", returncode=1)
        self.stdout.write(f"{len(made)} pages and diagrams are up to date")

    def _require_migrated(self) -> None:
        executor = MigrationExecutor(connection)
        if waiting := executor.migration_plan(executor.loader.graph.leaf_nodes()):
            first = waiting[0][0]
            raise CommandError(
                f"{len(waiting)} unapplied migrations, starting with {first}. Run manage.py migrate.",
                returncode=2,
            )
