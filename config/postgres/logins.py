"""Database logins of the processes. Serving processes never log in as the schema owner."""

from collections.abc import Sequence

OWNER = "conclave_owner"
WEB = "conclave_web"
WORKER = "conclave_worker"
PUBLIC = "conclave_public"

OWNER_COMMANDS = frozenset({"migrate", "partitions", "sqlmigrate", "makemigrations", "flush", "vectors"})
WORKER_COMMANDS = frozenset({"procrastinate", "worker"})


def login_for_command(argv: Sequence[str]) -> str:
    """Return the login of `manage.py <command>`. CONCLAVE_LOGIN overrides it."""
    command = argv[1] if len(argv) > 1 else ""
    if command in OWNER_COMMANDS:
        return OWNER
    return WORKER if command in WORKER_COMMANDS else WEB
