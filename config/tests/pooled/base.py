"""The control's database backend: sets tenant and actor for the session before the transaction begins.

That is what a middleware with a plain SET does. It works on a dedicated connection; behind a pooler
the transaction may run on another connection than the SET did.
"""

from psycopg.pq import TransactionStatus

from config.db.backend import base

SESSION_SQL = (
    "SELECT set_config('app.current_tenant_id', %s, false), set_config('app.current_user_id', %s, false),"
    " set_config('app.actor', %s, false)"
)


class DatabaseWrapper(base.DatabaseWrapper):
    """Database wrapper whose settings outlive the transaction; the role does not."""

    def _apply(self, scope, sql):
        if scope is None or not self.in_atomic_block or self.needs_rollback:
            super()._apply(scope, sql)
            return
        if self.connection.info.transaction_status == TransactionStatus.IDLE:
            self.connection.autocommit = True
            self.connection.execute(
                SESSION_SQL, [str(scope.tenant_id or ""), str(scope.user_id or ""), scope.actor]
            )
            self.connection.autocommit = False
        self._bind(scope)
        self.connection.execute("SELECT set_config('role', %s, true)", [scope.role])
        self._applied = scope
