"""Sign-out after a time without requests and after a maximum time."""

import time
from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY, logout
from django.http import HttpRequest, HttpResponse

SIGNED_IN_AT, LAST_SEEN_AT = "signed_in_at", "last_seen_at"
# Seconds between updates of the last request; each one writes the session.
UPDATE_SECONDS = 60


class SessionTimeoutMiddleware:
    """Middleware that ends idle and old sessions.

    The limits are `SIGN_IN_IDLE_MINUTES` and `SIGN_IN_MAX_HOURS`; 0 disables one.
    The request continues without a user, so pages redirect to the sign-in with a message and the API answers 401.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and SESSION_KEY in request.session:
            if reason := self._find_reason(request):
                # Receivers of the sign-out tell a timeout by it.
                request.session_expired = True  # type: ignore[attr-defined]
                logout(request)
                messages.info(request, reason)
            else:
                self._update(request)
        return self.get_response(request)

    def _find_reason(self, request: HttpRequest) -> str:
        """Return why the session has ended, or an empty string."""
        now, session = time.time(), request.session
        idle, longest = settings.SIGN_IN_IDLE_MINUTES * 60, settings.SIGN_IN_MAX_HOURS * 3600
        if idle and now - session.get(LAST_SEEN_AT, now) > idle:
            return "You were signed out because you were inactive. Sign in again."
        if longest and now - session.get(SIGNED_IN_AT, now) > longest:
            return "You were signed out because you signed in a long time ago. Sign in again."
        return ""

    def _update(self, request: HttpRequest) -> None:
        now, session = int(time.time()), request.session
        if SIGNED_IN_AT not in session:
            session[SIGNED_IN_AT] = now
        if now - session.get(LAST_SEEN_AT, 0) >= UPDATE_SECONDS:
            session[LAST_SEEN_AT] = now
