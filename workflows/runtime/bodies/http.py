"""Body of `http` steps: a request to a service that the organisation allows.

An organisation lists its hosts in `Tenant.settings["workflows"]["http_hosts"]`. A step with an integration may also
request the origin of its address, the only place that receives its credentials.
"""

import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from agents.services.http_accounts import build_credential_headers, find_http_account
from config.http.requests import (
    OutgoingRequest,
    ReceivedResponse,
    RequestError,
    check_header,
    send_request,
)
from config.http.retry_after import parse_retry_after
from config.tenancy.scope import require_tenant_id
from conversations.runtime.journal import strip_unstorable, strip_unstorable_json
from tenants.models import Tenant
from workflows.choices import StepKind
from workflows.runtime.outside_calls import call_outside, get_seconds
from workflows.runtime.step_bodies import StepContext, StepError, StepResult, register_body

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
DEFAULT_SECONDS = 30.0
MAX_REQUEST_BYTES = 1024 * 1024
MAX_RETRY_AFTER = 86_400.0
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Status codes of requests that the service did not process.
UNPROCESSED_STATUSES, TIMED_OUT = frozenset({425, 429}), 408
# Errors of requests that may have taken effect.
UNCERTAIN_CODES = frozenset({"timeout", "unreachable"})
UNKNOWN = "The request may have taken effect."
# Headers that identify a session of the service; steps pass data in bodies.
HIDDEN_HEADERS = frozenset({"set-cookie", "set-cookie2"})
SECTION, HOSTS = "workflows", "http_hosts"


@register_body(StepKind.HTTP)
def send_step_request(context: StepContext) -> StepResult:
    """Send the request and return status, headers and body of an expected response."""
    request, hosts = _build_request(context)
    seconds = get_seconds(context, DEFAULT_SECONDS)
    # Without a key, the service cannot tell a repetition of a request that may have taken effect.
    may_repeat = context.config.get("idempotency") != "none" or request.method in SAFE_METHODS

    async def send() -> ReceivedResponse:
        return await send_request(request, hosts=hosts, max_bytes=settings.FETCH_MAX_BYTES, seconds=seconds)

    try:
        response = call_outside(context, send)
    except RequestError as error:
        if error.code in UNCERTAIN_CODES and not may_repeat:
            raise StepError("unknown_outcome", f"{error.message} {UNKNOWN}", retryable=False) from error
        raise StepError(error.code, error.message, retryable=error.code in UNCERTAIN_CODES) from error
    _check_status(response, context.config.get("expect"), may_repeat=may_repeat)
    headers = {name: value for name, value in response.headers.items() if name not in HIDDEN_HEADERS}
    output = {"status": response.status, "headers": headers, "body": _parse_body(response)}
    return StepResult(_clean(output), metadata={"status": response.status})


def _build_request(context: StepContext) -> tuple[OutgoingRequest, list[str]]:
    """Return the request and the hosts that the organisation allows."""
    config = context.config
    method = str(config.get("method") or "GET").upper()
    if method not in METHODS:
        raise StepError("invalid_method", "The HTTP method is not supported.", retryable=False)
    headers, content = _build_body(config)
    if config.get("idempotency") != "none":
        headers["Idempotency-Key"] = context.idempotency_key
    with context.scope():
        hosts = _list_hosts()
        credentials, origin = _load_account(config.get("integration"))
    url = strip_unstorable(str(config.get("url") or ""))
    return OutgoingRequest(method, url, headers, content, credentials, origin), hosts


def _build_body(config: Mapping[str, Any]) -> tuple[dict[str, str], bytes | None]:
    """Return the headers of the step and the encoded body."""
    given = config.get("headers") or {}
    headers = {str(name): "" if value is None else str(value) for name, value in given.items()}
    for name, value in headers.items():
        if problem := check_header(name, value):
            raise StepError("invalid_header", problem, retryable=False)
    headers.setdefault("User-Agent", "Conclave-Workflow/1")
    body = config.get("body")
    if body is None:
        return headers, None
    is_text = isinstance(body, str)
    content = (body if is_text else json.dumps(body, ensure_ascii=False, allow_nan=False)).encode(
        "utf-8", "replace"
    )
    if len(content) > MAX_REQUEST_BYTES:
        raise StepError("request_too_large", f"The body exceeds {MAX_REQUEST_BYTES} bytes.", retryable=False)
    if not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = "text/plain; charset=utf-8" if is_text else "application/json"
    return headers, content


def _list_hosts() -> list[str]:
    stored: Any = Tenant.objects.values_list("settings", flat=True).get(pk=require_tenant_id())
    section = stored.get(SECTION) if isinstance(stored, dict) else None
    hosts = section.get(HOSTS) if isinstance(section, dict) else None
    return [each for each in hosts if isinstance(each, str)] if isinstance(hosts, list) else []


def _load_account(name: Any) -> tuple[dict[str, str], str]:
    """Return the headers with the credentials of the integration, and its address."""
    if not name:
        return {}, ""
    account = find_http_account(str(name))
    if account is None or not account.base_url:
        message = "The integration does not exist, or is not an HTTP service with an address."
        raise StepError("integration_not_found", message, retryable=False)
    return build_credential_headers(account.credentials), account.base_url


def _check_status(response: ReceivedResponse, expect: Any, *, may_repeat: bool) -> None:
    """Check the status code: one that `expect` lists, or without a list any of 200 to 299.

    Raises:
        StepError: the status is not expected; its code is `http_` and the status.
    """
    status = response.status
    if status in expect if expect else 200 <= status <= 299:
        return
    wait = parse_retry_after(response.headers.get("retry-after", ""))
    raise StepError(
        f"http_{status}",
        f"The service answered with status {status}.",
        retryable=status in UNPROCESSED_STATUSES or (may_repeat and (status == TIMED_OUT or status >= 500)),
        retry_after=None if wait is None else min(wait, MAX_RETRY_AFTER),
    )


def _clean(output: dict[str, Any]) -> Any:
    try:
        return strip_unstorable_json(output)
    except RecursionError as error:
        raise StepError("invalid_json", "The response is nested too deeply.", retryable=False) from error


def _parse_body(response: ReceivedResponse) -> Any:
    """Return the body as parsed JSON or as text, or None if it is empty."""
    if not response.body:
        return None
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        try:
            value = json.loads(response.body)
            # PostgreSQL stores no NaN and no infinite numbers.
            json.dumps(value, allow_nan=False)
        except (ValueError, RecursionError) as error:
            raise StepError("invalid_json", "The service returned invalid JSON.", retryable=False) from error
        return value
    try:
        return response.body.decode(response.charset or "utf-8", "replace")
    except LookupError:
        return response.body.decode("utf-8", "replace")
