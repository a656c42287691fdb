"""Signal of refused requests, for the apps that record them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.dispatch import Signal
from django.http import HttpRequest
from rest_framework.exceptions import APIException, NotAuthenticated

from .credentials import CREDENTIALS, Rate
from .exceptions import TenantNotFound

# Sent with `refusal`, a `Refusal`, outside any transaction.
request_refused = Signal()
STATUSES = frozenset({401, 403, 429})


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request refused for lack of a valid credential, a permission or a free place in its rate limit.

    `tenant_id` and `user_id` are None if they are unknown. `cause` is the exception behind `error`, if any.
    """

    request: HttpRequest
    status: int
    code: str
    tenant_id: UUID | None = None
    user_id: UUID | None = None
    actor: str = ""
    scope: str = ""
    rate: Rate | None = None
    cause: BaseException | None = None


def announce_refusal(view: Any, error: Exception, status: int) -> None:
    """Send `request_refused` if the error is a refusal, unless the client sent no credential."""
    if isinstance(error, NotAuthenticated) or not (status in STATUSES or isinstance(error, TenantNotFound)):
        return
    request = view.request
    # The property would authenticate again.
    auth = getattr(request, "_auth", None)
    credential = auth if isinstance(auth, CREDENTIALS) else None
    # DRF replaces the request's user when authentication fails; Django keeps the session's.
    person = getattr(request._request, "_cached_user", None)
    user_id = credential.user_id if credential else getattr(person, "pk", None)
    refusal = Refusal(
        request._request,
        status,
        str(error.get_codes()) if isinstance(error, APIException) else "permission_denied",
        tenant_id=credential.tenant_id if credential else None,
        user_id=user_id,
        actor=credential.actor if credential else "",
        scope=getattr(error, "members", {}).get("scope", ""),
        rate=credential.rate if credential else view.anonymous_rate,
        cause=error.__cause__,
    )
    request_refused.send_robust(type(view), refusal=refusal)
