"""Texts of agent runs, as each organisation stores them and for as long as it keeps them.

`Tenant.settings["agent_runs"]` holds `texts` (`masked`, `full` or `none`) and `retention_days`.
"""

from typing import Any

from django.db import connection
from django.db.models import F

from agents.choices import RunTexts
from agents.models import Agent
from config.observability.masking import mask
from config.tenancy.scope import platform_scope

ACTOR = "system:upkeep"
MAX_TEXT_LENGTH = 2_000
EXPIRE = """
UPDATE agents_agentrun r SET prompt = '', response = '' FROM tenants_tenant t
WHERE t.id = r.tenant_id AND (r.prompt <> '' OR r.response <> '')
  AND CASE WHEN t.settings #>> '{agent_runs,retention_days}' ~ '^[0-9]{1,4}$'
    THEN r.created_at < now() - make_interval(days => (t.settings #>> '{agent_runs,retention_days}')::integer) END
"""


def with_run_settings(agents: Any) -> Any:
    """Annotate agents with the organisation's settings for the texts of runs and the payloads of model calls."""
    return agents.annotate(
        run_settings=F("tenant__settings__agent_runs"), usage_settings=F("tenant__settings__llm_usage")
    )


def get_run_texts(agent: Agent, prompt: str, response: str) -> tuple[str, str]:
    """Return prompt and response as the organisation stores them in a run."""
    settings = getattr(agent, "run_settings", None)
    kind = settings.get("texts") if isinstance(settings, dict) else None
    if kind == RunTexts.NONE:
        return "", ""
    if kind != RunTexts.FULL:
        # Before the texts are cut, which could leave a part of a secret that looks like none.
        prompt, response = mask(prompt), mask(response)
    return prompt[:MAX_TEXT_LENGTH], response[:MAX_TEXT_LENGTH]


def expire_run_texts() -> int:
    """Erase the texts of runs that are older than their organisation keeps them; return their number."""
    with (
        platform_scope(reason="erase expired texts of agent runs", actor=ACTOR),
        connection.cursor() as cursor,
    ):
        cursor.execute(EXPIRE)
        return int(cursor.rowcount)
