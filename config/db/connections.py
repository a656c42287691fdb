"""Releases database connections of waiting threads."""

from django.db import connections


def release_connections() -> None:
    """Close this thread's connections, except those inside a transaction."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()
