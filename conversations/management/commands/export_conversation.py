"""`manage.py export_conversation`: export a conversation to a file."""

from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.core.management.base import BaseCommand, CommandError

from audit.services.events import record_event
from config.tenancy.scope import tenant_scope
from conversations.models import Conversation
from conversations.services.export import as_json, as_markdown, open_export
from tenants.services.lookup import get_tenant_by_slug

ACTOR = "system:export"
WRITERS = {"json": as_json, "markdown": as_markdown}


class Command(BaseCommand):
    help = "Export a conversation with all related data to a file, and record the export in the audit log."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("file", type=Path, help="File to write; must not exist.")
        parser.add_argument("--tenant", required=True, help="Slug of the tenant.")
        parser.add_argument("--conversation", required=True, type=UUID, help="ID of the conversation.")
        parser.add_argument(
            "--as",
            dest="written",
            choices=sorted(WRITERS),
            default="json",
            help="Format of the file (default: json).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            tenant = get_tenant_by_slug(options["tenant"])
            with tenant_scope(tenant, actor=ACTOR):
                conversation = Conversation.objects.get(pk=options["conversation"])
                record_event("conversation.exported", resource=conversation)
                export = open_export(
                    conversation, scope=lambda: tenant_scope(tenant, actor=ACTOR), reader=None
                )
            with options["file"].open("xb") as target:
                options["file"].chmod(0o600)
                for piece in WRITERS[options["written"]](export):
                    target.write(piece)
        except (ObjectDoesNotExist, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Exported conversation {conversation.pk} to {options['file']}")
