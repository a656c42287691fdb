"""What a transaction is stamped with: the role it wears and the `app.*` settings that policies read.

The database backend (`config.db.backend`) applies the current stamp with one round trip at the first
statement of a transaction; `tenants.scoping` decides which stamp is current.
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
    """A statement that would run in no transaction, or in a transaction that belongs to another scope."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """One transaction's role and settings; empty strings mean «not set» to the policies."""

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
        """What may not change inside one transaction."""
        return self.role, self.tenant_id

    def params(self) -> tuple[str, ...]:
        """The arguments of `STAMP_SQL`, in its order."""
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
    """Where a request came from, for the audit log."""

    ip: str = ""
    request_id: str = ""
    user_agent: str = ""


_stamp: ContextVar[Stamp | None] = ContextVar("conclave_stamp", default=None)
request_info: ContextVar[RequestInfo] = ContextVar("conclave_request_info", default=RequestInfo())  # noqa: B039


def current_stamp() -> Stamp | None:
    """The stamp that the next statement must carry, or None outside every scope."""
    return _stamp.get()


def request_stamp() -> Stamp | None:
    """What a write outside every scope tells the audit log: where the request came from; None without one."""
    info = request_info.get()
    if info == RequestInfo():
        return None
    return replace(NO_STAMP, ip=info.ip, request_id=info.request_id, user_agent=info.user_agent)


@contextmanager
def stamped(stamp: Stamp | None) -> Iterator[None]:
    """Make `stamp` current inside the block."""
    token = _stamp.set(stamp)
    try:
        yield
    finally:
        _stamp.reset(token)
