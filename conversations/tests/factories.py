"""Factories for conversation models."""

from datetime import timedelta
from uuid import uuid4

import factory
from django.utils import timezone

from agents.tests.factories import AgentFactory, McpServerFactory
from config.db.ids import uuid7
from config.testing.factories import BaseFactory, ReportFactory, member_user
from conversations.models import (
    AnswerLease,
    Attachment,
    Conversation,
    ConversationActivityDaily,
    McpToolExecution,
    Message,
    MessageEmbedding,
    Participant,
    SessionState,
    SessionSummary,
    StreamEvent,
    ToolExecution,
    TurnStep,
)


class ConversationFactory(BaseFactory):
    user = factory.LazyFunction(member_user)
    agent = factory.SubFactory(AgentFactory)
    title = factory.Sequence(lambda n: f"Conversation {n}")

    class Meta:
        model = Conversation


class ParticipantFactory(BaseFactory):
    conversation = factory.SubFactory(ConversationFactory)
    user = factory.SelfAttribute("conversation.user")

    class Meta:
        model = Participant


class MessageFactory(BaseFactory):
    conversation = factory.SubFactory(ConversationFactory)
    sequence_number = factory.Sequence(lambda n: n + 1)
    role = "user"
    content = factory.Sequence(lambda n: f"Message {n}")
    user = factory.SelfAttribute("conversation.user")

    class Meta:
        model = Message


class ConversationActivityDailyFactory(ReportFactory):
    """Counts one message on a different recent day per call, where partitions exist."""

    days_ago = factory.Sequence(lambda n: n % 20)

    class Meta:
        model = ConversationActivityDaily

    @classmethod
    def counted(cls, **values):
        moment = timezone.now() - timedelta(days=values["days_ago"])
        MessageFactory(id=uuid7(moment))
        return {"date": moment.date()}


class ToolExecutionFactory(BaseFactory):
    message = factory.SubFactory(MessageFactory)
    conversation = factory.SelfAttribute("message.conversation")
    tool_name = "search_knowledge"
    tool_input = factory.LazyFunction(lambda: {"query": "partitions"})
    status = "completed"

    class Meta:
        model = ToolExecution


class AttachmentFactory(BaseFactory):
    message = factory.SubFactory(MessageFactory, conversation=factory.SelfAttribute("..conversation"))
    conversation = factory.SubFactory(ConversationFactory)
    filename = "contract.pdf"
    media_type = "application/pdf"
    file_size = 48_213
    checksum = "5d" * 32
    storage_path = factory.Sequence(lambda n: f"attachments/{n}.pdf")
    user = factory.SelfAttribute("conversation.user")

    class Meta:
        model = Attachment


class MessageEmbeddingFactory(BaseFactory):
    class Params:
        message = factory.SubFactory(MessageFactory)

    id = factory.SelfAttribute("message.pk")
    conversation = factory.SelfAttribute("message.conversation")
    embedding_model = "text-embedding-3-small"
    embedding = factory.LazyFunction(lambda: [1.0] + [0.0] * 1535)

    class Meta:
        model = MessageEmbedding


class McpToolExecutionFactory(BaseFactory):
    mcp_server = factory.SubFactory(McpServerFactory)
    message = factory.SubFactory(MessageFactory, conversation=factory.SelfAttribute("..conversation"))
    conversation = factory.SubFactory(ConversationFactory)
    tool_name = "read_file"
    parameters = factory.LazyFunction(lambda: {"path": "notes.md"})
    result = factory.LazyFunction(lambda: {"text": "Partitions expire."})
    status = "completed"

    class Meta:
        model = McpToolExecution


class SessionStateFactory(BaseFactory):
    conversation = factory.SubFactory(ConversationFactory)
    mode = "expert-group"
    phase = "questioning"
    state = factory.LazyFunction(lambda: {"expert_selections": ["technical_expert"], "todo_list": []})

    class Meta:
        model = SessionState


class SessionSummaryFactory(BaseFactory):
    conversation = factory.SubFactory(ConversationFactory)
    user = factory.SelfAttribute("conversation.user")
    started_at = factory.LazyFunction(lambda: timezone.now() - timedelta(minutes=20))
    ended_at = factory.LazyFunction(timezone.now)
    message_count = 12
    summary = "Partitions are made three months ahead."
    key_topics = factory.LazyFunction(lambda: ["partitions"])
    search_keywords = factory.LazyFunction(lambda: ["retention", "months"])

    class Meta:
        model = SessionSummary


class StreamEventFactory(BaseFactory):
    conversation = factory.SubFactory(ConversationFactory)
    sequence_number = factory.Sequence(lambda n: n + 1)
    event_type = "expert_response"
    phase = "expert_input"
    expert_name = "Technical Expert"
    message = factory.LazyFunction(
        lambda: {"role": "assistant", "content": "Use months.", "metadata": {"confidence": 0.85}}
    )

    class Meta:
        model = StreamEvent


class AnswerLeaseFactory(BaseFactory):
    message = factory.SubFactory(
        MessageFactory,
        conversation=factory.SelfAttribute("..conversation"),
        role="assistant",
        status="pending",
    )
    conversation = factory.SubFactory(ConversationFactory)
    token = factory.LazyFunction(uuid4)
    lease_until = factory.LazyFunction(lambda: timezone.now() + timedelta(minutes=1))
    user = factory.SelfAttribute("conversation.user")
    actor = "system:test"

    class Meta:
        model = AnswerLease


class TurnStepFactory(BaseFactory):
    message = factory.SubFactory(
        MessageFactory, conversation=factory.SelfAttribute("..conversation"), role="assistant"
    )
    conversation = factory.SubFactory(ConversationFactory)
    number = factory.Sequence(lambda n: n + 1)
    kind = "result"
    call_id = factory.Sequence(lambda n: f"1:call_{n}")
    payload = factory.LazyFunction(lambda: {"result": "At noon."})

    class Meta:
        model = TurnStep
