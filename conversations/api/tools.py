"""Endpoints for tool calls and their approval."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.decorators import action

from config.api.exceptions import Conflict
from config.api.views import bodyless, json_response
from config.api.viewsets import ReadOnlyTenantViewSet
from conversations.answers import stream_answer
from conversations.api import streaming as answers
from conversations.api.callers import CallerMixin
from conversations.api.event_schemas import ANSWER_STREAM
from conversations.api.serializers import DecisionSerializer, MessageSerializer, ToolExecutionSerializer
from conversations.api.views import FAILURES, ConversationScopedMixin
from conversations.models import Message, ToolExecution
from conversations.runtime.approvals import load_decided_turn
from conversations.runtime.loop import run_turn
from conversations.runtime.turns import TurnContext
from conversations.services.approvals import NotAwaitingApprovalError, decide_call
from conversations.services.leases import LeaseLostError
from conversations.streaming.threads import acquire_place

RESPONSES = {
    (200, "application/json"): MessageSerializer,
    (200, answers.EVENT_STREAM): OpenApiResponse(
        response=ANSWER_STREAM, description="The answer as server-sent events."
    ),
    409: OpenApiResponse(description="The tool call is not waiting for approval."),
    **FAILURES,
}


class ToolExecutionViewSet(ConversationScopedMixin, CallerMixin, ReadOnlyTenantViewSet):
    """Tool calls of agents in a conversation, including those that wait for approval."""

    serializer_class = ToolExecutionSerializer
    resource = "conversations"
    extra_media_types = (answers.EVENT_STREAM,)
    verbs = {"approve": "write", "deny": "write"}

    @property
    def scope(self) -> str:
        return "manual" if self.action in ("approve", "deny") else "request"

    @bodyless(responses=RESPONSES)
    @action(detail=True, methods=["post"])
    def approve(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Approve a waiting tool call. After the last decision, the response is the agent's answer."""
        return self._decide(request, allow=True, reason="")

    @extend_schema(request=DecisionSerializer, responses=RESPONSES)
    @action(detail=True, methods=["post"])
    def deny(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Deny a waiting tool call. After the last decision, the response is the agent's answer."""
        reason = self.validate_body(DecisionSerializer)["reason"]
        return self._decide(request, allow=False, reason=reason)

    def _decide(self, request: Any, *, allow: bool, reason: str) -> HttpResponse:
        self.require("agents", "execute")
        is_streamed = answers.wants_stream(request)
        with (
            answers.answer_errors(),
            acquire_place(self.credential.tenant_id, is_streamed=is_streamed) as place,
        ):
            with self.scoped():
                turn, answer = self._decide_call(allow, reason)
            if turn is None:
                return json_response(answers.render_message(answer))
            if is_streamed:
                return answers.stream_answers(stream_answer(answer, turn, place.transfer()))
            return json_response(answers.render_answers([run_turn(turn)]))

    def _decide_call(self, allow: bool, reason: str) -> tuple[TurnContext | None, Message]:
        execution = self._get_execution()
        try:
            last = decide_call(execution, allow=allow, actor=self.credential.user_id, reason=reason)
            messages = Message.objects.created_after_id(execution.conversation_id)
            answer = messages.get(pk=execution.message_id)
            return (load_decided_turn(answer, self.caller()) if last else None), answer
        except NotAwaitingApprovalError as error:
            raise Conflict("; ".join(error.messages), code="not_waiting") from error
        except LeaseLostError as error:
            raise Conflict(
                "Another process has already resumed this answer.",
                code="not_waiting",
            ) from error

    def _get_execution(self) -> ToolExecution:
        identifier: UUID = self.kwargs[self.lookup_field]
        execution = self.get_queryset().filter(pk=identifier, message__isnull=False).order_by().first()
        if execution is None:
            raise Http404
        return execution  # type: ignore[no-any-return]
