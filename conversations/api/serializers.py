"""Serializers for conversations."""

from rest_framework import serializers

from config.api.serializers import BaseSerializer, ReadOnlySerializer
from conversations.choices import ChatMode, ConversationMode, MessageRole
from conversations.models import (
    Attachment,
    Conversation,
    McpToolExecution,
    Message,
    Participant,
    ToolExecution,
)
from conversations.services.attachments import MAX_FILES
from conversations.services.conversations import MAX_AGENTS

MAX_CONTENT = 100_000


class ConversationSerializer(BaseSerializer):
    """A conversation with its totals."""

    class Meta:
        model = Conversation
        fields = (
            "user",
            "agent",
            "agent_version",
            "forked_from",
            "forked_at_id",
            "title",
            "status",
            "mode",
            "context",
            "metadata",
            "message_count",
            "total_tokens",
            "total_cost",
            "started_at",
            "completed_at",
            "last_message_at",
        )
        read_only_fields = ("agent", "mode", "forked_from", "forked_at_id", "completed_at")


class MessageSerializer(ReadOnlySerializer):
    """A message of a conversation."""

    class Meta:
        model = Message
        fields = (
            "conversation",
            "sequence_number",
            "role",
            "content",
            "status",
            "citations",
            "error_code",
            "error_message",
            "user",
            "agent",
            "reply_to_id",
            "replaces_id",
            "feedback",
            "model",
            "token_count",
            "cost",
            "latency_ms",
            "confidence_score",
            "conversation_domain",
            "tool_calls",
            "metadata",
        )


class ParticipantSerializer(ReadOnlySerializer):
    """A person or an agent in a conversation."""

    class Meta:
        model = Participant
        fields = ("id", "conversation", "user", "agent", "role", "created_at")


class ToolExecutionSerializer(ReadOnlySerializer):
    """A tool call."""

    class Meta:
        model = ToolExecution
        fields = (
            "id",
            "conversation",
            "message",
            "agent",
            "tool_name",
            "tool_input",
            "tool_output",
            "metadata",
            "status",
            "decided_by",
            "decided_at",
            "error_message",
            "execution_time_ms",
            "started_at",
            "completed_at",
            "created_at",
        )


class DecisionSerializer(serializers.Serializer):
    """Reason for denying a tool call."""

    reason = serializers.CharField(
        max_length=500, required=False, allow_blank=True, default="", help_text="Passed to the model."
    )


class McpToolExecutionSerializer(ReadOnlySerializer):
    """A tool call on an MCP server."""

    class Meta:
        model = McpToolExecution
        fields = (
            "id",
            "mcp_server",
            "conversation",
            "message",
            "agent",
            "tool_name",
            "parameters",
            "result",
            "status",
            "error_message",
            "error_code",
            "execution_time_ms",
            "server_instance_id",
            "metadata",
            "started_at",
            "completed_at",
            "created_at",
        )


class AttachmentSerializer(ReadOnlySerializer):
    """An attachment of a message."""

    class Meta:
        model = Attachment
        fields = (
            "conversation",
            "message",
            "filename",
            "media_type",
            "file_size",
            "checksum",
            "user",
            "metadata",
        )


class NewConversationSerializer(serializers.Serializer):
    """A new conversation. With `message`, the response includes the answer."""

    agent = serializers.CharField(max_length=100, required=False, help_text="Slug or id of the agent.")
    agents = serializers.ListField(
        child=serializers.CharField(max_length=100),
        required=False,
        min_length=2,
        max_length=MAX_AGENTS,
        help_text="Slugs or ids of the agents, in modes with several agents.",
    )
    mode = serializers.ChoiceField(
        choices=ConversationMode.choices,
        default=ConversationMode.SINGLE,
        help_text="multi: agents answer independently; collaborative: each builds on the previous answers.",
    )
    chat_mode = serializers.ChoiceField(
        choices=[ChatMode.SIMPLE, ChatMode.SMART_ROUTER, ChatMode.SOCRATIC],
        default=ChatMode.SIMPLE,
        help_text="smart-router: in mode multi, one of the agents answers each question; socratic: agents ask back.",
    )
    title = serializers.CharField(
        max_length=500, required=False, allow_blank=True, default="", help_text="Title of the conversation."
    )
    metadata = serializers.DictField(required=False, help_text="Additional data as a JSON object.")
    message = serializers.CharField(
        max_length=MAX_CONTENT, required=False, help_text="First question, answered in the response."
    )

    def validate(self, attrs: dict) -> dict:
        name = "agent" if attrs["mode"] == ConversationMode.SINGLE else "agents"
        other = "agents" if name == "agent" else "agent"
        if name not in attrs:
            raise serializers.ValidationError({name: "This field is required."})
        if other in attrs:
            raise serializers.ValidationError(
                {other: f"This field is not allowed in this mode. Use `{name}`."}
            )
        return attrs


class NewParticipantSerializer(serializers.Serializer):
    """A new participant: a person or an agent."""

    user = serializers.UUIDField(required=False, help_text="Id of a member of the organisation.")
    agent = serializers.CharField(
        max_length=100, required=False, help_text="Slug or id of the agent, in modes with several agents."
    )

    def validate(self, attrs: dict) -> dict:
        if len(attrs) != 1:
            raise serializers.ValidationError({"user": "Provide either `user` or `agent`."})
        return attrs


class ForkSerializer(serializers.Serializer):
    """The fork point of a conversation."""

    at = serializers.UUIDField(help_text="Last message to copy to the fork.")


class NewMessageSerializer(serializers.Serializer):
    """A new message."""

    content = serializers.CharField(max_length=MAX_CONTENT, help_text="The text.")
    answer = serializers.BooleanField(
        default=True, help_text="Whether the agent answers. If false, the message is only recorded."
    )
    role = serializers.ChoiceField(
        choices=[MessageRole.USER, MessageRole.ASSISTANT, MessageRole.SYSTEM],
        default=MessageRole.USER,
        help_text="Role of the author, for messages that are only recorded.",
    )
    metadata = serializers.DictField(required=False, help_text="Additional data as a JSON object.")
    attachments = serializers.ListField(
        child=serializers.UUIDField(),
        default=list,
        max_length=MAX_FILES,
        help_text="Ids of uploaded files that no message uses yet. Agents read their text.",
    )

    def validate(self, attrs: dict) -> dict:
        if attrs["answer"] and attrs["role"] != MessageRole.USER:
            raise serializers.ValidationError(
                {"role": "Agents only answer the role user. Use it, or set `answer` to false."}
            )
        if attrs["attachments"] and not attrs["answer"]:
            raise serializers.ValidationError(
                {"attachments": "Attachments require an answer. Set `answer` to true."}
            )
        return attrs


class AnsweredMessageSerializer(MessageSerializer):
    """The answer. With several agents, the last completed one; `answers` holds all of them."""

    answers = MessageSerializer(many=True, required=False, read_only=True)

    class Meta(MessageSerializer.Meta):
        fields = (*MessageSerializer.Meta.fields, "answers")


class AnsweredConversationSerializer(ConversationSerializer):
    """A new conversation, and the answer to its first question, if any."""

    answer = AnsweredMessageSerializer(required=False, read_only=True)

    class Meta(ConversationSerializer.Meta):
        fields = (*ConversationSerializer.Meta.fields, "answer")
