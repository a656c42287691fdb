"""Webhooks that start runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from django.core.exceptions import ValidationError

from config.db.prepared import run_prepared
from config.tenancy.scope import tenant_scope
from tenants.services.webhooks import generate_secret, signing_secrets
from workflows.choices import TriggerType
from workflows.models import TriggerFiring, WorkflowTrigger
from workflows.schemas import WebhookTrigger
from workflows.services.firings import claim_firing, start_firing
from workflows.services.webhook_signatures import verify_signature

ACTOR = "system:webhooks"
# Requests for unknown triggers take the same steps as others: in a scope without rows, with a random secret.
NO_TENANT = UUID(int=0)
NO_SECRETS = [generate_secret()]
TENANT_SQL = "SELECT conclave_webhook_tenant(%s)"
# Headers that are passed to the run. Only the body and the webhook ID are signed.
DETAILS = {"event": "x-github-event", "delivery": "x-github-delivery"}


class InvalidWebhookError(Exception):
    """The trigger does not exist or is disabled, or the signature is wrong; the sender cannot tell which."""


@dataclass(frozen=True, slots=True)
class WebhookReceipt:
    """The run that a webhook started; `is_replay` if an earlier request with the same key started it."""

    run_id: UUID | None
    is_replay: bool = False


def receive_webhook(trigger_id: UUID, headers: Mapping[str, str], body: bytes) -> WebhookReceipt:
    """Start the run of a webhook, in one transaction with its receipt. Call it outside any scope.

    Raises:
        InvalidWebhookError: the request is not from a sender that knows the trigger's secret.
        ValidationError: the body is not JSON, or the workflow cannot start with it.
    """
    ((tenant_id,),) = run_prepared(TENANT_SQL, [trigger_id])
    with tenant_scope(tenant_id or NO_TENANT, actor=ACTOR):
        triggers = WorkflowTrigger.objects.select_related("workflow")
        trigger = triggers.filter(pk=trigger_id, trigger_type=TriggerType.WEBHOOK, is_enabled=True).first()
        settings = WebhookTrigger.model_validate(trigger.config if trigger else {})
        secrets = signing_secrets(trigger) if trigger and trigger.secret else NO_SECRETS  # type: ignore[arg-type]
        key = verify_signature(settings, secrets, headers, body)
        if trigger is None or key is None:
            raise InvalidWebhookError
        return _start(trigger, key, headers, _parse(body))


def _parse(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ValidationError("The body of the webhook must be JSON.") from error


def _start(trigger: WorkflowTrigger, key: str, headers: Mapping[str, str], body: Any) -> WebhookReceipt:
    firing_id = claim_firing(trigger, key)
    if firing_id is None:
        earlier = TriggerFiring.objects.filter(trigger=trigger, key=key)
        return WebhookReceipt(earlier.values_list("execution_id", flat=True).first(), is_replay=True)
    lower = {name.lower(): value for name, value in headers.items()}
    details = {name: lower[header] for name, header in DETAILS.items() if header in lower}
    return WebhookReceipt(start_firing(trigger, firing_id, {"webhook_id": key, "body": body, **details}))
