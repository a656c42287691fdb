"""`manage.py verify_audit`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.services.sealing import verify


class Command(BaseCommand):
    """Verifies the audit log and exits with status 1 on any failure."""

    help = "Verify every seal against the audit rows and against the copy in AUDIT_SEAL_FILE."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--without-copy",
            action="store_true",
            help="Skip the comparison with the file; does not detect removed newest seals.",
        )

    def handle(self, *args: Any, without_copy: bool = False, **options: Any) -> None:
        verdicts = verify(with_copy=not without_copy)
        for each in verdicts:
            style = self.style.SUCCESS if each.ok else self.style.ERROR
            self.stdout.write(
                style(f"seal {each.n} {each.partition} ({each.row_count} rows): {each.verdict}")
            )
        if bad := [each for each in verdicts if not each.ok]:
            raise CommandError(
                f"{len(bad)} of {len(verdicts)} seals failed verification: the audit log was modified"
            )
        self.stdout.write(f"{len(verdicts)} seals verified")
