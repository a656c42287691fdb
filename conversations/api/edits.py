"""Endpoints that edit a message on a branch and record feedback on an answer."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.decorators import action

from config.api.exceptions import Conflict
from conversations.answers import BegunAnswers, answer_message
from conversations.api import streaming as answers
from conversations.api.event_schemas import ANSWER_STREAM
from conversations.api.serializers import MAX_CONTENT, AnsweredConversationSerializer, MessageSerializer
from conversations.choices import MessageFeedback
from conversations.services.conversations import ConversationClosedError
from conversations.services.feedback import NotAnAnswerError, give_feedback
from conversations.services.forks import AnswerPendingError, NotAuthorError, edit_message


class EditSerializer(serializers.Serializer):
    """The replacement text of a message."""

    content = serializers.CharField(max_length=MAX_CONTENT, help_text="The text.")
    answer = serializers.BooleanField(
        default=True, help_text="Whether agents answer. If false, the text is only recorded."
    )


class FeedbackSerializer(serializers.Serializer):
    """A verdict."""

    feedback = serializers.ChoiceField(
        choices=MessageFeedback.choices,
        allow_blank=True,
        help_text="The feedback. An empty value removes it.",
    )
    correction = serializers.CharField(
        max_length=1000,
        required=False,
        default="",
        allow_blank=True,
        help_text="Text of the correct answer, in the words of its passage. It becomes part of the suggested question.",
    )


EDITED = {
    (201, "application/json"): AnsweredConversationSerializer,
    (200, answers.EVENT_STREAM): OpenApiResponse(
        response=ANSWER_STREAM,
        description="The answer as server-sent events. Each event names the branch.",
    ),
    409: OpenApiResponse(description="An answer to this message or to an earlier one is still in progress."),
    502: OpenApiResponse(description="The model endpoint failed. The branch is stored."),
    504: OpenApiResponse(description="The model endpoint timed out. The branch is stored."),
}


class MessageActions:
    """`/conversations/{conversation_id}/messages/{id}/edit/` and `…/feedback/`."""

    @extend_schema(request=EditSerializer, responses=EDITED)
    @action(detail=True, methods=["post"])
    def edit(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Edit your own message on a new branch. The original conversation does not change."""
        data = self.validate_body(EditSerializer)
        if data["answer"]:
            self.require("agents", "execute")
        with answers.answer_errors():
            return answer_message(
                self.caller(),
                self.idempotent_request(),
                lambda: self._edit(kwargs["id"], **data),
                self.created,
                respond_streamed=answers.stream_answers if answers.wants_stream(request) else None,
                runs_agents=data["answer"],
            )

    @extend_schema(request=FeedbackSerializer, responses={200: MessageSerializer})
    @action(detail=True, methods=["post"])
    def feedback(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Rate an answer as helpful or unhelpful. New feedback replaces earlier feedback."""
        data = self.validate_body(FeedbackSerializer)
        message = self.get_object()
        try:
            give_feedback(message, data["feedback"], correction=data["correction"])
        except NotAnAnswerError as error:
            raise Conflict("; ".join(error.messages), code="no_answer") from error
        return self.rendered_row(MessageSerializer, message)

    def _edit(self, identifier: UUID, *, content: str, answer: bool) -> BegunAnswers:
        conversation = self.conversation().first()
        if conversation is None:
            raise Http404
        try:
            return edit_message(
                conversation, identifier, content=content, user_id=self.credential.user_id, answer=answer
            )
        except NotAuthorError as error:
            raise exceptions.PermissionDenied("; ".join(error.messages)) from error
        except AnswerPendingError as error:
            raise Conflict("; ".join(error.messages), code="turn_running") from error
        except ConversationClosedError as error:
            raise Conflict("; ".join(error.messages), code="agent_not_active") from error
