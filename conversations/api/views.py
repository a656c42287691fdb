"""Conversation endpoints. Users and API keys see only their own conversations (promise G3)."""

from typing import Any

from django.db.models import Exists
from django.http import Http404, HttpResponse
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import exceptions
from rest_framework.decorators import action

from config.api.exceptions import Conflict, Forbidden
from config.api.views import bodyless, json_response
from config.api.viewsets import DestroyMixin, ReadOnlyTenantViewSet, UpdateMixin
from config.db.ids import uuid7_time
from conversations.answers import BegunAnswers, answer_message
from conversations.api import streaming as answers
from conversations.api.callers import CallerMixin
from conversations.api.edits import MessageActions
from conversations.api.event_schemas import ANSWER_EVENTS, ANSWER_STREAM
from conversations.api.meetings import MeetingActions
from conversations.api.serializers import (
    AnsweredConversationSerializer,
    AnsweredMessageSerializer,
    ConversationSerializer,
    ForkSerializer,
    McpToolExecutionSerializer,
    MessageSerializer,
    NewConversationSerializer,
    NewMessageSerializer,
)
from conversations.models import Conversation, Message
from conversations.services.attachments import ask_with_files
from conversations.services.conversations import (
    ConversationClosedError,
    begin_round,
    find_agent,
    record_message,
    start_conversation,
)
from conversations.services.forks import fork_conversation
from conversations.services.participants import is_owner
from conversations.services.sessions import CannotEndError, end_conversation

FAILURES = {
    502: OpenApiResponse(description="The model endpoint failed. The question is stored."),
    504: OpenApiResponse(description="The model endpoint timed out. The question is stored."),
}

STREAMED = f"Server-sent events: {', '.join(ANSWER_EVENTS)}."


class AnswerMixin(CallerMixin):
    """Shared behaviour of views that run agents in several transactions."""

    @property
    def scope(self) -> str:
        return "manual" if self.action in ("create", "stream", "meeting", "edit") else "request"

    def created(self, conversation: Conversation, answered: list[Message]) -> HttpResponse:
        """Return the response for a new conversation, with its first answers if any.

        Raises:
            Http404: the conversation was deleted in the meantime.
        """
        answer = answers.render_answers(answered) if answered else None
        with self.scoped():
            row = Conversation.objects.filter(pk=conversation.pk).first()
            if row is None:
                raise Http404
            body = AnsweredConversationSerializer().to_representation(row)
        if answer is not None:
            body["answer"] = answer
        return json_response(body, 201, {"Location": f"/api/v1/conversations/{row.pk}/"})


