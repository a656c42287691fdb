"""Learning from answers: the use of terms, models and tools, and feedback.

Answers and feedback are counted in the transaction that stores them, so each is counted once.
A person's patterns (`LearningPattern`) are readable for this person alone. Those of an agent (`AgentLearningPattern`)
are readable in the organisation, and contain only names of models and tools, and counts.

`Tenant.settings["learning"]["enabled"]` set to false switches it off: nothing is counted, and agents get no patterns.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q
from psycopg.types.json import Jsonb

from agents.models import Agent
from config.db.prepared import run_prepared
from config.tenancy.scope import require_scope, require_tenant_id
from conversations.choices import MessageFeedback, ToolStatus
from conversations.models import Message, ToolExecution
from conversations.runtime.learned_patterns import ENABLED, get_model_key, get_term_key, get_tool_key
from conversations.runtime.turns import TurnContext
from knowledge.choices import PatternType
from knowledge.models import LearningPattern
from knowledge.services.confidence import count_evidence
from workflows.choices import InsightType
from workflows.models import AgentLearningPattern
from workflows.services.learning import LIFETIME

# Key of the metadata of a message: the patterns in which its feedback is counted.
COUNTED = "learning_patterns"
FAILED = (ToolStatus.FAILED, ToolStatus.TIMEOUT, ToolStatus.DENIED)
_UPSERT = """
INSERT INTO {table} AS p (tenant_id, {owner}, {kind}, key, {data}, occurrences, applied_count, failure_count,
  success_rate, {confidence}, embedding_model, {more})
SELECT %(tenant)s::uuid, %({owner})s::uuid, kind, key, data, uses, applied, failed,
  1 - failed::float8 / nullif(applied, 0), knowledge_pattern_confidence(uses, applied, failed), '', {values}
FROM seen WHERE level = '{level}' ORDER BY key
ON CONFLICT (tenant_id, {owner}, key) WHERE key <> '' DO UPDATE SET
  {data} = excluded.{data}, occurrences = p.occurrences + excluded.occurrences,
  applied_count = p.applied_count + excluded.applied_count,
  failure_count = p.failure_count + excluded.failure_count,
  success_rate = 1 - (p.failure_count + excluded.failure_count)::float8
    / nullif(p.applied_count + excluded.applied_count, 0),
  {confidence} = knowledge_pattern_confidence(p.occurrences + excluded.occurrences,
    p.applied_count + excluded.applied_count, p.failure_count + excluded.failure_count), {changes}
