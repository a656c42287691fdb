"""Threads that wait hold no connection to the database."""

from django.db import connections


def give_back() -> None:
    """Close this thread's connections, but for those in the middle of a transaction."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()
