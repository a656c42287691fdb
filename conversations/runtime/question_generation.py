"""Judged questions that an agent's model writes for passages of a collection.

The model answers with a question and the words of the passage that answer it. A question whose answer is not in the
passage is dropped; the others are stored as suggestions, which a person accepts or rejects.
"""

import json
import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError

from agents.choices import Provider, UsageFeature
from agents.models import Agent, LlmUsage
from agents.runtime.event_loop import run_in_event_loop
from agents.runtime.providers import classify_error
from agents.services.factory_prompts import render_factory_prompt
from audit.services.events import record_event
from config.jobs import defer_exclusive
from config.tenancy.scope import require_scope, require_tenant_id, tenant_scope
from conversations.runtime.journal import strip_unstorable
from conversations.runtime.metering import build_usage_rows
from conversations.runtime.model_requests import request_model
from conversations.runtime.turns import Caller, build_meter, get_api_key
from conversations.services.conversations import is_active
from knowledge.choices import QuestionOrigin
from knowledge.models import Chunk, Collection, JudgedQuestion
from knowledge.services.judged_questions import QuestionSuggestion, contains_text, suggest_question
from knowledge.services.sensitive_reads import record_sensitive_chunks

TASK = "conversations.tasks.generate_questions"
MAX_PASSAGES, MAX_FAILURES = 50, 2
# Shorter passages, such as headings, answer few questions.
MIN_TOKENS = 20
TIMEOUT_SECONDS, ANSWER_TOKENS, MAX_TEXT, MAX_ANSWER = 60, 300, 4000, 300
logger = logging.getLogger(__name__)


@dataclass(slots=True)
class GenerationCounts:
    """Numbers of passages for which a model was asked, and of stored and dropped questions."""

    asked: int = 0
    stored: int = 0
    dropped: int = 0
    failed: int = 0
    error: str = ""

    @property
    def must_stop(self) -> bool:
        """Whether further requests would fail as well."""
        return self.failed >= MAX_FAILURES


class GenerationError(ValidationError):
    """The agent cannot write questions for the collection."""


def request_questions(collection: Collection, agent: Agent, *, passages: int) -> None:
    """Queue the generation of questions for a sample of the collection's passages.

    Raises:
        GenerationError: If the agent is not active, has no model, or does not search the collection.
    """
    if not is_active(agent) or agent.model_provider == Provider.EXTRACTIVE:
        raise GenerationError("Choose an active agent with a language model.", code="no_model")
    if not agent.collections.filter(pk=collection.pk).exists():
        raise GenerationError("Choose an agent that searches the collection.", code="not_searched")
    scope = require_scope()
    Collection.objects.filter(pk=collection.pk).update(question_progress=0, question_error="")
    defer_exclusive(
        TASK,
        f"{TASK}:{collection.pk}",
        tenant_id=str(require_tenant_id()),
        collection_id=str(collection.pk),
        agent_id=str(agent.pk),
        user_id=str(scope.user_id) if scope.user_id else None,
        actor=scope.actor,
        passages=passages,
    )


def generate_questions(caller: Caller, collection_id: UUID, agent_id: UUID, *, passages: int) -> None:
    """Ask the agent's model for a question for each passage of a sample. Call it outside any scope."""
    with caller.scope():
        collection = Collection.objects.filter(pk=collection_id).first()
        agent = Agent.objects.filter(pk=agent_id).select_related("integration").first()
        chunks = _sample_chunks(collection_id, min(passages, MAX_PASSAGES))
        if collection is None:
            return
        if agent is None:
            changes = {"question_progress": 100, "question_error": "The agent does not exist anymore."}
            Collection.objects.filter(pk=collection_id).update(**changes)
            return
        key = get_api_key(agent.integration)
        instructions = render_factory_prompt("evaluation.question", user_id=caller.user_id).text
        record_sensitive_chunks([chunk.pk for chunk in chunks])
    counts = GenerationCounts()
    for place, chunk in enumerate(chunks, 1):
        answer = _ask_model(caller, agent, key, instructions, chunk, counts)
        with tenant_scope(caller.tenant_id, actor=caller.actor):
            if answer is not None:
                _store_answer(collection, chunk, answer, counts)
            Collection.objects.filter(pk=collection_id).update(
                question_progress=100 * place // len(chunks), question_error=counts.error
            )
        if counts.must_stop:
            break
    with caller.scope():
        Collection.objects.filter(pk=collection_id).update(question_progress=100)
        numbers = {"asked": counts.asked, "stored": counts.stored, "dropped": counts.dropped}
        record_event("collection.questions_generated", resource=collection, metadata=numbers)


