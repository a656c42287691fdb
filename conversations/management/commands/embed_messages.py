"""`manage.py embed_messages`: embed messages for search."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.core.management.base import BaseCommand, CommandError

from conversations.services.message_index import embed_messages, message_embedder
from knowledge.embedders import EmbeddingError
from tenants.services.lookup import get_tenant_by_slug


class Command(BaseCommand):
    help = "Embed completed messages for search that have no embedding or one from another embedder."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--tenant", help="Slug of the tenant (default: all tenants).")
        parser.add_argument(
            "--days", type=int, default=3650, help="Number of days to look back (default: 3650)."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            tenant = get_tenant_by_slug(options["tenant"]) if options["tenant"] else None
            made = embed_messages(
                back=timedelta(days=options["days"]), tenant_id=tenant.pk if tenant else None
            )
        except (ObjectDoesNotExist, EmbeddingError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"embedded {made} messages with {message_embedder().name}")
