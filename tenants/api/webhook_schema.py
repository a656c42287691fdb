"""The webhooks in the OpenAPI document: one operation for each type of event."""

from typing import Any

from tenants.event_types import EVENT_TYPES, Event, describe_event, payload_schema

HEADERS = {
    "webhook-id": "ID of the event, the same in each attempt and replay.",
    "webhook-timestamp": "Time of the attempt, in seconds since 1970.",
    "webhook-signature": "Signatures `v1,<Base64>`, separated by spaces. One of them must match.",
}


def add_webhooks(result: dict[str, Any], generator: Any, **_: object) -> dict[str, Any]:
    """Add `webhooks` to the OpenAPI document."""
    return result | {"webhooks": {name: {"post": _operation(event)} for name, event in EVENT_TYPES.items()}}


def _operation(event: type[Event]) -> dict[str, Any]:
    parameters = [
        {"in": "header", "name": name, "required": True, "schema": {"type": "string"}, "description": text}
        for name, text in HEADERS.items()
    ]
    return {
        "operationId": f"webhook_{event.name.replace('.', '_')}",
        "summary": describe_event(event),
        "tags": ["webhooks"],
        "parameters": parameters,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": payload_schema(event)}},
        },
        "responses": {"2XX": {"description": "The event is received. Other responses lead to a retry."}},
    }
