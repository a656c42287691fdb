"""The caller of a request that runs agents."""

from config.api.idempotency import IdempotentRequest
from conversations.runtime.turns import Caller


class CallerMixin:
    """Shared behaviour of views that run agents: caller, scopes and idempotency key."""

    def caller(self) -> Caller:
        """Return the caller on whose behalf the turn runs."""
        return Caller(self.credential.tenant_id, self.credential.user_id, self.credential.actor)

    def idempotent_request(self, fingerprint: str = "") -> IdempotentRequest:
        """Return the request with its Idempotency-Key, if any."""
        return IdempotentRequest(self.request._request, self.credential.actor, fingerprint)
