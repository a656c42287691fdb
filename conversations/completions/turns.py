"""The turn of a completion: its question, history and model, loaded before the model runs."""

from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from accounts.choices import ModelPurpose
from agents.choices import RunTexts
from agents.models import Agent, Integration
from agents.runtime.meter import ModelRoute
from agents.services.budgets import load_call_terms
from agents.services.model_choices import ModelUnavailableError, find_model, find_named_model
from agents.services.runs import with_run_settings
from conversations.choices import MessageRole
from conversations.completions.history import TOOL_RESULTS
from conversations.completions.provider_settings import to_model_settings
from conversations.completions.records import AFTER, STORE, THREAD, dump_turn
from conversations.completions.types import CompletionRequest
from conversations.models import Message
from conversations.runtime.agent_resolution import get_output_schema, get_schema_error, resolve_agent
from conversations.runtime.context import build_knowledge_context
from conversations.runtime.journal import Journal, strip_unstorable, strip_unstorable_json
from conversations.runtime.learned_patterns import find_terms_and_patterns
from conversations.runtime.turns import (
    Caller,
    TurnContext,
    build_meter,
    get_api_key,
    get_flow_id,
    name_terms,
)
from conversations.services.completions import (
    CompletionQuestion,
    continue_completion,
    open_completion,
)
from conversations.services.conversations import BegunTurn
from conversations.services.glossary import GlossaryTerm
from knowledge.models import Collection

ANSWER_SECONDS = 300
# Takes the place of an integration in names such as `default/coding`: the model that the user chose for the purpose.
DEFAULT_ACCOUNT = "default"


class UnknownModelError(LookupError):
    """The tenant has no agent or model of this name."""


@dataclass(frozen=True, slots=True)
class CompletionTurn:
    """A completion request and its turn, which is never resumed, because its client waits on a connection."""

    request: CompletionRequest
    context: TurnContext
    # The client's settings by their Pydantic AI names.
    settings: dict[str, Any]

    @property
    def uses_agent(self) -> bool:
        """Whether an agent answers, rather than a model without an agent."""
        return self.context.agent.pk is not None


def begin_completion(
    request: CompletionRequest, caller: Caller, *, after: Message | None = None
) -> CompletionTurn:
    """Store the question and load the turn, in the open scope.

    Args:
        after: the previous answer, to continue its conversation.

    Raises:
        UnknownModelError: no agent or model has the requested name.
        AgentInactiveError: the agent is not active.
        ConversationClosedError: the conversation of `after` cannot be continued.
        AlreadyContinuedError: another turn of the thread continues from `after`.
        UnsupportedSettingError: the model's provider does not have a setting of the request.
    """
    agent, named = resolve_model(request.model)
    question, model = _build_question(request, after), agent.model_name
    speaker = agent if named is None else None
    if after is None:
        origin = request.origin if request.is_stored else {"source": request.origin["source"], STORE: False}
        turn = open_completion(
            speaker,
            asked=question,
            model=model,
            user_id=caller.user_id,
            metadata=origin,
            is_open=request.is_stored,
        )
    else:
        turn = continue_completion(
            after,
            speaker,
            asked=question,
            model=model,
            user_id=caller.user_id,
            allows_branches=THREAD not in request.record,
        )
    context = _load_context(turn, caller, agent, request)
    settings = to_model_settings(request.settings, context.agent.model_provider)
    return CompletionTurn(request, context, settings)


def _build_question(request: CompletionRequest, after: Message | None) -> CompletionQuestion:
    """Return the last message, or all trailing tool results, for storing.

    A question that is not stored has no text. If later requests can continue from the answer, the metadata contains
    what they need.
    """
    is_tool = request.messages[-1].role == "tool"
    if not request.is_stored:
        return CompletionQuestion("", MessageRole.TOOL if is_tool else MessageRole.USER, {STORE: False})
    metadata = strip_unstorable_json(request.record)
    if after is not None:
        metadata[AFTER] = str(after.pk)
    if request.record:
        metadata |= strip_unstorable_json(dump_turn(request.stored_messages))
    if not is_tool:
        return CompletionQuestion(strip_unstorable(request.question), MessageRole.USER, metadata)
    results = list(takewhile(lambda message: message.role == "tool", reversed(request.messages)))[::-1]
    stored_results = [
        {"call_id": message.call_id, "text": strip_unstorable(message.text)} for message in results
    ]
    return CompletionQuestion(
        "\n".join(row["text"] for row in stored_results),
        MessageRole.TOOL,
        {TOOL_RESULTS: stored_results, **metadata},
    )


def _load_context(begun: BegunTurn, caller: Caller, agent: Agent, request: CompletionRequest) -> TurnContext:
    collections, problem, extra_context, schema = list[Collection](), "", "", None
    terms = list[GlossaryTerm]()
    if agent.pk:
        agent, collections, problem = resolve_agent(agent, begun.conversation)
        asked = begun.question.content
        terms, patterns = find_terms_and_patterns(agent, asked, caller.user_id, collections)
        extra_context = build_knowledge_context(begun.conversation, terms, patterns, caller.user_id)
        schema = get_output_schema(agent)
        if request.schema is not None:
            schema = {"title": request.schema_name, **request.schema}
            problem = problem or get_schema_error(schema, agent)
        elif request.json_object:
            problem = problem or get_schema_error({"type": "object"}, agent)
    meter = build_meter(caller, agent)
    if not request.is_stored:
        meter.payloads = RunTexts.NONE
    route = ModelRoute(agent.model_provider, agent.model_name)
    meter.terms[route.key] = load_call_terms(meter.subjects, *route.key)
    return TurnContext(
        caller=caller,
        conversation_id=begun.conversation.pk,
        question=begun.question.content,
        answer_id=begun.answer.pk,
        agent=agent,
        api_key=get_api_key(agent.integration),
        collections=collections,
        journal=Journal(None, begun.conversation.pk, []),
        meter=meter,
        problem=problem,
        extra_context=extra_context,
        terms=name_terms(begun, terms),
        schema=schema,
        flow_id=get_flow_id(begun.conversation),
    )


def resolve_model(name: str) -> tuple[Agent, Integration | None]:
    """Return the agent called `name`, or an unsaved one for `<integration>/<model>` or `default/<purpose>`.

    Raises:
        UnknownModelError: neither exists.
    """
    account, slash, model = name.partition("/")
    if not slash:
        agent = with_run_settings(Agent.objects.select_related("integration")).named(name).first()
        if agent is None:
            raise UnknownModelError(name)
        return agent, None
    found = find_named_model(name, Integration.objects.all())
    if found is None and account == DEFAULT_ACCOUNT and model in ModelPurpose.values:
        with suppress(ModelUnavailableError):
            found = find_model(model)
    if found is None:
        raise UnknownModelError(name)
    return _build_unsaved_agent(found.integration, found.name), found.integration


def _build_unsaved_agent(account: Integration, model: str) -> Agent:
    """Return an unsaved agent without instructions, to use a model alone."""
    agent = Agent(
        name=model,
        model_provider=account.platform,
        model_name=model,
        integration=account,
        system_prompt="",
        timeout=ANSWER_SECONDS,
    )
    # Without an id, its calls count for no agent.
    agent.pk = None  # type: ignore[assignment]
    return agent
