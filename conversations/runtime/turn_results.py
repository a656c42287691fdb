"""Stores the outcome of a turn: the answer or failure, its usage and cost."""

from contextlib import nullcontext
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import F
from django.utils import timezone

from agents.choices import IntegrationStatus, UsageFeature
from agents.models import AgentRun, Integration, LlmUsage
from agents.runtime.prices import price
from agents.services.prices import get_tenant_price
from conversations.choices import MessageStatus
from conversations.models import Conversation, Message
from conversations.runtime.agent_runs import get_answering_model, send_answer_stored, store_usage
from conversations.runtime.answer_assessment import assess_answer
from conversations.runtime.citations import renumber_citations
from conversations.runtime.journal import strip_unstorable
from conversations.runtime.turns import TurnContext
from conversations.services.feedback import name_prompts
from conversations.services.leases import release
from conversations.signals import answer_ended
from tenants.event_types import AnswerCompletedEvent, Event, RunCompletedEvent
from tenants.services.outbox import publish

# The sum of two such counts fits an integer column; endpoints may report any number.
MAX_TOKEN_COUNT = 2**30 - 1


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """Usage of one request to a model."""

    model: str
    prompt_tokens: int
    completion_tokens: int
    provider: str = ""
    integration: str = ""
    # The requested name; a provider may report a longer one.
    asked: str = ""
    cached: int = 0
    latency_ms: int | None = None
    status: int | None = None
    # ID of the meter's call, if its payloads are stored.
    call: str = ""


def get_model_usage(messages: list[Any]) -> list[ModelUsage]:
    """Return the usage of this turn's requests; messages from the history have none."""
    return [
        ModelUsage(
            strip_unstorable(message.model_name or ""),
            _clamp_tokens(message.usage.input_tokens),
            _clamp_tokens(message.usage.output_tokens),
            # Recorded by the meter: which integration answered (it may be a fallback) and how.
            **_get_metered_fields(message.metadata or {}),
        )
        for message in messages
        if message.kind == "response" and message.usage.total_tokens
    ]


def _get_metered_fields(metadata: dict[str, Any]) -> dict[str, Any]:
    texts = {name: metadata.get(name) or "" for name in ("provider", "integration", "asked", "call")}
    return {
        **texts,
        "cached": _clamp_tokens(metadata.get("cached") or 0),
        **{name: metadata.get(name) for name in ("latency_ms", "status")},
    }


def _clamp_tokens(tokens: int) -> int:
    return max(0, min(tokens, MAX_TOKEN_COUNT))


def store_answer(turn: TurnContext, text: str, calls: list[ModelUsage]) -> Message:
    """Store the answer with its citations, usage and cost."""
    content, citations = extract_citations(turn, text)
    assessment = assess_answer(turn, content, citations)
    return _store(
        turn, calls, status=MessageStatus.COMPLETED, content=content, citations=citations, **assessment
    )


def extract_citations(turn: TurnContext, text: str) -> tuple[str, list[dict[str, Any]]]:
    """Return the text to store and its citations; JSON answers have no citations."""
    text = strip_unstorable(text)
    return renumber_citations(text, turn.journal.passages) if turn.schema is None else (text, [])


def store_failure(
    turn: TurnContext, code: str, message: str, calls: list[ModelUsage], content: str = ""
) -> Message:
    """Store the failure with the text generated so far."""
    return _store(
        turn,
        calls,
        status=MessageStatus.FAILED,
        error_code=code,
        error_message=message,
        content=strip_unstorable(content),
    )


def _store(turn: TurnContext, calls: list[ModelUsage], **changes: Any) -> Message:
    live = turn.live
    with live.storing if live else nullcontext():
        with turn.caller.scope():
            answer = _update_answer(turn, calls, changes)
            if live:
                live.replace_text(answer.content)
                live.build_last_piece().save(force_insert=True)
        return answer


