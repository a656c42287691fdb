"""Prompt resolution, rendering and usage counts."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from agents.models import Agent, SystemPrompt

VARIABLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*\}\}")
MAX_VALUE_LENGTH = 20_000


class PromptError(ValueError):
    """Raised when a prompt cannot be rendered; the message is for the agent's author."""


def resolve_prompt(key: str, *, user_id: UUID | None = None) -> SystemPrompt | None:
    """Return the active prompt for `key`.

    Precedence: the person's override (if `user_id` is given), the organisation's, the factory default. Agents never
    use personal overrides.
    """
    rows = SystemPrompt.objects.filter(prompt_key=key, is_active=True)
    ranked = {
        (row.tenant_id is not None) + (row.user_id is not None): row
        for row in rows
        if row.user_id in (None, user_id)
    }
    return ranked[max(ranked)] if ranked else None


def render_prompt(prompt: SystemPrompt, values: Mapping[str, Any]) -> str:
    """Return the prompt's text with each `{{name}}` replaced.

    Values come from `values`, else from the variable's `default`. They are inserted verbatim: a `{{…}}` inside a
    value is not expanded.

    Raises:
        PromptError: if variables have no value; the message names them.
    """
    defaults = {each["name"]: each["default"] for each in prompt.variables if "default" in each}
    variables = {**defaults, **values}
    missing = sorted({name for name in VARIABLE.findall(prompt.prompt_text) if name not in variables})
    if missing:
        raise PromptError(f"The prompt {prompt.prompt_key} needs a value for {', '.join(missing)}.")
    return VARIABLE.sub(lambda found: str(variables[found[1]])[:MAX_VALUE_LENGTH], prompt.prompt_text)


def resolve_instructions(agent: Agent) -> tuple[str, SystemPrompt | None]:
    """Return the agent's instructions and the prompt they come from, if any.

    Values come from `agent.config["prompt_variables"]`; `agent` and `today` are always defined.

    Raises:
        PromptError: if the prompt does not exist or a variable has no value.
    """
    if not agent.prompt_key:
        return agent.system_prompt, None
    prompt = resolve_prompt(agent.prompt_key)
    if prompt is None:
        raise PromptError(f"The key {agent.prompt_key} has no active prompt.")
    variables = agent.config.get("prompt_variables") if isinstance(agent.config, dict) else None
    values = {"agent": agent.name, "today": timezone.localdate().isoformat()}
    return render_prompt(prompt, values | (variables if isinstance(variables, dict) else {})), prompt


def count_use(prompt_id: UUID) -> bool:
    """Count a use of a prompt; return False if the scope cannot see it."""
    return _count_prompt(prompt_id, None, None)


def count_verdict(prompt_id: UUID, verdict: float | None, *, before: float | None = None) -> bool:
    """Count a person's verdict on an answer, from 0 to 5; 4 and above is a success.

    Args:
        verdict: the new verdict, or None to withdraw `before`.
        before: the previous verdict on the same answer, which is replaced.

    Returns:
        Whether the scope can see the prompt.

    Raises:
        ValueError: if a verdict is out of range or both are None.
    """
    if not all(0 <= each <= 5 for each in (verdict, before) if each is not None):
        raise ValueError("A verdict must be between 0 and 5.")
    if before is verdict is None:
        raise ValueError("Either a verdict or the previous verdict is required.")
    return _count_prompt(prompt_id, before, verdict)


def _count_prompt(prompt_id: UUID, before: float | None, verdict: float | None) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conclave_prompt_counted(%s, %s::double precision, %s::double precision)",
            [prompt_id, before, verdict],
        )
        ((found,),) = cursor.fetchall()
    return bool(found)
