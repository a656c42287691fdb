"""PostgreSQL backend that applies the current scope to every transaction.

- One `set_config(..., true)` round trip precedes the first statement of a transaction.
- A statement in a scope but outside a transaction is rejected: its settings would be lost immediately.
- A transaction bound to one (role, tenant) rejects statements of another.
- After a savepoint is rolled back, the scope is applied again, because PostgreSQL reverted it.
- Statements that repeat for each request can be prepared (`prepared_cursor`).

The transaction that Django's TestCase keeps open around a test does not count: there, scopes may change.
"""

import select
from collections.abc import Callable
from typing import Any

from django.db.backends.postgresql import base
from psycopg.pq import ConnStatus

from config.db.session import NO_SCOPE, SESSION_SQL, Scope, ScopeError, current_scope

from .creation import DatabaseCreation
from .schema import DatabaseSchemaEditor

TRANSACTION_CONTROL = ("SAVEPOINT", "RELEASE", "ROLLBACK")


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's PostgreSQL connection with a scope for each transaction."""

    SchemaEditorClass = DatabaseSchemaEditor
    creation_class = DatabaseCreation

    _applied: Scope | None = None
    _binding: tuple[object, tuple[str, str]] | None = None

    def init_connection_state(self) -> None:
        super().init_connection_state()
        if self._guard not in self.execute_wrappers:
            self.execute_wrappers.insert(0, self._guard)

    def prepared_cursor(self) -> Any:
        """Return a cursor with server-side parameter binding, so that PostgreSQL caches plans.

        Behind a connection pooler (`prepare_threshold` None) every statement is planned again. Placeholders can stand
        only for values.
        """
        self.ensure_connection()
        with self.wrap_database_errors:
            return self._prepare_cursor(base.ServerBindingCursor(self.connection))  # type: ignore[attr-defined,call-arg]

    def is_usable(self) -> bool:
        """Return whether the connection is alive.

        On a Unix socket no query is needed: the socket becomes readable when the server closes its end.
        """
        if not self.settings_dict["HOST"].startswith("/"):
            return super().is_usable()
        if self.connection is None or self.connection.pgconn.status != ConnStatus.OK:
            return False
        watch = select.poll()
        watch.register(self.connection.pgconn.socket, select.POLLIN)
        return not watch.poll(0) or super().is_usable()

    def _guard(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        scope = current_scope()
        if scope is not self._applied:
            self._apply(scope, sql)
        return execute(sql, params, many, context)

    def ensure_scope(self) -> None:
        """Apply the current scope now, for code that uses psycopg's cursor directly (COPY, pipelines)."""
        scope = current_scope()
        if scope is not self._applied:
            self._apply(scope, "")

    def _apply(self, scope: Scope | None, sql: Any) -> None:
        if not self.in_atomic_block:
            if scope is not None:
                raise ScopeError("a scope is open but no transaction is: wrap the statement in atomic()")
            return
        if self.needs_rollback or (isinstance(sql, str) and sql.startswith(TRANSACTION_CONTROL)):
            return
        self._bind(scope)
        # psycopg's cursor bypasses Django's wrapper, which converts errors and marks the connection.
        with self.wrap_database_errors, base.ServerBindingCursor(self.connection) as cursor:  # type: ignore[call-arg,attr-defined]
            cursor.execute(SESSION_SQL, (scope or NO_SCOPE).params())
        self._applied = scope

    def _bind(self, scope: Scope | None) -> None:
        block = next((block for block in self.atomic_blocks if not block._from_testcase), None)  # type: ignore[attr-defined]
        binding = (scope or NO_SCOPE).binding
        if self._binding and self._binding[0] is block and block is not None and self._binding[1] != binding:
            raise ScopeError(f"this transaction belongs to {self._binding[1]}, the statement to {binding}")
        self._binding = (block, binding)

    def _reset_scope(self) -> None:
        self._applied = None
        self._binding = None

    def _commit(self) -> Any:
        self._reset_scope()
        return super()._commit()  # type: ignore[misc]

    def _rollback(self) -> Any:
        self._reset_scope()
        return super()._rollback()  # type: ignore[misc]

    def _savepoint_rollback(self, sid: str) -> None:
        super()._savepoint_rollback(sid)  # type: ignore[misc]
        # Not None: outside a scope that would match the wanted scope, while PostgreSQL may still use an older one.
        self._applied = NO_SCOPE

    def _set_autocommit(self, autocommit: bool) -> None:
        self._reset_scope()
        super()._set_autocommit(autocommit)  # type: ignore[misc]

    def close(self) -> None:
        self._reset_scope()
        super().close()
