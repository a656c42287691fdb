"""`manage.py scope_proof`: open a tenant's rows to a `psql` session."""

from typing import Any
from uuid import UUID

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from psycopg import sql

from config.db.scope_proofs import prove_scope
from config.db.session import READER, SESSION_SQL, Scope
from config.tenancy.scope import platform_scope

MAX_MINUTES = 24 * 60


class Command(BaseCommand):
    """Command that prints a statement with a proof that expires.

    The audit log records the tenant, the user and the duration.
    """

    help = (
        "Print the statement that opens a tenant's rows for reading in psql: run it first in each transaction. "
        "Treat the output as a password."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, metavar="SLUG", help="The tenant to read.")
        parser.add_argument("--user", metavar="EMAIL", help="Also open the private rows of this user.")
        parser.add_argument(
            "--minutes", type=int, default=60, help="Minutes until the proof expires (default: 60)."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        minutes = options["minutes"]
        if not 1 <= minutes <= MAX_MINUTES:
            raise CommandError(f"--minutes must be between 1 and {MAX_MINUTES}")
        reader = f"{options['tenant']} as {options['user']}" if options["user"] else options["tenant"]
        with platform_scope(reason=f"scope_proof for {reader}, {minutes} minutes"):
            tenant = self._id("tenants.Tenant", slug=options["tenant"])
            user = self._id("accounts.User", email=options["user"]) if options["user"] else None
        values = Scope(READER, tenant, user, actor="system:scope_proof").values()
        text = sql.SQL(SESSION_SQL.replace("%s", "{}")).format(
            *map(sql.Literal, (*values, prove_scope(values, minutes * 60)))
        )
        self.stdout.write(text.as_string(connection.connection) + ";")

    def _id(self, label: str, **fields: str) -> UUID:
        model: Any = apps.get_model(label)
        found = model._base_manager.filter(**fields).values_list("pk", flat=True).first()
        if found is None:
            raise CommandError(f"No {model._meta.verbose_name} matches {next(iter(fields.values()))!r}.")
        return found
