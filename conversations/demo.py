"""Demo conversations with their usage and cost."""

from typing import Any
from uuid import UUID

from agents.choices import UsageFeature
from agents.demo import DemoAgent
from agents.models import AgentRun, LlmUsage
from config.demo.generator import DemoState, micro, moment
from config.demo.texts import ANSWERED, ASKED, TITLES
from conversations.models import Conversation, Message, Participant, ToolExecution

POSITION = 30
TABLES = (ToolExecution, Message, Participant, Conversation)
# Questions per conversation, in rotation: five on average, so that ten conversations have a hundred messages.
TURNS = (2, 8, 5, 5, 3, 7, 4, 6, 1, 9)
CONVERSATIONS = 1_000
BATCH = 2_000
TOOLS = ("search_knowledge", "calculator", "current_time")
FAILED = "The provider did not answer in time."

COLUMNS: dict[Any, tuple[str, ...]] = {
    Conversation: (
        *("user_id", "agent_id", "title", "status", "message_count", "total_tokens"),
        *("total_cost", "started_at", "completed_at", "last_message_at"),
    ),
    Participant: ("conversation_id", "user_id", "agent_id", "role"),
    Message: (
        *("conversation_id", "sequence_number", "role", "content", "status", "error_message"),
        *("user_id", "agent_id", "reply_to_id", "model", "token_count", "cost", "latency_ms"),
    ),
    ToolExecution: (
        *("conversation_id", "message_id", "agent_id", "tool_name", "tool_input", "tool_output"),
        *("status", "execution_time_ms", "started_at", "completed_at"),
    ),
    LlmUsage: (
        *("user_id", "agent_id", "conversation_id", "message_id", "provider", "model"),
        *("prompt_tokens", "completion_tokens", "prompt_cost", "completion_cost", "latency_ms"),
        *("status_code", "error_message", "feature_context"),
    ),
    AgentRun: (
        *("agent_id", "user_id", "conversation_id", "prompt", "response", "status"),
        *("error_message", "execution_time_ms", "tokens_used"),
    ),
}


Rows = dict[Any, list[tuple[Any, ...]]]


def make_history(state: DemoState) -> None:
    """Create conversations with messages, tools, runs and usage: 10,000 messages per scale step."""
    total = state.share(CONVERSATIONS)
    for first in range(0, total, BATCH):
        rows: Rows = {model: [] for model in COLUMNS}
        for number in range(first, min(first + BATCH, total)):
            _converse(state, rows, TURNS[number % len(TURNS)])
        for model, found in rows.items():
            state.insert(model, COLUMNS[model], found)


def _converse(state: DemoState, rows: Rows, turns: int) -> None:
    rng = state.rng
    began = state.working_moment(state.any_day())
    identifier, user = state.id_at(began), rng.choice(state.member_ids)
    agent = rng.choice(list(state.agents.values()))
    tokens = cost = 0
    now = began
    for turn in range(turns):
        now, used, spent = _turn(state, rows, identifier, user, agent, turn, now)
        tokens += used
        cost += spent
    ended = moment(now)
    closed = rng.random() < 0.7
    rows[Conversation].append(
        (
            identifier,
            user,
            agent.id,
            rng.choice(TITLES),
            "completed" if closed else "active",
            2 * turns,
            tokens,
            micro(cost),
            moment(began),
            ended if closed else None,
            ended,
        )
    )
    rows[Participant].append((state.id_at(began), identifier, None, agent.id, "agent"))
    rows[Participant].append((state.id_at(began), identifier, user, None, "owner"))


def _turn(
    state: DemoState, rows: Rows, conversation: UUID, user: UUID, agent: DemoAgent, turn: int, now: int
) -> tuple[int, int, int]:
    """Add a question and its answer.

    Returns:
        The time of the next question, tokens, and cost in millionths of a dollar.
    """
    rng = state.rng
    asked_at = now + rng.randrange(5_000, 120_000)
    latency = rng.randrange(300, 6_000)
    answered_at = asked_at + latency
    question, answer = state.id_at(asked_at), state.id_at(answered_at)
    asked, answered = rng.choice(ASKED), rng.choice(ANSWERED)
    failed = rng.random() < 0.02
    sent, received = len(asked) // 4 + 220 * (turn + 1), 0 if failed else len(answered) // 4
    prompt_cost, completion_cost = round(sent * agent.sent), round(received * agent.received)
    status, error, text = ("failed", FAILED, "") if failed else ("completed", "", answered)
    spent, used = prompt_cost + completion_cost, sent + received
    place = 2 * turn + 1
    asking = (question, conversation, place, "user", asked, "completed", "", user)
    answering = (answer, conversation, place + 1, "assistant", text, status, error, None)
    rows[Message].append((*asking, None, None, "", 0, micro(0), None))
    rows[Message].append((*answering, agent.id, question, agent.model, used, micro(spent), latency))
    call = (state.id_at(answered_at), user, agent.id, conversation, answer, agent.provider, agent.model)
    paid = (micro(prompt_cost), micro(completion_cost), latency)
    result = (504 if failed else 200, error, UsageFeature.CONVERSATION)
    rows[LlmUsage].append((*call, sent, received, *paid, *result))
    state.count_answer(asked_at)
    rows[AgentRun].append(
        (state.id_at(answered_at), agent.id, user, conversation, asked, text, status, error, latency, used)
    )
    if rng.random() < 0.3:
        rows[ToolExecution].append(_tool(state, conversation, answer, agent, asked, asked_at, latency))
    return answered_at, used, spent


def _tool(
    state: DemoState,
    conversation: UUID,
    answer: UUID,
    agent: DemoAgent,
    asked: str,
    asked_at: int,
    latency: int,
) -> tuple[Any, ...]:
    took = state.rng.randrange(1, latency)
    began, ended = moment(asked_at), moment(asked_at + took)
    name = state.rng.choice(TOOLS)
    return (
        *(state.id_at(asked_at), conversation, answer, agent.id, name, {"query": asked}, {"found": 3}),
        *("completed", took, began, ended),
    )
