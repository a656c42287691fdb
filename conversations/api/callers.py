"""The caller of a request that runs agents."""

from typing import Any

from config.api.idempotency import IdempotentRequest
from conversations.runtime.turns import Caller


class CallerMixin:
    """Shared behaviour of views that run agents: caller, scopes and idempotency key."""

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        # The key's fingerprint needs the body, which parsing would consume. Uploads have their own fingerprint.
        if "HTTP_IDEMPOTENCY_KEY" in request.META and not request.content_type.startswith("multipart/"):
            _ = request._request.body

    def caller(self) -> Caller:
        """Return the caller on whose behalf the turn runs."""
        credential = self.credential
        return Caller(credential.tenant_id, credential.user_id, credential.actor, credential.engagement_id)

    def idempotent_request(self, fingerprint: str = "") -> IdempotentRequest:
        """Return the request with its Idempotency-Key, if any."""
        credential = self.credential
        return IdempotentRequest(
            self.request._request, credential.actor, fingerprint, engagement_id=credential.engagement_id
        )