class ConversationViewSet(MeetingActions, AnswerMixin, UpdateMixin, DestroyMixin, ReadOnlyTenantViewSet):
    """Your conversations."""

    serializer_class = ConversationSerializer
    resource = "conversations"
    extra_media_types = (answers.EVENT_STREAM,)
    verbs = {"meeting": "read", "begin_meeting": "write", "fork": "write", "end": "write"}
    ordering_fields = ("created_at", "updated_at")

    def get_queryset(self) -> Any:
        return super().get_queryset().visible_to(self.credential.user_id)

    @extend_schema(
        request=NewConversationSerializer, responses={201: AnsweredConversationSerializer, **FAILURES}
    )
    def create(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Start a conversation. With `message`, the response includes the first answer."""
        data = self.validate_body(NewConversationSerializer)
        if "message" in data:
            self.require("agents", "execute")
        with answers.answer_errors():
            return answer_message(
                self.caller(),
                self.idempotent_request(),
                lambda: self._begin(data),
                self.created,
                runs_agents="message" in data,
            )

    @extend_schema(request=ForkSerializer, responses={201: ConversationSerializer})
    @action(detail=True, methods=["post"])
    def fork(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Copy a conversation up to and including a message. The original does not change."""
        at = self.validate_body(ForkSerializer)["at"]
        return self.created(fork_conversation(self.get_object(), at=at, user_id=self.credential.user_id), [])

    @bodyless(responses={200: ConversationSerializer})
    @action(detail=True, methods=["post"])
    def end(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """End a conversation. A job then writes its title and its summary in `/session-summaries/`."""
        try:
            ended = end_conversation(self.get_object())
        except CannotEndError as error:
            raise Conflict("; ".join(error.messages), code="not_ending") from error
        return self.rendered_row(ConversationSerializer, ended)

    def perform_destroy(self, instance: Conversation) -> None:
        if not is_owner(instance, self.credential.user_id):
            raise Forbidden("Only the owner can delete a conversation. Other participants can leave it.")
        super().perform_destroy(instance)

    def _begin(self, data: dict[str, Any]) -> BegunAnswers:
        conversation = self._start(data)
        if "message" not in data:
            return conversation, []
        user_id = self.credential.user_id
        return conversation, begin_round(conversation.pk, content=data["message"], user_id=user_id)

    def _start(self, data: dict[str, Any]) -> Conversation:
        named = "agent" if "agent" in data else "agents"
        agents = [find_agent(name) for name in data.get("agents") or [data["agent"]]]
        if None in agents:
            raise exceptions.ValidationError({named: "This object does not exist."})
        try:
            return start_conversation(
                agents[0],
                others=agents[1:],
                mode=data["mode"],
                chat_mode=data["chat_mode"],
                user_id=self.credential.user_id,
                title=data["title"],
                metadata=data.get("metadata"),
            )
        except ConversationClosedError as error:
            raise Conflict("; ".join(error.messages), code="agent_not_active") from error


class ConversationScopedMixin:
    """Base of views under `/conversations/{conversation_id}/`."""

    def get_queryset(self) -> Any:
        rows = super().get_queryset().filter(conversation_id=self.kwargs["conversation_id"])
        return rows.filter(Exists(self.conversation()))

    def conversation(self) -> Any:
        """Return a queryset with the conversation in the URL, if visible."""
        rows = Conversation.objects.visible_to(self.credential.user_id)
        return rows.filter(pk=self.kwargs["conversation_id"]).order_by()

    def list(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Return a page of rows."""
        response = super().list(request, *args, **kwargs)
        if response.content.endswith(b'"results":[]}') and not self.conversation().exists():
            raise Http404
        return response


class MessageViewSet(MessageActions, ConversationScopedMixin, AnswerMixin, ReadOnlyTenantViewSet):
    """Messages of a conversation. The agent answers new messages."""

    serializer_class = MessageSerializer
    resource = "conversations"
    verbs = {"stream": "read", "edit": "write", "feedback": "write"}
    extra_media_types = (answers.EVENT_STREAM,)

    def get_queryset(self) -> Any:
        identifier = self.kwargs["conversation_id"]
        try:
            uuid7_time(identifier)
        except ValueError:
            raise Http404 from None
        return super().get_queryset().created_after_id(identifier)

    @extend_schema(
        request=NewMessageSerializer,
        responses={
            (201, "application/json"): AnsweredMessageSerializer,
            (200, answers.EVENT_STREAM): OpenApiResponse(response=ANSWER_STREAM, description=STREAMED),
            **FAILURES,
        },
    )
    def create(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Send a message. The answer is JSON, or server-sent events with `Accept: text/event-stream`."""
        data = self.validate_body(NewMessageSerializer)
        if not data["answer"]:
            idempotent = self.idempotent_request()
            with self.scoped():
                return idempotent.run(lambda: self._record(data))
        self.require("agents", "execute")
        with answers.answer_errors():
            return answer_message(
                self.caller(),
                self.idempotent_request(),
                lambda: self._begin(data),
                lambda _, answered: self._respond(answers.render_answers(answered)),
                respond_streamed=answers.stream_answers if answers.wants_stream(request) else None,
            )

    def _respond(self, message: dict[str, Any]) -> HttpResponse:
        return json_response(message, 201, {"Location": f"{self.request._request.path}{message['id']}/"})

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "Last-Event-ID", str, OpenApiParameter.HEADER, description="Id of the last event received."
            )
        ],
        responses={
            (200, answers.EVENT_STREAM): OpenApiResponse(response=ANSWER_STREAM, description=STREAMED),
            204: OpenApiResponse(description="The stream has ended and there are no more events."),
        },
    )
    @action(detail=True, methods=["get"], pagination_class=None)
    def stream(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Stream the answer as server-sent events, starting after `Last-Event-ID`."""
        with self.scoped():
            answer = self.get_object()
        return answers.stream_existing_answer(
            self.caller(), answer, request.META.get("HTTP_LAST_EVENT_ID", "")
        )

    def _record(self, data: dict[str, Any]) -> HttpResponse:
        message = record_message(
            self.kwargs["conversation_id"],
            role=data["role"],
            content=data["content"],
            user_id=self.credential.user_id,
            metadata=data.get("metadata"),
        )
        if message is not None:
            return self._respond(answers.render_message(message))
        if not self.conversation().exists():
            raise Http404
        raise Conflict("This conversation is closed. Start a new conversation.", code="conversation_closed")

    def _begin(self, data: dict[str, Any]) -> BegunAnswers:
        if not self.conversation().exists():
            raise Http404
        try:
            turns = ask_with_files(
                self.kwargs["conversation_id"],
                content=data["content"],
                user_id=self.credential.user_id,
                files=data["attachments"],
            )
        except ConversationClosedError as error:
            raise Conflict("; ".join(error.messages), code="conversation_closed") from error
        return turns[0].conversation, turns


class McpToolExecutionViewSet(ConversationScopedMixin, ReadOnlyTenantViewSet):
    """MCP tool calls of agents in a conversation."""

    serializer_class = McpToolExecutionSerializer
    resource = "conversations"
