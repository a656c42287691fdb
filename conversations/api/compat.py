"""Shared base of the compatible endpoints: authentication, scopes, streams and error formats."""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, TypeVar

import orjson
from django.http import HttpResponse, StreamingHttpResponse
from pydantic import BaseModel, ValidationError
from rest_framework import exceptions, status

from accounts.api.authentication import ApiKeyAuthentication
from config.api.exceptions import Problem, problem_handler
from config.api.views import ApiView, json_response
from conversations.api.streaming import EVENT_STREAM, BusyError
from conversations.completions import turns
from conversations.completions.types import Completion, CompletionError, CompletionEvent, CompletionRequest
from conversations.models import Message
from conversations.runtime.turns import Caller
from conversations.services.completions import ConversationClosedError
from conversations.services.conversations import ConversationClosed
from conversations.streaming.answers import TooManyStreamsError

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
SchemaT = TypeVar("SchemaT", bound=BaseModel)


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


class CompatError(Problem):
    """The request body has an invalid value; `parameter` names the member."""

    default_code = "invalid_value"

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(detail, parameter=parameter)


class CompatView(ApiView):
    """Base view; subclasses set `dialect`: (status, code, message, parameter) -> error body."""

    authentication_classes = (CompatKeyAuthentication,)
    resource = "*self*"
    scope = "manual"
    extra_media_types = (EVENT_STREAM,)
    dialect: Callable[..., dict[str, Any]]

    def get_exception_handler(self) -> Callable[..., HttpResponse]:
        return self._told

    def _told(self, error: Exception, context: Any) -> HttpResponse:
        if isinstance(error, CompletionError):
            headers = {} if error.retryable else NO_RETRY
            body = type(self).dialect(STATUSES.get(error.code, 502), error.code, error.message, None)
            return json_response(body, STATUSES.get(error.code, 502), headers)
        problem = problem_handler(error, context)
        said = orjson.loads(problem.content)
        pointer = said["errors"][0].get("pointer") if said.get("errors") else None
        parameter = said.get("parameter") or (pointer or "").strip("/").replace("/", ".") or None
        body = type(self).dialect(problem.status_code, said["code"], said["detail"], parameter)
        kept = {name: problem[name] for name in ("Retry-After", "WWW-Authenticate") if name in problem}
        return json_response(body, problem.status_code, kept)

    # -- asking --------------------------------------------------------------------------------------------

    def caller(self) -> Caller:
        """Return the caller on whose behalf models are called."""
        held = self.credential
        return Caller(held.tenant_id, held.user_id, held.actor)

    def require(self, resource: str, verb: str) -> None:
        """Check that the role or key allows `verb` on `resource`.

        Raises:
            PermissionDenied: the role or key does not allow it.
        """
        if not self.credential.allows(resource, verb):
            raise exceptions.PermissionDenied(f"Your role or key does not cover {resource}:{verb}.")

    def begin(self, wish: CompletionRequest, *, after: Message | None = None) -> turns.CompletionRun:
        """Store the question.

        Raises:
            ModelNotFoundError: the model does not exist.
            PermissionDenied: the caller may not use the model.
        """
        self.require("integrations" if "/" in wish.model else "agents", "execute")
        try:
            with self.scoped():
                return turns.begin_completion(wish, self.caller(), after=after)
        except (turns.UnknownModelError, ConversationClosed):
            raise ModelNotFoundError(wish.model) from None
        except ConversationClosedError as error:
            raise CompatError("previous_response_id", error.messages[0]) from None

    def answered(self, wish: CompletionRequest, *, after: Message | None = None) -> Completion:
        """Return the complete answer."""
        return turns.run_completion(self.begin(wish, after=after))

    def streamed(
        self,
        wish: CompletionRequest,
        render: Callable[[turns.CompletionRun, Iterator[CompletionEvent]], Iterator[bytes]],
        *,
        after: Message | None = None,
    ) -> StreamingHttpResponse:
        """Stream the answer. An error before the first chunk sets the HTTP status."""
        exchange = self.begin(wish, after=after)
        try:
            events = turns.stream_completion(exchange)
        except TooManyStreamsError as error:
            exchange.turn.fail("too_many_streams", BusyError.default_detail, [])
            raise BusyError from error
        first = next(events)
        if isinstance(first, CompletionError):
            raise first
        lines = render(exchange, chain([first], events))
        response = StreamingHttpResponse(lines, content_type=EVENT_STREAM)
        response["Cache-Control"] = "no-cache"
        response["X-Accel-Buffering"] = "no"
        return response


def validate_schema(shape: type[SchemaT], data: Any) -> SchemaT:
    """Validate `data` against `shape`.

    Raises:
        CompatError: names the first invalid member.
    """
    try:
        return shape.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        path = ".".join(
            str(step) for step in first["loc"] if not str(step).startswith(("function-", "tagged-"))
        )
        raise CompatError(path, f"{path}: {first['msg']}") from None
