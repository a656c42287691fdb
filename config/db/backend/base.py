"""PostgreSQL backend that applies the current scope to every transaction.

- One `set_config(..., true)` round trip precedes the first statement of a transaction.
- A statement without scope and transaction is sent together with a proof for sign-in work, as one transaction.
- A statement in a scope but outside a transaction is rejected: its settings would be lost immediately.
- A transaction bound to one (role, tenant) rejects statements of another.
- A scope uses the connection of its login, so it opens its own transaction (`ScopedTransaction`).
- After a savepoint is rolled back, the scope is applied again, because PostgreSQL reverted it.
- Statements that repeat for each request can be prepared (`prepared_cursor`).

The transaction that Django's TestCase keeps open around a test does not count: there, scopes may change.
"""

from collections.abc import Callable
from typing import Any

from django.db.backends.postgresql import base
from django.utils.functional import cached_property

from config.db.session import NO_SCOPE, PROOF_SQL, SESSION_SQL, Scope, ScopeError, current_scope
from config.postgres.logins import OWNER

from .creation import DatabaseCreation
from .logins import LoginsMixin, login_for
from .schema import DatabaseSchemaEditor

TRANSACTION_CONTROL = ("SAVEPOINT", "RELEASE", "ROLLBACK")


class DatabaseWrapper(LoginsMixin):
    """Django's PostgreSQL connection with a scope for each transaction."""

    SchemaEditorClass = DatabaseSchemaEditor
    creation_class = DatabaseCreation

    _applied: Scope | None = None
    # False while test setup changes roles within a transaction (config.testing.roles).
    _checks_login = True
    _binding: tuple[object, tuple[str, str]] | None = None

    def init_connection_state(self) -> None:
        super().init_connection_state()
        if self._guard not in self.execute_wrappers:
            self.execute_wrappers.insert(0, self._guard)

    def prepared_cursor(self, *, proved: bool = True) -> Any:
        """Return a cursor with server-side parameter binding, so that PostgreSQL caches plans.

        Behind a connection pooler (`prepare_threshold` None) every statement is planned again. Placeholders can stand
        only for values.

        Args:
            proved: False for statements without a scope that only call functions which need no proof.
        """
        self.ensure_connection()
        with self.wrap_database_errors:
            cursor = self._prepare_cursor(self._server_cursor())  # type: ignore[attr-defined]
        cursor.proved = proved
        return cursor

    def _server_cursor(self) -> Any:
        return base.ServerBindingCursor(self.connection)  # type: ignore[call-arg,attr-defined]

    def _guard(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        scope = current_scope() or NO_SCOPE
        if not self.in_atomic_block:
            return self._execute_alone(scope, execute, sql, params, many, context)
        if scope is not self._applied:
            self._apply(scope, sql)
        return execute(sql, params, many, context)

    def _execute_alone(
        self, scope: Scope, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
    ) -> Any:
        """Execute a statement outside `atomic()`, where there can be no scope."""
        if scope is not NO_SCOPE:
            raise ScopeError("a scope is open but no transaction is: wrap the statement in atomic()")
        # The owner needs no proof, and some of its statements cannot run in a transaction.
        if self.settings_dict["USER"] == OWNER or not getattr(context["cursor"], "proved", True):
            return execute(sql, params, many, context)
        # PostgreSQL executes both statements of a pipeline in one transaction, which ends with the pipeline.
        with self.wrap_database_errors, self.connection.pipeline():  # type: ignore[attr-defined]
            with self._server_cursor() as cursor:
                cursor.execute(PROOF_SQL, [NO_SCOPE.proof()])
            return execute(sql, params, many, context)

    def ensure_scope(self) -> None:
        """Apply the current scope now, for code that uses psycopg's cursor directly (COPY, pipelines)."""
        scope = current_scope() or NO_SCOPE
        if self.in_atomic_block and scope is not self._applied:
            self._apply(scope, "")

    def _apply(self, scope: Scope, sql: Any) -> None:
        if self.needs_rollback or (isinstance(sql, str) and sql.startswith(TRANSACTION_CONTROL)):
            return
        self._bind(scope)
        # psycopg's cursor bypasses Django's wrapper, which converts errors and marks the connection. The server binds
        # the parameters, so that no proof appears in pg_stat_activity.
        with self.wrap_database_errors, self._server_cursor() as cursor:
            cursor.execute(SESSION_SQL + self._process_settings, scope.params())
        self._applied = scope

    @cached_property
    def _process_settings(self) -> str:
        """Settings of this process for each transaction, for `SESSION_SQL`."""
        wanted = self.settings_dict.get("TRANSACTION_SETTINGS") or {}
        return "".join(f", set_config('{name}', '{value}', true)" for name, value in wanted.items())

    def _bind(self, scope: Scope) -> None:
        block = next((block for block in self.atomic_blocks if not block._from_testcase), None)  # type: ignore[attr-defined]
        opened = login_for(getattr(block, "scope", None))
        if block is not None and self._checks_login and opened != login_for(scope):
            raise ScopeError("the transaction was opened outside this scope and uses another login")
        binding = scope.binding
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
        self._applied = None

    def _set_autocommit(self, autocommit: bool) -> None:
        self._reset_scope()
        super()._set_autocommit(autocommit)  # type: ignore[misc]

    def close(self) -> None:
        self._reset_scope()
        super().close()