def _sample_chunks(collection_id: UUID, count: int) -> list[Chunk]:
    """Return random passages for which no question exists."""
    judged = JudgedQuestion.objects.filter(collection_id=collection_id, chunk_id__isnull=False)
    rows = Chunk.objects.filter(collection_id=collection_id, token_count__gte=MIN_TOKENS)
    rows = rows.exclude(pk__in=judged.values("chunk_id")).select_related("document")
    return list(rows.only("content", "context", "document__source").order_by("?")[:count])


def _ask_model(
    caller: Caller, agent: Agent, key: str | None, instructions: str, chunk: Chunk, counts: GenerationCounts
) -> str | None:
    """Return the model's answer for a passage and store its usage; None if the request failed."""
    counts.asked += 1
    meter, text, error = build_meter(caller, agent), None, ""
    line = json.dumps({"context": chunk.context, "passage": chunk.content[:MAX_TEXT]}, ensure_ascii=False)
    try:
        response = run_in_event_loop(
            request_model,
            agent,
            key,
            meter,
            instructions,
            line,
            seconds=TIMEOUT_SECONDS,
            tokens=ANSWER_TOKENS,
        )
        text = response.text or ""
    except Exception as raised:
        failure = classify_error(raised)
        error = counts.error = failure.message
        counts.failed += 1 if failure.retryable else MAX_FAILURES
        # A provider's exception may quote what was sent to it, so only internal errors are logged in full.
        logger.warning(
            "generation of questions failed: %s",
            failure.kind,
            exc_info=raised if failure.kind == "internal" else None,
        )
    owner: dict[str, Any] = {"tenant_id": caller.tenant_id, "user_id": caller.user_id}
    rows = build_usage_rows(meter, agent, error, feature_context=UsageFeature.EVALUATION, **owner)
    with caller.scope():
        LlmUsage.objects.bulk_create(rows)
    return text


def _store_answer(collection: Collection, chunk: Chunk, answer: str, counts: GenerationCounts) -> None:
    """Store the question of the model's answer, or drop it. Needs a scope without a user."""
    found = parse_question(answer, chunk.content)
    stored = None
    if found:
        question, gold = found
        suggestion = QuestionSuggestion(
            question, QuestionOrigin.MODEL, {chunk.document.source: 1}, (gold,), chunk.pk
        )
        stored = suggest_question(collection, suggestion)
    counts.stored += stored is not None
    counts.dropped += stored is None


def parse_question(text: str, passage: str) -> tuple[str, str] | None:
    """Return the question and the answer in a model's JSON, or None if the passage does not contain the answer."""
    clean = strip_unstorable(text)
    try:
        found: Any = json.loads(clean[clean.find("{") : clean.rfind("}") + 1])
    except (ValueError, RecursionError):
        return None
    question, answer = (_clean_value(found, name) for name in ("question", "answer"))
    if not question or len(answer) > MAX_ANSWER or answer in question or not contains_text(passage, answer):
        return None
    return question, answer


def _clean_value(found: Any, name: str) -> str:
    """Return a text of a JSON object in one line, or "" if there is none."""
    value = found.get(name) if isinstance(found, dict) else None
    return " ".join(strip_unstorable(value).split()) if isinstance(value, str) else ""
