"""Session summaries by the agent's model, or extractive ones without a model."""

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from accounts.choices import ModelPurpose
from agents.choices import UsageFeature
from agents.models import Agent, LlmUsage
from agents.runtime.event_loop import run_in_event_loop
from agents.runtime.providers import classify_error
from agents.services.factory_prompts import render_factory_prompt
from agents.services.model_choices import apply_own_choice
from config.tenancy.scope import tenant_scope
from conversations.choices import ComplexityLevel, MessageRole, ResolutionStatus
from conversations.runtime.journal import strip_unstorable, strip_unstorable_json
from conversations.runtime.metering import build_usage_rows
from conversations.runtime.model_requests import request_model
from conversations.runtime.turns import Caller, build_meter, get_api_key, get_flow_id
from conversations.services.extractive_summary import (
    LISTED_LENGTH,
    MAX_LISTED,
    SUMMARY_LENGTH,
    TOPICS,
    ConversationSummary,
    summarize_messages,
)
from conversations.services.sessions import Session, read_session, store_summary

ACTOR = "system:summaries"
TIMEOUT_SECONDS, ANSWER_TOKENS, TRANSCRIPT_LENGTH = 60, 900, 24_000
# A single question and answer, such as each API completion, is not worth a model request.
SHORT_SESSION_LENGTH = 2
OFFLINE_PROVIDER = "extractive"
logger = logging.getLogger(__name__)


def summarize(tenant_id: UUID, conversation_id: UUID) -> bool:
    """Store the summary of a session. Idempotent; call it outside any scope.

    Returns:
        Whether a summary was stored.
    """
    with tenant_scope(tenant_id, actor=ACTOR):
        session = read_session(conversation_id)
    if session is None:
        return False
    caller = Caller(tenant_id, session.conversation.user_id, ACTOR)
    by_words = summarize_messages(session.messages, message_count=session.seen, tools=session.calls)
    agent = _select_agent(session)
    found, spent = _summarize_with_model(agent, session, caller, by_words) if agent else (None, [])
    tokens = sum(row.prompt_tokens + row.completion_tokens for row in spent)
    cost = sum((row.prompt_cost + row.completion_cost for row in spent), Decimal(0))
    with caller.scope():
        LlmUsage.objects.bulk_create(spent)
        return store_summary(session, found or by_words, tokens=tokens, cost=cost)


def _select_agent(session: Session) -> Agent | None:
    """Return the agent that summarizes, or None for an extractive summary."""
    agent, ended = session.agent, session.conversation.completed_at is not None
    if agent is None or agent.model_provider == OFFLINE_PROVIDER:
        return None
    if agent.integration and agent.integration.platform != agent.model_provider:
        # Never send an integration's key to another provider.
        return None
    return agent if ended or session.seen > SHORT_SESSION_LENGTH else None


def _summarize_with_model(
    agent: Agent, session: Session, caller: Caller, by_words: ConversationSummary
) -> tuple[ConversationSummary | None, list[LlmUsage]]:
    """Return the model's digest, or None on failure, and the usage."""
    meter = build_meter(caller, agent)
    found, error = None, ""
    try:
        with caller.scope():
            apply_own_choice(agent, ModelPurpose.REFLECTION)
            key = get_api_key(agent.integration)
            prompt = render_factory_prompt("session.summary", user_id=caller.user_id)
        response = run_in_event_loop(
            request_model,
            agent,
            key,
            meter,
            prompt.text,
            build_transcript(session),
            seconds=TIMEOUT_SECONDS,
            tokens=ANSWER_TOKENS,
        )
        found = replace(_parse_digest(response.text or "", by_words), model=agent.model_name)
    except ValueError:
        error = "The model's summary could not be read."
    except Exception as raised:
        failure = classify_error(raised)
        error = failure.message
        # A provider's exception may quote what was sent to it, so only internal errors are logged in full.
        logger.warning(
            "summary by model failed: %s",
            failure.kind,
            exc_info=raised if failure.kind == "internal" else None,
        )
    of = session.conversation
    owner: dict[str, Any] = {"tenant_id": of.tenant_id, "user_id": of.user_id, "conversation_id": of.pk}
    owner |= {"flow_id": get_flow_id(of), "feature_context": UsageFeature.SUMMARY}
    return found, build_usage_rows(meter, agent, error, **owner)


def build_transcript(session: Session) -> str:
    """Return the messages as JSON lines, which no text can imitate."""
    lines = [
        json.dumps({"from": "person" if each.role == MessageRole.USER else each.role, "text": each.content})
        for each in session.messages
        if each.content
    ]
    while len(lines) > 2 and sum(map(len, lines)) > TRANSCRIPT_LENGTH:
        del lines[len(lines) // 2]
    return "\n".join(lines)[: 2 * TRANSCRIPT_LENGTH]


def _parse_digest(text: str, by_words: ConversationSummary) -> ConversationSummary:
    """Parse the digest from a model's answer.

    Raises:
        ValueError: the answer contains no summary.
    """
    found = strip_unstorable_json(json.loads(strip_unstorable(text)[text.find("{") : text.rfind("}") + 1]))
    if not isinstance(found, dict) or not _clip_text(found.get("summary"), SUMMARY_LENGTH):
        raise ValueError("no summary")
    preferences = found.get("preferences")
    return ConversationSummary(
        summary=_clip_text(found["summary"], SUMMARY_LENGTH),
        title=_clip_text(found.get("title"), LISTED_LENGTH),
        domain=_clip_text(found.get("domain"), LISTED_LENGTH),
        topics=_clip_texts(found.get("topics"))[:TOPICS],
        decisions=_clip_texts(found.get("decisions")),
        preferences={
            name[:LISTED_LENGTH]: _clip_text(value, LISTED_LENGTH)
            for name, value in list(preferences.items() if isinstance(preferences, dict) else ())[:MAX_LISTED]
        },
        keywords=_clip_texts(found.get("keywords")) or by_words.keywords,
        complexity=_get_choice(found.get("complexity"), ComplexityLevel.values, by_words.complexity),
        resolution=_get_choice(found.get("resolution"), ResolutionStatus.values, by_words.resolution),
        follow_ups=_clip_texts(found.get("follow_up")),
    )


def _clip_text(value: Any, most: int) -> str:
    return " ".join(value.split())[:most] if isinstance(value, str) else ""


def _clip_texts(value: Any) -> list[str]:
    found = [_clip_text(each, LISTED_LENGTH) for each in value] if isinstance(value, list) else []
    return [each for each in found if each][:MAX_LISTED]


def _get_choice(value: Any, known: Sequence[str], otherwise: str) -> str:
    return value if isinstance(value, str) and value in known else otherwise
