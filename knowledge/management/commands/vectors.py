"""`manage.py vectors`: list and move the vector partitions of tenants."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from knowledge.models import VECTOR_MODELS
from knowledge.services.vectors import TableBusyError, TenantVectors, VectorPartitioner, balance_partitions
from tenants.services.lookup import get_tenant_by_slug

MAX_DEMOTED_VECTORS = 20_000


class Command(BaseCommand):
    """Runs as the schema owner; `knowledge.tasks` does the same periodically."""

    help = "List the vectors of tenants; move one tenant, or all that are due (--balance)."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "--balance",
            action="store_true",
            help="Promote tenants above the threshold and demote those below it.",
        )
        parser.add_argument(
            "--promote", metavar="TENANT", help="Move this tenant (slug or ID) to separate partitions."
        )
        parser.add_argument(
            "--demote",
            metavar="TENANT",
            help="Move this tenant (slug or ID) back to the default partitions, up to --most vectors.",
        )
        parser.add_argument(
            "--most",
            type=int,
            default=MAX_DEMOTED_VECTORS,
            help="Maximum number of vectors to demote; all tenants are blocked during the move.",
        )
        parser.add_argument(
            "--dimensions",
            type=int,
            choices=VECTOR_MODELS,
            help="Only vectors with this number of dimensions.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = [options["dimensions"]] if options["dimensions"] else list(VECTOR_MODELS)
        keepers = [VectorPartitioner(VECTOR_MODELS[each]) for each in chosen]
        try:
            options |= {
                verb: _resolve_tenant_id(options[verb]) for verb in ("promote", "demote") if options[verb]
            }
            if options["balance"]:
                for move in balance_partitions():
                    self.stdout.write(self.style.SUCCESS(str(move)))
            for keeper in keepers:
                self._move(keeper, options)
        except (TableBusyError, OperationalError, ObjectDoesNotExist) as error:
            raise CommandError(str(error).splitlines()[0]) from error
        for keeper in keepers:
            self._show(keeper)

    def _move(self, keeper: VectorPartitioner, options: dict[str, Any]) -> None:
        for held in keeper.census():
            if not held.own and held.tenant_id == options["promote"]:
                self.stdout.write(self.style.SUCCESS(str(keeper.promote(held.tenant_id))))
            if held.own and held.tenant_id == options["demote"]:
                move = keeper.demote(held.tenant_id, most=options["most"])
                self.stdout.write(self.style.SUCCESS(str(move)))

    def _show(self, keeper: VectorPartitioner) -> None:
        census = keeper.census()
        own = [held for held in census if held.own or held.staged]
        rest = sum(held.vectors for held in census if not held.own)
        self.stdout.write(
            f"{keeper.table}: {rest} vectors of {len(census) - len(own)} tenants in the default partition,"
            f" {len(own)} tenants in separate partitions"
        )
        for held in own:
            self.stdout.write(f"  {held.tenant_id}: {held.vectors}{_format_staged(held)}")


def _format_staged(held: TenantVectors) -> str:
    return " (staged, not attached)" if held.staged else ""


def _resolve_tenant_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return get_tenant_by_slug(text).pk
