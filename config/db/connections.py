"""Releases database connections of waiting threads."""

from django.db import connections


def release_connections() -> None:
    """Close this thread's connections, except those inside a transaction."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


def release_pooled_connections() -> None:
    """Return this thread's connections to their pools. Connections without a pool stay open."""
    for connection in connections.all(initialized_only=True):
        if connection.pool and not connection.in_atomic_block:  # type: ignore[attr-defined]
            connection.close()
