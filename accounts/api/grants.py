"""Responses to changes that need more permissions than the caller has."""

from typing import Any

from accounts.services.grants import GrantRefusedError
from config.api.exceptions import Forbidden
from config.api.views import ApiView


class GrantMixin(ApiView):
    """Mixin that answers 403 when the caller lacks permissions that a change requires."""

    def handle_exception(self, exc: Exception) -> Any:
        if isinstance(exc, GrantRefusedError):
            exc = Forbidden(exc.message, code=exc.code)
        return super().handle_exception(exc)
