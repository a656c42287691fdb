"""Conversation endpoints. Users and API keys see only their own conversations (promise G3)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db.models import Exists
from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import exceptions
from rest_framework.decorators import action

from config.api import idempotency
from config.api.exceptions import Conflict, Forbidden
from config.api.views import json_response
from config.api.viewsets import DestroyMixin, ReadOnlyTenantViewSet, UpdateMixin
from config.db.ids import uuid7_time
from conversations.api import streaming as answers
from conversations.api.closing import CloseActionsMixin
from conversations.api.edits import MessageActions, made_conversation
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
from conversations.runtime.loop import run_turn
from conversations.runtime.turns import Caller, Turn, load_turn
from conversations.services.attachments import ask_with_files
from conversations.services.conversations import (
    BegunTurn,
    ConversationClosed,
    agent_by_name,
    begin_round,
    record_message,
    start_conversation,
)
from conversations.services.forks import fork_conversation
from conversations.services.participants import is_owner
from conversations.streaming.multi_agent import run_agents

FAILURES = {
    502: OpenApiResponse(description="The model endpoint failed. The question is stored."),
    504: OpenApiResponse(description="The model endpoint timed out. The question is stored."),
}

STREAMED = "Server-sent events: message.started, .delta, .reset, .completed, .failed."


# Creating a serializer costs more than validation, which does not change it.
_NEW_MESSAGE = NewMessageSerializer()


class AnswerMixin:
    """Shared behaviour of views that run agents: short scopes and idempotency keys."""

    @property
    def scope(self) -> str:
        return "manual" if self.action in ("create", "stream", "meeting", "edit") else "request"

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if "HTTP_IDEMPOTENCY_KEY" in request.META:
            # Cache the raw body before parsing; the fingerprint needs it.
            _ = request._request.body

    def caller(self) -> Caller:
        """Return the caller on whose behalf the turn runs."""
        held = self.credential
        return Caller(held.tenant_id, held.user_id, held.actor)

    def require_execute(self) -> None:
        """Check that the role or key may run agents.

        Raises:
            PermissionDenied: the role or key does not include `agents:execute`.
        """
        if not self.credential.allows("agents", "execute"):
            raise exceptions.PermissionDenied("Your role or key does not cover agents:execute.")

    def claim(self, request: Any) -> tuple[str, HttpResponse | None]:
        """Claim the request's Idempotency-Key; return it with its stored response, if any. Needs a scope."""
        key = idempotency.key_of(request._request)
        if not key:
            return "", None
        return key, idempotency.claim(self.credential.actor, key, idempotency.fingerprint(request._request))

    def settle(self, key: str, response: HttpResponse | None) -> None:
        """Store the response under the key, or release the key after a failure."""
        if not key:
            return
        with self.scoped():
            if response is None:
                idempotency.release(self.credential.actor, key)
            else:
                idempotency.store(self.credential.actor, key, response)

    @contextmanager
    def holding(self, key: str) -> Iterator[None]:
        """Release the key on any failure, so that a retry runs the request again."""
        try:
            yield
        except BaseException:
            self.settle(key, None)
            raise

    def ready(self, begun: Sequence[BegunTurn]) -> Turn | None:
        """Load the turn of a single agent in the current scope; return None for several agents."""
        return load_turn(begun[0], self.caller()) if len(begun) == 1 else None

    def answered(self, begun: Sequence[BegunTurn], turn: Turn | None) -> dict[str, Any]:
        """Return the rendered answer of the agent or agents.

        Raises:
            AnswerFailedError: the answer failed.
            Http404: the conversation was deleted in the meantime.
        """
        try:
            if turn is None:
                return answers.render_round(run_agents(begun, self.caller()))
        except Message.DoesNotExist:
            raise Http404 from None
        return self.run(turn, begun[0].question.pk)

    def run(self, turn: Turn, question_id: UUID) -> dict[str, Any]:
        """Run one agent and return its rendered answer.

        Raises:
            AnswerFailedError: the answer failed.
            Http404: the conversation was deleted in the meantime.
        """
        try:
            answer = run_turn(turn)
        except Message.DoesNotExist:
            raise Http404 from None
        return answers.render_message(answers.require_completed(answer, question_id))


