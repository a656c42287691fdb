"""Demo conversations with their usage and cost."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from agents.models import AgentRun, LlmUsage
from config.db.bulk import insert_many
from conversations.models import Conversation, Message, Participant, ToolExecution

from .agents import Cast
from .texts import ANSWERED, ASKED, TITLES
from .world import Progress, World, micro, moment

# Questions per conversation, in rotation: five on average, so that ten conversations have a hundred messages.
TURNS = (2, 8, 5, 5, 3, 7, 4, 6, 1, 9)
CONVERSATIONS = 1_000
CHUNK = 2_000
TOOLS = ("search_knowledge", "calculator", "current_time")
FAILED = "The provider did not answer in time."

COLUMNS: dict[Any, tuple[str, ...]] = {
    Conversation: (
        *("id", "user_id", "agent_id", "title", "status", "message_count", "total_tokens"),
        *("total_cost", "started_at", "completed_at", "last_message_at"),
    ),
    Participant: ("id", "conversation_id", "user_id", "agent_id", "role"),
    Message: (
        *("id", "conversation_id", "sequence_number", "role", "content", "status", "error_message"),
        *("user_id", "agent_id", "reply_to_id", "model", "token_count", "cost", "latency_ms"),
    ),
    ToolExecution: (
        *("id", "conversation_id", "message_id", "agent_id", "tool_name", "tool_input", "tool_output"),
        *("status", "execution_time_ms", "started_at", "completed_at"),
    ),
    LlmUsage: (
        *("id", "user_id", "agent_id", "conversation_id", "message_id", "provider", "model"),
        *("prompt_tokens", "completion_tokens", "prompt_cost", "completion_cost", "latency_ms"),
        *("status_code", "error_message"),
    ),
    AgentRun: (
        *("id", "agent_id", "user_id", "conversation_id", "prompt", "response", "status"),
        *("error_message", "execution_time_ms", "tokens_used"),
    ),
}


@dataclass
class Chunk:
    """Rows of some conversations by table, in load order."""

    rows: dict[Any, list[tuple[Any, ...]]] = field(default_factory=lambda: {model: [] for model in COLUMNS})


def make_talk(world: World, on_rows: Progress) -> int:
    """Create conversations with messages, tools, runs and usage: 10,000 messages per scale step."""
    total, done = world.share(CONVERSATIONS), 0
    for first in range(0, total, CHUNK):
        chunk = Chunk()
        for number in range(first, min(first + CHUNK, total)):
            _converse(world, chunk, TURNS[number % len(TURNS)])
        for model, rows in chunk.rows.items():
            done += insert_many(model, COLUMNS[model], rows, constants=world.constants, on_batch=on_rows)
    return done


def _converse(world: World, chunk: Chunk, turns: int) -> None:
    rng = world.rng
    began = world.working_moment(world.any_day())
    identifier, user = world.id_at(began), rng.choice(world.member_ids)
    cast = rng.choice(world.made["cast"])
    tokens = cost = 0
    now = began
    for turn in range(turns):
        now, used, spent = _turn(world, chunk, identifier, user, cast, turn, now)
        tokens += used
        cost += spent
    ended = moment(now)
    closed = rng.random() < 0.7
    rows = chunk.rows
    rows[Conversation].append(
        (
            identifier,
            user,
            cast.id,
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
    rows[Participant].append((world.id_at(began), identifier, None, cast.id, "agent"))
    rows[Participant].append((world.id_at(began), identifier, user, None, "owner"))


def _turn(
    world: World, chunk: Chunk, conversation: UUID, user: UUID, cast: Cast, turn: int, now: int
) -> tuple[int, int, int]:
    """Add a question and its answer.

    Returns:
        The time of the next question, tokens, and cost in millionths of a dollar.
    """
    rng, rows = world.rng, chunk.rows
    asked_at = now + rng.randrange(5_000, 120_000)
    latency = rng.randrange(300, 6_000)
    answered_at = asked_at + latency
    question, answer = world.id_at(asked_at), world.id_at(answered_at)
    asked, answered = rng.choice(ASKED), rng.choice(ANSWERED)
    failed = rng.random() < 0.02
    sent, received = len(asked) // 4 + 220 * (turn + 1), 0 if failed else len(answered) // 4
    prompt_cost, completion_cost = round(sent * cast.sent), round(received * cast.received)
    status, error, text = ("failed", FAILED, "") if failed else ("completed", "", answered)
    spent, used = prompt_cost + completion_cost, sent + received
    place = 2 * turn + 1
    asking = (question, conversation, place, "user", asked, "completed", "", user)
    answering = (answer, conversation, place + 1, "assistant", text, status, error, None)
    rows[Message].append((*asking, None, None, "", 0, micro(0), None))
    rows[Message].append((*answering, cast.id, question, cast.model, used, micro(spent), latency))
    call = (world.id_at(answered_at), user, cast.id, conversation, answer, cast.provider, cast.model)
    paid = (micro(prompt_cost), micro(completion_cost), latency, 504 if failed else 200, error)
    rows[LlmUsage].append((*call, sent, received, *paid))
    world.day_of(asked_at).add(cast.provider, used, spent)
    rows[AgentRun].append(
        (world.id_at(answered_at), cast.id, user, conversation, asked, text, status, error, latency, used)
    )
    if rng.random() < 0.3:
        rows[ToolExecution].append(_tool(world, conversation, answer, cast, asked, asked_at, latency))
    return answered_at, used, spent


def _tool(
    world: World, conversation: UUID, answer: UUID, cast: Cast, asked: str, asked_at: int, latency: int
) -> tuple[Any, ...]:
    took = world.rng.randrange(1, latency)
    began, ended = moment(asked_at), moment(asked_at + took)
    name = world.rng.choice(TOOLS)
    return (
        *(world.id_at(asked_at), conversation, answer, cast.id, name, {"query": asked}, {"found": 3}),
        *("completed", took, began, ended),
    )
