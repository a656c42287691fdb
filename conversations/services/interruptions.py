"""Runs of answers that ended without their turn, because its process stopped."""

from collections.abc import Collection
from uuid import UUID

from django.db import connection

from agents.choices import RunStatus
from conversations.choices import MessageStatus
from conversations.models import Message
from conversations.signals import answer_ended
from tenants.event_types import AnswerCompletedEvent, RunCompletedEvent
from tenants.services.outbox import publish

# An ID whose partition may have expired is replaced, as in `conversations.runtime.agent_runs`.
INSERT = """
INSERT INTO agents_agentrun (id, tenant_id, agent_id, user_id, conversation_id, message_id, meeting_id, prompt,
  response, status, error_message, model_calls, retry_count, tokens_used, cost)
SELECT CASE WHEN m.created_at > now() - interval '28 days' THEN m.id ELSE uuidv7() END, m.tenant_id, m.agent_id,
  c.user_id, m.conversation_id, m.id, CASE WHEN m.metadata ? 'phase' THEN m.reply_to_id END, '', '', 'cancelled',
  m.error_message, 0, 0, 0, 0
FROM conversations_message m
JOIN conversations_conversation c ON c.tenant_id = m.tenant_id AND c.id = m.conversation_id
WHERE m.id = ANY(%s) AND m.status = 'failed' AND m.agent_id IS NOT NULL
ON CONFLICT (id) DO NOTHING RETURNING id, tenant_id, conversation_id, message_id, agent_id, user_id
"""


def record_interrupted_runs(message_ids: Collection[UUID]) -> None:
    """Store a cancelled run for each failed answer that has none, in the open scope, and publish the failure."""
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [list(message_ids)])
        rows = cursor.fetchall()
    for run_id, tenant_id, conversation_id, message_id, agent_id, user_id in rows:
        answer = AnswerCompletedEvent(
            conversation_id=conversation_id,
            message_id=message_id,
            agent_id=agent_id,
            user_id=user_id,
            status="failed",
            total_tokens=0,
        )
        run = RunCompletedEvent(
            run_id=run_id, agent_id=agent_id, conversation_id=conversation_id, status=RunStatus.CANCELLED
        )
        publish(answer, run, tenant_id=tenant_id)
    for ended in Message.unscoped.filter(pk__in=list(message_ids), status=MessageStatus.FAILED):
        answer_ended.send(Message, answer=ended, was_parked=True)
