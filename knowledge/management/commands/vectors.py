"""`manage.py vectors`: where the vectors of tenants lie, and moving them."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from knowledge.models import VECTOR_MODELS
from knowledge.services.vectors import Busy, Holding, VectorKeeper, balance
from tenants.services.lookup import tenant_by_slug

MOST = 20_000


class Command(BaseCommand):
    """Runs as the schema's owner; the worker does the same by itself, see `knowledge.tasks`."""

    help = "List the vectors of tenants; move those that are due (--balance) or one tenant's."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "--balance", action="store_true", help="promote the large, demote those that became small"
        )
        parser.add_argument(
            "--promote", metavar="TENANT", help="give this tenant (slug or id) partitions of its own"
        )
        parser.add_argument("--demote", metavar="TENANT", help="take them back, up to --most vectors")
        parser.add_argument(
            "--most", type=int, default=MOST, help="everybody waits while these are moved back"
        )
        parser.add_argument("--dimensions", type=int, choices=VECTOR_MODELS, help="only vectors this long")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = [options["dimensions"]] if options["dimensions"] else list(VECTOR_MODELS)
        keepers = [VectorKeeper(VECTOR_MODELS[each]) for each in chosen]
        try:
            options |= {verb: _tenant_id(options[verb]) for verb in ("promote", "demote") if options[verb]}
            if options["balance"]:
                for move in balance():
                    self.stdout.write(self.style.SUCCESS(str(move)))
            for keeper in keepers:
                self._move(keeper, options)
        except (Busy, OperationalError, ObjectDoesNotExist) as error:
            raise CommandError(str(error).splitlines()[0]) from error
        for keeper in keepers:
            self._show(keeper)

    def _move(self, keeper: VectorKeeper, options: dict[str, Any]) -> None:
        for held in keeper.census():
            if not held.own and held.tenant_id == options["promote"]:
                self.stdout.write(self.style.SUCCESS(str(keeper.promote(held.tenant_id))))
            if held.own and held.tenant_id == options["demote"]:
                move = keeper.demote(held.tenant_id, most=options["most"])
                self.stdout.write(self.style.SUCCESS(str(move)))

    def _show(self, keeper: VectorKeeper) -> None:
        census = keeper.census()
        own = [held for held in census if held.own or held.staged]
        rest = sum(held.vectors for held in census if not held.own)
        self.stdout.write(
            f"{keeper.table}: {rest} vectors of {len(census) - len(own)} tenants in the default partition,"
            f" {len(own)} tenants with their own"
        )
        for held in own:
            self.stdout.write(f"  {held.tenant_id}: {held.vectors}{_staged(held)}")


def _staged(held: Holding) -> str:
    return " (staged, not attached)" if held.staged else ""


def _tenant_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return tenant_by_slug(text).pk
