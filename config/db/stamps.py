"""Per-transaction session context: the database role and the `app.*` settings that RLS policies read.

The database backend (`config.db.backend`) applies the current context in one round trip before the first statement of
a transaction. `tenants.scoping` sets the current context.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

APP = "conclave_app"
IDENTITY = "conclave_identity"
OPERATOR = "conclave_operator"
READER = "conclave_reader"

STAMP_SQL = (
    "SELECT set_config('role', %s, true), set_config('app.current_tenant_id', %s, true),"
    " set_config('app.current_user_id', %s, true), set_config('app.current_engagement_id', %s, true),"
    " set_config('app.actor', %s, true), set_config('app.ip', %s, true),"
    " set_config('app.request_id', %s, true), set_config('app.user_agent', %s, true)"
)


class ScopeError(RuntimeError):
    """A statement runs outside a transaction or in a transaction of another scope."""


@dataclass(frozen=True, slots=True)
class Stamp:
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
        """Return the parameters of `STAMP_SQL` in order."""
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


NO_STAMP = Stamp(role="none")


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """The origin of a request, for the audit log."""

    ip: str = ""
    request_id: str = ""
    user_agent: str = ""


_stamp: ContextVar[Stamp | None] = ContextVar("conclave_stamp", default=None)
request_info: ContextVar[RequestInfo] = ContextVar("conclave_request_info", default=RequestInfo())  # noqa: B039


def current_stamp() -> Stamp | None:
    """Return the current session context, or None outside any scope."""
    return _stamp.get()


def request_stamp() -> Stamp | None:
    """Return the context of a write outside any scope: the request's origin, or None."""
    info = request_info.get()
    if info == RequestInfo():
        return None
    return replace(NO_STAMP, ip=info.ip, request_id=info.request_id, user_agent=info.user_agent)


@contextmanager
def stamped(stamp: Stamp | None) -> Iterator[None]:
    """Make `stamp` the current session context inside the block."""
    token = _stamp.set(stamp)
    try:
        yield
    finally:
        _stamp.reset(token)
