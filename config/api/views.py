"""Base of all API views: authentication, rate limit, permission, and the credential's scope."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any, cast

from django.conf import settings
from django.http import HttpResponse
from django.utils import translation
from django.utils.module_loading import import_string
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView
from structlog.contextvars import bind_contextvars

from config.db.session import Scope
from config.tenancy.scope import tenant_scope

from .credentials import CREDENTIALS, Credential, Rate, rate_headers
from .filters import refuse_unknown_parameters
from .idempotency import IdempotentRequest
from .permissions import require_permission
from .refusals import announce_refusal
from .renderers import ORJSONRenderer, dumps
from .request_counts import count_request
from .request_leases import RequestLimitError, take_request
from .throttling import count_anonymous
from .unknown_members import refuse_unknown_members

JSON = "application/json"
ACCEPTED = frozenset({"*/*", "application/*", JSON, "application/problem+json"})
_RENDERER = ORJSONRenderer()


@cache
def _body_serializer(serializer_class: type[Serializer]) -> Serializer:
    """Return a shared serializer. Creating one costs more than validation, which does not change it."""
    return serializer_class()


def bodyless(**documented: Any) -> Callable[[Any], Any]:
    """Document an operation without a request body, which then refuses any member."""

    def decorate(handler: Any) -> Any:
        handler.takes_body = False
        return extend_schema(request=None, **documented)(handler)

    return decorate


def json_response(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    """Return `data` as a JSON response; bytes are already encoded."""
    content = data if isinstance(data, bytes) else dumps(data)
    return HttpResponse(content, status=status, content_type=JSON, headers=headers)


class ApiView(APIView):
    """Base of all API views. Declare `resource`, and `verbs` for actions whose verb the method does not imply.

    `scope = "request"` runs the handler in one transaction of the credential's tenant. With `"manual"` the handler
    opens short transactions by `self.scoped()`, for example when it waits for a model between two writes.
    """

    resource: str = ""
    verbs: dict[str, str] = {}
    scope: str = "request"
    # Media types that the view answers with besides JSON.
    extra_media_types: tuple[str, ...] = ()
    extra_parameters: tuple[str, ...] = ()
    # Rate limit of a request without a valid credential.
    anonymous_rate: Rate | None = None
    # State of the tightest limit on the tenant's requests.
    tenant_rate: Rate | None = None
    # URLs have no format suffix.
    format_kwarg = None
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]

    @property
    def credential(self) -> Credential:
        """The credential that authenticated the request."""
        return cast(Credential, self.request.auth)

    def validate_body(self, serializer_class: type[Serializer]) -> Any:
        """Return the request body, validated by a serializer."""
        serializer, data = _body_serializer(serializer_class), self.request.data
        refuse_unknown_members(serializer, data)
        return serializer.run_validation(data)

    def validate(self, serializer: Any) -> Any:
        """Validate a serializer of the request body and return it. Unknown members are errors."""
        refuse_unknown_members(serializer, serializer.initial_data)
        serializer.is_valid(raise_exception=True)
        return serializer

    def require(self, resource: str, verb: str) -> None:
        """Require a permission besides the one that the view declares.

        Raises:
            Forbidden: the role or the key does not grant it.
        """
        require_permission(self.credential, resource, verb)

    @contextmanager
    def scoped(self, *, read_only: bool = False) -> Iterator[Scope]:
        """Open a scope of the credential's tenant, user and actor: one transaction."""
        credential = self.credential
        with tenant_scope(
            credential.tenant_id,
            user=credential.user_id,
            engagement=credential.engagement_id,
            actor=credential.actor,
            read_only=read_only,
        ) as scope:
            yield scope

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        self.args, self.kwargs, self.headers = args, kwargs, {}
        self.request = self.initialize_request(request, *args, **kwargs)
        try:
            name = (request.method or "").lower()
            handler: Any = getattr(self, name, None) if name in self.http_method_names else None
            if handler is None:
                self.http_method_not_allowed(self.request)
            self.initial(self.request)
            if not getattr(handler, "takes_body", True):
                refuse_unknown_members(Serializer(), self.request.data)
            credential: Any = self.request.auth
            if credential:
                # The request middleware clears both.
                bind_contextvars(
                    tenant_id=str(credential.tenant_id or ""), user_id=str(credential.user_id or "")
                )
            response = self._run(handler, self.request)
        except Exception as exc:  # noqa: BLE001 - the handler logs unexpected errors
            response = self.handle_exception(exc)
            announce_refusal(self, exc, response.status_code)
        return self.finalize_response(self.request, response)

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        request.accepted_renderer, request.accepted_media_type = self.perform_content_negotiation(request)
        try:
            self.perform_authentication(request)
        except exceptions.AuthenticationFailed:
            self.anonymous_rate = count_anonymous(request._request)
            if self.anonymous_rate.exceeded:
                raise exceptions.Throttled(wait=self.anonymous_rate.reset) from None
            raise
        self.check_throttles(request)
        if isinstance(request.auth, Credential):
            try:
                self.tenant_rate = take_request(request.auth.tenant_id)
            except RequestLimitError as error:
                self.tenant_rate = error.rate
                raise
        self.check_permissions(request)
        refuse_unknown_parameters(request._request, self)

    def perform_content_negotiation(self, request: Any, force: bool = False) -> tuple[Any, str]:
        header = request.META.get("HTTP_ACCEPT", "")
        media_types = {part.partition(";")[0].strip().lower() for part in header.split(",")}
        if header.strip() and media_types.isdisjoint(ACCEPTED | set(self.extra_media_types)):
            raise exceptions.NotAcceptable
        return _RENDERER, JSON

    def _run(self, handler: Callable[..., Any], request: Request) -> Any:
        if self.scope != "request" or not isinstance(request.auth, CREDENTIALS):
            return self.render_response(handler(request, *self.args, **self.kwargs))
        credential = request.auth
        idempotent = IdempotentRequest(
            request._request, credential.actor, engagement_id=credential.engagement_id
        )
        with self.scoped(), self._localized():
            return idempotent.run(
                lambda: self.render_response(handler(request, *self.args, **self.kwargs)),
                keep=self.response_to_store,
            )

    def _localized(self) -> AbstractContextManager[None]:
        """Activate the user's language, in which Django reports errors of request bodies; times stay in UTC."""
        if self.request.method not in ("POST", "PUT", "PATCH"):
            return nullcontext()
        get_language = import_string(settings.API_LANGUAGE)
        return translation.override(get_language(self.credential.user_id))

    def response_to_store(self, response: Any) -> Any:
        """Return the response to store for repeated requests. Override it to remove a secret."""
        return response

    def render_response(self, response: Any) -> Any:
        """Render a DRF `Response` while the scope is still open."""
        if not isinstance(response, Response):
            return response
        headers = dict(response.headers)
        headers.pop("Content-Type", None)
        if response.data is None:
            return HttpResponse(status=response.status_code, headers=headers)
        return json_response(response.data, response.status_code, headers)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        auth = getattr(request, "_auth", None)
        rate = self.anonymous_rate
        if isinstance(auth, CREDENTIALS):
            rate = auth.rate
        if isinstance(auth, Credential) and response.status_code != 429:
            count_request(auth, self.resource)
        for name, value in rate_headers(rate, self.tenant_rate).items():
            response[name] = value
        if response.status_code == 405:
            response["Allow"] = ", ".join(self.allowed_methods)
        response["Vary"] = "Authorization, Cookie, X-Tenant, X-Engagement, Accept"
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response
