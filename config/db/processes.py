"""Which database login a process takes: the schema's owner never serves, the server never owns."""

from collections.abc import Sequence

OWNER = "conclave_owner"
WEB = "conclave_web"
WORKER = "conclave_worker"
PUBLIC = "conclave_public"

OWNER_COMMANDS = frozenset({"migrate", "partitions", "sqlmigrate", "makemigrations", "flush", "vectors"})
WORKER_COMMANDS = frozenset({"procrastinate", "worker"})


def login_for_command(argv: Sequence[str]) -> str:
    """The login role of `manage.py <command>`; the environment variable CONCLAVE_LOGIN overrides it."""
    command = argv[1] if len(argv) > 1 else ""
    if command in OWNER_COMMANDS:
        return OWNER
    return WORKER if command in WORKER_COMMANDS else WEB
