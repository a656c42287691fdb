"""The base of every API view: authenticate, limit, permit, then run inside the credential's scope."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.http import HttpResponse
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from structlog.contextvars import bind_contextvars

from config.db.session import Scope
from config.tenancy.scope import tenant_scope

from . import idempotency
from .credentials import Credential
from .exceptions import problem_handler
from .filters import refuse_unknown_parameters
from .renderers import ORJSONRenderer, dumps
from .throttling import anonymous_rate

JSON = "application/json"
ACCEPTED = frozenset({"*/*", "application/*", JSON, "application/problem+json"})
_RENDERER = ORJSONRenderer()


def json_response(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    """`data` as JSON; bytes are JSON already."""
    content = data if isinstance(data, bytes) else dumps(data)
    return HttpResponse(content, status=status, content_type=JSON, headers=headers)


class ApiView(APIView):
    """Declare `resource`, and `verbs` where the method or action does not say the verb.

    `scope = "request"` runs the handler in one transaction of the credential's tenant. With `"manual"` the
    handler opens short ones by `self.scoped()`, as where it waits for a model between two writes.
    """

    resource: str = ""
    verbs: dict[str, str] = {}
    scope: str = "request"
    # Media types that the view answers with besides JSON.
    extra_media_types: tuple[str, ...] = ()
    extra_parameters: tuple[str, ...] = ()
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]

    @property
    def credential(self) -> Credential:
        """What the request was authenticated with."""
        return self.request.auth

    @contextmanager
    def scoped(self, *, read_only: bool = False) -> Iterator[Scope]:
        """A scope of the credential's tenant, person and actor: one transaction."""
        held = self.credential
        with tenant_scope(held.tenant_id, user=held.user_id, actor=held.actor, read_only=read_only) as scope:
            yield scope

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        self.args, self.kwargs, self.headers = args, kwargs, {}
        self.request = self.initialize_request(request, *args, **kwargs)
        try:
            handler = self._handler(self.request)
            self.initial(self.request)
            if held := self.request.auth:
                # The middleware takes both off again.
                bind_contextvars(tenant_id=str(held.tenant_id), user_id=str(held.user_id or ""))
            response = self._run(handler, self.request)
        except Exception as exc:  # noqa: BLE001 - the handler logs what it does not know
            response = self.handle_exception(exc)
        return self._finish(response)

    def _handler(self, request: Request) -> Callable[..., Any]:
        name = (request.method or "").lower()
        handler = getattr(self, name, None) if name in self.http_method_names else None
        if handler is None:
            raise exceptions.MethodNotAllowed(request.method)
        return handler

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self._negotiate(request)
        try:
            self.perform_authentication(request)
        except exceptions.AuthenticationFailed:
            self._count_failure(request)
            raise
        self.check_throttles(request)
        self.check_permissions(request)
        refuse_unknown_parameters(request._request, self)

    def _negotiate(self, request: Request) -> None:
        request.accepted_renderer, request.accepted_media_type = _RENDERER, JSON
        header = request.META.get("HTTP_ACCEPT", "")
        wanted = {part.partition(";")[0].strip().lower() for part in header.split(",")}
        if header.strip() and wanted.isdisjoint(ACCEPTED | set(self.extra_media_types)):
            raise exceptions.NotAcceptable

    def _count_failure(self, request: Request) -> None:
        rate = request.anonymous_rate = anonymous_rate(request._request)
        if rate.exceeded:
            raise exceptions.Throttled(wait=rate.reset)

    def _run(self, handler: Callable[..., Any], request: Request) -> Any:
        if self.scope != "request" or not isinstance(request.auth, Credential):
            return self.rendered(handler(request, *self.args, **self.kwargs))
        key = idempotency.key_of(request._request) if request.method == "POST" else ""
        with self.scoped():
            if not key:
                return self.rendered(handler(request, *self.args, **self.kwargs))
            return self._once(key, handler, request)

    def _once(self, key: str, handler: Callable[..., Any], request: Request) -> Any:
        actor = self.credential.actor
        stored = idempotency.claim(actor, key, idempotency.fingerprint(request._request))
        if stored is not None:
            return stored
        response = self.rendered(handler(request, *self.args, **self.kwargs))
        idempotency.store(actor, key, self.kept_answer(response))
        return response

    def kept_answer(self, response: Any) -> Any:
        """What a repeated request gets; override where the answer holds a secret."""
        return response

    def rendered(self, response: Any) -> Any:
        """A DRF `Response` as bytes, while the scope is still open."""
        if not isinstance(response, Response):
            return response
        headers = dict(response.headers)
        headers.pop("Content-Type", None)
        if response.data is None:
            return HttpResponse(status=response.status_code, headers=headers)
        return json_response(response.data, response.status_code, headers)

    def get_exception_handler(self) -> Callable[..., Any]:
        return problem_handler

    def _finish(self, response: Any) -> Any:
        request = self.request
        auth = request._auth if hasattr(request, "_auth") else None
        rate = auth.rate if isinstance(auth, Credential) else getattr(request, "anonymous_rate", None)
        if rate is not None:
            for name, value in rate.headers().items():
                response[name] = value
        if response.status_code == 405:
            response["Allow"] = ", ".join(self.allowed_methods)
        response["Vary"] = "Authorization, Cookie, X-Tenant, Accept"
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response