class ConversationViewSet(
    CloseActionsMixin, MeetingActions, AnswerMixin, UpdateMixin, DestroyMixin, ReadOnlyTenantViewSet
):
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
            self.require_execute()
        begun, turn = [], None
        with self.scoped():
            key, stored = self.claim(request)
            if stored is not None:
                return stored
            conversation = self._start(data)
            if "message" in data:
                begun = begin_round(conversation.pk, content=data["message"], user_id=self.credential.user_id)
                turn = self.ready(begun)
        with self.holding(key):
            answer = self.answered(begun, turn) if begun else None
            response = self._made(conversation.pk, answer)
            self.settle(key, response)
        return response

    @extend_schema(request=ForkSerializer, responses={201: ConversationSerializer})
    @action(detail=True, methods=["post"])
    def fork(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Copy a conversation up to and including a message. The original does not change."""
        at = self.validate_body(ForkSerializer)["at"]
        return self._made(
            fork_conversation(self.get_object(), at=at, user_id=self.credential.user_id).pk, None
        )

    def perform_destroy(self, instance: Conversation) -> None:
        if not is_owner(instance, self.credential.user_id):
            raise Forbidden("Only the owner can delete a conversation. Other participants can leave it.")
        super().perform_destroy(instance)

    def _made(self, identifier: UUID, answer: dict[str, Any] | None) -> HttpResponse:
        with self.scoped():
            return made_conversation(identifier, answer)

    def _start(self, data: dict[str, Any]) -> Conversation:
        named = "agent" if "agent" in data else "agents"
        agents = [agent_by_name(name) for name in data.get("agents") or [data["agent"]]]
        if None in agents:
            raise exceptions.ValidationError({named: "This object does not exist."})
        try:
            return start_conversation(
                agents[0],
                others=agents[1:],
                mode=data["mode"],
                user_id=self.credential.user_id,
                title=data["title"],
                metadata=data.get("metadata"),
            )
        except ConversationClosed as error:
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
            (200, answers.EVENT_STREAM): OpenApiResponse(response=OpenApiTypes.OBJECT, description=STREAMED),
            **FAILURES,
        },
    )
    def create(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Send a message. The answer is JSON, or server-sent events with `Accept: text/event-stream`."""
        asked = _NEW_MESSAGE.run_validation(request.data)
        if not asked["answer"]:
            return self._record(request, asked)
        self.require_execute()
        with self.scoped():
            key, stored = self.claim(request)
            if stored is not None:
                return stored
            begun = self._begin(asked)
            turn = self.ready(begun)
        if answers.wants_stream(request):
            self.settle(key, None)
            return (
                answers.stream_answer(turn, begun[0].question.pk)
                if turn
                else answers.stream_answers(begun, self.caller())
            )
        with self.holding(key):
            answer = self.answered(begun, turn)
            response = json_response(answer, 201, {"Location": self._location(answer["id"])})
            self.settle(key, response)
        return response

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "Last-Event-ID", str, OpenApiParameter.HEADER, description="Id of the last event received."
            )
        ],
        responses={
            (200, answers.EVENT_STREAM): OpenApiResponse(response=OpenApiTypes.OBJECT, description=STREAMED),
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

    def _record(self, request: Any, data: dict[str, Any]) -> HttpResponse:
        with self.scoped():
            key, stored = self.claim(request)
            if stored is not None:
                return stored
            message = record_message(
                self.kwargs["conversation_id"],
                role=data["role"],
                content=data["content"],
                user_id=self.credential.user_id,
                metadata=data.get("metadata"),
            )
            if message is None:
                self._refuse()
            headers = {"Location": self._location(message.pk)}
            response = json_response(answers.render_message(message), 201, headers)
            if key:
                idempotency.store(self.credential.actor, key, response)
        return response

    def _begin(self, data: dict[str, Any]) -> list[BegunTurn]:
        if not self.conversation().exists():
            raise Http404
        try:
            return ask_with_files(
                self.kwargs["conversation_id"],
                content=data["content"],
                user_id=self.credential.user_id,
                files=data["attachments"],
            )
        except ConversationClosed as error:
            raise Conflict("; ".join(error.messages), code="conversation_closed") from error

    def _refuse(self) -> None:
        if not self.conversation().exists():
            raise Http404
        raise Conflict("This conversation is closed. Start a new conversation.", code="conversation_closed")

    def _location(self, identifier: UUID) -> str:
        return f"{self.request._request.path}{identifier}/"


class McpToolExecutionViewSet(ConversationScopedMixin, ReadOnlyTenantViewSet):
    """MCP tool calls of agents in a conversation."""

    serializer_class = McpToolExecutionSerializer
    resource = "conversations"
