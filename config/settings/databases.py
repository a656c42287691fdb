"""Database connections of a process: its own login and those of scopes."""

from typing import Any

import environ

from config.db.roles import WORKER_TRANSACTION
from config.postgres.cluster import embedded_settings
from config.postgres.logins import OWNER, PLATFORM, PUBLIC, TENANT, TEST, WORKER

env = environ.Env()
LOGIN_VARIABLES = {
    OWNER: "DATABASE_OWNER_URL",
    WORKER: "DATABASE_WORKER_URL",
    TENANT: "DATABASE_TENANT_URL",
    PLATFORM: "DATABASE_PLATFORM_URL",
}


def login_settings(login: str) -> dict[str, Any]:
    """Return Django's connection settings for a login.

    They are those of an external server by URL, else of the embedded one.
    Without a URL, the logins of scopes use DATABASE_URL with their user name.
    """
    if not env.str("DATABASE_URL", default=""):
        return embedded_settings(login)
    variable = LOGIN_VARIABLES.get(login, "DATABASE_URL")
    if login == OWNER or env.str(variable, default=""):
        fields: dict[str, Any] = env.db_url(variable)
        return fields
    fields = env.db_url("DATABASE_URL")
    return {**fields, "USER": login} if login in (TENANT, PLATFORM, TEST) else fields


def pool_sizes(login: str, user: str, connections: int) -> tuple[int, dict[str, int]]:
    """Return the pool sizes of the process's login and the scopes' logins.

    Args:
        user: the user name of the process's own login.
        connections: size of all pools together.
    """
    if login in (OWNER, TEST):
        return connections, {}
    own, platform = max(1, connections // 4), max(1, connections // 8)
    sizes = {TENANT: max(1, connections - own - platform), PLATFORM: platform}
    if PUBLIC in (login, user):  # the database refuses the platform scope to a public API
        del sizes[PLATFORM]
    return own, sizes


def database_for(login: str) -> dict[str, object]:
    """Return Django's database settings for a process with this login."""
    external = env.str("DATABASE_URL", default="")
    fields = login_settings(login)
    # Prepared statements belong to a server connection, which a transaction pooler shares between clients.
    prepare = env.bool("DATABASE_PREPARE", default=not external)
    kept = env.int("CONN_MAX_AGE", default=60)
    options = {**fields.get("OPTIONS", {}), "prepare_threshold": 3 if prepare else None}
    # Threads share a connection pool: a burst of requests waits instead of exceeding the server's max_connections.
    most = env.int("DATABASE_POOL", default=0)
    own, sizes = pool_sizes(login, fields["USER"], most)
    if most and login != OWNER:
        options["pool"] = {"min_size": 0, "max_size": own, "timeout": 10, "max_idle": max(kept, 1)}
    return {
        **fields,
        "OPTIONS": options,
        "LOGINS": {name: {**login_settings(name), "POOL": size} for name, size in sizes.items()},
        "TRANSACTION_SETTINGS": WORKER_TRANSACTION if login == WORKER else {},
        "ENGINE": "config.db.backend",
        "CONN_MAX_AGE": 0 if "pool" in options else kept,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "TEST": {"NAME": env("CONCLAVE_TEST_DB", default="test_conclave"), "MIGRATE": True},
    }
