"""Errors in Anthropic's format: `{"type": "error", "error": {"type", "message", "details"}}`."""

from typing import Any

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "conflict_error",
    413: "request_too_large",
    415: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
# Codes that Anthropic's client reads from the details.
DETAILED_CODES = frozenset({"thread_not_found", "thread_already_continued", "thread_fingerprint_mismatch"})


def error_body(status: int, code: str, message: str, parameter: str | None) -> dict[str, Any]:
    """Return an error body in Anthropic's format."""
    error: dict[str, Any] = {"type": TYPES.get(status, "api_error"), "message": message}
    if code in DETAILED_CODES:
        error["details"] = {"error_code": code}
    return {"type": "error", "error": error}


def is_anthropic(request: Any) -> bool:
    """Return whether Anthropic's client sent the request."""
    return bool(request.headers.get("anthropic-version"))
