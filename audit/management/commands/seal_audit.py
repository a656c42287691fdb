"""`manage.py seal_audit`."""

from typing import Any

from django.core.management.base import BaseCommand

from audit.services.sealing import seal


class Command(BaseCommand):
    """Seals the audit log once; the worker does so periodically."""

    help = "Seal the audit rows of closed transactions and copy the seals to AUDIT_SEAL_FILE."

    def handle(self, *args: Any, **options: Any) -> None:
        made = seal()
        for each in made:
            self.stdout.write(f"seal {each.n}: {each.row_count} rows of {each.partition}")
        if not made:
            self.stdout.write("Nothing to seal.")
