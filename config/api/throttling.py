"""Rate limits, counted in the database so that they hold across processes."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from config.middleware import client_ip

from .credentials import CREDENTIALS, Rate, count_hit


def count_anonymous(request: HttpRequest) -> Rate:
    """Count a request without a valid credential from this IP address."""
    return count_hit(f"ip:{client_ip(request)}", settings.API_DEFAULT_RATE)


class KeyRateThrottle(BaseThrottle):
    """Rate limit per API key or user, else per IP address.

    Authentication has already counted the request of a credential in its statement.
    """

    rate: Rate | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        if isinstance(request.auth, CREDENTIALS):
            self.rate = request.auth.rate
        else:
            self.rate = view.anonymous_rate = count_anonymous(request._request)
        return self.rate is None or not self.rate.exceeded

    def wait(self) -> int | None:
        return self.rate.reset if self.rate else None
