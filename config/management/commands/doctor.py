"""`manage.py doctor`: check whether the database is ready to serve."""

from typing import Any

from django.core.management.base import BaseCommand

from config.postgres.checks import CheckResult, Level, owner_connection, run_checks


class Command(BaseCommand):
    """Prints one line per finding and exits with status 1 if one of them is FAIL."""

    help = "Check the server, roles, row-level security, partitions, keys, migrations and jobs."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        database = owner_connection()
        try:
            findings = [self._show(finding) for finding in run_checks(database)]
        finally:
            database.close()
        if any(finding.level is Level.FAIL for finding in findings):
            raise SystemExit(1)

    def _show(self, finding: CheckResult) -> CheckResult:
        style = {Level.OK: self.style.SUCCESS, Level.WARN: self.style.WARNING, Level.FAIL: self.style.ERROR}
        hint = f"  -> {finding.hint}" if finding.hint else ""
        level = style[finding.level](f"{finding.level:<4}")
        self.stdout.write(f"{level}  {finding.subject:<13} {finding.text}{hint}")
        return finding
