"""Webhooks that start runs: `POST /hooks/<trigger id>`."""

from uuid import UUID

from django.core.exceptions import RequestDataTooBig, ValidationError
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from config.api.body_limits import BodyLimit, accept_body
from config.api.exceptions import problem_handler, problem_response
from config.api.throttling import count_anonymous
from config.api.views import json_response
from workflows.services.webhooks import InvalidWebhookError, receive_webhook

# Anyone can send a webhook, so little is received before the signature is checked.
HOOK_BODY = BodyLimit(seconds=10, header_part="signature", requires_length=True)


@accept_body(HOOK_BODY)
@csrf_exempt
@require_POST
def receive_hook(request: HttpRequest, trigger_id: UUID) -> HttpResponse:
    """Start the run of a webhook. A replay gets the ID of the run that the first request started."""
    try:
        receipt = receive_webhook(trigger_id, request.headers, request.body)
    except InvalidWebhookError:
        if (rate := count_anonymous(request)).exceeded:
            headers = {"Retry-After": str(rate.reset)}
            return problem_response(request, 429, "throttled", headers=headers)
        return problem_response(request, 401, "invalid_signature", "The webhook cannot be verified.")
    except (ValidationError, DatabaseError, RequestDataTooBig) as error:
        return problem_handler(error, {"request": request})
    headers = {"Idempotency-Replayed": "true"} if receipt.is_replay else {}
    return json_response({"run_id": receipt.run_id}, 202, headers)
