"""`manage.py ingest`: index a folder of files in a collection."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from config.tenancy.scope import tenant_scope
from knowledge.embedders import EmbeddingError
from knowledge.parsing import ParseError
from knowledge.services.collections import get_or_create_collection
from knowledge.services.folder_ingestion import Ingestion
from knowledge.services.ingestion import FAILED, INDEXED, QUEUED, UNCHANGED
from tenants.services.lookup import get_tenant_by_slug

ACTOR = "system:ingest"


class Command(BaseCommand):
    requires_system_checks = []  # they load routes and console, which takes longer than a small folder
    help = (
        "Index a file or folder (text, markup, PDF, Office, tables, JSON, email, code) in a collection. "
        "Unchanged files are skipped, so you can repeat an interrupted run to continue it."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("path", type=Path, help="File or folder to index.")
        parser.add_argument("--tenant", required=True, help="Slug of the tenant.")
        parser.add_argument(
            "--collection", required=True, help="Slug of the collection; created if it does not exist."
        )
        parser.add_argument(
            "--queue",
            action="store_true",
            help="Queue the files for the worker instead of indexing them here.",
        )
        parser.add_argument("--limit", type=int, default=0, help="Maximum number of files to index.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            ingestion, files = self._prepare(options)
            counts = self._read(ingestion, files, quiet=options["verbosity"] == 0)
        except (ObjectDoesNotExist, EmbeddingError, ParseError) as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        waiting = f"{counts[QUEUED]} queued, " if options["queue"] else ""
        self.stdout.write(
            f"{waiting}{counts[INDEXED]} indexed, {counts[UNCHANGED]} unchanged, {counts[FAILED]} failed;"
            f' {counts["chunks"]} new chunks in "{ingestion.collection.slug}"'
        )

    def _prepare(self, options: dict[str, Any]) -> tuple[Ingestion, list[tuple[Path, str]]]:
        tenant = get_tenant_by_slug(options["tenant"])
        with tenant_scope(tenant, actor=ACTOR):
            collection, made = get_or_create_collection(options["collection"])
        if made and options["verbosity"]:
            self.stdout.write(f'created collection "{collection.slug}" ({collection.embedding_model})')
        ingestion = Ingestion(tenant.pk, collection, ACTOR, queue=options["queue"])
        files = ingestion.files(options["path"])
        return ingestion, files[: options["limit"] or None]

    def _read(self, ingestion: Ingestion, files: list[tuple[Path, str]], *, quiet: bool) -> Counter[str]:
        counts: Counter[str] = Counter()
        bar = tqdm(total=len(files), unit="file", disable=quiet or None, file=sys.stderr)
        for result in ingestion.run(files):
            counts[result.outcome] += 1
            counts["chunks"] += result.chunks
            if result.outcome == FAILED and not quiet:
                bar.write(f"failed: {result.source}: {result.error}", file=sys.stderr)
            bar.update()
        bar.close()
        return counts
