"""Requests to models and their responses, as each organisation stores them and for as long as it keeps them.

`Tenant.settings["llm_usage"]` holds `payloads` (`none`, which is the default, `masked` or `full`) and `retention_days`.
"""

from typing import Any

from django.db import connection

from agents.choices import RunTexts
from agents.models import Agent
from config.api.renderers import dumps
from config.observability.masking import mask_value
from config.tenancy.scope import platform_scope

ACTOR = "system:upkeep"
MAX_TEXT_LENGTH = 2_000
MAX_PAYLOAD_BYTES = 32_000
EXPIRE = """
UPDATE agents_llmusage u SET request_payload = NULL, response_payload = NULL FROM tenants_tenant t
WHERE t.id = u.tenant_id AND u.request_payload IS NOT NULL
  AND CASE WHEN t.settings #>> '{llm_usage,retention_days}' ~ '^[0-9]{1,4}$'
    THEN u.created_at < now() - make_interval(days => (t.settings #>> '{llm_usage,retention_days}')::integer) END
"""


def get_payload_kind(agent: Agent) -> str:
    """Return how the organisation of `agent` stores payloads, which `with_run_settings` reads."""
    settings = getattr(agent, "usage_settings", None)
    kind = settings.get("payloads") if isinstance(settings, dict) else None
    return kind if isinstance(kind, str) and kind in RunTexts.values else RunTexts.NONE


def prepare_payload(messages: list[Any], kind: str, **parameters: Any) -> dict[str, Any]:
    """Return the messages as they are stored: masked unless `kind` is `full`, with long texts cut.

    The latest messages remain if all are too large.
    """
    payload = {**parameters, "messages": messages}
    if kind != RunTexts.FULL:
        # Before texts are cut, which could leave a part of a secret that looks like none.
        payload = mask_value(payload)
    payload = _cut(payload)
    sizes = [len(dumps(message)) for message in payload["messages"]]
    room = MAX_PAYLOAD_BYTES - len(dumps(payload | {"messages": []}))
    kept = len(sizes)
    while kept and sum(sizes[-kept:]) > room:
        kept -= 1
    if kept < len(sizes):
        payload["messages"], payload["truncated"] = payload["messages"][len(sizes) - kept :], True
    return payload


def expire_payloads() -> int:
    """Erase payloads that are older than their organisation keeps them; return their number."""
    with (
        platform_scope(reason="erase expired payloads of model calls", actor=ACTOR),
        connection.cursor() as cursor,
    ):
        cursor.execute(EXPIRE)
        return int(cursor.rowcount)


def _cut(value: Any) -> Any:
    """Return the value with long texts cut, and without null characters, which PostgreSQL cannot store."""
    if isinstance(value, str):
        return value[:MAX_TEXT_LENGTH].replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {str(key).replace("\0", ""): _cut(each) for key, each in value.items()}
    return [_cut(each) for each in value] if isinstance(value, list) else value
