"""The control's database backend: sets tenant and actor for the session before the transaction begins.

That is what a middleware with a plain SET does. It works on a dedicated connection; behind a pooler
the transaction may run on another connection than the SET did.
"""

from psycopg.pq import TransactionStatus

from config.db.backend import base
from config.db.session import session_sql

# Everything but the role.
SETTINGS_SQL = session_sql(local=False).replace("set_config('role', %s, false)", "%s")


class DatabaseWrapper(base.DatabaseWrapper):
    """Database wrapper whose settings outlive the transaction; the role does not."""

    def _apply(self, scope, sql):
        if scope is base.NO_SCOPE or not self.in_atomic_block or self.needs_rollback:
            super()._apply(scope, sql)
            return
        if self.connection.info.transaction_status == TransactionStatus.IDLE:
            self.connection.autocommit = True
            self.connection.execute(SETTINGS_SQL, scope.params())
            self.connection.autocommit = False
        self._bind(scope)
        self.connection.execute("SELECT set_config('role', %s, true)", [scope.role])
        self._applied = scope
