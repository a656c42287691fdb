"""Current scope: the database role and the `app.*` settings that RLS policies read.

The database backend (`config.db.backend`) applies the current scope in one round trip before the first statement of
a transaction. `config.tenancy.scope` opens scopes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from config.db.scope_proofs import prove_scope

NO_ROLE = "none"
APP = "conclave_app"
IDENTITY = "conclave_identity"
OPERATOR = "conclave_operator"
READER = "conclave_reader"

# In the order of `Scope.values`, after the role. The proof covers all of them.
SETTINGS = (
    "app.current_tenant_id",
    "app.current_user_id",
    "app.current_engagement_id",
    "app.actor",
    "app.ip",
    "app.request_id",
    "app.user_agent",
)


def session_sql(*, local: bool) -> str:
    """Return the statement that applies a scope.

    It applies to the transaction if `local`, else to the session.
    Its parameters are those of `Scope.params`.
    """
    names = ("role", *SETTINGS, "app.scope_proof")
    return "SELECT " + ", ".join(f"set_config('{name}', %s, {str(local).lower()})" for name in names)


SESSION_SQL = session_sql(local=True)
# For one statement without a scope, when all other settings are empty.
PROOF_SQL = "SELECT set_config('app.scope_proof', %s, true)"


class ScopeError(RuntimeError):
    """A statement runs outside a transaction or in a transaction of another scope."""


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """The origin of a request, for the audit log."""

    ip: str = ""
    request_id: str = ""
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class Scope:
    """The role and settings of one transaction.

    `tenant_id` is None in the platform scope, which sees all tenants, and without a role.
    """

    role: str = NO_ROLE
    tenant_id: UUID | None = None
    user_id: UUID | None = None
    engagement_id: UUID | None = None
    actor: str = ""
    reason: str = ""
    request: RequestInfo = RequestInfo()

    @property
    def binding(self) -> tuple[str, str]:
        """The role and tenant, which must not change inside a transaction."""
        return self.role, str(self.tenant_id or "")

    def values(self) -> tuple[str, ...]:
        """Return the role and the settings, in the order of `SETTINGS`.

        Policies treat an empty string as not set.
        """
        return (
            self.role,
            str(self.tenant_id or ""),
            str(self.user_id or ""),
            str(self.engagement_id or ""),
            self.actor,
            self.request.ip,
            self.request.request_id,
            self.request.user_agent,
        )

    def proof(self) -> str:
        """Return a new proof of the scope."""
        return prove_scope(self.values())

    def params(self) -> tuple[str, ...]:
        """Return the parameters of `SESSION_SQL` in order."""
        values = self.values()
        return (*values, prove_scope(values))


NO_SCOPE = Scope()
_scope: ContextVar[Scope | None] = ContextVar("conclave_scope", default=None)
request_info: ContextVar[RequestInfo] = ContextVar("conclave_request_info", default=RequestInfo())  # noqa: B039


def current_scope() -> Scope | None:
    """Return the current scope, or None."""
    return _scope.get()


def request_scope() -> Scope | None:
    """Return the scope of a write outside any scope: the request's origin without a role, or None."""
    info = request_info.get()
    return None if info == RequestInfo() else Scope(request=info)


@contextmanager
def apply_scope(scope: Scope | None) -> Iterator[None]:
    """Make `scope` the current scope inside the block."""
    token = _scope.set(scope)
    try:
        yield
    finally:
        _scope.reset(token)
