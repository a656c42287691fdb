"""Database logins of the processes.

Serving processes never log in as the schema owner.
A serving process has three logins: its own (`conclave_web`, `conclave_public` or `conclave_worker`) for work outside
scopes, `conclave_tenant` for tenant scopes and `conclave_platform` for platform scopes.
"""

from collections.abc import Sequence

OWNER = "conclave_owner"
WEB = "conclave_web"
WORKER = "conclave_worker"
PUBLIC = "conclave_public"
TENANT = "conclave_tenant"
PLATFORM = "conclave_platform"
# Can use the roles of all scopes, so that a test can run in one transaction. Exists only where tests or the isolation
# report have run.
TEST = "conclave_test"

# Logins of scopes by their database role. The process's own login serves all others.
SCOPE_LOGINS = {"conclave_app": TENANT, "conclave_reader": TENANT, "conclave_operator": PLATFORM}

OWNER_COMMANDS = frozenset({"migrate", "partitions", "sqlmigrate", "makemigrations", "flush", "vectors"})
WORKER_COMMANDS = frozenset({"procrastinate", "worker"})
# Its test data changes between scopes in one transaction.
TEST_COMMANDS = frozenset({"isolation_report"})


def login_for_command(argv: Sequence[str]) -> str:
    """Return the login of `manage.py <command>`. CONCLAVE_LOGIN overrides it."""
    command = argv[1] if len(argv) > 1 else ""
    if command in OWNER_COMMANDS:
        return OWNER
    if command in TEST_COMMANDS:
        return TEST
    return WORKER if command in WORKER_COMMANDS else WEB