RETURNING id"""
PERSON_UPSERT = _UPSERT.format(
    table="knowledge_learningpattern",
    level="person",
    owner="user_id",
    kind="pattern_type",
    data="data",
    confidence="confidence",
    more="last_seen_at",
    values="now()",
    changes="last_seen_at = greatest(p.last_seen_at, excluded.last_seen_at)",
)
# The expiry is in an index, so it changes once a day at most.
AGENT_UPSERT = _UPSERT.format(
    table="workflows_agentlearningpattern",
    level="agent",
    owner="engagement_id",
    kind="insight_type",
    data="raw_evidence",
    confidence="confidence_score",
    more="last_seen_at, last_applied_at, expires_at, discovered_by",
    values="now(), now(), now() + %(lifetime)s::interval, %(agent)s::text",
    changes="""last_seen_at = greatest(p.last_seen_at, excluded.last_seen_at),
  last_applied_at = greatest(p.last_applied_at, excluded.last_applied_at),
  expires_at = CASE WHEN p.expires_at > excluded.expires_at - interval '1 day' THEN p.expires_at
    ELSE excluded.expires_at END""",
)
# The patterns are locked in the order of their keys, those of the person first.
COUNT_SQL = f"""
WITH seen AS (
  SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb)
    AS r (level text, kind text, key text, data jsonb, uses integer, applied integer, failed integer)
  WHERE EXISTS (SELECT FROM tenants_tenant WHERE id = %(tenant)s::uuid AND {ENABLED})
), person AS ({PERSON_UPSERT}), agent AS ({AGENT_UPSERT})
SELECT id FROM person UNION ALL SELECT id FROM agent
"""


@dataclass(frozen=True, slots=True)
class Observation:
    """Something that was used, and how it went.

    `applied` is the number of uses with a known outcome.
    """

    level: str
    kind: str
    key: str
    data: dict[str, str]
    uses: int = 0
    applied: int = 0
    failed: int = 0


def learn_from_answer(turn: TurnContext, model: str, failed: bool, **_: Any) -> None:
    """Count what the answer used, in the open scope."""
    observations = _observe_model(turn.agent, model, uses=1, applied=int(failed), failed=int(failed))
    # The journal has results if there was a call.
    for name, uses, failures in _count_calls(turn) if turn.journal.results else ():
        observations += _observe_tool(turn.agent, name, uses=uses, applied=uses, failed=failures)
    for term in turn.terms:
        kind, key = PatternType.TERMINOLOGY_USAGE, get_term_key(term)
        observations.append(Observation("person", kind, key, {"term": term}, uses=1))
    _count(turn.agent, turn.caller.user_id, observations)


def _count_calls(turn: TurnContext) -> Iterable[tuple[str, int, int]]:
    """Return the name, the number of calls and the number of failures of each tool."""
    rows = ToolExecution.objects.created_after_id(turn.conversation_id).filter(message_id=turn.answer_id)
    ended = rows.filter(status__in=(ToolStatus.COMPLETED, *FAILED)).order_by().values_list("tool_name")
    return ended.annotate(uses=Count("id"), failures=Count("id", Q(status__in=FAILED)))


def learn_from_feedback(message: Message, feedback: str, **_: Any) -> None:
    """Count feedback on an answer instead of earlier feedback, in the open scope.

    The metadata of the answer names the patterns in which the earlier feedback is counted. It is withdrawn from those
    that exist and that this person may change.
    """
    message.metadata = dict(message.metadata or {})
    _withdraw(message, message.metadata.pop(COUNTED, None))
    if not feedback or message.agent is None:
        return
    failed = int(feedback == MessageFeedback.UNHELPFUL)
    observations = _observe_model(message.agent, message.model, applied=1, failed=failed)
    if ids := _count(message.agent, require_scope().user_id, observations):
        counted = {"message": str(message.pk), "ids": list(map(str, ids)), "failed": failed}
        message.metadata[COUNTED] = counted


def _withdraw(message: Message, counted: Any) -> None:
    """Take back feedback that was counted before for this message, not for the original of a copy."""
    if not isinstance(counted, dict) or counted.get("message") != str(message.pk):
        return
    failed = int(counted["failed"])
    # There are as many outcomes as failures afterwards, also if the rows lost the feedback in the meantime.
    outcomes = Q(
        applied_count__gte=1, failure_count__gte=failed, applied_count__gt=F("failure_count") - failed
    )
    for model, field in ((LearningPattern, "confidence"), (AgentLearningPattern, "confidence_score")):
        rows = model.objects.filter(outcomes, pk__in=counted["ids"])
        count_evidence(rows, applied=-1, failed=-failed, field=field)


def _observe_model(agent: Agent, model: str, **counts: int) -> list[Observation]:
    key, data = get_model_key(agent, model), {"agent": agent.slug, "model": model}
    return [
        Observation("person", PatternType.AI_PREFERENCE, key, data, **counts),
        Observation("agent", InsightType.OPTIMIZATION_OPPORTUNITY, key, data, **counts),
    ]


def _observe_tool(agent: Agent, name: str, **counts: int) -> list[Observation]:
    key, data = get_tool_key(name, agent), {"agent": agent.slug, "tool": name}
    return [
        Observation("person", PatternType.TOOL_USAGE, get_tool_key(name), {"tool": name}, **counts),
        Observation("agent", InsightType.WORKFLOW_IMPROVEMENT, key, data, **counts),
    ]


def _count(agent: Agent, user_id: UUID | None, observations: Sequence[Observation]) -> list[UUID]:
    """Add the observations to their patterns and return the IDs of these; none if learning is switched off."""
    # Terms that differ in case only have the same key; a statement cannot change a row twice.
    rows = {
        (each.level, each.key): asdict(each) for each in observations if user_id or each.level != "person"
    }
    parameters = {
        **_get_owner(user_id),
        "rows": Jsonb(list(rows.values())),
        "lifetime": LIFETIME,
        "agent": agent.slug[:100],
    }
    return [identifier for (identifier,) in run_prepared(COUNT_SQL, parameters)]


def _get_owner(user_id: UUID | None) -> dict[str, Any]:
    return {
        "tenant": require_tenant_id(),
        "user_id": user_id,
        "engagement_id": require_scope().engagement_id,
    }
