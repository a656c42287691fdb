"""`manage.py db_roles`: create the roles of an external PostgreSQL, or print the SQL."""

import os
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser
from psycopg.conninfo import make_conninfo

from config.db import roles
from config.postgres.logins import PLATFORM, TENANT, TEST, WEB

PASSWORD_VARIABLES = {login: f"{login.upper()}_PASSWORD" for login in (*roles.LOGINS, TEST)}

# An environment variable, because every user of the machine can read command lines.
SUPERUSER_URL = "DATABASE_SUPERUSER_URL"


class Command(BaseCommand):
    """Creates roles, extension and database.

    Reads passwords from CONCLAVE_OWNER_PASSWORD, CONCLAVE_WEB_PASSWORD and so on, and sends only their SCRAM
    verifiers to the server. A login without a variable keeps its password, but the logins of scopes get that of
    `conclave_web`. The login of the tests is created only if its variable is set.
    """

    help = (
        "Print the SQL that creates roles, extension and database, or apply it."
        f" Environment variables for passwords: {', '.join(PASSWORD_VARIABLES.values())}."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--apply", action="store_true", help=f"Run the SQL as the superuser in {SUPERUSER_URL}."
        )
        parser.add_argument(
            "--database", default="conclave", help="Name of the database (default: conclave)."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        passwords = {
            login: os.environ[name] for login, name in PASSWORD_VARIABLES.items() if os.environ.get(name)
        }
        if WEB in passwords:
            passwords = dict.fromkeys((TENANT, PLATFORM), passwords[WEB]) | passwords
        try:
            if not options["apply"]:
                self.stdout.write(roles.bootstrap_sql(passwords, options["database"]))
                return
            if not (url := os.environ.get(SUPERUSER_URL)):
                raise CommandError(f"--apply requires a postgres:// URL of a superuser in {SUPERUSER_URL}")
            apply_bootstrap(url, passwords, options["database"])
        except (psycopg.Error, ValueError) as error:
            raise CommandError(str(error)) from error
        silent = ", ".join(PASSWORD_VARIABLES[login] for login in roles.LOGINS if login not in passwords)
        self.stdout.write(
            self.style.SUCCESS(f"roles, extension and database {options['database']} are ready")
        )
        if silent:
            self.stdout.write(f"passwords not changed; to set them, use: {silent}")


def apply_bootstrap(url: str, passwords: dict[str, str], database: str) -> None:
    """Bootstrap the server at `url`, whose user must be a superuser.

    Raises:
        psycopg.Error: The server rejects a statement.
    """

    def run(name: str, sql: str) -> str:
        with psycopg.connect(make_conninfo(url, dbname=name), autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return "\n".join(str(row[0]) for row in cursor.fetchall()) if cursor.description else ""

    roles.bootstrap(run, passwords, database)
