"""Further requests to the model of an agent, such as to rewrite a query."""

import asyncio
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from agents.models import Agent
from agents.runtime.meter import Meter

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelResponse

    from conversations.runtime.turns import TurnContext

# Longer than a request takes, and shorter than a user waits.
TIMEOUT_SECONDS, ANSWER_TOKENS = 10, 300


async def request_agent_model(
    turn: "TurnContext", instructions: str, lines: Iterable[dict[str, Any]]
) -> "ModelResponse":
    """Send `lines` as JSON Lines to the agent's model, within the budgets of the turn.

    Raises:
        TimeoutError: If the model takes more than ten seconds.
        Exception: If the request fails; see `agents.runtime.providers.classify_error`.
    """
    text = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    return await request_model(
        turn.agent,
        turn.api_key,
        turn.meter,
        instructions,
        text,
        seconds=TIMEOUT_SECONDS,
        tokens=ANSWER_TOKENS,
    )


async def request_model(
    agent: Agent,
    api_key: str | None,
    meter: Meter,
    instructions: str,
    text: str,
    *,
    seconds: float,
    tokens: int,
) -> "ModelResponse":
    """Send `text` to the agent's model, within the budgets of `meter`.

    Args:
        seconds: maximum time for the answer.
        tokens: maximum length of the answer.

    Raises:
        TimeoutError: If the model takes longer.
        Exception: If the request fails; see `agents.runtime.providers.classify_error`.
    """
    from pydantic_ai.direct import model_request
    from pydantic_ai.messages import ModelRequest

    from agents.runtime.routing import build_agent_model

    async with asyncio.timeout(seconds):
        return await model_request(
            build_agent_model(agent, api_key, meter),
            [ModelRequest.user_text_prompt(text, instructions=instructions)],
            model_settings={"temperature": 0.0, "max_tokens": tokens},
        )
