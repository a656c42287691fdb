"""Resources of conversations. A person, or a key that acts as one, sees their own alone (promise G3)."""

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
    502: OpenApiResponse(description="The model's endpoint failed; the question is stored."),
    504: OpenApiResponse(description="The model's endpoint did not answer in time; the question is stored."),
}

STREAMED = "Server-sent events: message.started, .delta, .reset, .completed, .failed."


# Making a serializer costs more than using it; validating changes nothing in it.
_NEW_MESSAGE = NewMessageSerializer()


class AnswerMixin:
    """What views share that let an agent answer: short scopes, and a key that is claimed once."""

    @property
    def scope(self) -> str:
        return "manual" if self.action in ("create", "stream", "meeting", "edit") else "request"

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if "HTTP_IDEMPOTENCY_KEY" in request.META:
            # Kept before it is parsed, for the fingerprint.
            _ = request._request.body

    def caller(self) -> Caller:
        """For whom the turn runs."""
        held = self.credential
        return Caller(held.tenant_id, held.user_id, held.actor)

    def require_execute(self) -> None:
        """Raises:
        PermissionDenied: when role or key do not cover talking to agents.
        """
        if not self.credential.allows("agents", "execute"):
            raise exceptions.PermissionDenied("Your role or key does not cover agents:execute.")

    def claim(self, request: Any) -> tuple[str, HttpResponse | None]:
        """The request's Idempotency-Key, taken, and the answer that is stored for it; inside a scope."""
        key = idempotency.key_of(request._request)
        if not key:
            return "", None
        return key, idempotency.claim(self.credential.actor, key, idempotency.fingerprint(request._request))

    def settle(self, key: str, response: HttpResponse | None) -> None:
        """Store the answer under the key, or let the key go after a failure."""
        if not key:
            return
        with self.scoped():
            if response is None:
                idempotency.release(self.credential.actor, key)
            else:
                idempotency.store(self.credential.actor, key, response)

    @contextmanager
    def holding(self, key: str) -> Iterator[None]:
        """Let the key go when the work fails, whatever the reason, so that a retry asks again."""
        try:
            yield
        except BaseException:
            self.settle(key, None)
            raise

    def ready(self, begun: Sequence[BegunTurn]) -> Turn | None:
        """The turn of a single agent, loaded in the scope that is open; None when several answer."""
        return load_turn(begun[0], self.caller()) if len(begun) == 1 else None

    def answered(self, begun: Sequence[BegunTurn], turn: Turn | None) -> dict[str, Any]:
        """The answer of the agent, or of all agents, as it is shown.

        Raises:
            AnswerFailedError: when there is none.
            Http404: when the conversation was deleted meanwhile.
        """
        try:
            if turn is None:
                return answers.render_round(run_agents(begun, self.caller()))
        except Message.DoesNotExist:
            raise Http404 from None
        return self.run(turn, begun[0].question.pk)

    def run(self, turn: Turn, question_id: UUID) -> dict[str, Any]:
        """The answer of one agent, as it is shown.

        Raises:
            AnswerFailedError: when there is none.
            Http404: when the conversation was deleted meanwhile.
        """
        try:
            answer = run_turn(turn)
        except Message.DoesNotExist:
            raise Http404 from None
        return answers.render_message(answers.require_completed(answer, question_id))


class ConversationViewSet(
    CloseActionsMixin, MeetingActions, AnswerMixin, UpdateMixin, DestroyMixin, ReadOnlyTenantViewSet
):
    """Conversations of the person who asks."""

    serializer_class = ConversationSerializer
    resource = "conversations"
    filterset_fields = ("agent", "status", "mode", "forked_from")
    extra_media_types = (answers.EVENT_STREAM,)
    verbs = {"meeting": "read", "begin_meeting": "write", "fork": "write", "end": "write"}
    ordering_fields = ("created_at", "updated_at")

    def get_queryset(self) -> Any:
        rows = super().get_queryset()
        return rows if getattr(self, "swagger_fake_view", False) else rows.visible_to(self.credential.user_id)

    @extend_schema(
        request=NewConversationSerializer, responses={201: AnsweredConversationSerializer, **FAILURES}
    )
    def create(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Begin a conversation; with `message`, get its first answer in the same response."""
        asked = NewConversationSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        data = asked.validated_data
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
        """A new conversation with what was said up to and with a message; the first one stays as it is."""
        asked = ForkSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        at = asked.validated_data["at"]
        return self._made(
            fork_conversation(self.get_object(), at=at, user_id=self.credential.user_id).pk, None
        )

    def perform_destroy(self, instance: Conversation) -> None:
        if not is_owner(instance, self.credential.user_id):
            raise Forbidden("Only the person who began a conversation deletes it; others may leave it.")
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
    """Views below `/conversations/{conversation_id}/`."""

    def get_queryset(self) -> Any:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        identifier = self.kwargs["conversation_id"]
        return rows.filter(conversation_id=identifier).filter(Exists(self.conversation()))

    def conversation(self) -> Any:
        """The conversation of the address, as a queryset of one row or none."""
        rows = Conversation.objects.visible_to(self.credential.user_id)
        return rows.filter(pk=self.kwargs["conversation_id"]).order_by()

    def list(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """A page of rows."""
        response = super().list(request, *args, **kwargs)
        if response.content.endswith(b'"results":[]}') and not self.conversation().exists():
            raise Http404
        return response


class MessageViewSet(MessageActions, ConversationScopedMixin, AnswerMixin, ReadOnlyTenantViewSet):
    """Messages of a conversation; posting one lets its agent answer."""

    serializer_class = MessageSerializer
    resource = "conversations"
    filterset_fields = ("role", "status", "replaces_id", "feedback")
    verbs = {"stream": "read", "edit": "write", "feedback": "write"}
    extra_media_types = (answers.EVENT_STREAM,)

    def get_queryset(self) -> Any:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        identifier = self.kwargs["conversation_id"]
        try:
            uuid7_time(identifier)
        except ValueError:
            raise Http404 from None
        return rows.created_after_id(identifier)

    @extend_schema(
        request=NewMessageSerializer,
        responses={
            (201, "application/json"): AnsweredMessageSerializer,
            (200, answers.EVENT_STREAM): OpenApiResponse(response=OpenApiTypes.OBJECT, description=STREAMED),
            **FAILURES,
        },
    )
    def create(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Say something. The answer is JSON, or server-sent events with `Accept: text/event-stream`."""
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
                "Last-Event-ID", str, OpenApiParameter.HEADER, description="Last event that came."
            )
        ],
        responses={
            (200, answers.EVENT_STREAM): OpenApiResponse(response=OpenApiTypes.OBJECT, description=STREAMED),
            204: OpenApiResponse(description="The stream has ended and all of it came."),
        },
    )
    @action(detail=True, methods=["get"], pagination_class=None, filterset_fields=())
    def stream(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """The answer as server-sent events, from the event after `Last-Event-ID` on, until its end."""
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
        raise Conflict("This conversation does not go on.", code="conversation_closed")

    def _location(self, identifier: UUID) -> str:
        return f"{self.request._request.path}{identifier}/"


class McpToolExecutionViewSet(ConversationScopedMixin, ReadOnlyTenantViewSet):
    """Tools of MCP servers that agents called in a conversation."""

    serializer_class = McpToolExecutionSerializer
    resource = "conversations"
    filterset_fields = ("message", "mcp_server", "tool_name", "status")
