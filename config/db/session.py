"""Per-transaction session context: the database role and the `app.*` settings that RLS policies read.

The database backend (`config.db.backend`) applies the current context in one round trip before the first statement of
a transaction. `config.tenancy.scope` sets the current context.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

APP = "conclave_app"
IDENTITY = "conclave_identity"
OPERATOR = "conclave_operator"
READER = "conclave_reader"

SESSION_SQL = (
    "SELECT set_config('role', %s, true), set_config('app.current_tenant_id', %s, true),"
    " set_config('app.current_user_id', %s, true), set_config('app.current_engagement_id', %s, true),"
    " set_config('app.actor', %s, true), set_config('app.ip', %s, true),"
    " set_config('app.request_id', %s, true), set_config('app.user_agent', %s, true)"
)


class ScopeError(RuntimeError):
    """A statement runs outside a transaction or in a transaction of another scope."""


@dataclass(frozen=True, slots=True)
class SessionContext:
    """The role and settings of one transaction. Policies treat an empty string as not set."""

    role: str
    tenant_id: str = ""
    user_id: str = ""
    engagement_id: str = ""
    actor: str = ""
    ip: str = ""
    request_id: str = ""
    user_agent: str = ""

    @property
    def binding(self) -> tuple[str, str]:
        """The role and tenant, which must not change inside a transaction."""
        return self.role, self.tenant_id

    def params(self) -> tuple[str, ...]:
        """Return the parameters of `SESSION_SQL` in order."""
        return (
            self.role,
            self.tenant_id,
            self.user_id,
            self.engagement_id,
            self.actor,
            self.ip,
            self.request_id,
            self.user_agent,
        )


EMPTY_SESSION = SessionContext(role="none")


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """The origin of a request, for the audit log."""

    ip: str = ""
    request_id: str = ""
    user_agent: str = ""


_session: ContextVar[SessionContext | None] = ContextVar("conclave_stamp", default=None)
request_info: ContextVar[RequestInfo] = ContextVar("conclave_request_info", default=RequestInfo())  # noqa: B039


def current_session() -> SessionContext | None:
    """Return the current session context, or None outside any scope."""
    return _session.get()


def request_session() -> SessionContext | None:
    """Return the context of a write outside any scope: the request's origin, or None."""
    info = request_info.get()
    if info == RequestInfo():
        return None
    return replace(EMPTY_SESSION, ip=info.ip, request_id=info.request_id, user_agent=info.user_agent)


@contextmanager
def apply_session(session: SessionContext | None) -> Iterator[None]:
    """Make `session` the current session context inside the block."""
    token = _session.set(session)
    try:
        yield
    finally:
        _session.reset(token)
