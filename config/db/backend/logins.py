"""Connections of one thread by database login.

Each scope uses a login that can switch to its database role and to no role above it. Outside a transaction, the
connection of the previous login is parked, or returned to its pool, when the scope changes. A transaction keeps its
connection. Processes without logins for scopes, such as migrations, use one connection.
"""

import select
import time
from typing import Any, NamedTuple

import psycopg
from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.postgresql import base
from psycopg.pq import ConnStatus
from psycopg_pool import ConnectionPool

from config.db.session import Scope, apply_scope, current_scope
from config.postgres.logins import SCOPE_LOGINS

# The process's own login, for work outside scopes.
OWN = ""
# A TCP connection that was used this recently is not checked by a query.
RECENT_SECONDS = 1.0


def login_for(scope: Scope | None) -> str:
    """Return the login of a scope, or `OWN`."""
    return OWN if scope is None else SCOPE_LOGINS.get(scope.role, OWN)


def is_quiet(connection: Any) -> bool:
    """Return whether the server has neither sent data nor closed the connection."""
    if connection.pgconn.status != ConnStatus.OK:
        return False
    watch = select.poll()
    watch.register(connection.pgconn.socket, select.POLLIN)
    return not watch.poll(0)


def is_local(connection: Any) -> bool:
    """Return whether the connection is a Unix socket.

    It becomes readable when the server closes its end.
    """
    return bool(connection.pgconn.host.startswith(b"/"))


def check_pooled(connection: Any) -> None:
    """Check a pooled connection before use, after idle time by query.

    Raises:
        psycopg.OperationalError: The connection is broken.
    """
    recent = time.monotonic() - getattr(connection, "returned_at", 0.0) < RECENT_SECONDS
    if not is_quiet(connection) or not (recent or is_local(connection)):
        ConnectionPool.check_connection(connection)


class ParkedConnection(NamedTuple):
    """An open connection of another login, with Django's state of its health."""

    connection: psycopg.Connection[Any]
    close_at: float | None
    health_check_done: bool
    errors_occurred: bool


class LoginsMixin(base.DatabaseWrapper):
    """Connection whose login follows the current scope."""

    _login = OWN
    _connecting = False
    _connection_pools: dict[tuple[str, str], Any] = {}
    health_check_done: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._parked: dict[str, ParkedConnection] = {}

    def ensure_connection(self) -> None:
        """Connect, or change to the login of the current scope.

        The login stays the same while a transaction is open.
        """
        usable = self.connection is None or (self.autocommit and not self.in_atomic_block)
        if usable and not self._connecting:
            login = login_for(current_scope())
            if login != self._login and (self._login or login in self._scope_logins):
                self._change_login(login if login in self._scope_logins else OWN)
        super().ensure_connection()

    def connect(self) -> None:
        """Connect outside the scope.

        Receivers of `connection_created` run queries without a transaction.
        """
        self._connecting = True
        try:
            with apply_scope(None):
                super().connect()
        finally:
            self._connecting = False

    @property
    def _scope_logins(self) -> dict[str, dict[str, Any]]:
        return self.settings_dict.get("LOGINS") or {}

    def _change_login(self, login: str) -> None:
        previous, pool = self.connection, self.pool
        if previous is not None and not pool:
            self._parked[self._login] = ParkedConnection(
                previous, self.close_at, self.health_check_done, self.errors_occurred
            )
        elif previous is not None:
            self._close()
        self.connection, self._login = None, login
        if login in self._parked:
            self.connection, self.close_at, self.health_check_done, self.errors_occurred = self._parked.pop(
                login
            )
        elif previous is not None and pool:
            self._take_from_pool()

    def _close(self) -> Any:
        if self.connection is not None:
            self.connection.returned_at = time.monotonic()
        return super()._close()  # type: ignore[misc]

    def _take_from_pool(self) -> None:
        """Do what `connect` does, without resetting the state that no change of login affects."""
        with self.wrap_database_errors:
            self.connection = self.get_new_connection(self.get_connection_params())
            if not self.connection.autocommit:
                self.connection.autocommit = True
        self.health_check_done = True
        self.errors_occurred = False

    def get_connection_params(self) -> dict[str, Any]:
        params = super().get_connection_params()
        fields = self._scope_logins.get(self._login, {})
        for name, key in (("USER", "user"), ("PASSWORD", "password"), ("HOST", "host"), ("PORT", "port")):
            if fields.get(name):
                params[key] = fields[name]
        return params

    @property
    def pool(self) -> Any:
        """The pool of the current login, or None."""
        options = self.settings_dict["OPTIONS"].get("pool")
        if self.alias == NO_DB_ALIAS or not options:
            return None
        key = (self.alias, self._login)
        if key not in self._connection_pools:
            size = self._scope_logins.get(self._login, {}).get("POOL", options["max_size"])
            pool = ConnectionPool(
                kwargs=self.get_connection_params() | {"autocommit": True},
                open=False,
                configure=self._configure_connection,  # type: ignore[attr-defined]
                check=check_pooled,
                **(options | {"max_size": size}),
            )
            # Threads that start together may each make a pool; an unopened one costs nothing.
            self._connection_pools.setdefault(key, pool)
        return self._connection_pools[key]

    def close_pool(self) -> None:
        for key in [key for key in self._connection_pools if key[0] == self.alias]:
            self._connection_pools.pop(key).close()

    def close(self) -> None:
        super().close()
        for parked in self._parked.values():
            parked.connection.close()
        self._parked.clear()

    def close_if_unusable_or_obsolete(self) -> None:
        super().close_if_unusable_or_obsolete()
        for login, parked in list(self._parked.items()):
            if parked.errors_occurred or (
                parked.close_at is not None and time.monotonic() >= parked.close_at
            ):
                self._parked.pop(login).connection.close()
            else:
                self._parked[login] = parked._replace(health_check_done=False)

    def is_usable(self) -> bool:
        """Return whether the connection is alive; on a Unix socket without a query."""
        if self.connection is None or self.connection.pgconn.status != ConnStatus.OK:
            return False
        return (is_local(self.connection) and is_quiet(self.connection)) or super().is_usable()
