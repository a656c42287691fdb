"""PostgreSQL backend that stamps every transaction with the scope of the ContextVar.

- The first statement of a transaction is preceded by one `set_config(..., true)` round trip.
- A statement with a scope but outside a transaction is refused: its settings would be lost at once.
- A transaction bound to one (role, tenant) refuses statements of another.
- After a rolled-back savepoint the stamp is applied again, since PostgreSQL undid it.
- Statements that are repeated for each request can be planned once (`prepared_cursor`).

A transaction that Django's TestCase keeps open around a whole test is not a transaction of the
application: there one scope may follow another.
"""

import select
from collections.abc import Callable
from typing import Any

from django.db.backends.postgresql import base
from psycopg.pq import ConnStatus

from config.db.stamps import NO_STAMP, STAMP_SQL, ScopeError, Stamp, current_stamp

from .creation import DatabaseCreation
from .schema import DatabaseSchemaEditor

TRANSACTION_CONTROL = ("SAVEPOINT", "RELEASE", "ROLLBACK")


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's PostgreSQL connection plus the stamping of transactions."""

    SchemaEditorClass = DatabaseSchemaEditor
    creation_class = DatabaseCreation

    _applied: Stamp | None = None
    _binding: tuple[object, tuple[str, str]] | None = None

    def init_connection_state(self) -> None:
        super().init_connection_state()
        if self._guard not in self.execute_wrappers:
            self.execute_wrappers.insert(0, self._guard)

    def prepared_cursor(self) -> Any:
        """A cursor whose values travel apart from the statement; PostgreSQL keeps the plan of a repeated one.

        Behind a pooler (`prepare_threshold` None) each is planned anew. Placeholders stand for values alone.
        """
        self.ensure_connection()
        with self.wrap_database_errors:
            return self._prepare_cursor(base.ServerBindingCursor(self.connection))  # type: ignore[attr-defined,call-arg]

    def is_usable(self) -> bool:
        """Whether the connection lives. On a Unix socket the kernel tells: a dead server's end is readable."""
        if not self.settings_dict["HOST"].startswith("/"):
            return super().is_usable()
        if self.connection is None or self.connection.pgconn.status != ConnStatus.OK:
            return False
        watch = select.poll()
        watch.register(self.connection.pgconn.socket, select.POLLIN)
        return not watch.poll(0) or super().is_usable()

    def _guard(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        stamp = current_stamp()
        if stamp is not self._applied:
            self._apply(stamp, sql)
        return execute(sql, params, many, context)

    def ensure_stamped(self) -> None:
        """Stamp now; for code that talks to psycopg's own cursor (COPY, pipelines) before any statement."""
        stamp = current_stamp()
        if stamp is not self._applied:
            self._apply(stamp, "")

    def _apply(self, stamp: Stamp | None, sql: Any) -> None:
        if not self.in_atomic_block:
            if stamp is not None:
                raise ScopeError("a scope is open but no transaction is: wrap the statement in atomic()")
            return
        if self.needs_rollback or (isinstance(sql, str) and sql.startswith(TRANSACTION_CONTROL)):
            return
        self._bind(stamp)
        # psycopg's own cursor: nothing else would make Django's errors of its errors and mark the connection.
        with self.wrap_database_errors, base.ServerBindingCursor(self.connection) as cursor:  # type: ignore[call-arg,attr-defined]
            cursor.execute(STAMP_SQL, (stamp or NO_STAMP).params())
        self._applied = stamp

    def _bind(self, stamp: Stamp | None) -> None:
        block = next((block for block in self.atomic_blocks if not block._from_testcase), None)  # type: ignore[attr-defined]
        wanted = stamp.binding if stamp else NO_STAMP.binding
        if self._binding and self._binding[0] is block and block is not None and self._binding[1] != wanted:
            raise ScopeError(f"this transaction belongs to {self._binding[1]}, the statement to {wanted}")
        self._binding = (block, wanted)

    def _unstamp(self) -> None:
        self._applied = None
        self._binding = None

    def _commit(self) -> Any:
        self._unstamp()
        return super()._commit()  # type: ignore[misc]

    def _rollback(self) -> Any:
        self._unstamp()
        return super()._rollback()  # type: ignore[misc]

    def _savepoint_rollback(self, sid: str) -> None:
        super()._savepoint_rollback(sid)  # type: ignore[misc]
        # Not None: `None` would pass for «unstamped as wanted» while PostgreSQL may wear an older stamp.
        self._applied = NO_STAMP

    def _set_autocommit(self, autocommit: bool) -> None:
        self._unstamp()
        super()._set_autocommit(autocommit)  # type: ignore[misc]

    def close(self) -> None:
        self._unstamp()
        super().close()
