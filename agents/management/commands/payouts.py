"""`manage.py payouts`: create and pay the payouts of sellers."""

from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from agents.models import Payout
from agents.runtime.payouts import ACTOR, run_payouts
from agents.services.payouts import get_previous_month, parse_month
from config.tenancy.scope import platform_scope


class Command(BaseCommand):
    help = "Create the payouts of a month, and pay those that the payment provider pays. Repeatable."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--month", help="Month as YYYY-MM (default: the previous one).")

    def handle(self, *args: Any, month: str | None, **options: Any) -> None:
        try:
            created = run_payouts(parse_month(month) if month else get_previous_month(datetime.now(UTC)))
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except ValueError as error:
            raise CommandError("--month must be YYYY-MM.") from error
        with platform_scope(reason="list the new payouts", actor=ACTOR):
            payouts = list(Payout.objects.filter(pk__in=created).order_by("tenant_id"))
        for payout in payouts:
            self.stdout.write(
                f"{payout.tenant_id}  {payout}  {payout.method}  {payout.status}  {payout.error}"
            )
        self.stdout.write(f"{len(payouts)} new payouts.")
