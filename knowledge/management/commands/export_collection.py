"""`manage.py export_collection`: export a collection to a file."""

from pathlib import Path
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.core.management.base import BaseCommand, CommandError

from config.tenancy.scope import tenant_scope
from knowledge.models import Collection
from knowledge.services.transfer import TransferError, export_collection
from tenants.services.lookup import get_tenant_by_slug

ACTOR = "system:export"


class Command(BaseCommand):
    help = "Export a collection with its files, chunks and vectors to a file for import_collection."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("file", type=Path, help="File to write; must not exist.")
        parser.add_argument("--tenant", required=True, help="Slug of the tenant.")
        parser.add_argument("--collection", required=True, help="Slug of the collection.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            tenant = get_tenant_by_slug(options["tenant"])
            with tenant_scope(tenant, actor=ACTOR):
                collection = Collection.objects.get(slug=options["collection"])
            with options["file"].open("xb") as target:
                options["file"].chmod(0o600)
                count = export_collection(tenant.pk, collection.pk, target, actor=ACTOR)
        except (ObjectDoesNotExist, OSError, TransferError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Exported {count} documents to {options['file']}")
