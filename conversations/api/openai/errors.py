"""Errors in OpenAI's format: `{"error": {"message", "type", "param", "code"}}`."""

from collections.abc import Callable
from typing import Any

from config.api.exceptions import Problem
from conversations.api.anthropic.errors import error_body as anthropic_error_body
from conversations.api.anthropic.errors import is_anthropic

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    429: "rate_limit_error",
}
# Failure codes mapped to the codes that OpenAI clients know.
CODES = {
    "budget_exceeded": "insufficient_quota",
    "invalid_credential": "invalid_api_key",
    "limit_exceeded": "rate_limit_exceeded",
    "not_authenticated": "invalid_api_key",
    "rate_limited": "rate_limit_exceeded",
    "throttled": "rate_limit_exceeded",
}


class ObjectNotFoundError(Problem):
    status_code = 404
    default_code = "not_found"


def error_body(status: int, code: str, message: str, parameter: str | None) -> dict[str, Any]:
    """Return an error body in OpenAI's format."""
    known = CODES.get(code, code)
    kind = "insufficient_quota" if known == "insufficient_quota" else TYPES.get(status, "api_error")
    return {"error": {"message": message, "type": kind, "param": parameter, "code": known}}


def get_error_renderer(request: Any) -> Callable[..., dict[str, Any]]:
    """Return the function that renders errors for the client, for URLs of both dialects."""
    return anthropic_error_body if is_anthropic(request) else error_body
