"""Shared base of the compatible endpoints: authentication, scopes, streams and error formats."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework import status

from accounts.api.authentication import ApiKeyAuthentication
from config.api.exceptions import Problem, problem_handler
from config.api.renderers import dumps
from config.api.views import ApiView, json_response
from conversations.api.callers import CallerMixin
from conversations.api.streaming import EVENT_STREAM, build_event_stream
from conversations.api.wire_models import UNSUPPORTED, CompatError
from conversations.completions.answers import CompletionStream
from conversations.completions.provider_settings import UnsupportedSettingError
from conversations.completions.resumable import CompletionResponse, answer_completion
from conversations.completions.tool_results import find_unexpected_result
from conversations.completions.turns import UnknownModelError
from conversations.completions.types import Completion, CompletionError, CompletionRequest
from conversations.models import Message
from conversations.services.completions import AlreadyContinuedError
from conversations.services.conversations import AgentInactiveError, ConversationClosedError

NO_RETRY = {"x-should-retry": "false"}
# HTTP status by error code; any other code is a fault of the model endpoint (502).
STATUSES = {
    "timeout": 504,
    "rate_limited": 429,
    "budget_exceeded": 429,
    "refused_request": 400,
    "misconfigured": 400,
    "approval_needed": 400,
    "internal": 500,
    "search_failed": 503,
}


class CompatKeyAuthentication(ApiKeyAuthentication):
    """Accept `Authorization: Bearer …` or the `x-api-key` header of Anthropic clients."""

    def authenticate(self, request: Any) -> Any:
        named = request.META.get("HTTP_X_API_KEY", "")
        if named and not request.META.get("HTTP_AUTHORIZATION"):
            request.META["HTTP_AUTHORIZATION"] = f"Bearer {named}"
        return super().authenticate(request)


class ModelNotFoundError(Problem):
    status_code = status.HTTP_404_NOT_FOUND
    default_code = "model_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The model '{name}' does not exist or you do not have access to it.", parameter="model"
        )


class CompatView(CallerMixin, ApiView):
    """Base view; subclasses set `dialect`: (status, code, message, parameter) -> error body."""

    authentication_classes = (CompatKeyAuthentication,)
    resource = "*self*"
    scope = "manual"
    extra_media_types = (EVENT_STREAM,)
    # Whether POST handles the header Idempotency-Key.
    accepts_idempotency_key = True
    dialect: Callable[..., dict[str, Any]]
    # Member of the body that has the messages.
    messages_parameter = "messages"

    def get_dialect(self, request: Any) -> Callable[..., dict[str, Any]]:
        """Return the function that renders errors; the request may have been refused before its dispatch."""
        return type(self).dialect

    def get_exception_handler(self) -> Callable[..., HttpResponse]:
        return self._render_error

    def _render_error(self, error: Exception, context: Any) -> HttpResponse:
        dialect = self.get_dialect(context["request"])
        if isinstance(error, CompletionError):
            headers = {} if error.retryable else NO_RETRY
            body = dialect(STATUSES.get(error.code, 502), error.code, error.message, None)
            return json_response(body, STATUSES.get(error.code, 502), headers)
        problem = problem_handler(error, context)
        details = orjson.loads(problem.content)
        pointer = details["errors"][0].get("pointer") if details.get("errors") else None
        parameter = details.get("parameter") or (pointer or "").strip("/").replace("/", ".") or None
        body = dialect(problem.status_code, details["code"], details["detail"], parameter)
        headers = {name: problem[name] for name in ("Retry-After", "WWW-Authenticate") if name in problem}
        return json_response(body, problem.status_code, headers)

    def require_model(self, name: str) -> None:
        """Require the permission to use the model; call it before slow work on the request.

        Raises:
            Forbidden: the role or the key does not grant it.
        """
        self.require("integrations" if "/" in name else "agents", "execute")

    def check_tool_results(self, request: CompletionRequest) -> None:
        """Check that each tool result answers a call of the request.

        Raises:
            CompatError: a result has no call, or its call has a result already.
        """
        if call_id := find_unexpected_result(request.messages):
            raise CompatError(
                self.messages_parameter, f"No tool call found for the tool result with id '{call_id}'."
            )

    def answer(
        self,
        request: CompletionRequest,
        render: Callable[[Completion], dict[str, Any]],
        encode: Callable[[CompletionStream], Iterator[bytes]],
        *,
        is_streamed: bool | None,
        after: Message | None = None,
    ) -> HttpResponseBase:
        """Return the response as one body or as server-sent events.

        An error before the first event sets the HTTP status.

        Raises:
            ModelNotFoundError: the model does not exist.
            PermissionDenied: the caller may not use the model.
            CompletionError: the completion failed.
        """
        self.require_model(request.model)
        self.check_tool_results(request)
        response = CompletionResponse(
            self.caller(),
            request,
            lambda completion: json_response(render(completion)),
            (lambda stream: build_event_stream(encode(stream))) if is_streamed else None,
            after,
        )
        try:
            return answer_completion(self.idempotent_request(), response)
        except (UnknownModelError, AgentInactiveError):
            raise ModelNotFoundError(request.model) from None
        except UnsupportedSettingError as error:
            name = request.names.get(error.name, error.name)
            raise CompatError(name, f"Unsupported parameter: '{name}'. {error}", UNSUPPORTED) from None
        except AlreadyContinuedError as error:
            raise CompatError(
                "thread.previous_message_id", error.messages[0], "thread_already_continued"
            ) from None
        except ConversationClosedError as error:
            raise CompatError("previous_response_id", error.messages[0]) from None


def encode_event(kind: str, **members: Any) -> bytes:
    """Encode one server-sent event, named by its type."""
    return b"event: " + kind.encode() + b"\ndata: " + dumps({"type": kind, **members}) + b"\n\n"
