"""`manage.py connectors`: list the connectors of a tenant, or sync one."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.core.management.base import BaseCommand, CommandError

from config.tenancy.scope import tenant_scope
from knowledge.models import Connector
from knowledge.services.connectors import request_sync
from tenants.services.lookup import get_tenant_by_slug

ACTOR = "system:connectors"


class Command(BaseCommand):
    help = "List the connectors of a tenant with their latest sync, or queue a sync for the worker."

    def add_arguments(self, parser: Any) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="List the connectors with the state of their latest sync.")
        sync = actions.add_parser("sync", help="Queue a sync of a connector.")
        sync.add_argument("connector", help="ID of the connector, or its name if only one has it.")
        sync.add_argument(
            "--confirm-deletions", action="store_true", help="Delete any number of missing documents."
        )
        for each in (listing, sync):
            each.add_argument("--tenant", required=True, help="Slug of the tenant.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            tenant = get_tenant_by_slug(options["tenant"])
            with tenant_scope(tenant, actor=ACTOR):
                if options["action"] == "list":
                    for connector in Connector.objects.order_by("id"):
                        self.stdout.write(_describe(connector))
                    return
                connector = _find_connector(str(options["connector"]))
                request_sync(connector, confirm_deletions=options["confirm_deletions"])
        except ObjectDoesNotExist as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        self.stdout.write(f'Queued the sync of "{connector.name}".')


def _describe(connector: Connector) -> str:
    counts = ", ".join(
        f"{getattr(connector, f'{name}_count')} {name}"
        for name in ("added", "changed", "deleted", "unchanged", "failed")
    )
    reason = f"  {connector.error_message}" if connector.error_message else ""
    return f"{connector.pk}  {connector.kind:<7}  {connector.status:<9}  {counts}  {connector.name}{reason}"


def _find_connector(text: str) -> Connector:
    try:
        rows = Connector.objects.filter(pk=UUID(text))
    except ValueError:
        rows = Connector.objects.filter(name=text)
    found = list(rows[:2])
    if len(found) != 1:
        number = "more than one connector has" if found else "no connector has"
        raise CommandError(f"{number} this name or ID: {text}")
    return found[0]
