"""Limits of request bodies, declared at the handlers that read them.

The web server (`config.serving`) applies them before a request occupies a thread.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import settings
from django.urls import Resolver404, resolve

# Allowance for the headers and boundaries around a file in a multipart body.
MULTIPART_OVERHEAD = 64 * 1024
HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """Limits of a request body.

    Args:
        setting: name of the setting with the maximum size in bytes.
        overhead: bytes allowed in addition.
        seconds: time until the body must be complete.
        required_headers: headers without which the request is refused before its body is read.
        header_part: part of a header's name in lower case; the request is refused if no header has it.
        requires_length: whether Content-Length is required.
    """

    setting: str = "API_MAX_BODY_BYTES"
    overhead: int = 0
    seconds: float = 30
    required_headers: tuple[str, ...] = ()
    header_part: str = ""
    requires_length: bool = False

    @property
    def max_bytes(self) -> int:
        return int(getattr(settings, self.setting)) + self.overhead


JSON_BODY = BodyLimit()
UPLOAD_BODY = BodyLimit("UPLOAD_MAX_BYTES", MULTIPART_OVERHEAD, seconds=600)
IMPORT_BODY = BodyLimit("IMPORT_MAX_BYTES", MULTIPART_OVERHEAD, seconds=3600)


def accept_body(limit: BodyLimit) -> Callable[[HandlerT], HandlerT]:
    """Return a decorator that declares the body limit of a view function or of a view class's handler."""

    def declare(handler: HandlerT) -> HandlerT:
        handler.body_limit = limit  # type: ignore[attr-defined]
        return handler

    return declare


def find_view(path: str) -> Any:
    """Return the view function of `path`, or None."""
    try:
        return resolve(path).func
    except Resolver404:
        return None


def get_body_limit(view: Any, method: str, *, has_session_cookie: bool) -> BodyLimit:
    """Return the body limit of a view function for an HTTP method; by default `JSON_BODY`.

    Forms of the console may contain files if the request has a session cookie, which is not verified yet.
    """
    view_class, name = getattr(view, "cls", None), method.lower()
    if view_class is None:
        # Django sets the attribute on the views of model admins.
        default = UPLOAD_BODY if has_session_cookie and hasattr(view, "model_admin") else JSON_BODY
        return getattr(view, "body_limit", default)
    actions = getattr(view, "actions", None)
    handler = getattr(view_class, (actions or {}).get(name, name), None)
    return getattr(handler, "body_limit", JSON_BODY)
