"""What the endpoints of other products' wire formats share: keys, scopes, streams, errors in their dialect."""

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
from conversations.api.answers import EVENT_STREAM, Busy
from conversations.models import Message
from conversations.runtime import exchanges
from conversations.runtime.streaming import TooManyStreams
from conversations.runtime.turns import Caller
from conversations.runtime.wishes import Event, Outcome, Wish, WishFailed
from conversations.services.conversations import ConversationClosed
from conversations.services.exchanges import ExchangeOver

NO_RETRY = {"x-should-retry": "false"}
# Kinds of failures and their status; anything else is the endpoint's fault.
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
Shape = TypeVar("Shape", bound=BaseModel)


class WireKeyAuthentication(ApiKeyAuthentication):
    """`Authorization: Bearer …`, or the header `x-api-key` that Anthropic's clients send."""

    def authenticate(self, request: Any) -> Any:
        named = request.META.get("HTTP_X_API_KEY", "")
        if named and not request.META.get("HTTP_AUTHORIZATION"):
            request.META["HTTP_AUTHORIZATION"] = f"Bearer {named}"
        return super().authenticate(request)


class ModelNotFound(Problem):
    status_code = status.HTTP_404_NOT_FOUND
    default_code = "model_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"The model '{name}' does not exist or you may not use it.", parameter="model")


class Refusal(Problem):
    """A body that asks for what is not there; `parameter` is the member."""

    default_code = "invalid_value"

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(detail, parameter=parameter)


class WireView(ApiView):
    """Declare `dialect`: (status, code, message, parameter) -> the body of an error."""

    authentication_classes = (WireKeyAuthentication,)
    resource = "*self*"
    scope = "manual"
    extra_media_types = (EVENT_STREAM,)
    dialect: Callable[..., dict[str, Any]]

    def get_exception_handler(self) -> Callable[..., HttpResponse]:
        return self._told

    def _told(self, error: Exception, context: Any) -> HttpResponse:
        if isinstance(error, WishFailed):
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
        """For whom models are asked."""
        held = self.credential
        return Caller(held.tenant_id, held.user_id, held.actor)

    def require(self, resource: str, verb: str) -> None:
        """Raises:
        PermissionDenied: when role or key do not cover it.
        """
        if not self.credential.allows(resource, verb):
            raise exceptions.PermissionDenied(f"Your role or key does not cover {resource}:{verb}.")

    def begin(self, wish: Wish, *, after: Message | None = None) -> exchanges.Exchange:
        """Store the question.

        Raises:
            ModelNotFound: when there is no such model.
            PermissionDenied: when the caller may not use it.
        """
        self.require("integrations" if "/" in wish.model else "agents", "execute")
        try:
            with self.scoped():
                return exchanges.begin(wish, self.caller(), after=after)
        except (exchanges.UnknownModel, ConversationClosed):
            raise ModelNotFound(wish.model) from None
        except ExchangeOver as error:
            raise Refusal("previous_response_id", error.messages[0]) from None

    def answered(self, wish: Wish, *, after: Message | None = None) -> Outcome:
        """The whole answer."""
        return exchanges.answer(self.begin(wish, after=after))

    def streamed(
        self,
        wish: Wish,
        render: Callable[[exchanges.Exchange, Iterator[Event]], Iterator[bytes]],
        *,
        after: Message | None = None,
    ) -> StreamingHttpResponse:
        """The answer as it comes. What fails before its first piece gets a status of its own."""
        exchange = self.begin(wish, after=after)
        try:
            events = exchanges.stream(exchange)
        except TooManyStreams as error:
            exchange.turn.fail("too_many_streams", Busy.default_detail, [])
            raise Busy from error
        first = next(events)
        if isinstance(first, WishFailed):
            raise first
        lines = render(exchange, chain([first], events))
        response = StreamingHttpResponse(lines, content_type=EVENT_STREAM)
        response["Cache-Control"] = "no-cache"
        response["X-Accel-Buffering"] = "no"
        return response


def shaped(shape: type[Shape], data: Any) -> Shape:
    """`data` as `shape`.

    Raises:
        Refusal: naming the first member that is wrong.
    """
    try:
        return shape.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        path = ".".join(
            str(step) for step in first["loc"] if not str(step).startswith(("function-", "tagged-"))
        )
        raise Refusal(path, f"{path}: {first['msg']}") from None
