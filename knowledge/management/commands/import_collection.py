"""`manage.py import_collection`: import a collection from a file."""

from pathlib import Path
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.core.management.base import BaseCommand, CommandError

from knowledge.services.transfer import TransferError, import_collection
from tenants.services.lookup import get_tenant_by_slug

ACTOR = "system:import"


class Command(BaseCommand):
    help = "Create a collection from a file written by export_collection, in one transaction."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("file", type=Path, help="File to read.")
        parser.add_argument("--tenant", required=True, help="Slug of the tenant.")
        parser.add_argument("--collection", required=True, help="Slug of the new collection.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            tenant = get_tenant_by_slug(options["tenant"])
            with options["file"].open("rb") as source:
                made = import_collection(tenant.pk, source, slug=options["collection"], actor=ACTOR)
        except (ObjectDoesNotExist, OSError, TransferError) as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        self.stdout.write(
            f'Imported {made.document_count} documents and {made.chunk_count} chunks into "{made.slug}"'
        )