def _update_answer(turn: TurnContext, calls: list[ModelUsage], changes: dict[str, Any]) -> Message:
    release(turn.lease)
    messages = Message.objects.created_after_id(turn.conversation_id)
    answer = messages.select_for_update().get(pk=turn.answer_id)
    if answer.status != MessageStatus.PENDING:
        return answer
    error = changes.get("error_message", "")
    calls = [*(ModelUsage(**usage) for usage in turn.journal.usage), *calls]
    rows = _build_usage(turn, calls, error)
    run = store_usage(turn, rows, text=changes["content"], error=error)
    cost = sum((row.prompt_cost + row.completion_cost for row in rows), Decimal(0))
    for name, value in changes.items():
        setattr(answer, name, value)
    used = sum(row.prompt_tokens + row.completion_tokens for row in rows)
    answer.token_count = min(used, 2 * MAX_TOKEN_COUNT)
    answer.cost, answer.latency_ms = cost, turn.elapsed_ms
    answer.metadata = answer.metadata | name_prompts(answer.metadata, turn.agent, turn.prompt_ids)
    # The user's model or a fallback may have replaced that of the agent.
    answer.model = get_answering_model(turn)
    answer.tool_calls = turn.journal.tool_calls
    answer.tool_used = turn.journal.first_tool
    answer.save()
    Conversation.objects.filter(pk=turn.conversation_id).update(
        total_tokens=F("total_tokens") + answer.token_count,
        total_cost=F("total_cost") + cost,
        last_message_at=timezone.now(),
    )
    if calls and calls[-1].integration and not error:
        _record_connection(calls[-1].integration)
    publish(*_build_events(turn, answer, run))
    send_answer_stored(turn, run, text=changes["content"], error=error)
    answer_ended.send(Message, answer=answer, was_parked=bool(turn.journal.parked))
    return answer


def _build_events(turn: TurnContext, answer: Message, run: AgentRun | None) -> list[Event]:
    """Return the events of an answer and its run."""
    events: list[Event] = [
        AnswerCompletedEvent(
            conversation_id=turn.conversation_id,
            message_id=turn.answer_id,
            agent_id=turn.agent.pk,
            user_id=turn.caller.user_id,
            status="failed" if answer.status == MessageStatus.FAILED else "completed",
            total_tokens=answer.token_count,
        )
    ]
    if run is not None:
        events.append(
            RunCompletedEvent(
                run_id=run.pk,
                agent_id=run.agent_id,
                conversation_id=run.conversation_id,
                status=run.status,
            )
        )
    return events


def _record_connection(integration_id: str) -> None:
    """Record that an account answered; the meter records failures."""
    Integration.objects.filter(pk=integration_id).update(
        status=IntegrationStatus.CONNECTED, last_error="", last_sync_at=timezone.now()
    )


def _build_usage(turn: TurnContext, calls: list[ModelUsage], error: str) -> list[LlmUsage]:
    """Return one usage row for each request to a model, including failed ones."""
    model, account = turn.agent.model_name, turn.agent.integration_id
    failures = turn.meter.failures
    owner = get_owner_columns(turn) | {"agent_id": turn.agent.pk}
    rows = [LlmUsage(**owner, **call.as_columns()) for call in failures]
    metered = {str(call.id): call for call in turn.meter.calls}
    for call in calls or ([ModelUsage(model, 0, 0)] if error and not failures else []):
        provider = call.provider or turn.agent.model_provider
        asked = call.asked or call.model
        terms = turn.meter.terms.get((provider, asked))
        own = terms.price if terms else get_tenant_price(provider, asked)
        cached = min(call.cached, call.prompt_tokens)
        stored = metered.get(call.call)
        cost = price(provider, asked, call.prompt_tokens, call.completion_tokens, cached, own=own)
        rows.append(
            LlmUsage(
                **owner,
                integration_id=call.integration or account,
                provider=provider,
                model=call.model[:100],
                prompt_tokens=call.prompt_tokens,
                completion_tokens=call.completion_tokens,
                prompt_cost=cost.sent,
                completion_cost=cost.received,
                cost_known=cost.known,
                latency_ms=turn.elapsed_ms if call.latency_ms is None else call.latency_ms,
                status_code=call.status,
                request_payload=stored.request if stored else None,
                response_payload=stored.response if stored else None,
                # Failed requests have their own rows and messages.
                error_message="" if failures else error,
            )
        )
    return rows


def get_owner_columns(turn: TurnContext) -> dict[str, Any]:
    """Return the owner columns of a usage row."""
    return {
        "tenant_id": turn.caller.tenant_id,
        "user_id": turn.caller.user_id,
        "conversation_id": turn.conversation_id,
        "message_id": turn.answer_id,
        "flow_id": turn.flow_id,
        "feature_context": UsageFeature.MEETING if turn.meeting_id else UsageFeature.CONVERSATION,
    }
